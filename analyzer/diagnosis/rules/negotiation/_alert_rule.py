"""What the rules share that repeat what an alert says, where nothing tells why it was sent."""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

__all__ = ["AlertRule"]


class AlertRule(Rule):
    """The honest general answer: the closing alert, who sent it and where.

    Bytes that are not TLS make a peer send the same alerts: those stages belong to other causes.
    """

    stages = stages_from(Stage.CONNECTED) - {Stage.CLIENT_NOT_TLS, Stage.SERVER_NOT_TLS, Stage.DIALOGUE}
    outcomes = frozenset({"failed", "no-handshake"})
    meaning: ClassVar[str] = ""
    """What the alert says, going on from 'the server ended it: '."""

    def means(self, handshake: Handshake) -> str:
        """``meaning``, or what it comes down to in this handshake."""
        return self.meaning

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        """What else bears on it. With something here the bytes themselves show why, and the finding is certain."""
        return []

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None or alert.description is None:
            return None
        unannounced = handshake.client_hello is None and handshake.stage == Stage.CONNECTED
        spoke = any(m.from_client and m.kind not in ("alert", "not_tls") for m in handshake.messages)
        if unannounced and not alert.from_client and not spoke:
            return None  # a server that was told nothing, and says so
        who = words.side(alert.from_client)
        details = self.details(handshake, context)
        where = _where(handshake, from_client=alert.from_client)
        summary = f"{who.capitalize()} ended the handshake with {words.alert_name(alert.description)} {where}: {self.means(handshake)}."
        evidence = [*details, *handshake.closing_evidence]
        confidence: Confidence = "certain" if details else "likely"
        return self.found(confidence, summary, evidence, outcome="failed" if unannounced else None)


def _where(handshake: Handshake, *, from_client: bool) -> str:
    if handshake.client_hello is None:
        return "before any ClientHello"
    if handshake.hello_retry is not None and handshake.server_hello is None:
        return "after the HelloRetryRequest"
    if handshake.server_hello is None:
        return "in answer to the ClientHello" if not from_client else "after its ClientHello"
    if handshake.stage == Stage.SERVER_HELLO:
        return "in answer to the server's flight" if from_client else "after its ServerHello"
    return "after its second flight" if from_client else "in answer to the client's second flight"
