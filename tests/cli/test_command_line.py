from __future__ import annotations

import csv
import io
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer.cli.entry import COMMANDS
from analyzer.export.escape import UNSAFE
from analyzer.schema import HANDSHAKES, TABLES

Handshake = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]

HOSTILE = (
    b"\x1b]0;pwned\x07x",
    b"=1+cmd|'A'!",
    b"a\nb\r\nfaked!",
    b"<script>x</",
    b"\xff\xfe\xe2\x80\xae\0\x9b[1mz",
    b"a\tb\x7f\x0b,;\"'$(",
)
"""Server names of eleven octets, as long as the one they take the place of."""


def one_error(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done
    assert done.stderr.startswith("handshake: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


# what it prints -----------------------------------------------------------------------------------


def test_the_summary_names_totals_causes_and_what_to_do_next(handshake: Handshake, expired: Path, completed: Path) -> None:
    done = handshake("analyze", expired, completed)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 TLS attempts: 1 completed, 1 failed")
    assert re.search(r"^ +1  cert-expired +1 +1  20\d\d-", done.stdout, re.MULTILINE)
    assert "stream 0  server.test  cert-expired (certain, client gave up)" in done.stdout
    assert f"handshake explain {expired} 0" in done.stdout
    assert "\x1b" not in done.stdout
    assert all(len(line) <= 80 or str(expired) in line for line in lines)


def test_the_command_it_names_shows_the_handshake(handshake: Handshake, expired: Path) -> None:
    done = handshake("explain", expired, 0)
    assert (done.returncode, done.stderr) == (0, "")
    for part in ("ClientHello", "cert-expired (certain)", "Evidence", "Remedy", "Confirm", "openssl s_client", "tcp.stream == 0"):
        assert part in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_an_old_locale_shows_all_of_it(handshake: Handshake, captures: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    monkeypatch.setenv("PYTHONUTF8", "0")
    capture = captures / "sni-filter-rst--curl-nginx-both-ends" / "capture.pcapng"
    for arguments in (("analyze", capture), ("explain", capture, 1), ("explain", capture)):
        done = handshake(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search("TTL [0-9]+ (→|->) [0-9]+", done.stdout)
        assert ("→" in done.stdout) == (encoding == "utf-8")
        assert "\\u" not in done.stdout


def test_without_a_stream_the_first_that_failed_is_drawn(handshake: Handshake, expired: Path, completed: Path, tmp_path: Path) -> None:
    alone = handshake("explain", expired)
    assert (alone.stdout, alone.stderr) == (handshake("explain", expired, 0).stdout, "")
    several = handshake("explain", expired.parent.parent)
    assert re.fullmatch(r"handshake: the first of [\d,]+ that failed; 'handshake analyze \S+' lists them\n", several.stderr)
    shutil.copy(completed, tmp_path / "trace")  # named like a cause, and none
    fine = handshake("explain", "trace", cwd=tmp_path)
    assert "Stream 0 of trace\n" in fine.stdout
    assert "no such file" in one_error(handshake("explain", tmp_path / "missing.pcap"), 1)
    assert "no cause is called" in one_error(handshake("explain", "missing"), 2)


def test_what_newcomers_write_is_understood(handshake: Handshake, expired: Path) -> None:
    assert f"is no command; to read it: handshake analyze {expired}\n" in handshake(expired).stderr
    assert handshake("help").stdout == handshake("--help").stdout
    assert handshake("help", "analyze").stdout == handshake("analyze", "--help").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="terminals end in other ways elsewhere")
def test_parquet_is_not_written_on_a_terminal(on_terminal: Callable[..., list[str]], expired: Path) -> None:
    assert on_terminal("analyze", str(expired), "-f", "parquet", code=2) == ["handshake: parquet is nothing to look at: add -o FILE"]


def test_a_stream_that_is_not_there_is_an_error(handshake: Handshake, expired: Path) -> None:
    assert "stream 99" in one_error(handshake("explain", expired, 99), 1)


def test_a_cause_is_explained_and_listed(handshake: Handshake) -> None:
    assert "-w '%{time_connect} %{time_appconnect}\\n' https://NAME:PORT/" in handshake("explain", "server-slow").stdout
    page = handshake("explain", "cert-expired").stdout
    assert all(re.search(f"^{heading}$", page, re.MULTILINE) for heading in ("Seen", "Means", "Remedy", "Confirm"))
    assert "{" not in page
    assert re.search(r"^  cert-expired +\S", handshake("causes").stdout, re.MULTILINE)


@pytest.mark.skipif(sys.platform != "linux", reason="terminals end in other ways elsewhere")
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal_words_are_not_broken_and_in_a_pipe_each_cause_is_a_line(
    handshake: Handshake, on_terminal: Callable[..., list[str]], columns: int
) -> None:
    for arguments in (("causes",), ("explain", "cert-expired"), ("explain", "implicit-vs-starttls")):
        lines = on_terminal(*arguments, columns=columns)
        assert max(len(line) for line in lines if not line.startswith("  $ ")) <= columns
    listed = handshake("causes").stdout.splitlines()
    assert all(re.fullmatch(r"|[a-z ]+|  [a-z0-9-]+ +[A-Z].*\.", line) for line in listed)


def test_interfaces_are_listed(handshake: Handshake) -> None:
    done = handshake("interfaces")
    assert done.returncode == 0
    assert re.search(r"^lo\b", done.stdout, re.MULTILINE)


def test_help_has_examples_and_version_is_short(handshake: Handshake) -> None:
    assert "handshake analyze trace.pcapng\n" in handshake("analyze", "--help").stdout
    assert re.fullmatch(r"handshake \S+\n", handshake("--version").stdout)
    assert "--install-completion" in handshake("--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_names_its_places_plainly_and_keeps_its_examples_apart(handshake: Handshake, command: str) -> None:
    lines = handshake(command, "--help").stdout.splitlines()
    assert re.fullmatch(rf"Usage: handshake {command} \[OPTIONS\][A-Z| .\[\]]*", lines[0])
    assert not any("\\b" in line or "\b" in line for line in lines)
    assert all(line.count("handshake ") == 1 for line in lines if line.startswith(f"  handshake {command} "))


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("handshake report --f", ["--failed", "--format", "--fields", "--fail-on"]),
        ("handshake sniff --un", ["--until"]),
        ("handshake analyze --cause cert-ex", ["cert-expired"]),
        ("handshake sniff --fail-on any", ["any"]),
        ("handshake sniff --format j", ["jsonl"]),
        ("handshake report --format ", ["html"]),
        ("handshake report --fields cause,server_n", ["cause,server_name"]),
        ("handshake sniff l", ["lo"]),
        ("handshake analyze cap", []),  # left to the shell, which knows files
    ],
)
def test_a_shell_completes_options_and_what_they_take(spawn: Spawn, monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str]) -> None:
    for name, value in (("_HANDSHAKE_COMPLETE", "complete_bash"), ("COMP_WORDS", line), ("COMP_CWORD", str(line.count(" ")))):
        monkeypatch.setenv(name, value)
    done = spawn(stdout=subprocess.PIPE)
    assert (done.stdout.decode().split(), done.stderr) == (offered, b"")


def test_usage_says_where_more_than_one_may_be_named(handshake: Handshake) -> None:
    for command in ("analyze", "report", "verify"):
        assert f"Usage: handshake {command} [OPTIONS] CAPTURE...\n" in handshake(command, "--help").stdout


def test_wanted_columns_are_aligned(handshake: Handshake, expired: Path) -> None:
    done = handshake("analyze", expired, "--fields", "stream,cause")
    assert done.stdout == "stream  cause\n     0  cert-expired\n"


# formats ------------------------------------------------------------------------------------------


def test_jsonl_has_every_column_and_nothing_else_is_on_stdout(handshake: Handshake, expired: Path) -> None:
    done = handshake("analyze", expired, "--format", "jsonl")
    (row,) = map(json.loads, done.stdout.splitlines())
    assert list(row) == [column.name for column in HANDSHAKES]
    assert (row["cause"], row["outcome"], row["server_name"]) == ("cert-expired", "failed", "server.test")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", row["first_seen"])


def test_the_same_row_in_every_format(handshake: Handshake, expired: Path, tmp_path: Path) -> None:
    for name in ("x.csv", "x.jsonl", "x.parquet", "x.sqlite", "x.ecs.json", "x.log"):
        assert handshake("analyze", expired, "-o", tmp_path / name).returncode == 0, name
    (row,) = csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text()))
    document = json.loads((tmp_path / "x.jsonl").read_text())
    ecs = json.loads((tmp_path / "x.ecs.json").read_text())
    zeek = (tmp_path / "x.log").read_text().splitlines()
    fields = zeek[6].split("\t")[1:]
    ssl = dict(zip(fields, zeek[8].split("\t"), strict=True))
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    stored = connection.execute("SELECT server_name, cause, community_id FROM handshakes").fetchall()
    connection.close()
    assert row["cause"] == document["cause"] == ecs["event"]["code"] == ssl["cause"] == "cert-expired"
    assert row["community_id"] == document["community_id"] == ecs["network"]["community_id"] == ssl["uid"]
    assert stored == [("server.test", "cert-expired", row["community_id"])]
    assert (ssl["version"], ssl["established"], ssl["last_alert"]) == ("TLSv12", "F", "certificate_expired")
    assert (ecs["tls"]["version"], ecs["event"]["outcome"]) == ("1.2", "failure")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(tmp_path / "x.parquet")["cause"].to_pylist() == ["cert-expired"]


