"""JSON Lines: one strict JSON object a line, keys and order as the schema has them.

ASCII only (everything else as ``\\uXXXX``), so a line can be shown anywhere. No NaN, and lone
surrogates are written as visible text, because strict readers take neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring_ascii
from typing import BinaryIO

from analyzer.export.escape import for_utf8
from analyzer.export.forms import Forms
from analyzer.export.values import finite, iso_time, remembered
from analyzer.export.writer import Row, Writer
from analyzer.schema import AlikeRow, Column, Pattern

__all__ = ["encode_document", "open_stream"]


def open_stream(stream: BinaryIO, columns: tuple[Column, ...], _table: str) -> Writer:
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


def _line(value: object) -> str:
    try:
        line = _encode(value)
    except ValueError:  # NaN
        line = _encode(_cleaned(value))
    if "\\ud" in line:  # a surrogate: of a pair, most likely
        line = _encode(_cleaned(value))
    return line.replace("\x7f", "\\u007f") if "\x7f" in line else line  # ASCII, but not printable


def encode_document(document: dict[str, object]) -> bytes:
    """``document`` as one line of strict JSON in ASCII, with its line feed."""
    return _line(document).encode("ascii") + b"\n"


def _text(value: str) -> str:
    line = encode_basestring_ascii(value)
    if "\\ud" in line:
        line = encode_basestring_ascii(for_utf8(value))
    return line.replace("\x7f", "\\u007f") if "\x7f" in line else line


def _list(value: Iterable[object]) -> str:
    return _line([*value])


def _evidence(value: Iterable[tuple[int | None, str]]) -> str:
    return _line([{"frame": frame, "says": says} for frame, says in value])


def _float(value: float) -> str:
    return "null" if finite(value) is None else repr(float(value))


def _integer(value: int) -> str:
    return repr(int(value))


_VALUES: dict[str, Callable[..., str]] = {
    "string": _text,
    "int64": _integer,
    "float64": _float,
    "bool": lambda value: "true" if value else "false",
    "timestamp": lambda value: f'"{iso_time(value)}"',
    "list[string]": _list,
    "list[int64]": _list,
    "evidence": _evidence,
}


class _JsonLines:
    """Each column is its key, ready made, and what turns its values into JSON."""

    def __init__(self, stream: BinaryIO, columns: tuple[Column, ...]) -> None:
        self._stream = stream
        self._columns = []
        for column in columns:
            make = _VALUES[column.dtype]
            self._columns.append((column.name, json.dumps(column.name) + ":", remembered(make) if make is _list else make))
        self._forms = Forms(lambda pattern: _Line(pattern, self._columns))

    def write(self, row: Row) -> None:
        if isinstance(row, AlikeRow):
            line = self._forms.of(row.pattern).fill(row.own)
        else:
            find = row.get
            line = ",".join([key + ("null" if (value := find(name)) is None else make(value)) for name, key, make in self._columns])
        self._stream.write(b"{%b}\n" % line.encode("ascii"))

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def flush(self) -> None:
        self._stream.flush()

    def close(self, commit: bool = True) -> None:
        self.flush()


class _Line:
    """The line of a pattern, with blanks for what rows have of their own."""

    def __init__(self, pattern: Pattern, columns: list[tuple[str, str, Callable[..., str]]]) -> None:
        places = {name: place for place, name in enumerate(pattern.differs)}
        parts: list[str] = []
        self._chosen: list[int] = []
        """Of the row's values, in the order of the columns."""
        self._makers: list[tuple[int, Callable[..., str]]] = []
        """Those that need more than ``str``, by their place among the chosen."""
        for name, key, make in columns:
            if name in places:
                parts.append(key + "%s")
                if make is not _integer:
                    self._makers.append((len(self._chosen), make))
                self._chosen.append(places[name])
            elif name == pattern.listed:
                parts.append(key + "[" + ",".join([_text(text)[:-1].replace("%", "%%") + '%s"' for text in pattern.texts]) + "]")
                self._chosen += range(len(places), len(places) + len(pattern.texts))
            else:
                value = pattern.shared.get(name)
                parts.append((key + ("null" if value is None else make(value))).replace("%", "%%"))
        self._line = ",".join(parts)

    def fill(self, values: Sequence[object]) -> str:
        """The line of a row with these values."""
        chosen = [values[place] for place in self._chosen]
        for place, make in self._makers:
            value = chosen[place]
            chosen[place] = "null" if value is None else make(value)
        return self._line % tuple(chosen)
