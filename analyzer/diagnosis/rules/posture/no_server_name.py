"""The client sent no server_name.

Seen:
    The handshake completed and the ClientHello has no server_name extension, or an empty one.

Means:
    The server had to guess the site: it works while there is one site, and breaks when a second one, or a load balancer
    that routes by name, comes in front.

Remedy:
    Let the client send the name. Java: use the host name, not the address; nginx: proxy_ssl_server_name on; Apache 2.4: ProxyPass by
    name; HAProxy: sni str(NAME) on the server line, check-sni for checks; Envoy: sni of the upstream context; Go: ServerName of
    tls.Config; IIS ARR: preserveHostHeader; OpenSSL: SSL_set_tlsext_host_name.

Confirm:
    $ openssl s_client -connect {connect} -noservername {starttls} </dev/null
    $ openssl s_client -connect {connect} -servername NAME {starttls} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake


class NoServerName(Rule):
    """Nothing to choose the site by."""

    cause = "no-server-name"
    kind = "posture"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or hello.server_name or hello.sslv2 or handshake.client_hello_incomplete:
            return None
        return self.found("certain", "The client did not say which site it wants (no server_name).")
