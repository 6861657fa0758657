"""The first half of a run by several processes on this machine.

Each worker reads all of the captures: numbers, columns and the table of flows then are in each what they are in one process, and
cost little. What costs is the handshakes, and of those each makes its share (``Tracker``'s). They come back in parcels,
through a pipe a worker, and are put into the order that one process gives them. The second half of the run, which
learns and judges, cannot tell the difference.

A worker never waits for anything but room in its pipe; we never wait for anything but what comes next in the order. So
nothing is held twice, and nothing can wait for itself.
"""

from __future__ import annotations

import contextlib
import heapq
import marshal
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.errors import AnalyzerError, CaptureFormatError, SourceError
from analyzer.flows import FlowTable
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.parcels import Packer, Unpacker, pack_errors, unpack_errors
from analyzer.pipeline.reading import Reading, Span, Step, Totals, open_keylog
from analyzer.sources import Source
from analyzer.tls.keylog import KeyLog

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

__all__ = ["Workers"]

_PARCEL = 64  # handshakes
_PIPE_BYTES = 1 << 20
_ROWS = 65_536  # of the table of flows at once
_STEP, _ENDED, _EVICTED, _FLOWS, _DONE, _FAILED = range(6)
_NUMBER = attrgetter("flow.number")
_FAULTS: dict[str, type[AnalyzerError]] = {kind.__name__: kind for kind in (AnalyzerError, SourceError, CaptureFormatError)}
_EVICTED_FLOWS = "flows forgotten because too many were open"


@dataclass(slots=True)
class _Shared:
    """Stands where a ``Source`` stands: what the first worker says of its own."""

    captures: list[str]
    size: int | None
    close: Callable[[], None]
    position: int = 0
    drops: int | None = None
    warnings: list[str] = field(default_factory=list)


class Workers:
    """The same to a run as ``Reading``. ``count`` processes are started by ``steps()`` and gone when it ends, however it ends."""

    def __init__(self, source: Source, options: Options, keylog: KeyLog | None, count: int) -> None:
        self.options, self.keylog, self.count = options, keylog, count
        self.source: Any = _Shared(source.captures, source.size, self.close, warnings=list(source.warnings))
        self.streaming = False
        self.totals = Totals()
        self.warnings = list(source.warnings)
        self.table = FlowTable()
        self._open = source.opener()
        self._workers: list[_Worker] = []
        source.close()

    def steps(self) -> Iterator[Step]:
        """As ``Reading.steps``. Raises AnalyzerError when a worker died."""
        context = _context()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: ours wait for a lock of their own
                for place in range(self.count):
                    self._workers.append(_Worker(context, (place, self.count), self._workers, self._open, self.options, self.keylog))
            while True:
                heads = [worker.take() for worker in self._workers]
                if heads[0][0] != _STEP:
                    break
                if any(head[:3] != heads[0][:3] for head in heads):
                    raise SourceError("a capture changed while it was read")
                step = self._note(heads)
                step.ended = self._merged(_ENDED)
                step.evicted = self._merged(_EVICTED)
                yield step
            self._take_flows(heads[0])
        finally:
            self.close()

    def close(self) -> None:
        """End the workers that are still there."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _merged(self, kind: int) -> list[Handshake]:
        return list(heapq.merge(*[worker.handshakes(kind) for worker in self._workers], key=_NUMBER))

    def _note(self, heads: list[tuple[Any, ...]]) -> Step:
        _, reading, _, caps, facts = heads[0]
        source, totals = self.source, self.totals
        totals.caps = dict(caps)
        for _, _, _, more, _ in heads[1:]:
            for what, count in more.items():
                totals.caps[what] = count if what == _EVICTED_FLOWS else totals.caps.get(what, 0) + count
        (totals.frames, totals.bytes, totals.segments, totals.flows, totals.first_seen, totals.last_seen, totals.counters,
         source.position, source.drops, source.warnings[:], self.warnings, spans, errors) = facts  # fmt: skip
        captures, packed = errors
        return Step(reading, [Span(*span) for span in spans], [*zip(captures, unpack_errors(packed), strict=True)])

    def _take_flows(self, message: tuple[Any, ...]) -> None:
        """Fill the table of flows, if it was asked for, with what the first worker has: it is the same in all."""
        worker = self._workers[0]
        columns: dict[str, list[bytes]] = {}
        rows = 0
        while message[0] == _FLOWS:
            _, count, parts = message
            rows += count
            for name, part in parts.items():
                columns.setdefault(name, []).append(part)
            message = worker.take()
        table = self.table
        for name, parts in columns.items():
            column = table.columns[name]
            table.columns[name] = np.frombuffer(bytearray().join(parts), column.dtype).reshape(rows, *column.shape[1:])
        table._used = rows


class _Worker:
    """One of the processes, as this one sees it."""

    def __init__(
        self,
        context: BaseContext,
        share: tuple[int, int],
        others: Sequence[_Worker],
        open_again: Callable[[], Source],
        options: Options,
        keylog: KeyLog | None,
    ) -> None:
        self._pipe, pipe = context.Pipe(duplex=False)
        _widen(pipe)
        forked = context.get_start_method() == "fork"
        inherited = [self._pipe, *(other._pipe for other in others)] if forked else []
        self._process = context.Process(  # type: ignore[attr-defined]  # each start method has its own
            target=_work,
            args=(pipe, inherited, share, open_again, options, keylog if forked else None),
            name=f"handshake worker {share[0] + 1}",
            daemon=True,
        )
        with _no_interrupt():
            self._process.start()
        pipe.close()
        self._unpacker = Unpacker()
        self._message: tuple[Any, ...] | None = None

    def next(self) -> tuple[Any, ...]:
        """The next message, which is left there. Raises AnalyzerError when it will not come."""
        if self._message is None:
            try:
                self._message = marshal.loads(self._pipe.recv_bytes())  # noqa: S302 - written by a copy of this process
            except (EOFError, OSError):
                raise AnalyzerError(self._say_how_it_ended()) from None
            if self._message[0] == _FAILED:
                _, name, says = self._message
                raise _FAULTS[name](says) if name in _FAULTS else RuntimeError(says)
        return self._message

    def take(self) -> tuple[Any, ...]:
        """The next message."""
        message = self.next()
        self._message = None
        return message

    def handshakes(self, kind: int) -> Iterator[Handshake]:
        """Those of the parcels of this kind that come next."""
        while self.next()[0] == kind:
            yield from self._unpacker.open(self.take()[1])

    def _say_how_it_ended(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        if code is not None and code < 0:
            reason = f"was ended by {signal.Signals(-code).name}" + (" (out of memory?)" if code == -9 else "")
        else:
            reason = f"ended with code {code}"
        return f"{self._process.name} {reason}; --workers 1 needs the least memory"

    def end(self) -> None:
        """End the process if it has not ended, and leave nothing of it."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()
        self._process.close()


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Interrupts wait, here and in a process started meanwhile until that has said what it does with them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- in the worker ------------------------------------------------------------------------------


