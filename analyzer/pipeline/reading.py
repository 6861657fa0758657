"""The first half of a run: captures in, handshakes that are over out.

    source -> decode -> tracker (flows, follower) -> Step

What a handshake means is not asked here: that needs its neighbours, and is the second half (``run``). The
halves meet in ``Step``, so the first can be done by one process or by several (``workers``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from analyzer.decode.decoder import Decoder
from analyzer.diagnosis import closing
from analyzer.diagnosis.settled import settled_by
from analyzer.errors import SourceError
from analyzer.flows import FlowTable
from analyzer.handshakes.herds import Herd
from analyzer.handshakes.segments import KeptSegments
from analyzer.handshakes.tracker import Tracker
from analyzer.model.batches import FrameBatch, IcmpError
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.options import Options
from analyzer.model.shown import Shown
from analyzer.sources import Source
from analyzer.tls.keylog import KeyLog

__all__ = ["Reading", "Span", "Step", "Totals", "open_keylog", "settled"]

_IDLE = 600.0  # seconds of capture time after which a flow in a file is taken to be over
_LINGER = 2.0  # ... after its FINs or RST
_PIPE_IDLE = 60.0
_PIPE_LINGER = 0.2
_MANY = 24_576  # flows held, closed ones too; with more (at 32,768 the table doubles), those closed for long are forgotten
_CLOSED_LONG = 30.0
_COMPLAINTS = 4  # bad lines of a key log that are named


@dataclass(slots=True)
class Totals(Shown):
    """What was seen. Grows while the run goes on."""

    frames: int = 0
    bytes: int = 0
    """Bytes of the frames on the wire."""
    segments: int = 0
    flows: int = 0
    handshakes: int = 0
    completed: int = 0
    failed: int = 0
    unfinished: int = 0
    no_handshake: int = 0
    first_seen: int = 0
    last_seen: int = 0
    seconds: float = 0.0
    counters: dict[str, int] = field(default_factory=dict)
    """Frames by what they were; what could not be decoded, by reason."""
    caps: dict[str, int] = field(default_factory=dict)
    """What was cut by a limit, by what."""

    def count(self, handshake: Handshake) -> None:
        """Take in one judged handshake."""
        self.handshakes += 1
        outcome = handshake.outcome
        if outcome == "completed":
            self.completed += 1
        elif outcome == "failed":
            self.failed += 1
        elif outcome == "unfinished":
            self.unfinished += 1
        else:
            self.no_handshake += 1

    def count_completed(self, number: int) -> None:
        """Take in so many completed handshakes."""
        self.handshakes += number
        self.completed += number


class Span(NamedTuple):
    """What a batch shows of one capture."""

    capture: int
    first_seen: int
    last_seen: int
    in_order: bool
    """No frame is earlier than the one before it."""
    longest_segment: int


@dataclass(slots=True, eq=False, repr=False)
class Step:
    """What a batch of frames brought, or the end of them."""

    reading: bool
    """There are frames to come. Without, it is some thousand of the flows that were open at the end."""
    spans: list[Span] = field(default_factory=list)
    errors: list[tuple[int, IcmpError]] = field(default_factory=list)
    """ICMP errors, by capture."""
    ended: list[Handshake] = field(default_factory=list)
    """Handshakes that are over, settled."""
    evicted: list[Handshake] = field(default_factory=list)
    """... because there was no room for their flows."""
    herds: list[Herd] = field(default_factory=list)
    """Completed ones that are alike, over or evicted, where nobody asks for each of them (``Options.completed``)."""


class Reading:
    """Iterate ``steps()`` once. ``share`` (k, n): the k-th of n readings of the same source, see ``Tracker``."""

    def __init__(self, source: Source, options: Options, keylog: KeyLog | None, share: tuple[int, int] | None = None) -> None:
        self.source, self.options, self.keylog = source, options, keylog
        self.streaming = options.live or source.size is None
        self.decoder = Decoder(options.limits)
        settled_by = None if options.completed == "handshakes" else partial(_settled_by, with_notes=options.completed == "rows")
        self.tracker = Tracker(options, keylog, share, settled_by)
        self.totals = Totals()
        """Without what ``Totals.count`` counts."""
        self._secrets_taken = 0

    @property
    def table(self) -> FlowTable:
        """Every flow that is remembered."""
        return self.tracker.table

    @property
    def warnings(self) -> list[str]:
        """One plain line each: what of the captures and key logs was cut or not understood."""
        lines = list(self.source.warnings)
        if self.keylog is not None:
            lines += [f"{c.source}, line {c.line}: {c.says}" for c in self.keylog.complaints[:_COMPLAINTS]]
            if self.keylog.bad_lines > _COMPLAINTS:
                lines.append(f"key log: {self.keylog.bad_lines} lines that are none")
        return lines

    def steps(self) -> Iterator[Step]:
        """A step a batch, then the flows that are left in the order of their first packets."""
        idle, linger = (_PIPE_IDLE, _PIPE_LINGER) if self.streaming else (_IDLE, _LINGER)
        for batch in self.source:
            step = self._take(batch)
            step.ended = settled(self.tracker.ended(idle=idle, linger=linger))
            self._add_herd(step)
            step.evicted = self._make_room(step)
            yield step
        yield Step(False)
        for part in self.tracker.finish_in_parts():
            step = Step(False, ended=settled(part))
            self._add_herd(step)
            yield step

    def close(self) -> None:
        """Let go of the captures."""
        self.source.close()

    # ------------------------------------------------------------------

    def _take(self, batch: FrameBatch) -> Step:
        step, totals = Step(True), self.totals
        if self.source.secrets:
            self._take_secrets()
        n = len(batch)
        totals.frames += n
        if n:
            totals.bytes += int(batch.original_length.sum())
            first, last = int(batch.timestamp[0]), int(batch.timestamp.max())
            totals.first_seen = min(totals.first_seen or first, first)
            totals.last_seen = max(totals.last_seen, last)
        for part in _split_captures(batch):
            segments = self.decoder.decode(part)
            if len(part):
                times = part.timestamp
                in_order = bool((times[1:] >= times[:-1]).all())
                longest = int(segments.wire_length.max(initial=0))
                step.spans.append(Span(part.capture, int(times[0]), int(times.max()), in_order, longest))
            self.tracker.take(segments)
            step.errors += [(part.capture, error) for error in segments.icmp]
            totals.segments += len(segments)
        totals.flows = self.tracker.table.count
        totals.counters = self.decoder.counters
        totals.caps = self.tracker.caps
        return step

    def _take_secrets(self) -> None:
        """Key logs inside the capture are used without asking."""
        if self.keylog is None:
            self.keylog = self.tracker.keylog = KeyLog()
        for text in self.source.secrets[self._secrets_taken :]:
            self.keylog.feed(text, "secrets in the capture")
            self.keylog.end("secrets in the capture")
        self._secrets_taken = len(self.source.secrets)

    def _add_herd(self, step: Step) -> None:
        if self.tracker.herd is not None:
            step.herds.append(self.tracker.herd)

    def _make_room(self, step: Step) -> list[Handshake]:
        """Beyond the limit of flows the longest idle go."""
        table = self.tracker.table
        if not self.options.keeps_flows and len(table) > _MANY:
            self.tracker.forget_gone(_CLOSED_LONG, closed=True)
        if len(table) <= table.limit:
            return []
        rows = table.choose_idle(len(table) - table.limit + table.limit // 10)
        handshakes = settled(self.tracker.take_out(rows[table["state"][rows] != 3]))
        self._add_herd(step)
        self.tracker.forget(rows)
        table.evicted += len(rows)
        self.totals.caps["flows forgotten because too many were open"] = table.evicted
        return handshakes


def _settled_by(handshake: Handshake, *, with_notes: bool) -> int | None:
    closing.settle(handshake)
    return settled_by(handshake, with_notes=with_notes)


def settled(handshakes: list[Handshake]) -> list[Handshake]:
    """The same, with it said how each ended, as far as it shows by itself. Segments are let go where nobody will ask for them."""
    for handshake in handshakes:
        closing.settle(handshake)
        if handshake.outcome == "completed" and not closing.left_at_once(handshake):
            handshake.read_segments = None
        elif handshake.stage == Stage.ESTABLISHED and isinstance(handshake.read_segments, KeptSegments):
            handshake.read_segments = handshake.read_segments.copies()  # as of the other stages, when they were assembled
    return handshakes


def open_keylog(path: str | None) -> KeyLog | None:
    """The key log of this name. Raises SourceError."""
    if path is None:
        return None
    keylog = KeyLog()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                keylog.feed(chunk)
            keylog.end()
    except OSError as error:
        raise SourceError(f"cannot read the key log {path}: {error.strerror}") from error
    return keylog


def _split_captures(batch: FrameBatch) -> list[FrameBatch]:
    """One batch a capture: where captures overlap in time the source merges them frame by frame."""
    if batch.captures is None:
        return [batch]
    parts = []
    for capture in np.unique(batch.captures).tolist():
        at = np.flatnonzero(batch.captures == capture)
        parts.append(
            FrameBatch(
                batch.data, batch.offset[at], batch.captured_length[at], batch.original_length[at], batch.timestamp[at],
                batch.number[at], batch.link_type[at], batch.interface[at], int(capture),
            )
        )  # fmt: skip
    return parts