def test_a_folder_gets_every_table(handshake: Handshake, expired: Path, completed: Path, tmp_path: Path) -> None:
    assert handshake("analyze", expired, completed, "--format", "jsonl", "-o", f"{tmp_path}/all/").returncode == 0
    rows = {name: (tmp_path / "all" / f"{name}.jsonl").read_text().splitlines() for name in TABLES}
    for name, lines in rows.items():
        assert all(list(json.loads(line)) == [column.name for column in TABLES[name]] for line in lines)
    assert {name: bool(lines) for name, lines in rows.items()} == dict.fromkeys(TABLES, True)
    assert len(rows["handshakes"]) == len(rows["flows"]) == 2


def test_zeek_logs_fill_a_folder(handshake: Handshake, expired: Path, tmp_path: Path) -> None:
    assert handshake("analyze", expired, "--format", "zeek", "-o", tmp_path / "logs").returncode == 0
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["conn.log", "ssl.log"]
    assert "\tssl\t" in (tmp_path / "logs" / "conn.log").read_text()


def test_format_wins_over_the_suffix_and_a_plain_file_is_the_summary(handshake: Handshake, expired: Path, tmp_path: Path) -> None:
    handshake("analyze", expired, "--format", "jsonl", "-o", tmp_path / "x.csv")
    assert json.loads((tmp_path / "x.csv").read_text())["stream"] == 0
    handshake("analyze", expired, "-o", tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_text() == handshake("analyze", expired).stdout


def test_filters_hold_for_rows(handshake: Handshake, expired: Path, completed: Path) -> None:
    def causes(*options: object) -> list[object]:
        done = handshake("analyze", expired, completed, "-f", "jsonl", "--fields", "cause", *options)
        return sorted((json.loads(line)["cause"] for line in done.stdout.splitlines()), key=str)

    assert causes() == [None, "cert-expired"] or causes() == ["cert-expired", None]
    assert causes("--failed") == causes("--cause", "cert-*") == ["cert-expired"]
    assert causes("--server", "*.test", "--failed") == ["cert-expired"]
    assert causes("--server", "other.test") == causes("--since", "2100-01-01") == causes("--until", "1000000000") == []


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_from_the_wire_are_harmless_everywhere(handshake: Handshake, expired: Path, tmp_path: Path, name: bytes) -> None:
    assert len(name) == 11
    path = tmp_path / "hostile.pcapng"
    path.write_bytes(expired.read_bytes().replace(b"server.test", name))
    for arguments in (
        ("analyze", path),
        ("analyze", path, "--fields", "server_name,summary,confirm,evidence,certificate_names"),
        ("analyze", path, "-f", "csv"),
        ("analyze", path, "-f", "jsonl"),
        ("analyze", path, "-f", "ecs"),
        ("analyze", path, "-f", "zeek"),
        ("explain", path, 0),
    ):
        done = handshake(*arguments)
        assert done.returncode == 0, done
        for line in done.stdout.split("\n"):
            assert not UNSAFE.search(line.replace("\t", "") if "zeek" in arguments else line), (arguments, line)
    row = next(csv.DictReader(io.StringIO(handshake("analyze", path, "-f", "csv").stdout)))
    assert not (row["server_name"] or "x").startswith(("=", "+", "-", "@"))
    for command in json.loads(handshake("analyze", path, "-f", "jsonl").stdout)["confirm"]:
        assert "$(" not in command and "cmd|" not in command


# exit codes ---------------------------------------------------------------------------------------


def test_fail_on_is_three(handshake: Handshake, expired: Path, completed: Path) -> None:
    assert handshake("analyze", expired, "--fail-on", "any", "-q").returncode == 3
    assert handshake("analyze", expired, "--fail-on", "cert-*", "-q").returncode == 3
    assert handshake("analyze", expired, "--fail-on", "cert-revoked").returncode == 0
    done = handshake("analyze", completed, "--fail-on", "any")
    assert (done.returncode, done.stderr) == (0, "")
    quiet = handshake("analyze", expired, "--fail-on", "cert-expired", "--quiet", "-f", "csv")
    assert (quiet.returncode, quiet.stderr) == (3, "")


def test_what_cannot_be_read_is_one(handshake: Handshake, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a capture\n" * 10)
    for arguments in ((tmp_path / "missing.pcap",), (text,), (tmp_path / "evil\x1b[2J.pcap",)):
        assert "\x1b" not in one_error(handshake("analyze", *arguments), 1)


@pytest.mark.parametrize(("closed", "status"), [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0)])
def test_output_that_is_closed_is_not_wanted(expired: Path, closed: str, status: int) -> None:
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m analyzer analyze {expired} {closed}"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.parametrize("option", ["--ca-file", "--keylog"])
@pytest.mark.parametrize("name", ["missing", "folder"])
def test_keys_and_roots_that_cannot_be_read_are_one(handshake: Handshake, expired: Path, tmp_path: Path, option: str, name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert name in one_error(handshake("analyze", expired, option, tmp_path / name), 1)


def test_roots_that_are_none_are_one(handshake: Handshake, expired: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.pem").write_text("no certificate")
    assert "holds no PEM certificates" in one_error(handshake("explain", expired, 0, "--ca-file", tmp_path / "notes.pem"), 1)


def test_what_cannot_be_written_is_one(handshake: Handshake, expired: Path, tmp_path: Path) -> None:
    one_error(handshake("analyze", expired, "-o", tmp_path / "missing" / "x.csv"), 1)
    if Path("/dev/full").exists():
        one_error(handshake("analyze", expired, "-f", "csv", "-o", "/dev/full"), 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cause", "cert-expird"),
        ("--fail-on", "nonsense"),
        ("--format", "yaml"),
        ("-o", "x.unknown"),
        ("--fields", "nonsense", "-f", "csv"),
        ("--fields", "cause", "-f", "zeek"),
        ("--since", "yesterday"),
        ("--server-port", "70000"),
        ("--reader", "dpkt"),
        ("-f", "sqlite"),
    ],
)
def test_usage_is_two_and_one_line(handshake: Handshake, expired: Path, arguments: tuple[str, ...]) -> None:
    one_error(handshake("analyze", expired, *arguments), 2)


@pytest.mark.parametrize("arguments", [("analyze",), ("nonsense",), ("analyze", "x", "--nonsense"), ("explain", "x", "first")])
def test_a_command_line_that_cannot_be_parsed_is_two(handshake: Handshake, arguments: tuple[str, ...]) -> None:
    done = handshake(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_an_output_that_fails_touches_no_file(handshake: Handshake, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("yesterday's\n")
    assert handshake("analyze", tmp_path / "missing.pcap", "-o", path).returncode == 1
    assert path.read_text() == "yesterday's\n"
    assert [found.name for found in tmp_path.iterdir()] == ["x.csv"]


# streams and signals ------------------------------------------------------------------------------


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_standard_input_is_read(handshake: Handshake, expired: Path) -> None:
    done = handshake("analyze", "-", "-f", "jsonl", stdin=expired.read_bytes())
    assert json.loads(done.stdout)["cause"] == "cert-expired"
    table = handshake("analyze", "-", stdin=expired.read_bytes()).stdout
    assert re.search(r"^\d\d:\d\d:\d\d  stream 0  server.test  cert-expired", table, re.MULTILINE)
    assert "1 failed" in table


def test_rows_come_before_the_stream_ends(start: Start, captures: Path) -> None:
    """Sections of pcapng can be put one after the other: the first is over when the later ones come."""
    recorded = sorted(captures.glob("completed--curl-nginx-tls1*/capture.pcapng"), key=lambda path: path.stat().st_mtime)
    assert len(recorded) >= 2
    process = start("analyze", "-", "-f", "jsonl")
    assert process.stdin is not None
    assert process.stdout is not None
    for path in recorded:
        process.stdin.write(path.read_bytes())
    process.stdin.flush()
    ready, _, _ = select.select([process.stdout], [], [], 30)
    assert ready, "no row while the stream was open"
    assert json.loads(process.stdout.readline())["outcome"] == "completed"
    assert process.poll() is None


def test_a_reader_that_leaves_ends_it_quietly(spawn: Spawn, expired: Path) -> None:
    for arguments in (("analyze", expired, "-f", "csv"), ("analyze", expired), ("explain", expired, 0), ("causes",)):
        reading, writing = os.pipe()
        os.close(reading)
        done = spawn(*arguments, stdout=writing)
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b""), arguments


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("name", ["x.csv", "x.sqlite", "all/"])
def test_a_run_that_is_stopped_leaves_no_half_file(start: Start, expired: Path, tmp_path: Path, name: str, number: int, code: int) -> None:
    process = start("analyze", "-", "-o", f"{tmp_path}/{name}", *(["-f", "csv"] if name.endswith("/") else []))
    assert process.stdin is not None
    process.stdin.write(expired.read_bytes())
    process.stdin.flush()

    def staged() -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.is_file()]

    wait_for(staged)
    process.send_signal(number)
    assert process.wait(30) == code
    assert not any(path.suffix in (".csv", ".sqlite") for path in staged())
    if number != signal.SIGKILL:
        assert staged() == []


# what it costs to start ---------------------------------------------------------------------------

HEAVY = {"rich", "pandas", "scapy", "pyshark", "pyarrow", "sqlalchemy", "dask", "altair", "jinja2", "pydantic", "lxml", "fsspec"}


def loaded(spawn: Spawn, *arguments: object) -> set[str]:
    """Top-level packages that a run imports."""
    done = spawn(*arguments, python=("-X", "importtime"), stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    lines = done.stderr.decode().splitlines()
    return {line.rsplit("|", 1)[1].strip().partition(".")[0] for line in lines if line.startswith("import time:")}


def test_help_loads_nothing_heavy(spawn: Spawn) -> None:
    assert not loaded(spawn, "--help") & (HEAVY | {"numpy", "cryptography"})
    assert not loaded(spawn, "analyze", "--help") & (HEAVY | {"numpy", "cryptography"})


def test_a_small_run_loads_nothing_heavy(spawn: Spawn, completed: Path) -> None:
    needless = HEAVY | {"typer", "ssl", "subprocess", "asyncio", "secrets", "unittest", "logging"}
    found = loaded(spawn, "analyze", completed)
    assert "numpy" in found
    assert not found & needless
    assert not loaded(spawn, "analyze", completed, "-f", "jsonl") & needless


def test_the_page_of_a_cause_and_the_version_load_next_to_nothing(spawn: Spawn) -> None:
    needless = HEAVY | {"typer", "ssl", "numpy", "cryptography"}
    assert not loaded(spawn, "explain", "cert-expired") & needless
    assert not loaded(spawn, "causes") & needless
    assert not loaded(spawn, "--version") & needless
