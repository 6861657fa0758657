"""Bytes that are not TLS, from either side, and what each stack says to them."""

from __future__ import annotations

import pytest
from conversations import Wire, alert, data, finished_flights, hello, server_hello, verdict

GET = b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n"
NGINX = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><head><title>400 "
    b"The plain HTTP request was sent to HTTPS port</title></head></html>"
)
GO = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
SSH = b"SSH-2.0-OpenSSH_9.2\r\n"
MQTT = bytes.fromhex("101000044d5154540402003c00046c616231")

ANSWERS = {
    "openssl": lambda talk: talk.close(False),
    "nginx": lambda talk: talk.server(NGINX).close(False),
    "go-http": lambda talk: talk.server(GO).close(False),
    "gnutls": lambda talk: talk.server(alert(10)).close(False),
    "java": lambda talk: talk.server(alert(10)).close(False),
    "haproxy": lambda talk: talk.close(False),
    "python": lambda talk: talk.reset(False),
    "nss": lambda talk: talk.close(True, wait=5_000),
}

SAYING = frozenset({"nginx", "go-http", "gnutls", "java"})
"""Those that say that they speak TLS."""


@pytest.fixture
def wire(tmp_path):
    return Wire(tmp_path / "wire.pcap")


def judged(wire, **options):
    return verdict(wire.read(**options)[0])


@pytest.mark.parametrize("server", ANSWERS)
def test_plain_http_to_a_tls_port(wire, server):
    ANSWERS[server](wire.connect().client(GET))
    sure = "certain" if server in SAYING else "likely"  # silence and a close do not say what the port speaks
    assert judged(wire) == ("http-on-tls-port", sure, "failed", "client" if server == "nss" else "server")


@pytest.mark.parametrize("server", ANSWERS)
def test_plain_http_to_a_port_that_speaks_tls_with_others(wire, server):
    first, second, third = finished_flights()
    wire.connect().client(hello()).server(first).client(second).server(third).client(data()).server(data()).close(True)
    ANSWERS[server](wire.connect().client(GET))
    assert {h.flow.stream: verdict(h) for h in wire.read()}[1][:2] == ("http-on-tls-port", "certain")


def test_complaint_of_a_plain_server_about_a_bad_request_proves_no_tls(wire):
    bad = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\n<html>400 Bad Request</html>"
    wire.connect().client(GET).server(bad).close(False)
    assert judged(wire)[:2] == ("http-on-tls-port", "possible")


def test_complaint_of_a_server_that_serves_others_in_clear_is_no_failed_handshake(wire):
    wire.connect().client(GET).server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").close(True)
    wire.connect().client(GET).server(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").close(False)
    assert {h.flow.stream: verdict(h) for h in wire.read()}[1] == ("http-on-tls-port", "possible", "no-handshake", "none")


@pytest.mark.parametrize(
    "first", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST /x HTTP/1.1\r\n\r\n", b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"]
)
def test_every_kind_of_http(wire, first):
    wire.connect().client(first).server(alert(10)).close(False)
    assert judged(wire)[:2] == ("http-on-tls-port", "certain")


def test_redirect_to_https_is_the_same_mistake(wire):
    wire.connect().client(GET).server(b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://server.example/\r\n\r\n").close(False)
    assert judged(wire)[:2] == ("http-on-tls-port", "likely")


def test_http_that_is_served_in_clear_is_no_failed_handshake(wire):
    wire.connect(port=8443).client(GET).server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").close(True)
    assert judged(wire) == ("http-on-tls-port", "possible", "no-handshake", "none")


@pytest.mark.parametrize("server", ANSWERS)
@pytest.mark.parametrize("first", [SSH, MQTT], ids=["ssh", "mqtt"])
def test_other_protocols_on_a_tls_port(wire, server, first):
    ANSWERS[server](wire.connect().client(first))
    sure = "certain" if server in SAYING else "likely"
    assert judged(wire) == ("non-tls-client-bytes", sure, "failed", "client" if server == "nss" else "server")


def test_bytes_that_nobody_knows(wire):
    wire.connect().client(b"\0" * 300).close(False)
    assert judged(wire)[:2] == ("non-tls-client-bytes", "likely")


def test_other_protocol_on_both_sides(wire):
    wire.connect().server(b"SSH-2.0-OpenSSH_8.4\r\n").client(SSH).server(b"\0\0\1\2kex").close(True)
    assert judged(wire)[2] == "no-handshake"


def test_middle_of_a_connection_is_no_foreign_protocol(wire):
    talk = wire.connect()
    wire.packets.clear()  # the capture began later
    talk.client(b"\x8a\x01binary in the middle").server(b"more").close(True)
    assert all(h.finding is None or h.finding.cause != "non-tls-client-bytes" for h in wire.read())


PLAIN = {
    "http": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "tls-on-plaintext-port"),
    "redis": (b"-ERR Protocol error: invalid request\r\n", "tls-on-plaintext-port"),
    "ssh": (SSH, "tls-on-plaintext-port"),
    "smtp": (b"500 5.5.1 Command unrecognized\r\n", "implicit-vs-starttls"),
}