def _work(
    pipe: Connection,
    inherited: Sequence[Connection],
    share: tuple[int, int],
    open_again: Callable[[], Source],
    options: Options,
    keylog: KeyLog | None,
) -> None:
    """All that a worker does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; who started us ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for end in inherited:
        end.close()  # or a pipe would seem to have a reader when nobody is left
    try:
        if keylog is None:
            keylog = open_keylog(options.keylog)
        with contextlib.closing(open_again()) as source:
            _send_all(pipe, Reading(source, options, keylog, share), first=share[0] == 0)
    except (BrokenPipeError, ConnectionError):
        pass  # nobody wants to know any more
    except Exception as error:
        says = str(error) if isinstance(error, AnalyzerError) else f"{type(error).__name__} in a worker: {error}"
        with contextlib.suppress(OSError):
            pipe.send_bytes(marshal.dumps((_FAILED, type(error).__name__, says), 2))
    os._exit(0)  # what was inherited (files, handlers) is finished by who opened it


def _send_all(pipe: Connection, reading: Reading, *, first: bool) -> None:
    send = pipe.send_bytes
    packer = Packer()
    totals, source = reading.totals, reading.source
    for step in reading.steps():
        facts = None
        if first:
            errors = [capture for capture, _ in step.errors], pack_errors([error for _, error in step.errors])
            facts = (
                totals.frames, totals.bytes, totals.segments, totals.flows, totals.first_seen, totals.last_seen, totals.counters,
                source.position, source.drops, source.warnings, reading.warnings, [*map(tuple, step.spans)], errors,
            )  # fmt: skip
        send(marshal.dumps((_STEP, step.reading, totals.frames, totals.caps, facts), 2))
        for kind, handshakes in ((_ENDED, step.ended), (_EVICTED, step.evicted)):
            for begin in range(0, len(handshakes), _PARCEL):
                for handshake in handshakes[begin : begin + _PARCEL]:
                    packer.add(handshake)
                send(marshal.dumps((kind, packer.take()), 2))
    if first and reading.options.keeps_flows:
        table = reading.table
        rows = table.held()
        for begin in range(0, len(rows), _ROWS):
            part = rows[begin : begin + _ROWS]
            send(marshal.dumps((_FLOWS, len(part), {name: column[part].tobytes() for name, column in table.columns.items()}), 2))
    send(marshal.dumps((_DONE,), 2))


def _context() -> BaseContext:
    """Forked processes have all modules (and the key log) already; elsewhere than on Linux forking is not safe."""
    return multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def _widen(pipe: Connection) -> None:
    """Let a worker get a little ahead (Linux only)."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
