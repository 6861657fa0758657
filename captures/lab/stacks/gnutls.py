"""GnuTLS's gnutls-cli and gnutls-serv."""

from __future__ import annotations

from . import REQUEST, Command, Lab, Options, Stack, first_line

VERSIONS = {"1.0": "VERS-TLS1.0", "1.1": "VERS-TLS1.1", "1.2": "VERS-TLS1.2", "1.3": "VERS-TLS1.3"}
ORDER = list(VERSIONS)


def _priority(o: Options) -> str:
    if o.priority:
        return str(o.priority)
    wanted = [VERSIONS[v] for v in reversed(ORDER) if ORDER.index(o.low) <= ORDER.index(v) <= ORDER.index(o.high)]
    return "NORMAL:-VERS-ALL" + "".join(f":+{v}" for v in wanted) + (o.more or "")


def client(o: Options, lab: Lab) -> Command:
    name = o.name or "server.test"
    argv = ["gnutls-cli", o.address or lab.address, "-p", str(lab.port), "--priority", _priority(o)]
    if o.sni != "":
        argv += [f"--sni-hostname={o.sni or name}"]
    else:
        argv += ["--disable-sni"]
    argv += ["--insecure"] if o.insecure else [f"--verify-hostname={name}", f"--x509cafile={lab.pki.ca(o.ca or 'root')}"]
    if o.cert:
        files = lab.pki.leaf(o.cert)
        argv += [f"--x509certfile={files.chain}", f"--x509keyfile={files.key}"]
    if o.alpn:
        argv += [f"--alpn={p}" for p in o.alpn.split(",")] + (["--alpn-fatal"] if o.alpn_fatal else [])
    if o.crl:
        argv += [f"--x509crlfile={lab.pki.crl(o.crl)}"]
    if o.dialogue:
        argv += [f"--starttls-proto={o.dialogue}"]
    if o.resume:
        argv += ["--resume"]
    argv += [str(a) for a in o.argv or []]
    return Command(argv, env={"SSLKEYLOGFILE": str(lab.keylog)}, stdin=REQUEST if o.request is None else o.request, linger=o.linger or 1.0)


def server(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    argv = ["gnutls-serv", "-p", str(lab.port), "--http", "--priority", _priority(o),
            f"--x509certfile={files.chain}", f"--x509keyfile={files.key}"]  # fmt: skip
    if o.client_ca:
        argv += [f"--x509cafile={lab.pki.ca(o.client_ca)}"]
        argv += ["--require-client-cert", "--verify-client-cert"] if (o.verify or "require") == "require" else []
    else:
        argv += ["--disable-client-cert"]
    if o.alpn:
        argv += [f"--alpn={p}" for p in o.alpn.split(",")] + ["--alpn-fatal"]
    if o.only_name:
        argv += [f"--sni-hostname={o.only_name}", "--sni-hostname-fatal"]
    if o.staple:
        argv += [f"--ocsp-response={lab.pki.staple(o.staple)}"]
    secrets = lab.file("psk.txt", "device-1:00112233445566778899aabbccddeeff\n")
    argv += [str(secrets) if a == "PSKFILE" else str(a) for a in o.argv or []]
    return Command(argv, env={"SSLKEYLOGFILE": str(lab.keylog)}, ready_port=lab.port)


STACKS = [
    Stack("gnutls", "GnuTLS gnutls-cli / gnutls-serv", ("gnutls-cli", "gnutls-serv"), first_line("gnutls-cli", "--version"), client, server,
          report=r"\*\*\*|^- Status|error|PKIX|alert|refused|fail", prefer=r"^- Status: .*NOT|^- Status: .*not|^\*\*\* Received alert", ignore=r"Handshake has failed|is trusted"),
]  # fmt: skip
