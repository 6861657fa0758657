"""One run: captures in, judged handshakes out.

    source -> decode -> tracker (flows, follower) -> diagnosis -> the caller

Small runs are judged at the end, when every neighbour is known, and come in the order of their first
packets. A run that grows past ``BUFFERED`` handshakes, and a pipe, hands on what has ended: what completed at
once, what failed (files only) when the end is known.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analyzer.decode.decoder import Decoder
from analyzer.diagnosis.closing import left_at_once
from analyzer.diagnosis.engine import Diagnosis
from analyzer.errors import SourceError
from analyzer.handshakes.facts import read_flows
from analyzer.handshakes.tracker import Tracker
from analyzer.model.batches import FrameBatch
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.model.shown import Shown
from analyzer.sources import Source, open_source
from analyzer.tables.rows import Row, flow_row

__all__ = ["BUFFERED", "Run", "Totals"]

BUFFERED = 2_048
"""Handshakes held back so that all can be judged with all their neighbours known."""

_FAILURES = 4_096  # those held back to the end even then

_IDLE = 600.0  # seconds of capture time after which a flow in a file is taken to be over
_LINGER = 2.0  # ... after its FINs or RST
_PIPE_IDLE = 60.0
_PIPE_LINGER = 0.2
_MANY = 32_768  # flows held, closed ones too; with more, those closed for long are forgotten when nobody asks for flows
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


class Run:
    """A run over captures. Iterate ``handshakes()`` once; the rest is complete afterwards."""

    def __init__(self, captures: Sequence[Any] | Any, options: Options | None = None) -> None:
        self.options = options or Options()
        self.keylog = _open_keylog(self.options.keylog)
        self.source: Source = open_source(captures, reader=self.options.reader, inflate_ratio=self.options.limits.inflate_ratio)
        self.decoder = Decoder(self.options.limits)
        self.tracker = Tracker(self.options, self.keylog)
        self.diagnosis = Diagnosis(self.options)
        self.totals = Totals()
        self._secrets_taken = 0
        self._pending: list[Handshake] = []
        self._overflowed = False

    @property
    def captures(self) -> list[str]:
        """Names of the captures, as ``Flow.capture`` indexes them."""
        return self.source.captures

    @property
    def warnings(self) -> list[str]:
        """One plain line each: what was cut, capped or not understood."""
        lines = list(self.source.warnings)
        if self.keylog is not None:
            lines += [f"{c.source}, line {c.line}: {c.says}" for c in self.keylog.complaints[:_COMPLAINTS]]
            if self.keylog.bad_lines > _COMPLAINTS:
                lines.append(f"key log: {self.keylog.bad_lines} lines that are none")
        lines += [f"{count} x {what}" for what, count in sorted(self.totals.caps.items())]
        if self.diagnosis.bug_count:
            bug = self.diagnosis.bugs[0]
            lines.append(
                f"{self.diagnosis.bug_count} time(s) a rule of ours crashed, first {bug.rule} on stream {bug.stream}: please report it"
            )
        return lines

    def prevention(self) -> list[Finding]:
        """What will fail next, worst first."""
        return self.diagnosis.prevention()

    def handshakes(self) -> Iterator[Handshake]:
        """Every handshake attempt, judged."""
        started = time.monotonic()
        streaming = self.source.size is None or self.options.live
        try:
            for batch in self.source:
                self._take(batch)
                if streaming:
                    yield from self._judged(self._learn(self.tracker.ended(idle=_PIPE_IDLE, linger=_PIPE_LINGER)))
                    self._make_room()
                else:
                    self._pending += self._learn(self.tracker.ended(idle=_IDLE, linger=_LINGER))
                    yield from self._overflow()
                    self._make_room()
                self.totals.seconds = time.monotonic() - started
            self._note_end()
            for part in self.tracker.finish_in_parts():
                self._pending += self._learn(part)
                if not streaming and self._overflowed:
                    yield from self._overflow()
            self._pending.sort(key=lambda h: h.flow.number)
            pending = deque(self._pending)
            self._pending = []
            while pending:
                yield from self._judged([pending.popleft()])
        finally:
            self.source.close()
            self.totals.seconds = time.monotonic() - started

    def flow_rows(self, tls: set[int]) -> Iterator[Row]:
        """Rows of the ``flows`` table; ``tls`` holds the numbers of those that carried TLS."""
        table = self.tracker.table
        rows = table.held()
        rows = rows[np.argsort(table["number"][rows], kind="stable")]
        for begin in range(0, len(rows), 10_000):
            for flow in read_flows(table, rows[begin : begin + 10_000]):
                yield flow_row(flow, self.captures, "tls" if flow.number in tls else "tcp")

    # ------------------------------------------------------------------

    def _take(self, batch: FrameBatch) -> None:
        totals = self.totals
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
                self.diagnosis.context.note_capture(
                    part.capture,
                    first_seen=int(times[0]),
                    last_seen=int(times.max()),
                    in_order=bool((times[1:] >= times[:-1]).all()),
                    longest_segment=int(segments.wire_length.max(initial=0)),
                )
            self.tracker.take(segments)
            for error in segments.icmp:
                self.diagnosis.context.note_icmp(part.capture, error)
            totals.segments += len(segments)
        totals.flows = self.tracker.table.count
        totals.counters = self.decoder.counters
        totals.caps = self.tracker.caps

    def _take_secrets(self) -> None:
        """Key logs inside the capture are used without asking."""
        if self.keylog is None:
            from analyzer.tls.keylog import KeyLog

            self.keylog = self.tracker.keylog = KeyLog()
        for text in self.source.secrets[self._secrets_taken :]:
            self.keylog.feed(text, "secrets in the capture")
            self.keylog.end("secrets in the capture")
        self._secrets_taken = len(self.source.secrets)

    def _note_end(self) -> None:
        for capture in range(len(self.source.captures)):
            self.diagnosis.context.note_capture(capture, drops=self.source.drops or 0)

    def _learn(self, handshakes: list[Handshake]) -> list[Handshake]:
        for handshake in handshakes:
            self.diagnosis.learn(handshake)
            if handshake.outcome == "completed" and not left_at_once(handshake):
                handshake.read_segments = None  # nobody will ask for them
        return handshakes

    def _judged(self, handshakes: list[Handshake]) -> Iterator[Handshake]:
        for handshake in handshakes:
            self.diagnosis.judge(handshake)
            self.totals.count(handshake)
            yield handshake

    def _overflow(self) -> Iterator[Handshake]:
        """Hand on what need not wait for its neighbours; past a second limit, everything."""
        if len(self._pending) <= BUFFERED:
            return
        self._overflowed = True
        done: list[Handshake] = []
        kept: list[Handshake] = []
        for h in self._pending:
            # of the completed only those whose client left at once may turn out to have failed, and neighbours can tell
            (done if h.outcome == "completed" and not left_at_once(h) else kept).append(h)
        if len(kept) > _FAILURES:
            done, kept = self._pending, []
        self._pending = kept
        yield from self._judged(done)

    def _make_room(self) -> None:
        """Beyond the limit of flows the longest idle go."""
        table = self.tracker.table
        if not self.options.keeps_flows and len(table) > _MANY:
            self.tracker.forget_gone(_CLOSED_LONG, closed=True)
        if len(table) <= table.limit:
            return
        rows = table.choose_idle(len(table) - table.limit + table.limit // 10)
        self._pending += self._learn(self.tracker.take_out(rows[self.tracker.table["state"][rows] != 3]))
        self.tracker.forget(rows)
        table.evicted += len(rows)
        self.totals.caps["flows forgotten because too many were open"] = table.evicted


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


def _open_keylog(path: str | None) -> Any:
    if path is None:
        return None
    from analyzer.tls.keylog import KeyLog

    keylog = KeyLog()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                keylog.feed(chunk)
            keylog.end()
    except OSError as error:
        raise SourceError(f"cannot read the key log {path}: {error.strerror}") from error
    return keylog
