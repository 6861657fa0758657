"""What other tables have once or twice, again: other stacks and versions, other roads, and other ways to get there."""

from __future__ import annotations

from typing import Any

from ..case import Case
from ..stacks import PROGRAMS
from .boxes import walled, wire

CASES: list[Case] = []
QUIET: dict[str, Any] = {"alert": None, "sure": "no TLS alert here"}
FORWARD, TO_TLS = ("router", "-A", "FORWARD"), ("-p", "tcp", "--dport", "443")
SOUND_12: dict[str, Any] = {"versions": [], "suites": [0xC02F, 0xC030, 0x009C, 0x00FF]}

# -- TCP --------------------------------------------------------------------------------------------------------------------
FULL: dict[str, Any] = {"never_accept": True, "backlog": 0}
for at, rtt in (("client", 0.04), ("server", 0.15)):
    CASES.append(Case("tcp-accept-queue-full", "several", "raw", f"recorded-at-{at}", c={"count": 5, "pause": 0}, s=FULL, at=at, stream=3, by="unknown", network=wire(rtt),
                      arranged=f"The server takes no connection out of its queue, which is full when five come at once; recorded at the {at}.", notice="Notice SYN-ACKs sent again although the client has acknowledged them and speaks.", **QUIET))  # fmt: skip
CASES.append(Case("tcp-syn-unanswered", "curl", "raw", "queue-full", c=({"timeout": 2, "patience": 2}, {"timeout": 2, "patience": 2}, {"timeout": 5}), s=FULL, stream=2, by="unknown", network={"delay": 0.02},
                  arranged="The server takes no connection out of its queue, which is full with the two before.", notice="Notice that the server's kernel drops even the SYN of a connection it has no room for.", **QUIET))  # fmt: skip
AGAIN = {"script": [["recv", 1], ["fin"]], "from": 40000, "patience": 3}
for server, at in (("go", "client"), ("haproxy", "server"), ("openssl", "client")):
    CASES.append(Case("tuple-reuse", "raw", server, f"at-{at}", c=({"script": [["hello", {}], ["recv", 1], ["sleep", 0.3], ["rst"]], "from": 40000}, AGAIN), at=at, stream=1, by="unknown", outcome="failed",
                      faults=({"do": "drop", "flags": "RST", "towards": "server"},), network={"delay": 0.03}, arranged=f"A client resets a connection, the reset is lost, and the client uses the same ports again at once; recorded at the {at}.", notice="Notice a SYN answered by a bare ACK that belongs to the old connection.", **QUIET))  # fmt: skip
PORTS = "21,22,25,80,110,143,389,443,465,587,636,853,993,995,3306,3389,5432,5671,6379,8080,8443,8883,9200,9443"
CASES += [
    Case("port-scan", "nmap", "nginx", "syn", c={"ports": PORTS}, stream=7, outcome="no-handshake", by="client", network=wire(0.02), arranged="Nmap tries two dozen ports of one host without completing a connection.", notice="Notice that the scanner's kernel resets what the server accepts.", **QUIET),
    Case("port-scan", "nmap", "nginx", "connect", c={"ports": PORTS, "argv": ["-sT"]}, stream=7, outcome="no-handshake", by="client", network=wire(0.08), arranged="Nmap completes a connection to each of two dozen ports of one host and resets it.", notice="Notice many ports, one source, and no data at all.", **QUIET),
    Case("port-scan", "nmap", "nginx", "others-dropped", c={"ports": PORTS}, stream=7, outcome="no-handshake", by="client", at="server", network=walled(0.03), firewall=(("server", "-A", "INPUT", "-p", "tcp", "!", "--dport", "443", "-j", "DROP"),),
         arranged="Nmap tries two dozen ports of a host whose firewall drops all but one; recorded at the host.", notice="Notice SYNs that nobody answers, and one that is.", **QUIET),
    Case("zero-window-stall", "node24", "raw", "large-hello", c={}, s={"script": [["sleep", 9], ["rst"]], "window": 1024}, by="unknown", network=wire(0.03), arranged="The server does not read, and its window is smaller than the client's hello.", notice="Notice a window of zero and probes in the middle of the ClientHello.", **QUIET),
    Case("zero-window-stall", "rustls", "raw", "large-hello", s={"script": [["sleep", 9], ["rst"]], "window": 1024}, by="unknown", at="server", network=wire(0.06), arranged="The server does not read, and its window is smaller than the client's hello; recorded at the server.", notice="Notice a window of zero and probes in the middle of the ClientHello.", **QUIET),
    Case("zero-window-stall", "raw", "nginx", "tls13", c={"script": [["hello", {}], ["sleep", 6], ["rst"]], "window": 1200}, s={"cert": "huge"}, by="client", network=wire(0.02), arranged="The client stops reading in the middle of the server's flight.", notice="Notice the window of zero and the probes.", **QUIET),
]  # fmt: skip
for client, rtt in (("go", 0.02), ("python", 0.15), ("java", 0.004)):
    CASES.append(Case("tcp-syn-rst-middlebox", client, "nginx", "reject", firewall=((*FORWARD, *TO_TLS, "-j", "REJECT", "--reject-with", "tcp-reset"), ("router", "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-j", "TTL", "--ttl-set", "255")), by="middlebox", network=walled(rtt),
                      arranged="A firewall on the way answers in the server's name with a reset.", notice="Notice the RST's TTL of 255 and how fast it comes.", **QUIET))  # fmt: skip
for client, rtt in (("go", 0.02), ("python", 0.15)):
    CASES.append(Case("tcp-synack-unacked", client, "nginx", "at-server", c={"timeout": 5, "patience": 6}, network=walled(rtt), at="server", by="unknown", firewall=((*FORWARD, "-p", "tcp", "--sport", "443", "-j", "DROP"),),
                      arranged="The way back is broken: nothing of the server's reaches the client; recorded at the server.", notice="Notice SYN-ACKs sent again and again.", **QUIET))  # fmt: skip
SEEN = (("-m", "recent", "--name", "seen", "--rcheck", "-j", "ACCEPT"), ("-m", "recent", "--name", "seen", "--set", "-j", "REJECT", "--reject-with", "tcp-reset"))
for client, rtt in (("go", 0.02), ("gnutls", 0.12), ("java", 0.05)):
    CASES.append(Case("ddos-challenge-reset", client, "nginx", "recent", c=({}, {}), stream=0, by="middlebox", network=walled(rtt), firewall=tuple((*FORWARD, "-p", "tcp", "--syn", "--dport", "443", *rule) for rule in SEEN),
                      arranged="A firewall resets a client's first connection, notes the address, and lets the next one through.", notice="Notice that the same client succeeds a moment later.", **QUIET))  # fmt: skip
CASES.append(Case("middlebox-rst-injection", "python", "haproxy", "first-connection-only", c=({}, {}), stream=0, by="middlebox", network={"delay": 0.03}, faults=({"do": "reset", "flags": "DATA", "towards": "server", "to": "both", "ttl": 250, "nth": 1, "mute": True},),
                  arranged="A guard resets a client's first connection when it speaks, and lets the second through.", notice="Notice that the same client succeeds a moment later.", **QUIET))  # fmt: skip
for client, server in (("python", "python"), ("curl", "python")):
    CASES.append(Case("server-restart-mid-handshake", client, server, "killed", c=({"timeout": 5}, {"timeout": 3}), s={"dies": 0.5}, stream=0, by="server", network={"delay": 0.02}, arranged="The server's process ends in the middle of a handshake and is not back when the client tries again.", notice="Notice the close, and the refusal of the next SYN.", **QUIET))  # fmt: skip
