"""The client found the mark of a downgrade in the server's random.

Seen:
    The last 8 bytes of the ServerHello's random are "DOWNGRD" and 01 (TLS 1.2 chosen) or 00 (older), though the client
    offered better; the client refuses with illegal_parameter (47) (RFC 8446 section 4.1.3).

Means:
    The server speaks the better version, but the hello that reached it did not offer it: something on the way took the
    version out or answers in the server's place; or the client itself had fallen back (Java servers do not heed the fallback signal).

Remedy:
    Find the device that rewrites the hello: old inspection proxies and firewalls (Palo Alto, Cisco Firepower, Blue Coat before
    their fixes for TLS 1.3). Update it, or exempt the connection from inspection.
    Chrome until 2021 let it pass by policy; Go, OpenSSL, BoringSSL, NSS, Java and rustls do not.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_3 </dev/null
    Record at both ends and compare the ClientHellos: they must be the same byte for byte.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, refused_answer
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.registries.versions import effective_version


class DowngradeSentinel(Rule):
    """DOWNGRD in the random of a server that chose less than was offered."""

    cause = "downgrade-sentinel"
    stages = AFTER_SERVER_HELLO
    explains = (*AFTER_CLOSES, "illegal-parameter", "refused-encrypted", "client-version-too-new")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, answer = handshake.client_hello, handshake.server_hello
        if hello is None or answer is None or answer.downgrade_sentinel is None:
            return None
        chosen = effective_version(answer.selected_version)
        better = hello.max_version > chosen
        if not better and not hello.fallback_scsv:
            return None
        refusal = refused_answer(handshake)
        evidence = [
            hello_evidence(handshake, f"offers {words.offered_versions_text(hello)}{', a fallback' if hello.fallback_scsv else ''}"),
            message_evidence(
                handshake, "server_hello", False,
                f"chose {words.version_text(answer.selected_version)}; the random ends in DOWNGRD{answer.downgrade_sentinel:02d}, "
                "the mark of a server that speaks better",
            ),
            *(refusal.evidence if refusal is not None else []),
        ]  # fmt: skip
        summary = (
            f"{words.server_text(handshake)} speaks better than the {words.version_text(answer.selected_version)} it chose, "
            "so someone lowered the offer on the way, and the client refused that."
        )
        if refusal is not None and refusal.description == 47:
            return self.found("certain", summary, evidence)
        if refusal is not None and better and refusal.description in (40, 70, 10):
            return self.found("likely", summary, evidence)
        finding = self.found("possible", summary.replace(", and the client refused that", ""), evidence)
        finding.kind = "also"
        return finding
