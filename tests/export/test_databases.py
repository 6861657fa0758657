from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from export_helpers import PAYLOADS, a_row, names_in

from analyzer.errors import AnalyzerError, UsageError
from analyzer.export import open_tables, open_writer
from analyzer.export.escape import for_utf8
from analyzer.schema import HANDSHAKES, TABLES


def target_of(kind: str, path: Path) -> str:
    if kind == "sql":
        pytest.importorskip("sqlalchemy")
        return f"sqlite:///{path}"
    return str(path)


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def run(kind: str, path: Path, *names: str, commit: bool = True) -> None:
    tables = open_tables(target_of(kind, path), kind, captures=["a.pcap", "b.pcap"])
    for name in names:
        tables.writer("handshakes").write(a_row(name))
    for table in TABLES:
        tables.writer(table).close()
    tables.close(commit)


@pytest.mark.parametrize("kind", ["sqlite", "sql"])
def test_each_run_adds_its_rows_under_its_number(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    run(kind, path, "one", "two")
    run(kind, path, "three")
    assert ask(path, "SELECT run_id, server_name FROM handshakes ORDER BY rowid") == [(1, "one"), (1, "two"), (2, "three")]
    runs = ask(path, "SELECT id, captures FROM runs")
    assert runs == [(1, '["a.pcap", "b.pcap"]'), (2, '["a.pcap", "b.pcap"]')]
    names = {name for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == {"runs", *TABLES}


@pytest.mark.parametrize("kind", ["sqlite", "sql"])
def test_values_are_stored_as_documented(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    run(kind, path, "example.com")
    row = ask(path, "SELECT first_seen, cipher_suites, evidence, hello_ms, hello_retry_request, stream FROM handshakes")
    assert row == [
        (
            "2024-05-01T12:00:00.123456789Z",
            '["example.com", "h2"]',
            json.dumps([{"frame": 4, "says": "example.com"}, {"frame": None, "says": "example.com"}]),
            1.5,
            1,
            7,
        )
    ]


@pytest.mark.parametrize("kind", ["sqlite", "sql"])
def test_a_run_given_up_leaves_the_database_as_it_was(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    run(kind, path, "one")
    run(kind, path, "two", commit=False)
    assert ask(path, "SELECT server_name FROM handshakes") == [("one",)]
    assert ask(path, "SELECT count(*) FROM runs") == [(1,)]


def test_a_first_run_given_up_leaves_no_file(tmp_path: Path) -> None:
    run("sqlite", tmp_path / "x.sqlite", "one", commit=False)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["sqlite", "sql"])
def test_columns_that_came_later_are_added(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    writer = open_writer(target_of(kind, path), kind, HANDSHAKES, fields=["server_name", "cause"])
    writer.write(a_row("old"))
    writer.close()
    run(kind, path, "new")
    assert ask(path, "SELECT server_name, alpn FROM handshakes ORDER BY rowid") == [("old", None), ("new", "new")]


@pytest.mark.parametrize("kind", ["sqlite", "sql"])
def test_hostile_text_is_stored_as_text(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    run(kind, path, *PAYLOADS)
    stored = [name for (name,) in ask(path, "SELECT server_name FROM handshakes ORDER BY rowid")]
    assert stored == [for_utf8(payload).replace("\0", "\\x00") for payload in PAYLOADS]


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database at all, but somebody's notes" * 100)
    before = path.read_bytes()
    with pytest.raises(AnalyzerError, match=r"cannot write .*not a database"):
        run("sqlite", path, "one")
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["x.db"]


def test_a_url_that_means_nothing_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(UsageError, match="no such kind of database"):
        open_tables("nosuch://host/x", "sql")
    with pytest.raises(AnalyzerError, match="cannot write") as caught:
        open_tables(f"sqlite:///{tmp_path}/missing/x.db", "sql")
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    with pytest.raises(AnalyzerError) as caught:
        open_tables("postgresql+psycopg://user:hush@127.0.0.1:1/db", "sql")
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)
