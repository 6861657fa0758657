"""Roads, records and options that are sound and seldom seen, with handshakes that complete on them and some that do not.

What is told from lengths and order must not be told wrongly here: padded and short records, ciphers with other overheads, a hello in
the SYN, IP fragments, segments that a network card cuts; and refusals behind a proxy, or after a dialogue in clear.
"""

from __future__ import annotations

from typing import Any

from ..case import Case
from .boxes import ALL, PASS, through, walled, wire

CASES: list[Case] = []
QUIET: dict[str, Any] = {"alert": None, "sure": "no TLS alert here"}


def refused(client: str, server: str, variant: str, c: dict[str, Any], s: dict[str, Any], how: str, cause: str = "cert-expired", by: str = "client", **more: Any) -> None:
    more.setdefault("network", {"delay": 0.02})
    more.setdefault("notice", "Notice how little of it depends on lengths.")
    CASES.append(Case(cause, client, server, variant, c=c, s=s, by=by, arranged=how, **more))


def sound(client: str, server: str, variant: str, c: dict[str, Any], s: dict[str, Any], how: str, **more: Any) -> None:
    more.setdefault("network", {"delay": 0.02})
    CASES.append(Case(None, client, server, variant, c=c, s=s, arranged=how, **more))


# -- padded records ----------------------------------------------------------------------------------------------------------------
OLD, STRANGER = {"cert": "expired"}, "The server's certificate expired a month ago; "
for size in (64, 512):
    pad = {"argv": ["-record_padding", str(size)]}
    sound("openssl", "openssl", f"tls13-padded-{size}", pad, pad, f"Both sides pad their records to multiples of {size} octets.")
    sound("curl", "openssl", f"tls13-padded-{size}", {}, pad, f"The server pads its records to multiples of {size} octets.")
    refused("gnutls", "openssl", f"tls13-padded-{size}", {"max": "1.3"}, {**OLD, **pad}, STRANGER + f"it pads its records to multiples of {size} octets.")
    refused("go", "openssl", f"tls13-padded-{size}", {}, {**OLD, **pad}, STRANGER + f"it pads its records to multiples of {size} octets.")
    refused("java", "openssl", f"tls13-padded-{size}", {}, {"cert": "unknown-ca", **pad}, f"The server's certificate comes from a CA the client does not trust; it pads its records to multiples of {size} octets.", "cert-unknown-ca")
    refused("openssl", "openssl", f"tls13-padded-{size}", pad, {"client_ca": "root", **pad}, f"The server insists on a client certificate, and the client has none; both pad their records to multiples of {size} octets.", "client-cert-missing", "server")
    refused("openssl", "openssl", f"tls13-padded-{size}", {"cert": "client-unknown-ca", **pad}, {"client_ca": "root", **pad}, f"The client's certificate comes from a CA the server does not trust; both pad their records to multiples of {size} octets.", "client-cert-unknown-ca", "server")
    sound("openssl", "openssl", f"tls13-mutual-padded-{size}", {"cert": "client", **pad}, {"client_ca": "root", **pad}, f"The client has the certificate that the server wants; both pad their records to multiples of {size} octets.")

# -- short records -----------------------------------------------------------------------------------------------------------------
SHORT = {"argv": ["-maxfraglen", "512"]}
sound("openssl", "nginx", "tls13-short-records", {"max": "1.3", **SHORT}, {}, "The client asks for records of 512 octets at most.")
sound("openssl", "nginx", "tls12-short-records", {"max": "1.2", **SHORT}, {"max": "1.2"}, "The client asks for records of 512 octets at most.")
sound("gnutls", "gnutls", "tls13-short-records", {"argv": ["--recordsize=512"]}, {}, "The client asks for records of 512 octets at most.")
refused("openssl", "nginx", "tls13-short-records", SHORT, OLD, STRANGER + "the client asks for records of 512 octets at most.")
refused("openssl", "haproxy", "tls12-short-records", {"version": "1.2", **SHORT}, OLD, STRANGER + "the client asks for records of 512 octets at most.")
refused("gnutls", "gnutls", "tls13-short-records", {"argv": ["--recordsize=512"]}, OLD, STRANGER + "the client asks for records of 512 octets at most.")
refused("gnutls", "nginx", "tls13-short-records", {"max": "1.3", "argv": ["--recordsize=512"]}, {"cert": "unknown-ca"}, "The server's certificate comes from a CA the client does not trust; the client asks for records of 512 octets at most.", "cert-unknown-ca")
refused("openssl", "haproxy", "tls13-short-records", SHORT, {"client_ca": "root"}, "The server insists on a client certificate, and the client has none; the client asks for records of 512 octets at most.", "client-cert-missing", "server")

