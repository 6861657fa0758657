r"""The client requires a version of TLS newer than the server has.

Seen:
    The client offers TLS 1.3 alone (or nothing below 1.2) and the server refuses: protocol_version (70) from most,
    handshake_failure (40) from GnuTLS. Or the server answers with an older ServerHello and the client refuses that:
    protocol_version (70) from OpenSSL, Go, Java, BoringSSL, rustls and wolfSSL.

Means:
    The server, or a proxy in front of it, is old or limited by its configuration. A client that took older versions
    would get through.

Remedy:
    Update the server or switch the version on:
    nginx: ssl_protocols TLSv1.2 TLSv1.3; (OpenSSL 1.1.1 or newer). Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3.
    HAProxy: no ssl-max-ver, or ssl-max-ver TLSv1.3. Envoy: tls_maximum_protocol_version: TLSv1_3. IIS: TLS 1.3 needs Windows
    Server 2022. Java: TLS 1.3 from 8u261 and 11. Go: tls.Config.MaxVersion. OpenSSL: MaxProtocol in openssl.cnf.
    Until then the client has to take TLS 1.2 (curl --tlsv1.2, Go MinVersion, OpenSSL MinProtocol).

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_3 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -min_protocol TLSv1 -max_protocol TLSv1.1 \
        -cipher ALL:@SECLEVEL=0 </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.rule import NO_ALERT
from analyzer.diagnosis.rules.negotiation._neighbours import find_neighbours
from analyzer.diagnosis.rules.negotiation._offer import versions_of
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, closing_description, refused_answer, refused_hello
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello
from analyzer.registries.versions import effective_version


class ClientVersionTooNew(OfferRule):
    """The server's best version is below the client's lowest."""

    cause = "client-version-too-new"
    proves = frozenset({70})
    proves_later = frozenset({NO_ALERT, None, 0, 10, 40, 47, 70})
    explains = (*OFFER_EXPLAINS, *AFTER_CLOSES, "illegal-parameter")

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None:
            return None
        if handshake.server_hello is not None:
            return self._refused_by_client(handshake, hello)
        refused = refused_hello(handshake) if closing_description(handshake, from_client=False) == 70 else None
        if refused is None or hello.sslv2:
            return None
        offered = versions_of(hello)
        if max(offered) < 0x0304:
            return None
        neighbours = find_neighbours(handshake, context)
        evidence = [hello_evidence(handshake, f"offers {words.offered_versions_text(hello)}"), *refused.evidence]
        if neighbours:
            seen = words.version_text(max(neighbours.versions))
            evidence.insert(1, Evidence(None, f"{neighbours.count_text} got at most {seen}"))
        offers = words.offered_versions_text(hello)
        summary = f"{words.server_text(handshake)} has no version as new as the client wants: the hello offers {offers}."
        if neighbours.versions & offered:
            return self.found("possible", summary, evidence)
        return self.found("certain" if min(offered) >= 0x0304 else "likely", summary, evidence)

    def _refused_by_client(self, handshake: Handshake, hello: ClientHello) -> Finding | None:
        refusal = refused_answer(handshake)
        selected = effective_version(handshake.selected_version or 0)
        if refusal is None or not 0x0300 <= selected < min(hello.max_version, 0x0304):
            return None
        offered = versions_of(hello)
        listed = bool(hello.supported_versions) and selected not in offered
        version = words.version_text(handshake.selected_version)
        evidence = [
            hello_evidence(handshake, f"offers {words.offered_versions_text(hello)}"),
            message_evidence(handshake, "server_hello", False, f"the server chose {version}"),
            *refusal.evidence,
        ]
        summary = f"{words.server_text(handshake)} chose {version}, which is too old for this client."
        if refusal.description == 70:
            return self.found("certain", summary, evidence)
        if listed and selected < min(offered):
            general = refusal.how != "alert" or refusal.description in (10, 40, 47)
            return self.found("likely", summary, evidence) if general else None
        return None
