"""Databases: every table of the schema, and ``runs``, which says when and from what its rows came.

A run adds its rows under a new ``run_id`` in one transaction; a new sqlite file is written beside
its name and renamed. Times are text (ISO 8601 UTC, ns: they sort and compare as they are), lists
and evidence are JSON text. sqlite files go through the standard library, which starts in a tenth
of the time; URLs through SQLAlchemy, with the same layout.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from analyzer.errors import AnalyzerError, MissingExtra, UsageError
from analyzer.export.escape import for_utf8
from analyzer.export.files import StagedFile, cannot_write
from analyzer.export.values import INT64_MAX, INT64_MIN, finite, iso_time, package_version
from analyzer.export.writer import Row, Writer, is_url, select
from analyzer.schema.columns import TABLES, Column

__all__ = ["Database", "open_database"]

_BATCH = 500
_RUNS = ("time", "captures", "version")
_INDEXED = {"handshakes": ("cause", "server_name", "outcome"), "findings": ("finding",)}


def _text(value: str) -> str:
    text = for_utf8(value)
    return text.replace("\0", "\\x00") if "\0" in text else text  # PostgreSQL has no NUL in text


def _list(value: Iterable[object]) -> str:
    return json.dumps([for_utf8(item) if isinstance(item, str) else item for item in value])


def _evidence(value: Iterable[tuple[int | None, str]]) -> str:
    return json.dumps([{"frame": frame, "says": for_utf8(says)} for frame, says in value])


def _integer(value: int) -> int:
    return min(max(int(value), INT64_MIN), INT64_MAX)


_VALUES: dict[str, Callable[..., object]] = {
    "string": _text,
    "int64": _integer,
    "float64": finite,
    "bool": bool,
    "timestamp": iso_time,
    "list[string]": _list,
    "list[int64]": _list,
    "evidence": _evidence,
}


class _Engine(Protocol):
    """What sqlite3 and SQLAlchemy are asked to do."""

    def create(self, table: str, columns: tuple[Column, ...]) -> None: ...
    def create_runs(self) -> None: ...
    def insert_run(self, values: Sequence[str]) -> int: ...
    def insert(self, table: str, names: Sequence[str], rows: list[tuple[object, ...]]) -> None: ...
    def close(self, commit: bool) -> None: ...


class Database:
    """One run's rows on their way into a database. Nothing is visible there before ``close``."""

    tables: tuple[str, ...] = tuple(TABLES)

    def __init__(self, engine: _Engine, captures: Sequence[str], fields: Sequence[str] | None = None) -> None:
        self._engine = engine
        self._fields = fields
        self._writers: dict[str, _TableWriter] = {}
        engine.create_runs()
        now = iso_time(time.time_ns())
        self.run_id = engine.insert_run([now, json.dumps([for_utf8(name) for name in captures]), package_version()])

    def writer(self, table: str) -> Writer:
        """The writer of one table; closing it only ends that table's rows."""
        if table not in self._writers:
            chosen = select(TABLES[table], self._fields if table == "handshakes" else None)
            self._writers[table] = _TableWriter(self._engine, self.run_id, table, chosen)
        return self._writers[table]

    def single(self, table: str, columns: tuple[Column, ...]) -> Writer:
        """The writer of one table, whose ``close`` closes the database."""
        return _TableWriter(self._engine, self.run_id, table, columns, self)

    def close(self, commit: bool = True) -> None:
        """Commit the run, or undo it."""
        try:
            if commit:
                for writer in self._writers.values():
                    writer.send()
        except BaseException:
            self._engine.close(False)
            raise
        self._engine.close(commit)