@pytest.mark.parametrize("reaction", [None, 70, 10, 22, 50], ids=["openssl", "boringssl", "gnutls", "nss", "rustls"])
@pytest.mark.parametrize("kind", ["http", "redis", "ssh", "smtp"])
def test_tls_to_a_plain_port(wire, kind, reaction):
    answer, cause = PLAIN[kind]
    talk = wire.connect(port=8443).client(hello()).server(answer)
    if reaction is not None:
        talk.client(alert(reaction))
    talk.close(True)
    assert judged(wire) == (cause, "likely" if kind == "http" else "certain", "failed", "server")


def test_http_that_answers_more_than_a_complaint_proves_the_port(wire):
    wire.connect(port=8443).client(hello()).server(b"HTTP/1.1 301 Moved Permanently\r\nConnection: close\r\n\r\n").close(False)
    assert judged(wire)[:2] == ("tls-on-plaintext-port", "certain")


def test_complaint_of_a_port_that_serves_others_in_clear_proves_it(wire):
    wire.connect(port=8443).client(GET).server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").close(True)
    wire.connect(port=8443).client(hello()).server(PLAIN["http"][0]).close(False)
    assert {h.flow.stream: verdict(h) for h in wire.read()}[1][:2] == ("tls-on-plaintext-port", "certain")


def test_port_that_speaks_tls_with_others_is_no_plain_port(wire):
    first, second, third = finished_flights()
    wire.connect().client(hello()).server(first).client(second).server(third).client(data()).server(data()).close(True)
    wire.connect().client(hello()).server(PLAIN["http"][0]).close(False)
    assert {h.flow.stream: verdict(h) for h in wire.read()}[1][:2] == ("tls-on-plaintext-port", "possible")


@pytest.mark.parametrize(("others", "confidence"), [(False, "possible"), (True, "likely")])
def test_complaint_before_the_client_has_spoken_is_about_a_header_of_the_balancer(wire, others, confidence):
    first, second, third = finished_flights()
    talk = wire.connect().server(PLAIN["http"][0])
    talk.client(hello(), acknowledged=False).close(False)
    if others:
        wire.connect().client(hello()).server(first).client(second).server(third).client(data()).server(data()).close(True)
    found = {h.flow.stream: verdict(h) for h in wire.read()}[0]
    assert found == ("proxy-protocol-mismatch", confidence, "failed", "server")


def test_client_that_hangs_on_plain_bytes_failed_all_the_same(wire):
    wire.connect(port=8443).client(hello()).server(PLAIN["http"][0])
    assert judged(wire) == ("tls-on-plaintext-port", "likely", "failed", "server")


def test_echo(wire):
    first = hello()
    wire.connect(port=8443).client(first).server(first).close(True)
    assert judged(wire)[:2] == ("tls-on-plaintext-port", "certain")


@pytest.mark.parametrize(
    ("port", "banner"),
    [(587, b"220 mx.example ESMTP\r\n"), (143, b"* OK IMAP4rev1 ready\r\n"), (110, b"+OK ready\r\n"), (21, b"220 FTP server ready\r\n"),
     (3306, b"\x4a\0\0\0\x0a8.0.36\0" + b"s" * 60)],
)  # fmt: skip
def test_greeting_crosses_the_hello(wire, port, banner):
    wire.connect(port=port).server(banner).client(hello()).close(True)
    assert judged(wire) == ("implicit-vs-starttls", "certain", "failed", "server")


@pytest.mark.parametrize(
    ("port", "cause"), [(5432, "implicit-vs-starttls"), (389, "implicit-vs-starttls"), (8443, "server-fin-after-hello")]
)
def test_server_that_wants_to_be_asked_closes(wire, port, cause):
    wire.connect(port=port).client(hello()).close(False)
    assert judged(wire)[:2] == (cause, "likely")


def test_client_that_speaks_in_clear_where_tls_begins_at_once(wire):
    wire.connect(port=636).client(bytes.fromhex("300c020101600702010304008000")).server(alert(10)).close(False)
    assert judged(wire)[:3] == ("implicit-vs-starttls", "certain", "failed")


