"""Which format, which writer.

Formats load their module when they are asked for, so that a run pays only for its own.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TextIO

from analyzer.errors import UsageError
from analyzer.export.files import StagedFile, cannot_write
from analyzer.schema import TABLES, Column

if TYPE_CHECKING:
    from analyzer.export.database import Database

__all__ = ["FORMATS", "Row", "TableWriters", "Target", "Writer", "format_of", "is_url", "open_tables", "open_writer", "select"]

Row = Mapping[str, object]
Target = str | Path | TextIO | BinaryIO

FORMATS: tuple[str, ...] = ("table", "csv", "jsonl", "parquet", "sqlite", "zeek", "ecs", "html")
"""Names that ``--format`` knows. A SQLAlchemy URL as output is the format ``sql``; ``html`` is a report, not a table of rows."""

_SUFFIXES = {
    ".txt": "table",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".log": "zeek",
    ".html": "html",
    ".htm": "html",
}
_MODULES = {"csv": "delimited", "jsonl": "jsonl", "parquet": "parquet", "zeek": "zeek", "ecs": "ecs"}
_FILE_NAMES = {"csv": "{}.csv", "jsonl": "{}.jsonl", "parquet": "{}.parquet", "zeek": "{}.log"}
_ZEEK_NAMES = {"handshakes": "ssl", "flows": "conn"}


class Writer(Protocol):
    """Takes the rows of one table."""

    def write(self, row: Row) -> None:
        """One row."""

    def write_all(self, rows: Iterable[Row]) -> None:
        """Many rows."""

    def flush(self) -> None:
        """Hand what was written to whoever reads along (a stream; files appear on ``close``)."""

    def close(self, commit: bool = True) -> None:
        """End the file and give it its name; ``commit=False`` leaves no trace of it."""


class TableWriters(Protocol):
    """Takes the rows of several tables."""

    tables: tuple[str, ...]
    """The tables this output has room for."""

    def writer(self, table: str) -> Writer:
        """The writer of one table; ``close`` on it only ends that table's rows."""

    def close(self, commit: bool = True) -> None:
        """End the output; ``commit=False`` leaves no trace of it."""


def is_url(target: object) -> bool:
    """``target`` is a database URL, not a path."""
    return isinstance(target, str) and "://" in target


def format_of(path: str | Path) -> str:
    """The format that ``path`` asks for by its suffix, ``sql`` for a URL. Raises UsageError."""
    if is_url(path):
        return "sql"
    if str(path).endswith(os.sep):
        raise UsageError(f"{path}: a folder names no format: add --format {', '.join(_FILE_NAMES)}")
    name = Path(path).name.lower()
    if name.endswith((".ecs", ".ecs.json", ".ecs.jsonl", ".ecs.ndjson")):
        return "ecs"
    found = _SUFFIXES.get(Path(name).suffix)
    if found is None:
        raise UsageError(f"{path}: the suffix names no format: add --format, or use one of {' '.join(_SUFFIXES)}")
    return found


