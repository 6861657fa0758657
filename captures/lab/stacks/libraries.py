"""More libraries, each through a small program of ours, or a command line of its own."""

from __future__ import annotations

import sys
from functools import partial

from . import PROGRAMS, Command, Lab, Options, Stack, built, first_line, package_version
from .runtimes import package
from .small import _both, _run


def _with(program: str, *interpreter: str) -> dict[str, object]:
    return _both(lambda lab: [*interpreter, str(PROGRAMS / program)])


def _haskell(lab: Lab) -> list[str]:
    built(lab, "tls-hs-folder", ["mkdir", "OUT"])
    return [
        built(
            lab,
            "tls-hs",
            ["ghc", "-O0", "-threaded", "-outputdir", str(lab.build / "tls-hs-folder"), "-o", "OUT", str(PROGRAMS / "tls.hs")],
        )
    ]


def granian(o: Options, lab: Lab) -> Command:
    """An HTTP server on rustls."""
    files = lab.pki.leaf(o.cert or "server")
    argv = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "0.0.0.0", "--port", str(lab.port), "--ssl-certificate", str(files.chain),
            "--ssl-keyfile", str(files.key), "--ssl-protocol-min", f"tls{o.low}", "--http", o.http or "auto"]  # fmt: skip
    if o.client_ca:
        argv += ["--ssl-ca", str(lab.pki.ca(o.client_ca)), "--ssl-client-verify"]
    return Command([*argv, "asgi_app:app"], env={"PYTHONPATH": str(PROGRAMS)}, ready_port=lab.port)


def s2n(o: Options, lab: Lab) -> Command:
    return _run(lambda lab: [sys.executable, str(PROGRAMS / "s2n.py")], "client", False, Options({"patience": 45, **o}), lab)


def botan_client(o: Options, lab: Lab) -> Command:
    argv = [
        "botan",
        "tls_client",
        o.name or "server.test",
        f"--port={lab.port}",
        "--skip-system-cert-store",
        f"--trusted-cas={lab.pki.ca(o.ca or 'root')}",
    ]
    if o.policy:
        argv.append(f"--policy={lab.file('botan.policy', o.policy)}")
    return Command([*argv, *(o.argv or [])], stdin="GET / HTTP/1.0\r\n\r\n", linger=o.linger or 1.0)


def botan_server(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    argv = ["botan", "tls_server", str(files.chain), str(files.key), f"--port={lab.port}"]
    if o.policy:
        argv.append(f"--policy={lab.file('botan.policy', o.policy)}")
    return Command([*argv, *(o.argv or [])], ready_port=lab.port)


def wget(o: Options, lab: Lab) -> Command:
    argv = [
        "wget",
        "-q",
        "-nv",
        "-O",
        "-",
        "-t",
        "1",
        "-T",
        "6",
        f"--ca-certificate={lab.pki.ca(o.ca or 'root')}",
        "--no-hsts",
        "--no-config",
    ]
    if o.cert:
        argv += [f"--certificate={lab.pki.leaf(o.cert).chain}", f"--private-key={lab.pki.leaf(o.cert).key}"]
    if o.insecure:
        argv.append("--no-check-certificate")
    return Command([*argv, *(o.argv or []), f"https://{o.name or 'server.test'}:{lab.port}/"], env={"SSLKEYLOGFILE": str(lab.keylog)})


STACKS = [
    Stack("erlang", "Erlang/OTP ssl", ("escript",), package_version("erlang-ssl"), report=r"^error", **_with("tls.erl", "escript")),
    Stack("haskell", "Haskell tls", ("ghc",), package_version("libghc-tls-dev"), report=r"^error", **_both(_haskell)),
    Stack("grpc", "gRPC on BoringSSL", (package("grpc"),), first_line(sys.executable, "-c", "import grpc; print(grpc.__version__)"), report=r"^error|handshake|ssl_transport",
          prefer=r"ssl_transport|Handshake", client=partial(_run, lambda lab: [sys.executable, str(PROGRAMS / "grpc_peer.py")], "client", False),
          server=partial(_run, lambda lab: [sys.executable, str(PROGRAMS / "grpc_peer.py")], "server", False)),
    Stack("pyopenssl", "pyOpenSSL on OpenSSL 4.0", (package("OpenSSL"),),
          first_line(sys.executable, "-c", "from OpenSSL import SSL; print(SSL.SSLeay_version(0).decode())"), **_with("pyopenssl.py", sys.executable)),
    Stack("granian", "Granian on rustls", (package("granian"),), first_line(sys.executable, "-m", "granian", "--version"), server=granian,
          report=r"error|tls|handshake"),
    Stack("s2n", "s2n in awscrt", (package("awscrt"),), first_line(sys.executable, "-c", "import awscrt; print(awscrt.__version__)"), client=s2n, report=r"^error"),
    Stack("botan", "Botan", ("botan",), package_version("botan"), botan_client, botan_server, report=r"error|exception|alert|fail|invalid"),
    Stack("wget", "wget on GnuTLS", ("wget",), first_line("wget", "--version"), client=wget, report=r"ERROR|GnuTLS|unable", prefer=r"ERROR|GnuTLS"),
    Stack("ruby", "Ruby openssl", ("ruby",), first_line("ruby", "--version"), **_with("tls.rb", "ruby")),
    Stack("perl", "Perl IO::Socket::SSL", ("perl", "/usr/share/perl5/IO/Socket/SSL.pm"), package_version("libio-socket-ssl-perl"),
          client=_both(lambda lab: ["perl", str(PROGRAMS / "tls.pl")])["client"]),
    Stack("php", "PHP streams", ("php",), first_line("php", "--version"), client=_both(lambda lab: ["php", str(PROGRAMS / "tls.php")], False)["client"],
          report=r"^error|SSL|Failed"),
]  # fmt: skip
