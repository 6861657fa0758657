"""What the rules share that blame one part of a refused offer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.negotiation._refused import SILENT_ENDS
from analyzer.diagnosis.rules.negotiation._suspects import blamed, may_blame, weigh_offer
from analyzer.model.finding import Finding, Outcome
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert

__all__ = ["OFFER_EXPLAINS", "OfferRule"]

OFFER_EXPLAINS = (*SILENT_ENDS, "internal-error", "insufficient-security")
"""What a named part of the offer explains away."""


class OfferRule(Rule):
    """One part of the offer: proved by bytes where ``proved`` finds them, else the heaviest suspect."""

    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    explains: ClassVar[tuple[str, ...]] = OFFER_EXPLAINS
    proves: ClassVar[frozenset[int | None]] = frozenset()
    """Closing alerts in place of a ServerHello, as in ``alerts``, beside which ``proved`` may find something."""
    proves_later: ClassVar[frozenset[int | None]] = frozenset()
    """The same after a ServerHello."""

    def hears(self, alert: Alert | None) -> bool:
        return may_blame(self.cause, alert) or any(self.may_prove(stage, alert) for stage in self.stages)

    def candidates(self, stage: str, alert: Alert | None) -> Callable[[Handshake, Context], Collection[str]] | None:
        return None if self.may_prove(stage, alert) else blamed

    def may_prove(self, stage: str, alert: Alert | None) -> bool:
        """Whether ``proved`` may find something in a handshake of this stage that this alert closed, or none."""
        proves = self.proves if stage in BEFORE_SERVER_HELLO else self.proves_later
        return (NO_ALERT if alert is None else alert.description) in proves

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        """A finding that does not rest on weighing."""
        return None

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        finding = self.proved(handshake, context)
        if finding is not None:
            return finding
        verdict = weigh_offer(handshake, context)
        if verdict is None or verdict.cause != self.cause:
            return None
        who = words.server_text(handshake)
        if verdict.refused.description is not None:
            how = f"refused the ClientHello with {words.alert_name(verdict.refused.description)}"
        else:
            how = f"{'reset' if verdict.refused.how == 'reset' else 'closed'} the connection instead of answering the ClientHello"
        if verdict.confidence == "likely":
            summary = f"{who} {how}: the hello {verdict.suspect.says}."
        else:
            summary = f"{who} {how} and does not say why; first suspect: the hello {verdict.suspect.says}."
        return self.found(verdict.confidence, summary, verdict.evidence)
