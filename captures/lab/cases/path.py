"""Trouble on the way: firewalls, filters, forged resets, black holes, loss, a portal; and TCP's own."""

from __future__ import annotations

from typing import Any

from ..case import Case

CASES: list[Case] = []
QUIET: dict[str, Any] = {"alert": None}

# -- the firewall, with a real kernel ---------------------------------------------------------------------------------------------
DROP = ("router", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-j", "DROP")
TCP_RESET = ("router", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-j", "REJECT", "--reject-with", "tcp-reset")
OTHER_TTL = ("router", "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-j", "TTL", "--ttl-set", "255")
for client in ("curl", "openssl", "go"):
    CASES.append(Case("tcp-syn-unanswered", client, "nginx", "dropped", c={"timeout": 5, "patience": 6}, firewall=(DROP,), by="unknown", arranged="A firewall on the way drops what goes to port 443.", notice="Notice a SYN sent again after one and three seconds.", **QUIET))
CASES += [
    Case("tcp-syn-unanswered", "python", "nobody", "no-host", c={"address": "198.51.100.99", "timeout": 5}, by="unknown", arranged="Nobody has the address.", notice="Notice a SYN sent again after one and three seconds.", **QUIET),
    *(Case("tcp-syn-refused", client, "nobody", "", by="server", arranged="Nobody listens on the port.", notice="Notice an RST with the TTL one expects of that host.", **QUIET) for client in ("openssl", "curl", "go", "java", "gnutls")),
    Case("tcp-syn-refused", "curl", "nobody", "ipv6", c={"name": "six.test", "address": "[2001:db8:2::20]"}, by="server", arranged="Nobody listens on the port, over IPv6.", notice="Notice the RST in reply to the SYN.", **QUIET),
    Case("tcp-syn-rst-middlebox", "curl", "nginx", "reject", firewall=(TCP_RESET, OTHER_TTL), by="middlebox", c=({}, {"scheme": "https"}), arranged="A firewall on the way answers in the server's name with a reset.", notice="Notice the RST's TTL of 255 and how fast it comes.", **QUIET),
    Case("tcp-syn-rst-middlebox", "openssl", "nginx", "race", faults=({"do": "reset", "flags": "SYN", "towards": "server", "to": "client", "ttl": 250, "forward": True, "spacing": 0.0005},), by="middlebox",
         arranged="A box on the way resets the connection at the SYN and still lets the SYN through.", notice="Notice a reset first and the server's own SYN-ACK after it, with another TTL.", **QUIET),
]  # fmt: skip
for code, name in (("icmp-admin-prohibited", "prohibited"), ("icmp-host-unreachable", "host"), ("icmp-port-unreachable", "port"), ("icmp-net-unreachable", "net")):
    for client in ("curl",) if name != "prohibited" else ("curl", "go", "openssl"):
        CASES.append(Case("icmp-unreachable", client, "nginx", name, c={"timeout": 5, "patience": 6}, firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-j", "REJECT", "--reject-with", code),), by="middlebox",
                          arranged="A router on the way refuses the connection and says so in ICMP.", notice="Notice the ICMP message, its code and who sent it.", **QUIET))  # fmt: skip
CASES += [
    Case(None, "curl", "nginx", "tls13-ecn-dropped", also=("tcp-option-intolerance",), firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--syn", "-m", "ecn", "--ecn-tcp-ece", "-j", "DROP"),), network={"sysctl": (("client", "net.ipv4.tcp_ecn", "1"), ("client", "net.ipv4.tcp_ecn_fallback", "1"))},
         outcome="completed", by="none", arranged="A firewall on the way drops SYNs that offer ECN; the client's second SYN, without it, gets through.", notice="Notice the first SYN's flags ECE and CWR, and that the next one, without them, is answered.", **QUIET),
    Case("tcp-synack-unacked", "curl", "nginx", "at-server", c={"timeout": 5}, firewall=(("router", "-A", "FORWARD", "-p", "tcp", "--sport", "443", "-j", "DROP"),), at="server", by="unknown",
         arranged="The way back is broken: nothing of the server's reaches the client; recorded at the server.", notice="Notice SYN-ACKs sent again and again.", **QUIET),
    Case("tcp-accept-queue-full", "raw", "raw", "", c={"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["recv", 5], ["fin"]], "parallel": 4}, s={"never_accept": True, "backlog": 0}, by="unknown", stream=2,
         arranged="The server's queue of connections waiting to be accepted is full.", notice="Notice SYN-ACKs sent again although the client has acknowledged them and speaks.", **QUIET),
    Case("tuple-reuse", "raw", "nginx", "", c=({"script": [["hello", {"versions": [], "suites": [0xC02F]}], ["recv", 1], ["sleep", 0.3], ["rst"]], "from": 40000}, {"script": [["recv", 1], ["fin"]], "from": 40000, "patience": 3}),
         faults=({"do": "drop", "flags": "RST", "towards": "server", "nth": 1},), by="client", outcome="no-handshake", stream=1, arranged="A client resets a connection, the reset is lost, and the client uses the same ports again at once.",
         notice="Notice a SYN answered by a bare ACK that belongs to the old connection.", **QUIET),
]  # fmt: skip

CASES += [
    Case("ddos-challenge-reset", client, "nginx", "", c=({}, {}), stream=0, by="middlebox", faults=({"do": "reset", "flags": "SYN", "towards": "server", "to": "client", "ttl": 250, "nth": 1},),
         arranged="A guard against floods resets a client's first connection to see whether it comes back, and lets the second through.", notice="Notice that the same client succeeds a moment later, with packets of another TTL.", **QUIET)
    for client in ("curl", "openssl")
]

# -- filters that look at names -----------------------------------------------------------------------------------------------------
BLOCKED = {"sni": "blocked.test", "towards": "server", "flags": "DATA"}
LOOKED_AT = {"name": "blocked.test", "insecure": True}
for client in ("curl", "openssl", "go", "python", "java"):
    CASES.append(Case("sni-filter-rst", client, "nginx", "both-ends", c=({"insecure": True}, LOOKED_AT) if client in ("curl", "openssl") else LOOKED_AT, stream=1 if client in ("curl", "openssl") else 0, network={"delay": 0.02},
                      faults=({**BLOCKED, "do": "reset", "to": "both", "count": 2, "step": 1, "ttl": 118, "mute": True},), by="middlebox",
                      arranged="A box on the way resets connections whose ClientHello names blocked.test, at both ends, twice.", notice="Notice resets with another TTL and IP-ID than the server's packets, sooner than the server could answer.", **QUIET))  # fmt: skip
CASES += [
    Case("sni-filter-rst", "curl", "nginx", "client-only-race", c=({"insecure": True}, LOOKED_AT), stream=1, network={"delay": 0.02}, faults=({**BLOCKED, "do": "reset", "to": "client", "count": 3, "step": 1460, "ttl": 64, "ip_id": 1, "forward": True, "spacing": 0.0003},), by="middlebox",
         arranged="A box beside the way resets the client's end only, three times with growing sequence numbers, and the ClientHello still reaches the server.", notice="Notice the server's own answer arriving after the resets.", **QUIET),
    Case("sni-filter-rst", "openssl", "nginx", "server-side", c=({"insecure": True}, LOOKED_AT), stream=1, at="server", network={"delay": 0.02}, faults=({**BLOCKED, "do": "reset", "to": "both", "ttl": 118, "mute": True},), by="middlebox",
         arranged="A box on the way resets connections whose ClientHello names blocked.test, at both ends; recorded at the server.", notice="Notice a reset in the client's name that the client did not send, and no ClientHello.",
         without_keys="middlebox-rst-injection", notes="Seen from the server there is no name to blame: the ClientHello never arrives."),
]  # fmt: skip
for client in ("curl", "openssl", "go"):
    CASES.append(Case("sni-filter-drop", client, "nginx", "", c=({"insecure": True}, {**LOOKED_AT, "timeout": 5, "patience": 6}), stream=1, faults=({**BLOCKED, "do": "drop", "mute": True},), by="unknown",
                      arranged="A box on the way drops connections whose ClientHello names blocked.test; another name to the same server works.", notice="Notice a ClientHello that is never acknowledged, while one with another name is.", **QUIET))  # fmt: skip
    CASES.append(Case("client-hello-unacked", client, "nginx", "", c={"timeout": 5, "patience": 6}, faults=({"towards": "server", "flags": "DATA", "do": "drop"},), by="unknown",
                      arranged="A box on the way drops everything that carries data to the server.", notice="Notice a short ClientHello sent again with growing pauses and never acknowledged.", **QUIET))  # fmt: skip
AFTER_HELLO = {"towards": "client", "flags": "DATA", "nth": 1, "do": "reset"}
CASES += [
    Case("middlebox-rst-injection", "curl", "nginx", "in-server-flight", network={"delay": 0.02}, faults=({**AFTER_HELLO, "to": "both", "ttl": 33, "ip_id": 54321, "mute": True},), by="middlebox",
         arranged="A box on the way resets the connection at both ends when the server's certificate passes.", notice="Notice a reset whose TTL no packet of the server has.", **QUIET),
    Case(None, "openssl", "nginx", "tls12-stale-forged-resets", also=("middlebox-rst-injection",), c={"version": "1.2"}, network={"delay": 0.02}, faults=({**AFTER_HELLO, "to": "client", "ttl": 33, "offset": 0, "count": 2, "forward": True, "spacing": 0.03},), by="none",
         arranged="A slow box beside the way forges resets that come when the server's data has already arrived, so that their sequence numbers are behind.", notice="Notice resets behind the data already received, which do no harm.", **QUIET),
    Case("middlebox-rst-injection", "go", "nginx", "data-after-reset", network={"delay": 0.02}, faults=({**AFTER_HELLO, "towards": "server", "stage": "hello", "to": "client", "ttl": 33, "forward": True, "spacing": 0.0002},), by="middlebox",
         arranged="A box beside the way forges a reset towards the client only, and the server, which knows nothing of it, goes on.", notice="Notice the server's data arriving after a reset that bears its name.", **QUIET),
    Case("middlebox-rst-injection", "curl", "nginx", "at-server", network={"delay": 0.02}, at="server", faults=({**AFTER_HELLO, "to": "both", "ttl": 33, "ip_id": 54321, "mute": True},), by="middlebox",
         arranged="A box on the way resets the connection at both ends when the server's certificate passes; recorded at the server.", notice="Notice a reset in the client's name with a TTL no packet of the client has.", **QUIET),
    Case("rst-with-text", "curl", "nginx", "", network={"delay": 0.01}, faults=({"towards": "server", "flags": "DATA", "nth": 1, "do": "reset", "to": "both", "ttl": 255, "mute": True, "text": "BIG-IP: [0x2b6d2b6:1234] No local listener"},), by="middlebox",
         arranged="A load balancer resets the connection and writes its reason into the reset.", notice="Notice the text the RST carries.", **QUIET),
    Case("rst-with-text", "openssl", "nginx", "after-server-hello", network={"delay": 0.01}, faults=({"towards": "client", "flags": "DATA", "nth": 1, "do": "reset", "to": "both", "ttl": 255, "mute": True, "text": "BIG-IP: [0x2b6d2b6:5678] SSL handshake timeout exceeded"},), by="middlebox",
         arranged="A load balancer resets the connection and writes its reason into the reset.", notice="Notice the text the RST carries.", **QUIET),
    *(Case("middlebox-block-page", client, "nginx", "", network={"delay": 0.02}, faults=({**BLOCKED, "do": "answer", "ttl": 127, "mute": True, "text": "HTTP/1.1 403 Forbidden\r\nServer: FortiGate\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><h1>Web Page Blocked</h1>The page you have requested has been blocked by your organization's policy.</html>"},), c=LOOKED_AT, by="middlebox",
           arranged="A box on the way answers in the server's place with a page that says the site is blocked.", notice="Notice plain HTTP in reply to a ClientHello, with another TTL than the server's SYN-ACK.", **QUIET) for client in ("curl", "openssl", "go", "java")),
    *(Case("captive-portal", client, "nginx", "", middle={"kind": "portal"}, by="middlebox", arranged="A captive portal takes every connection and redirects to its login page.", notice="Notice a redirect in plain HTTP in reply to a ClientHello.", **QUIET) for client in ("curl", "python", "go")),
    *(Case("tls13-middlebox-intolerance", client, "nginx", "", c=({}, {"max": "1.2"}), stream=0, faults=({"towards": "client", "contains": "\x00\x2b\x00\x02\x03\x04", "do": "drop", "mute": True},), by="unknown",
           arranged="A box on the way drops ServerHellos of TLS 1.3; a second try with TLS 1.2 completes.", notice="Notice that the ClientHello is acknowledged and nothing follows, until TLS 1.2 is tried.", **QUIET) for client in ("curl", "openssl")),
    Case("tls13-middlebox-intolerance", "curl", "nginx", "reset", c=({}, {"max": "1.2"}), stream=0, network={"delay": 0.02}, faults=({"towards": "client", "contains": "\x00\x2b\x00\x02\x03\x04", "do": "reset", "to": "both", "ttl": 118, "mute": True},), by="middlebox",
         arranged="A box on the way resets connections at a ServerHello of TLS 1.3; a second try with TLS 1.2 completes.", notice="Notice the reset in place of the ServerHello, and that TLS 1.2 passes.", **QUIET),
]  # fmt: skip

# -- the path's size ------------------------------------------------------------------------------------------------------------------
HOLE = ({"do": "drop", "larger": 1400},)
for client, c, extra in (("openssl", {"version": "1.2", "patience": 7}, {}), ("curl", {"timeout": 6}, {}), ("go", {"timeout": 5}, {}), ("curl", {"timeout": 6}, {"at": "server"}), ("openssl", {"version": "1.2", "patience": 7}, {"at": "server"})):
    tag = ("tls12" if c.get("version") else "tls13") + ("-server-side" if extra else "")
    CASES.append(Case("pmtu-blackhole-server-flight", client, "nginx", tag, c=c, faults=HOLE, by="unknown", arranged="A tunnel on the way carries packets of 1400 octets at most, drops larger ones, and no ICMP says so" + ("; recorded at the server." if extra else "."),
                      notice="Notice that only packets of full size are missing, and missing again.", **QUIET, **extra))  # fmt: skip
for client in ("node24", "boringssl", "rustls"):
    CASES.append(Case("pmtu-blackhole-client-hello", client, "nginx", "", c={"patience": 7}, faults=HOLE, by="unknown", arranged="A tunnel on the way carries packets of 1400 octets at most, and the client's hello, which has post-quantum keys, does not fit into one.",
                      notice="Notice that the first, full segment of the ClientHello is sent again and again, while the short second one is acknowledged out of turn.", **QUIET))  # fmt: skip

# -- a bad road -------------------------------------------------------------------------------------------------------------------------
CASES += [
    Case("loss-slow-handshake", "curl", "nginx", "tls12", c={"timeout": 2.5, "max": "1.2"}, faults=({"do": "drop", "flags": "DATA", "nth": [1, 2, 4, 5, 6, 8, 9, 11, 13, 14]}, {"do": "drop", "flags": "ACK", "nth": [3, 6]}), by="client",
         arranged="The way loses every other packet, small and large alike, and the client waits three seconds only.", notice="Notice retransmissions of all sizes in both directions, and progress all the same.", **QUIET),
    Case("loss-slow-handshake", "go", "nginx", "tls13", c={"timeout": 2}, faults=({"do": "drop", "flags": "DATA", "nth": [1, 2, 4, 5, 6, 7, 9, 10, 11, 13, 14]}, {"do": "drop", "flags": "ACK", "nth": [3, 5]}), by="client",
         arranged="The way loses most packets, small and large alike, and the client waits two seconds only.", notice="Notice retransmissions in both directions, and progress all the same.", **QUIET),
    *(Case("bad-record-mac", client, "openssl", f"flipped-tls{v.replace('.', '')}", c={"max": v}, s={"max": v}, faults=({"do": "corrupt", "towards": "client", "flags": "DATA", "contains": what, "nth": nth, "at": -9},), by="client", also=("data-corruption",),
           arranged="A box on the way flips one bit in the server's encrypted handshake and repairs the TCP checksum.", notice="Notice that the segment looks sound: only the record's own protection finds the flipped bit.",)
      for client, v, nth, what in (("curl", "1.2", 1, "\x14\x03\x03\x00\x01\x01"), ("curl", "1.3", 3, ""), ("gnutls", "1.3", 3, ""), ("go", "1.3", 3, ""))),
    *(Case("bad-record-mac", client, "nginx", f"client-flight-tls{v.replace('.', '')}", c={"max": v}, faults=({"do": "corrupt", "towards": "server", "flags": "DATA", "nth": 2, "at": -9},), by="server", also=("data-corruption",),
           arranged="A box on the way flips one bit in the client's Finished and repairs the TCP checksum.", notice="Notice that the segment looks sound: only the record's own protection finds the flipped bit.")
      for client, v in (("openssl", "1.2"), ("openssl", "1.3"), ("gnutls", "1.2"))),
    *(Case("data-corruption", client, server, "two-versions", c={"max": "1.2"}, faults=({"do": "corrupt-copy", "towards": "client", "flags": "DATA", "nth": 2, "at": 700},), by="client",
           arranged="A box on the way delivers a segment of the server's flight twice: first with a flipped bit, then as it was sent.", notice="Notice the same sequence numbers with different bytes.", alert="seen")
      for client, server in (("openssl", "nginx"), ("go", "nginx"), ("gnutls", "openssl"))),
    *(Case("decrypt-error", client, "nginx", "transcript-altered", c={"max": "1.2", **c}, faults=({"do": "corrupt", "towards": "server", "flags": "DATA", "nth": 1, "at": 30},), by="client", also=("data-corruption",), at="server",
           arranged="A box on the way flips one bit in the ClientHello's random; recorded at the server.", notice="Notice that all messages are well formed, and that the ends do not agree on what was said.", alert="seen", sure="the alert tells")
      for client, c in (("openssl", {}), ("gnutls", {}))),
]  # fmt: skip

CASES += [
    Case(None, "python", "haproxy", "tls13-forgotten-by-translator", also=("idle-timeout-reset",), c={"again": 4, "request": "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"}, outcome="completed", by="none", s={"rule": "timeout http-keep-alive 60s"}, faults=({"do": "reset", "towards": "server", "contains": "\x17\x03\x03", "nth": 3, "to": "client", "ttl": 64, "mute": True},),
         arranged="An address translator forgets a connection that was idle for four seconds and resets it when the client speaks again.", notice="Notice that the handshake completed long before.", **QUIET),
    Case("server-restart-mid-handshake", "raw", "raw", "", c=({"script": [["hello", {"versions": []}], ["recv-all", 3]]}, {"script": [["recv", 1]]}), s={"script": [["recv", 5], ["server-hello", {"session_id": ""}], ["sleep", 0.2], ["rst"], ["fin"]], "once": True}, by="server",
         arranged="The server dies in the middle of a handshake and is not back when the client tries again.", notice="Notice the reset, and the refusal of the next SYN.", **QUIET),
]  # fmt: skip
