"""Real boxes and daemons: proxies, balancers, firewalls, mail servers and databases as they come, and roads unlike each other."""

from __future__ import annotations

from typing import Any

from ..case import Case

CASES: list[Case] = []
QUIET: dict[str, Any] = {"alert": None, "sure": "no TLS alert here"}


def wire(rtt: float, **faults: Any) -> dict[str, Any]:
    """The router forwards with its kernel, and the cables on both sides of it take `rtt` seconds there and back."""
    length = {"delay": rtt / 4}
    return {"forward": "kernel", "wire": {"seed": 7, "left": length, "right": {**length, **faults}}}


def walled(rtt: float, **more: Any) -> dict[str, Any]:
    """The same for rows with a firewall, which forward with the kernel anyway."""
    words = wire(rtt, **more)
    del words["forward"]
    return words


# -- proxies the client knows of -----------------------------------------------------------------------------------------------
HTTP, SOCKS = ["-x", "http://192.0.2.1:3128"], ["-x", "socks5h://192.0.2.1:1080"]


def through(cause: str | None, kind: str, variant: str, arranged: str, lines: list[str], *, argv: list[str] | None = None, server: str = "nginx",
            rtt: float = 0.03, c: dict[str, Any] | None = None, **more: Any) -> Case:  # fmt: skip
    socks = kind in ("dante", "microsocks")
    port = more.pop("proxy_port", 1080 if socks else 3128)
    if cause is not None and not cause.startswith("cert"):
        more = {**QUIET, "by": "server", "notice": "Notice the proxy's own words; TLS never begins.", **more}
    more.setdefault("via", "socks5" if socks else "http-connect")
    return Case(cause, "curl", server, f"{kind}-{variant}" if variant else kind, c={"argv": argv or (SOCKS if socks else HTTP), "timeout": 6, **(c or {})},
                middle={"kind": kind, "port": port, "explicit": True, "lines": lines}, network=wire(rtt), arranged=arranged, **more)  # fmt: skip


