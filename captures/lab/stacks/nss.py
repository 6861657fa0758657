"""Mozilla's NSS through tstclnt and selfserv."""

from __future__ import annotations

from . import REQUEST, Command, Lab, Options, Stack, package_version


def _range(o: Options) -> str:
    return f"tls{o.low}:tls{o.high}"


def client(o: Options, lab: Lab) -> Command:
    name = o.name or "server.test"
    db = lab.pki.nss(*([o.cert] if o.cert else []), trust=o.ca or "root")
    argv = ["tstclnt", "-h", "server.test", "-p", str(lab.port), "-a", o.sni or name, "-d", f"sql:{db}", "-V", _range(o)]
    argv += ["-4"]
    if o.cert:
        argv += ["-n", o.cert]
    if o.insecure:
        argv += ["-o"]
    argv += [str(a) for a in o.argv or []]
    return Command(argv, env={"SSLKEYLOGFILE": str(lab.keylog)}, stdin=REQUEST if o.request is None else o.request, linger=o.linger or 1.0)


def server(o: Options, lab: Lab) -> Command:
    leaf = o.cert or "server"
    db = lab.pki.nss(leaf, trust=o.client_ca or "root")
    argv = ["selfserv", "-p", str(lab.port), "-d", f"sql:{db}", "-n", leaf, "-V", _range(o)]
    argv += ["-r", "-r"] if o.client_ca and (o.verify or "require") == "require" else (["-r"] if o.client_ca else [])
    if o.only_name:
        argv += ["-a", o.only_name]
    argv += [str(a) for a in o.argv or []]
    return Command(argv, env={"SSLKEYLOGFILE": str(lab.keylog)}, ready_port=lab.port)


STACKS = [
    Stack("nss", "NSS tstclnt / selfserv", ("tstclnt", "selfserv", "certutil", "pk12util"), package_version("libnss3"), client, server,
          report=r"error|fail|alert|SSL_ERROR|SEC_ERROR|PR_", ignore=r"^$"),
]  # fmt: skip
