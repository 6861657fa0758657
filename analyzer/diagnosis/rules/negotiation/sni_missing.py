"""The client does not say which host it wants, and the server needs to know.

Seen:
    The ClientHello has no server_name, or one that is an IP address. The server answers unrecognized_name (112) (HAProxy
    strict-sni, nginx ssl_reject_handshake), handshake_failure (40) (large CDNs), internal_error (80) (Go, old Apache), a reset
    (IIS with SNI bindings only), or with its default certificate, which the client then refuses.

Means:
    The client connects by address, is very old, or is a proxy that was not told to pass the name on.

Remedy:
    Make the client send the name.
    nginx as client: proxy_ssl_server_name on; proxy_ssl_name HOST. HAProxy: server ... sni str(HOST). Envoy: sni in the upstream
    TLS context. Apache: ProxyPreserveHost, and the host's name in ProxyPass. Java: connect by name; 8u141 or newer with a custom
    HostnameVerifier. Go: tls.Config.ServerName. curl: the name in the URL, --resolve for the address. OpenSSL: -servername.
    Or give the server a default: nginx default_server with a certificate; IIS: a binding without SNI.

Confirm:
    $ openssl s_client -connect {connect} -noservername {starttls} </dev/null
    $ openssl s_client -connect {connect} -servername HOST {starttls} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS
from analyzer.diagnosis.rule import stages_from
from analyzer.diagnosis.rules.negotiation._neighbours import names_a_host
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import closing_description
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class SniMissing(OfferRule):
    """No name, and a server that wants one."""

    cause = "sni-missing"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_FLIGHT)
    proves = frozenset({112})
    proves_later = CERTIFICATE_ALERTS - {44, 45} | {112}
    explains = (*OFFER_EXPLAINS, "cert-rejected", "client-closed-mid-handshake")

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or names_a_host(hello) or (handshake.client_hello_incomplete and not hello.server_name):
            return None  # in a hello captured in part the name may be in the rest
        what = f"names the IP address {words.shown(hello.server_name)}, not a host" if hello.server_name else "names no host (SNI)"
        says = hello_evidence(handshake, f"this hello {what}")
        who = words.server_text(handshake)
        if closing_description(handshake, from_client=False) == 112:
            return self.found("certain", f"{who} needs a host name and this client {what}.", [says, *handshake.closing_evidence])
        return self._default_certificate(handshake, context, says)

    def _default_certificate(self, handshake: Handshake, context: Context, says: Evidence) -> Finding | None:
        """Without a name the client got a certificate that named clients do not get, and refused it."""
        refusal = refusal_of(handshake, context)
        if refusal is None or refusal.description not in CERTIFICATE_ALERTS - {45, 44} or not handshake.server_certificates:
            return None
        profile = context.server(handshake)
        if profile.without_name_completed or not profile.names_served:
            return None
        leaf = handshake.server_certificates[0]
        others = [sha256 for sha256 in profile.leaves if sha256 != leaf.sha256]
        if not others:
            return None
        names = words.list_text(list(profile.names_served), 3)
        evidence = [
            says,
            message_evidence(handshake, "certificate", False, f"default certificate: {words.shown(leaf.subject)}"),
            Evidence(None, f"clients that name a host ({names}) get another certificate"),
            *refusal.evidence,
        ]
        summary = f"Without a host name {words.server_text(handshake)} sent its default certificate, which the client refused."
        return self.found("likely", summary, evidence)
