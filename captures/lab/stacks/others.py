"""Scripted peers, a browser, rustls inside uv, PostgreSQL's own client and server, and nobody at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import PROGRAMS, Command, Lab, Options, Stack, first_line, preloaded_keylog


def raw_client(o: Options, lab: Lab) -> Command:
    extra = {k: o[k] for k in ("connections", "address", "pause", "patience", "window", "from", "parallel", "ports") if k in o}
    return Command(
        [sys.executable, str(PROGRAMS / "raw.py"), "client", json.dumps(o.script), str(lab.port), json.dumps(extra)], patience=o.limit or 14
    )


def raw_server(o: Options, lab: Lab) -> Command:
    extra = {k: o[k] for k in ("backlog", "never_accept", "window", "once") if k in o}
    return Command(
        [sys.executable, str(PROGRAMS / "raw.py"), "server", json.dumps(o.script or []), str(lab.port), json.dumps(extra)],
        ready_port=lab.port,
    )


def proxy_server(o: Options, lab: Lab) -> Command:
    argv = [
        sys.executable,
        str(PROGRAMS / "proxy.py"),
        o.kind,
        "--port",
        str(lab.port),
        "--mood",
        o.mood or "ok",
        "--to",
        o.to or "127.0.0.1:443",
    ]
    return Command(argv, ready_port=lab.port)


def nmap(o: Options, lab: Lab) -> Command:
    argv = ["nmap", "-n", "-Pn", "-r", "-p", o.ports or str(lab.port), *(o.argv or ["-sS"]), o.address or lab.address]
    return Command(argv, patience=o.patience or 20)


def nobody(o: Options, lab: Lab) -> Command:
    return Command(["sleep", "600"])


def chromium(o: Options, lab: Lab) -> Command:
    home = lab.work / "chromium"
    nssdb = home / ".pki/nssdb"
    if not nssdb.exists() and not o.insecure:
        nssdb.parent.mkdir(parents=True)
        shutil.copytree(lab.pki.nss(), nssdb)
    argv = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}/profile", "--disable-quic",
            "--disable-background-networking", "--no-first-run", "--disable-component-update", "--disable-sync",
            f"--host-resolver-rules=MAP {o.name or 'server.test'} {o.address or lab.address}, MAP * ~NOTFOUND", "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
            f"--ssl-key-log-file={lab.keylog}", "--dump-dom", "--virtual-time-budget=3000", "--timeout=6000"]  # fmt: skip
    argv += [str(a) for a in o.argv or []]
    argv.append(f"https://{o.name or 'server.test'}:{lab.port}/")
    return Command(argv, env={"HOME": str(home)}, patience=20)


def rustls(o: Options, lab: Lab) -> Command:
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    argv = [uv, "pip", "install", "--no-cache", "--no-deps", "--dry-run", "--target", str(lab.work / "t"),
            "--index-url", f"https://{o.name or 'server.test'}:{lab.port}/simple", "--python", sys.executable, "nothing-of-ours"]  # fmt: skip
    env = {"SSL_CERT_FILE": str(lab.pki.ca(o.ca or "root")), "UV_HTTP_TIMEOUT": "6", "UV_HTTP_RETRIES": "0", "UV_NO_CONFIG": "1",
           "UV_FIND_LINKS": "", "UV_EXTRA_INDEX_URL": "", "SSLKEYLOGFILE": str(lab.keylog), "UV_PYTHON_DOWNLOADS": "never"}  # fmt: skip
    if o.cert:
        files = lab.pki.leaf(o.cert)
        env["SSL_CLIENT_CERT"] = str(lab.file("client.pem", files.chain.read_bytes() + files.key.read_bytes()))
    return Command(argv, env=env, patience=14)


def psql(o: Options, lab: Lab) -> Command:
    mode = o.mode or "verify-full"
    text = f"host={o.name or 'server.test'} hostaddr={lab.address} port={lab.port} user=lab dbname=lab sslmode={mode} connect_timeout=6"
    text += f" sslrootcert={lab.pki.ca(o.ca or 'root')} ssl_min_protocol_version=TLSv{o.low} ssl_max_protocol_version=TLSv{o.high}"
    if o.cert:
        files = lab.pki.leaf(o.cert)
        key = lab.file("psql.key", files.key.read_bytes())
        key.chmod(0o600)
        text += f" sslcert={files.chain} sslkey={key}"
    else:
        text += " sslcert=/none sslkey=/none"
    return Command(["psql", text, "-Atc", "select 1"], env={"PGPASSWORD": "lab", **preloaded_keylog(lab)})


def mysql(o: Options, lab: Lab) -> Command:
    argv = [
        "mysql",
        "--no-defaults",
        "-h",
        lab.address,
        "-P",
        str(lab.port),
        "-u",
        "lab",
        "-plab",
        "--ssl",
        f"--ssl-ca={lab.pki.ca('root')}",
        "-e",
        "select 1",
    ]
    return Command([*argv, *(o.argv or [])], env=preloaded_keylog(lab))


def _postgres_folder() -> str:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return str(folder)
    return str(Path(shutil.which("postgres") or "/usr/bin/postgres").resolve().parent)


def postgres(o: Options, lab: Lab) -> Command:
    """A real PostgreSQL; it refuses to run as root, so it runs as nobody."""
    data = Path("/var/tmp") / f"handshake-lab-pg-{os.getpid()}-{lab.work.parent.name}"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    shutil.chown(data, "nobody")
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    tools = _postgres_folder()
    subprocess.run([*as_nobody, f"{tools}/initdb", "-D", str(data / "d"), "-U", "lab", "-A", "trust", "-N"], check=True,
                   capture_output=True, cwd="/var/tmp", env={**os.environ, "HOME": "/var/tmp"})  # fmt: skip
    files = lab.pki.leaf(o.cert or "server")
    for name, source in (("server.crt", files.chain), ("server.key", files.key), ("root.crt", lab.pki.ca(o.client_ca or "root"))):
        target = data / name
        target.write_bytes(source.read_bytes())
        shutil.chown(target, "nobody", "nogroup")
        target.chmod(0o600)
    want = " clientcert=verify-ca" if o.client_ca else ""
    (data / "d/pg_hba.conf").write_text(f"{'host' if o.no_tls else 'hostssl'} all all 0.0.0.0/0 trust{want}\n")
    lines = [f"port={lab.port}", "listen_addresses=*", f"unix_socket_directories={data}", "fsync=off", f"ssl={'off' if o.no_tls else 'on'}",
             f"ssl_cert_file={data}/server.crt", f"ssl_key_file={data}/server.key",
             f"ssl_min_protocol_version=TLSv{o.low}", f"ssl_max_protocol_version=TLSv{o.high}"]  # fmt: skip
    if o.client_ca:
        lines.append(f"ssl_ca_file={data}/root.crt")
    argv = [*as_nobody, f"{tools}/postgres", "-D", str(data / "d")]
    for line in lines:
        argv += ["-c", line]
    return Command(argv, ready_port=lab.port)


def tlslite(o: Options, lab: Lab, role: str = "client") -> Command:
    argv = [sys.executable, str(PROGRAMS / "tlslite_peer.py"), role, json.dumps({**o, "port": lab.port, "address": lab.address})]
    files = lab.pki.leaf(o.cert or "server")
    argv += [str(files.chain), str(lab.pki.leaf(o.key or o.cert or "server").key)]
    return Command(argv, ready_port=lab.port if role == "server" else None)


STACKS = [
    Stack("raw", "scripted bytes", (sys.executable,), lambda: "", raw_client, raw_server, report=r"error"),
    Stack("proxy", "proxy of the laboratory", (sys.executable,), lambda: "", server=proxy_server),
    Stack("nmap", "Nmap", ("nmap",), first_line("nmap", "--version", pattern=r"version ([\d.]+)"), client=nmap, report=r"^$"),
    Stack("nobody", "nobody listens", (), lambda: "", server=nobody),
    Stack("chromium", "Chromium", ("chromium",), first_line("chromium", "--version", pattern=r"Chromium ([\d.]+)"), client=chromium,
          report=r"handshake failed|net_error", ignore=r"dbus|gcm|google_apis"),
    Stack("rustls", "rustls in uv", (str(Path(sys.executable).parent / "uv"),),
          first_line(str(Path(sys.executable).parent / "uv"), "--version"), client=rustls, report=r"invalid peer|error|Caused|received|connection|alert",
          ignore=r"^error: Request failed|Failed to fetch|error sending request"),
    Stack("psql", "PostgreSQL client (libpq on OpenSSL)", ("psql",), first_line("psql", "--version"), client=psql),
    Stack("postgres", "PostgreSQL server on OpenSSL", ("postgres", "setpriv"), first_line("postgres", "--version", pattern=r"\) (\d+\.\d+)"), server=postgres,
          report=r"SSL|could not|FATAL", ignore=r"database system"),
    Stack("mysql", "MariaDB client", ("mysql",), first_line("mysql", "--version", pattern=r"Distrib ([\d.]+)"), client=mysql, report=r"ERROR"),
    Stack("tlslite", "tlslite-ng", (sys.executable,), first_line(sys.executable, "-c", "import tlslite; print(tlslite.__version__)"),
          lambda o, lab: tlslite(o, lab, "client"), lambda o, lab: tlslite(o, lab, "server"), report=r"error"),
]  # fmt: skip