def select(columns: tuple[Column, ...], fields: Sequence[str] | None) -> tuple[Column, ...]:
    """The columns named by ``fields``, in that order; all of them for None. Raises UsageError."""
    if fields is None:
        return columns
    by_name = {column.name: column for column in columns}
    for name in fields:
        if name not in by_name:
            import difflib  # only to help with a typing error

            near = difflib.get_close_matches(name, by_name, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(f"no column {name!r}{hint}")
    return tuple(by_name[name] for name in dict.fromkeys(fields))


def open_writer(
    target: Target,
    format: str,  # noqa: A002  the command line's word
    columns: tuple[Column, ...],
    *,
    fields: Sequence[str] | None = None,
    table: str = "handshakes",
    captures: Sequence[str] = (),
) -> Writer:
    """A writer of one table into ``target``: a path, ``-`` for standard output, a stream or a database URL.

    ``fields`` picks and orders columns. ``captures`` is noted in the ``runs`` table of a database.
    Raises UsageError, MissingExtra, or AnalyzerError when the target cannot be written.
    """
    if format in ("sqlite", "sql"):
        return _open_database(target, format, captures).single(table, select(columns, fields))
    if fields is not None and format in ("zeek", "ecs"):
        raise UsageError(f"--fields cannot be used with {format}: its field names are fixed")
    chosen = select(columns, fields)
    module = _module(format)
    stream, staged = _open_stream(target)
    try:
        writer: Writer = module.open_stream(stream, chosen, table)
    except BaseException:
        if staged is not None:
            stream.close()
            staged.discard()
        raise
    return writer if staged is None else _FileWriter(writer, stream, staged)


def open_tables(
    target: str | Path,
    format: str,  # noqa: A002  the command line's word
    *,
    captures: Sequence[str] = (),
    fields: Sequence[str] | None = None,
) -> TableWriters:
    """Writers of all tables: into one database, or into the folder ``target``, a file a table.

    ``fields`` picks columns of ``handshakes``. Raises as ``open_writer``.
    """
    if format in ("sqlite", "sql"):
        return _open_database(target, format, captures, fields)
    if format not in _FILE_NAMES:
        raise UsageError(f"{target}: {format} is one file, not a folder of tables")
    if fields is not None and format == "zeek":
        raise UsageError("--fields cannot be used with zeek: its field names are fixed")
    return _Folder(Path(target), format, fields)


def _module(kind: str) -> Any:
    name = _MODULES.get(kind)
    if name is None:
        raise UsageError(f"no format {kind!r}: use one of {' '.join(FORMATS)}")
    return importlib.import_module(f"analyzer.export.{name}")


def _open_database(target: Target, kind: str, captures: Sequence[str], fields: Sequence[str] | None = None) -> Database:
    from analyzer.export import database

    if not isinstance(target, (str, Path)) or str(target) == "-":
        raise UsageError(f"{kind} needs a file: add -o FILE")
    return database.open_database(target, captures, fields)


def _open_stream(target: Target) -> tuple[BinaryIO, StagedFile | None]:
    """Bytes go into the first; the second is the file behind it, if it is one of ours to finish."""
    if isinstance(target, (str, Path)):
        if str(target) == "-":
            return _bytes_of(sys.stdout), None
        staged = StagedFile(target)
        return staged.open(), staged
    return (_bytes_of(target) if isinstance(target, io.TextIOBase) else target), None  # type: ignore[return-value]  # no text


def _bytes_of(stream: object) -> BinaryIO:
    """The byte stream under a text stream; one that encodes for those that have none (StringIO)."""
    stream.flush()  # type: ignore[attr-defined]  # a text stream
    return getattr(stream, "buffer", None) or _Encoded(stream)  # type: ignore[arg-type, return-value]  # as above


class _Encoded(io.RawIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._stream.write(bytes(data).decode("utf-8"))  # type: ignore[call-overload]  # any buffer, as RawIOBase says
        return len(data)  # type: ignore[arg-type]  # as above


class _FileWriter:
    """A writer together with the file it fills."""

    def __init__(self, inner: Writer, stream: BinaryIO, staged: StagedFile) -> None:
        self._inner, self._stream, self._staged = inner, stream, staged

    def write(self, row: Row) -> None:
        self._inner.write(row)

    def write_all(self, rows: Iterable[Row]) -> None:
        self._inner.write_all(rows)

    def flush(self) -> None:
        try:
            self._inner.flush()
        except OSError as error:
            raise cannot_write(self._staged.asked, error) from error

    def close(self, commit: bool = True) -> None:
        try:
            if commit:
                self._inner.close()
        except OSError as error:
            commit = False
            raise cannot_write(self._staged.asked, error) from error
        except BaseException:
            commit = False
            raise
        finally:
            with contextlib.suppress(OSError):
                self._stream.close()
            if not commit:
                self._staged.discard()
        if commit:
            self._staged.commit()


class _Folder:
    """One file a table in a folder. Nothing gets its name before all are complete."""

    def __init__(self, path: Path, kind: str, fields: Sequence[str] | None) -> None:
        self.tables: tuple[str, ...] = tuple(_ZEEK_NAMES) if kind == "zeek" else tuple(TABLES)
        self._path, self._kind, self._fields = path, kind, fields
        self._writers: dict[str, Writer] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error

    def writer(self, table: str) -> Writer:
        if table not in self._writers:
            name = _ZEEK_NAMES[table] if self._kind == "zeek" else table
            file = self._path / _FILE_NAMES[self._kind].format(name)
            fields = self._fields if table == "handshakes" else None
            self._writers[table] = open_writer(file, self._kind, TABLES[table], fields=fields, table=table)
        return _Kept(self._writers[table])

    def close(self, commit: bool = True) -> None:
        writers = list(self._writers.values())
        self._writers.clear()
        while writers:
            try:
                writers.pop().close(commit)
            except BaseException:
                for writer in writers:
                    writer.close(False)
                raise


class _Kept:
    """A folder's writer as its user sees it: the folder closes it."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner

    def write(self, row: Row) -> None:
        self._inner.write(row)

    def write_all(self, rows: Iterable[Row]) -> None:
        self._inner.write_all(rows)

    def flush(self) -> None:
        self._inner.flush()

    def close(self, commit: bool = True) -> None:
        self.flush()
