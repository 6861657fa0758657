"""What a live run has shown so far, in bounded memory: counts by cause, the latest failures, and their lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from analyzer.cli.style import cut, lay_out
from analyzer.cli.summary import server_of
from analyzer.diagnosis.words import count_text
from analyzer.export.values import iso_time

if TYPE_CHECKING:
    from analyzer.model.handshake import Handshake
    from analyzer.pipeline.live import LiveRun

__all__ = ["Tally", "failure_line", "loss_words", "seconds_words"]

_LATEST = 50
_SERVERS = 1_000


class Tally:
    """Counts of the handshakes that the filters let through."""

    def __init__(self, *, filtered: bool = False) -> None:
        self._filtered, self._shown = filtered, 0
        self.latest: deque[str] = deque(maxlen=_LATEST)
        self.causes: dict[tuple[str, str], int] = {}
        self.servers: dict[tuple[str, str], set[str]] = {}

    def add(self, handshake: Handshake) -> str | None:
        """Count one; its line when it failed."""
        self._shown += 1
        if handshake.outcome == "completed":
            return None
        key = handshake.outcome, handshake.finding.cause if handshake.finding is not None else "unknown"
        self.causes[key] = self.causes.get(key, 0) + 1
        servers = self.servers.setdefault(key, set())
        if len(servers) < _SERVERS:
            servers.add(server_of(handshake))
        if handshake.outcome != "failed":
            return None
        line = failure_line(handshake)
        self.latest.append(line)
        return line

    def top(self, most: int) -> list[tuple[str, str, int, int]]:
        """(outcome, cause, handshakes, servers): what failed first, the most frequent first."""
        ordered = sorted(self.causes.items(), key=lambda item: (item[0][0] != "failed", -item[1], item[0]))
        return [(outcome, cause, count, len(self.servers[outcome, cause])) for (outcome, cause), count in ordered[:most]]

    def lines(self, run: LiveRun, interface: str) -> Iterator[str]:
        """The end of a run, for people."""
        totals = run.totals
        yield (
            f"{cut(interface, 40)}: {count_text(totals.handshakes, 'handshake')} in {seconds_words(totals.seconds)}: "
            f"{totals.completed:,} completed, {totals.failed:,} failed, {totals.unfinished:,} unfinished, "
            f"{totals.no_handshake:,} without a handshake"
        )
        yield f"{count_text(totals.frames, 'frame')}, {count_text(totals.flows, 'connection')}; {loss_words(run)}"
        if self._filtered:
            yield f"Shown: {self._shown:,} of {totals.handshakes:,}."
        top = self.top(20)
        if top:
            yield ""
            rows = [["count", "cause", "outcome", "servers"]]
            rows += [[f"{count:,}", cause, outcome, f"{servers:,}"] for outcome, cause, count, servers in top]
            yield from lay_out(rows, right=frozenset({0, 3}))


def failure_line(handshake: Handshake) -> str:
    """One line for a handshake that has failed: when, for which server, why."""
    finding, flow = handshake.finding, handshake.flow
    moment = iso_time(flow.last_seen)[11:19]
    cause = finding.cause if finding is not None else "unknown"
    confidence = f" ({finding.confidence})" if finding is not None and finding.confidence != "certain" else ""
    gave_up = "" if handshake.aborted_by in ("none", "unknown") else f", {handshake.aborted_by} gave up"
    return f"{moment}  {server_of(handshake)}  {cause}{confidence}{gave_up}  from {cut(flow.client_address, 45)}"


def loss_words(run: LiveRun) -> str:
    """What this machine missed, or that it missed nothing."""
    parts = []
    if run.live.drops is None:
        parts.append("lost frames are not told on this system")
    elif run.drops:
        parts.append(f"{count_text(run.drops, 'frame')} lost (the ring was full {count_text(run.live.freezes, 'time')})")
    else:
        parts.append("no frame lost")
    if run.evicted:
        parts.append(f"{count_text(run.evicted, 'connection')} forgotten")
    if run.unlisted:
        parts.append(f"{count_text(run.unlisted, 'connection')} without a byte not listed")
    if run.copies:
        parts.append(f"{count_text(run.copies, 'copy', 'copies')} left out")
    return ", ".join(parts)


def seconds_words(seconds: float) -> str:
    """``5.2 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"
