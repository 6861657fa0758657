"""curl on OpenSSL, and curl on BoringSSL as the curl_cffi package brings it."""

from __future__ import annotations

import sys

from . import PROGRAMS, Command, Lab, Options, Stack, first_line

SCHEMES = {"smtp": "smtp", "imap": "imap", "pop3": "pop3", "ftp": "ftp", "ldap": "ldap"}
VERSION = {"1.0": "--tlsv1.0", "1.1": "--tlsv1.1", "1.2": "--tlsv1.2", "1.3": "--tlsv1.3"}


def client(o: Options, lab: Lab) -> Command:
    name = o.name or "server.test"
    scheme = SCHEMES.get(o.dialogue, "https") if o.dialogue else o.scheme or "https"
    argv = ["curl", "-sS", "-v", "--max-time", str(o.timeout or 8), VERSION[o.low], "--tls-max", o.high, f"{scheme}://{name}:{lab.port}/"]
    argv += ["--resolve", f"{name}:{lab.port}:{o.address or lab.address}"]
    argv += ["--insecure"] if o.insecure else ["--cacert", str(lab.pki.ca(o.ca or "root"))]
    if o.cert:
        argv += ["--cert", str(lab.pki.leaf(o.cert).chain), "--key", str(lab.pki.leaf(o.cert).key)]
    if o.ciphers:
        argv += ["--ciphers", o.ciphers]
    if o.groups:
        argv += ["--curves", o.groups]
    if o.crl:
        argv += ["--crlfile", str(lab.pki.crl(o.crl))]
    if o.dialogue:
        argv += ["--ssl-reqd"]
    argv += [str(a) for a in o.argv or []]
    return Command(argv, env={"SSLKEYLOGFILE": str(lab.keylog)}, patience=14)


def boringssl(o: Options, lab: Lab) -> Command:
    argv = [sys.executable, str(PROGRAMS / "boringssl.py"), f"https://{o.name or 'server.test'}:{lab.port}/", o.like or "chrome"]
    argv += ["-"] if o.insecure else [str(lab.pki.ca(o.ca or "root"))]
    return Command([*argv, *(o.argv or [])], env={"SSLKEYLOGFILE": str(lab.keylog)}, patience=14)


STACKS = [
    Stack("curl", "curl on OpenSSL", ("curl",), first_line("curl", "-V"), client=client, report=r"^curl: "),
    Stack("boringssl", "curl on BoringSSL (curl_cffi)", (sys.executable,),
          first_line(sys.executable, "-c", "import curl_cffi; print(curl_cffi.__version__)"), client=boringssl, report=r"^error"),
]  # fmt: skip
