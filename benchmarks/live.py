"""How much ``handshake sniff`` takes before it loses a frame, and how much memory it takes: ``make bench-live``.

Needs root, iproute2 and tcpreplay. A pair of virtual interfaces, one end in a network namespace of its own: tcpreplay
sends into it, the sniffer listens at the other end. Traffic is that of a gateway: for each handshake (recorded from
real stacks) 85 frames of connections whose handshakes are past. ``--minutes 10`` for memory over a longer time, ``--flood``
for five million half-open connections with real handshakes among them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.workloads import ORDINARY, REFUSED, START, Writer, _client_of, _segment, many, readdress, templates

__all__ = ["main", "make_flood", "make_traffic"]

WORK = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(__file__).resolve().parent / "work"
SPACE, NEAR, FAR = f"hsbench{os.getpid() % 10000}", "hsb0", "hsb1"
PORT = 19464
ALONE = ("chrt", "-r", "1")
"""What else this machine does is not measured."""
RATES = (50_000, 75_000, 100_000, 125_000, 150_000, 175_000, 200_000, 250_000, 300_000, 400_000)
PER_HANDSHAKE = 85  # frames of other connections for each handshake: about 100 in all


def make_traffic(path: Path, handshakes: int = 4_000) -> tuple[int, int]:
    """(frames, handshakes) of a pcap: handshakes in the flow of data of connections that were there before."""
    recorded = templates(ORDINARY + REFUSED)
    client = _client_of(recorded[0])
    down = next(f for _, f in recorded[0] if (f[26:30], int.from_bytes(f[34:36], "big")) != client)
    up = next(f for _, f in recorded[0] if (f[26:30], int.from_bytes(f[34:36], "big")) == client)
    payload = b"\x17\x03\x03\x02\x0f" + bytes(range(256)) * 2 + bytes(15)
    tails = [[1000 + n, 1, readdress(down, client, 3_000_000 + n), readdress(up, client, 3_000_000 + n)] for n in range(40)]
    writer = Writer(path)
    told = 0.0
    share = PER_HANDSHAKE / (sum(map(len, recorded)) / len(recorded))
    number = 0
    for when, frame in many(recorded, handshakes, 1_000_000):
        writer.write(when, frame)
        told += share
        while told >= 1:
            told -= 1
            tail = tails[number % len(tails)]
            number += 1
            if number // len(tails) % 3 == 2:
                writer.write(when, _segment(tail[3], tail[1], tail[0], b""))
            else:
                writer.write(when, _segment(tail[2], tail[0], tail[1], payload))
                tail[0] += len(payload)
    writer.close()
    return writer.frames, handshakes


def make_flood(path: Path, flows: int) -> None:
    """``flows`` SYNs, each from another address and port, to port 443 of one server."""
    record = np.dtype([("header", ">V16"), ("frame", "V54")])
    ethernet = bytes.fromhex("020000000002020000000001") + b"\x08\x00"
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 1, 0x4000, 64, 6, 0, bytes(4), bytes((10, 99, 0, 2)))
    tcp = struct.pack(">HHIIBBHHH", 0, 443, 1, 0, 0x50, 2, 64240, 0, 0)
    frame = ethernet + ip + tcp
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for begin in range(0, flows, 500_000):
            n = min(500_000, flows - begin)
            rows = np.zeros((n, record.itemsize), np.uint8)
            rows[:, :16] = np.frombuffer(struct.pack("<IIII", START // 10**9, 0, 54, 54), np.uint8)
            rows[:, 16:] = np.frombuffer(frame, np.uint8)
            number = np.arange(begin, begin + n, dtype=np.uint32)
            # a walk over all addresses of 11.0.0.0/8 and over the ports that looks random
            address = (np.uint32(0x0B000000) | (number * np.uint32(7919) & np.uint32(0xFFFFFF))).astype(">u4")
            rows[:, 42:46] = address.view(np.uint8).reshape(-1, 4)
            rows[:, 50:52] = (number * np.uint32(40503) >> np.uint32(3)).astype(np.uint16).astype(">u2").view(np.uint8).reshape(-1, 2)
            rows[:, 54:58] = (number * np.uint32(2654435761)).astype(">u4").view(np.uint8).reshape(-1, 4)
            file.write(rows.tobytes())


@contextlib.contextmanager
def wire() -> Iterator[None]:
    """A pair of interfaces, the sending one in its own namespace."""
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    try:
        subprocess.run(["ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", SPACE], check=True)
        subprocess.run(["sysctl", "-qw", f"net.ipv6.conf.{NEAR}.disable_ipv6=1"], check=False)
        subprocess.run(["ip", "link", "set", NEAR, "up"], check=True)
        subprocess.run(["ip", "netns", "exec", SPACE, "ip", "link", "set", FAR, "up"], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", SPACE], check=False)
        subprocess.run(["ip", "link", "del", NEAR], check=False, stderr=subprocess.DEVNULL)


class Sniffer:
    """``handshake sniff`` on our end, asked through its metrics."""

    def __init__(self, *options: str) -> None:
        self.rows = WORK / f"hsbench-rows-{os.getpid()}.jsonl"
        self.process = subprocess.Popen(
            [*ALONE, sys.executable, "-m", "analyzer", "sniff", NEAR,
             "--format", "jsonl", "--fields", "outcome,cause,server_port,client_address",
             "--metrics", f"127.0.0.1:{PORT}", *options],
            stdout=self.rows.open("wb"), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        for _ in range(100):
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                self.ask()
                break
        time.sleep(0.3)

    def ask(self) -> dict[str, float]:
        """The numbers now, without those with labels but for outcomes."""
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> int:
        """Highest resident memory, bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        self.rows.unlink(missing_ok=True)