ALL = "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }"
PASS = "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }"
CASES += [
    through(None, "squid", "", "Squid opens a tunnel to the server.", ["http_access allow all"]),
    through("proxy-connect-refused", "squid", "403", "Squid's rules forbid the destination.", ["http_access deny all"], rtt=0.12),
    through("proxy-connect-refused", "squid", "407", "Squid wants a login.", ["auth_param basic program /bin/cat", "acl known proxy_auth REQUIRED", "http_access allow known", "http_access deny all"]),
    through("proxy-connect-refused", "squid", "nobody-listens", "Nobody listens where Squid is asked to connect to.", ["http_access allow all"], server="nobody"),
    through("proxy-connect-refused", "squid", "parent-gone", "The parent that Squid has to use is not there.", ["http_access allow all", "cache_peer 198.51.100.21 parent 3129 0 no-query default", "never_direct allow all"], rtt=0.002),
    through("cert-expired", "squid", "", "Squid opens a tunnel to a server whose certificate expired a month ago.", ["http_access allow all"], c={"max": "1.2"}, by="client", rtt=0.08),
    through(None, "tinyproxy", "", "Tinyproxy opens a tunnel to the server.", []),
    through("proxy-connect-refused", "tinyproxy", "port-forbidden", "Tinyproxy lets tunnels to another port only.", ["ConnectPort 563"]),
    through("proxy-connect-refused", "tinyproxy", "nobody-listens", "Nobody listens where Tinyproxy is asked to connect to; it says 500.", [], server="nobody", rtt=0.2),
    through(None, "privoxy", "", "Privoxy opens a tunnel to the server.", []),
    through("proxy-connect-refused", "privoxy", "nobody-listens", "Nobody listens where Privoxy is asked to connect to.", [], server="nobody"),
    through(None, "dante", "", "Dante opens a connection to the server.", ["socksmethod: none", ALL, PASS]),
    through("socks-failure", "dante", "login-wanted", "Dante takes no client without a login.", ["socksmethod: username", ALL, PASS]),
    through("socks-failure", "dante", "login-failed", "The client logs in at Dante with a name it does not know.", ["socksmethod: username", ALL, PASS], argv=["-x", "socks5h://nobody-here:wrong@192.0.2.1:1080"], rtt=0.15),
    through("socks-failure", "dante", "forbidden", "Dante's rules forbid the destination.", ["socksmethod: none", ALL, "socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 }"]),
    through("socks-failure", "dante", "nobody-listens", "Nobody listens where Dante is asked to connect to.", ["socksmethod: none", ALL, PASS], server="nobody"),
    through("socks-failure", "dante", "client-forbidden", "Dante's rules forbid the client: it closes when spoken to.", ["socksmethod: none", "client block { from: 0.0.0.0/0 to: 0.0.0.0/0 }"]),
    through(None, "microsocks", "", "Microsocks opens a connection to the server.", []),
    through("socks-failure", "microsocks", "no-such-name", "Microsocks cannot find the name it is asked for.", [], c={"name": "nosuch.test"}),
    through("socks-failure", "microsocks", "login-failed", "The client logs in at Microsocks with a wrong password.", ["-u", "a", "-P", "right"], argv=["-x", "socks5h://a:wrong@192.0.2.1:1080"]),
    through("socks-failure", "squid", "not-socks", "The client speaks SOCKS to a proxy of HTTP, which waits for the rest of a request.", ["http_access allow all"], argv=["-x", "socks5h://192.0.2.1:3128"], via="socks5", by="client", rtt=0.05,
            notice="Notice that nobody answers the greeting, until the client gives up."),
    through("proxy-connect-timeout", "microsocks", "not-http", "The client sends CONNECT to a proxy of SOCKS, which closes.", [], argv=["-x", "http://192.0.2.1:1080"], via="http-connect", notice="Notice a close in place of an answer to CONNECT."),
    through("tls-on-plaintext-port", "squid", "https-proxy", "The client speaks TLS to a proxy that takes plain HTTP only.", ["http_access allow all"], argv=["-x", "https://192.0.2.1:3128", "--proxy-insecure"], via=None,
            notice="Notice Squid's error page in plain text in answer to a ClientHello."),
]  # fmt: skip
CASES = [c if c.cause != "cert-expired" else Case(**{**c.__dict__, "s": {"cert": "expired"}}) for c in CASES]