# -- ciphers with other overheads -----------------------------------------------------------------------------------------------------
for suite, tag in (("TLS_AES_128_CCM_8_SHA256", "ccm8"), ("TLS_CHACHA20_POLY1305_SHA256", "chacha"), ("TLS_AES_128_CCM_SHA256", "ccm")):
    only = {"suites13": suite, "version": "1.3"}
    gnu = {"ccm8": "AES-128-CCM-8", "chacha": "CHACHA20-POLY1305", "ccm": "AES-128-CCM"}[tag]
    priority = {"priority": f"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+{gnu}"}
    sound("openssl", "openssl", f"tls13-{tag}-only", only, only, f"Both sides have {suite} only.")
    refused("gnutls", "openssl", f"tls13-{tag}", priority, {**OLD, **only}, STRANGER + f"both sides have {suite} only.")
    refused("openssl", "openssl", f"tls13-{tag}", only, {"client_ca": "root", **only}, f"The server insists on a client certificate, and the client has none; both sides have {suite} only.", "client-cert-missing", "server")
    refused("gnutls", "openssl", f"tls13-{tag}", {**priority, "cert": "client-expired"}, {"client_ca": "root", **only}, f"The client's certificate expired a month ago; both sides have {suite} only.", "client-cert-expired", "server")
for suite in ("AES128-SHA", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "AES256-SHA256"):
    late = {"client_ca": "root", "verify": "none", "max": "1.2", "ciphers": suite, "lines": ["<Location />", "SSLVerifyClient require", "</Location>"]}
    for client, c in (("openssl", {"version": "1.2"}), ("gnutls", {"max": "1.2"}), ("curl", {"max": "1.2"})):
        if client == "gnutls" and suite in ("ECDHE-RSA-AES256-SHA384", "AES256-SHA256"):
            continue  # which it does not offer
        CASES.append(Case("client-cert-missing", client, "apache", f"tls12-second-handshake-{suite.lower()}", c=c, s=late, by="server", network={"delay": 0.02}, sure="the first handshake completed", arranged=f"The server wants the client's certificate when it sees the page that is wanted, and asks for another handshake; the client has none; both use {suite}.",
                          notice="Notice another handshake inside the established connection, with a short Certificate, which ends in an alert of the server's."))  # fmt: skip
    CASES.append(Case(None, "openssl", "apache", f"tls12-second-handshake-{suite.lower()}", c={"version": "1.2", "cert": "client"}, s=late, network={"delay": 0.02}, sure="two handshakes", arranged=f"The server wants the client's certificate when it sees the page that is wanted, and asks for another handshake; the client has it; both use {suite}."))  # fmt: skip
    CASES.append(Case("client-cert-unknown-ca", "openssl", "apache", f"tls12-second-handshake-{suite.lower()}", c={"version": "1.2", "cert": "client-unknown-ca"}, s=late, by="server", network={"delay": 0.02}, sure="the first handshake completed", without_keys="client-cert-rejected",
                      arranged=f"The server wants the client's certificate when it sees the page that is wanted, and asks for another handshake; the client has one of a CA that the server does not trust; both use {suite}.", notice="Notice another handshake inside the established connection."))  # fmt: skip

