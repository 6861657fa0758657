"""Rows in a real PostgreSQL, started here from the system's packages, come back equal to the rows as JSON lines."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.export import open_tables
from analyzer.export.escape import for_utf8
from analyzer.export.values import iso_time
from analyzer.pipeline.result import Result, make_result
from analyzer.pipeline.run import Run
from analyzer.schema import HANDSHAKES, TABLES

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = [
    f"captures/{name}/capture.pcapng"
    for name in (
        "cert-expired--curl-nginx-tls12",
        "completed--curl-nginx-tls13",
        "no-common-cipher--openssl-nginx-tls12",
        "tcp-syn-refused--curl-nobody",
    )
]
LISTED = ("list[string]", "list[int64]", "evidence")
TYPES = {"int64": "bigint", "float64": "double precision", "bool": "boolean"}


def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl`` of the newest version installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    pg_ctl = shutil.which("pg_ctl")
    return Path(pg_ctl).resolve().parent if pg_ctl else None


def as_somebody() -> list[str]:
    """What goes before a command so that it does not run as root, which PostgreSQL refuses."""
    if os.geteuid():
        return []
    return ["setpriv", "--reuid", account().pw_name, "--regid", str(account().pw_gid), "--clear-groups", "--"]


def account() -> pwd.struct_passwd:
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("no unprivileged account to run PostgreSQL as")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """``host:port/database`` of a server that lasts as long as this module, with an account ``writer``."""
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy")
    pytest.importorskip("psycopg", reason="needs psycopg")
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    if not os.geteuid() and not shutil.which("setpriv"):
        pytest.skip("setpriv is needed to run PostgreSQL as somebody else than root")
    # short: the path of a unix socket has 107 bytes; not under tmp_path, whose parents only its owner may enter
    folder = Path(tempfile.mkdtemp(prefix="handshake-pg-"))
    try:
        os.chown(folder, account().pw_uid, account().pw_gid)
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "America/New_York"}

        def run(*command: str) -> None:
            subprocess.run([*as_somebody(), *command], cwd=folder, env=environment, check=True, timeout=120,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip

        data = str(folder / "data")
        run(str(binaries / "initdb"), "-D", data, "-U", "writer", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = free_port()
        settings = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off -c full_page_writes=off -c max_connections=20"
        run(str(binaries / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-o", settings, "-w", "-t", "60", "start")
        try:
            yield f"writer@127.0.0.1:{port}"
        finally:
            run(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """An empty database of that server: ``USER@HOST:PORT/NAME``."""
    import psycopg

    name = f"test_{zlib.crc32(request.node.name.encode()):x}"
    with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}/{name}"


def handshake(*arguments: str) -> str:
    """What the command line writes to standard output."""
    done = subprocess.run([sys.executable, "-m", "analyzer", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(database: str, query: str) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(f"postgresql://{database}", row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the database as a row of the JSON lines: lists are JSON there, and a run has a number."""
    listed = {column.name for column in HANDSHAKES if column.dtype in LISTED}
    return {
        name: json.loads(value) if name in listed and value is not None else value
        for name, value in row.items() if name != "run_id"
    }  # fmt: skip


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_rows_come_back_as_they_went_in(database: str, scheme: str) -> None:
    wanted = [json.loads(line) for line in handshake("analyze", *CAPTURES, "--format", "jsonl").splitlines()]
    handshake("analyze", *CAPTURES, "-o", f"{scheme}://{database}")
    stored = [as_json(row) for row in ask(database, "SELECT * FROM handshakes ORDER BY first_seen, capture, stream")]
    wanted.sort(key=lambda row: (row["first_seen"], row["capture"], row["stream"]))
    assert {row["outcome"] for row in wanted} >= {"completed", "failed"}
    assert stored == wanted
    for got, asked in zip(stored, wanted, strict=True):
        assert {name: type(value) for name, value in got.items()} == {name: type(value) for name, value in asked.items()}


def test_runs_are_added_and_counted(database: str) -> None:
    handshake("analyze", *CAPTURES, "-o", f"postgresql://{database}")
    handshake("analyze", CAPTURES[0], "-o", f"postgresql://{database}")
    runs = ask(database, "SELECT * FROM runs ORDER BY id")
    assert [run["id"] for run in runs] == [1, 2]
    assert [json.loads(run["captures"]) for run in runs] == [CAPTURES, CAPTURES[:1]]
    assert runs[0]["time"] < runs[1]["time"]
    first, second = (ask(database, f"SELECT * FROM handshakes WHERE run_id = {run} AND capture = '{CAPTURES[0]}'") for run in (1, 2))
    assert first
    # a connection is numbered within its run
    assert [as_json(row) | {"flow_id": 0} for row in first] == [as_json(row) | {"flow_id": 0} for row in second]
    counted = ask(database, "SELECT cause, count(*) AS number FROM handshakes WHERE run_id = 1 AND outcome = 'failed' GROUP BY cause")
    assert {"cause": "cert-expired", "number": 1} in counted