def send(path: Path, *, rate: int | None, seconds: float | None = None, loops: int | None = None) -> float:
    """Replay a file into the far end; frames a second that were really sent."""
    command = [*ALONE, "ip", "netns", "exec", SPACE, "tcpreplay", "-q", "-i", FAR, "--preload-pcap"]
    command += ["--topspeed"] if rate is None else [f"--pps={rate}"]
    if seconds is not None:
        command += ["--unique-ip", "--loop=100000", f"--duration={max(1, int(seconds))}"]
    elif loops is not None:
        command += ["--unique-ip", f"--loop={loops}"]
    said = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False).stdout
    for line in said.splitlines():
        if line.startswith("Rated:"):
            return float(line.split(",")[-1].split()[0])
    return 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="for each rate")
    parser.add_argument("--minutes", type=float, default=0.5, help="at 80 %% of the highest rate, for memory")
    parser.add_argument("--rate", type=int, help="look at memory at this rate, search for no other")
    parser.add_argument("--flood", type=int, nargs="?", const=5_000_000, help="half-open connections, instead")
    parser.add_argument("--flood-rate", type=int, default=None, help="SYNs a second; default: as fast as tcpreplay can")
    wanted = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("tcpreplay") or not shutil.which("ip"):
        sys.exit("bench-live needs root, iproute2 and tcpreplay")
    with wire():
        if wanted.flood:
            flood(wanted.flood, wanted.flood_rate)
        else:
            rates(wanted.seconds, wanted.minutes, wanted.rate)


def rates(seconds: float, minutes: float, only: int | None) -> None:
    """The highest rate without loss, then memory at 80 % of it."""
    path = WORK / f"hsbench-{os.getpid()}.pcap"
    try:
        frames, handshakes = make_traffic(path)
        print(f"traffic: {frames:,} frames with {handshakes:,} handshakes, {path.stat().st_size / frames:.0f} bytes a frame, repeated")
        if only:
            steady(path, only, minutes * 60)
            return
        best = 0.0
        for rate in RATES:
            sniffer = Sniffer()
            before = sniffer.processor_seconds()
            sent = send(path, rate=rate, seconds=seconds)
            busy = (sniffer.processor_seconds() - before) / seconds
            time.sleep(1.0)
            seen = sniffer.ask()
            sniffer.stop()
            lost, taken = seen["handshake_kernel_drops_total"], seen["handshake_frames_total"]
            told = sum(v for k, v in seen.items() if k.startswith("handshakes_total"))
            print(
                f"{sent:>9,.0f} frames/s, {told / seconds:>6,.0f} handshakes/s: {lost:>9,.0f} lost of {lost + taken:,.0f}; "
                f"{busy:4.0%} of a core, {seen['handshake_memory_bytes'] / 1e6:.0f} MB", flush=True,
            )  # fmt: skip
            if lost or sent < rate * 0.9:
                break
            best = sent
        print(f"highest rate without loss: {best:,.0f} frames/s", flush=True)
        if best:
            steady(path, int(best * 0.8), minutes * 60)
    finally:
        path.unlink(missing_ok=True)


