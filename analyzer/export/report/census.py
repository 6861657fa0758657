"""Counts over a run: outcomes, causes, versions, suites, groups, and how many when. Bounded however long the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from analyzer import registries
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ServerHello

__all__ = ["OUTCOMES", "STEPS", "Bar", "CauseCount", "Census"]

OUTCOMES = ("completed", "failed", "unfinished", "no-handshake")

_BUCKETS = 4_096
_ENDS = 10_000  # servers and clients told apart for one cause
_VALUES = 2_000
_SECOND = 1_000_000_000
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Lengths of a bar, and steps of a scale, that people read easily, seconds; beyond them whole days."""


class Bar(NamedTuple):
    """One bar of the timeline: ``begin`` ns since the epoch, ``seconds`` wide, attempts by outcome in the order of OUTCOMES."""

    begin: int
    seconds: int
    counts: tuple[int, int, int, int]


@dataclass(slots=True)
class CauseCount:
    """One cause: how often, and where."""

    cause: str
    outcome: str
    count: int = 0
    servers: set[tuple[str, int]] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    first_seen: int = 0
    last_seen: int = 0


class Census:
    """Counts of judged handshakes: ``add`` each, or ``Census(handshakes)``; then read."""

    def __init__(self, handshakes: Iterable[Handshake] = ()) -> None:
        self.outcomes: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        """Versions that servers chose."""
        self.cipher_suites: Counter[str] = Counter()
        self.named_groups: Counter[str] = Counter()
        self.first_seen = self.last_seen = 0
        self._causes: dict[tuple[str, str], CauseCount] = {}
        self._buckets: dict[int, list[int]] = {}
        self._seconds = 1
        for handshake in handshakes:
            self.add(handshake)

    def __len__(self) -> int:
        return self.outcomes.total()

    def add(self, h: Handshake) -> None:
        """Count one judged handshake."""
        began = h.flow.first_seen
        self.outcomes[h.outcome] += 1
        self.first_seen = min(self.first_seen or began, began)
        self.last_seen = max(self.last_seen, h.flow.last_seen)
        self._note_time(began, h.outcome)
        if h.server_hello is not None:
            self._note_answer(h.server_hello)
        if h.named_group is not None:
            _note(self.named_groups, registries.name_of_named_group(h.named_group))
        if h.outcome != "completed":
            self._note_cause(h)

    def causes(self, *outcomes: str) -> list[CauseCount]:
        """Causes of handshakes with these outcomes ('failed' when none is named), the most frequent first."""
        wanted = outcomes or ("failed",)
        chosen = [entry for entry in self._causes.values() if entry.outcome in wanted]
        return sorted(chosen, key=lambda entry: (-entry.count, entry.cause))

    def timeline(self, most: int = 60) -> list[Bar]:
        """Attempts over time in at most ``most`` bars of equal width, empty ones too."""
        if not self._buckets:
            return []
        first, last = min(self._buckets) * self._seconds, (max(self._buckets) + 1) * self._seconds
        width = next((step for step in STEPS if step >= self._seconds and last // step - first // step < most), 0)
        if not width:
            days = -(-(last - first) // (86_400 * (most - 1)))
            width = 86_400 * days
        bars: dict[int, list[int]] = {at: [0, 0, 0, 0] for at in range(first // width, (last - 1) // width + 1)}
        for bucket, counts in self._buckets.items():
            bar = bars[bucket * self._seconds // width]
            for place, count in enumerate(counts):
                bar[place] += count
        return [Bar(at * width * _SECOND, width, (c[0], c[1], c[2], c[3])) for at, c in bars.items()]

    def _note_answer(self, hello: ServerHello) -> None:
        """A hello that could not be read to its end has version 0 or suite -1."""
        if hello.selected_version > 0:
            _note(self.versions, registries.name_of_version(hello.selected_version))
        if hello.cipher_suite >= 0:
            _note(self.cipher_suites, registries.name_of_cipher_suite(hello.cipher_suite))

    def _note_time(self, began: int, outcome: str) -> None:
        bucket = began // _SECOND // self._seconds
        counts = self._buckets.get(bucket)
        if counts is None:
            while len(self._buckets) >= _BUCKETS:
                self._widen()
            counts = self._buckets.setdefault(began // _SECOND // self._seconds, [0, 0, 0, 0])
        counts[OUTCOMES.index(outcome)] += 1

    def _widen(self) -> None:
        self._seconds *= 2
        wider: dict[int, list[int]] = {}
        for bucket, counts in self._buckets.items():
            into = wider.setdefault(bucket // 2, [0, 0, 0, 0])
            for place, count in enumerate(counts):
                into[place] += count
        self._buckets = wider

    def _note_cause(self, h: Handshake) -> None:
        flow = h.flow
        cause = h.finding.cause if h.finding is not None else "unknown"
        entry = self._causes.get((h.outcome, cause))
        if entry is None:
            entry = self._causes[h.outcome, cause] = CauseCount(cause, h.outcome, first_seen=flow.first_seen)
        entry.count += 1
        entry.first_seen = min(entry.first_seen, flow.first_seen)
        entry.last_seen = max(entry.last_seen, flow.first_seen)
        if len(entry.servers) < _ENDS:
            entry.servers.add((flow.server_address, flow.server_port))
        if len(entry.clients) < _ENDS:
            entry.clients.add(flow.client_address)


def _note(counter: Counter[str], value: str) -> None:
    if value in counter or len(counter) < _VALUES:
        counter[value] += 1
