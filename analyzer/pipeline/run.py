"""One run: captures in, judged handshakes out.

    reading (source -> decode -> tracker), by this process or several -> diagnosis -> the caller

Small runs are judged at the end, when every neighbour is known, and come in the order of their first
packets. A run that grows past ``BUFFERED`` handshakes, and a pipe, hands on what has ended: what completed at
once, what failed (files only) when the end is known.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.diagnosis.closing import left_at_once
from analyzer.diagnosis.departures import may_refuse
from analyzer.diagnosis.engine import Diagnosis
from analyzer.diagnosis.herding import learn_herds
from analyzer.handshakes.facts import read_flows
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.reading import Reading, Step, Totals, open_keylog, settled
from analyzer.pipeline.sharing import choose_workers
from analyzer.schema.alike import AlikeRow
from analyzer.sources import BATCH_BYTES, LARGE_BATCH_BYTES, open_source

if TYPE_CHECKING:
    from analyzer.handshakes.herds import Herd
    from analyzer.pipeline.workers import Workers
    from analyzer.tables.alike import AlikeRows
    from analyzer.tables.rows import Row

__all__ = ["BUFFERED", "Run", "Totals"]

BUFFERED = 2_048
"""Handshakes held back so that all can be judged with all their neighbours known."""

_FAILURES = 4_096  # those held back to the end even then
_WAITING = 32_768  # those held back in any case: some 3 kB each, also of a SYN that nobody answered


class Run:
    """A run over captures. Iterate ``handshakes()`` once; the rest is complete afterwards."""

    def __init__(self, captures: Sequence[Any] | Any, options: Options | None = None) -> None:
        self.options = options or Options()
        self.diagnosis = Diagnosis(self.options)
        keylog = open_keylog(self.options.keylog)
        source = open_source(
            captures,
            reader=self.options.reader,
            # objects of a batch weigh several times its bytes
            batch_bytes=BATCH_BYTES if self.options.completed == "handshakes" else LARGE_BATCH_BYTES,
            inflate_ratio=self.options.limits.inflate_ratio,
        )
        self.reading: Reading | Workers = Reading(source, self.options, keylog)
        if self.options.workers != 1:
            count = choose_workers(source, self.options)
            if count > 1:
                from analyzer.pipeline.workers import Workers

                self.reading = Workers(source, self.options, keylog, count)
        self.source = self.reading.source
        self.totals = self.reading.totals
        self._pending: list[Handshake] = []
        self._herds: list[Herd] = []
        """Held back like those pending, and made such in the end: where there are too many to wait, they are handed on as rows."""
        self._alike: AlikeRows | None = None
        self._overflowed = False

    @property
    def keylog(self) -> Any:
        """The key log named and what the captures brought along; None where there are no keys."""
        return self.reading.keylog

    @property
    def captures(self) -> list[str]:
        """Names of the captures, as ``Flow.capture`` indexes them."""
        return self.source.captures

    @property
    def warnings(self) -> list[str]:
        """One plain line each: what was cut, capped or not understood."""
        lines = list(self.reading.warnings)
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
        """Every handshake attempt, judged; of completed ones those only that were made (``Options.completed``)."""
        return (found for found in self.found() if not isinstance(found, AlikeRow))

    def found(self, fields: Sequence[str] | None = None) -> Iterator[Handshake | AlikeRow]:
        """The same, and where rows are all that is asked of completed ones (``Options.completed``) such rows in place of many.

        ``fields``: columns of the table ``handshakes`` that are wanted; None: all.
        """
        if self.options.completed == "rows":
            from analyzer.tables.alike import AlikeRows

            self._alike = AlikeRows(self.captures, fields, self._with_notes)
        started = time.monotonic()
        streaming, noted = self.reading.streaming, False
        try:
            for step in self.reading.steps():
                self._note(step)
                if not step.reading and not noted:
                    noted = True
                    self._note_end()
                ended = self._learn_step(step)
                if streaming and step.reading:
                    yield from self._hand_over(ended)
                    if not self._pending:
                        self.diagnosis.context.let_go()
                else:
                    self._pending += ended
                    if not streaming and (step.reading or self._overflowed):
                        yield from self._overflow()
                self._pending += step.evicted
                if len(self._pending) > _WAITING:
                    yield from self._all_pending()
                self.totals.seconds = time.monotonic() - started
            yield from self._all_pending()
        finally:
            self.reading.close()
            self.totals.seconds = time.monotonic() - started

    def flow_rows(self, tls: set[int]) -> Iterator[Row]:
        """Rows of the ``flows`` table; ``tls`` holds the numbers of those that carried TLS."""
        from analyzer.tables.rows import flow_row

        table = self.reading.table
        rows = table.held()
        rows = rows[np.argsort(table["number"][rows], kind="stable")]
        for begin in range(0, len(rows), 10_000):
            for flow in read_flows(table, rows[begin : begin + 10_000]):
                yield flow_row(flow, self.captures, "tls" if flow.number in tls else "tcp")

    # ------------------------------------------------------------------

    def _note(self, step: Step) -> None:
        context = self.diagnosis.context
        for span in step.spans:
            context.note_capture(
                span.capture,
                first_seen=span.first_seen,
                last_seen=span.last_seen,
                in_order=span.in_order,
                longest_segment=span.longest_segment,
            )
        for capture, error in step.errors:
            context.note_icmp(capture, error)

    def _note_end(self) -> None:
        drops = self.source.drops or 0  # of all of them together: every capture is looked at for it
        for capture in range(len(self.source.captures)):
            self.diagnosis.context.note_capture(capture, drops=drops)

    def _learn_step(self, step: Step) -> list[Handshake]:
        """Learn what is over. Gives those that ended and are to be judged. Herds are held back where rows are asked for; where completed
        ones are only counted, the few that a rule might overturn are made, and the others counted."""
        if not step.herds:
            self._learn(step.evicted)
            return self._learn(step.ended)
        learn_herds(self.diagnosis.context, step.herds, [*step.ended, *step.evicted])
        if self._alike is not None:
            self._herds += step.herds
            return step.ended
        ended = list(step.ended)
        for herd in step.herds:
            odd = self.diagnosis.find_odd(herd)
            ended += settled(herd.make(odd))
            self.totals.count_completed(len(herd) - len(odd))
        return ended

    def _learn(self, handshakes: list[Handshake]) -> list[Handshake]:
        for handshake in handshakes:
            self.diagnosis.context.learn(handshake)
        return handshakes

    def _all_pending(self) -> Iterator[Handshake | AlikeRow]:
        """Those held back, judged, each let go as it is handed on."""
        if not self._overflowed and self._held_back <= BUFFERED:
            self._pending += [h for herd in self._herds for h in settled(herd.make(np.arange(len(herd))))]
            self._herds = []
        done, self._pending = self._pending, []
        yield from self._hand_over(done)
        self.diagnosis.context.let_go()

    @property
    def _held_back(self) -> int:
        """How many wait for their neighbours."""
        return len(self._pending) + sum(map(len, self._herds))

    def _judged(self, handshake: Handshake) -> Handshake:
        self.diagnosis.judge(handshake)
        self.totals.count(handshake)
        return handshake

    def _overflow(self) -> Iterator[Handshake | AlikeRow]:
        """Hand on what need not wait for its neighbours; past a second limit, everything."""
        if self._held_back <= BUFFERED:
            return
        self._overflowed = True
        done: list[Handshake] = []
        kept: list[Handshake] = []
        for h in self._pending:
            # of the completed only those whose client left at once may turn out to have failed, and neighbours can tell
            (done if h.outcome == "completed" and not (left_at_once(h) and may_refuse(h)) else kept).append(h)
        if len(kept) > _FAILURES:
            done, kept = self._pending, []
        self._pending = kept
        yield from self._hand_over(done)
        if not kept:
            self.diagnosis.context.let_go()

    def _hand_over(self, done: list[Handshake]) -> Iterator[Handshake | AlikeRow]:
        """These, judged (the list is emptied), and the herds, most of them as rows: herd by herd, in the order of their first packets."""
        todo = deque(sorted(done, key=lambda h: h.flow.number))
        herds, self._herds = deque(self._herds), []
        done.clear()  # each is let go as it is handed on
        while herds and self._alike is not None:
            herd = herds.popleft()
            odd = self.diagnosis.find_odd(herd)
            together: list[tuple[int, Handshake | AlikeRow]] = [(h.flow.number, h) for h in settled(herd.make(odd))]
            together += [(row.number, row) for row in self._alike.rows(herd, np.delete(np.arange(len(herd)), odd))]
            self.totals.count_completed(len(herd) - len(odd))
            last = int(herd.columns["number"].max())
            while todo and todo[0].flow.number < last:
                together.append((todo[0].flow.number, todo.popleft()))
            together.sort(key=itemgetter(0), reverse=True)
            while together:
                _, one = together.pop()
                yield one if isinstance(one, AlikeRow) else self._judged(one)
        while todo:
            yield self._judged(todo.popleft())

    def _with_notes(self, handshakes: list[Handshake]) -> list[Handshake]:
        """The same, settled and judged, and not counted: their like are."""
        for handshake in settled(handshakes):
            self.diagnosis.judge(handshake)
        return handshakes
