"""Mail servers, databases and other daemons that are asked for TLS, or speak none; and plain TCP in front of something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import PROGRAMS, Command, Lab, Options, Stack, first_line, package_version, preloaded_keylog


def _own(lab: Lab, name: str, user: str) -> Path:
    """A folder of a daemon that insists on its own user."""
    folder = Path("/var/tmp") / f"handshake-lab-pg-{os.getpid()}-{name}-{lab.work.parent.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.chown(folder, user)
    return folder


def postfix(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    base = lab.work / "postfix"
    for name in ("spool", "data", "etc"):
        (base / name).mkdir(parents=True, exist_ok=True)
    shutil.chown(base / "data", "postfix")
    lines = [
        "compatibility_level = 3.6", f"queue_directory = {base}/spool", f"data_directory = {base}/data", "mail_owner = postfix",
        "myhostname = mail.server.test", "mynetworks = 0.0.0.0/0", "mydestination = server.test", "local_recipient_maps =",
        "maillog_file = /dev/stdout", "maillog_file_prefixes = /dev/stdout", "inet_interfaces = all", "inet_protocols = ipv4",
        f"smtpd_tls_security_level = {'none' if o.no_tls else 'may'}", f"smtpd_tls_cert_file = {files.chain}", "smtpd_tls_loglevel = 1",
        f"smtpd_tls_key_file = {o.key_file or files.key}", *(o.lines or []),
    ]  # fmt: skip
    (base / "etc/main.cf").write_text("\n".join(lines) + "\n")
    wrapper = " -o smtpd_tls_wrappermode=yes\n" if o.at_once else ""
    services = [
        f"{lab.port} inet n - n - - smtpd\n{wrapper}cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
        "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
        "proxymap unix - - n - - proxymap", "anvil unix - - n - 1 anvil", "tlsmgr unix - - n 1000? 1 tlsmgr",
        "postlog unix-dgram n - n - 1 postlogd", "local unix - n n - - local", "error unix - - n - - error", "retry unix - - n - - error",
    ]  # fmt: skip
    (base / "etc/master.cf").write_text("\n".join(services) + "\n")
    return Command(["postfix", "-c", str(base / "etc"), "start-fg"], ready_port=lab.port)


def dovecot(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    base = lab.work / "dovecot"
    tls = "ssl = no\n" if o.no_tls else f"ssl = yes\nssl_cert = <{files.chain}\nssl_key = <{files.key}\n"
    text = f"""base_dir = {base}
