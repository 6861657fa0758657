"""Workload D: thousands of handshakes that really took place, so that no two share a random, a key share or a signature.

OpenSSL's ``s_time`` against its ``s_server`` over loopback, in TLS 1.3 and then in TLS 1.2, recorded by tcpdump. The others
are made of few recordings, whose bytes come again and again.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["record_d"]

PORT = 44_330
SECONDS = 12
_ASKED = "/" + "a" * 80
"""A request of ordinary length: a short one looks like an alert."""


def record_d(path: Path) -> int | None:
    """Record them. Returns how many there were; None where openssl or tcpdump is missing or may not listen."""
    if not shutil.which("openssl") or not shutil.which("tcpdump"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=server.test"],
            check=True, capture_output=True,
        )  # fmt: skip
        with (
            _running("openssl", "s_server", "-key", key, "-cert", certificate, "-port", str(PORT), "-www", "-quiet"),
            _running("tcpdump", "-i", "lo", "-U", "-B", "65536", "-w", str(path), f"tcp port {PORT}") as recorder,
        ):
            _wait_for_server(path)
            if recorder.poll() is not None:
                return None
            count = 0
            for version in ("-tls1_3", "-tls1_2"):
                done = subprocess.run(
                    ["openssl", "s_time", "-connect", f"127.0.0.1:{PORT}", "-new", "-time", str(SECONDS), "-www", _ASKED, version],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                count += int((re.findall(r"(\d+) connections in", done.stdout) or ["0"])[-1])
            time.sleep(2)  # what was recorded is on its way to the file
    return count or None


@contextmanager
def _running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_for_server(path: Path) -> None:
    for _ in range(100):
        time.sleep(0.1)
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        except OSError:
            continue
        if path.exists() and path.stat().st_size > 24:  # the recorder saw it
            return
