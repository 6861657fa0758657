"""Several processes read as one: the same rows, order, verdicts, warnings; and nothing is left when one of them dies."""

from __future__ import annotations

import gzip
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import analyzer
from analyzer.errors import AnalyzerError
from analyzer.handshakes import attempts
from analyzer.model.handshake import Handshake
from analyzer.model.options import Limits, Options
from analyzer.pipeline import parcels, reading, sharing
from analyzer.pipeline import run as run_module
from analyzer.pipeline.run import Run
from analyzer.schema.columns import TABLES
from analyzer.sources import open_source
from benchmarks.workloads import make_a, make_c

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = sorted(str(path) for path in (ROOT / "captures").glob("*/capture.pcap*"))


def everything(captures: Any, count: int, **wanted: Any) -> dict[str, object]:
    result = analyzer.analyze(captures, workers=count, **wanted)
    assert result._run.reading.__class__.__name__ == ("Workers" if count > 1 else "Reading")
    totals = {field.name: getattr(result.totals, field.name) for field in fields(result.totals) if field.name != "seconds"}
    rest = {
        "totals": totals,
        "warnings": result.warnings,
        "captures": result.captures,
        "prevention": result.prevention,
        "segments": [h.segments for h in result],
        "evidence": [(h.closing_evidence, h.closing_alert, h.faults, h.icmp) for h in result],
    }
    wanted_tables = TABLES if result.options.keeps_flows else [name for name in TABLES if name != "flows"]
    return {name: list(result.rows(name)) for name in wanted_tables} | rest


def same(captures: Any, **wanted: Any) -> dict[str, object]:
    """What one process gives, and two and three give it too."""
    one = everything(captures, 1, **wanted)
    for count in (2, 3):
        several = everything(captures, count, **wanted)
        for name, value in one.items():
            assert several[name] == value, f"{name} by {count}"
    return one


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixed") / "mixed.pcap"
    make_c(path, 250)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "many.pcap"
    make_a(path, 6_000)
    return path


def test_recorded_captures_of_every_kind_as_one_set() -> None:
    one = same(CAPTURES[::7])
    assert len(one["handshakes"]) > 150


def test_one_busy_capture_with_losses(mixed: Path) -> None:
    same(str(mixed))


def test_a_run_that_hands_on_before_its_end(mixed: Path, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "BUFFERED", 20)
    monkeypatch.setattr(run_module, "_FAILURES", 30)
    same(str(mixed), keeps_flows=False)
    same([str(mixed), str(many)])


