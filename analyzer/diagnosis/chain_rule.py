"""What the rules of the certificate family share: a refusal by the client, and one fault it may be for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import Refusal
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, SERVER_UNSEEN, Rule
from analyzer.diagnosis.weighing import Weighed, refusal_of, refusal_text, weigh_chain
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert

__all__ = ["GENERAL", "ChainRule", "RefusalRule"]

GENERAL = ("cert-rejected", "client-silent-reject", "refused-encrypted", "client-closed-mid-handshake")
"""What every named fault of a certificate explains away."""


class RefusalRule(Rule):
    """A rule about a handshake that the client refused after it had the server's flight.

    A client that leaves right after a whole handshake refused it too, when there is a reason: such a handshake failed,
    though TLS itself was done.
    """

    stages = AFTER_SERVER_HELLO | SERVER_UNSEEN
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "completed"})
    needs = Oddity.REFUSED
    explains: ClassVar[tuple[str, ...]] = GENERAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        completed = handshake.outcome == "completed"
        refusal = refusal_of(handshake, context)
        if completed and refusal is None:
            return None
        finding = self.examine_refusal(handshake, context, refusal)
        if finding is None or not completed:
            return finding
        if finding.kind != "cause":
            return None
        finding.outcome, finding.aborted_by = "failed", "client"
        return finding

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        """The finding; ``refusal`` is None where something else ended the handshake."""
        raise NotImplementedError

    def beside(self, says: str, weighed: Weighed) -> Finding:
        """A fact that is true and did not end this handshake."""
        finding = self.found("possible", f"{says}, which is not what ended this handshake.", weighed.evidence)
        finding.kind = "also"
        return finding


class ChainRule(RefusalRule):
    """A fault that the chain shows, or that the client's alert alone names."""

    named_by: ClassVar[tuple[int, Confidence] | None] = None
    """The alert that names the fault even when the chain is hidden, and how surely."""
    named_if_lost: ClassVar[Confidence | None] = None
    """... how surely where the chain was in the clear, and is not in the capture."""
    named_says: ClassVar[str] = ""
    """The sentence for it, without its full stop."""
    says_as_well: ClassVar[str] = ""
    """What else the alert may mean."""
    looks_further: ClassVar[frozenset[int]] = frozenset()
    """Alerts beside which it may find something in a chain without its fault."""

    def candidates(self, stage: str, alert: Alert | None) -> Callable[[Handshake, Context], Collection[str]] | None:
        if alert is None:
            return weigh_chain
        named = self.named_by is not None and alert.description == self.named_by[0]
        return None if named or alert.description in self.looks_further else weigh_chain

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        weighed = context.once(weigh_chain, handshake).get(self.cause)
        if weighed is None:
            return self._of_alert(handshake, refusal)
        says = weighed.problem.says
        if not weighed.is_cause or refusal is None:
            return self.beside(says, weighed)
        return self.found(weighed.confidence, f"{says}; the client refused it {refusal_text(refusal)}.", weighed.evidence)

    def _of_alert(self, handshake: Handshake, refusal: Refusal | None) -> Finding | None:
        if refusal is None or self.named_by is None or handshake.server_certificates:
            return None
        description, confidence = self.named_by
        if refusal.how != "alert" or refusal.description != description:
            return None
        lost = not handshake.is_tls13
        if lost and self.named_if_lost is not None:
            confidence = self.named_if_lost
        where = "not in the capture" if lost else "hidden"
        summary = f"{self.named_says}: the client says so with {words.alert_name(description)}; the chain itself is {where}."
        evidence = list(refusal.evidence)
        if self.says_as_well:
            evidence.append(Evidence(None, self.says_as_well))
        return self.found(confidence, summary, evidence)
