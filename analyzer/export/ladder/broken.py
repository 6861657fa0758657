"""Where it broke: one step gets the mark, or a step of its own at the end when nothing happened any more."""

from __future__ import annotations

from collections.abc import Callable

from analyzer.diagnosis import words
from analyzer.export.ladder.model import Step
from analyzer.model.handshake import Handshake, Stage

__all__ = ["mark"]

_ENDS = ("RST", "FIN", "Alert")


def mark(h: Handshake, steps: list[Step]) -> None:
    """Set ``broke`` on the step that ended the attempt, and mark what a device on the way forged."""
    if h.aborted_by == "middlebox":
        _mark_forged(steps)
    if h.outcome == "unfinished":
        steps.append(Step(0, None, None, "note", "the capture does not show how it went on"))
        return
    if h.outcome != "failed":
        return
    forged = _first(steps, lambda step: "forged" in step.marks)
    for where in (_not_tls, _dialogue, _alert, _close, _evidence):
        step = forged or where(h, steps)
        if step is not None:
            step.broke = _says(h, step)
            return
    last = next((step for step in reversed(steps) if step.from_client is not None), None)
    says = "nothing more came" if last is None else f"{words.peer_of(bool(last.from_client))} never answered"
    steps.append(Step(0, None, None, "note", says, broke=says))


def _says(h: Handshake, step: Step) -> str:
    if step.from_client is None:
        return step.title
    who = "a device on the way" if "forged" in step.marks else words.side(step.from_client)
    if step.title.startswith("Alert"):
        return f"{who} gave up with an alert"
    if h.stage == Stage.REFUSED:
        return f"{who} refused the connection"
    if step.title.startswith(("RST", "FIN")):
        return f"{who} {'reset' if step.title.startswith('RST') else 'closed'} the connection"
    if step.kind == "plain":
        return f"{who} does not speak TLS here"
    if step.kind == "dialogue":
        return f"{who}'s answer: no TLS"
    return f"with this {who} ended it"


def _mark_forged(steps: list[Step]) -> None:
    """The frames that the evidence names and that close, or answer without TLS, were made on the way."""
    for step in steps:
        closes = step.kind == "plain" or step.title.startswith(_ENDS)
        if step.evidence and closes and "forged" not in step.marks:
            step.marks = (*step.marks, "forged")


def _first(steps: list[Step], test: Callable[[Step], bool]) -> Step | None:
    return next((step for step in steps if test(step)), None)


def _not_tls(h: Handshake, steps: list[Step]) -> Step | None:
    if h.stage not in (Stage.CLIENT_NOT_TLS, Stage.SERVER_NOT_TLS):
        return None
    client = h.stage == Stage.CLIENT_NOT_TLS
    return _first(steps, lambda step: step.kind == "plain" and step.from_client == client)


def _dialogue(h: Handshake, steps: list[Step]) -> Step | None:
    talk = h.dialogue
    if h.stage != Stage.DIALOGUE or talk is None or not talk.answer_frame or talk.state not in ("refused", "not-offered", "broken"):
        return None
    answers = [step for step in steps if step.kind == "dialogue" and step.frame == talk.answer_frame]
    return answers[-1] if answers else None


def _alert(h: Handshake, steps: list[Step]) -> Step | None:
    alert = h.closing_alert
    if alert is None:
        return None
    return _first(steps, lambda s: s.frame == alert.frame and s.from_client == alert.from_client and s.title.startswith("Alert"))


def _close(h: Handshake, steps: list[Step]) -> Step | None:
    frames = [frame for frame, _ in h.closing_evidence if frame is not None]
    return _first(steps, lambda step: step.frame in frames[:1] and step.title.startswith(("RST", "FIN")))


def _evidence(h: Handshake, steps: list[Step]) -> Step | None:
    """The last frame that the evidence names, unless it only shows what somebody said and got no answer to."""
    if h.aborted_by in ("unknown", "none") and h.stage in (Stage.SYN, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED, Stage.CONNECTED):
        return None
    named = [step for step in steps if step.evidence and step.from_client is not None]
    return named[-1] if named else None
