"""Parquet through pyarrow, streamed in row groups; the schema carries meaning and unit of each column."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from analyzer.errors import MissingExtra
from analyzer.export.escape import for_utf8
from analyzer.export.forms import CellForms
from analyzer.export.values import INT64_MAX, INT64_MIN
from analyzer.export.writer import Row, Writer
from analyzer.schema.columns import Column

__all__ = ["arrow_schema", "open_stream"]

_GROUP_ROWS, _BATCH_ROWS = 8_192, 1_024
"""Rows of a row group, and of the columns that wait for one: as Python objects they weigh many times as much."""


def _arrow() -> Any:
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingExtra("parquet", "parquet") from error


def arrow_schema(columns: tuple[Column, ...]) -> Any:
    """The pyarrow schema of ``columns``. Raises MissingExtra."""
    arrow = _arrow()
    types = {
        "string": arrow.string(),
        "int64": arrow.int64(),
        "float64": arrow.float64(),
        "bool": arrow.bool_(),
        "timestamp": arrow.timestamp("ns", tz="UTC"),
        "list[string]": arrow.list_(arrow.string()),
        "list[int64]": arrow.list_(arrow.int64()),
        "evidence": arrow.list_(arrow.struct([("frame", arrow.int64()), ("says", arrow.string())])),
    }
    return arrow.schema(
        [
            arrow.field(
                column.name,
                types[column.dtype],
                metadata={"meaning": column.meaning} | ({"unit": column.unit} if column.unit else {}),
            )
            for column in columns
        ]
    )


def open_stream(stream: BinaryIO, columns: tuple[Column, ...], _table: str) -> Writer:
    """A parquet writer into ``stream``. Raises MissingExtra."""
    return _Parquet(stream, columns)


def _inside(value: int) -> int:
    """Nearest int64: certificates live to the year 9999, nanoseconds in 64 bits only to 2262."""
    return min(max(int(value), INT64_MIN), INT64_MAX)


_VALUES: dict[str, Callable[..., object]] = {
    "string": for_utf8,
    "int64": int,
    "float64": float,
    "bool": bool,
    "timestamp": _inside,
    "list[string]": lambda value: [for_utf8(item) for item in value],
    "list[int64]": list,
    "evidence": lambda value: [{"frame": frame, "says": for_utf8(says)} for frame, says in value],
}


class _Parquet:
    def __init__(self, stream: BinaryIO, columns: tuple[Column, ...]) -> None:
        self._arrow = _arrow()
        self._schema = arrow_schema(columns)
        self._cells = CellForms([(column.name, _VALUES[column.dtype]) for column in columns])
        self._rows: list[list[object]] = []
        self._batches: list[Any] = []
        self._stream = stream
        self._file = self._arrow.parquet.ParquetWriter(stream, self._schema, compression="zstd")

    def write(self, row: Row) -> None:
        self._rows.append(self._cells.fill(row))
        if len(self._rows) >= _BATCH_ROWS:
            self._add_batch()
        if len(self._batches) * _BATCH_ROWS >= _GROUP_ROWS:
            self._write_group()

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def _add_batch(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [self._arrow.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._rows = []
        self._batches.append(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))

    def _write_group(self) -> None:
        self._file.write_table(self._arrow.Table.from_batches(self._batches, schema=self._schema), row_group_size=_GROUP_ROWS)
        self._batches.clear()

    def flush(self) -> None:
        """Nothing: a parquet file can be read only when it is closed."""

    def close(self, commit: bool = True) -> None:
        if commit and self._rows:
            self._add_batch()
        if commit and self._batches:
            self._write_group()
        self._file.close()
        self._stream.flush()