@pytest.mark.parametrize(
    "first", [b"EHLO me\r\n", bytes.fromhex("030000130ee000000000000100080003000000"), bytes.fromhex("0000000804d2162f")]
)
@pytest.mark.parametrize("server", ["openssl", "gnutls", "python"])
def test_protocols_that_ask_for_tls_on_a_port_where_it_begins_at_once(wire, first, server):
    ANSWERS[server](wire.connect().client(first))
    assert judged(wire) == ("non-tls-client-bytes", "certain" if server == "gnutls" else "likely", "failed", "server")


HEADER = b"PROXY TCP4 192.0.2.1 198.51.100.2 40001 443\r\n"


@pytest.mark.parametrize("server", ["nginx", "gnutls", "openssl", "python"])
def test_proxy_header_that_nobody_expects(wire, server):
    ANSWERS[server](wire.connect().client(HEADER).client(hello()))
    cause, confidence, outcome, by = judged(wire)
    assert (cause, outcome, by) == ("proxy-protocol-mismatch", "failed", "server")
    assert confidence == ("certain" if server in ("nginx", "gnutls") else "likely")


def test_negotiation_that_fails_after_a_proxy_header_is_no_mismatch(wire):
    wire.connect().client(HEADER).client(hello()).server(alert(40)).close(False)
    assert judged(wire)[0] != "proxy-protocol-mismatch"


def test_proxy_header_that_is_missing(wire):
    for _ in range(2):
        wire.connect().client(HEADER).client(hello()).server(server_hello()).client(alert(48))
    wire.connect().client(hello()).close(False)
    found = {h.flow.stream: h for h in wire.read()}
    assert verdict(found[2])[:2] == ("proxy-protocol-mismatch", "likely")


def test_served_in_both_ways_is_no_missing_header(wire):
    wire.connect().client(HEADER).client(hello()).server(server_hello()).client(alert(48))
    wire.connect().client(hello()).server(server_hello()).client(alert(48))
    wire.connect().client(hello()).close(False)
    found = {h.flow.stream: h for h in wire.read()}
    assert verdict(found[2])[0] == "server-fin-after-hello"


def test_proxy_header_before_a_whole_handshake_is_no_cause(wire):
    first, second, third = finished_flights()
    wire.connect().client(HEADER).client(hello()).server(first).client(second).server(third).client(data()).server(data()).client(data())
    assert judged(wire)[::2] == (None, "completed")


def test_echo_of_hello_and_alert(wire):
    talk = wire.connect().client(hello()).server(hello())
    talk.client(alert(10)).server(alert(10)).close(True)
    assert judged(wire) == ("tls-on-plaintext-port", "certain", "failed", "server")


def test_server_that_waits_for_more_and_speaks_with_others_in_the_clear(wire):
    wire.connect(port=6379).client(hello()).close(True, wait=5_000)
    wire.connect(port=6379).client(b"PING\r\n").server(b"+PONG\r\n").close(True)
    found = {h.flow.stream: verdict(h) for h in wire.read()}
    assert found[0] == ("tls-on-plaintext-port", "likely", "failed", "client")


def test_tls_on_plain_port_whose_syn_was_not_captured(wire):
    wire.connect(port=8443).client(hello()).server(b"HTTP/1.1 400 Bad Request\r\n\r\n").close(False)
    del wire.packets[0]
    assert judged(wire)[:2] == ("tls-on-plaintext-port", "likely")


@pytest.mark.parametrize(("port", "named"), [(443, "SMTP or FTP"), (25, "SMTP"), (21, "FTP")])
def test_greeting_that_may_be_of_mail_or_of_files(wire, port, named):
    wire.connect(port=port).server(b"220 ready\r\n").client(hello()).server(b"500 what\r\n").close(False)
    (handshake,) = wire.read()
    assert handshake.finding.cause == "implicit-vs-starttls"
    assert f"speaks {named} in the clear" in handshake.finding.summary


def test_plain_http_that_never_arrived(wire):
    talk = wire.connect()
    for wait in (0.2, 300, 600, 1_200, 2_400):
        talk.packet(True, 24, GET, wait)
        talk.number[True] -= len(GET)
    talk.number[True] += len(GET)
    talk.packet(True, 17, wait=1_000)
    assert judged(wire)[:2] == ("http-on-tls-port", "likely")


def test_plain_http_answered_in_another_protocol_shows_no_tls(wire):
    wire.connect().client(GET).server(b"hello\n").close(False)
    assert judged(wire)[:2] == ("http-on-tls-port", "possible")
