"""Whatever our reading of one connection does wrong costs that connection only, and is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, capture_of

from analyzer.handshakes import tracker
from analyzer.handshakes.connection import Connection
from analyzer.pipeline.run import Run

NAMES = available("cert-expired--go-nginx-tls12", "completed--openssl-openssl-tls12", "completed--java-java-tls13")


@pytest.fixture(autouse=True)
def _shielded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker.Tracker, "shields", True)


def outcomes(run: Run) -> list[tuple[str, int]]:
    return [(h.outcome, h.flow.capture) for h in run.handshakes()]


def run_over_all() -> Run:
    return Run([str(capture_of(name)) for name in NAMES])


def test_a_crash_at_the_end_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = outcomes(run_over_all())
    assemble = tracker.assemble

    def crash(flow, *others):
        if flow.capture == 1:
            raise IndexError("a bug")
        return assemble(flow, *others)

    monkeypatch.setattr(tracker, "assemble", crash)
    run = run_over_all()
    assert outcomes(run) == [(outcome, capture) for outcome, capture in whole if capture != 1]
    assert any("1 x connection(s) given up because our reading crashed, first stream 0, IndexError in" in line for line in run.warnings)


def test_a_crash_in_the_middle_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_):
        raise KeyError("a bug")

    monkeypatch.setattr(tracker, "find_whole", lambda columns, rows, *_: [None] * len(rows))
    monkeypatch.setattr(Connection, "burst", crash)
    monkeypatch.setattr(Connection, "segment", crash)
    run = run_over_all()
    assert outcomes(run) == []
    assert [line for line in run.warnings if "KeyError" in line]
