"""What a sniffer tells is what an analysis of the same frames tells, and in time."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from live_network import CLIENT, ROOT, SERVER, Sniff, Wire, wait_for

Client = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., Sniff]

GO = """package main
import ("crypto/tls"; "fmt"; "io"; "net"; "os")
func main() {
  if os.Args[1] == "serve" {
    pair, err := tls.LoadX509KeyPair(os.Args[3], os.Args[4]); if err != nil { panic(err) }
    l, err := tls.Listen("tcp", os.Args[2], &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
    if err != nil { panic(err) }
    for { c, err := l.Accept(); if err != nil { return }; go func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }(c) }
  }
  c, err := tls.Dial("tcp", os.Args[2], &tls.Config{ServerName: "server.test", InsecureSkipVerify: os.Args[1] == "trust"})
  if err != nil { fmt.Println(err); os.Exit(1) }
  c.Write([]byte("hello")); c.Close()
}
"""


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """A TLS client and server in Go; None where there is no Go."""
    if not shutil.which("go"):
        return None
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO)
    built = subprocess.run(
        ["go", "build", "-o", "tls", "main.go"], cwd=folder, capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/go/bin", "HOME": str(folder), "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "GOCACHE": "/tmp/go-build-cache"},
    )  # fmt: skip
    return str(folder / "tls") if built.returncode == 0 else None


def analyze(path: Path, *options: str) -> list[dict[str, object]]:
    said = subprocess.run(
        [sys.executable, "-m", "analyzer", "analyze", str(path), "--format", "jsonl", "--quiet", *options],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [json.loads(line) for line in said.splitlines()]


def same(column: str, live: object, offline: object) -> bool:
    """Equal; times to a millisecond, as the kernel stamps a frame it sends once for each listener."""
    if column in ("first_seen", "last_seen"):
        return abs(datetime.fromisoformat(str(live)) - datetime.fromisoformat(str(offline))).total_seconds() < 0.001
    if column.endswith("_ms") and isinstance(live, float) and isinstance(offline, float):
        return abs(live - offline) < 1.0
    return live == offline


def by_client(rows: list[dict[str, object]]) -> dict[object, dict[str, object]]:
    return {(row["client_port"], row["server_port"]): row for row in rows}


def test_every_handshake_of_real_stacks_as_in_a_capture_of_the_same_time(
    wire: Wire, sniff: Start, connect: Client, server: int, certificate: tuple[str, str], go_program: str | None, tmp_path: Path
) -> None:
    servers = []
    if shutil.which("gnutls-serv"):
        servers.append(
            wire.near.start("gnutls-serv", "-p", "4440", "--x509certfile", certificate[0], "--x509keyfile", certificate[1], "-q")
        )
    if go_program:
        servers.append(wire.near.start(go_program, "serve", ":4441", *certificate))
    listening = [port for port, there in ((4440, shutil.which("gnutls-serv")), (4441, go_program)) if there]
    wait_for(lambda: all(f":{port} " in wire.near.run("ss", "-ltn").stdout for port in listening))
    capture = tmp_path / "same.pcap"
    dump = wire.near.start(
        "tcpdump",
        "-i",
        "near0",
        "--immediate-mode",
        "-U",
        "-B",
        "65536",
        "--time-stamp-precision=nano",
        "-Z",
        "root",
        "-w",
        str(capture),
        "tcp",
    )
    wait_for(capture.exists)
    time.sleep(0.3)
    watching = sniff("near0", "--timeout", "3").ready()
    ends: dict[str, float] = {}
    asked = 0

    def ask(*command: str) -> None:
        nonlocal asked
        asked += 1
        wire.far.run(*command)
        ends[str(asked)] = time.time()

    for options in (
        ("-tls1_3",), ("-tls1_2",), ("-tls1_2", "-cipher", "AES128-SHA"), ("-verify_return_error",), ("-tls1_2", "-verify_return_error"),
        ("-tls1_3", "-sigalgs", "RSA-PSS+SHA256"), ("-groups", "X448"),
    ):  # fmt: skip
        connect(*options)
        asked += 1
    connect(port=server + 2)  # speaks HTTP
    connect(port=server + 9)  # nobody there
    asked += 2
    silent = wire.far.start("openssl", "s_client", "-connect", f"{SERVER}:{server + 1}", "-servername", "silent.test")
    asked += 1
    if shutil.which("gnutls-cli"):
        for port in (server, *listening[:1]):
            ask("gnutls-cli", "-p", str(port), "--sni-hostname=server.test", "--verify-hostname=server.test", SERVER)
            ask("gnutls-cli", "-p", str(port), "--insecure", "--sni-hostname=server.test", SERVER)
            ask("gnutls-cli", "-p", str(port), "--insecure", "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.1", SERVER)
    if go_program:
        for port in (server, 4441):
            ask(go_program, "verify", f"{SERVER}:{port}")
            ask(go_program, "trust", f"{SERVER}:{port}")
    if shutil.which("curl"):
        ask("curl", "-sk", "--max-time", "3", f"https://{SERVER}:4441/")
        ask("curl", "-s", "--max-time", "3", "--tls-max", "1.2", f"https://{SERVER}:{server}/")
    # port 4442 onwards are no TLS ports: only TLS makes them attempts
    live = watching.wait_for_rows(asked - 1, 20)
    silent.terminate()
    silent.wait(10)
    time.sleep(0.5)
    assert watching.stop() == 0
    dump.send_signal(signal.SIGINT)
    dump.wait(10)
    for process in servers:
        process.terminate()
        process.wait(10)
    live = [row for _, row in watching.rows]
    offline = analyze(capture)
    told, expected = by_client(live), by_client(offline)
    assert len(told) == len(live)
    assert told.keys() == expected.keys()
    assert sum(row["outcome"] == "failed" for row in live) >= 8
    assert sum(row["outcome"] == "completed" for row in live) >= 2
    different = {
        (key, column, str(told[key][column]), str(row[column]))
        for key, row in expected.items()
        for column in row
        if key[1] != server + 1  # judged before its client gave up, as it must
        if column not in ("capture", "confirm", "also") and not same(column, told[key][column], row[column])
    }
    # what a verdict owes to handshakes that came later cannot be known live
    assert {column for _, column, *_ in different} <= {"cause", "confidence", "summary", "evidence", "remedy"}, different
    assert all(told[key]["outcome"] == row["outcome"] for key, row in expected.items()), different
    agreed = sum(told[key]["cause"] == row["cause"] for key, row in expected.items())
    assert agreed >= len(expected) - 2, different


def test_a_failure_is_told_within_a_second(sniff: Start, connect: Client) -> None:
    watching = sniff("near0").ready()
    delays = []
    for number in range(5):
        connect("-tls1_2", "-cipher", "AES128-SHA")
        ended = time.time()
        watching.wait_for_rows(number + 1)
        delays.append(watching.rows[-1][0] - ended)
    assert watching.stop() == 0
    assert [row["outcome"] for _, row in watching.rows] == ["failed"] * 5
    assert statistics.median(delays) < 1.0, delays


def test_silence_is_told_when_its_time_has_passed(wire: Wire, sniff: Start, server: int) -> None:
    watching = sniff("near0", "--timeout", "2").ready()
    client = wire.far.start("openssl", "s_client", "-connect", f"{SERVER}:{server + 1}")
    began = time.time()
    row = watching.wait_for_rows(1)[0]
    assert 1.9 < watching.rows[0][0] - began < 4.0
    assert (row["outcome"], row["cause"]) == ("failed", "client-hello-no-answer")
    client.terminate()
    client.wait(10)
    assert watching.stop() == 0


def test_keys_that_are_written_while_it_watches(sniff: Start, connect: Client, tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    log.touch()
    watching = sniff("near0", "--keylog", str(log)).ready()
    connect("-tls1_3", "-keylogfile", str(log))
    row = watching.wait_for_rows(1)[0]
    assert watching.stop() == 0
    assert row["outcome"] == "completed"
    assert "server.test" in str(row["certificate_subject"])


def test_the_portable_way_tells_the_same(sniff: Start, connect: Client) -> None:
    watching, portable = sniff("near0").ready(), sniff("near0", "--portable").ready()
    connect("-tls1_3")
    for each in (watching, portable):
        each.wait_for_rows(1)
    connect("-tls1_2", "-cipher", "AES128-SHA")
    both = [each.wait_for_rows(2) for each in (watching, portable)]
    assert watching.stop() == portable.stop() == 0
    columns = ("client_port", "outcome", "cause", "server_name", "ja4", "history", "first_frame", "last_frame")
    first, second = ([[row[column] for column in columns] for row in rows] for rows in both)
    assert first == second


def test_a_filter_of_libpcap_holds_besides_the_default_one(wire: Wire, sniff: Start, connect: Client, server: int) -> None:
    watching = sniff("near0", "--bpf", f"port {server + 2}").ready()
    everywhere = sniff("any", "--bpf", f"host {CLIENT} and port {server + 2}").ready()
    connect()
    connect(port=server + 2)
    for each in (watching, everywhere):
        each.wait_for_rows(1)
        assert each.stop() == 0
        assert [row["server_port"] for _, row in each.rows] == [server + 2]


def test_one_frame_on_several_interfaces_is_one(wire: Wire, sniff: Start, connect: Client) -> None:
    near = wire.near
    near.run("ip", "link", "add", "bridge0", "type", "bridge")
    near.run("ip", "address", "flush", "dev", "near0")
    near.run("ip", "link", "set", "near0", "master", "bridge0")
    near.run("ip", "link", "set", "bridge0", "up")
    near.run("ip", "address", "add", f"{SERVER}/24", "dev", "bridge0")
    try:
        wait_for(lambda: "state UP" in near.run("ip", "link", "show", "bridge0").stdout)
        watching = sniff("--interface", "any").ready()
        connect("-tls1_2", "-cipher", "AES128-SHA")
        row = watching.wait_for_rows(1)[0]
        assert watching.stop() == 0
        assert (row["outcome"], row["duplicate_frames"], row["retransmissions"]) == ("failed", 0, 0)
        assert any("copies left out" in line for line in watching.errors)
    finally:
        near.run("ip", "link", "del", "bridge0")
        near.run("ip", "address", "add", f"{SERVER}/24", "dev", "near0")


def test_vlan_tags_that_the_kernel_took_out_are_put_back(wire: Wire, sniff: Start, tmp_path: Path) -> None:
    everything = tmp_path / "all.pcapng"
    watching = sniff("near0", "--timeout", "1", "--write-all", str(everything)).ready()
    tagged = (
        "import socket\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('far0', 0))\n"
        "s.send(bytes.fromhex('ffffffffffff020000000001' '8100004d' '0800' '4500002800014000400600000a6200010a620002'"
        " '9c4001bb0000000100000000500200640000' '0000'))\n"
    )
    assert wire.far.run(sys.executable, "-c", tagged).returncode == 0
    row = watching.wait_for_rows(1)[0]
    assert watching.stop() == 0
    assert (row["client_address"], row["server_port"]) == ("10.98.0.1", 443)
    assert bytes.fromhex("ffffffffffff0200000000018100004d080045") in everything.read_bytes()


def test_a_handshake_hit_by_a_loss_says_so_and_names_no_false_cause(wire: Wire, sniff: Start, connect: Client, server: int) -> None:
    watching = sniff("near0", "--ring-size", "1", "--timeout", "2").ready()
    watching.process.send_signal(signal.SIGSTOP)  # a machine that is too busy to look
    client = wire.far.start("openssl", "s_client", "-connect", f"{SERVER}:{server + 1}")
    time.sleep(0.3)
    flood = f"import socket\ns=socket.create_connection(('{SERVER}', {server + 2}))\ns.sendall(bytes(3_000_000))"
    wire.far.run(sys.executable, "-c", flood)
    watching.process.send_signal(signal.SIGCONT)
    wait_for(lambda: any(row["server_port"] == server + 1 for _, row in watching.rows))
    client.terminate()
    client.wait(10)
    assert watching.stop() == 0
    row = next(row for _, row in watching.rows if row["server_port"] == server + 1)
    assert (row["outcome"], row["cause"]) == ("unfinished", "cap-drops")
    assert "lost" in str(row["evidence"])
    assert any("frames lost" in line for line in watching.errors)