# -- the hello in the SYN, IP fragments, network cards ----------------------------------------------------------------------------------
FAST = {**walled(0.05), "sysctl": (("client", "net.ipv4.tcp_fastopen", "7"), ("server", "net.ipv4.tcp_fastopen", "1027"))}
PLAIN = ("router", "-A", "FORWARD", "-j", "ACCEPT")
FASTER = {"argv": ["--tcp-fastopen"]}
sound("curl", "nginx", "tls13-hello-in-the-syn", (FASTER, FASTER), {}, "TCP carries the ClientHello in the SYN (Fast Open), from the first connection on.", network=FAST, firewall=(PLAIN,), stream=1)
refused("curl", "nginx", "tls12-hello-in-the-syn", ({**FASTER, "max": "1.2"},) * 2, OLD, STRANGER + "TCP carries the ClientHello in the SYN (Fast Open).", network=FAST, firewall=(PLAIN,), stream=1)
refused("curl", "nginx", "tls11-hello-in-the-syn", ({**FASTER, "min": "1.0", "max": "1.1", "ciphers": "ALL:@SECLEVEL=0"},) * 2, {}, "The client speaks TLS 1.1 at most; TCP carries the ClientHello in the SYN (Fast Open).", "client-version-too-old", "server", network=FAST, firewall=(PLAIN,), stream=1)
CUT = {**walled(0.04), "sysctl": (("server", "net.ipv4.ip_no_pmtu_disc", "1"),)}
NARROW = ("router", "ip", "link", "set", "left", "mtu", "1000")
sound("curl", "nginx", "tls12-ip-fragments", {"max": "1.2"}, {}, "A router cuts the server's packets into IP fragments.", network=CUT, firewall=(NARROW,), filter="ip", sure="fragments")
refused("openssl", "nginx", "tls12-ip-fragments", {"version": "1.2"}, OLD, STRANGER + "a router cuts its packets into IP fragments.", network=CUT, firewall=(NARROW,), filter="ip", sure="fragments")
sound("curl", "nginx", "tls13-ip-fragments-server-side", {}, {}, "A router cuts the server's packets into IP fragments; recorded before it, at the server.", network=CUT, firewall=(NARROW,), filter="ip", at="server")
CARD = {"offload": True, "forward": "kernel"}
refused("go", "nginx", "tls12-offload", {"max": "1.2"}, {"cert": "unknown-ca"}, "The server's certificate comes from a CA the client does not trust; network cards cut and join segments.", "cert-unknown-ca", network=CARD)
refused("openssl", "nginx", "blocked-offload", {"name": "blocked.test", "insecure": True}, {}, "A router rejects with a reset what holds the name blocked.test; network cards cut and join segments.", "sni-filter-rst", "middlebox", network={"offload": True},
        firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", "blocked.test", "-j", "REJECT", "--reject-with", "tcp-reset"),), **QUIET)  # fmt: skip

# -- who is heard late, or not at all ---------------------------------------------------------------------------------------------------
CASES += [
    Case("client-timeout", "several", "python", "one-after-the-other", c={"count": 3, "pause": 0.05, "stay": 0.1}, s={"threads": "no", "slow": 3}, stream=2, by="client", network=wire(0.04), settle=6, arranged="The server takes one connection at a time and thinks for three seconds about each; three come at once.", notice="Notice that the kernel takes and acknowledges what the program has not looked at.", **QUIET),
    Case("client-closed-mid-handshake", "raw", "nginx", "hello-and-fin", c={"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["shut"], ["recv-all", 2], ["fin"]]}, by="client", network=wire(0.04), arranged="The client sends a ClientHello and closes its side of the connection at once.", notice="Notice that the server's answer comes to somebody who will say nothing more.", **QUIET),
]  # fmt: skip

# -- behind a proxy, and after a dialogue --------------------------------------------------------------------------------------------------
OPEN = ["socksmethod: none", ALL, PASS]
for kind, lines in (("squid", ["http_access allow all"]), ("dante", OPEN)):
    CASES += [
        through("cert-unknown-ca", kind, "tls12", "The client goes through a proxy to a server whose certificate comes from a CA it does not trust.", lines, c={"max": "1.2"}, by="client", s={"cert": "unknown-ca"}),
        through("client-hello-no-answer" if kind == "dante" else "proxy-connect-timeout", kind, "silent", "The client goes through a proxy to a server that never answers.", lines, server="raw", by="client", s={"script": [["recv", 20], ["sleep", 20]]}, notice="Notice that the proxy has done its part."),
        through("server-fin-after-hello" if kind == "dante" else "proxy-connect-timeout", kind, "reset", "The client goes through a proxy to a server that resets the connection at the ClientHello.", lines, server="raw", s={"script": [["recv", 5], ["rst"]]}, notice="Notice that the proxy passes the end on, as a FIN."),
        through("client-version-too-old", kind, "tls11", "The client goes through a proxy to a server that has no version as old.", lines, c={"min": "1.0", "max": "1.1", "ciphers": "ALL:@SECLEVEL=0"}, by="server", alert="seen", notice="Notice the alert that comes through the proxy."),
    ]  # fmt: skip
for client, server, leaf, cause, port, via, c, s in (
    ("openssl", "postfix", "expired", "cert-expired", 25, "smtp-starttls", {"dialogue": "smtp", "version": "1.2"}, {}),
    ("curl", "dovecot", "unknown-ca", "cert-unknown-ca", 143, "imap-starttls", {"dialogue": "imap", "argv": ["-u", "a:x"]}, {}),
    ("curl", "dovecot", "expired", "cert-expired", 110, "pop3-stls", {"dialogue": "pop3", "max": "1.2", "argv": ["-u", "a:x"]}, {}),
    ("openssl", "vsftpd", "self-signed", "cert-self-signed", 21, "ftp-auth-tls", {"dialogue": "ftp", "version": "1.2"}, {}),
    ("openssl", "prosody", "expired", "cert-expired", 5222, "xmpp-starttls", {"dialogue": "xmpp", "version": "1.2", "request": "", "argv": ["-xmpphost", "server.test"]}, {}),
    ("mysql", "mariadb", "expired", "cert-expired", 3306, "mysql", {"argv": ["--ssl-verify-server-cert"]}, {"open": True}),
    ("mysql", "mariadb", "unknown-ca", "cert-unknown-ca", 3306, "mysql", {"argv": ["--ssl-verify-server-cert", "--tls-version=TLSv1.2"]}, {"open": True}),
    ("mosquitto_pub", "mosquitto", "unknown-ca", "cert-unknown-ca", 8883, None, {"version": "1.2"}, {"version": "1.2"}),
    ("mosquitto_pub", "mosquitto", "wrong-name", "cert-name-mismatch", 8883, None, {}, {}),
    ("redis", "redis", "expired", "cert-expired", 6380, None, {"tls": True}, {"tls": True}),
    ("psql", "postgres", "wrong-name", "cert-name-mismatch", 5432, "postgresql", {"max": "1.2"}, {}),
    ("gnutls", "dovecot", "expired", "cert-expired", 143, "imap-starttls", {"dialogue": "imap", "request": "a LOGOUT\r\n"}, {}),
):  # fmt: skip
    refused(client, server, f"{leaf}-{via or port}", c, {"cert": leaf, **s}, f"The server's certificate has a fault ({leaf}); the client verifies it.", cause, port=port, via=via, network=wire(0.04), sure="stacks differ in how they refuse", notice="Notice how the refusal looks on the wire.")

AGREED: dict[str, tuple[int, str, list[Any]]] = {
    "smtp": (25, "smtp-starttls", [["send", "220 mail.server.test ESMTP\r\n"], ["recv"], ["send", "250-mail.server.test\r\n250 STARTTLS\r\n"], ["recv"], ["send", "220 go ahead\r\n"], ["recv"]]),
    "imap": (143, "imap-starttls", [["send", "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"], ["recv"], ["send", "* CAPABILITY IMAP4rev1 STARTTLS\r\nA001 OK done\r\n"], ["recv"], ["send", "A002 OK begin\r\n"], ["recv"]]),
}  # fmt: skip
for cause, ending, told in (("server-fin-after-hello", [["fin"]], "closes"), ("server-rst-after-hello", [["rst"]], "resets the connection"), ("client-hello-no-answer", [["sleep", 20]], "never answers")):
    for client, kind, c in (("openssl", "smtp", {"request": "QUIT\r\n"}), ("gnutls", "smtp", {"request": "QUIT\r\n"}), ("curl", "imap", {"argv": ["-u", "a:x"]})):
        port, via, script = AGREED[kind]
        CASES.append(Case(cause, client, "raw", f"{kind}-agreed", c={"dialogue": kind, "timeout": 5, "patience": 6, **c}, s={"script": [*script, *ending]}, port=port, via=via, by="client" if ending[0][0] == "sleep" else "server", alert=None, sure="some clients answer the close with an alert", network=wire(0.05),
                          arranged=f"The server agrees to TLS and {told} when the ClientHello comes.", notice="Notice that the dialogue in clear was answered, and nothing after it."))  # fmt: skip

# -- asked for by address, or by no name ----------------------------------------------------------------------------------------------
ADDRESS = "198.51.100.20"
for client, c in (("go", {"name": ADDRESS}), ("python", {"name": ADDRESS}), ("java", {"name": ADDRESS}), ("openssl", {"sni": "", "any_name": True, "argv": ["-verify_ip", ADDRESS]}), ("curl", {"name": ADDRESS}),
                  ("gnutls", {"name": ADDRESS, "sni": ""})):  # fmt: skip
    for v in ("1.2", "1.3"):
        refused(client, "nginx", f"tls{v.replace('.', '')}-by-address", {**c, ("version" if client == "openssl" else "max"): v}, {"max": v}, "The client asks for the server by its address, which is not in the certificate.", "cert-name-mismatch", sure="stacks differ in how they refuse", notice="Notice that the ClientHello holds no name.")
for client, server, c, s in (
    ("gnutls", "haproxy", {"sni": "", "insecure": True}, {"only_name": "server.test"}), ("java", "nginx", {"name": ADDRESS, "insecure": True}, {"only_name": "server.test"}),
    ("curl", "go", {"name": ADDRESS, "insecure": True}, {"only_name": "server.test"}), ("python", "haproxy", {"sni": "", "insecure": True}, {"only_name": "server.test"}),
):  # fmt: skip
    refused(client, server, "by-address", c, s, "The client sends no name, and the server answers its own name only.", "sni-missing", "server", sure="stacks differ in how they refuse", notice="Notice that the ClientHello holds no name.")

# -- who stops in the middle, and data that needs a session ----------------------------------------------------------------------------
HELLO: dict[str, Any] = {"versions": [], "suites": [0xC02F, 0x009C]}
CASES += [
    Case("server-closed-mid-handshake", "raw", "haproxy", "client-stops", c={"script": [["hello", HELLO], ["wait", 1], ["recv-all", 9], ["fin"]]}, s={"max": "1.2", "hello_timeout": "3s"}, by="server", network=wire(0.04), arranged="The client stops in the middle of the handshake, and the server waits for six seconds.", notice="Notice the silence before the close: the client owes an answer.", **QUIET),
    Case("server-closed-mid-handshake", "raw", "nginx", "client-stops", c={"script": [["hello", HELLO], ["wait", 1], ["recv-all", 9], ["fin"]]}, s={"max": "1.2", "lines": ["client_header_timeout 3s;"]}, by="server", network=wire(0.04), arranged="The client stops in the middle of the handshake, and the server waits for three seconds.", notice="Notice the silence before the close: the client owes an answer.", **QUIET),
    Case(None, "python", "vsftpd", "ftp-data-without-a-session", c={"dialogue": "ftp", "list": "1", "max": "1.2"}, s={"lines": ["require_ssl_reuse=YES", "no_anon_password=YES", "pasv_min_port=20990", "pasv_max_port=20990"]}, port=21, via="ftp-auth-tls", network=wire(0.04), arranged="vsftpd wants the data connection to resume the session of the first, which the client does not.", notice="Notice the second connection, whose handshake completes and which ends without data.", sure="the first connection completes"),
]  # fmt: skip
