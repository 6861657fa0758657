"""JSON Lines: one strict JSON object a line, keys and order as the schema has them.

ASCII only (everything else as ``\\uXXXX``), so a line can be shown anywhere. No NaN, and lone
surrogates are written as visible text, because strict readers take neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import BinaryIO

from analyzer.export.escape import for_utf8
from analyzer.export.values import finite, iso_time
from analyzer.export.writer import Row, Writer
from analyzer.schema.columns import Column

__all__ = ["encode_document", "open_stream"]


def open_stream(stream: BinaryIO, columns: tuple[Column, ...], table: str) -> Writer:
    """A JSON Lines writer into ``stream``."""
    return _JsonLines(stream, columns)


def _number(value: object) -> object:
    """NumPy scalars as Python numbers."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} in a row")


_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":"), default=_number).encode


def _cleaned(value: object) -> object:
    """``value`` with what strict JSON does not have replaced; rows are two levels deep, documents a few."""
    if isinstance(value, str):
        return for_utf8(value)
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    return value


def encode_document(document: dict[str, object]) -> bytes:
    """``document`` as one line of strict JSON in ASCII, with its line feed."""
    try:
        line = _encode(document)
    except ValueError:  # NaN
        line = _encode(_cleaned(document))
    if "\\ud" in line:  # a surrogate: of a pair, most likely
        line = _encode(_cleaned(document))
    if "\x7f" in line:  # ASCII, but not printable
        line = line.replace("\x7f", "\\u007f")
    return line.encode("ascii") + b"\n"


class _JsonLines:
    def __init__(self, stream: BinaryIO, columns: tuple[Column, ...]) -> None:
        self._stream = stream
        self._names = tuple(column.name for column in columns)
        self._pick = itemgetter(*self._names) if len(columns) > 1 else None
        self._times = [column.name for column in columns if column.dtype == "timestamp"]
        self._evidence = [column.name for column in columns if column.dtype == "evidence"]

    def write(self, row: Row) -> None:
        try:
            values = self._pick(row)  # type: ignore[misc]
        except (KeyError, TypeError):  # a row that leaves columns out, or a single column
            values = [row.get(name) for name in self._names]
        document: dict[str, object] = dict(zip(self._names, values, strict=True))
        for name in self._times:
            if (time := document[name]) is not None:
                document[name] = iso_time(time)  # type: ignore[arg-type]
        for name in self._evidence:
            if (evidence := document[name]) is not None:
                document[name] = [{"frame": frame, "says": says} for frame, says in evidence]  # type: ignore[attr-defined]
        self._stream.write(encode_document(document))

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def flush(self) -> None:
        self._stream.flush()

    def close(self, commit: bool = True) -> None:
        self.flush()
