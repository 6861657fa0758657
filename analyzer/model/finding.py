"""A finding: what a rule says about a handshake."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from analyzer.model.record import Record
from analyzer.model.shown import Shown

__all__ = ["AbortedBy", "Confidence", "Evidence", "Finding", "Outcome"]

Confidence = Literal["certain", "likely", "possible"]
Outcome = Literal["completed", "failed", "no-handshake", "unfinished"]
AbortedBy = Literal["client", "server", "middlebox", "unknown", "none"]


class Evidence(NamedTuple):
    """One thing that shows it; ``frame`` is None for what no single frame shows."""

    frame: int | None
    says: str


@dataclass(slots=True, eq=False, repr=False)
class Finding(Record, Shown):
    """A rule's answer. ``cause`` is the rule's id and completes 'this handshake failed because of ...'."""

    cause: str
    confidence: Confidence
    summary: str
    evidence: list[Evidence] = field(default_factory=list)
    aborted_by: AbortedBy | None = None
    """None: leave what the closing events say."""
    outcome: Outcome | None = None
    """None: leave what the stage says. Benign causes say 'no-handshake', capture artefacts 'unfinished'."""
    remedy: str = ""
    """Empty: the rule's Remedy section."""
    confirm: list[str] = field(default_factory=list)
    """Empty: the rule's Confirm commands, filled in."""
    kind: str = "cause"
    """'cause', 'posture' or 'prevention'."""
    reset_class: str | None = None
