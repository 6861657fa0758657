"""A real PostgreSQL, started for these tests in a folder of its own, receives the rows and gives them back equal."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from analyzer.export import open_tables
from analyzer.export.values import iso_time
from analyzer.pipeline.result import Result, make_result
from analyzer.pipeline.run import Run
from analyzer.schema import TABLES

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "captures"
NAMES = ("cert-expired--curl-nginx-tls12", "completed--curl-nginx-tls13", "sni-filter-rst--curl-nginx-both-ends")
PAYLOADS = ("'; DROP TABLE handshakes; --", "a\0b", 'quote " and \\ back', "\udcff surrogate", "ünï")


def _programs():
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0
    )
    return found[-1].parent if found else None


def _as_postgres(*command):
    """PostgreSQL refuses to run as root; Debian brings the user postgres for it."""
    if os.geteuid() == 0:
        command = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command)
    return [str(part) for part in command]


@pytest.fixture(scope="module")
def server():
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("there is no user postgres to run it as")
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket may have 107 bytes
    if os.geteuid() == 0:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=20"
    try:
        subprocess.run(
            _as_postgres(programs / "initdb", "-D", data, "-U", "lab", "-A", "trust", "-E", "UTF8", "--no-sync"),
            check=True, capture_output=True, cwd="/", env=environment,
        )  # fmt: skip
        subprocess.run(
            _as_postgres(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-t", "60", "-o", options, "start"),
            check=True, capture_output=True, cwd="/", env=environment,
        )  # fmt: skip
        yield f"postgresql://lab@/postgres?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            subprocess.run(
                _as_postgres(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"), capture_output=True, cwd="/", check=False
            )
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server):
    """A connection to it; the tables are gone afterwards."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(server.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            yield lambda query: [dict(row._mapping) for row in connection.execute(sqlalchemy.text(query))]
        with engine.begin() as connection:
            for table in (*TABLES, "runs"):
                connection.execute(sqlalchemy.text(f'DROP TABLE IF EXISTS "{table}" CASCADE'))
    finally:
        engine.dispose()


def _handshake(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "analyzer", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def _plain(row, columns):
    """A row of ours as the documentation says it is stored."""
    kinds = {column.name: column.dtype for column in columns}
    plain = {}
    for name, value in row.items():
        if value is not None:
            if kinds[name] == "timestamp":
                value = iso_time(value)
            elif kinds[name].startswith("list"):
                value = list(value)
            elif kinds[name] == "evidence":
                value = [{"frame": frame, "says": says} for frame, says in value]
        plain[name] = value
    return plain


def _stored(row, columns):
    kinds = {column.name: column.dtype for column in columns}
    return {
        name: json.loads(value) if value is not None and kinds[name].startswith(("list", "evidence")) else value
        for name, value in row.items()
        if name != "run_id"
    }


def test_every_row_of_every_table_comes_back_equal(server, database):
    captures = [str(CAPTURES / name / "capture.pcapng") for name in NAMES]
    done = _handshake("analyze", *captures, "-o", server)
    assert done.returncode == 0, done.stderr
    result = make_result(Run(captures), Result)
    for table, columns in TABLES.items():
        ours = [_plain(row, columns) for row in result.rows(table)]
        theirs = [_stored(row, columns) for row in database(f'SELECT * FROM "{table}"')]
        assert ours, table

        def order(row):
            return json.dumps(row, sort_keys=True, default=str)

        assert sorted(theirs, key=order) == sorted(ours, key=order), table


def test_a_second_run_is_added_with_its_own_number(server, database):
    capture = CAPTURES / NAMES[0] / "capture.pcapng"
    for _ in range(2):
        assert _handshake("analyze", capture, "-o", server).returncode == 0
    assert [row["n"] for row in database("SELECT count(*) AS n FROM handshakes GROUP BY run_id ORDER BY run_id")] == [1, 1]
    runs = database("SELECT * FROM runs ORDER BY id")
    assert [json.loads(run["captures"]) for run in runs] == [[str(capture)]] * 2
    assert runs[0]["time"] <= runs[1]["time"]


def test_hostile_text_is_text(server, database):
    from analyzer.export.escape import for_utf8

    tables = open_tables(server, "sql", captures=["c"])
    for text in PAYLOADS:
        tables.writer("handshakes").write({"server_name": text, "alpn_offered": (text,), "evidence": [(1, text)]})
    tables.close(True)
    rows = database("SELECT server_name, alpn_offered, evidence FROM handshakes")
    expected = [for_utf8(text).replace("\0", "\\x00") for text in PAYLOADS]
    assert [row["server_name"] for row in rows] == expected
    assert [json.loads(row["alpn_offered"])[0] for row in rows] == [for_utf8(text) for text in PAYLOADS]
    assert [json.loads(row["evidence"])[0]["frame"] for row in rows] == [1] * len(PAYLOADS)


def test_a_run_that_is_undone_leaves_nothing(server, database):
    tables = open_tables(server, "sql", captures=["c"])
    tables.writer("handshakes").write({"server_name": "x"})
    tables.close(False)
    found = database("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    assert found == []


def test_nobody_there_is_one_line_and_exit_1(tmp_path):
    done = _handshake("analyze", CAPTURES / NAMES[0] / "capture.pcapng", "-o", f"postgresql://lab@/postgres?host={tmp_path}")
    assert done.returncode == 1
    assert done.stderr.startswith("handshake: cannot write postgresql")
    assert done.stderr.count("\n") == 1
