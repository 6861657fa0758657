"""The stacks: how to start a server or run a client of each, from one vocabulary of options.

A driver turns options into a `Command`.  The vocabulary (every driver does what it can of it):

    name        the name to ask for and verify (server.test);  sni: another name, or "" for none
    ca          a root of the laboratory to trust ("root");  insecure: verify nothing
    cert        a leaf of the laboratory (see pki.LEAVES)
    version     "1.2" is min and max at once;  min, max
    ciphers, suites13, groups, sigalgs      in the stack's own spelling
    alpn        "h2,http/1.1"
    client_ca   server: roots for client certificates;  verify: "require" (default) or "request"
    request     what the client says after the handshake;  connections: how often it connects (resuming if it can)
    dialogue    smtp, imap, ... before TLS;  mood: offer, hide, refuse
    argv        more words for the command line, as they are
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..pki import Pki

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
REQUEST = "GET / HTTP/1.0\r\nHost: server.test\r\n\r\n"


@dataclass
class Command:
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    stdin: str | None = None  # said to it; the pipe stays open for `linger` seconds
    linger: float = 1.0
    patience: float = 12.0  # it is stopped after this long
    ready_port: int | None = None  # a server: wait until someone listens here


@dataclass
class Lab:
    """What a driver may ask for: certificates, places for files, addresses."""

    pki: Pki
    work: Path
    build: Path
    address: str
    port: int
    keylog: Path
    clock: Any = None

    def file(self, name: str, text: str | bytes) -> Path:
        path = self.work / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path


def preloaded_keylog(lab: Lab) -> dict[str, str]:
    """The environment that makes a program on OpenSSL write a key log although it has no option for it."""
    path = built(lab, "keylog_preload.so", ["gcc", "-shared", "-fPIC", "-O1", "-o", "OUT", str(PROGRAMS / "keylog_preload.c")])
    return {"LD_PRELOAD": path, "HANDSHAKE_KEYLOG": str(lab.keylog)}


_building = threading.Lock()


def built(lab: Lab, name: str, argv: list[str], env: dict[str, str] | None = None) -> str:
    """The path of a program of ours, compiled when it is not there yet; OUT in `argv` stands for it."""
    lab.build.mkdir(parents=True, exist_ok=True)
    path = lab.build / name
    with _building:
        if not path.exists():
            subprocess.run([a.replace("OUT", str(path)) for a in argv], check=True, capture_output=True, env={**os.environ, **(env or {})})
    return str(path)


class Options(dict[str, Any]):
    """A dictionary that answers None for what was not said."""

    def __getattr__(self, key: str) -> Any:
        return self.get(key)

    @property
    def low(self) -> str:
        return self.get("min") or self.get("version") or "1.2"

    @property
    def high(self) -> str:
        return self.get("max") or self.get("version") or "1.3"


Driver = Callable[[Options, Lab], Command]


@dataclass(frozen=True)
class Stack:
    name: str
    title: str
    needs: tuple[str, ...] = ()
    version: Callable[[], str] = lambda: ""
    client: Driver | None = None
    server: Driver | None = None
    report: str = r"error|alert|fail|verif|refused|denied|timed? ?out|reset|closed|rejected"
    ignore: str = r"^$"
    prefer: str = r"^\b$"  # a line that says more than the last one

    def missing(self) -> list[str]:
        return [n for n in self.needs if not (shutil.which(n) or Path(n).exists())]

    def reported(self, output: str) -> str | None:
        """The last line that says what went wrong, without what changes from run to run."""
        best = None
        lines = [
            ln
            for ln in output.splitlines()
            if not re.search(self.ignore, ln, re.IGNORECASE) and "\ufffd" not in ln and ln.replace("\t", " ").isprintable()
        ]
        lines = [ln for ln in lines if re.search(self.prefer, ln, re.IGNORECASE)][:1] or lines
        for line in lines:
            if re.search(self.report, line, re.IGNORECASE):
                best = line
        return clean(best) if best else None


def clean(line: str) -> str:
    """Without what is volatile: thread ids, times, ephemeral ports, temporary folders, colours."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    line = re.sub(r"\b[0-9A-F]{12,16}:error", "error", line)
    line = re.sub(r"^\d{4}[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d(\.\d+)? ?", "", line)
    line = re.sub(r"\[\w{3} \w{3} \d\d [\d:.]+ \d{4}\] ?", "", line)
    line = re.sub(r"^\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d LOG(\d)\[\w+\]: ", r"LOG\1: ", line)
    line = re.sub(r"^\[\d+:\d+:\d{4}/\d{6}\.\d+:", "[", line)
    line = re.sub(r"^UTC \[\d+\] ", "", line)
    line = re.sub(r"\[pid \d+(:tid \d+)?\] ?|\b\d+#\d+: (\*\d+ )?", "", line)
    line = re.sub(r"(192\.0\.2\.\d+|198\.51\.100\.\d+|\[?2001:db8:[0-9a-f:]+\]?)[:.](\d{5})\b", r"\1", line)
    line = re.sub(r"(peer=|from )(\S+?):\d{5}", r"\1\2", line)
    line = re.sub(r"0x[0-9a-f]{6,}|/tmp/\S+/", "", line)
    line = re.sub(r"current time \S+ is", "current time is", line)
    line = re.sub(r"(after|before) \d{4}-\d\d-\d\dT[\d:]+Z", r"\1 then", line)
    line = re.sub(r"\w{3} \w{3} \d\d [\d:]+ (UTC|GMT) \d{4}", "then", line)
    line = re.sub(r"\b\d+ (ms|milliseconds|seconds in)\b", r"N \1", line)
    line = re.sub(r"\b\d{9,}\b", "N", line)
    return line.strip()[:300]


def first_line(*argv: str, pattern: str = r"(\d+\.\d[\w.+-]*)") -> Callable[[], str]:
    @cache
    def ask() -> str:
        try:
            out = subprocess.run(argv, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(pattern, out.stdout + out.stderr)
        return found.group(1) if found else ""

    return ask


def package_version(name: str) -> Callable[[], str]:
    return first_line("dpkg-query", "-W", "-f", "${Version}", name, pattern=r"(?:\d:)?([\d.]+)")


@cache
def all_stacks() -> dict[str, Stack]:
    found: dict[str, Stack] = {}
    for module in pkgutil.iter_modules(__path__):
        for stack in importlib.import_module(f"{__name__}.{module.name}").STACKS:
            found[stack.name] = stack
    return found
