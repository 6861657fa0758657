"""OpenSSL's own s_client and s_server."""

from __future__ import annotations

from . import REQUEST, Command, Lab, Options, Stack, first_line

FLAGS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}
OFF = {"1.0": "-no_tls1", "1.1": "-no_tls1_1", "1.2": "-no_tls1_2", "1.3": "-no_tls1_3"}
ORDER = list(FLAGS)


def _common(o: Options, lab: Lab) -> list[str]:
    argv: list[str] = []
    if o.low == o.high:
        argv.append(FLAGS[o.low])
    else:
        argv += [OFF[v] for v in ORDER if not ORDER.index(o.low) <= ORDER.index(v) <= ORDER.index(o.high)]
    for key, flag in (
        ("ciphers", "-cipher"),
        ("suites13", "-ciphersuites"),
        ("groups", "-groups"),
        ("sigalgs", "-sigalgs"),
        ("alpn", "-alpn"),
    ):
        if o.get(key, None):
            argv += [flag, o[key]]
    if o.cert:
        files = lab.pki.leaf(o.cert)
        argv += ["-cert", str(files.cert), "-key", str(lab.pki.leaf(o.key or o.cert).key), "-cert_chain", str(files.chain)]
    argv += ["-keylogfile", str(lab.keylog)]
    return argv


def client(o: Options, lab: Lab) -> Command:
    name = o.name or "server.test"
    sni = o.sni if o.sni is not None else name
    target = o.connect_to or f"{o.address or lab.address}:{lab.port}"
    argv = ["openssl", "s_client", "-connect", target, *_common(o, lab)]
    argv += ["-servername", sni] if sni else ["-noservername"]
    if not o.insecure:
        argv += ["-CAfile", str(lab.pki.ca(o.ca or "root")), "-verify_return_error"]
        if not o.any_name:
            argv += ["-verify_hostname", name]
    if o.dialogue:
        argv += ["-starttls", o.dialogue, "-name", "client.test"]
    if o.session_out:
        argv += ["-sess_out", str(lab.work / "session.pem")]
    if o.session_in:
        argv += ["-sess_in", str(lab.work / "session.pem")]
    if o.early:
        argv += ["-early_data", str(lab.file("early.txt", REQUEST))]
    if o.crl:
        argv += ["-crl_check", "-CRL", str(lab.pki.crl(o.crl))]
    argv += [str(a) for a in o.argv or []]
    if not o.interactive:  # otherwise R, Q, k in the request are commands
        argv.append("-ign_eof")
    request = REQUEST if o.request is None else o.request
    return Command(argv, stdin=request, linger=o.linger or 1.0, patience=o.patience or 10)


def server(o: Options, lab: Lab) -> Command:
    argv = ["openssl", "s_server", "-accept", str(lab.port), *_common(Options({"cert": "server", **o}), lab)]
    if o.client_ca:
        # -Verify n asks and insists; -verify n asks only
        argv += [
            "-CAfile",
            str(lab.pki.ca(o.client_ca)),
            "-Verify" if (o.verify or "require") == "require" else "-verify",
            "3",
            "-verify_return_error",
        ]
        argv += ["-chainCAfile", str(lab.pki.ca("root"))]
    if o.crl:
        argv += ["-crl_check", "-CRL", str(lab.pki.crl(o.crl))]
    if o.staple:
        argv += ["-status_file", str(lab.pki.staple(o.staple))]
    if o.www is not False:
        argv.append("-www")
    if o.only_name:
        files = lab.pki.leaf("server")
        argv += ["-servername", o.only_name, "-servername_fatal", "-cert2", str(files.cert), "-key2", str(files.key)]
    second = lab.pki.leaf("server")
    argv += [{"CERT": str(second.cert), "KEY": str(second.key)}.get(a, str(a)) for a in o.argv or []]
    if o.restart:  # another server, with other ticket keys, after each connection
        argv = ["sh", "-c", 'while true; do "$@"; done', "again", *argv]
    return Command(argv, stdin=o.says, linger=o.linger or 30, ready_port=lab.port)


STACKS = [
    Stack("openssl", "OpenSSL s_client / s_server", ("openssl",), first_line("openssl", "version"), client, server,
          report=r":error:|verify error:|error:num|alert|unexpected eof|refused|timed out|unreachable|no route|errno=|Didn't find",
          prefer=r"^verify error:", ignore=r"^Verification|^Verify return|:error:[0-9A-F]+:STORE|No ALPN|Secure Reneg"),
]  # fmt: skip
