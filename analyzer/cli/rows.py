"""Rows of chosen columns for people, line by line as they come."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from analyzer.cli.style import display_width, say
from analyzer.export.lines import show
from analyzer.export.values import iso_time
from analyzer.export.writer import Row, select
from analyzer.schema.columns import HANDSHAKES

__all__ = ["RowLines"]

_LONGEST = 60


class RowLines:
    """A ``Writer`` on standard output; a column is as wide as its widest cell so far."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._columns = select(HANDSHAKES, fields)
        self._widths = [len(iso_time(0)) if column.dtype == "timestamp" else 0 for column in self._columns]
        self._say([column.name for column in self._columns])

    def write(self, row: Row) -> None:
        """One row."""
        self._say([show(row.get(column.name), column.dtype, _LONGEST) for column in self._columns])

    def write_all(self, rows: Iterable[Row]) -> None:
        """Many rows."""
        for row in rows:
            self.write(row)

    def flush(self) -> None:
        """To whoever reads along."""
        sys.stdout.flush()

    def close(self, commit: bool = True) -> None:
        """Nothing is left to write."""
        self.flush()

    def _say(self, cells: Sequence[str]) -> None:
        parts = []
        for place, (column, cell) in enumerate(zip(self._columns, cells, strict=True)):
            size = display_width(cell)
            self._widths[place] = max(self._widths[place], size)
            room = " " * (self._widths[place] - size)
            parts.append(room + cell if column.dtype in ("int64", "float64") else cell + room)
        say("  ".join(parts).rstrip())
