from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from export_helpers import ANY_TEXT, FORMULA, PAYLOADS, a_row, is_harmless, names_in
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.errors import MissingExtra, UsageError
from analyzer.export import format_of, open_tables, open_writer
from analyzer.export.escape import for_utf8
from analyzer.export.values import iso_time
from analyzer.export.zeek import zeek_version
from analyzer.schema import ALERTS, FLOWS, HANDSHAKES, TABLES, Column

VALUES = {
    "string": ANY_TEXT,
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(),
    "bool": st.booleans(),
    "timestamp": st.integers(-(2**63), 2**63 - 1),
    "list[string]": st.lists(ANY_TEXT, max_size=4).map(tuple),
    "list[int64]": st.lists(st.integers(0, 2**16), max_size=4).map(tuple),
    "evidence": st.lists(st.tuples(st.none() | st.integers(1, 2**40), ANY_TEXT), max_size=3),
}


def rows_for(columns: tuple[Column, ...]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({column.name: st.none() | VALUES[column.dtype] for column in columns})


def written(kind: str, columns: tuple[Column, ...], *rows: Mapping[str, object], table: str = "handshakes", **options: object) -> bytes:
    stream = io.BytesIO()
    writer = open_writer(stream, kind, columns, table=table, **options)
    writer.write_all(rows)
    writer.close()
    return stream.getvalue()


def strict(line: str | bytes) -> dict[str, object]:
    def refuse(name: str) -> object:
        raise AssertionError(f"{name} is not JSON")

    document = json.loads(line, parse_constant=refuse)
    json.dumps(document, ensure_ascii=False).encode("utf-8")  # no lone surrogate
    return document


@settings(deadline=None)
@given(rows_for(HANDSHAKES))
def test_jsonl_is_strict_and_says_what_the_row_says(row: dict[str, object]) -> None:
    (line,) = written("jsonl", HANDSHAKES, row).splitlines()
    assert line.isascii()
    assert line.decode().isprintable()
    document = strict(line)
    assert list(document) == [column.name for column in HANDSHAKES]
    for column in HANDSHAKES:
        value, said = row[column.name], document[column.name]
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            assert said is None
        elif column.dtype == "timestamp":
            assert said == iso_time(value)
        elif column.dtype == "evidence":
            assert said == [{"frame": frame, "says": for_utf8(says)} for frame, says in value]
        elif column.dtype == "list[string]":
            assert said == [for_utf8(item) for item in value]
        else:
            assert said == (for_utf8(value) if isinstance(value, str) else value)


@settings(deadline=None)
@given(st.lists(rows_for(HANDSHAKES), max_size=3))
def test_csv_has_a_line_a_row_and_no_formula(rows: list[dict[str, object]]) -> None:
    data = written("csv", HANDSHAKES, *rows)
    assert data.count(b"\n") == len(rows) + 1
    header, *lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    assert header == [column.name for column in HANDSHAKES]
    assert len(lines) == len(rows)
    for row, cells in zip(rows, lines, strict=True):
        assert len(cells) == len(header)
        for column, cell in zip(HANDSHAKES, cells, strict=True):
            if column.dtype in ("int64", "float64"):
                value = row[column.name]
                assert (cell == "") == (value is None or not math.isfinite(value))
            else:
                assert cell[:1] not in tuple(FORMULA)
                assert is_harmless(cell)


@settings(deadline=None)
@given(st.lists(rows_for(HANDSHAKES), max_size=3))
def test_zeek_lines_have_the_header_s_fields(rows: list[dict[str, object]]) -> None:
    lines = written("zeek", HANDSHAKES, *rows).decode("utf-8").split("\n")
    fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    types = next(line for line in lines if line.startswith("#types")).split("\t")[1:]
    assert len(fields) == len(types)
    assert fields[:6] == ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"]
    data = [line for line in lines if line and not line.startswith("#")]
    assert lines[-2].startswith("#close") and lines[-1] == ""
    assert len(data) + 9 == len(lines) - 1  # a value of "#" at the start would be a comment
    assert len(data) == len(rows)
    for line in data:
        cells = line.split("\t")
        assert len(cells) == len(fields)
        assert all(is_harmless(cell) and cell for cell in cells)


@settings(deadline=None)
@given(rows_for(HANDSHAKES))
def test_ecs_is_strict_json_without_nulls(row: dict[str, object]) -> None:
    row["selected_version"] = "TLS 1.2"
    (line,) = written("ecs", HANDSHAKES, row).splitlines()
    assert line.decode().isprintable()
    document = strict(line)
    tls = document["tls"]
    assert isinstance(tls, dict)
    assert (tls["version"], tls["version_protocol"]) == ("1.2", "tls")
    assert tls["established"] == (row["outcome"] == "completed")


@settings(deadline=None, max_examples=30)
@given(st.lists(rows_for(HANDSHAKES), max_size=3))
def test_parquet_reads_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(written("parquet", HANDSHAKES, *rows)))
    assert table.column_names == [column.name for column in HANDSHAKES]
    assert table.num_rows == len(rows)
    for column in HANDSHAKES:
        got = table[column.name]
        if column.dtype == "timestamp":
            assert got.cast("int64").to_pylist() == [row[column.name] for row in rows]
        elif column.dtype == "string":
            assert got.to_pylist() == [None if (value := row[column.name]) is None else for_utf8(value) for row in rows]
        elif column.dtype in ("int64", "bool"):
            assert got.to_pylist() == [row[column.name] for row in rows]
        assert table.schema.field(column.name).metadata[b"meaning"] == column.meaning.encode()


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "zeek", "ecs"])
def test_hostile_text_in_every_field_stays_harmless(kind: str, payload: str) -> None:
    text = written(kind, HANDSHAKES, a_row(payload)).decode("utf-8")
    for line in text.removesuffix("\n").split("\n"):
        assert is_harmless(line.replace("\t", " ") if kind == "zeek" else line)
    assert text.count("\n") == {"csv": 2, "jsonl": 1, "ecs": 1, "zeek": 10}[kind]


