"""Many captures on many machines: each capture is a run of its own on a worker of a Dask cluster.

A worker opens the capture itself, so the name must mean the same file to every worker (a shared file system, or a URL).
Neighbours are those of the same capture: a handshake is judged exactly as ``analyze`` on that one capture judges it.
The only module that imports dask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from analyzer.errors import AnalyzerError, MissingExtra, SourceError, UsageError
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run, Totals
from analyzer.sources.origins import find_origins
from analyzer.tables.rows import Row

__all__ = ["DistributedRun"]

_IN_FLIGHT = 64  # captures handed out at once


@dataclass(slots=True)
class _Part:
    """What a worker sends back."""

    handshakes: list[Handshake]
    totals: Totals
    warnings: list[str]
    prevention: list[Finding]
    flows: list[Row]


def _analyze_one(path: str, options: Options) -> _Part | str:
    """One capture, on a worker. An error comes back as its one line: a bad capture does not cost the others."""
    try:
        run = Run([path], options)
        handshakes = list(run.handshakes())
    except AnalyzerError as error:
        return str(error)
    for handshake in handshakes:
        handshake.segments = handshake.segments if handshake.outcome != "completed" else ()
    tls = {h.flow.number for h in handshakes if h.messages}
    return _Part(handshakes, run.totals, run.warnings, run.prevention(), list(run.flow_rows(tls)))


class _Progress:
    """Stands where a ``Source`` stands: captures done, of how many."""

    def __init__(self, size: int) -> None:
        self.position, self.size = 0, size
        self.warnings: list[str] = []

    def close(self) -> None:
        """Nothing is open here."""


class DistributedRun:
    """The same to its caller as ``Run``: iterate ``handshakes()`` once; the rest is complete afterwards.

    ``options.cluster`` is the scheduler's address (``tcp://host:8786``). Raises MissingExtra without dask, UsageError for
    what workers cannot open by name, SourceError where the cluster does not answer.
    """

    def __init__(self, captures: Sequence[Any] | Any, options: Options) -> None:
        named = [captures] if isinstance(captures, str) else list(captures)
        if any(not isinstance(name, str) or name == "-" for name in named):
            raise UsageError("--cluster reads captures by name: standard input and open files stay here")
        self.options = replace(options, cluster=None, workers=1, completed="handshakes")
        self.captures = [origin.name for origin in find_origins(named)]
        self.source = _Progress(len(self.captures))
        self.totals = Totals()
        self._flows: list[Row] = []
        self._prevention: list[Finding] = []
        self._unread: list[str] = []
        self._client = _connect(options.cluster or "")

    @property
    def warnings(self) -> list[str]:
        """One plain line each."""
        return self.source.warnings

    def handshakes(self) -> Iterator[Handshake]:
        """Every handshake attempt, judged, capture by capture in the order named."""
        try:
            for begin in range(0, len(self.captures), _IN_FLIGHT):
                names = self.captures[begin : begin + _IN_FLIGHT]
                futures = [self._client.submit(_analyze_one, name, self.options, pure=False) for name in names]
                for capture, future in enumerate(futures, start=begin):
                    yield from self._take(capture, future.result())
                    future.release()
            if self.captures and len(self._unread) == len(self.captures):
                raise SourceError(self._unread[0])
        finally:
            self._client.close()

    def found(self, _fields: Sequence[str] | None = None) -> Iterator[Handshake]:
        """The same: workers of other machines make each."""
        return self.handshakes()

    def prevention(self) -> list[Finding]:
        """What will fail next, worst first within each capture."""
        return self._prevention

    def flow_rows(self, tls: set[int]) -> Iterator[Row]:
        """Rows of the ``flows`` table."""
        for row in self._flows:
            row["protocol"] = "tls" if row["flow_id"] in tls else row["protocol"]
            yield row

    def _take(self, capture: int, part: _Part | str) -> Iterator[Handshake]:
        self.source.position += 1
        if isinstance(part, str):
            self._unread.append(part)
            self.source.warnings.append(part)
            return
        base = self.totals.flows
        for handshake in part.handshakes:
            handshake.flow.capture = capture
            handshake.flow.number += base
            self.totals.count(handshake)
            yield handshake
        for row in part.flows:
            row["flow_id"] += base
        self._flows += part.flows
        self._prevention += part.prevention
        self.source.warnings += part.warnings
        _add(self.totals, part.totals)


def _add(sum_: Totals, part: Totals) -> None:
    """Add what ``Totals.count`` does not."""
    for field in fields(Totals):
        value = getattr(part, field.name)
        if isinstance(value, dict):
            own = getattr(sum_, field.name)
            for key, count in value.items():
                own[key] = own.get(key, 0) + count
        elif field.name == "first_seen":
            sum_.first_seen = min(filter(None, (sum_.first_seen, value)), default=0)
        elif field.name in ("last_seen", "seconds"):
            setattr(sum_, field.name, max(getattr(sum_, field.name), value))
        elif field.name in ("frames", "bytes", "segments", "flows"):
            setattr(sum_, field.name, getattr(sum_, field.name) + value)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtra("--cluster", "cluster") from None
    try:
        return Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise SourceError(f"no cluster answers at {address}: {error}".splitlines()[0]) from None