state_dir = {base}
log_path = /dev/stderr
protocols = imap pop3
{tls}passdb {{
  driver = static
  args = password=x
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/tmp
}}
"""
    return Command(["dovecot", "-F", "-c", str(lab.file("dovecot.conf", text))], ready_port=lab.port)


def vsftpd(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    Path("/var/empty").mkdir(exist_ok=True)
    lines = ["listen=YES", "background=NO", "anonymous_enable=YES", "secure_chroot_dir=/var/empty", f"listen_port={lab.port}"]
    if not o.no_tls:
        lines += ["ssl_enable=YES", "allow_anon_ssl=YES", f"rsa_cert_file={files.chain}", f"rsa_private_key_file={files.key}"]
    text = "\n".join([*lines, *(o.lines or []), ""])
    return Command(["vsftpd", str(lab.file("vsftpd.conf", text))], ready_port=lab.port)


def mariadb(o: Options, lab: Lab) -> Command:
    data = _own(lab, "mariadb", "mysql")
    made = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}/d",
        "--user=mysql",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    subprocess.run(made, check=True, capture_output=True)
    argv = ["mariadbd", "--no-defaults", f"--datadir={data}/d", "--user=mysql", f"--port={lab.port}", "--bind-address=0.0.0.0",
            f"--socket={data}/s", "--innodb-buffer-pool-size=16M", "--skip-name-resolve"]  # fmt: skip
    if o.open:
        argv.append("--skip-grant-tables")
    if o.no_tls:
        argv.append("--skip-ssl")
    else:
        files = lab.pki.leaf(o.cert or "server")
        for name, source in (("crt.pem", files.chain), ("key.pem", files.key)):
            (data / name).write_bytes(source.read_bytes())
            shutil.chown(data / name, "mysql")
        argv += [f"--ssl-cert={data}/crt.pem", f"--ssl-key={data}/key.pem"]
    return Command(argv, ready_port=lab.port)


def redis(o: Options, lab: Lab) -> Command:
    argv = ["redis-server", "--protected-mode", "no", "--save", "", "--dir", str(lab.work)]
    if o.tls:
        files = lab.pki.leaf(o.cert or "server")
        argv += ["--port", "0", "--tls-port", str(lab.port), "--tls-cert-file", str(files.chain), "--tls-key-file", str(files.key),
                 "--tls-ca-cert-file", str(lab.pki.ca("root")), "--tls-auth-clients", o.verify or "no"]  # fmt: skip
    else:
        argv += ["--port", str(lab.port)]
    return Command(argv, ready_port=lab.port)


def redis_client(o: Options, lab: Lab) -> Command:
    argv = ["redis-cli", "-h", o.address or lab.address, "-p", str(lab.port)]
    if o.tls:
        argv += ["--tls", "--cacert", str(lab.pki.ca("root")), "--sni", "server.test"]
    return Command([*argv, "ping"], patience=o.patience or 6)


def prosody(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    text = f"""daemonize = false
pidfile = "{lab.work}/prosody.pid"
data_path = "{lab.work}"
log = {{ info = "*console" }}
run_as_root = true
prosody_user = "root"
modules_enabled = {{ {"" if o.no_tls else '"tls", '}"saslauth" }}
modules_disabled = {{ {'"tls", ' if o.no_tls else ""}"s2s" }}
c2s_require_encryption = {"false" if o.no_tls else "true"}
ssl = {{ certificate = "{files.chain}"; key = "{files.key}" }}
VirtualHost "server.test"
"""
    return Command(["prosody", "-F", "--config", str(lab.file("prosody.lua", text))], ready_port=lab.port)


def socat(o: Options, lab: Lab) -> Command:
    return Command(["socat", f"TCP-LISTEN:{lab.port},fork,reuseaddr", o.to], ready_port=lab.port)


def stream(o: Options, lab: Lab) -> Command:
    """nginx as a balancer of TCP; a server of its own behind it, where `behind` gives a port."""
    files = lab.pki.leaf(o.cert or "server")
    server = ""
    if o.behind:
        server = f"""http {{ access_log off; server {{ listen {o.behind} ssl; server_name server.test;
  ssl_certificate {files.chain}; ssl_certificate_key {files.key}; location / {{ return 200 "hello\\n"; }} }} }}"""
    text = f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; pid {lab.work}/nginx.pid; error_log stderr info;
events {{ worker_connections 64; }}
{server}
stream {{ {" ".join(o.lines or [])} server {{ listen {lab.port}; {" ".join(o.rules or [])} }} }}
"""
    return Command(["nginx", "-e", "stderr", "-c", str(lab.file("stream.conf", text)), "-p", str(lab.work)], ready_port=lab.port,
                   env=preloaded_keylog(lab))  # fmt: skip


def several(o: Options, lab: Lab) -> Command:
    """Scripted clients at the same time, each on a connection of its own."""
    argv = [
        sys.executable,
        str(PROGRAMS / "several.py"),
        str(lab.port),
        o.address or lab.address,
        str(lab.pki.ca("root")),
        str(o.count or 4),
    ]
    return Command([*argv, str(o.pause or 0), str(o.stay or 1)], patience=12)


STACKS = [
    Stack("postfix", "Postfix", ("postfix",), package_version("postfix"), server=postfix, report=r"warning|error|lost connection|fatal",
          ignore=r"overriding|transport private|queue|postfix-script"),
    Stack("dovecot", "Dovecot", ("dovecot",), first_line("dovecot", "--version", pattern=r"([\d.]+)"), server=dovecot, report=r"Disconnected|Error|Fatal"),
    Stack("vsftpd", "vsftpd", ("vsftpd",), package_version("vsftpd"), server=vsftpd),
    Stack("mariadb", "MariaDB", ("mariadbd", "mariadb-install-db"), package_version("mariadb-server"), server=mariadb, report=r"Aborted connection|Access denied",
          ignore=r"\[Note\]"),
    Stack("redis", "Redis", ("redis-server", "redis-cli"), package_version("redis-server"), redis_client, redis, report=r"Error|error",
          ignore=r"WARNING|overcommit"),
    Stack("prosody", "Prosody", ("prosody",), package_version("prosody"), server=prosody, report=r"disconnected|error"),
    Stack("socat", "socat", ("socat",), package_version("socat"), server=socat, report=r" E | W "),
    Stack("stream", "nginx as a balancer of TCP", ("nginx", "/usr/lib/nginx/modules/ngx_stream_module.so"), first_line("nginx", "-v"), server=stream,
          report=r"\[(error|info|warn)\].*(connect|forbidden|limit|timed|denied|no host)", ignore=r"\[notice\]"),
    Stack("several", "Python ssl, several at once", (sys.executable,), first_line(sys.executable, "--version"), client=several, report=r"error"),
]  # fmt: skip