CASES += [
    Case("server-restart-mid-handshake", "several", "python", "killed", c=({"count": 4, "pause": 0.1}, {"count": 1}), s={"dies": 0.6}, stream=1, by="server", network=wire(0.02), arranged="The server's process ends while four clients are in the middle of their handshakes, and is not back when the next one comes.", notice="Notice that all of them are closed at the same moment.", **QUIET),
    *(Case("server-restart-mid-handshake", client, "raw", "after-server-hello", c=({"max": "1.2", "timeout": 4}, {"max": "1.2", "timeout": 4}), s={"script": [["recv", 5], ["server-hello", {"session_id": ""}], ["sleep", 0.2], ["rst"], ["fin"]], "once": True}, by="server", network={"delay": d},
           arranged="The server dies in the middle of a handshake and is not back when the client tries again.", notice="Notice the reset, and the refusal of the next SYN.", **QUIET) for client, d in (("curl", 0.03), ("go", 0.002), ("gnutls", 0.075))),
]  # fmt: skip

# -- boxes on the way -----------------------------------------------------------------------------------------------------------
BLOCKED = {"sni": "blocked.test", "towards": "server", "flags": "DATA"}
LOOKED_AT = {"name": "blocked.test", "insecure": True}
PAGE = "HTTP/1.1 403 Forbidden\r\nServer: FortiGate\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><h1>Web Page Blocked</h1>The page you have requested has been blocked by your organization's policy.</html>"
for client, d in (("go", 0.02), ("java", 0.075), ("gnutls", 0.01)):
    CASES.append(Case("rst-with-text", client, "nginx", "", network={"delay": d}, faults=({"towards": "server", "flags": "DATA", "nth": 1, "do": "reset", "to": "both", "ttl": 255, "mute": True, "text": "BIG-IP: [0x2b6d2b6:1234] No local listener"},), by="middlebox",
                      arranged="A load balancer resets the connection and writes its reason into the reset.", notice="Notice the text the RST carries.", **QUIET))  # fmt: skip
CASES.append(Case("rst-with-text", "python", "nginx", "at-the-syn", network={"delay": 0.02}, faults=({"towards": "server", "flags": "SYN", "nth": 1, "do": "reset", "to": "client", "ttl": 255, "mute": True, "text": "BIG-IP: [0x2b6d2b6:1234] Port denied"},), by="middlebox",
                  arranged="A load balancer refuses the connection and writes its reason into the reset.", notice="Notice the text the RST carries.", **QUIET))  # fmt: skip
SHORT = ("-m", "length", "--length", "80:")
for client, rtt in (("java", 0.02), ("gnutls", 0.15), ("python", 0.004), ("node", 0.04)):
    CASES.append(Case("client-hello-unacked", client, "nginx", "dropped-by-size", c={"timeout": 5, "patience": 6}, network=walled(rtt), firewall=((*FORWARD, *TO_TLS, *SHORT, "-j", "DROP"),), by="unknown",
                      arranged="A router drops every packet to the server that carries something.", notice="Notice a short ClientHello sent again with growing pauses and never acknowledged.", **QUIET))  # fmt: skip
CASES.append(Case("client-hello-unacked", "curl", "nginx", "ipv6", c={"name": "six.test", "address": "[2001:db8:2::20]", "insecure": True, "timeout": 5}, network=walled(0.03), firewall=(("router", "ip6tables", "-A", "FORWARD", *TO_TLS, "-m", "length", "--length", "120:", "-j", "DROP"),), by="unknown",
                  filter="tcp or ip6 proto 6", arranged="A router drops every packet over IPv6 to the server that carries something.", notice="Notice a short ClientHello sent again with growing pauses and never acknowledged.", **QUIET))  # fmt: skip
AFTER_HELLO = {"towards": "client", "flags": "DATA", "nth": 1, "do": "reset"}
for client, d, v in (("java", 0.02, "1.2"), ("python", 0.075, "1.3"), ("gnutls", 0.01, "1.2"), ("openssl", 0.03, "1.3")):
    CASES.append(Case("middlebox-rst-injection", client, "nginx", f"in-server-flight-tls{v.replace('.', '')}", c={"max": v}, network={"delay": d}, faults=({**AFTER_HELLO, "to": "both", "ttl": 33, "ip_id": 54321, "mute": True},), by="middlebox",
                      arranged="A box on the way resets the connection at both ends when the server's certificate passes.", notice="Notice a reset whose TTL no packet of the server has.", **QUIET))  # fmt: skip
for client in ("gnutls", "python", "node", "chromium"):
    CASES.append(Case("middlebox-block-page", client, "nginx", "", network={"delay": 0.03}, faults=({**BLOCKED, "do": "answer", "ttl": 127, "mute": True, "text": PAGE},), c=LOOKED_AT, by="middlebox",
                      arranged="A box on the way answers in the server's place with a page that says the site is blocked.", notice="Notice plain HTTP in reply to a ClientHello, with another TTL than the server's SYN-ACK.", **QUIET))  # fmt: skip
for client in ("java", "gnutls", "node", "openssl"):
    CASES.append(Case("captive-portal", client, "nginx", "", middle={"kind": "portal"}, network=walled(0.04), by="middlebox", arranged="A captive portal takes every connection and redirects to its login page.", notice="Notice a redirect in plain HTTP in reply to a ClientHello.", **QUIET))  # fmt: skip
for client, second, how in (("go", {"max": "1.2"}, {"do": "drop"}), ("gnutls", {"max": "1.2"}, {"do": "drop"}), ("java", {"max": "1.2"}, {"do": "reset", "to": "both", "ttl": 118})):
    CASES.append(Case("tls13-middlebox-intolerance", client, "nginx", how["do"], c=({"timeout": 4, "patience": 5}, second), stream=0, network={"delay": 0.02}, faults=({"towards": "client", "contains": "\x00\x2b\x00\x02\x03\x04", **how, "mute": True},), by="middlebox" if how["do"] == "reset" else "unknown",
                      arranged="A box on the way does not let a ServerHello of TLS 1.3 through; a second try with TLS 1.2 completes.", notice="Notice that nothing of the ServerHello arrives, until TLS 1.2 is tried.", **QUIET))  # fmt: skip
for client in ("java", "python", "node", "nss"):
    CASES.append(Case("data-corruption", client, "openssl" if client == "nss" else "nginx", "two-versions", c={"max": "1.2"}, network={"delay": 0.03}, faults=({"do": "corrupt-copy", "towards": "client", "flags": "DATA", "nth": 2, "at": 700},), by="client",
                      arranged="A box on the way delivers a segment of the server's flight twice: first with a flipped bit, then as it was sent.", notice="Notice the same sequence numbers with different bytes.", sure="clients differ in when they notice"))  # fmt: skip
for client in ("go", "python", "nss", "curl"):
    CASES.append(Case("unexpected-message" if client == "go" else "decrypt-error", client, "openssl" if client == "nss" else "nginx", "transcript-altered", c={"max": "1.2"}, network={"delay": 0.02}, faults=({"do": "corrupt", "towards": "server", "flags": "DATA", "nth": 1, "at": 30},), by="client", also=("data-corruption",), at="server",
                      arranged="A box on the way flips one bit in the ClientHello's random; recorded at the server.", notice="Notice that all messages are well formed, and that the ends do not agree on what was said.", sure="the alert tells"))  # fmt: skip
for client, c, rtt in (("java", {}, 0.03), ("gnutls", {"patience": 4}, 0.1), ("python", {"timeout": 3}, 0.05)):
    CASES.append(Case("loss-slow-handshake", client, "nginx", "flight-lost", c=c, network={"delay": rtt / 4}, faults=({"do": "drop", "towards": "client", "flags": "DATA"},), at="server", by="unknown",
                      arranged="The way to the client loses everything with data, large and small; recorded at the server.", notice="Notice that no part of the flight is ever acknowledged.", **QUIET))  # fmt: skip