# -- balancers and what stands before the server ----------------------------------------------------------------------------------
SLOW: list[Any] = [["sleep", 0.2], ["hello"], ["recv-all", 2], ["fin"]]
DEAD, HOLE = ["proxy_pass 127.0.0.1:9;"], ["proxy_connect_timeout 2s;", "proxy_pass 192.0.2.99:9;"]
CASES += [
    Case("lb-no-backend", "raw", "haproxy", "closes-unheard", c={"script": SLOW}, s={"no_tls": True, "mode": "tcp", "rule": "default_backend b", "backend": "none"}, network=wire(0.06), by="server",
         arranged="HAProxy has no server behind it and closes each connection at once; the client takes a fifth of a second for its ClientHello.", notice="Notice that the FIN acknowledges nothing of the ClientHello.", **QUIET),
    Case("lb-no-backend", "raw", "stream", "closes-unheard", c={"script": SLOW}, s={"rules": ["deny all;", *DEAD]}, network=wire(0.5), by="server",
         arranged="A balancer's rule denies the client: it closes each connection as soon as it is there.", notice="Notice that the FIN acknowledges nothing of the ClientHello.", **QUIET),
    Case("lb-no-backend", "curl", "stream", "dead-after-2-s", s={"rules": HOLE}, network=wire(0.04), by="server", without_keys="server-rst-after-hello",
         arranged="The balancer cannot reach the server behind it and gives up after two seconds.", notice="Notice the silence before the reset.", **QUIET),
    Case("lb-no-backend", "curl", "nobody", "syn-proxy", network={**walled(0.02), "sysctl": (("router", "net.netfilter.nf_conntrack_tcp_loose", "0"),)}, by="server", arranged="A SYN proxy accepts the connection in the place of a server where nobody listens.",
         firewall=(("router", "-t", "raw", "-A", "PREROUTING", "-i", "left", "-p", "tcp", "--syn", "--dport", "443", "-j", "CT", "--notrack"),
                   ("router", "-A", "FORWARD", "-i", "left", "-p", "tcp", "--dport", "443", "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-j", "SYNPROXY", "--sack-perm", "--timestamp", "--wscale", "7", "--mss", "1460"),
                   ("router", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")),
         notice="Notice that the reset has another TTL than the SYN-ACK, and is the server's own all the same.", **QUIET),
    Case(None, "curl", "nginx", "syn-proxy", network={**walled(0.03), "sysctl": (("router", "net.netfilter.nf_conntrack_tcp_loose", "0"),)}, arranged="A SYN proxy answers the SYN in the server's place and then steps aside.",
         firewall=(("router", "-t", "raw", "-A", "PREROUTING", "-i", "left", "-p", "tcp", "--syn", "--dport", "443", "-j", "CT", "--notrack"),
                   ("router", "-A", "FORWARD", "-i", "left", "-p", "tcp", "--dport", "443", "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-j", "SYNPROXY", "--sack-perm", "--timestamp", "--wscale", "7", "--mss", "1460"),
                   ("router", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"))),
    Case(None, "curl", "stream", "through", s={"behind": 8444, "rules": ["proxy_pass 127.0.0.1:8444;"]}, network=wire(0.11), arranged="A balancer of TCP before the server."),
    Case("server-fin-after-hello", "curl", "stream", "name-not-routed", s={"lines": ["map $ssl_preread_server_name $up { good.test 127.0.0.1:8444; }"], "rules": ["ssl_preread on;", "proxy_pass $up;"]}, network=wire(0.05), by="server",
         arranged="A balancer reads the name in the ClientHello and has no server for it.", notice="Notice the FIN right after the ClientHello.", **QUIET),
    Case("server-fin-after-hello", "go", "haproxy", "rejected", s={"no_tls": True, "mode": "tcp", "rule": "tcp-request inspect-delay 2s\n  tcp-request content reject if { req.ssl_sni -m found }\n  default_backend b", "backend": "none"},
         network=wire(0.07), by="server", arranged="HAProxy reads the ClientHello and a rule rejects it.", notice="Notice the FIN right after the ClientHello.", **QUIET),
    Case("client-hello-no-answer", "curl", "haproxy", "silent-drop", s={"no_tls": True, "mode": "tcp", "rule": "tcp-request inspect-delay 2s\n  tcp-request content silent-drop if { req.ssl_sni -m found }\n  default_backend b", "backend": "none"},
         c={"timeout": 4}, network=wire(0.04), by="client", arranged="HAProxy forgets the connection without a word (silent-drop) when it has read the ClientHello.", notice="Notice that the ClientHello is acknowledged and nothing follows.", **QUIET),
    Case("client-hello-no-answer", "openssl", "socat", "sleeps", s={"to": "EXEC:sleep 20"}, c={"patience": 5}, network=wire(0.3), by="client", arranged="The program behind the port takes everything and says nothing.", **QUIET),
    Case("tls-on-plaintext-port", "curl", "socat", "echo", s={"to": "EXEC:cat"}, port=8443, network=wire(0.02), by="server", arranged="The port belongs to a server that sends back what it is sent.", notice="Notice that even the client's alert comes back.",
         alert=None, sure="an echo"),
    Case("server-rst-after-hello", "several", "stream", "one-at-a-time", c={"count": 3, "pause": 0.25, "stay": 1.2}, s={"behind": 8444, "lines": ["limit_conn_zone $binary_remote_addr zone=a:1m;"], "rules": ["limit_conn a 1;", "proxy_pass 127.0.0.1:8444;"]},
         network=wire(0.03), stream=1, by="server", arranged="A balancer allows each client one connection at a time; a second and a third come while the first lives.", notice="Notice that the first connection goes on.", **QUIET),
    Case("tcp-syn-refused", "several", "nginx", "two-at-a-time", c={"count": 4, "pause": 0.2, "stay": 1.2}, network=walled(0.04), stream=2, by="server",
         firewall=(("server", "-A", "INPUT", "-p", "tcp", "--syn", "--dport", "443", "-m", "connlimit", "--connlimit-above", "2", "-j", "REJECT", "--reject-with", "tcp-reset"),),
         arranged="The server's firewall refuses a client's third connection at the same time with a reset.", notice="Notice that the same server took two others.", **QUIET),
    Case("tcp-syn-unanswered", "curl", "nginx", "too-many-a-minute", c=({"timeout": 3}, {"timeout": 3}, {"timeout": 3}), network=walled(0.03), stream=2, by="unknown",
         firewall=(("server", "-A", "INPUT", "-p", "tcp", "--syn", "--dport", "443", "-m", "hashlimit", "--hashlimit-above", "2/minute", "--hashlimit-burst", "2", "--hashlimit-name", "x", "-j", "DROP"),),
         arranged="The server's firewall takes two connections a minute and drops the third one's SYNs.", notice="Notice that the same server answered twice before.", **QUIET),
]  # fmt: skip

# -- firewalls and routers -----------------------------------------------------------------------------------------------------------
NAMED = ("-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", "blocked.test")
CASES += [
    Case("sni-filter-rst", "curl", "nginx", "reject-of-a-router", c=({"name": "blocked.test", "insecure": True}, {}), network=walled(0.02), by="middlebox", firewall=(("router", "-A", "FORWARD", *NAMED, "-j", "REJECT", "--reject-with", "tcp-reset"),),
         arranged="The first router rejects with a reset what holds the name; another name passes.", notice="Notice the reset's TTL, which no router has counted down.", **QUIET),
    Case("sni-filter-drop", "go", "nginx", "drop-of-a-router", c=({"name": "blocked.test", "insecure": True, "timeout": 5}, {}), network=walled(0.05), by="unknown", firewall=(("router", "-A", "FORWARD", *NAMED, "-j", "DROP"),),
         arranged="A router drops what holds the name; another name passes.", notice="Notice that only the ClientHello vanishes.", **QUIET),
    Case("tcp-synack-unacked", "curl", "nginx", "clients-own-firewall", c={"timeout": 5}, network=walled(0.02), by="unknown", firewall=(("client", "-A", "INPUT", "-p", "tcp", "--sport", "443", "--tcp-flags", "SYN,ACK", "SYN,ACK", "-j", "DROP"),),
         arranged="The client's own firewall drops the SYN-ACKs; recorded at the client.", notice="Notice that they come in and change nothing.", **QUIET),
    Case("tcp-synack-unacked", "openssl", "nginx", "way-back-lost", c={"patience": 5}, network=walled(0.03), at="server", by="unknown", firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--sport", "443", "--tcp-flags", "SYN,ACK", "SYN,ACK", "-j", "DROP"),),
         arranged="The way back to the client loses the SYN-ACKs; recorded at the server.", **QUIET),
    Case("icmp-unreachable", "curl", "nginx", "routing-loop", network=walled(0.02), by="middlebox", firewall=(("router", "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "--dport", "443", "-j", "TTL", "--ttl-set", "1"),),
         arranged="The packets come to a router with no hop left, as in a routing loop.", notice="Notice the ICMP error time exceeded.", **QUIET),
    Case("icmp-unreachable", "curl", "nginx", "server-flight-prohibited", c={"max": "1.2", "timeout": 5, "patience": 6}, network=walled(0.02), at="server", by="middlebox", firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--sport", "443", "-m", "string", "--algo", "bm", "--string", "Handshake Lab Issuing", "-j", "REJECT", "--reject-with", "icmp-admin-prohibited"),),
         arranged="A router lets everything pass but packets that name a certain authority, and tells their sender, the server; recorded at the server.", notice="Notice that the ICMP errors quote the server's packets, and that the client never hears of them.", **QUIET),
    Case("icmp-unreachable", "go", "nginx", "server-flight-loop", c={"timeout": 4, "patience": 6}, network=walled(0.02), at="server", by="middlebox", firewall=(("router", "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "--sport", "443", "-m", "length", "--length", "200:", "-j", "TTL", "--ttl-set", "1"),),
         arranged="The server's long packets come to a router with no hop left; recorded at the server.", notice="Notice the ICMP errors time exceeded that come to the server.", **QUIET),
    Case("client-closed-mid-handshake", "curl", "nginx", "tls12-before-the-last-message", c={"max": "1.2", "timeout": 0.5}, network=wire(0.2), by="client",
         arranged="The client waits half a second for all of it, and the server's last message comes a tenth of a second later.", notice="Notice that both Finished are on the wire, and that the client's FIN does not acknowledge the server's.", **QUIET),
    Case("client-closed-mid-handshake", "go", "nginx", "tls12-before-the-last-message", c={"max": "1.2", "timeout": 0.5}, network=wire(0.2), by="client", at="server",
         arranged="The client waits half a second for all of it, and the server's last message comes a tenth of a second later; recorded at the server.", notice="Notice that both Finished are on the wire, and that the client's FIN does not acknowledge the server's.", **QUIET),
    Case("icmp-unreachable", "curl", "nobody", "no-such-host", c={"address": "198.51.100.77"}, network=walled(0.002), by="middlebox", firewall=(("router", "-A", "INPUT", "-j", "ACCEPT"),),
         arranged="Nobody answers to the address on its own network: the last router says so after three seconds.", notice="Notice the time the router took.", **QUIET),
    Case("icmp-unreachable", "openssl", "nginx", "prohibited-by-a-route", network=walled(0.02), by="middlebox", firewall=(("router", "ip", "route", "add", "prohibit", "198.51.100.20/32"),),
         arranged="A router's table prohibits the destination.", **QUIET),
    Case("icmp-unreachable", "go", "nginx", "ipv6", c={"address": "2001:db8:2::20"}, network=walled(0.03), by="middlebox", firewall=(("router", "ip6tables", "-A", "FORWARD", "-p", "tcp", "-j", "REJECT", "--reject-with", "icmp6-adm-prohibited"),),
         filter="tcp or (icmp6 and ip6[40] < 128) or ip6 proto 6", arranged="A router refuses TCP over IPv6 and says that it is prohibited.", **QUIET),
    Case("icmp-unreachable", "curl", "nginx", "hosts-own-firewall", network=walled(0.08), by="server", firewall=(("server", "-A", "INPUT", "-p", "tcp", "--dport", "443", "-j", "REJECT", "--reject-with", "icmp-host-prohibited"),),
         arranged="The server's own firewall says that the host is prohibited.", notice="Notice whose address the ICMP error comes from.", **QUIET),
    Case("tcp-syn-refused", "go", "nginx", "hosts-own-firewall", network=walled(0.18), by="server", firewall=(("server", "-A", "INPUT", "-p", "tcp", "--dport", "443", "-j", "REJECT", "--reject-with", "tcp-reset"),),
         arranged="The server's own firewall refuses with a reset, a sixth of a second away.", **QUIET),
    Case("tcp-syn-unanswered", "openssl", "nginx", "ipv6", c={"address": "[2001:db8:2::20]", "patience": 5}, network=walled(0.02), by="unknown", firewall=(("router", "ip6tables", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-j", "DROP"),),
         filter="tcp or ip6 proto 6", arranged="A router drops TCP over IPv6 without a word.", **QUIET),
    Case(None, "curl", "nginx", "small-segments", network=walled(0.03), firewall=(("router", "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS", "--set-mss", "536"),),
         arranged="A router clamps the segments to 536 octets.", notice="Notice how many segments the certificates take."),
    Case(None, "go", "nginx", "both-sides-of-a-translator", network=walled(0.02), at="router-any", also=("cap-nat-double",), firewall=(("router", "-t", "nat", "-A", "POSTROUTING", "-o", "right", "-j", "MASQUERADE"),),
         arranged="Recorded on all interfaces of an address translator.", notice="Notice two connections with one ClientHello."),
    Case("tls-on-plaintext-port", "curl", "nginx", "led-to-plain-http", middle={"kind": "haproxy", "port": 8081, "lines": ["http-request redirect location http://login.hotel.test/ code 302"]}, by="server", **QUIET,
         arranged="Everything for port 443 is led to a server of plain HTTP, which cannot read a ClientHello.", notice="Notice an error where a browser speaking HTTP would have been sent to a login page."),
]  # fmt: skip

# -- long, narrow and lossy roads --------------------------------------------------------------------------------------------------------
CASES += [
    Case(None, "curl", "nginx", "over-a-satellite", network=wire(0.6), arranged="A round trip takes six tenths of a second."),
    Case("client-timeout", "curl", "nginx", "over-a-satellite", c={"argv": ["--connect-timeout", "1"]}, network=wire(0.6), by="client", sure="the answer comes when the client has gone",
         arranged="A round trip takes six tenths of a second, and the client waits one second for all of it.", notice="Notice that the server's flight comes after the client's FIN.", alert=None),
    Case("client-timeout", "curl", "nginx", "over-a-satellite-server-side", c={"argv": ["--connect-timeout", "1"]}, network=wire(0.6), at="server", by="client", sure="the answer is on its way when the client goes",
         arranged="A round trip takes six tenths of a second, and the client waits one second for all of it; recorded at the server.", notice="Notice that the client's FIN acknowledges nothing of the server's flight.", alert=None),
    Case(None, "go", "nginx", "losing-every-fifth", network=wire(0.02, loss=0.2), c={"timeout": 10}, arranged="The road loses every fifth packet.", notice="Notice that all is repaired in time."),
    Case(None, "curl", "nginx", "overtaking", network=wire(0.03, reorder=0.4, late=0.008), arranged="Packets overtake each other on the way.", notice="Notice that nothing was lost."),
    Case(None, "gnutls", "nginx", "doubled", network=wire(0.03, duplicate=0.5, gap=0.03), arranged="Every other packet comes twice, the second time much later.", notice="Notice that the copies are not repetitions of the sender."),
    Case(None, "curl", "nginx", "narrow", network=wire(0.05, rate=64_000), c={"max": "1.2"}, arranged="The road carries 64 kilobits a second."),
    Case("loss-slow-handshake", "curl", "nginx", "second-flight-lost", c={"timeout": 6}, network={"delay": 0.02}, faults=({"do": "drop", "towards": "server", "flags": "DATA", "nth": [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]},), by="unknown",
         arranged="The way to the server loses everything with data after the ClientHello.", notice="Notice that the client's second flight is sent again and again.", alert=None, sure="nobody closes in time"),
    Case("loss-slow-handshake", "curl", "nginx", "flight-lost-server-side", c={"timeout": 5}, network={"delay": 0.015}, at="server", faults=({"do": "drop", "towards": "client", "flags": "DATA"},), by="unknown",
         arranged="The way to the client loses everything with data, large and small; recorded at the server.", notice="Notice that no part of the flight is ever acknowledged.", **QUIET),
    Case("client-closed-mid-handshake", "raw", "nginx", "half-a-hello", c={"script": [["hello", {"cut": 100}], ["sleep", 3], ["fin"]]}, network=wire(0.02), by="client", arranged="The client sends the beginning of a ClientHello, waits three seconds and leaves.",
         notice="Notice that the server had no whole message to answer.", **QUIET),
]  # fmt: skip

# -- mail, databases and other daemons --------------------------------------------------------------------------------------------------
PLAIN: dict[str, Any] = {"alert": None, "sure": "no TLS"}


def mail(cause: str | None, client: str, server: str, port: int, via: str | None, variant: str, arranged: str, **more: Any) -> Case:
    if cause is not None:
        more = {**PLAIN, "by": "server", **more}
    more.setdefault("network", wire(0.04))
    return Case(cause, client, server, variant, port=port, via=via, arranged=arranged, **more)


CASES += [
    mail(None, "openssl", "postfix", 25, "smtp-starttls", "smtp", "Postfix is asked for TLS.", c={"dialogue": "smtp", "request": "QUIT\r\n"}),
    mail("starttls-not-offered", "openssl", "postfix", 25, "smtp-starttls", "smtp", "Postfix is set up without TLS.", c={"dialogue": "smtp", "request": "QUIT\r\n", "patience": 6}, s={"no_tls": True}),
    mail("starttls-not-offered", "curl", "postfix", 587, "smtp-starttls", "submission", "Postfix is set up without TLS.", c={"dialogue": "smtp", "argv": ["--mail-from", "a@b.test"]}, s={"no_tls": True}, network=wire(0.15)),
    mail("starttls-refused", "curl", "postfix", 25, "smtp-starttls", "key-missing", "Postfix offers TLS, and its private key is missing.", c={"dialogue": "smtp", "argv": ["--mail-from", "a@b.test"]}, s={"key_file": "/nonexistent"}),
    mail("client-version-too-old", "openssl", "postfix", 25, "smtp-starttls", "smtp", "Postfix takes TLS 1.3 only, and the client has TLS 1.2.", c={"dialogue": "smtp", "version": "1.2", "request": "QUIT\r\n"},
         s={"lines": ["smtpd_tls_protocols = >=TLSv1.3", "smtpd_tls_mandatory_protocols = >=TLSv1.3"]}, alert="seen", sure=""),
    mail("implicit-vs-starttls", "openssl", "postfix", 25, None, "tls-at-once", "The client begins with TLS, and Postfix waits for its command.", c={"patience": 5}, notice="Notice the greeting, and an error for each line the ClientHello looks like."),
    mail("implicit-vs-starttls", "curl", "postfix", 465, None, "waiting-for-a-greeting", "The client waits for a greeting, and Postfix for a ClientHello.", c={"scheme": "smtp", "timeout": 4}, s={"at_once": True}, by="client", outcome="failed"),
    mail(None, "gnutls", "dovecot", 143, "imap-starttls", "imap", "Dovecot is asked for TLS.", c={"dialogue": "imap", "request": "a LOGOUT\r\n"}),
    mail("starttls-not-offered", "curl", "dovecot", 143, "imap-starttls", "imap", "Dovecot is set up without TLS.", c={"dialogue": "imap", "argv": ["-u", "a:x"]}, s={"no_tls": True}),
    mail("starttls-not-offered", "curl", "dovecot", 110, "pop3-stls", "pop3", "Dovecot is set up without TLS.", c={"dialogue": "pop3", "argv": ["-u", "a:x"]}, s={"no_tls": True}),
    mail("implicit-vs-starttls", "openssl", "dovecot", 143, None, "tls-at-once", "The client begins with TLS, and Dovecot waits for its command.", c={"patience": 5}),
    mail("implicit-vs-starttls", "curl", "dovecot", 993, None, "waiting-for-a-greeting", "The client waits for a greeting, and Dovecot for a ClientHello.", c={"scheme": "imap", "timeout": 4, "argv": ["-u", "a:x"]}, by="client", outcome="failed", network=wire(0.1)),
    mail(None, "openssl", "vsftpd", 21, "ftp-auth-tls", "ftp", "vsftpd is asked for TLS.", c={"dialogue": "ftp", "request": "QUIT\r\n"}),
    mail("starttls-refused", "curl", "vsftpd", 21, "ftp-auth-tls", "ftp", "vsftpd is set up without TLS, and asks for a login in answer to AUTH TLS.", c={"dialogue": "ftp"}, s={"no_tls": True}),
    mail("implicit-vs-starttls", "curl", "vsftpd", 21, None, "waiting-for-a-greeting", "The client waits for a greeting on port 21, and vsftpd is set up to begin with TLS there; another client does.", c=({"scheme": "ftps", "insecure": True}, {"scheme": "ftp", "timeout": 4}), s={"lines": ["implicit_ssl=YES"]},
         stream=2, by="client", outcome="failed"),
    mail(None, "mysql", "mariadb", 3306, "mysql", "mysql", "MariaDB is asked for TLS.", s={"open": True}),
    mail("starttls-refused", "mysql", "mariadb", 3306, "mysql", "mysql", "MariaDB is set up without TLS, and the client insists on it.", c={"argv": ["--ssl-verify-server-cert"]}, s={"open": True, "no_tls": True}),
    mail("implicit-vs-starttls", "openssl", "mariadb", 3306, None, "tls-at-once", "The client begins with TLS, and MariaDB greets first.", c={"patience": 4}, s={"open": True}),
    mail(None, "openssl", "prosody", 5222, "xmpp-starttls", "xmpp", "Prosody is asked for TLS.", c={"dialogue": "xmpp", "request": "", "argv": ["-xmpphost", "server.test"]}),
    mail("implicit-vs-starttls", "openssl", "prosody", 5222, None, "tls-at-once", "The client begins with TLS, and Prosody answers in XML.", c={"patience": 5}),
    mail(None, "redis", "redis", 6380, None, "", "Redis speaks TLS from the first byte.", c={"tls": True}, s={"tls": True}),
    mail("non-tls-client-bytes", "redis", "redis", 6380, None, "", "The client speaks Redis in the clear to a port with TLS; another client does TLS there.", c=({"tls": True}, {}), s={"tls": True}, stream=1),
    mail("tls-on-plaintext-port", "redis", "redis", 6380, None, "waits-for-more", "The client begins with TLS, and Redis waits for the end of a line; another client speaks Redis in the clear.", c=({"tls": True, "patience": 5}, {}), stream=0, by="client"),
    mail("client-cert-missing", "redis", "redis", 6380, None, "", "Redis wants a certificate of its clients, and this one has none.", c={"tls": True}, s={"tls": True, "verify": "yes"}, alert="seen", sure="the alert is encrypted"),
]  # fmt: skip

# -- told from neighbours --------------------------------------------------------------------------------------------------------------------
LARGE: dict[str, Any] = {"shares": [0x11EC, 29], "groups": [0x11EC, 29, 23]}
GREASY: dict[str, Any] = {"suites": [0x2A2A, 0x1301, 0x1302, 0xC02F, 0xC030], "groups": [0x4A4A, 29, 23]}


def says(hello: dict[str, Any], wait: float = 1.0, split: int = 0) -> dict[str, Any]:
    return {"script": [["split", split], ["hello", hello], ["recv-all", wait], ["fin"]]}


CASES += [
    Case("large-client-hello-intolerance", "raw", "python", "silence", c=(says({}), says(LARGE, 3, 1400), says({})), s={"intolerant": "large-silent"}, stream=1, by="client", network=wire(0.05), outcome="failed",
         arranged="A server waits for ever when a hello, which has post-quantum keys, comes in two segments; smaller ones before and after are answered.", notice="Notice that both segments are acknowledged.", **QUIET),
    Case("large-client-hello-intolerance", "raw", "python", "alert", c=(says({}), says(LARGE, split=1400)), s={"intolerant": "large-alert"}, stream=1, by="server", network=wire(0.02),
         arranged="A server takes the first segment of a hello, which has post-quantum keys and comes in two, for all of it; a smaller one is answered.", notice="Notice that the alert acknowledges the first segment only, or comes at once.", sure="an alert for one of two hellos"),
    Case("pmtu-blackhole-client-hello", "raw", "nginx", "server-side", c=(says({**LARGE, "padding": 120}, 4), says({})), at="server", by="unknown", network=walled(0.03), stream=0, outcome="failed",
         firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "length", "--length", "1400:", "-j", "DROP"),),
         arranged="A tunnel on the way carries packets of 1400 octets at most; recorded behind it, at the server.", notice="Notice that of the large hello only the short second segment arrives.", **QUIET),
    Case("grease-intolerance", "raw", "python", "two-and-two", c=(says({}), says(GREASY), says({}), says(GREASY)), s={"intolerant": "grease"}, stream=1, by="server", network=wire(0.01),
         arranged="A server refuses hellos with values nobody knows (GREASE) and answers others of the same client.", notice="Notice that only the hellos with such values fail.", sure="one of four hellos"),
]  # fmt: skip
