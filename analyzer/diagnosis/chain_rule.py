"""What the rules of the certificate family share: each stands for one problem of the chain."""

from __future__ import annotations

from typing import ClassVar, cast

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.refusals import refusal_by_client
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.weighing import Weighed, refusal_text, silent_close, weigh_chain
from analyzer.model.finding import Confidence, Finding, Outcome
from analyzer.model.handshake import Handshake

__all__ = ["GENERAL", "ChainRule"]

GENERAL = ("cert-rejected", "client-silent-reject", "refused-encrypted", "client-closed-mid-handshake")
"""What every named fault of a certificate explains away."""


class ChainRule(Rule):
    """A fault that the chain shows, or that the client's alert alone names.

    A client that closes without a word right after a whole handshake is taken for one that refused, when the chain
    gives it a reason: that handshake failed, though TLS itself was done.
    """

    stages = AFTER_SERVER_HELLO
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "completed"})
    explains: ClassVar[tuple[str, ...]] = GENERAL
    named_by: ClassVar[tuple[int, Confidence] | None] = None
    """The alert that names the fault even when the chain is hidden, and how surely."""
    named_says: ClassVar[str] = ""
    """The sentence for it, without its full stop."""

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.outcome == "completed" and silent_close(handshake) is None:
            return None
        weighed = _weighed(handshake, context).get(self.cause)
        if weighed is not None:
            return self._of_chain(handshake, weighed)
        return self._of_alert(handshake)

    def _of_chain(self, handshake: Handshake, weighed: Weighed) -> Finding | None:
        completed = handshake.outcome == "completed"
        refusal = (silent_close if completed else refusal_by_client)(handshake)
        if completed and (refusal is None or not weighed.is_cause or not weighed.problem.hard):
            return None
        says = weighed.problem.says
        if not weighed.is_cause or refusal is None:
            finding = self.found("possible", f"{says}, which is not what ended this handshake.", weighed.evidence)
            finding.kind = "also"
            return finding
        return self.found(
            weighed.confidence,
            f"{says}; the client refused it {refusal_text(refusal)}.",
            weighed.evidence,
            aborted_by="client" if completed else None,
            outcome="failed" if completed else None,
        )

    def _of_alert(self, handshake: Handshake) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None or self.named_by is None or handshake.server_certificates:
            return None
        description, confidence = self.named_by
        refusal = refusal_by_client(handshake)
        if refusal is None or refusal.how != "alert" or refusal.description != description:
            return None
        summary = f"{self.named_says}: the client says so with {words.alert_name(description)}; the chain itself is hidden."
        return self.found(confidence, summary, refusal.evidence)


def _weighed(handshake: Handshake, context: Context) -> dict[str, Weighed]:
    """The weighing, made once for all rules of the handshake at hand."""
    known = context.remembered.get("chain")
    if known is None or known[0] is not handshake:
        known = context.remembered["chain"] = (handshake, weigh_chain(handshake, context))
    return cast("dict[str, Weighed]", known[1])