for client in ("python", "java"):
    CASES.append(Case("sni-filter-drop", client, "nginx", "", c=({"insecure": True}, {**LOOKED_AT, "timeout": 5, "patience": 6}), stream=1, network=walled(0.05), firewall=((*FORWARD, *TO_TLS, "-m", "string", "--algo", "bm", "--string", "blocked.test", "-j", "DROP"),), by="unknown",
                      arranged="A router drops packets that hold the name blocked.test; another name to the same server works.", notice="Notice a ClientHello that is never acknowledged, while one with another name is.", **QUIET))  # fmt: skip

# -- who closes, and when ---------------------------------------------------------------------------------------------------------
for server, c, by in (("gnutls", {"script": [["sleep", 4], ["fin"]]}, "client"), ("go", {"script": [["sleep", 3], ["rst"]]}, "client"), ("apache", {"script": [["wait", 8], ["fin"]], "limit": 12}, "client"),
                      ("java", {"script": [["sleep", 5], ["fin"]]}, "client"), ("openssl", {"script": [["sleep", 4], ["fin"]]}, "client"), ("stunnel", {"script": [["sleep", 4], ["fin"]]}, "client")):  # fmt: skip
    CASES.append(Case("client-never-speaks", "raw", server, "", c=c, outcome="no-handshake", by=by, network=wire(0.04), arranged="A client connects, says nothing for some seconds and leaves.", notice="Notice the silence after the TCP handshake.", **QUIET))  # fmt: skip
CASES.append(Case("client-never-speaks", "raw", "nginx", "ipv6-server-tires", c={"script": [["wait", 9], ["fin"]], "address": "2001:db8:2::20"}, s={"lines": ["client_header_timeout 3s;"]}, outcome="no-handshake", by="server", network=wire(0.02), arranged="A client connects over IPv6 and says nothing, until the server closes.", notice="Notice the silence after the TCP handshake.", **QUIET))  # fmt: skip
CASES += [
    Case("happy-eyeballs-loser", "curl", "nginx", "four-loses", c={"address": "198.51.100.20,[2001:db8:2::20]", "argv": ["--happy-eyeballs-timeout-ms", "50"]}, faults=({"do": "delay", "seconds": 0.12, "flags": "SYN-ACK", "nth": 1},), outcome="no-handshake", by="client", arranged="The client tries one family first, hears nothing for a twentieth of a second, tries the other too and takes what answers first.", notice="Notice two connections to one name, the first of which is given up without a byte.", **QUIET),
    Case("happy-eyeballs-loser", "curl", "go", "six-dropped", c={"address": "[2001:db8:2::20],198.51.100.20", "timeout": 9}, s={"slow": 4}, network=walled(0.03), firewall=(("router", "ip6tables", "-A", "FORWARD", "-p", "tcp", "-j", "DROP"),), outcome="no-handshake", by="client",
         arranged="IPv6 is dropped on the way; the client tries it first, hears nothing for a fifth of a second, and takes IPv4.", notice="Notice a single SYN over IPv6 that nobody answers, and that the same client succeeds over IPv4.", **QUIET),
    Case("happy-eyeballs-loser", "raw", "haproxy", "after-the-hello", c=({"script": [["fin"]], "address": "198.51.100.21"}, {"script": [["hello", SOUND_12], ["recv", 1], ["alert", 1, 0], ["fin"]]}), network=wire(0.05), outcome="no-handshake", by="client", arranged="A client connects to two addresses of one server at once, keeps the second and closes the first unused.", notice="Notice two connections of one client, and that only one speaks.", **QUIET),
]  # fmt: skip
for client, v in (("curl", "1.2"), ("java", "1.2"), ("gnutls", "1.2"), ("python", "1.2"), ("nss", "1.2")):
    CASES.append(Case("server-closed-mid-handshake", client, "raw", "after-server-hello", c={"max": v}, s={"script": [["recv", 5], ["server-hello", {"session_id": ""}], ["sleep", 0.1], ["fin" if client in ("curl", "java", "nss") else "rst"]]}, network={"delay": 0.03}, by="server", alert=None, sure="some clients answer the close with an alert",
                      arranged="The server closes after its ServerHello.", notice="Notice that an alert of the client after that close is an effect, not a cause."))  # fmt: skip
for server, how in (("haproxy", "fin"), ("apache", "rst"), ("java", "fin"), ("gnutls", "rst"), ("node", "fin")):
    CASES.append(Case("client-closed-mid-handshake", "raw", server, how, c={"script": [["hello", SOUND_12], ["recv", 2], ["sleep", 0.1], [how]]}, s={"max": "1.2"}, by="client", network=wire(0.03), arranged="The client leaves in the middle of the handshake without a word.", notice="Notice the client's close after the server's flight.", **QUIET))  # fmt: skip
for server in ("nginx", "openssl"):
    CASES.append(Case("client-closed-mid-handshake", "raw", server, "tls13", c={"script": [["hello", {}], ["recv", 2], ["sleep", 0.1], ["rst" if server == "nginx" else "fin"]]}, by="client", network=wire(0.15), without_keys="client-silent-reject", keep_keys=False, arranged="The client leaves in the middle of the handshake without a word.", notice="Notice the client's close after the server's flight.", **QUIET))  # fmt: skip
for client, server, c in (("java", "go", {"patience": 9}), ("python", "go", {"timeout": 3}), ("wget", "python", {"argv": ["-T", "3"]}), ("go", "go", {"timeout": 2})):
    CASES.append(Case("client-timeout", client, server, "slow-server", c=c, s={"slow": 8}, by="client", network={"delay": 0.02}, settle=6, also=("server-slow",), arranged="The server needs eight seconds to begin, the client does not wait so long.", notice="Notice that the server does answer in the end, to nobody.", alert=None, sure="a timeout"))  # fmt: skip
LIMIT = "stick-table type ip size 1k expire 60s store conn_rate(60s)\n  tcp-request connection track-sc0 src\n  tcp-request connection reject if { sc0_conn_rate gt 2 }"
LIMIT_HELLO = "stick-table type ip size 1k expire 60s store conn_rate(60s)\n  tcp-request connection track-sc0 src\n  tcp-request session reject if { sc0_conn_rate gt 2 }"
for client, v in (("curl", "1.3"), ("go", "1.2"), ("java", "1.3"), ("gnutls", "1.2")):
    CASES.append(Case("rate-limit-close", client, "haproxy", f"tls{v.replace('.', '')}", c=tuple({"max": v} for _ in range(4)), s={"rule": LIMIT}, stream=2, by="server", network={"delay": 0.02}, arranged="The server takes two connections a minute from one address and closes the others.", notice="Notice that the first two connections succeed and the next ones do not.", **QUIET))  # fmt: skip
CASES.append(Case("rate-limit-close", "several", "haproxy", "at-once", c={"count": 5, "pause": 0.2, "stay": 0.1}, s={"rule": LIMIT}, stream=3, by="server", network=wire(0.06), arranged="The server takes two connections a minute from one address and closes the others; five come in a second.", notice="Notice that the first two connections succeed and the next ones do not.", **QUIET))  # fmt: skip

