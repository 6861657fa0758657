"""The live view: failures scroll up as they happen, below them a few lines that are written anew twice a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from analyzer.cli.tally import Tally, loss_words, seconds_words
from analyzer.diagnosis.words import count_text

if TYPE_CHECKING:
    from analyzer.pipeline.live import LiveRun

__all__ = ["View"]

_REFRESH = 0.5
_CAUSES = 5


class View:
    """Draws on standard output, a terminal. Nothing flickers: only what changed is drawn, and never faster than twice a second."""

    def __init__(self, run: LiveRun, tally: Tally, interface: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._run, self._tally, self._interface = run, tally, interface
        self._console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._began = self._drawn = time.monotonic()
        self._last: tuple[float, int, int] = (self._began, 0, 0)
        self._live = Live(
            self._draw(), console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )  # fmt: skip
        with self._console.capture():  # loads what drawing needs while it may be read
            self.show("00:00:00  -")
            self._console.print(self._draw())

    def start(self) -> None:
        """Begin to draw."""
        self._live.start(refresh=True)

    def show(self, line: str) -> None:
        """A failure: above the view, and there to stay."""
        from rich.text import Text

        moment, _, rest = line.partition("  ")
        text = Text(moment, "dim").append("  ").append(rest)
        self._console.print(text, no_wrap=True, overflow="ellipsis", crop=True)

    def update(self) -> None:
        """Draw anew when it is time."""
        now = time.monotonic()
        if now - self._drawn >= _REFRESH:
            self._drawn = now
            self._live.update(self._draw(), refresh=True)

    def stop(self) -> None:
        """Take the view away; what scrolled up stays."""
        self._live.stop()

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.rule import Rule
        from rich.text import Text

        run, totals = self._run, self._run.totals
        now = time.monotonic()
        then, frames, size = self._last
        past = max(now - then, 0.001)
        rate, speed = (totals.frames - frames) / past, (totals.bytes - size) * 8 / past / 1e6
        self._last = now, totals.frames, totals.bytes
        state = " (waiting for it)" if run.live.waiting else ""
        lost = run.drops + run.evicted + run.unlisted
        lines: list[Any] = [
            Rule(f"{self._interface}{state}   {seconds_words(now - self._began)}", style="dim", align="left"),
            Text(f"{rate:>10,.0f} frames/s  {speed:,.1f} Mbit/s   {run.tracked:,} connections tracked"),
            Text.assemble(
                f"{totals.handshakes:>10,} handshakes: {totals.completed:,} completed, ",
                (f"{totals.failed:,} failed", "bold red" if totals.failed else ""),
                f", {totals.unfinished:,} unfinished, {totals.no_handshake:,} without one",
            ),
            Text(f"{'':>11}{loss_words(run)}", "yellow" if lost else "dim"),
        ]
        for outcome, cause, count, servers in self._tally.top(_CAUSES):
            style = "red" if outcome == "failed" else "dim"
            lines.append(Text.assemble((f"{count:>10,} {cause}", style), (f"  {count_text(servers, 'server')}", "dim")))
        for line in lines[1:]:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)
