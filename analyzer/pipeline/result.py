"""What ``analyzer.analyze`` hands out: the tables of a run as DataFrames, and the handshakes behind them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from analyzer.diagnosis.words import count_text
from analyzer.errors import UsageError
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.pipeline.reading import Totals
from analyzer.tables import rows_of
from analyzer.tables.collect import CertificateTable, ServerTable
from analyzer.tables.rows import Row

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.diagnosis.comparison import Comparison
    from analyzer.pipeline.distributed import DistributedRun
    from analyzer.pipeline.run import Run
    from analyzer.pipeline.selection import Selection

__all__ = ["Result", "make_result"]


class Result:
    """Every handshake of the captures, judged. Tables are DataFrames made when first asked for.

    ``handshakes`` one row an attempt · ``failed`` those that failed · ``alerts`` · ``records`` · ``certificates`` ·
    ``flows`` · ``findings`` · ``servers``. ``result[17]`` is the handshake of tcp.stream 17.
    """

    def __init__(self, run: Run | DistributedRun, handshakes: list[Handshake], tls_flows: set[int]) -> None:
        self._run, self._tls_flows = run, tls_flows
        self._handshakes = handshakes
        self.options = run.options
        self.captures: list[str] = run.captures
        """Names of the captures."""
        self.totals: Totals = run.totals
        self.warnings: list[str] = run.warnings
        """What was cut, capped or not understood: one plain line each."""

    def __len__(self) -> int:
        return len(self._handshakes)

    def __iter__(self) -> Iterator[Handshake]:
        return iter(self._handshakes)

    def __getitem__(self, stream: int) -> Handshake:
        """The handshake of a tcp.stream (of the first capture that has one)."""
        return self.find(stream)

    def find(self, stream: int, capture: int | str | None = None) -> Handshake:
        """The handshake of a tcp.stream: of the first capture that has one, or of ``capture`` (name or place). Raises UsageError."""
        for handshake in self._handshakes:
            flow = handshake.flow
            if flow.stream == stream and (capture is None or capture in (flow.capture, self.captures[flow.capture])):
                return handshake
        where = "" if capture is None else f" of {capture}"
        raise UsageError(f"no handshake attempt in tcp.stream {stream}{where}")

    def compare(self, good: int | Handshake, bad: int | Handshake) -> Comparison:
        """Two handshakes (or their tcp.streams) side by side, best explanation of the second one's failure first."""
        from analyzer.diagnosis.comparison import compare

        return compare(*(h if isinstance(h, Handshake) else self.find(h) for h in (good, bad)))

    def rows(self, table: str = "handshakes") -> Iterator[Row]:
        """Rows of a table as dicts, in schema order."""
        if table == "certificates":
            certificates = CertificateTable()
            for handshake in self._handshakes:
                certificates.add(handshake)
            return certificates.rows()
        if table == "servers":
            servers = ServerTable()
            for handshake in self._handshakes:
                servers.add(handshake)
            return servers.rows()
        if table == "flows":
            return self._run.flow_rows(self._tls_flows)
        if table in ("handshakes", "alerts", "records", "findings"):
            return rows_of(self._handshakes, table, self.captures)
        raise UsageError(f"there is no table {table!r}")

    def _frame(self, table: str) -> pd.DataFrame:
        from analyzer.tables.frames import make_frame

        with _collecting_seldom():
            return make_frame(self.rows(table), table)

    @cached_property
    def handshakes(self) -> pd.DataFrame:
        """One row for each handshake attempt."""
        return self._frame("handshakes")

    @cached_property
    def failed(self) -> pd.DataFrame:
        """The attempts that failed."""
        return self.handshakes[self.handshakes["outcome"] == "failed"].reset_index(drop=True)

    @cached_property
    def alerts(self) -> pd.DataFrame:
        """Every alert, in the clear, decrypted or inferred."""
        return self._frame("alerts")

    @cached_property
    def records(self) -> pd.DataFrame:
        """Every message and record."""
        return self._frame("records")

    @cached_property
    def certificates(self) -> pd.DataFrame:
        """One row for each distinct certificate."""
        return self._frame("certificates")

    @cached_property
    def flows(self) -> pd.DataFrame:
        """One row for each TCP connection."""
        return self._frame("flows")

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Everything the rules found, on completed handshakes too."""
        return self._frame("findings")

    @cached_property
    def servers(self) -> pd.DataFrame:
        """What each server was seen to accept and refuse."""
        return self._frame("servers")

    @property
    def prevention(self) -> list[Finding]:
        """What will fail next, worst first."""
        return self._run.prevention()

    def __repr__(self) -> str:
        t = self.totals
        kept = "" if len(self) == t.handshakes else f"{len(self)} chosen of "
        return (
            f"<Result of {count_text(len(self.captures), 'capture')}: {kept}{count_text(t.handshakes, 'handshake')}, "
            f"{t.completed:,} completed, {t.failed:,} failed, "
            f"{t.unfinished:,} unfinished, {t.no_handshake:,} without a handshake>"
        )


R = TypeVar("R", bound=Result)


def make_result(run: Run | DistributedRun, kind: type[R], selection: Selection | None = None) -> R:
    """Run to the end; keep what ``selection`` lets through. Flows are all of the captures', whatever it is."""
    kept, tls = [], set()
    with _collecting_seldom():
        for handshake in run.handshakes():
            if handshake.messages:
                tls.add(handshake.flow.number)
            if selection is None or selection.accepts(handshake):
                kept.append(handshake)
    return kind(run, kept, tls)


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Let the collector look for circles less often: there are none in what is kept, and each look goes through all of it.
    Of sixteen thousand handshakes half the time goes there."""
    before = gc.get_threshold()
    if 0 < before[0] < 1_000_000:
        gc.set_threshold(1_000_000, 20, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
