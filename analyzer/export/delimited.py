"""CSV (RFC 4180, with a line feed as line end): lists joined by ``;``, times ISO 8601, empty for unknown.

Text cells go through ``escape.for_csv``: no cell is a formula, spans lines or controls a terminal.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import BinaryIO

from analyzer.export.escape import for_csv
from analyzer.export.forms import CellForms
from analyzer.export.values import finite, iso_time, remembered
from analyzer.export.writer import Row, Writer
from analyzer.schema.columns import Column

__all__ = ["open_stream"]


def open_stream(stream: BinaryIO, columns: tuple[Column, ...], _table: str) -> Writer:
    """A CSV writer into ``stream``; the header line is written at once."""
    return _Csv(stream, columns)


def _boolean(value: object) -> str:
    return "true" if value else "false"


def _join(value: Iterable[object]) -> str:
    return for_csv(";".join(map(str, value)))


def _evidence(value: Iterable[tuple[int | None, str]]) -> str:
    return for_csv(";".join(says if frame is None else f"frame {frame}: {says}" for frame, says in value))


_CELLS: dict[str, Callable[..., object]] = {
    "string": for_csv,
    "int64": int,
    "float64": finite,
    "bool": _boolean,
    "timestamp": iso_time,
    "list[string]": _join,
    "list[int64]": _join,
    "evidence": _evidence,
}


def _cell_maker(column: Column) -> Callable[..., object]:
    make = _CELLS[column.dtype]
    return remembered(make) if make in (_join, for_csv) else make


class _Encoded:
    """What ``csv.writer`` writes its lines to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "backslashreplace"))


class _Csv:
    def __init__(self, stream: BinaryIO, columns: tuple[Column, ...]) -> None:
        self._stream = stream
        self._cells = CellForms([(column.name, _cell_maker(column)) for column in columns])
        self._lines = csv.writer(_Encoded(stream), lineterminator="\n")
        self._lines.writerow([column.name for column in columns])

    def write(self, row: Row) -> None:
        self._lines.writerow(self._cells.fill(row))

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def flush(self) -> None:
        self._stream.flush()

    def close(self, commit: bool = True) -> None:
        self.flush()
