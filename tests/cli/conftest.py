"""The real command in a process of its own, and recorded captures to run it on."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "captures"
COMMAND = [sys.executable, "-m", "analyzer"]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "HANDSHAKE_DEBUG")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


@pytest.fixture
def spawn() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs ``python -m analyzer ARGUMENTS`` with ``python``'s own options and subprocess's."""

    def run(*arguments: object, python: tuple[str, ...] = (), **options: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, *python, "-m", "analyzer", *map(str, arguments)]
        return subprocess.run(command, stderr=subprocess.PIPE, env=environment(), timeout=120, check=False, **options)

    return run


@pytest.fixture
def handshake() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``handshake ARGUMENTS``; standard output and error as text."""

    def run(*arguments: object, stdin: bytes | None = None, **options: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env=environment(),
            timeout=120,
            check=False,
            **options,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def on_terminal() -> Callable[..., list[str]]:
    """Runs ``handshake ARGUMENTS`` on a terminal of so many columns; its lines, colours taken away."""

    def run(*arguments: str, columns: int = 80, code: int = 0) -> list[str]:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment())
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:
            pass  # Linux says EIO when the other end is closed
        os.close(ours)
        assert process.wait(60) == code
        return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()

    return run


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """Starts ``handshake ARGUMENTS`` with pipes at both ends."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


@pytest.fixture(scope="session")
def expired() -> Path:
    """One handshake (TLS 1.2, OpenSSL in curl against nginx) that failed because of an expired certificate."""
    return CAPTURES / "cert-expired--curl-nginx-tls12" / "capture.pcapng"


@pytest.fixture(scope="session")
def completed() -> Path:
    """One handshake that completed."""
    return CAPTURES / "completed--curl-nginx-tls13" / "capture.pcapng"


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recorded captures."""
    return CAPTURES
