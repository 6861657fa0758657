"""The server chose a version of TLS that is no longer safe, though the client offered better.

Seen:
    The handshake completed with SSL 3.0, TLS 1.0 or TLS 1.1 (RFC 8996 retired them), and the client offered a newer version.

Means:
    The server does not speak TLS 1.2 or newer. Clients that have switched the old versions off cannot reach it.

Remedy:
    Switch TLS 1.2 and 1.3 on and the old versions off. nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol -all +TLSv1.2
    +TLSv1.3; HAProxy: ssl-min-ver TLSv1.2; Envoy: tls_minimum_protocol_version TLSv1_2; IIS: the Schannel registry keys, or IIS
    Crypto; Java: update it, and leave jdk.tls.disabledAlgorithms as it is; Go: MinVersion of tls.Config.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_3 </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_TLS12 = 0x0303


class WeakVersion(Rule):
    """The server is the one that lags behind."""

    cause = "weak-version"
    kind = "posture"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        version, hello = handshake.selected_version, handshake.client_hello
        if version is None or version >= _TLS12 or hello is None or hello.max_version < _TLS12:
            return None
        return self.found("certain", f"The server chose {words.version_text(version)}, though the client offered better.")