def test_every_table_has_the_columns_of_the_schema(database: str) -> None:
    handshake("analyze", *CAPTURES, "-o", f"postgresql://{database}")
    columns = ask(database, "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'")
    there = {(column["table_name"], column["column_name"]): column["data_type"] for column in columns}
    wanted = {(name, column.name): TYPES.get(column.dtype, "text") for name, table in TABLES.items() for column in table}
    assert wanted.items() <= there.items()
    assert {table for table, _ in there} == {"runs", *TABLES}
    for table in ("certificates", "flows", "records", "alerts"):
        assert ask(database, f"SELECT count(*) AS number FROM {table}")[0]["number"] > 0


def test_times_as_text_are_times_to_the_server(database: str) -> None:
    handshake("analyze", *CAPTURES, "-o", f"postgresql://{database}")
    [row] = ask(database, "SELECT count(*) AS number FROM handshakes WHERE last_seen::timestamptz >= first_seen::timestamptz")
    assert row["number"] == len(ask(database, "SELECT 1 FROM handshakes")) > 0
    [row] = ask(database, "SELECT count(*) AS number FROM handshakes WHERE cipher_suites::jsonb ? 'TLS_AES_128_GCM_SHA256'")
    assert row["number"] > 0


def test_a_database_that_is_not_there_is_one_line(server: str) -> None:
    done = subprocess.run([sys.executable, "-m", "analyzer", "analyze", CAPTURES[0], "-o", f"postgresql://{server}/nowhere"],
                          cwd=ROOT, capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def as_stored(value: Any, dtype: str) -> Any:
    """A value of ours as the database gives it back."""
    if value is None:
        return None
    if dtype == "timestamp":
        return iso_time(value)
    if dtype == "evidence":
        return [{"frame": frame, "says": says} for frame, says in value]
    return list(value) if dtype in LISTED else value


@pytest.mark.parametrize("table", TABLES)
def test_every_table_gives_back_its_rows(database: str, table: str) -> None:
    handshake("analyze", *CAPTURES, "-o", f"postgresql://{database}")
    kinds = {column.name: column.dtype for column in TABLES[table]}
    result = make_result(Run([str(ROOT / capture) for capture in CAPTURES]), Result)
    wanted = [{name: as_stored(value, kinds[name]) for name, value in row.items() if name != "capture"} for row in result.rows(table)]
    stored = [
        {name: json.loads(value) if kinds[name] in LISTED and value is not None else value for name, value in row.items() if name in kinds}
        for row in ask(database, f'SELECT * FROM "{table}"')
    ]
    for row in stored:
        row.pop("capture", None)  # a path: relative there, absolute here

    def order(row: dict[str, Any]) -> str:
        return json.dumps(row, sort_keys=True)

    assert wanted
    assert sorted(stored, key=order) == sorted(wanted, key=order)


def test_hostile_text_is_text(database: str) -> None:
    texts = ["'; DROP TABLE handshakes; --", "a\0b", 'quote " and \\ back', "\udcff surrogate", "\u00fcn\u00ef"]
    tables = open_tables(f"postgresql://{database}", "sql", captures=["c"])
    for text in texts:
        tables.writer("handshakes").write({"server_name": text, "alpn_offered": (text,), "evidence": [(1, text)]})
    tables.close(True)
    rows = ask(database, "SELECT server_name, alpn_offered, evidence FROM handshakes")
    assert [row["server_name"] for row in rows] == [for_utf8(text).replace("\0", "\\x00") for text in texts]
    assert [json.loads(row["alpn_offered"]) for row in rows] == [[for_utf8(text)] for text in texts]
    assert [json.loads(row["evidence"]) for row in rows] == [[{"frame": 1, "says": for_utf8(text)}] for text in texts]


def test_a_run_that_is_undone_leaves_nothing(database: str) -> None:
    tables = open_tables(f"postgresql://{database}", "sql", captures=["c"])
    tables.writer("handshakes").write({"server_name": "x"})
    tables.close(False)
    assert ask(database, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'") == []
