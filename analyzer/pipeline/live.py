"""A run that does not end: an interface in, judged handshakes out while they happen.

The parts are those of ``run``; what is different is time. Clocks go on when nothing comes, a handshake
is handed on when it is over and not when the capture is, and every table has a size: floods cost their
vector work and are counted, not listed.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from analyzer.diagnosis.context import CaptureFacts
from analyzer.diagnosis.engine import Diagnosis
from analyzer.errors import UsageError
from analyzer.flows import FlowState
from analyzer.model.batches import FrameBatch, SegmentBatch
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake
from analyzer.model.options import Limits, Options
from analyzer.pipeline.copies import Copies
from analyzer.pipeline.followed_keylog import FollowedKeyLog
from analyzer.pipeline.reading import Reading, settled
from analyzer.pipeline.run import Run
from analyzer.sources.live import ANY, LiveSource

__all__ = ["LIVE_FLOWS", "LiveRun", "Taken", "check_end"]

LIVE_FLOWS = 131_072
"""Connections tracked at once: 1,000 new ones a second may last two minutes each, in 100 MB."""

_SECOND = 1_000_000_000
_SWEEP = 0.15  # seconds between looks for handshakes that are over
_LINGER = 0.25  # seconds after the end of a connection, or an alert, in which its last segments come
_SETTLE = 3.0  # seconds after which a handshake that went on to application data is handed on
_BEHIND = 150_000_000  # ns: what the kernel holds back for a fuller block, and more
_LISTED = 200  # connections without a byte that get a row each, per second
_SAVED = 2_000  # ... when there were none for a while
_PATIENCE = 0.05  # seconds of judging between two looks at the ring
_BACKLOG = 2_000  # handshakes that may wait to be judged
_SERVERS = 65_536  # addresses and ports where TLS was seen
_STEP_BACK = 5 * _SECOND


@dataclass(slots=True)
class Taken:
    """A batch on its way through: for those who keep frames."""

    frames: FrameBatch
    segments: SegmentBatch


def check_end(options: Options) -> None:
    """Raise UsageError when ``until`` has passed: nothing would be watched."""
    if options.until is not None and options.until <= time.time_ns():
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise UsageError(f"'until' has passed, nothing is left to watch: it is {now} (times are UTC unless they say so)")


class LiveRun(Run):
    """Iterate ``steps()``: after each look at the interface what is new. ``stop()`` makes it finish what is open and end."""

    def __init__(self, source: LiveSource, options: Options | None = None) -> None:
        chosen = options or Options()
        if chosen.limits == Limits():
            chosen = replace(chosen, limits=Limits(flows=LIVE_FLOWS))
        self.options = replace(chosen, live=True)
        self.live = source
        self._log = FollowedKeyLog(chosen.keylog) if chosen.keylog is not None else None
        self.reading = Reading(source, self.options, self._log.keylog if self._log is not None else None)  # type: ignore[arg-type]  # a live source is no file
        self.source = self.reading.source
        self.decoder, self.tracker, self.totals = self.reading.decoder, self.reading.tracker, self.reading.totals
        self.diagnosis = Diagnosis(self.options)
        self._facts = self.diagnosis.context.captures.setdefault(0, CaptureFacts())
        self.taken: Callable[[Taken], None] | None = None
        """Called with every batch once its segments have their flows: keeps frames."""
        self.evicted = 0
        """Flows forgotten because too many were open."""
        self.unlisted = 0
        """Connections without a byte that got no row because there were too many."""
        self._copies = Copies() if source.interface == ANY else None
        self._pending: list[Handshake] = []
        self._waiting: deque[Handshake] = deque()
        self._allowance = float(_SAVED)
        self._swept = 0.0
        self._losses: deque[tuple[int, int]] = deque(maxlen=4096)

    @property
    def drops(self) -> int:
        """Frames that the kernel had no room for."""
        return self.live.drops or 0

    @property
    def tracked(self) -> int:
        """Flows tracked now."""
        return len(self.tracker.table)

    @property
    def copies(self) -> int:
        """Segments left out because another interface had shown them."""
        return self._copies.left_out if self._copies is not None else 0

    def stop(self) -> None:
        """End after the batch in hand. Safe in a signal handler."""
        self.live.stop()

    def handshakes(self) -> Iterator[Handshake]:
        """Every handshake attempt, judged, when it is over."""
        for judged in self.steps():
            yield from judged

    def steps(self) -> Iterator[list[Handshake]]:
        """After each batch (10 a second when nothing comes): the handshakes that have ended. ``options.until`` is the end.

        Raises SourceError when the interface goes.
        """
        started = time.monotonic()
        until = self.options.until
        try:
            try:
                for batch in self.live:
                    yield self._step(batch)
                    self.totals.seconds = time.monotonic() - started
                    if until is not None and time.time_ns() >= until + _BEHIND:  # the last frames before that moment have come
                        self.stop()
            finally:
                # what is open is told, also when the interface went away
                self._look_for_losses()
                self._pending += self._learn(self.tracker.finish())
            yield self._hand_on(float("inf"))
        finally:
            self.live.close()
            self.totals.seconds = time.monotonic() - started

    def rest(self) -> list[Handshake]:
        """What was open when the interface went away."""
        return self._hand_on(float("inf"))

    # ------------------------------------------------------------------

    def _step(self, batch: FrameBatch) -> list[Handshake]:
        if self._log is not None:
            self._log.read_on()
        if len(batch):
            newest = int(batch.timestamp.max())
            if newest < self.tracker.now - _STEP_BACK:
                self.tracker.now = newest  # somebody set the clock
            self._take(batch)
        now = time.monotonic()
        if now - self._swept >= _SWEEP:
            self._sweep(now)
        return self._hand_on() if self._pending or self._waiting else []

    def _hand_on(self, patience: float = _PATIENCE) -> list[Handshake]:
        """Judge what has ended, for a while: frames must not wait for long. The rest comes after the next batch."""
        done: list[Handshake] = []
        until = time.monotonic() + patience
        pending = self._waiting
        pending.extend(self._pending)
        self._pending = []
        while pending and (time.monotonic() < until or len(pending) > _BACKLOG):
            handshake = pending.popleft()
            lost = self._lost_during(handshake)
            self._facts.drops = lost
            self.diagnosis.judge(handshake)
            self._note_losses(handshake, lost)
            self.totals.count(handshake)
            done.append(handshake)
        if not pending:
            self.diagnosis.context.let_go()
        return done

    def warm_up(self) -> None:
        """Read now what the first failure would need: trust store, pages of the causes. Then no frame waits for it."""
        from analyzer.diagnosis import registry

        assert self.diagnosis.context.chains.store.available in (True, False)
        for cause in registry.load_rules():
            with contextlib.suppress(UsageError, ValueError):
                registry.read_page(cause)

    def _learn(self, handshakes: list[Handshake]) -> list[Handshake]:
        return super()._learn(settled(handshakes))

    def _take(self, batch: FrameBatch) -> None:
        totals = self.totals
        n = len(batch)
        totals.frames += n
        totals.bytes += int(batch.original_length.sum())
        totals.first_seen = totals.first_seen or int(batch.timestamp[0])
        totals.last_seen = max(totals.last_seen, int(batch.timestamp.max()))
        segments = self.decoder.decode(batch)
        if self._copies is not None:
            segments = self._copies.leave_out(segments)
        self.tracker.take(segments)
        for error in segments.icmp:
            self.diagnosis.context.note_icmp(0, error)
        totals.segments += len(segments)
        totals.flows = self.tracker.table.count
        totals.counters = self.decoder.counters
        totals.caps = self.tracker.caps
        if self.taken is not None:
            self.taken(Taken(batch, segments))
        if len(self.tracker.table) > self.tracker.table.limit:
            self._make_room()

    def _sweep(self, now: float) -> None:
        """Take out what is over, forget what is past."""
        self._allowance = min(_SAVED, self._allowance + (now - self._swept) * _LISTED)
        self._swept = now
        self._look_for_losses()
        tracker = self.tracker
        clock = time.time_ns() - _BEHIND
        if clock > tracker.now:
            tracker.now = clock
        self.diagnosis.context.note_capture(0, last_seen=tracker.now)
        idle = self.options.timeout
        self._leave_unlisted(idle)
        self._pending += self._learn(tracker.ended(idle=idle, linger=_LINGER, settle=_SETTLE))
        tracker.forget_gone(idle)
        tracker.attempts.forget_servers(_SERVERS)

    def _leave_unlisted(self, idle: float) -> None:
        """Of the connections that ended without a byte, some get a row; a flood of them is a number."""
        table = self.tracker.table
        c = table.columns
        rows = table.held()
        rows = rows[c["state"][rows] == FlowState.NEW]
        ended = c["last_seen"][rows] < self.tracker.now - int(idle * _SECOND)
        ended |= (c["rst_frame"][rows] > 0).any(axis=1) | (c["fin_frame"][rows] > 0).all(axis=1)
        rows = rows[ended]
        allowed = int(self._allowance)
        self._allowance -= min(len(rows), allowed)
        if len(rows) > allowed:
            rows = rows[np.argsort(c["number"][rows])[allowed:]]
            self.tracker.drop(rows)
            self.unlisted += len(rows)
            self._note_cap("connections without a byte counted, not listed: too many", self.unlisted)

    def _make_room(self) -> None:
        """Too many flows: first those go that never carried a byte, the half-open ones before the others, then the longest silent."""
        table = self.tracker.table
        c = table.columns
        wanted = len(table) - table.limit + table.limit // 8
        self.evicted += wanted
        self._note_cap("flows forgotten because too many were open", self.evicted)
        table.evicted = self.evicted
        held = table.held()
        state = c["state"][held]
        value = np.where(state == FlowState.GONE, 0, np.where(state != FlowState.NEW, 3, np.where(c["syn_acks"][held] > 0, 2, 1)))
        rows = held[np.lexsort((c["last_seen"][held], value))[:wanted]]
        silent = rows[c["state"][rows] <= FlowState.NEW]
        self.tracker.drop(silent)
        rest = rows[c["state"][rows] > FlowState.NEW]
        rest = rest[c["number"][rest] >= 0]
        if len(rest):
            self._pending += self._learn(self.tracker.take_out(rest[c["state"][rest] != FlowState.GONE]))
            self.tracker.forget(rest)

    def _note_cap(self, what: str, count: int) -> None:
        self.tracker.caps[what] = count

    # ------------------------------------------------------------------ losses

    def _look_for_losses(self) -> None:
        lost = self.live.count_drops()
        if lost:
            self._losses.append((time.time_ns(), lost))

    def _lost_during(self, handshake: Handshake) -> int:
        """Frames lost while the handshake ran, its end included: a loss is noticed up to a sweep later."""
        if not self._losses:
            return 0
        begin = handshake.flow.first_seen
        end = max(handshake.flow.last_seen, begin) + 2 * _SECOND + (int(self.options.timeout * _SECOND) if not handshake.alerts else 0)
        return sum(lost for moment, lost in self._losses if begin <= moment <= end)

    def _note_losses(self, handshake: Handshake, lost: int) -> None:
        """A handshake that this machine lost frames of may have gone well: what it seems to lack is no cause.

        What was seen (an alert, a close with every byte before it) stands, a little less certain.
        """
        finding = handshake.finding
        if not lost or handshake.outcome == "completed" or (finding is not None and finding.cause == "cap-drops"):
            return
        flow = handshake.flow
        says = Evidence(None, f"{lost:,} frames were lost by the capturing machine while this connection was open")
        alert = handshake.closing_alert
        closed = flow.client_fin_frame or flow.server_fin_frame or flow.client_rst_frame or flow.server_rst_frame
        whole = closed and not flow.client_gaps and not flow.server_gaps and not flow.one_way
        if finding is not None and (whole or (alert is not None and alert.description is not None)):
            finding.evidence.append(says)
            if alert is None and finding.confidence == "certain":
                finding.confidence = "likely"
            return
        if finding is not None:
            handshake.also.insert(0, finding)
        handshake.outcome, handshake.aborted_by = "unfinished", "unknown"
        handshake.finding = Finding(
            "cap-drops",
            "likely",
            f"{lost:,} frames were lost while capturing, so what became of this handshake cannot be told"
            + (f"; without the loss it would look like {finding.cause}" if finding is not None else ""),
            [says, *(finding.evidence if finding is not None else [])],
            outcome="unfinished",
            remedy="Give the capture a larger ring (--ring-size), a narrower filter (--bpf), or a machine with more room.",
        )