# -- HTTP/2 ---------------------------------------------------------------------------------------------------------------------
POOR = {"http2": True, "max": "1.2", "ciphers": "ECDHE-RSA-AES128-SHA"}
CASES += [
    Case("http2-inadequate-security", "curl", "go", "tls12", c={"max": "1.2", "ciphers": "ECDHE-RSA-AES128-SHA"}, s={"argv": ["--http"], "max": "1.2", "ciphers": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, by="server", network={"delay": 0.02}, alert=None, sure="the handshake completes; HTTP/2 objects",
         arranged="Client and server agree on HTTP/2 with a suite that HTTP/2 forbids, to which the server objects.", notice="Notice that TLS completes: the server's GOAWAY, inside, names the reason."),
    Case("http2-inadequate-security", "curl", "go127", "tls12", c={"max": "1.2", "ciphers": "ECDHE-RSA-AES256-SHA"}, s={"argv": ["--http"], "max": "1.2", "ciphers": "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, by="server", network={"delay": 0.05}, alert=None, sure="the handshake completes; HTTP/2 objects",
         arranged="Client and server agree on HTTP/2 with a suite that HTTP/2 forbids, to which the server objects.", notice="Notice that TLS completes: the server's GOAWAY, inside, names the reason."),
    Case("http2-inadequate-security", "firefox", "nginx", "tls12", s=POOR, by="client", alert=None, sure="the handshake completes; HTTP/2 objects", arranged="The server agrees on HTTP/2 with a suite that HTTP/2 forbids.", notice="Notice that TLS completes: the browser's GOAWAY, inside, names the reason."),
    Case("http2-inadequate-security", "chromium", "haproxy", "tls12", s={"alpn": "h2", "max": "1.2", "ciphers": "AES256-SHA256:AES128-SHA:AES256-SHA"}, by="client", alert=None, sure="the handshake completes; HTTP/2 objects", arranged="The server agrees on HTTP/2 with a suite that HTTP/2 forbids.", notice="Notice that TLS completes: the browser's GOAWAY, inside, names the reason."),
]  # fmt: skip

# -- alerts that say it ------------------------------------------------------------------------------------------------------------
for cause, number, clients in (("access-denied", 49, "go java openssl node"), ("insufficient-security", 71, "curl gnutls java nss"), ("internal-error", 80, "java gnutls python")):
    for n, client in enumerate(clients.split()):
        v = "1.2" if n % 2 else "1.3"
        CASES.append(Case(cause, client, "python", f"tls{v.replace('.', '')}", c={"max": v}, s={"sni_alert": number}, by="server", network={"delay": 0.02}, arranged="The server's application looks at the name and refuses the client with an alert of its choice.", notice="Notice the alert right after the ClientHello, which leaves little to guess."))  # fmt: skip
NOWHERE = {"lines": ["ssl_certificate /nonexistent/$ssl_server_name.pem;", "ssl_certificate_key /nonexistent/$ssl_server_name.key;"]}
for client, v in (("curl", "1.3"), ("go", "1.2"), ("openssl", "1.2")):
    CASES.append(Case("internal-error", client, "nginx", f"certificate-missing-tls{v.replace('.', '')}", c={"max": v}, s=NOWHERE, by="server", network={"delay": 0.02}, arranged="The server looks for the certificate of the name it is asked for in a file that is not there.", notice="Notice the alert right after the ClientHello."))  # fmt: skip
for server in ("nginx", "haproxy", "python", "node", "apache"):
    CASES.append(Case("heartbeat-anomaly", "raw", server, "", c={"script": [["hello", SOUND_12], ["recv", 2], ["sleep", 0.1], ["hex", "1803030003014000"], ["recv-all", 2], ["fin"]]}, s={"max": "1.2"}, by="server", network=wire(0.02), arranged="The client sends a heartbeat request that asks for more than it holds, in the middle of the handshake.",
                      notice="Notice a record of type 24, which belongs to no sound handshake.", sure="some servers answer with an alert, some leave"))  # fmt: skip
for server in ("haproxy", "gnutls", "java", "python"):
    CASES.append(Case("user-canceled", "raw", server, "", c={"script": [["hello", SOUND_12], ["recv", 2], ["sleep", 0.1], ["alert", 1, 90], ["alert", 1, 0], ["fin"]]}, s={"max": "1.2"}, by="client", network=wire(0.05), arranged="The client says in the middle of the handshake that its user wants no more.",
                      alert={"description": "user_canceled", "from": "client", "encrypted": False}, notice="Notice the warnings user_canceled and close_notify from the client.", sure="a warning, then the end"))  # fmt: skip
MASTER = ["-Djdk.tls.allowLegacyMasterSecret=false"]
CASES += [
    Case("ems-required", "java", "tlslite", "client-insists", c={"max": "1.2", "jvm": MASTER}, s={"max": "1.2", "useExtendedMasterSecret": False}, by="client", network={"delay": 0.02}, arranged="The client insists on the extended master secret, which the server does not answer.", notice="Notice the extension in the ClientHello and its absence in the ServerHello."),
    Case("ems-required", "gnutls", "java", "tls12", c={"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH"}, s={"max": "1.2", "jvm": MASTER}, by="server", network={"delay": 0.02}, arranged="The server insists on the extended master secret, which the client does not offer."),
    Case("ems-required", "tlslite", "java25", "tls12", c={"max": "1.2", "min": "1.2", "useExtendedMasterSecret": False}, s={"max": "1.2", "jvm": MASTER}, by="server", network={"delay": 0.02}, arranged="The server insists on the extended master secret, which the client does not offer."),
]  # fmt: skip
for client, c, server, s in (
    ("gnutls", {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.1"}, "nginx", {"min": "1.0"}), ("go", {"version": "1.0"}, "haproxy", {"min": "1.0"}),
    ("curl", {"min": "1.0", "max": "1.1"}, "go", {"min": "1.0"}), ("ruby", {"min": "1.0", "max": "1.1"}, "go", {"min": "1.0"}),
):  # fmt: skip
    CASES.append(Case("legacy-sigalg-seclevel", client, server, "legacy", c=c, s=s, network={"delay": 0.02}, arranged="One side allows TLS 1.1 or 1.0 but keeps its security level, which forbids the SHA-1 signature these need.", notice="Notice the alert internal_error of the side that is on OpenSSL 3."))  # fmt: skip
for client, c in (("go", {}), ("java", {}), ("curl", {}), ("python", {})):
    CASES.append(Case("version-intolerance", client, "python", "", c=(c, {**c, "max": "1.2"}), s={"intolerant": "version"}, by="server", stream=0, network={"delay": 0.02}, alert=None, sure="some clients answer the close with an alert", arranged="The server cannot take a hello with supported_versions and closes; a second, simpler try of the same client completes.", notice="Notice what the failing hello has that a simpler one has not."))  # fmt: skip
SMALL = {"max": "1.2", "ciphers": "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "lines": [f"ssl_dhparam {PROGRAMS}/dh1024.pem;"]}
for client in ("ruby", "perl", "pyopenssl"):
    CASES.append(Case("dh-key-too-small", client, "nginx", "tls12", c={"max": "1.2", "ciphers": "DHE"}, s=SMALL, by="client", network={"delay": 0.02}, arranged="The server's Diffie-Hellman group has 1024 bits, fewer than the client takes.", notice="Notice that it is the client that objects."))  # fmt: skip
STRIP = ({"do": "rewrite", "towards": "server", "old": "\x00\x2b\x00\x05\x04\x03\x04\x03\x03", "new": "\x2a\x2b\x00\x05\x04\x03\x04\x03\x03", "flags": "DATA", "nth": 1},)
CASES.append(Case("internal-error", "python", "gnutls", "no-ciphers", c={"min": "1.0", "max": "1.1"}, s={"min": "1.0"}, by="client", network={"delay": 0.02}, arranged="The client may speak TLS 1.1 at most, and its security level leaves it no cipher suite for that.", notice="Notice an alert of the client in the place of a ClientHello."))  # fmt: skip
for client, server in (("go", "nginx"), ("java", "haproxy"), ("python", "apache"), ("nss", "openssl"), ("rustls", "nginx"), ("deno", "nginx"), ("gnutls", "node")):
    CASES.append(Case("downgrade-sentinel", client, server, "stripped", by="client", faults=STRIP, network={"delay": 0.02}, arranged="A box on the way hides the client's list of versions, so that the server answers with TLS 1.2.", notice="Notice the end of the server's random, DOWNGRD: the server has TLS 1.3 and the client, which offered it, objects."))  # fmt: skip
for client in ("ruby", "php", "perl", "pyopenssl"):
    CASES.append(Case("unsafe-legacy-renegotiation", client, "tlslite", "tls12", c={"max": "1.2"}, s={"max": "1.2", "no_reneg": True}, by="client", network={"delay": 0.02}, arranged="The server does not know secure renegotiation (RFC 5746), which the client insists on.", notice="Notice that the ServerHello lacks renegotiation_info."))  # fmt: skip

# -- a certificate wanted later ---------------------------------------------------------------------------------------------------
LATER = {"client_ca": "root", "verify": "none", "lines": ["<Location />", "SSLVerifyClient require", "</Location>"]}
WANTS = {"request": "GET / HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n"}
for client, c in (("go", WANTS), ("java", WANTS), ("gnutls", {})):
    CASES.append(Case("post-handshake-auth-unsupported", client, "apache", "tls13", c=c, s=LATER, by="server", outcome="failed", network={"delay": 0.02}, arranged="The server wants the client's certificate when it sees the page that is wanted; the client did not say it could give one after the handshake.",
                      notice="Notice a completed handshake whose ClientHello lacks post_handshake_auth, and a short refusal in HTTP.", alert=None, sure="the refusal is HTTP's", without_keys="nothing"))  # fmt: skip
for client, c in (("curl", {}), ("ruby", WANTS)):
    CASES.append(Case("client-cert-missing", client, "apache", "tls13-after-the-handshake", c=c, s=LATER, by="server", outcome="failed", network={"delay": 0.02}, arranged="The server wants the client's certificate when it sees the page that is wanted; the client can be asked, and has none.", notice="Notice a completed handshake, a second Certificate of the client's, empty, and an alert.", sure="the handshake completes first", without_keys="nothing"))  # fmt: skip
ASKED = {**LATER, "max": "1.2"}
for client, c in (("go", {"max": "1.2", **WANTS}), ("rustls", {}), ("go127", {"max": "1.2", **WANTS})):
    CASES.append(Case("renegotiation-refused", client, "apache", "server-asks-tls12", c=c, s=ASKED, by="client", network={"delay": 0.02}, arranged="The server wants the client's certificate when it sees the page that is wanted, and asks to renegotiate; the client will not.",
                      notice="Notice a handshake record of the server's inside the established connection, as short as only HelloRequest is, and an alert in answer.", sure="the first handshake completed"))  # fmt: skip
for client, c in (("boringssl", {}), ("gnutls", {"max": "1.2"}), ("node", {"max": "1.2", **WANTS}), ("java", {"max": "1.2", **WANTS}), ("curl", {"max": "1.2"}), ("openssl", {"version": "1.2"}), ("nss", {"max": "1.2"}), ("wget", {"argv": ["--secure-protocol=TLSv1_2"]}), ("python", {"max": "1.2", **WANTS})):
    CASES.append(Case("client-cert-missing", client, "apache", "tls12-second-handshake", c=c, s=ASKED, by="server", network={"delay": 0.02}, arranged="The server wants the client's certificate when it sees the page that is wanted, and asks for another handshake; the client has none.",
                      notice="Notice another handshake inside the established connection, with a short Certificate, which ends in an alert of the server's.", sure="the first handshake completed"))  # fmt: skip
for client in ("openssl", "gnutls", "java"):
    for leaf, cause in (("client", None), ("client-unknown-ca", "client-cert-unknown-ca")) if client != "java" else (("client", None),):
        CASES.append(Case(cause, client, "apache", "tls12-second-handshake", c={"max": "1.2", "cert": leaf, **(WANTS if client == "java" else {})}, s=ASKED, by="server" if cause else "none", network={"delay": 0.02}, without_keys="client-cert-rejected" if cause else None, sure="the first handshake completed",
                          arranged="The server wants the client's certificate when it sees the page that is wanted, and asks for another handshake; the client has one" + (" of a CA that the server does not trust." if cause else "."), notice="Notice another handshake inside the established connection."))  # fmt: skip

CASES.append(Case("unexpected-message", "tlslite", "openssl", "tls13-compressed-certificate", c={"cert": "client", "min": "1.3", "max": "1.3"}, s={"client_ca": "root"}, by="server", network={"delay": 0.02}, arranged="The client compresses its certificate, which the server did not ask for and does not know.", notice="Notice that the client believes the handshake done when the refusal arrives, encrypted.", without_keys="client-cert-rejected"))  # fmt: skip
# -- certificates and keys ----------------------------------------------------------------------------------------------------------
for server in ("openssl", "python", "gnutls", "java", "nginx", "node"):
    CASES.append(Case("client-cert-key-mismatch", "tlslite", server, "tls13", c={"cert": "client", "key": "client-unknown-ca", "min": "1.3", "max": "1.3", "certificate_compression_send": []}, s={"client_ca": "root"}, by="server", network={"delay": 0.02}, arranged="The client signs with a key that is not that of its certificate.", notice="Notice that the client believes the handshake done when the refusal arrives, encrypted."))  # fmt: skip
for client, v in (("node", "1.2"), ("wolfssl", "1.2"), ("boringssl", "1.2"), ("gnutls", "1.3"), ("java", "1.3"), ("pyopenssl", "1.2"), ("python", "1.3")):
    CASES.append(Case("cert-private-key-mismatch", client, "tlslite", f"tls{v.replace('.', '')}", c={"max": v} if client not in ("boringssl", "rustls") else {}, s={"key": "client", "max": v, "min": v}, by="client", network={"delay": 0.02}, arranged="The server signs with a key that is not that of its certificate.", notice="Notice that the certificate itself is in order; the signature is not.", **({"alert": {"description": "handshake_failure", "from": "client", "encrypted": True}} if client == "java" else {})))  # fmt: skip
PIN = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
for client, server, v in (("curl", "go", "1.3"), ("curl", "apache", "1.2")):
    CASES.append(Case("cert-pinning", client, server, f"tls{v.replace('.', '')}-pin", c={"max": v, "argv": ["--pinnedpubkey", PIN] if client == "curl" else [f"--pinnedpubkey={PIN}"]}, s={"max": v}, by="client", network={"delay": 0.02}, arranged="The certificate is good, and the client has been told to accept only another key.",
                      notice="Notice that the handshake completes and the client leaves without a request: nothing on the wire names the reason.", without_keys="client-silent-reject", sure="the refusal is the program's", alert=None))  # fmt: skip
for client, v, clock in (("ruby", "1.2", "+365d"), ("php", "1.2", "-365d"), ("perl", "1.3", "+365d"), ("psql", "1.2", "-365d"), ("erlang", "1.2", "+365d"), ("pyopenssl", "1.2", "-365d")):
    CASES.append(Case("clock-skew", client, "postgres" if client == "psql" else "nginx", f"tls{v.replace('.', '')}-" + ("behind" if clock[0] == "-" else "ahead"), c={"max": v}, s={"cert": "fresh", "max": v}, by="client", clock=clock, network={"delay": 0.02}, **({"port": 5432, "via": "postgresql"} if client == "psql" else {}),
                      arranged=f"The server's certificate is valid since yesterday and for three months, and the client's clock is a year {'behind' if clock[0] == '-' else 'ahead'}.", notice="Notice that the certificate is valid when it is refused."))  # fmt: skip
for client, server, v in (("firefox", "apache", "1.2"), ("go127", "haproxy", "1.3"), ("rustls", "apache", "1.3")):
    CASES.append(Case("cert-no-san", client, server, f"tls{v.replace('.', '')}-more", c={"max": v} if client in ("deno", "go127") else {}, s={"cert": "no-san", "max": v, **({"http2": True} if client == "grpc" else {})}, by="client", stream=-1 if client == "firefox" else 0, sure="stacks differ in how they refuse", network={"delay": 0.02},
                      arranged="The server's certificate has the name in its subject only and no subjectAltName; the client verifies it.", notice="Notice how the refusal looks on the wire."))  # fmt: skip
for client, v in (("ruby", "1.2"), ("php", "1.2"), ("perl", "1.3"), ("pyopenssl", "1.2"), ("deno", "1.3")):
    CASES.append(Case("cert-weak-key", client, "go", f"tls{v.replace('.', '')}-more", c={"max": v}, s={"cert": "rsa1024", "max": v}, by="client", network={"delay": 0.02}, arranged="The server's certificate has an RSA key of 1024 bits; the client verifies it.", notice="Notice how the refusal looks on the wire."))  # fmt: skip
for client, server, v in (("openssl", "haproxy", "1.3"), ("python", "go", "1.2")):
    CASES.append(Case("cert-revoked", client, server, f"tls{v.replace('.', '')}", c={"max": v, "crl": "issuing"}, s={"cert": "revoked", "max": v}, by="client", network={"delay": 0.02}, arranged="The server's certificate is revoked, and the client holds the list that says so.", notice="Notice how the refusal looks on the wire."))  # fmt: skip
STATUS = ["-Dcom.sun.net.ssl.checkRevocation=true", "-Djdk.tls.client.enableStatusRequestExtension=true", "-Docsp.enable=false"]
CASES += [
    Case("ocsp-staple-bad", "java", "openssl", "tls12-stale", c={"max": "1.2", "jvm": STATUS}, s={"cert": "server", "staple": "stale", "max": "1.2"}, by="client", network={"delay": 0.02}, arranged="The server's certificate comes with a stapled answer that is weeks out of date; the client checks revocation.", notice="Notice the stapled answer, readable in TLS 1.2, and what the client makes of it."),
    Case("ocsp-staple-bad", "gnutls", "nginx", "tls13-stale", c={"max": "1.3"}, s={"cert": "server", "staple": "stale"}, by="client", network={"delay": 0.02}, arranged="The server's certificate comes with a stapled answer that is weeks out of date.", notice="Notice what the client makes of it."),
    Case("ocsp-must-staple-missing", "gnutls", "haproxy", "tls12-more", c={"max": "1.2"}, s={"cert": "must-staple", "max": "1.2"}, by="client", network={"delay": 0.02}, arranged="The server's certificate demands a stapled OCSP answer, and the server staples none.", notice="Notice that the ServerHello answers no status_request."),
    Case("ocsp-must-staple-missing", "ldapsearch", "slapd", "tls13", c={}, s={"cert": "must-staple"}, port=636, by="client", network={"delay": 0.02}, arranged="The server's certificate demands a stapled OCSP answer, and the server staples none.", notice="Notice how the refusal looks on the wire."),
]  # fmt: skip
for client, server, v in (("java25", "openssl", "1.3"), ("bouncycastle", "openssl", "1.2"), ("go127", "haproxy", "1.3"), ("java", "nginx", "1.2"), ("go", "java", "1.3")):
    CASES.append(Case("client-cert-not-in-ca-list", client, server, f"tls{v.replace('.', '')}-more", c={"max": v, "cert": "client"}, s={"client_ca": "other", "max": v}, by="server", network={"delay": 0.02}, sure="nginx says it in HTTP", arranged="The client has a certificate, but not from a CA the server's request names, and so it sends none.",
                      notice="Notice the list of names in the CertificateRequest and the empty Certificate.", without_keys="client-cert-missing" if server != "nginx" else "mtls-app-layer-rejection", notes="That the client has a certificate is nowhere on the wire: an observer sees a missing one, and a list."))  # fmt: skip
for client, v in (("rustls", "1.3"), ("deno", "1.2"), ("wget", "1.2"), ("ruby", "1.3"), ("firefox", "1.2"), ("boringssl", "1.2"), ("php", "1.3")):
    CASES.append(Case("tls-interception", client, "nginx", f"tls{v.replace('.', '')}-more", c={"max": v} if client in ("deno", "ruby") else {}, by="client", stream=-1 if client == "firefox" else 0, middle={"kind": "inspect", "cert": "intercepted", **({"max": v} if v == "1.2" else {})}, network=walled(0.04), sure="stacks differ in how they refuse",
                          arranged="An inspecting box on the way ends TLS with a certificate of its own, whose root the client does not have.", notice="Notice the issuer, a maker of such boxes: the server has nothing to do with this certificate."))  # fmt: skip
for client, server, v in (("curl", "apache", "1.2"), ("node", "nginx", "1.3"), ("gnutls", "haproxy", "1.2"), ("java", "nginx", "1.2")):
    CASES.append(Case("sni-default-cert", client, server, f"tls{v.replace('.', '')}-more", c=({"name": "other.test", "max": v}, {"max": v}), s={"cert": "other-host", "max": v}, stream=1, by="client", also=("cert-name-mismatch",), network={"delay": 0.02}, sure="stacks differ in how they refuse",
                      arranged="The server's certificate is the default one, of another host that the client reached just before, since the server has none for this name.", notice="Notice the name that is asked for and the names that come."))  # fmt: skip

# -- proxies, and mail ------------------------------------------------------------------------------------------------------------
def proxied(cause: str, client: str, kind: str, mood: str, arranged: str, **more: Any) -> Case:
    port = 3128 if kind in ("connect", "squid", "tinyproxy") else 1080
    c: dict[str, Any] = {"argv": ["-e", "use_proxy=yes", "-e", f"https_proxy=http://192.0.2.1:{port}"]}
    if client == "ncat":
        c = {"argv": ["--proxy", f"192.0.2.1:{port}", "--proxy-type", "http" if port == 3128 else "socks5", "-w", "5"]}
    middle = {"kind": kind, "port": port, "explicit": True, **({"mood": mood} if kind in ("connect", "socks") else {"lines": more.pop("lines", [])})}
    more.setdefault("by", "server")
    return Case(cause, client, "nginx", f"{kind}-{mood}", c=c, middle=middle, via="http-connect" if port == 3128 else "socks5", network=wire(0.04), arranged=arranged, notice="Notice the proxy's answer; TLS never begins.", **{**QUIET, **more})


CASES += [
    proxied("proxy-connect-refused", "wget", "squid", "403", "Squid's rules forbid the destination.", lines=["http_access deny all"]),
    proxied("proxy-connect-refused", "ncat", "squid", "403", "Squid's rules forbid the destination.", lines=["http_access deny all"]),
    proxied("proxy-connect-timeout", "wget", "connect", "silent", "The proxy takes the request and never answers.", by="client"),
    proxied("proxy-connect-timeout", "wget", "connect", "200-then-close", "The proxy says yes and closes when the ClientHello comes."),
    proxied("proxy-connect-timeout", "ncat", "connect", "200-then-close", "The proxy says yes and closes when the ClientHello comes."),
    proxied("socks-failure", "ncat", "socks", "ruleset", "The SOCKS proxy's rules forbid the destination."),
]  # fmt: skip
HIDE = ({"do": "rewrite", "towards": "client", "old": "250-STARTTLS", "new": "250-XXXXXXXA", "flags": "DATA"}, {"do": "rewrite", "towards": "server", "old": "STARTTLS\r\n", "new": "XXXXXXXX\r\n", "flags": "DATA"})
for client, c in (("curl", {"dialogue": "smtp", "argv": ["--mail-from", "a@b.test"]}), ("gnutls", {"dialogue": "smtp", "request": "QUIT\r\n"}), ("openssl", {"dialogue": "smtp", "request": "QUIT\r\n", "patience": 6})):
    CASES.append(Case("starttls-stripped", client, "postfix", "smtp", c=c, port=25, via="smtp-starttls", by="middlebox", faults=HIDE, network={"delay": 0.03}, **QUIET, arranged="A box on the way overwrites the offer of STARTTLS in Postfix's greeting, as some firewalls do.", notice="Notice the word of X's where STARTTLS should be."))  # fmt: skip

# -- black holes that kernels make ----------------------------------------------------------------------------------------------------
NARROW = ("router", "ip", "link", "set", "left", "mtu", "1400")
MUTE = (("router", "-A", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP"), ("router", "ip6tables", "-A", "OUTPUT", "-p", "icmpv6", "--icmpv6-type", "packet-too-big", "-j", "DROP"))
for client, c, at, rtt in (("java", {}, "client", 0.02), ("gnutls", {"max": "1.2", "patience": 7}, "client", 0.15), ("python", {"timeout": 6}, "server", 0.05)):
    CASES.append(Case("pmtu-blackhole-server-flight", client, "nginx", f"router-{at}", c=c, at=at, by="unknown", network=walled(rtt), firewall=(NARROW, *MUTE), arranged=f"A router's next link is narrower than the server's packets, and its firewall drops what it says about that; recorded at the {at}.",
                      notice="Notice that only packets of full size are missing, and missing again.", **QUIET))  # fmt: skip
CASES += [
    Case("pmtu-blackhole-server-flight", "curl", "nginx", "router-ipv6", c={"name": "six.test", "address": "[2001:db8:2::20]", "insecure": True, "timeout": 6}, by="unknown", network=walled(0.04), firewall=(NARROW, *MUTE), filter="tcp or ip6 proto 6 or icmp6", arranged="A router's next link is narrower than the server's packets, and its firewall drops what it says about that, over IPv6.",
         notice="Notice that only packets of full size are missing, and missing again.", **QUIET),
    Case(None, "curl", "nginx", "router-says-too-big", network=walled(0.04), firewall=(NARROW,), arranged="A router's next link is narrower than the server's packets, and it says so; the server sends smaller ones.", notice="Notice the segments that come again, cut smaller."),
    Case(None, "curl", "nginx", "router-says-too-big-server-side", at="server", network=walled(0.04), firewall=(NARROW,), arranged="A router's next link is narrower than the server's packets, and it says so; the server sends smaller ones; recorded at the server.", notice="Notice the ICMP message, and the segments that come again, cut smaller."),
    Case("sni-filter-rst", "go", "nginx", "ipv6-reject", c=({"name": "blocked.test", "address": "2001:db8:2::20", "insecure": True}, {"address": "2001:db8:2::20", "insecure": True}), network=walled(0.05), by="middlebox", filter="tcp or ip6 proto 6", firewall=(("router", "ip6tables", "-A", "FORWARD", *TO_TLS, "-m", "string", "--algo", "bm", "--string", "blocked.test", "-j", "REJECT", "--reject-with", "tcp-reset"),),
         arranged="A router rejects with a reset what holds the name, over IPv6; another name passes.", notice="Notice the reset's hop limit, which no router has counted down.", **QUIET),
]  # fmt: skip

# -- the same boxes on roads of other lengths ---------------------------------------------------------------------------------------
for delay, road in ((0.0002, "next-door"), (0.15, "far-away")):
    for client in ("curl", "go") if road == "far-away" else ("openssl", "python"):
        CASES += [
            Case("sni-filter-rst", client, "nginx", road, c=({"insecure": True}, LOOKED_AT), stream=1, network={"delay": delay}, faults=({**BLOCKED, "do": "reset", "to": "both", "ttl": 118, "mute": True},), by="middlebox",
                 arranged="A box on the way resets connections whose ClientHello names blocked.test, at both ends.", notice="Notice resets with another TTL than the server's packets.", **QUIET),
            Case("middlebox-rst-injection", client, "nginx", road, network={"delay": delay}, faults=({**AFTER_HELLO, "to": "both", "ttl": 33, "ip_id": 54321, "mute": True},), by="middlebox",
                 arranged="A box on the way resets the connection at both ends when the server's certificate passes.", notice="Notice a reset whose TTL no packet of the server has.", **QUIET),
            Case("tcp-syn-rst-middlebox", client, "nginx", f"{road}-among-others", c=({}, {}, {}), stream=1, network={"delay": delay}, faults=({"do": "reset", "flags": "SYN", "towards": "server", "to": "client", "ttl": 255, "nth": 2},), by="middlebox",
                 arranged="A box on the way resets one connection of three at its SYN.", notice="Notice the reset's TTL.", **QUIET),
            Case("middlebox-block-page", client, "nginx", road, network={"delay": delay}, faults=({**BLOCKED, "do": "answer", "ttl": 127, "mute": True, "text": PAGE},), c=LOOKED_AT, by="middlebox",
                 arranged="A box on the way answers in the server's place with a page that says the site is blocked.", notice="Notice plain HTTP in reply to a ClientHello, with another TTL than the server's SYN-ACK.", **QUIET),
            Case("server-rst-after-hello", client, "raw", road, s={"script": [["recv", 5], ["rst"]]}, by="server", network={"delay": delay}, alert=None,
                 arranged="The server resets the connection when the ClientHello comes.", notice="Notice that the reset looks like the server's other packets: same TTL, same path."),
            Case("pmtu-blackhole-server-flight", client, "nginx", road, c={"timeout": 6, "patience": 7}, network={"delay": delay}, faults=({"do": "drop", "larger": 1400},), by="unknown",
                 arranged="A tunnel on the way carries packets of 1400 octets at most, drops larger ones, and no ICMP says so.", notice="Notice that only packets of full size are missing, and missing again.", **QUIET),
            Case("client-hello-unacked", client, "nginx", road, c={"timeout": 5, "patience": 6}, network={"delay": delay}, faults=({"towards": "server", "flags": "DATA", "do": "drop"},), by="unknown",
                 arranged="A box on the way drops everything that carries data to the server.", notice="Notice a short ClientHello sent again with growing pauses and never acknowledged.", **QUIET),
            Case("rst-with-text", client, "nginx", road, network={"delay": delay}, faults=({"towards": "server", "flags": "DATA", "nth": 1, "do": "reset", "to": "both", "ttl": 255, "mute": True, "text": "BIG-IP: [0x2b6d2b6:1234] No local listener"},), by="middlebox",
                 arranged="A load balancer resets the connection and writes its reason into the reset.", notice="Notice the text the RST carries.", **QUIET),
        ]  # fmt: skip
NAMED = ("-m", "string", "--algo", "bm", "--string", "blocked.test")
RESET = ("-j", "REJECT", "--reject-with", "tcp-reset")
for rtt, road in ((0.0, "next-door"), (0.3, "far-away")):
    CASES += [
        Case("sni-filter-rst", "python", "haproxy", f"{road}-router", c=(LOOKED_AT, {}), network=walled(rtt), by="middlebox", firewall=((*FORWARD, *TO_TLS, *NAMED, *RESET),),
             arranged="The first router rejects with a reset what holds the name; another name passes.", notice="Notice the reset's TTL, which no router has counted down.", **QUIET),
        Case("tcp-syn-rst-middlebox", "openssl", "haproxy", f"{road}-limit", c=({}, {}, {}), stream=2, network=walled(rtt), by="middlebox", firewall=((*FORWARD, "-p", "tcp", "--syn", "--dport", "443", "-m", "hashlimit", "--hashlimit-above", "2/minute", "--hashlimit-burst", "2", "--hashlimit-name", "y", *RESET),),
             arranged="A router lets two connections a minute through and rejects the third with a reset.", notice="Notice that the reset comes sooner than the server answers, and with another TTL.", **QUIET),
        Case("icmp-unreachable", "python", "haproxy", f"{road}-limit", c=({}, {}, {"timeout": 4}), stream=2, network=walled(rtt), by="middlebox", firewall=((*FORWARD, "-p", "tcp", "--syn", "--dport", "443", "-m", "hashlimit", "--hashlimit-above", "2/minute", "--hashlimit-burst", "2", "--hashlimit-name", "z", "-j", "REJECT", "--reject-with", "icmp-admin-prohibited"),),
             arranged="A router lets two connections a minute through and says of the third that it is prohibited.", notice="Notice the ICMP message.", **QUIET),
    ]  # fmt: skip

# -- recorded on all interfaces of the router ---------------------------------------------------------------------------------------
NAT = ("router", "-t", "nat", "-A", "POSTROUTING", "-o", "right", "-j", "MASQUERADE")
CASES += [
    Case("sni-filter-rst", "go", "nginx", "any-router", c=(LOOKED_AT, {}), at="router-any", network=walled(0.04), by="middlebox", firewall=((*FORWARD, *TO_TLS, *NAMED, *RESET),), also=("cap-duplicates",),
         arranged="A router rejects with a reset what holds the name; recorded on all of its interfaces.", notice="Notice that what passes through is there twice, and what the router says itself once.", **QUIET),
    Case("tcp-syn-rst-middlebox", "curl", "nginx", "any-router", c=({}, {}, {}), stream=2, at="router-any", network=walled(0.04), by="middlebox", firewall=((*FORWARD, "-p", "tcp", "--syn", "--dport", "443", "-m", "hashlimit", "--hashlimit-above", "2/minute", "--hashlimit-burst", "2", "--hashlimit-name", "y", *RESET),),
         arranged="A router lets two connections a minute through and rejects the third with a reset; recorded on all of its interfaces.", notice="Notice that what passes through is there twice, and what the router says itself once.", **QUIET),
    Case("cert-expired", "curl", "nginx", "tls12-any-router", c={"max": "1.2"}, s={"cert": "expired"}, at="router-any", network=walled(0.04), by="client", firewall=((*FORWARD, "-j", "ACCEPT"),), also=("cap-duplicates",),
         arranged="The server's certificate expired a month ago; recorded on all interfaces of a router.", notice="Notice that each packet is there twice, with its TTL counted down."),
    Case("cert-expired", "gnutls", "nginx", "tls12-any-translator", c={"max": "1.2"}, s={"cert": "expired"}, at="router-any", network=walled(0.04), by="client", firewall=(NAT,), also=("cap-nat-double",),
         arranged="The server's certificate expired a month ago; recorded on all interfaces of an address translator.", notice="Notice two connections with one ClientHello."),
    Case("server-rst-after-hello", "openssl", "raw", "any-router", s={"script": [["recv", 5], ["rst"]]}, at="router-any", network=walled(0.04), by="server", firewall=((*FORWARD, "-j", "ACCEPT"),), also=("cap-duplicates",), alert=None,
         arranged="The server resets the connection when the ClientHello comes; recorded on all interfaces of a router.", notice="Notice that the reset is there twice too."),
    Case("tcp-syn-refused", "go", "nobody", "any-translator", at="router-any", network=walled(0.04), by="server", firewall=(NAT,),
         arranged="Nobody listens on the port; recorded on all interfaces of an address translator.", notice="Notice a refusal on both sides of it.", **QUIET),
    Case("pmtu-blackhole-server-flight", "openssl", "nginx", "any-router", c={"version": "1.2", "patience": 7}, at="router-any", network=walled(0.04), by="unknown", firewall=(NARROW, *MUTE), also=("cap-duplicates",),
         arranged="A router's next link is narrower than the server's packets, and its firewall drops what it says about that; recorded on all interfaces of the router.", notice="Notice that only the packets of full size are there once: they come in and do not go out.", **QUIET),
]  # fmt: skip

# -- forgotten by a router, and options that are dropped ------------------------------------------------------------------------------
FORGETS = {**walled(0.03), "sysctl": (("router", "net.netfilter.nf_conntrack_tcp_timeout_established", "2"), ("router", "net.netfilter.nf_conntrack_tcp_loose", "0"))}
CASES += [
    Case(None, "python", "haproxy", "tls12-forgotten-by-router", also=("idle-timeout-reset",), c={"max": "1.2", "again": 6, "request": "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"}, s={"rule": "timeout http-keep-alive 60s"}, network=FORGETS, outcome="completed", by="none",
         firewall=((*FORWARD, "-m", "conntrack", "--ctstate", "INVALID", "-p", "tcp", *RESET), (*FORWARD, "-m", "conntrack", "--ctstate", "NEW,ESTABLISHED", "-j", "ACCEPT")), **QUIET,
         arranged="A router with a firewall forgets connections that are idle for two seconds and resets what it does not know.", notice="Notice that the handshake completed long before."),
    Case(None, "python", "nginx", "tls13-mptcp-dropped", also=("tcp-option-intolerance",), c={"mptcp": "1", "timeout": 12}, network=walled(0.02), firewall=((*FORWARD, "-p", "tcp", "--tcp-option", "30", "-j", "DROP"),), outcome="completed", by="none", **QUIET,
         arranged="A firewall on the way drops SYNs with the option of Multipath TCP; a later SYN of the client, without it, gets through.", notice="Notice the option of the first SYNs, and that one without it is answered."),
]  # fmt: skip

# -- Encrypted Client Hello, and a proxy that inspects ------------------------------------------------------------------------------
for server, s, told in (("go-ech", {"seed": "two"}, "has another key by now, which it sends"), ("nginx", {}, "knows nothing of it"), ("haproxy", {}, "knows nothing of it")):
    CASES.append(Case("ech-failure", "go-ech", server, "", c={"seed": "one"}, s=s, by="client", network={"delay": 0.02}, arranged=f"The client encrypts its hello for a key that is out of date; the server {told}.", notice="Notice that the server answers the outer hello, and the client's alert, which is encrypted."))  # fmt: skip
CASES.append(Case(None, "go-ech", "go-ech", "tls13-ech", network={"delay": 0.02}, arranged="The client encrypts its hello for the server's key, and the server takes it.", notice="Notice that the name outside is not the one inside.", keep_keys=False))  # fmt: skip
for client, c in (("curl", {"max": "1.2"}), ("curl", {}), ("go", {"max": "1.2"}), ("java", {}), ("openssl", {"version": "1.2"}), ("node", {"max": "1.2"})):
    v = "1.2" if c else "1.3"
    CASES.append(Case("tls-interception", client, "nginx", f"tls{v.replace('.', '')}-mitmproxy", c=c, by="client", middle={"kind": "mitmproxy", "port": 8443}, network=walled(0.04), sure="stacks differ in how they refuse", alert={"description": "certificate_unknown", "from": "client", "encrypted": True} if client == "java" else "seen",
                      arranged="Mitmproxy on the way ends TLS with a certificate of its own, whose root the client does not have.", notice="Notice the issuer: the server has nothing to do with this certificate."))  # fmt: skip
