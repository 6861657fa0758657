"""A wire between two network namespaces, and a sniffer at one end of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENT, SERVER = "10.99.0.1", "10.99.0.2"


def wait_for(what: Callable[[], object], seconds: float = 15.0) -> object:
    """The first answer of ``what`` that is not falsy; fails when none comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"nothing came within {seconds} s")


class Space:
    """A network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *command: str, **options: object) -> subprocess.CompletedProcess[str]:
        options = {"capture_output": True, "text": True, "timeout": 30, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(["ip", "netns", "exec", self.name, *command], check=False, **options)

    def start(self, *command: str, **options: object) -> subprocess.Popen[bytes]:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        return subprocess.Popen(["ip", "netns", "exec", self.name, *command], **options)


class Wire:
    """``far`` with the clients, ``near`` with the servers; the sniffer listens at ``near``'s end."""

    def __init__(self) -> None:
        number = os.getpid() % 100_000
        self.far, self.near = Space(f"hsf{number}"), Space(f"hsn{number}")
        for space in (self.far, self.near):
            subprocess.run(["ip", "netns", "add", space.name], check=True)
            space.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
            space.run("ip", "link", "set", "lo", "up")
        self.connect()

    def connect(self) -> None:
        """Lay the wire."""
        subprocess.run(
            ["ip", "link", "add", "far0", "netns", self.far.name, "type", "veth", "peer", "name", "near0", "netns", self.near.name],
            check=True,
        )
        for space, name, address in ((self.far, "far0", CLIENT), (self.near, "near0", SERVER)):
            space.run("ethtool", "-K", name, "tso", "off", "gso", "off", "gro", "off")
            space.run("ip", "address", "add", f"{address}/24", "dev", name)
            space.run("ip", "link", "set", name, "up")

    def close(self) -> None:
        for space in (self.far, self.near):
            subprocess.run(["ip", "netns", "del", space.name], check=False)


class Sniff:
    """``handshake sniff`` at the near end. ``rows`` as they come, each with the moment it came."""

    def __init__(self, space: Space, *arguments: str, jsonl: bool = True) -> None:
        command = [sys.executable, "-m", "analyzer", "sniff", *arguments, *(["--format", "jsonl"] if jsonl else [])]
        self.rows: list[tuple[float, dict[str, object]]] = []
        self.lines: list[str] = []
        self.errors: list[str] = []
        environment = {name: value for name, value in os.environ.items() if name != "SUDO_USER"}
        self.process = space.start(
            *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env={**environment, "PYTHONUNBUFFERED": "1"}
        )
        self._threads = [
            threading.Thread(target=self._read, args=(stream, keep), daemon=True)
            for stream, keep in (
                (self.process.stdout, self._row if jsonl else self.lines.append),
                (self.process.stderr, self.errors.append),
            )
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: object, keep: Callable[[str], None]) -> None:
        for line in stream:
            keep(line.decode().rstrip("\n"))

    def _row(self, line: str) -> None:
        self.rows.append((time.time(), json.loads(line)))

    def ready(self) -> Sniff:
        """It says that it listens."""
        wait_for(lambda: any("watching" in line for line in self.errors) or self.process.poll() is not None)
        assert self.process.poll() is None, self.errors
        time.sleep(0.1)
        return self

    def wait_for_rows(self, count: int, seconds: float = 15.0) -> list[dict[str, object]]:
        wait_for(lambda: len(self.rows) >= count, seconds)
        return [row for _, row in self.rows]

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.end()

    def end(self, seconds: float = 20.0) -> int:
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(5)
        return code
