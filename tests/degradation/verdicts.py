"""What a damaged capture may say, held against what is known of the whole one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from analyzer.diagnosis import registry
from analyzer.model.handshake import Flow, Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

End = tuple[str, int]
Ends = frozenset[End]


class Verdict(NamedTuple):
    """The part of a verdict that must stand."""

    outcome: str
    cause: str | None
    confidence: str | None
    aborted_by: str


@dataclass(frozen=True)
class Truth:
    """What is known of one connection of a recording."""

    causes: frozenset[str | None]
    """Its cause by label and by the verdict over the whole recording, and their honest general forms."""
    outcome: str
    completed: bool
    """The handshake was completed, and nobody says that it failed after all."""


class Complaint(NamedTuple):
    """One thing that must not be."""

    kind: str
    """'exception', 'bug', 'certain', 'completed', 'changed'."""
    detail: str


def judge(capture: object, keylog: str | None = None) -> Run:
    """A whole run; its handshakes are in ``judged``."""
    run = Run([capture], Options(keylog=keylog))
    run.judged = list(run.handshakes())
    return run


def ends_of(flow: Flow) -> Ends:
    return frozenset({(flow.client_address, flow.client_port), (flow.server_address, flow.server_port)})


def verdict_of(handshake: Handshake) -> Verdict:
    finding = handshake.finding
    return Verdict(
        handshake.outcome, finding.cause if finding else None, finding.confidence if finding else None, handshake.aborted_by
    )  # fmt: skip


def label_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "expected.json").read_text())


@cache
def _generals() -> dict[str, frozenset[str]]:
    return {cause: frozenset(general) for cause, general in registry.more_specific().items()}


def truths_of(label: dict[str, object], whole: list[Handshake]) -> dict[Ends, Truth]:
    """What is known of each connection of a recording."""
    truths: dict[Ends, Truth] = {}
    for handshake in whole:
        causes = {handshake.finding.cause if handshake.finding else None}
        outcome = handshake.outcome
        if handshake.flow.stream == label["stream"]:
            causes |= {label["cause"], label["cause_without_keys"]}
            outcome = str(label["outcome"])
        for cause in list(causes):
            causes |= _generals().get(cause or "", frozenset())
        known = truths.get(ends_of(handshake.flow))
        completed = outcome == "completed" and causes == {None}
        if known is not None:
            causes, completed = causes | known.causes, completed and known.completed
        truths[ends_of(handshake.flow)] = Truth(frozenset(causes), outcome, completed)
    return truths


def complaints_about(truths: dict[Ends, Truth], run: Run) -> list[Complaint]:
    """Everything in the verdicts over a damaged recording that is surely wrong."""
    found = [Complaint("bug", f"{bug.rule}: {bug.traceback.splitlines()[-1]}") for bug in run.diagnosis.bugs]
    for handshake in run.judged:
        truth = truths.get(ends_of(handshake.flow))
        finding = handshake.finding
        cause = finding.cause if finding is not None else None
        if finding is not None and finding.confidence == "certain" and not cause.startswith("cap-"):
            if truth is None or cause not in truth.causes:
                found.append(Complaint("certain", f"{cause} ({handshake.stage}, {handshake.outcome}) is {_said(truth)}"))
        if truth is not None and truth.completed and handshake.outcome == "failed":
            found.append(Complaint("completed", f"now failed with {cause} {finding.confidence if finding else ''} at {handshake.stage}"))
    return found


def _said(truth: Truth | None) -> str:
    return "/".join(sorted(map(str, truth.causes))) + f" {truth.outcome}" if truth is not None else "no attempt at all"
