"""Not TLS, not yet TLS, or not TLS any more: ports mixed up, dialogues refused, proxies that say no, nobody speaking."""

from __future__ import annotations

from typing import Any

from ..case import Case

CASES: list[Case] = []
HTTP = "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"

# -- plain bytes on a TLS port ----------------------------------------------------------------------------------------------
for server in ("openssl", "nginx", "haproxy", "apache", "gnutls", "nss", "go", "java", "node", "python", "stunnel"):
    CASES.append(Case("http-on-tls-port", "raw", server, "", c={"script": [["send", HTTP], ["recv-all", 2], ["fin"]]}, by="",
                      sure="servers differ: alert, page, close, silence", arranged="A client speaks plain HTTP to the TLS port.",
                      notice="Notice what this server does with it; others do otherwise."))  # fmt: skip
CASES += [
    Case("http-on-tls-port", "curl", "nginx", "", c={"scheme": "http"}, by="server", arranged="A client speaks plain HTTP to the TLS port.", notice="Notice the page in plain text that says so.", alert=None),
    Case("http-on-tls-port", "curl", "go", "net-http", c={"scheme": "http"}, s={"argv": ["--http"]}, by="server", arranged="A client speaks plain HTTP to the TLS port.", notice="Notice the answer in plain text that says so.", alert=None),
]  # fmt: skip
for server in ("nginx", "go", "gnutls", "java", "openssl", "haproxy"):
    CASES.append(Case("non-tls-client-bytes", "raw", server, "ssh", c={"script": [["send", "SSH-2.0-OpenSSH_9.2\r\n"], ["recv-all", 2], ["fin"]]}, by="", sure="servers differ",
                      arranged="An SSH client speaks to the TLS port.", notice="Notice the first bytes, which name their protocol."))  # fmt: skip
for server in ("nginx", "go", "python"):
    CASES.append(Case("non-tls-client-bytes", "raw", server, "mqtt", c={"script": [["hex", "101000044d5154540402003c00046c616231"], ["recv-all", 2], ["fin"]]}, by="", sure="servers differ",
                      arranged="An MQTT client speaks without TLS to the TLS port.", notice="Notice the first byte, 0x10, which begins no TLS record."))  # fmt: skip

# -- TLS on a plain port --------------------------------------------------------------------------------------------------------
PLAIN_HTTP = [["recv", 5], ["send", "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request"], ["fin"]]
for client in ("openssl", "curl", "gnutls", "nss", "go", "java", "node", "python", "mbedtls", "wolfssl", "boringssl", "rustls", "chromium"):
    CASES.append(Case("tls-on-plaintext-port", client, "raw", "http", s={"script": PLAIN_HTTP}, port=8443, by="server", arranged="The server speaks plain HTTP on this port.",
                      sure="clients differ in how they take it", notice="Notice an HTTP answer to a ClientHello.", alert=None))  # fmt: skip
