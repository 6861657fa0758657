r"""The client has another certificate or key pinned.

Seen:
    A chain without any fault, which other clients accept in the same capture, is refused by this client every time:
    certificate_unknown (46), bad_certificate (42), unknown_ca (48), or a close right after the server's flight.

Means:
    The application carries the expected key, certificate or authority in itself, and the server's was changed (new key
    at renewal, another authority), or the client's own trust store is narrower than everybody else's.

Remedy:
    Update the pins of the application before the server's key changes, pin the authority and a backup key rather than the
    leaf, or renew with the old key (certbot --reuse-key). Behind an inspecting proxy: exempt the application from inspection.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | openssl x509 -noout -pubkey \
        | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64
    Compare with the pin in the application.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain_rule import GENERAL
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_PINNED = frozenset({42, 46})


class CertPinning(Rule):
    """Faultless, accepted by others, refused here."""

    cause = "cert-pinning"
    stages = AFTER_SERVER_HELLO
    alerts = _PINNED
    alert_from_client = True
    explains = GENERAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refusal_of(handshake, context)
        if refusal is None or refusal.description not in _PINNED:
            return None
        judged = context.chain(handshake)
        if judged is None or not judged.trusted or not judged.covers or any(problem.hard for problem in judged.problems):
            return None
        server = context.server(handshake)
        others = server.clients - {handshake.flow.client_address}
        if not others or not server.leaves.get(judged.leaf.sha256):
            return None
        summary = (
            f"The client refused a faultless certificate of {words.server_text(handshake)} that "
            f"{words.count_text(len(others), 'other client')} accepted: it may have another one pinned."
        )
        return self.found("possible", summary, refusal.evidence)
