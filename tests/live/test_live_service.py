"""Running for weeks: signals, files, interfaces that go, rights, numbers for Prometheus, the view."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from live_network import ROOT, SERVER, Sniff, Wire, wait_for

from analyzer.sources import open_source

Client = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., Sniff]

FAILS = ("-tls1_2", "-cipher", "AES128-SHA")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(sniff: Start, connect: Client, number: signal.Signals) -> None:
    watching = sniff("near0", jsonl=False).ready()
    connect(*FAILS)
    time.sleep(0.1)  # not reported yet: it is told all the same
    assert watching.stop(number) == 0
    failure, totals, frames = watching.lines[:3]
    assert f"{SERVER}" in failure or "server.test" in failure
    assert "1 handshake in" in totals
    assert "1 failed" in totals
    assert "no frame lost" in frames


def test_duration_and_count_end_it(sniff: Start, connect: Client) -> None:
    began = time.monotonic()
    brief = sniff("near0", "--duration", "1s").ready()
    assert brief.end() == 0
    assert time.monotonic() - began < 10
    counted = sniff("near0", "--count", "2").ready()
    for _ in range(3):
        connect(*FAILS)
    assert counted.end() == 0
    assert len(counted.rows) == 2


def test_until_ends_it_and_since_leaves_out_what_began_before(sniff: Start, connect: Client) -> None:
    began = time.time()
    since, until = began + 4, began + 7
    watching = sniff("near0", "--since", f"{since:.3f}", "--until", f"{until:.3f}", "--workers", "2", jsonl=False).ready()
    connect(*FAILS)
    assert time.time() < since
    time.sleep(max(0.0, since + 0.2 - time.time()))
    connect(*FAILS)
    assert watching.end() == 0
    assert until <= time.time() < until + 5
    assert len([line for line in watching.lines if "server.test" in line]) == 1
    assert any("2 failed" in line for line in watching.lines)
    assert "Shown: 1 of 2." in watching.lines
    assert [line for line in watching.errors if "by one process" in line]


def test_chosen_columns_are_lines_as_they_come(sniff: Start, connect: Client) -> None:
    watching = sniff("near0", "--count", "2", "--fields", "server_name,outcome,server_port,alert_encrypted", jsonl=False).ready()
    connect("-servername", "a.test", *FAILS)
    wait_for(lambda: len(watching.lines) == 2)
    connect("-tls1_3")
    assert watching.end() == 0
    assert watching.lines == [
        "server_name  outcome  server_port  alert_encrypted",
        "a.test       failed          4433  false",
        "server.test  completed         4433  -",
    ]
    assert any("1 completed, 1 failed" in line for line in watching.errors)


def test_fail_on_is_the_exit_code(sniff: Start, connect: Client) -> None:
    watching = sniff("near0", "--count", "1", "--fail-on", "any").ready()
    connect(*FAILS)
    assert watching.end() == 3


def open_up(folder: Path) -> None:
    """Let everybody write there: pytest's folders are for their owner only, all the way up."""
    folder.chmod(0o777)
    for above in folder.parents:
        if above.stat().st_uid == os.geteuid() and above.name.startswith(("pytest-", "popen-")):
            above.chmod(0o755)