def test_fields_choose_and_order() -> None:
    row = a_row()
    assert written("csv", HANDSHAKES, row, fields=["cause", "stream"]) == b"cause,stream\nexample.com,7\n"
    assert written("jsonl", HANDSHAKES, row, fields=["stream"]) == b'{"stream":7}\n'
    with pytest.raises(UsageError, match="did you mean server_name"):
        written("csv", HANDSHAKES, row, fields=["server_nam"])
    with pytest.raises(UsageError, match="fixed"):
        written("zeek", HANDSHAKES, row, fields=["cause"])


def test_zero_rows_are_a_file_with_a_header() -> None:
    assert written("csv", ALERTS).count(b"\n") == 1
    assert written("jsonl", ALERTS) == b""
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(io.BytesIO(written("parquet", ALERTS))).num_rows == 0


def test_text_streams_are_taken_too() -> None:
    text = io.StringIO()
    writer = open_writer(text, "csv", ALERTS)
    writer.close()
    assert text.getvalue() == ",".join(column.name for column in ALERTS) + "\n"


def test_a_time_beyond_64_bits_is_the_last_one_in_parquet() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    row = a_row() | {"certificate_not_after": 253_402_300_799 * 10**9}
    table = parquet.read_table(io.BytesIO(written("parquet", HANDSHAKES, row)))
    assert table["certificate_not_after"].cast("int64").to_pylist() == [2**63 - 1]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("x/b.jsonl", "jsonl"),
        ("b.ndjson", "jsonl"),
        ("c.parquet", "parquet"),
        ("d.db", "sqlite"),
        ("ssl.log", "zeek"),
        ("e.ecs.json", "ecs"),
        ("f.html", "html"),
        ("postgresql://user@host/db", "sql"),
        ("sqlite:///x.csv", "sql"),
    ],
)
def test_the_suffix_names_the_format(path: str, kind: str) -> None:
    assert format_of(path) == kind


@pytest.mark.parametrize("path", ["a", "a.xyz", "csv", ".csv.xyz"])
def test_an_unknown_suffix_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="--format"):
        format_of(path)


def test_unknown_formats_and_tables_are_refused() -> None:
    with pytest.raises(UsageError, match="no format"):
        open_writer(io.BytesIO(), "yaml", ALERTS)
    with pytest.raises(UsageError, match="no log for alerts"):
        open_writer(io.BytesIO(), "zeek", ALERTS, table="alerts")
    with pytest.raises(UsageError, match="-o FILE"):
        open_writer("-", "sqlite", ALERTS)


@pytest.mark.parametrize(
    ("name", "zeek"),
    [
        ("TLS 1.2", "TLSv12"),
        ("TLS 1.3", "TLSv13"),
        ("SSL 3.0", "SSLv3"),
        ("DTLS 1.2", "DTLSv12"),
        ("TLS 1.3 draft 28", "TLSv13-draft-28"),
        (None, None),
    ],
)
def test_versions_as_zeek_names_them(name: str | None, zeek: str | None) -> None:
    assert zeek_version(name) == zeek


def test_a_folder_gets_a_file_a_table_all_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    tables = open_tables(folder, "csv")
    for name in TABLES:
        writer = tables.writer(name)
        writer.close()
        assert not (folder / f"{name}.csv").exists()
    tables.close()
    assert names_in(folder) == sorted(f"{name}.csv" for name in TABLES)


def test_a_folder_of_zeek_logs(tmp_path: Path) -> None:
    tables = open_tables(tmp_path, "zeek")
    tables.writer("handshakes").write(a_row())
    tables.writer("flows").write({column.name: None for column in FLOWS} | {"first_seen": 10**18, "last_seen": 10**18 + 1, "state": "SF"})
    tables.close()
    assert names_in(tmp_path) == ["conn.log", "ssl.log"]
    assert "1000000000.000000\t-\t-\t-\t-\t-\ttcp\t-\t0.000000\t-\t-\tSF\t-\t-\n" in (tmp_path / "conn.log").read_text()


def test_a_folder_given_up_stays_empty(tmp_path: Path) -> None:
    tables = open_tables(tmp_path, "jsonl")
    tables.writer("handshakes").write(a_row())
    tables.close(False)
    assert names_in(tmp_path) == []


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"pip install 'handshake-analyzer\[parquet\]'"):
        open_writer(io.BytesIO(), "parquet", ALERTS)
