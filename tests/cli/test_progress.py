from __future__ import annotations

import io
import time

import pytest

from analyzer.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, total: int | None, stops: list[int], wanted: bool = True) -> str:
    """What the bar writes while so many bytes were done, one after the other."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    monkeypatch.setattr(progress, "_STEP", 0.005)
    done = stops[0]
    with progress.Progress(lambda: done, total, wanted):
        for done in stops:  # noqa: B007 - the bar looks at it
            before, deadline = len(terminal.getvalue()), time.monotonic() + 5
            while wanted and len(terminal.getvalue()) < before + 200 and time.monotonic() < deadline:
                time.sleep(0.005)
    return terminal.getvalue()


def test_it_says_what_is_done_while_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, 1_000, [100, 1_000])
    assert text.index("reading") < text.index("judging")
    assert "judging" not in shown(monkeypatch, None, [100, 1_000])


def test_it_stays_away_where_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, 1_000, [100], wanted=False) == ""
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with progress.Progress(lambda: 100, 1_000):
        time.sleep(0.05)
    assert pipe.getvalue() == ""
