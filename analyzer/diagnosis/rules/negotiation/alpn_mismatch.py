"""Client and server have no application protocol (ALPN) in common.

Seen:
    no_application_protocol (120) after the ClientHello: OpenSSL with a strict callback, nginx from 1.21.4, GnuTLS, Java, Node, Go.
    Go in TLS 1.3 sends it encrypted: ServerHello, then one record of an alert's length and nothing of its certificate.
    HAProxy and Python ignore it and fail later, in HTTP.

Means:
    The client asks for protocols the server does not speak: h2 alone against a server without HTTP/2, a gRPC client on a plain
    web port, a private protocol on the wrong port.

Remedy:
    Switch the protocol on, or let the client offer http/1.1 as well.
    nginx: http2 on; (before 1.25.1: listen ... ssl http2). Apache: Protocols h2 http/1.1. HAProxy: bind ... alpn h2,http/1.1.
    Envoy: alpn_protocols. IIS: HTTP/2 is on from Windows Server 2016. Java: SSLParameters.setApplicationProtocols. Go:
    tls.Config.NextProtos. curl: --http1.1, --http2-prior-knowledge is something else. gRPC needs h2.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {alpn_flag} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -alpn h2,http/1.1 </dev/null 2>/dev/null | grep ALPN
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.rule import stages_from
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import encrypted_records
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_ALERT_LENGTHS = frozenset({19, 11})


class AlpnMismatch(OfferRule):
    """Alert 120; or Go's encrypted one; or ALPN as the narrowest part of a refused offer."""

    cause = "alpn-mismatch"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    proves = frozenset({120})
    proves_later = frozenset({None, 120})
    explains = OFFER_EXPLAINS

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, alert = handshake.client_hello, handshake.closing_alert
        if hello is None or alert is None or alert.description not in (None, 120):
            return None
        offered = words.list_text(hello.alpn, 5) or "no application protocol"
        says = hello_evidence(handshake, f"offers {offered}")
        who = words.server_text(handshake)
        if alert.description == 120:
            if alert.from_client:
                hidden = handshake.is_tls13 and not handshake.decryption
                chosen = words.shown(handshake.alpn) if handshake.alpn else "an answer that is hidden" if hidden else "none"
                summary = f"The client needs an application protocol that {who} did not choose: it offers {offered}, got {chosen}."
            else:
                summary = f"{who} speaks none of the application protocols that the client offers: {offered}."
                spoken = [name for name in hello.alpn if context.server(handshake).alpn.get(name)]
                if spoken:  # one node of several, another site, or its program's own reason
                    seen = Evidence(None, f"the same server agreed on {words.list_text(spoken, 3)} in other handshakes")
                    return self.found("likely", summary, [says, seen, *handshake.closing_evidence])
            return self.found("certain", summary, [says, *handshake.closing_evidence])
        if alert.description is None and not alert.from_client and hello.alpn and handshake.stage == Stage.SERVER_HELLO:
            lengths = encrypted_records(handshake, from_client=False)
            if handshake.is_tls13 and len(lengths) == 1 and lengths[0] in _ALERT_LENGTHS:
                evidence = [
                    says,
                    message_evidence(handshake, "server_hello", False, "the server agreed on version, suite and group"),
                    *handshake.closing_evidence,
                ]
                summary = (
                    f"{who} refused with an encrypted alert before its EncryptedExtensions, as Go does "
                    f"when it speaks none of the application protocols offered: {offered}."
                )
                return self.found("possible", summary, evidence)
        return None