def steady(path: Path, rate: int, seconds: float) -> None:
    """Memory while the traffic goes on."""
    sniffer = Sniffer()
    sender = subprocess.Popen(
        [*ALONE, "ip", "netns", "exec", SPACE, "tcpreplay", "-q", "-i", FAR, "--preload-pcap", f"--pps={rate}",
         "--unique-ip", "--loop=100000", f"--duration={max(1, int(seconds))}", str(path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    begin, step = time.monotonic(), max(5.0, seconds / 10)
    while sender.poll() is None:
        time.sleep(min(step, max(1.0, begin + seconds - time.monotonic())))
        seen = sniffer.ask()
        print(
            f"{time.monotonic() - begin:>7.0f} s at {rate:,} frames/s: {seen['handshake_memory_bytes'] / 1e6:.0f} MB, "
            f"{seen['handshake_flows_tracked']:,.0f} connections tracked, {seen['handshake_kernel_drops_total']:,.0f} frames lost",
            flush=True,
        )  # fmt: skip
        if time.monotonic() - begin > seconds + 5:
            sender.terminate()
    print(f"highest memory: {sniffer.peak() / 1e6:.0f} MB")
    sniffer.stop()


def flood(flows: int, rate: int | None) -> None:
    """Half-open connections, and a real handshake now and then that has to be seen."""
    path, real = WORK / f"hsbench-flood-{os.getpid()}.pcap", WORK / f"hsbench-real-{os.getpid()}.pcap"
    try:
        make_flood(path, flows)
        recorded = templates(REFUSED[:1])[0]
        sniffer = Sniffer("--failed")
        begin = time.monotonic()
        command = [
            *ALONE,
            "ip",
            "netns",
            "exec",
            SPACE,
            "tcpreplay",
            "-q",
            "-i",
            FAR,
            *(["--topspeed"] if rate is None else [f"--pps={rate}"]),
        ]
        sender = subprocess.Popen([*command, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        asked = 0
        while sender.poll() is None:
            asked += 1
            writer = Writer(real)
            for when, frame in recorded:
                writer.write(when, readdress(frame, _client_of(recorded), 5_000_000 + asked))
            writer.close()
            subprocess.run(
                [*ALONE, "ip", "netns", "exec", SPACE, "tcpreplay", "-q", "-i", FAR, "--pps=200", str(real)],
                check=False,
                capture_output=True,
            )
            time.sleep(0.5)
        took = time.monotonic() - begin
        time.sleep(12)
        seen = sniffer.ask()
        rows = [json.loads(line) for line in sniffer.rows.read_text().splitlines()]
        found = sum(row["cause"] == "cert-expired" for row in rows)
        print(f"{flows:,} SYNs in {took:.0f} s ({flows / took:,.0f}/s), {seen['handshake_kernel_drops_total']:,.0f} frames lost")
        print(f"real failures among them: {found} of {asked} reported; {len(rows):,} rows, "
              f"{seen['handshake_unlisted_total']:,.0f} counted only, "
              f"{seen['handshake_evictions_total']:,.0f} forgotten")  # fmt: skip
        print(f"memory: {seen['handshake_memory_bytes'] / 1e6:.0f} MB, highest {sniffer.peak() / 1e6:.0f} MB")
        sniffer.stop()
    finally:
        path.unlink(missing_ok=True)
        real.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
