"""Web servers and TLS proxies as servers: nginx, HAProxy, Apache, stunnel; each on a configuration of our own."""

from __future__ import annotations

from . import Command, Lab, Options, Stack, first_line, preloaded_keylog

NGINX_VERSIONS = {"1.0": "TLSv1", "1.1": "TLSv1.1", "1.2": "TLSv1.2", "1.3": "TLSv1.3"}
ORDER = list(NGINX_VERSIONS)


def _range(o: Options) -> list[str]:
    return ORDER[ORDER.index(o.low) : ORDER.index(o.high) + 1]


def nginx(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    lines = [f"ssl_certificate {files.chain};", f"ssl_certificate_key {files.key};"]
    if o.second_cert:
        more = lab.pki.leaf(o.second_cert)
        lines += [f"ssl_certificate {more.chain};", f"ssl_certificate_key {more.key};"]
    protocols = f"ssl_protocols {' '.join(NGINX_VERSIONS[v] for v in _range(o))};"
    if o.ciphers:
        lines.append(f"ssl_ciphers {o.ciphers};")
    if o.groups:
        lines.append(f"ssl_ecdh_curve {o.groups};")
    if o.client_ca:
        lines += [f"ssl_client_certificate {lab.pki.ca(o.client_ca)};", "ssl_verify_depth 3;"]
        lines.append("ssl_verify_client on;" if (o.verify or "require") == "require" else "ssl_verify_client optional;")
    if o.crl:
        lines.append(f"ssl_crl {lab.pki.crl(o.crl)};")
    if o.staple:
        lines += ["ssl_stapling on;", f"ssl_stapling_file {lab.pki.staple(o.staple)};"]
    if o.early_data:
        lines.append("ssl_early_data on;")
    lines += o.lines or []
    listen = f"listen {lab.port} ssl" + (" http2" if o.http2 else "") + (" proxy_protocol" if o.proxy_protocol else "")
    listen6 = listen.replace(f"listen {lab.port}", f"listen [::]:{lab.port}")
    reject = f"server {{ {listen} default_server; ssl_reject_handshake on; }}" if o.only_name else ""
    text = f"""
daemon off; master_process off; pid {lab.work}/nginx.pid; error_log stderr info;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {lab.work}/b; proxy_temp_path {lab.work}/p; fastcgi_temp_path {lab.work}/f;
  uwsgi_temp_path {lab.work}/u; scgi_temp_path {lab.work}/s;
  {protocols}
  {reject}
  server {{ {listen}; {listen6}; server_name {o.only_name or "server.test"};
    {" ".join(lines)}
    location / {{ return 200 "hello\\n"; }}
  }}
}}
"""
    return Command(
        ["nginx", "-e", "stderr", "-c", str(lab.file("nginx.conf", text)), "-p", str(lab.work)],
        ready_port=lab.port,
        env=preloaded_keylog(lab),
    )


def haproxy(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    pem = lab.file("haproxy.pem", files.chain.read_bytes() + files.key.read_bytes())
    bind = f"bind :{lab.port} ssl crt {pem} ssl-min-ver TLSv{o.low} ssl-max-ver TLSv{o.high}"
    for key, word in (("ciphers", "ciphers"), ("suites13", "ciphersuites"), ("groups", "curves"), ("alpn", "alpn")):
        if o.get(key):
            bind += f" {word} {o[key]}"
    if o.client_ca:
        bind += f" ca-file {lab.pki.ca(o.client_ca)} verify " + ("required" if (o.verify or "require") == "require" else "optional")
    if o.crl:
        bind += f" crl-file {lab.pki.crl(o.crl)}"
    if o.only_name:
        bind += " strict-sni"
    if o.proxy_protocol:
        bind += " accept-proxy"
    if o.early_data:
        bind += " allow-0rtt"
    if o.no_tls:
        bind = f"bind :{lab.port}"
    text = f"""
global
  log stderr format raw local0 info
  tune.ssl.default-dh-param 2048
  stats timeout 5s
defaults
  timeout client 6s
  timeout server 6s
  timeout connect 2s
  timeout http-request {o.hello_timeout or "6s"}
  log global
  option dontlognull
  mode {o.mode or "http"}
frontend f
  {bind}
  {o.rule or ""}
  {"default_backend b" if o.backend else 'http-request return status 200 content-type text/plain string "hello"'}
  error-log-format "error: %[ssl_fc_err_str] %[fc_err_str]"
backend b
  {"server s " + o.backend if o.backend and o.backend != "none" else ""}
"""
    return Command(["haproxy", "-db", "-f", str(lab.file("haproxy.cfg", text))], ready_port=lab.port, env=preloaded_keylog(lab))


def apache(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    lines = [f"SSLCertificateFile {files.chain}", f"SSLCertificateKeyFile {files.key}"]
    lines.append("SSLProtocol -all " + " ".join("+" + NGINX_VERSIONS[v] for v in _range(o)))
    if o.ciphers:
        lines.append(f"SSLCipherSuite {o.ciphers}")
    if o.client_ca:
        lines += [f"SSLCACertificateFile {lab.pki.ca(o.client_ca)}", "SSLVerifyDepth 3"]
        if (o.verify or "require") == "require":
            lines.append("SSLVerifyClient require")
    if o.crl:
        lines += [f"SSLCARevocationFile {lab.pki.crl(o.crl)}", "SSLCARevocationCheck leaf"]
    if o.only_name:
        lines.append("SSLStrictSNIVHostCheck on")
    lines += o.lines or []
    (lab.work / "htdocs/private").mkdir(parents=True, exist_ok=True)
    for page in ("index.html", "private/index.html"):
        (lab.work / "htdocs" / page).write_text("hello\n")
    modules = "\n".join(
        f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"
        for m in ("mpm_event", "authz_core", "authz_host", "dir", "mime", "ssl", "socache_shmcb", "alias")
    )
    text = f"""
ServerRoot {lab.work}
{modules}
PidFile {lab.work}/apache.pid
ErrorLog /dev/stderr
LogLevel ssl:info
TypesConfig /dev/null
User root
Group root
ServerName {o.only_name or "server.test"}
Listen {lab.port}
SSLSessionCache shmcb:{lab.work}/cache(512000)
Mutex file:{lab.work}
StartServers 1
ServerLimit 1
ThreadsPerChild 4
ThreadLimit 4
MaxRequestWorkers 4
MinSpareThreads 1
MaxSpareThreads 4
<VirtualHost *:{lab.port}>
ServerName {o.only_name or "server.test"}
DocumentRoot {lab.work}/htdocs
SSLEngine on
{chr(10).join(lines)}
<Directory {lab.work}/htdocs>
Require all granted
</Directory>
</VirtualHost>
"""
    text = text.replace("User root\nGroup root\n", "User www-data\nGroup www-data\n")
    return Command(["apache2", "-X", "-f", str(lab.file("apache.conf", text))], ready_port=lab.port, env=preloaded_keylog(lab))


def stunnel(o: Options, lab: Lab) -> Command:
    files = lab.pki.leaf(o.cert or "server")
    lines = [
        f"cert = {files.chain}",
        f"key = {files.key}",
        f"sslVersionMin = {NGINX_VERSIONS[o.low]}",
        f"sslVersionMax = {NGINX_VERSIONS[o.high]}",
    ]
    if o.ciphers:
        lines.append(f"ciphers = {o.ciphers}")
    if o.groups:
        lines.append(f"curves = {o.groups}")
    if o.client_ca:
        lines += [f"CAfile = {lab.pki.ca(o.client_ca)}", "verifyChain = yes" if (o.verify or "require") == "require" else "verify = 0"]
        if (o.verify or "require") == "require":
            lines.append("requireCert = yes")
    if o.psk:
        lines = [f"PSKsecrets = {lab.file('psk.txt', o.psk)}", "ciphers = PSK", "sslVersionMax = TLSv1.2"]
    lines += o.lines or []
    text = "\n".join([
        "foreground = yes", "debug = 5", "pid =", f"setuid = {o.setuid or 'root'}", "[tls]", f"accept = {lab.port}",
        f"connect = {o.connect or '127.0.0.1:9'}" if not o.exec_ else "exec = /bin/cat", *lines, ""])  # fmt: skip
    if not o.connect:
        text = text.replace("connect = 127.0.0.1:9", "exec = /bin/echo\nexecArgs = echo hello")
    return Command(["stunnel4", str(lab.file("stunnel.conf", text))], ready_port=lab.port, env=preloaded_keylog(lab))


STACKS = [
    Stack("nginx", "nginx on OpenSSL", ("nginx",), first_line("nginx", "-v"), server=nginx,
          report=r"SSL|\[(info|error|crit)\]|client|broken", ignore=r"epoll_wait|using the|start worker|OCSP|closed keepalive|\[notice\]"),
    Stack("haproxy", "HAProxy on OpenSSL", ("haproxy",), first_line("haproxy", "-v"), server=haproxy,
          report=r"error|fail|SSL", ignore=r"WARNING|NOTICE"),
    Stack("apache", "Apache httpd on OpenSSL", ("apache2",), first_line("apache2", "-v", pattern=r"Apache/([\d.]+)"), server=apache,
          report=r"AH\d+|SSL Library", ignore=r"notice|AH00163|AH01914|AH02568|AH01964|AH01876|AH01887|AH01998"),
    Stack("stunnel", "stunnel on OpenSSL", ("stunnel4",), first_line("stunnel4", "-version", pattern=r"stunnel ([\d.]+)"), server=stunnel,
          report=r"LOG[0-3]|SSL_|reset|closed", prefer=r"LOG[0-3]\[", ignore=r"No trusted certificates"),
]  # fmt: skip