def test_hanging_up_begins_new_files(sniff: Start, connect: Client, tmp_path: Path) -> None:
    open_up(tmp_path)
    rows, frames = tmp_path / "rows.csv", tmp_path / "failed.pcapng"
    watching = sniff("near0", "-o", str(rows), "--write", str(frames), jsonl=False).ready()
    connect(*FAILS)
    wait_for(lambda: len(rows.read_text().splitlines()) == 2)
    watching.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 4)
    connect(*FAILS)
    connect("-tls1_3")
    wait_for(lambda: len(rows.read_text().splitlines()) == 3)
    assert watching.stop() == 0
    old = list(tmp_path.glob("rows-*.csv"))
    assert len(old) == 1
    assert len(old[0].read_text().splitlines()) == 2
    assert old[0].read_text().splitlines()[0] == rows.read_text().splitlines()[0]
    for capture in (frames, *tmp_path.glob("failed-*.pcapng")):
        said = subprocess.run(
            [sys.executable, "-m", "analyzer", "analyze", str(capture), "--format", "jsonl"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert [json.loads(line)["outcome"] for line in said.splitlines()] == ["failed"]
        assert oct(capture.stat().st_mode & 0o777) == "0o600"


def test_files_are_changed_when_they_are_full(sniff: Start, connect: Client, tmp_path: Path) -> None:
    open_up(tmp_path)
    rows = tmp_path / "rows.jsonl"
    watching = sniff("near0", "-o", str(rows), "--rotate-size", "1k", "--keep", "2", jsonl=False).ready()
    for number in range(1, 5):
        connect(*FAILS)
        wait_for(lambda number=number: len(watching.lines) == number)
        time.sleep(0.3)
    wait_for(lambda: len(list(tmp_path.glob("rows-*.jsonl"))) == 2)
    assert watching.stop() == 0
    kept = sorted(tmp_path.glob("rows*.jsonl"))
    assert len(kept) == 3
    assert all(json.loads(line)["outcome"] == "failed" for path in kept for line in path.read_text().splitlines())


def test_a_folder_that_the_new_user_cannot_write_to_is_told_at_once(sniff: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    watching = sniff("near0", "-o", str(tmp_path / "rows.jsonl"), "--rotate-time", "1h", jsonl=False)
    assert watching.end() == 1
    assert any("cannot begin new files there" in line for line in watching.errors)


def test_an_interface_that_is_removed_ends_it_with_one_line(wire: Wire, sniff: Start, connect: Client) -> None:
    watching = sniff("near0").ready()
    patient = sniff("near0", "--wait").ready()
    connect(*FAILS)
    for each in (watching, patient):
        each.wait_for_rows(1)
    wire.near.run("ip", "link", "del", "near0")
    try:
        assert watching.end() == 1
        assert [line for line in watching.errors if "near0 " in line and "was removed" in line]
        assert not any("Traceback" in line for line in watching.errors)
        wait_for(lambda: any("waiting for it" in line for line in patient.errors))
    finally:
        wire.connect()
    wait_for(lambda: any("is back" in line for line in patient.errors))
    connect(*FAILS)
    patient.wait_for_rows(2)
    assert patient.stop() == 0


def test_an_interface_that_goes_down(wire: Wire, sniff: Start, connect: Client) -> None:
    watching = sniff("near0").ready()
    patient = sniff("near0", "--wait").ready()
    wire.near.run("ip", "link", "set", "near0", "down")
    assert watching.end() == 1
    assert any("went down" in line for line in watching.errors)
    wait_for(lambda: any("waiting for it" in line for line in patient.errors))
    late = sniff("near0")
    assert late.end() == 1
    assert any("near0 is down" in line for line in late.errors)
    wire.near.run("ip", "link", "set", "near0", "up")
    wait_for(lambda: any("is back" in line for line in patient.errors))
    wait_for(lambda: "CONNECTED" in connect(*FAILS).stdout)
    patient.wait_for_rows(1)
    assert patient.stop() == 0


def test_names_and_filters_that_are_wrong(sniff: Start) -> None:
    for arguments, code, says in (
        (("nothere",), 1, "there is no interface 'nothere'; there are: lo, "),
        (("near0", "--bpf", "port of call"), 2, "--bpf 'port of call': "),
        (("near0", "--user", "nobody-of-that-name"), 2, "there is no user"),
        (("near0", "--duration", "soon"), 2, "is no length of time"),
        (("near0", "--until", "2020-01-01"), 2, "has passed, nothing is left to watch: it is 20"),
        (("near0", "--since", "2999-01-02", "--until", "2999-01-01"), 2, "nothing began between them"),
        (("near0", "--metrics", "here"), 2, "write :9464"),
        (("near0", "-o", "/nowhere/rows.jsonl"), 1, "cannot write /nowhere/rows.jsonl"),
        (("near0", "-o", "rows.parquet"), 2, "cannot be written as parquet"),
    ):
        each = sniff(*arguments, jsonl=False)
        assert each.end() == code, each.errors
        assert [line for line in each.errors if says in line], each.errors
        assert len(each.errors) == 1


def test_without_permission_it_says_what_grants_it(wire: Wire) -> None:
    said = wire.near.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "analyzer", "sniff", "near0", cwd=ROOT)
    assert said.returncode == 1
    assert said.stdout == ""
    assert "sudo handshake sniff near0" in said.stderr
    assert "sudo setcap cap_net_raw,cap_net_admin+eip /" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_root_is_given_up_before_the_first_frame(sniff: Start, connect: Client) -> None:
    watching = sniff("near0", "--metrics", "127.0.0.1:9465").ready()
    for task in Path(f"/proc/{watching.process.pid}/task").iterdir():
        status = _status(int(task.name))
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65534"}
        assert status["Groups"] == ""
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    connect(*FAILS)
    watching.wait_for_rows(1)
    assert watching.stop() == 0
    kept = sniff("near0", "--user", "daemon").ready()
    assert set(_status(kept.process.pid)["Uid"].split()) == {"1"}
    assert kept.stop() == 0


def test_prometheus_scrapes_it_each_second(wire: Wire, sniff: Start, connect: Client) -> None:
    watching = sniff("near0", "--metrics", "127.0.0.1:9464", "--timeout", "2").ready()
    connect(*FAILS)
    connect("-tls1_3")
    connect("-servername", "other.test", *FAILS)
    watching.wait_for_rows(3)
    for _ in range(3):
        scraped = wire.near.run("curl", "-s", "-H", "Accept: application/openmetrics-text", "http://127.0.0.1:9464/metrics").stdout
        assert scraped.rstrip().endswith("# EOF")
        time.sleep(0.2)
    plain = wire.near.run("curl", "-s", "http://127.0.0.1:9464/metrics").stdout
    numbers = {name: float(value) for name, _, value in (line.rpartition(" ") for line in plain.splitlines() if line[:1] != "#")}
    assert numbers['handshakes_total{cause="",outcome="completed"}'] == 1
    assert sum(value for name, value in numbers.items() if name.startswith("handshakes_total") and 'outcome="failed"' in name) == 2
    assert numbers['handshakes_by_server_name_total{outcome="failed",server_name="other.test"}'] == 1
    assert numbers["handshake_duration_seconds_count"] == 1
    assert numbers['handshake_duration_seconds_bucket{le="+Inf"}'] == 1
    assert numbers["handshake_frames_total"] > 20
    assert numbers["handshake_kernel_drops_total"] == 0
    assert 20e6 < numbers["handshake_memory_bytes"] < 400e6
    assert numbers["handshake_flows_tracked"] <= numbers["handshake_flows_total"] == 3
    assert watching.stop() == 0


def test_write_all_keeps_every_frame(wire: Wire, sniff: Start, connect: Client, tmp_path: Path) -> None:
    everything = tmp_path / "all.pcapng"
    watching = sniff("near0", "--write-all", str(everything), "--snaplen", "128").ready()
    connect("-tls1_3")
    row = watching.wait_for_rows(1)[0]
    assert watching.stop() == 0
    with open_source([str(everything)]) as source:
        batches = [(len(batch), int(batch.captured_length.max()), int(batch.original_length.max())) for batch in source]
        assert source.interfaces[0].name == "near0"
    assert sum(n for n, *_ in batches) >= int(str(row["last_frame"]))
    assert max(captured for _, captured, _ in batches) == 128
    assert max(original for *_, original in batches) > 500


def test_the_view_fits_eighty_columns(wire: Wire, connect: Client) -> None:
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    name = f"hs{time.monotonic_ns()}"
    command = f"cd {ROOT} && exec ip netns exec {wire.near.name} {sys.executable} -m analyzer sniff near0"
    subprocess.run(
        ["tmux", "-L", name, "new-session", "-d", "-x", "80", "-y", "24", "-s", "view", command, ";", "set", "remain-on-exit", "on"],
        check=True,
    )

    def screen() -> str:
        return subprocess.run(["tmux", "-L", name, "capture-pane", "-p", "-t", "view"], capture_output=True, text=True, check=True).stdout

    try:
        wait_for(lambda: "frames/s" in screen())
        time.sleep(0.3)
        for _ in range(3):
            connect(*FAILS)
        wait_for(lambda: "3 failed" in screen())
        shown = screen()
        assert shown.count("server.test:4433") == 3
        assert "no frame lost" in shown
        assert "near0" in shown
        assert all(len(line) <= 80 for line in shown.splitlines())
        assert len([line for line in shown.splitlines() if "handshakes:" in line]) == 1  # drawn in place
        subprocess.run(["tmux", "-L", name, "send-keys", "-t", "view", "C-c"], check=True)
        wait_for(lambda: "3 handshakes in" in screen())
    finally:
        subprocess.run(["tmux", "-L", name, "kill-server"], check=False, capture_output=True)


def test_until_ends_an_iterator_of_python_too(wire: Wire) -> None:
    program = (
        "import analyzer, time\n"
        "with analyzer.sniff('near0', until=time.time_ns() + 10**9) as sniffer: print(len(list(sniffer)))\n"
        "try: analyzer.sniff('near0', until='2020-01-01')\n"
        "except analyzer.UsageError as error: print(str(error)[:24])\n"
    )
    assert wire.near.run(sys.executable, "-c", program, cwd=ROOT).stdout.splitlines() == ["0", "'until' has passed, noth"]


def test_as_an_iterator_of_python(wire: Wire, connect: Client) -> None:
    program = (
        "import analyzer\n"
        "with analyzer.sniff('near0', count=2, timeout=2) as sniffer:\n"
        "    print('ready', flush=True)\n"
        "    for handshake in sniffer: print(handshake.outcome, handshake.flow.server_port)\n"
        "    print(sniffer)\n"
    )
    process = wire.near.start(sys.executable, "-c", program, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    connect(*FAILS)
    connect("-tls1_3")
    said = process.stdout.read().decode().splitlines()
    assert process.wait(10) == 0
    process.stdout.close()
    assert sorted(said[:2]) == ["completed 4433", "failed 4433"]
    assert said[2].startswith("<Sniffer on near0: 2 handshakes, 1 failed, 0 frames lost")