class _TableWriter:
    def __init__(self, engine: _Engine, run_id: int, table: str, columns: tuple[Column, ...], owned: Database | None = None) -> None:
        engine.create(table, columns)
        self._engine, self._run_id, self._table, self._owned = engine, run_id, table, owned
        self._names = ("run_id", *(column.name for column in columns))
        self._values = [(column.name, _VALUES[column.dtype]) for column in columns]
        self._rows: list[tuple[object, ...]] = []

    def write(self, row: Row) -> None:
        find = row.get
        values = [None if (value := find(name)) is None else convert(value) for name, convert in self._values]
        self._rows.append((self._run_id, *values))
        if len(self._rows) >= _BATCH:
            self.send()

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def send(self) -> None:
        """Insert what is waiting."""
        if self._rows:
            self._engine.insert(self._table, self._names, self._rows)
            self._rows.clear()

    def flush(self) -> None:
        """Nothing: a run becomes visible as a whole."""

    def close(self, commit: bool = True) -> None:
        if self._owned is None:
            self.send()
            return
        try:
            if commit:
                self.send()
        except BaseException:
            self._owned.close(False)
            raise
        self._owned.close(commit)


def open_database(target: str | Path, captures: Sequence[str] = (), fields: Sequence[str] | None = None) -> Database:
    """A run in the sqlite file or at the SQLAlchemy URL ``target``. Raises MissingExtra, AnalyzerError."""
    select(TABLES["handshakes"], fields)
    engine: _Engine = _SqlAlchemy(str(target)) if is_url(target) else _Sqlite(target)
    try:
        return Database(engine, captures, fields)
    except BaseException:
        engine.close(False)
        raise


_SQLITE_TYPES = {"int64": "INTEGER", "float64": "REAL", "bool": "INTEGER"}


class _Sqlite:
    def __init__(self, path: str | Path) -> None:
        self._asked = str(path)
        existing = Path(path)
        self._staged = None if existing.exists() and existing.stat().st_size else StagedFile(path)
        file = existing if self._staged is None else self._staged.path
        with self._errors():
            self._connection = sqlite3.connect(file, isolation_level=None, timeout=30)
            if self._staged is not None:  # nobody else sees it, and it is thrown away when we fail
                self._connection.executescript("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF")
            self._connection.execute("BEGIN IMMEDIATE")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._staged is not None:
                self._staged.discard()
            raise cannot_write(self._asked, error) from error

    def create_runs(self) -> None:
        with self._errors():
            columns = "id INTEGER PRIMARY KEY, time TEXT NOT NULL, captures TEXT NOT NULL, version TEXT"
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS runs ({columns})")

    def create(self, table: str, columns: tuple[Column, ...]) -> None:
        definitions = {column.name: f'"{column.name}" {_SQLITE_TYPES.get(column.dtype, "TEXT")}' for column in columns}
        with self._errors():
            run = self._connection.execute
            body = ", ".join(["run_id INTEGER NOT NULL REFERENCES runs(id)", *definitions.values()])
            run(f'CREATE TABLE IF NOT EXISTS "{table}" ({body})')
            present = {name for _, name, *_ in run(f'PRAGMA table_info("{table}")')}
            for name, definition in definitions.items():
                if name not in present:  # written by an earlier version
                    run(f'ALTER TABLE "{table}" ADD COLUMN {definition}')
            for name in _INDEXED.get(table, ()):
                if name in definitions:
                    run(f'CREATE INDEX IF NOT EXISTS "{table}_{name}" ON "{table}" ("{name}")')

    def insert_run(self, values: Sequence[str]) -> int:
        with self._errors():
            cursor = self._connection.execute("INSERT INTO runs (time, captures, version) VALUES (?, ?, ?)", list(values))
            return int(cursor.lastrowid or 0)

    def insert(self, table: str, names: Sequence[str], rows: list[tuple[object, ...]]) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        with self._errors():
            # names come from the schema, values are bound
            self._connection.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(names))})', rows)  # noqa: S608 - see above

    def close(self, commit: bool) -> None:
        with self._errors():
            if self._connection.in_transaction:
                self._connection.execute("COMMIT" if commit else "ROLLBACK")
            self._connection.close()
        if self._staged is not None:
            if commit:
                self._staged.commit()
            else:
                self._staged.discard()