CASES += [
    Case("tls-on-plaintext-port", "curl", "haproxy", "http", s={"no_tls": True}, port=8443, by="server", arranged="The server speaks plain HTTP on this port.", notice="Notice an HTTP answer to a ClientHello.", alert=None, sure="plain HTTP"),
    Case("tls-on-plaintext-port", "openssl", "raw", "ssh", s={"script": [["send", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"], ["recv", 5], ["sleep", 0.2], ["fin"]]}, port=8443, by="server", arranged="The port belongs to an SSH server.", notice="Notice a banner that came before the ClientHello.", alert=None, sure="plain bytes"),
    Case("tls-on-plaintext-port", "go", "raw", "redis", s={"script": [["recv", 5], ["send", "-ERR Protocol error: invalid request\r\n"], ["fin"]]}, port=6380, by="server", arranged="The port belongs to a Redis server.", notice="Notice an error in Redis's way.", alert=None, sure="plain bytes"),
]  # fmt: skip
BANNERS = {"smtp": (587, "220 mail.server.test ESMTP ready\r\n"), "imap": (143, "* OK server.test IMAP4 ready\r\n"), "pop3": (110, "+OK POP3 ready\r\n"), "ftp": (21, "220 server.test FTP ready\r\n")}
for kind, (port, banner) in BANNERS.items():
    for client in ("openssl", "curl") if kind in ("smtp", "imap") else ("openssl",):
        CASES.append(Case("implicit-vs-starttls", client, "raw", kind, c={"timeout": 4, "patience": 5}, s={"script": [["send", banner], ["recv", 3], ["send", "500 5.5.1 what\r\n" if kind in ("smtp", "ftp") else "* BAD what\r\n"], ["fin"]]}, port=port, by="server",
                          arranged=f"The client begins with TLS on a port where the server speaks {kind} first and waits to be asked.", sure="plain bytes", alert=None,
                          notice="Notice the banner and the ClientHello crossing each other."))  # fmt: skip
CASES += [
    Case("implicit-vs-starttls", "python", "nginx", "waiting-for-a-banner", c={"dialogue": "smtp", "timeout": 4}, port=465, by="client", outcome="failed", alert=None, sure="both wait",
         arranged="The client waits for a mail server's greeting on a port where TLS begins at once, and the server waits for a ClientHello.", notice="Notice that both wait, until the client gives up."),
    Case("implicit-vs-starttls", "python", "haproxy", "waiting-for-a-banner", c={"dialogue": "imap", "timeout": 4}, s={"hello_timeout": "3s"}, port=993, by="client", outcome="failed", alert=None, sure="both wait",
         arranged="The client waits for a mail server's greeting on a port where TLS begins at once, and the server waits for a ClientHello.", notice="Notice that both wait, until one gives up."),
]  # fmt: skip

# -- dialogues that do not get to TLS -------------------------------------------------------------------------------------------
PORTS = {"smtp": (25, "smtp-starttls"), "imap": (143, "imap-starttls"), "pop3": (110, "pop3-stls"), "ftp": (21, "ftp-auth-tls"), "ldap": (389, "ldap-starttls"), "xmpp": (5222, "xmpp-starttls"), "postgres": (5432, "postgresql"), "mysql": (3306, "mysql"), "rdp": (3389, "rdp"), "tds": (1433, "tds")}


def dialogue(cause: str, client: str, kind: str, mood: str, arranged: str, **more: Any) -> Case:
    port, via = PORTS[kind]
    anyway = client == "openssl" and kind in ("smtp", "ftp", "pop3", "imap")
    more.setdefault("notice", "Notice that this client does not look at the answer, and begins TLS all the same." if anyway else "Notice that no ClientHello is ever sent.")
    more.setdefault("c", {"dialogue": kind, "request": "QUIT\r\n", "patience": 6})
    more.setdefault("by", "server")
    more.setdefault("variant", kind)
    return Case(cause, client, "python", s={"dialogue": kind, "mood": mood}, port=port, via=via, alert=None, sure="no TLS", arranged=arranged, **more)


for client, kinds in (("openssl", "smtp imap pop3 ftp xmpp mysql"), ("gnutls", "smtp"), ("python", "smtp imap pop3"), ("curl", "smtp imap pop3")):
    for kind in kinds.split():
        c: dict[str, Any] = {"dialogue": kind, "request": "QUIT\r\n", "patience": 6, "timeout": 5}
        if client == "curl" and kind == "smtp":
            c["argv"] = ["--mail-from", "a@b.test"]
        mood = "hide"
        cause = "starttls-not-offered" if kind != "mysql" else "starttls-refused"
        if client == "openssl" and kind in ("pop3",):
            continue  # s_client asks without looking
        CASES.append(dialogue(cause, client, kind, mood, f"The server's {kind} does not offer TLS, which the client wants.", c=c))
for client, kinds in (("openssl", "smtp imap pop3 ftp xmpp ldap postgres"), ("gnutls", "smtp imap pop3 ldap"), ("python", "smtp imap pop3 ftp rdp tds"), ("curl", "smtp imap pop3")):
    for kind in kinds.split():
        c = {"dialogue": kind, "request": "QUIT\r\n", "patience": 6, "timeout": 5}
        if client == "curl" and kind == "smtp":
            c["argv"] = ["--mail-from", "a@b.test"]
        CASES.append(dialogue("starttls-refused", client, kind, "refuse", f"The client asks for TLS in {kind}, and the server refuses.", c=c))
CASES += [
    Case("starttls-refused", "psql", "postgres", "", s={"no_tls": True}, port=5432, via="postgresql", by="server", alert=None, sure="no TLS",
         arranged="The client insists on TLS, and PostgreSQL is set up without.", notice="Notice the single letter N, and that the client leaves."),
    Case("starttls-refused", "mysql", "python", "mysql", c={"argv": ["--ssl-verify-server-cert"]}, s={"dialogue": "mysql", "mood": "hide"}, port=3306, via="mysql", by="server", alert=None, sure="no TLS",
         arranged="The client insists on TLS, and the server's greeting says it has none.", notice="Notice the capability that is missing in the greeting."),
]  # fmt: skip
for client in ("python", "curl", "gnutls", "openssl"):
    c = {"dialogue": "smtp", "request": "QUIT\r\n", "patience": 6, "timeout": 5}
    if client == "curl":
        c["argv"] = ["--mail-from", "a@b.test"]
    CASES.append(Case("starttls-stripped", client, "python", "smtp", c=c, s={"dialogue": "smtp"}, port=25, via="smtp-starttls", by="middlebox", alert=None, sure="no TLS",
                      faults=({"do": "rewrite", "towards": "client", "old": "250-STARTTLS", "new": "250-XXXXXXXA", "flags": "DATA"}, {"do": "rewrite", "towards": "server", "old": "STARTTLS\r\n", "new": "XXXXXXXX\r\n", "flags": "DATA"}),
                      arranged="A box on the way overwrites the offer of STARTTLS in the server's greeting, as some firewalls do.", notice="Notice the word of X's where STARTTLS should be."))  # fmt: skip

# -- the PROXY protocol -------------------------------------------------------------------------------------------------------------
for server in ("nginx", "haproxy", "go", "gnutls", "openssl"):
    CASES.append(Case("proxy-protocol-mismatch", "curl", server, "unexpected-header", c={"argv": ["--haproxy-protocol"], "timeout": 5}, by="", via="proxy-protocol", sure="servers differ",
                      arranged="The client sends a PROXY line first, which the server does not expect.", notice="Notice the line in plain text before the ClientHello."))  # fmt: skip
for server in ("nginx", "haproxy"):
    CASES.append(Case("proxy-protocol-mismatch", "openssl", server, "missing-header", s={"proxy_protocol": True}, by="server", alert=None, sure="the server only closes",
                      arranged="The server expects a PROXY line first, which the client does not send.", notice="Notice a reset right after the ClientHello, without an alert.",
                      without_keys="server-rst-after-hello", notes="On the wire nothing tells it from any other server that resets after the ClientHello."))  # fmt: skip

# -- proxies that say no ----------------------------------------------------------------------------------------------------------
def proxied(cause: str, client: str, mood: str, arranged: str, kind: str = "connect", **more: Any) -> Case:
    port = 3128 if kind == "connect" else 1080
    words = {"curl": ["-x", f"{'http' if kind == 'connect' else 'socks5h'}://192.0.2.1:{port}"], "openssl": ["-proxy", f"192.0.2.1:{port}"]}[client]
    c: dict[str, Any] = {"argv": words, "timeout": 5, "patience": 6}
    if client == "openssl":
        c["connect_to"] = "198.51.100.20:443"
    more.setdefault("by", "server")
    return Case(cause, client, "nginx", mood if kind == "connect" else f"socks5-{mood}", c=c, middle={"kind": kind, "port": port, "explicit": True, "mood": mood}, via="http-connect" if kind == "connect" else "socks5",
                alert=None, sure="no TLS", arranged=arranged, notice=more.pop("notice", "Notice the proxy's answer; TLS never begins."), **more)  # fmt: skip


for mood, arranged in (("403", "The proxy forbids the destination."), ("407", "The proxy wants credentials."), ("502", "The proxy cannot reach the destination."), ("503", "The proxy has no time.")):
    CASES.append(proxied("proxy-connect-refused", "curl", mood, arranged))
CASES += [
    proxied("proxy-connect-refused", "openssl", "403", "The proxy forbids the destination."),
    proxied("proxy-connect-timeout", "curl", "silent", "The proxy takes the request and never answers.", by="client", notice="Notice a CONNECT without an answer."),
    proxied("proxy-connect-timeout", "curl", "200-then-close", "The proxy says yes and closes when the ClientHello comes.", notice="Notice the 200, the ClientHello, and the close."),
    proxied("proxy-connect-timeout", "openssl", "200-then-close", "The proxy says yes and closes when the ClientHello comes.", notice="Notice the 200, the ClientHello, and the close."),
    proxied("socks-failure", "curl", "refused", "The SOCKS proxy finds nobody listening at the destination.", kind="socks"),
    proxied("socks-failure", "curl", "ruleset", "The SOCKS proxy's rules forbid the destination.", kind="socks"),
    proxied("socks-failure", "curl", "unreachable", "The SOCKS proxy cannot reach the destination.", kind="socks"),
    proxied("socks-failure", "curl", "no-auth", "The SOCKS proxy takes none of the client's ways to log in.", kind="socks"),
    Case("socks-failure", "curl", "nginx", "socks4-refused", c={"argv": ["-x", "socks4a://192.0.2.1:1080"]}, middle={"kind": "socks", "port": 1080, "explicit": True, "mood": "refused"}, via="socks4", by="server", alert=None, sure="no TLS",
         arranged="The SOCKS 4 proxy refuses the request.", notice="Notice the reply 0x5B."),
]  # fmt: skip

# -- nobody speaks, or nobody answers ------------------------------------------------------------------------------------------------
for server in ("openssl", "nginx", "haproxy", "gnutls", "java", "go", "python"):
    CASES.append(Case("connect-close-probe", "raw", server, "", c={"script": [["fin"]], "connections": 3, "pause": 0.3}, outcome="no-handshake", by="client", alert=None,
                      arranged="A health check opens a connection and closes it, three times.", notice="Notice that a server may answer the close with an alert, which is not a failure."))  # fmt: skip
CASES += [
    Case("connect-close-probe", "raw", "nginx", "reset", c={"script": [["rst"]], "connections": 3, "pause": 0.3}, outcome="no-handshake", by="client", alert=None,
         arranged="A health check opens a connection and resets it, three times.", notice="Notice that not a byte is sent."),
    Case("client-never-speaks", "raw", "haproxy", "", c={"script": [["wait", 8], ["fin"]]}, s={"hello_timeout": "3s"}, outcome="no-handshake", by="server", alert=None,
         arranged="A client connects and says nothing, until the server closes.", notice="Notice the silence after the TCP handshake."),
    Case("client-never-speaks", "raw", "nginx", "", c={"script": [["sleep", 4], ["fin"]]}, outcome="no-handshake", by="client", alert=None,
         arranged="A client connects, says nothing for four seconds and leaves.", notice="Notice the silence after the TCP handshake."),
    Case("happy-eyeballs-loser", "curl", "nginx", "", c={"address": "[2001:db8:2::20],198.51.100.20"}, faults=({"do": "delay", "seconds": 0.3, "flags": "SYN-ACK", "nth": 1},), outcome="no-handshake", by="client", alert=None,
         arranged="The client tries IPv6 first, hears nothing for a fifth of a second, tries IPv4 too and takes what answers first.", notice="Notice two connections to one name, the first of which is given up without a byte."),
    Case("happy-eyeballs-loser", "raw", "nginx", "", c=({"script": [["fin"]], "address": "2001:db8:2::20"}, {"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["recv", 1], ["alert", 1, 0], ["fin"]]}), outcome="no-handshake", by="client", alert=None,
         arranged="A client connects over IPv6 and IPv4 at once, keeps the second and closes the first unused.", notice="Notice two connections of one client to one server, and that only one speaks."),
]  # fmt: skip
SILENT: list[Any] = [["recv", 20], ["sleep", 20]]
for client in ("curl", "go", "java", "python", "node", "gnutls"):
    CASES.append(Case("client-hello-no-answer", client, "raw", "", c={"timeout": 4, "patience": 7}, s={"script": SILENT}, by="client", alert=None, sure="silence",
                      arranged="The server takes the ClientHello and never answers; the client gives up.", notice="Notice that the ClientHello is acknowledged."))  # fmt: skip
CASES += [
    Case("client-hello-no-answer", "openssl", "raw", "server-closes", c={}, s={"script": [["recv", 20], ["sleep", 5], ["fin"]]}, by="server", sure="silence, then a close", alert=None, without_keys="client-hello-no-answer",
         arranged="The server takes the ClientHello, says nothing for five seconds and closes.", notice="Notice the silence of a round number of seconds."),
    Case("client-timeout", "go", "python", "slow-server", c={"timeout": 2}, s={"slow": 5}, by="client", alert=None, sure="a timeout", settle=5, also=("server-slow",), arranged="The server needs five seconds to begin, the client waits two.", notice="Notice that the server does answer in the end, to nobody."),
    Case("client-timeout", "curl", "go", "slow-server", c={"timeout": 2}, s={"slow": 5}, by="client", alert=None, sure="a timeout", settle=5, also=("server-slow",), arranged="The server needs five seconds to find its certificate, the client waits two.", notice="Notice a round two seconds between the ClientHello and the client's close, and the server's answer to nobody later on."),
    Case(None, "openssl", "go", "tls13-slow-server", c={}, s={"slow": 2.5}, also=("server-slow",), arranged="The server needs two and a half seconds to find its certificate.", notice="Notice the time between ClientHello and ServerHello, which retransmissions do not explain."),
    Case(None, "gnutls", "go", "tls12-slow-server", c={"max": "1.2"}, s={"slow": 2.5}, also=("server-slow",), arranged="The server needs two and a half seconds to find its certificate.", notice="Notice the time between ClientHello and ServerHello, which retransmissions do not explain."),
]  # fmt: skip
for client in ("openssl", "curl", "gnutls", "go", "java", "nss", "node", "python", "boringssl", "rustls", "mbedtls"):
    CASES.append(Case("server-fin-after-hello", client, "raw", "", s={"script": [["recv", 5], ["fin"]]}, by="server", alert=None, sure="some clients answer the close with an alert",
                      arranged="The server closes the connection when the ClientHello comes.", notice="Notice that an alert of the client after that close is an effect, not a cause."))  # fmt: skip
for client in ("openssl", "curl", "go", "java", "gnutls"):
    CASES.append(Case("server-rst-after-hello", client, "raw", "", s={"script": [["recv", 5], ["rst"]]}, by="server", alert=None,
                      arranged="The server resets the connection when the ClientHello comes.", notice="Notice that the reset looks like the server's other packets: same TTL, same path."))  # fmt: skip
CASES += [
    Case("lb-no-backend", "openssl", "haproxy", "tcp", s={"no_tls": True, "mode": "tcp", "backend": "none"}, by="server", alert=None, sure="the balancer closes", arranged="A load balancer passes TCP through and has no server behind it.", notice="Notice that it takes the connection and ends it at once.", without_keys="server-fin-after-hello"),
    Case("lb-no-backend", "curl", "haproxy", "backend-down", s={"no_tls": True, "mode": "tcp", "backend": "127.0.0.1:9"}, by="server", alert=None, sure="the balancer closes", arranged="A load balancer passes TCP through, and the server behind it is down.", notice="Notice that it takes the connection and ends it.", without_keys="server-fin-after-hello"),
    Case("lb-no-backend", "curl", "stunnel", "connect-refused", c={"max": "1.2"}, s={"connect": "127.0.0.1:9"}, by="server", alert=None, sure="the handshake completes first", arranged="The server ends TLS and then finds nobody behind it.", notice="Notice that the handshake completes and the connection ends without an answer."),
    Case("rate-limit-close", "openssl", "haproxy", "", c=({"request": "x"}, {}, {}, {}), s={"rule": "stick-table type ip size 1k expire 60s store conn_rate(60s)\n  tcp-request connection track-sc0 src\n  tcp-request connection reject if { sc0_conn_rate gt 2 }"}, stream=2, by="server", alert=None, sure="the third is closed",
         arranged="The server takes two connections a minute from one address and closes the others.", notice="Notice that the first two connections succeed and the next ones do not."),
    Case("server-closed-mid-handshake", "openssl", "raw", "after-server-hello", c={"version": "1.2"}, s={"script": [["recv", 5], ["server-hello", {"session_id": ""}], ["sleep", 0.1], ["fin"]]}, by="server", alert=None, sure="some clients answer the close with an alert",
         arranged="The server closes after its ServerHello.", notice="Notice that an alert of the client after that close is an effect, not a cause."),
    Case("server-closed-mid-handshake", "go", "raw", "after-server-hello", c={"max": "1.2"}, s={"script": [["recv", 5], ["server-hello", {"session_id": ""}], ["sleep", 0.1], ["rst"]]}, by="server", alert=None,
         arranged="The server resets the connection after its ServerHello.", notice="Notice that nothing was wrong until then."),
    Case("client-closed-mid-handshake", "raw", "nginx", "fin", c={"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["recv", 2], ["sleep", 0.1], ["fin"]]}, s={"max": "1.2"}, by="client", alert=None,
         arranged="The client leaves in the middle of the handshake without a word.", notice="Notice the client's FIN after the server's flight."),
    Case("client-closed-mid-handshake", "raw", "go", "rst", c={"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["recv", 2], ["sleep", 0.1], ["rst"]]}, s={"max": "1.2"}, by="client", alert=None,
         arranged="The client resets the connection in the middle of the handshake.", notice="Notice the client's RST after the server's flight."),
    Case("zero-window-stall", "raw", "python", "", c={"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["sleep", 6], ["rst"]], "window": 1200}, s={"cert": "huge", "max": "1.2"}, by="client", alert=None, sure="a stall",
         arranged="The client stops reading in the middle of the server's flight.", notice="Notice the window of zero and the probes."),
    Case("http2-inadequate-security", "chromium", "nginx", "tls12", s={"http2": True, "max": "1.2", "ciphers": "ECDHE-RSA-AES128-SHA"}, by="client", stream=0, alert=None, without_keys="client-silent-reject",
         sure="the handshake completes; HTTP/2 objects", arranged="The server agrees on HTTP/2 with a suite that HTTP/2 forbids.", notice="Notice that TLS completes: the browser's GOAWAY, inside, names the reason."),
    Case("port-scan", "raw", "nginx", "", c={"script": [["rst"]], "patience": 1, "ports": [21, 22, 25, 80, 110, 143, 389, 443, 465, 587, 636, 853, 993, 995, 3306, 3389, 5432, 5671, 6379, 8080, 8443, 8883, 9200, 9443]}, stream=7, outcome="no-handshake", by="client", alert=None,
         arranged="A scanner tries two dozen ports of one host and resets where somebody answers.", notice="Notice many ports, one source, and no data at all."),
]  # fmt: skip
