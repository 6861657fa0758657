"""What ``make demo`` shows: ten recorded captures as one run through the command line, then one failure in full."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT / "captures"

SHOWN = (
    "completed--curl-nginx-tls13",
    "cert-missing-intermediate--curl-nginx-tls12",
    "cert-expired--go-nginx-tls12",
    "client-version-too-old--openssl-nginx-tls11",
    "no-common-cipher--",
    "client-cert-missing--curl-haproxy-tls13",
    "sni-filter-rst--",
    "pmtu-blackhole-client-hello--",
    "http-on-tls-port--",
    "tcp-syn-refused--",
)
"""Begins of folder names; the first folder that fits is taken."""

EXPLAINED = "cert-missing-intermediate--curl-nginx-tls12"


def find(begin: str) -> str:
    """The first recorded capture whose folder begins so, as a path from the root."""
    folder = next(path for path in sorted(CAPTURES.glob(f"{begin}*")) if (path / "capture.pcapng").exists())
    return str((folder / "capture.pcapng").relative_to(ROOT))


def run(*arguments: str) -> int:
    """Say the command, then run it as a user would."""
    print("\n$ handshake " + " \\\n    ".join(map(shlex.quote, arguments)) + "\n", flush=True)
    return subprocess.run([sys.executable, "-m", "analyzer", *arguments], cwd=ROOT, check=False).returncode


def main() -> int:
    chosen = [find(begin) for begin in SHOWN]
    failed = run("analyze", *chosen) or run("explain", find(EXPLAINED), "0")
    print("\nMore: handshake explain CAPTURE STREAM, handshake causes, handshake compare GOOD BAD, handshake --help")
    command = Path(sys.executable).with_name("handshake")
    if command.exists() and shutil.which("handshake") is None:
        print(f"The command is {command.relative_to(ROOT) if command.is_relative_to(ROOT) else command} here.")
    return failed


if __name__ == "__main__":
    sys.exit(main())