def _driver_of(name: str) -> str:
    """PostgreSQL's own URLs name no driver, and which one SQLAlchemy then takes depends on its version: take what is installed."""
    if name not in ("postgresql", "postgres"):
        return name
    installed = (module for module in ("psycopg", "psycopg2") if find_spec(module) is not None)
    return f"postgresql+{next(installed, 'psycopg')}"


_PACKAGES = {"psycopg": "'psycopg[binary]'", "MySQLdb": "mysqlclient"}
"""What to install for a module, where it has another name."""


class _SqlAlchemy:
    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy
        except ImportError as error:
            raise MissingExtra("writing to a database URL", "sql") from error
        self._sql: Any = sqlalchemy
        try:
            parsed = sqlalchemy.engine.make_url(url)
        except sqlalchemy.exc.ArgumentError as error:
            raise UsageError("the output is not a database URL: write DIALECT://USER@HOST/DATABASE") from error
        self._shown = parsed.render_as_string(hide_password=True)
        self._tables: dict[str, Any] = {}
        self._meta = sqlalchemy.MetaData()
        with self._errors():
            self._engine = sqlalchemy.create_engine(parsed.set(drivername=_driver_of(parsed.drivername)))
            self._connection = self._engine.connect()
            self._transaction = self._connection.begin()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        sql = self._sql
        try:
            yield
        except sql.exc.NoSuchModuleError as error:
            raise UsageError(f"cannot write {self._shown}: no such kind of database") from error
        except ImportError as error:
            package = _PACKAGES.get(error.name or "", error.name)
            raise AnalyzerError(f"cannot write {self._shown}: its driver is not installed: pip install {package}") from error
        except sql.exc.DBAPIError as error:
            raise cannot_write(self._shown, error.orig or error) from error
        except sql.exc.SQLAlchemyError as error:
            raise cannot_write(self._shown, error) from error

    def create_runs(self) -> None:
        sql = self._sql
        self._tables["runs"] = sql.Table(
            "runs",
            self._meta,
            sql.Column("id", sql.Integer, primary_key=True),
            *(sql.Column(name, sql.Text) for name in _RUNS),
        )
        with self._errors():
            self._tables["runs"].create(self._connection, checkfirst=True)

    def create(self, table: str, columns: tuple[Column, ...]) -> None:
        sql = self._sql
        types = {"int64": sql.BigInteger, "float64": sql.Double, "bool": sql.Boolean}
        made = sql.Table(
            table,
            self._meta,
            sql.Column("run_id", sql.Integer, sql.ForeignKey("runs.id"), nullable=False, index=True),
            *(sql.Column(column.name, types.get(column.dtype, sql.Text)) for column in columns),
            extend_existing=True,
        )
        self._tables[table] = made
        with self._errors():
            made.create(self._connection, checkfirst=True)
            present = {column["name"] for column in sql.inspect(self._connection).get_columns(table)}
            quote = self._connection.dialect.identifier_preparer.quote
            for column in made.columns:
                if column.name not in present:  # written by an earlier version
                    kind = column.type.compile(self._connection.dialect)
                    self._connection.execute(sql.text(f"ALTER TABLE {quote(table)} ADD COLUMN {quote(column.name)} {kind}"))

    def insert_run(self, values: Sequence[str]) -> int:
        with self._errors():
            result = self._connection.execute(self._tables["runs"].insert().values(dict(zip(_RUNS, values, strict=True))))
            return int((result.inserted_primary_key or (0,))[0])

    def insert(self, table: str, names: Sequence[str], rows: list[tuple[object, ...]]) -> None:
        with self._errors():
            self._connection.execute(self._tables[table].insert(), [dict(zip(names, row, strict=True)) for row in rows])

    def close(self, commit: bool) -> None:
        with self._errors():
            if self._transaction.is_active:
                if commit:
                    self._transaction.commit()
                else:
                    self._transaction.rollback()
            self._connection.close()
            self._engine.dispose()
