"""What the page shows, taken in handshake by handshake and bounded: a row each, a ladder for the failures, tables, counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from analyzer.export.escape import for_terminal
from analyzer.export.ladder import Ladder, build_ladder
from analyzer.export.lines import cut, show
from analyzer.export.report.census import Census
from analyzer.export.writer import select
from analyzer.model.handshake import Handshake
from analyzer.schema.columns import HANDSHAKES, Column
from analyzer.tables.collect import CertificateTable, ServerTable
from analyzer.tables.rows import Row, handshake_row

__all__ = ["LADDERS", "ROWS", "Drawn", "Line", "Report"]

LADDERS = 200
"""Ladders drawn in one report."""
ROWS = 50_000
"""Rows of its table."""


class Line(NamedTuple):
    """One handshake in the table. Texts are printable."""

    number: int
    """Of the row; ``l<number>`` is the anchor of its ladder."""
    stream: int
    began: int
    """ns since the epoch."""
    client: str
    server: str
    address: str
    version: str
    outcome: str
    cause: str
    confidence: str
    ended_by: str
    milliseconds: float | None
    """ClientHello to the last message of the handshake."""
    summary: str
    capture: str
    chosen: tuple[str | float | None, ...] = ()
    """Values of the columns that were asked for, in place of the usual ones."""


@dataclass(slots=True)
class Drawn:
    """A ladder with the row it belongs to."""

    number: int
    cause: str
    ladder: Ladder


class Report:
    """Takes judged handshakes one by one. Holds a line each (failures first where there are too many) and the ladders."""

    def __init__(
        self, captures: list[str], *, fields: Sequence[str] | None = None, ladders: int = LADDERS, rows: int = ROWS
    ) -> None:  # fmt: skip
        self.captures = captures
        self.columns: tuple[Column, ...] = () if fields is None else select(HANDSHAKES, fields)
        """What the table shows of each handshake; empty for the usual columns."""
        self.census = Census()
        self._servers, self._certificates = ServerTable(), CertificateTable()
        self._most_ladders, self._most_rows = ladders, rows
        self._failed: list[Line] = []
        self._others: list[Line] = []
        self._first: dict[tuple[str, str, int], Drawn] = {}
        self._more: list[Drawn] = []

    def add(self, h: Handshake) -> None:
        """Take in one judged handshake."""
        number = len(self.census)
        self.census.add(h)
        self._servers.add(h)
        self._certificates.add(h)
        failed = h.outcome == "failed"
        lines = self._failed if failed else self._others
        if len(lines) < self._most_rows:
            lines.append(_line(h, number, self.captures, self.columns))
        if failed:
            self._draw(h, number)

    def add_all(self, handshakes: Iterable[Handshake]) -> None:
        """Take in many."""
        for handshake in handshakes:
            self.add(handshake)

    @property
    def lines(self) -> list[Line]:
        """Rows: those that failed, then the others, each in the order they came; of too many the last are left out."""
        return (self._failed + self._others)[: self._most_rows]

    @property
    def ladders(self) -> list[Drawn]:
        """Ladders in the order of the rows; of too many, first one for each cause and server."""
        first = list(self._first.values())[: self._most_ladders]
        chosen = first + self._more[: self._most_ladders - len(first)]
        return sorted(chosen, key=lambda drawn: drawn.number)

    def servers(self) -> Iterator[Row]:
        """Rows of the ``servers`` table, most failures first."""
        return self._servers.rows()

    def ending_certificates(self, days: int = 30) -> list[Row]:
        """Rows of the ``certificates`` table that end within ``days`` of when they were last seen, or have ended; soonest first."""
        found = [(float(str(row["days_left"])), row) for row in self._certificates.rows() if row["days_left"] is not None]
        return [row for left, row in sorted(found, key=lambda item: item[0]) if left <= days]

    def _draw(self, h: Handshake, number: int) -> None:
        cause = h.finding.cause if h.finding is not None else "unknown"
        key = (cause, h.flow.server_address, h.flow.server_port)
        is_first = key not in self._first and len(self._first) < self._most_ladders
        if is_first or len(self._more) < self._most_ladders:
            drawn = Drawn(number, cause, build_ladder(h, self.captures))
            if is_first:
                self._first[key] = drawn
            else:
                self._more.append(drawn)


def _line(h: Handshake, number: int, captures: list[str], columns: tuple[Column, ...]) -> Line:
    row = handshake_row(h, captures)
    target = h.dialogue.target if h.dialogue is not None else None
    address = f"[{h.flow.server_address}]" if ":" in h.flow.server_address else h.flow.server_address
    return Line(
        number=number,
        stream=row["stream"],
        began=row["first_seen"],
        client=row["client_address"],
        server=cut(row["server_name"] or target or row["server_address"], 120),
        address=f"{address}:{row['server_port']}",
        version=row["selected_version"] or "",
        outcome=h.outcome,
        cause=row["cause"] or ("unknown" if h.outcome == "failed" else ""),
        confidence=row["confidence"] or "",
        ended_by="" if h.aborted_by in ("none", "unknown") else h.aborted_by,
        milliseconds=round(row["handshake_ms"], 3) if row["handshake_ms"] else None,  # nothing followed the hello: no time either
        summary=cut(" ".join((row["summary"] or "").split()), 400),
        capture=for_terminal(row["capture"] or ""),
        chosen=tuple(_cell(row.get(column.name), column) for column in columns),
    )


def _cell(value: Any, column: Column) -> str | float | None:
    """A number stays one, so that it sorts as one."""
    if column.dtype == "int64":
        return None if value is None else int(value)
    if column.dtype == "float64":
        return None if value is None else round(value, 3)
    return "" if value is None else show(value, column.dtype, 400)
