"""Other servers and clients as people run them: a web server on five TLS libraries, a broker, a directory, tools, a browser."""

from __future__ import annotations

import shutil

from . import PROGRAMS, Command, Lab, Options, Stack, built, first_line, package_version, preloaded_keylog

LIGHTTPD = {"1.2": "TLSv1.2", "1.3": "TLSv1.3", "1.1": "TLSv1.1", "1.0": "TLSv1"}


def _pem(o: Options, lab: Lab) -> str:
    files = lab.pki.leaf(o.cert or "server")
    return str(lab.file("both.pem", files.chain.read_bytes() + files.key.read_bytes()))


def lighttpd(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    module = o.library or "openssl"
    lines = [f'ssl.pemfile = "{files.chain}"', f'ssl.privkey = "{files.key}"']
    orders = [f'"MinProtocol" => "{LIGHTTPD[o.low]}"', f'"MaxProtocol" => "{LIGHTTPD[o.high]}"']
    if o.ciphers:
        orders.append(f'"CipherString" => "{o.ciphers}"')
    if o.groups:
        orders.append(f'"Curves" => "{o.groups}"')
    lines.append(f"ssl.openssl.ssl-conf-cmd = ({', '.join(orders)})")
    if o.client_ca:
        lines += [f'ssl.verifyclient.ca-file = "{lab.pki.ca(o.client_ca)}"', 'ssl.verifyclient.activate = "enable"',
                  'ssl.verifyclient.enforce = "enable"', "ssl.verifyclient.depth = 3"]  # fmt: skip
    (lab.work / "htdocs").mkdir(exist_ok=True)
    (lab.work / "htdocs/index.html").write_text("hello\n")
    text = "\n".join([
        f'server.document-root = "{lab.work}/htdocs"', f"server.port = {lab.port}", 'index-file.names = ("index.html")', 'mimetype.assign = (".html" => "text/html")',
        f'server.modules = ("mod_{module}")', 'server.errorlog = "/dev/stderr"', 'debug.log-ssl-noise = "enable"', 'ssl.engine = "enable"', *lines, ""])  # fmt: skip
    env = preloaded_keylog(lab) if module == "openssl" else {}
    return Command(["lighttpd", "-D", "-f", str(lab.file("lighttpd.conf", text))], ready_port=lab.port, env=env)


def mosquitto(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    lines = [
        f"listener {lab.port} 0.0.0.0",
        "allow_anonymous true",
        f"certfile {files.chain}",
        f"keyfile {files.key}",
        "user root",
        "log_dest stderr",
        "persistence false",
    ]
    if o.get("version"):
        lines.append(f"tls_version tlsv{o.version}")
    if o.client_ca:
        lines += [f"cafile {lab.pki.ca(o.client_ca)}", f"require_certificate {'true' if (o.verify or 'require') == 'require' else 'false'}"]
    return Command(
        ["mosquitto", "-c", str(lab.file("mosquitto.conf", "\n".join(lines) + "\n"))], ready_port=lab.port, env=preloaded_keylog(lab)
    )


def mosquitto_pub(o: Options, lab: Lab) -> Command:
    argv = ["mosquitto_pub", "-h", o.name or "server.test", "-p", str(lab.port), "-t", "lab", "-m", "hello", "-V", "mqttv311"]
    if not o.no_tls:
        argv += ["--cafile", str(lab.pki.ca(o.ca or "root"))]
    if o.cert:
        argv += ["--cert", str(lab.pki.leaf(o.cert).chain), "--key", str(lab.pki.leaf(o.cert).key)]
    if o.get("version"):
        argv += ["--tls-version", f"tlsv{o.version}"]
    if o.insecure:
        argv.append("--insecure")
    return Command([*argv, *(o.argv or [])], env=preloaded_keylog(lab))


def slapd(o: Options, lab: Lab) -> Command:
    """Debian's OpenLDAP server, which is on GnuTLS."""
    files = lab.pki.leaf(o.cert or "server")
    lines = ["include /etc/ldap/schema/core.schema", "modulepath /usr/lib/ldap", "moduleload back_ldif", f"pidfile {lab.work}/slapd.pid"]
    if o.mood != "hide":
        lines += [f"TLSCertificateFile {files.chain}", f"TLSCertificateKeyFile {files.key}", f"TLSCACertificateFile {lab.pki.ca(o.client_ca or 'root')}",
                  f"TLSVerifyClient {'demand' if o.client_ca else 'never'}"]  # fmt: skip
    if o.priority:
        lines.append(f"TLSCipherSuite {o.priority}")
    lines += ["database ldif", 'suffix "dc=test"', f"directory {lab.work}/db", 'rootdn "cn=admin,dc=test"', ""]
    (lab.work / "db").mkdir(exist_ok=True)
    scheme = "ldap" if o.dialogue or o.mood == "hide" else "ldaps"
    return Command(
        ["slapd", "-d", "1", "-f", str(lab.file("slapd.conf", "\n".join(lines))), "-h", f"{scheme}://0.0.0.0:{lab.port}/"],
        ready_port=lab.port,
    )


def ldapsearch(o: Options, lab: Lab) -> Command:
    """Debian's OpenLDAP client, which is on GnuTLS."""
    scheme = "ldap" if o.dialogue else "ldaps"
    conf = [f"TLS_CACERT {lab.pki.ca(o.ca or 'root')}", f"TLS_REQCERT {'never' if o.insecure else 'demand'}"]
    env = {"LDAPCONF": str(lab.work / "ldap.conf"), "SSLKEYLOGFILE": str(lab.keylog)}
    if o.cert:  # these are no options of a system's file
        env |= {"LDAPTLS_CERT": str(lab.pki.leaf(o.cert).chain), "LDAPTLS_KEY": str(lab.pki.leaf(o.cert).key)}
    if o.priority:
        conf.append(f"TLS_CIPHER_SUITE {o.priority}")
    lab.file("ldap.conf", "\n".join(conf) + "\n")
    argv = [
        "ldapsearch",
        "-x",
        "-H",
        f"{scheme}://{o.name or 'server.test'}:{lab.port}",
        "-b",
        "",
        "-s",
        "base",
        "-o",
        "nettimeout=6",
        *(["-ZZ"] if o.dialogue else []),
    ]
    return Command([*argv, *(o.argv or [])], env=env)


def ncat(o: Options, lab: Lab) -> Command:
    argv = ["ncat", "--ssl", *([] if o.insecure else ["--ssl-verify", "--ssl-trustfile", str(lab.pki.ca(o.ca or "root"))])]
    if o.alpn:
        argv += ["--ssl-alpn", o.alpn]
    return Command(
        [*argv, *(o.argv or []), o.name or "server.test", str(lab.port)],
        stdin="GET / HTTP/1.0\r\n\r\n",
        linger=0.5,
        env=preloaded_keylog(lab),
    )


def ncat_server(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    argv = [
        "ncat",
        "--ssl",
        "-l",
        "-k",
        str(lab.port),
        "--ssl-cert",
        str(files.chain),
        "--ssl-key",
        str(files.key),
        "-c",
        "head -1; echo hello",
    ]
    return Command([*argv, *(o.argv or [])], ready_port=lab.port, env=preloaded_keylog(lab))


def w3m(o: Options, lab: Lab) -> Command:
    argv = [
        "w3m",
        "-dump",
        "-o",
        f"ssl_ca_file={lab.pki.ca(o.ca or 'root')}",
        "-o",
        "ssl_ca_default=0",
        "-o",
        "ssl_verify_server=1",
        f"https://{o.name or 'server.test'}:{lab.port}/",
    ]
    return Command(argv, env={"HOME": str(lab.work), **preloaded_keylog(lab)}, patience=8)


def mono(o: Options, lab: Lab) -> Command:
    program = built(lab, "mono-tls.exe", ["mcs", "-out:OUT", str(PROGRAMS / "tls.cs")])
    roots = lab.file("roots.pem", lab.pki.ca(o.ca or "root").read_bytes())
    argv = [
        "mono",
        program,
        o.address or lab.address,
        str(lab.port),
        o.name or "server.test",
        o.high,
        "insecure" if o.insecure else str(roots),
    ]
    return Command(argv, env={"HOME": str(lab.work), "MONO_TLS_PROVIDER": o.provider or "btls"})


def firefox(o: Options, lab: Lab) -> Command:
    """Firefox without a screen, which is told to take a picture of the page."""
    profile = lab.work / "profile"
    if not profile.exists():
        shutil.copytree(lab.pki.nss(), profile)
        prefs = {"network.captive-portal-service.enabled": "false", "network.connectivity-service.enabled": "false", "app.normandy.enabled": "false",
                 "services.settings.server": '"https://127.0.0.1:1"', "browser.safebrowsing.update.enabled": "false", "app.update.enabled": "false",
                 "network.trr.mode": "5", "network.http.speculative-parallel-limit": "0", "datareporting.policy.dataSubmissionEnabled": "false",
                 "toolkit.telemetry.enabled": "false", "extensions.update.enabled": "false", "network.dns.disablePrefetch": "true", "security.OCSP.enabled": "0",
                 "browser.region.network.url": '""', "dom.security.https_only_mode": "false", "dom.push.connection.enabled": "false"}  # fmt: skip
        (profile / "user.js").write_text("".join(f'user_pref("{k}", {v});\n' for k, v in prefs.items()))
    argv = [
        "firefox-esr",
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--screenshot",
        str(lab.work / "shot.png"),
        f"https://{o.name or 'server.test'}:{lab.port}/",
    ]
    return Command(argv, env={"HOME": str(lab.work), "SSLKEYLOGFILE": str(lab.keylog), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}, patience=20)


STACKS = [
    *(Stack(f"lighttpd-{library}" if library != "openssl" else "lighttpd", f"lighttpd on {title}", ("lighttpd", f"/usr/lib/lighttpd/mod_{library}.so"), first_line("lighttpd", "-v"),
            server=lambda o, lab, library=library: lighttpd(Options({**o, "library": library}), lab), report=r"error|alert|SSL|fail", ignore=r"server started|server stopped|graceful|conf")
      for library, title in (("openssl", "OpenSSL"), ("gnutls", "GnuTLS"), ("mbedtls", "mbedTLS"), ("nss", "NSS"), ("wolfssl", "wolfSSL"))),
    Stack("mosquitto", "Mosquitto on OpenSSL", ("mosquitto",), package_version("mosquitto"), server=mosquitto, report=r"OpenSSL Error|error|disconnect|closed"),
    Stack("mosquitto_pub", "Mosquitto's client on OpenSSL", ("mosquitto_pub",), package_version("mosquitto-clients"), client=mosquitto_pub, report=r"Error|error|lost|refused"),
    Stack("slapd", "OpenLDAP's server on GnuTLS", ("slapd",), package_version("slapd"), server=slapd, report=r"TLS: can't|TLS negotiation failure|alert"),
    Stack("ldapsearch", "OpenLDAP's client on GnuTLS", ("ldapsearch",), package_version("ldap-utils"), client=ldapsearch, report=r"Can't|error|info:|TLS"),
    Stack("ncat", "Ncat on OpenSSL", ("ncat",), package_version("ncat"), ncat, ncat_server, report=r"Ncat: .*(fail|error|verif|closed|SSL)"),
    Stack("w3m", "w3m on OpenSSL", ("w3m",), package_version("w3m"), client=w3m, report=r"SSL error|certificate|Can't|cert"),
    Stack("mono", "Mono on its BoringSSL of 2016", ("mono", "mcs"), package_version("mono-runtime"), client=mono, report=r"error"),
    Stack("firefox", "Firefox (NSS)", ("firefox-esr",), first_line("firefox-esr", "--version"), client=firefox, report=r"SSL|SEC_ERROR"),
]  # fmt: skip