def test_flows_evicted_and_forgotten(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MANY", 50)
    monkeypatch.setattr(reading, "_CLOSED_LONG", 0.01)
    monkeypatch.setattr("analyzer.sources.source.BATCH_BYTES", 1 << 16)
    one = same(str(mixed), options=Options(limits=Limits(flows=60)), keeps_flows=False)
    assert "forgotten" in " ".join(one["warnings"])


def test_where_tls_is_not_at_home_all_know_the_servers_of_all(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every port is an odd one: whether a connection without TLS is an attempt is told by the others to its server."""
    monkeypatch.setattr(attempts, "TLS_PORTS", ())
    probed = [path for path in CAPTURES if any(name in path for name in ("/connect-close", "/port-scan", "/tcp-", "/icmp-", "/plain-"))]
    one = same([str(mixed), *probed])
    silent = [row for row in one["handshakes"] if row["stage"] in ("syn", "refused", "connected")]
    assert len(silent) > 20


def test_with_keys_of_a_log_and_of_the_capture() -> None:
    keyed = [path for path in CAPTURES if (Path(path).parent / "keys.log").exists()][:3]
    for path in keyed:
        log = Path(path).parent / "keys.log"
        same([path, *CAPTURES[:5]], keylog=str(log))


def test_a_bad_key_log_is_complained_of_once(tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    log.write_text("RSA 00 00\n" * 9)
    one = same(CAPTURES[:6], keylog=str(log))
    assert any("an RSA line" in warning for warning in one["warnings"])


def test_damaged_files(mixed: Path, tmp_path: Path) -> None:
    whole = mixed.read_bytes()
    cut, noise, empty = (tmp_path / name for name in ("cut.pcap", "noise.pcap", "empty.pcap"))
    cut.write_bytes(whole[: len(whole) // 3 + 7])
    noise.write_bytes(whole[:200_000] + os.urandom(4_000) + whole[204_000:400_000])
    empty.write_bytes(whole[:24])
    packed = tmp_path / "packed.pcap.gz"
    packed.write_bytes(gzip.compress(whole[:300_000], 1))
    for path in (cut, noise, empty, packed):
        same(str(path))
    folder = same(str(tmp_path))
    assert len(folder["captures"]) == 4


def test_what_is_no_capture_is_refused_as_by_one(tmp_path: Path) -> None:
    path = tmp_path / "text.pcap"
    path.write_text("no capture")
    for captures in (str(path), [CAPTURES[0], str(path)], str(tmp_path / "missing.pcap")):
        said = set()
        for count in (1, 2):
            with pytest.raises(AnalyzerError) as caught:
                analyzer.analyze(captures, workers=count)
            said.add((type(caught.value), str(caught.value)))
        assert len(said) == 1


def test_what_is_added_while_it_is_read_is_left_out(mixed: Path, tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    whole = mixed.read_bytes()
    path.write_bytes(whole[:400_000])
    before = everything(str(path), 1)["handshakes"]
    run = Run([str(path)], Options(workers=2))
    with path.open("ab") as file:
        file.write(whole[400_000:])
    assert [h.flow.number for h in run.handshakes()] == [row["flow_id"] for row in before]


def test_pipes_and_open_files_are_read_by_one(mixed: Path) -> None:
    with mixed.open("rb") as file:
        run = Run([file], Options(workers=3))
        assert isinstance(run.reading, reading.Reading)
        run.source.close()


def test_as_many_as_pay(mixed: Path, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_idle_cores", lambda: 8)

    def choose(path: Path) -> int:
        with open_source([str(path)]) as source:
            return sharing.choose_workers(source, Options(workers=0))

    assert choose(many) == 4
    assert choose(mixed) == 1  # too small
    monkeypatch.setattr(sharing, "_idle_cores", lambda: 2)
    assert choose(many) == 1


def test_every_field_travels(mixed: Path) -> None:
    """What a Handshake holds comes out of a parcel as it went in, of every kind of handshake that was recorded."""
    packer, unpacker = parcels.Packer(), parcels.Unpacker()
    for path in [*CAPTURES[::5], str(mixed)]:
        with open_source([path]) as source:
            for step in reading.Reading(source, Options(), None).steps():
                for handshake in step.ended:
                    packer.add(handshake)
                for sent, came in zip(step.ended, unpacker.open(packer.take()), strict=True):
                    for field in fields(Handshake):
                        if field.compare and not field.name.startswith(("read_", "known_")):
                            assert getattr(came, field.name) == getattr(sent, field.name), field.name
                    assert (came.messages, came.segments, bool(came.alike)) == (sent.messages, sent.segments, bool(sent.alike))
                    assert came.closing_alert is None or any(came.closing_alert is alert for alert in came.alerts)


def test_shared_values_are_forgotten_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "_SHARED", 5)
    same(CAPTURES[:60])


# -- ends ---------------------------------------------------------------------------------------


def children(of: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{of}/task/{of}/children").read_text().split()]


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "analyzer", "analyze", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def wait_for_children(process: subprocess.Popen[str], count: int) -> list[int]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = children(process.pid) if process.poll() is None else []
        if len(found) == count:
            return found
        time.sleep(0.005)
    raise AssertionError("no workers came")


def gone(pids: list[int]) -> bool:
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def long(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough to be caught while it is read."""
    path = tmp_path_factory.mktemp("long") / "long.pcap"
    whole = many.read_bytes()
    later = bytearray(whole[24:])
    at = 0
    while at < len(later):
        seconds, _, length = struct.unpack_from("<III", later, at)
        struct.pack_into("<I", later, at, seconds + 100_000)
        at += 16 + length
    path.write_bytes(whole + later)
    return path


@linux
def test_a_worker_that_is_killed_ends_the_run_with_one_line_and_no_file(long: Path, tmp_path: Path) -> None:
    process = start(long, "--workers", 2, "-o", tmp_path / "rows.jsonl")
    pids = wait_for_children(process, 2)
    os.kill(pids[1], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert "worker 2 was ended by SIGKILL (out of memory?)" in said
    assert list(tmp_path.iterdir()) == []
    assert gone(pids)


@linux
def test_an_interrupt_ends_all_quietly(long: Path, tmp_path: Path) -> None:
    process = start(long, "--workers", 3, "-o", tmp_path / "rows.csv")
    pids = wait_for_children(process, 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "handshake: interrupted\n")
    assert list(tmp_path.iterdir()) == []
    assert gone(pids)


@linux
def test_workers_do_not_outlive_the_one_who_started_them(long: Path) -> None:
    process = start(long, "--workers", 2)
    pids = wait_for_children(process, 2)
    process.kill()
    process.communicate(timeout=60)
    assert gone(pids)


@linux
def test_a_run_that_is_left_leaves_no_process(long: Path) -> None:
    run = Run([str(long)], Options(workers=2, keeps_flows=False))
    before = set(children(os.getpid()))
    found = run.handshakes()
    next(found)
    pids = list(set(children(os.getpid())) - before)
    assert len(pids) == 2
    found.close()
    assert gone(pids)
    assert not any(pid in children(os.getpid()) for pid in pids)


@linux
def test_memory_stays_bounded(long: Path) -> None:
    program = (
        "import re, resource, sys\nfrom analyzer.pipeline.run import Run\nfrom analyzer.model.options import Options\n"
        "for _ in Run([sys.argv[1]], Options(workers=2, keeps_flows=False)).handshakes(): pass\n"
        "own = re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())\n"
        "print(int(own[1]) // 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(long)], capture_output=True, text=True, check=True, cwd=ROOT)
    own, largest = map(int, done.stdout.split())
    assert own < 120
    assert largest < 120


@pytest.mark.parametrize("arguments", [("--format", "jsonl"), ("--failed", "--format", "csv"), (), ("--fields", "stream,cause")])
def test_the_command_says_the_same(mixed: Path, arguments: tuple[str, ...], tmp_path: Path) -> None:
    said = []
    for count in (1, 2):
        process = start(mixed, "--workers", count, "--fail-on", "any", *arguments)
        out, err = process.communicate(timeout=60)
        said.append((process.returncode, out, err))
    assert said[0] == said[1]
    assert said[0][0] == 3


@pytest.mark.parametrize("name", ["week.sqlite", "logs.zeek/", "tables.csv/"])
def test_files_of_every_kind(mixed: Path, name: str, tmp_path: Path) -> None:
    contents: list[object] = []
    for count in (1, 2):
        target = tmp_path / str(count) / name
        target.parent.mkdir()
        kind = ["--format", "zeek" if "zeek" in name else "csv"] if name.endswith("/") else []
        process = start(mixed, "--workers", count, "-o", f"{target}{'/' if name.endswith('/') else ''}", *kind)
        assert process.communicate(timeout=60)[1] == ""
        contents.append(_content(target))
    assert contents[0] == contents[1]


def _content(target: Path) -> object:
    if target.is_dir():
        return {file.name: [line for line in file.read_text().splitlines() if not line.startswith("#")] for file in target.iterdir()}
    import sqlite3

    with sqlite3.connect(target) as database:
        tables = sorted(name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'runs'"))
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in tables}


def test_the_report_is_the_same(tmp_path: Path) -> None:
    pages = []
    for count in (1, 2):
        path = tmp_path / f"{count}.html"
        process = start(*CAPTURES[:12:3], "--workers", count, "-o", path)
        assert process.communicate(timeout=100)[1] == ""
        pages.append(path.read_text())
    assert len(pages[0]) == len(pages[1])


def test_handshakes_alike_in_two_processes_are_not_called_alike() -> None:
    from analyzer.pipeline.parcels import Packer, Unpacker

    numbers = []
    for _ in range(2):  # two processes that know nothing of each other
        (handshake, *_) = Run([next(path for path in CAPTURES if "completed--" in path)]).handshakes()
        handshake.alike = 1
        packer, unpacker = Packer(), Unpacker()
        packer.add(handshake)
        (opened,) = unpacker.open(packer.take())
        numbers.append(opened.alike)
    assert numbers[0] != numbers[1]
    assert all(numbers)
