"""Dialogues that do not get to TLS: what was offered, asked and answered; and conversations that nobody wanted to encrypt."""

from __future__ import annotations

import struct

import pytest
from conversations import Conversation, Wire, alert, hello, verdict

from analyzer.diagnosis.rules.application._dialogue import remedy_for
from analyzer.model.handshake import Dialogue

SMTP = (b"220 mx.example ESMTP\r\n", b"EHLO me\r\n", b"250-mx.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
SMTP_TLS = (SMTP[0], SMTP[1], b"250-mx.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n")
IMAP = (b"* OK ready\r\n", b"a CAPABILITY\r\n", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na OK done\r\n")
POP3 = (b"+OK ready\r\n", b"CAPA\r\n", b"+OK\r\nUSER\r\nUIDL\r\n.\r\n")
XMPP = (
    b"", b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>",
    b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'><stream:features><mechanisms/></stream:features>",
)  # fmt: skip


def mysql(capabilities):
    body = b"\x0a8.0.36\0" + b"\1\0\0\0" + b"saltsalt\0" + struct.pack("<H", capabilities) + b"\x21\2\0" + b"\0" * 13 + b"moresaltsalt\0"
    return len(body).to_bytes(3, "little") + b"\0" + body


def prelogin(kind, encryption):
    body = bytes([1, 0, 6, 0, 1, 255, encryption])
    return bytes([kind, 1]) + struct.pack("!H", len(body) + 8) + b"\0\0\1\0" + body


def rdp(kind, negotiation):
    body = bytes([6 + len(negotiation), kind, 0, 0, 0, 0, 0]) + negotiation
    return b"\3\0" + struct.pack("!H", len(body) + 4) + body


@pytest.fixture
def wire(tmp_path):
    return Wire(tmp_path / "wire.pcap")


def talk(wire, port, *turns):
    """Turns alternate, the server first; an empty one is left out."""
    conversation = wire.connect(port=port)
    for number, turn in enumerate(turns):
        if turn:
            conversation = conversation.client(turn) if number % 2 else conversation.server(turn)
    return conversation


@pytest.mark.parametrize(
    ("port", "turns", "goodbye"),
    [(587, SMTP, b"QUIT\r\n"), (143, IMAP, b"b LOGOUT\r\n"), (110, POP3, b"QUIT\r\n"), (5222, XMPP, b"</stream:stream>"), (587, SMTP, b"")],
    ids=["smtp", "imap", "pop3", "xmpp", "no-goodbye"],
)
def test_no_offer_and_the_client_leaves(wire, port, turns, goodbye):
    talk(wire, port, *turns, goodbye).close(True)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("starttls-not-offered", "likely", "failed", "server")


@pytest.mark.parametrize(
    ("port", "turns"),
    [(587, (*SMTP, b"MAIL FROM:<a@b.example>\r\n", b"250 ok\r\n")), (25, (*SMTP, b"AUTH PLAIN AGEAYg==\r\n", b"235 ok\r\n")),
     (143, (*IMAP, b"b LOGIN me secret\r\n", b"b OK done\r\n")), (110, (*POP3, b"USER me\r\n", b"+OK\r\n"))],
)  # fmt: skip
def test_mail_that_nobody_asked_tls_for_is_no_attempt(wire, port, turns):
    talk(wire, port, *turns).close(True)
    assert wire.read() == []


def test_plain_sessions_beside_encrypted_ones_are_no_attempts(wire):
    talk(wire, 25, *SMTP_TLS, b"STARTTLS\r\n", b"220 go ahead\r\n", hello()).server(alert(40)).close(False)
    talk(wire, 25, *SMTP_TLS, b"MAIL FROM:<a@b.example>\r\n", b"250 ok\r\n").close(True)
    talk(wire, 3128, b"", CONNECT, b"HTTP/1.1 200 OK\r\n\r\n", hello()).server(alert(40)).close(False)
    talk(wire, 3128, b"", b"GET http://a.example/ HTTP/1.1\r\n\r\n", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").close(False)
    assert [handshake.flow.stream for handshake in wire.read()] == [0, 2]


def test_plain_bytes_where_tls_began_at_once_are_one(wire):
    wire.connect(port=10_443).client(hello()).server(alert(40)).close(False)
    wire.connect(port=10_443).client(b"GET / HTTP/1.1\r\n\r\n").close(False)
    assert [verdict(h)[0] for h in wire.read()][1] == "http-on-tls-port"


def test_list_of_capabilities_is_evidence(wire):
    talk(wire, 587, *SMTP, b"QUIT\r\n").close(True)
    (handshake,) = wire.read()
    assert "PIPELINING" in handshake.finding.evidence[0].says
    assert handshake.finding.evidence[0].frame


@pytest.mark.parametrize("goes_on", [b"", hello(), b"MAIL FROM:<a@b.example>\r\n"], ids=["leaves", "tls", "clear"])
def test_asked_without_an_offer(wire, goes_on):
    talk(wire, 25, *SMTP, b"STARTTLS\r\n", b"502 5.5.1 Command not implemented\r\n", goes_on).close(True)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("starttls-not-offered", "certain", "failed", "server")


@pytest.mark.parametrize(
    ("port", "turns", "code"),
    [
        (25, (*SMTP_TLS, b"STARTTLS\r\n", b"454 4.7.0 TLS not available due to local problem\r\n"), "454"),
        (143, (IMAP[0], b"a STARTTLS\r\n", b"a NO TLS is not available\r\n"), "NO"),
        (110, (POP3[0], b"STLS\r\n", b"-ERR TLS not available\r\n"), "-ERR"),
        (21, (b"220 FTP\r\n", b"AUTH TLS\r\n", b"534 Request denied for policy reasons\r\n"), "534"),
        (5432, (b"", bytes.fromhex("0000000804d2162f"), b"N"), "N"),
        (389, (b"", bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037", bytes.fromhex("300c02010178070a013404000400")), "52"),
        (3389, (b"", rdp(0xE0, bytes.fromhex("0100080003000000")), rdp(0xD0, bytes.fromhex("0300080002000000"))), "2"),
        (1433, (b"", prelogin(0x12, 1), prelogin(0x04, 2)), "2"),
    ],
    ids=["smtp", "imap", "pop3", "ftp", "postgresql", "ldap", "rdp", "mssql"],
)
@pytest.mark.parametrize("then", ["leaves", "tls"])
def test_asked_and_refused(wire, port, turns, code, then):
    conversation = talk(wire, port, *turns)
    if then == "tls" and port != 1433:
        conversation = conversation.client(hello())
    conversation.close(True)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("starttls-refused", "certain", "failed", "server")
    assert f"({code})" in handshake.finding.summary


def test_refused_and_on_in_clear_is_said(wire):
    talk(wire, 5432, b"", bytes.fromhex("0000000804d2162f"), b"N", struct.pack("!II", 20, 196_608) + b"user\0me\0\0\0\0\0").close(True)
    (handshake,) = wire.read()
    assert handshake.finding.cause == "starttls-refused"
    assert "went on in the clear" in handshake.finding.summary


def test_database_without_tls(wire):
    talk(wire, 3306, mysql(0xF7FF & ~0x0800)).close(True)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("starttls-refused", "likely", "failed", "server")


def test_database_without_tls_that_is_used_so_is_no_attempt(wire):
    login = struct.pack("<IIB", 0x000FA685, 1 << 24, 33) + b"\0" * 23 + b"me\0\0"
    talk(wire, 3306, mysql(0xF7FF & ~0x0800), len(login).to_bytes(3, "little") + b"\1" + login, b"\7\0\0\2\0\0\0\2\0\0\0").close(True)
    assert wire.read() == []


def test_server_that_closes_on_the_question(wire):
    talk(wire, 5432, b"", bytes.fromhex("0000000804d2162f")).close(False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("starttls-refused", "likely", "failed", "server")


def test_agreed_and_then_nothing(wire):
    talk(wire, 25, *SMTP_TLS, b"STARTTLS\r\n", b"220 go ahead\r\n").close(True)
    (handshake,) = wire.read()
    assert handshake.finding.cause == "client-closed-mid-handshake"
    assert "after TLS was agreed upon" in handshake.finding.summary


def test_failure_after_starttls_belongs_to_tls(wire):
    talk(wire, 25, *SMTP_TLS, b"STARTTLS\r\n", b"220 go ahead\r\n", hello()).server(alert(40)).close(False)
    (handshake,) = wire.read()
    assert handshake.finding is None or not handshake.finding.cause.startswith("starttls")


@pytest.mark.parametrize(
    ("how", "cause"), [("fin", "server-fin-after-hello"), ("rst", "server-rst-after-hello"), ("wait", "client-hello-no-answer")]
)
@pytest.mark.parametrize(
    ("port", "turns"),
    [
        (25, (*SMTP_TLS, b"STARTTLS\r\n", b"220 go ahead\r\n")),
        (5432, (b"", bytes.fromhex("0000000804d2162f"), b"S")),
        (1080, (b"", b"\5\1\0", b"\5\0", b"\5\1\0\1\xc6\x33\x64\2\1\xbb", b"\5\0\0\1\0\0\0\0\0\0")),
    ],
    ids=["smtp", "postgresql", "socks"],
)
def test_hello_without_an_answer_after_a_dialogue_that_had_one(wire, port, turns, how, cause):
    conversation = talk(wire, port, *turns, hello())
    if how == "fin":
        conversation.close(False)
    elif how == "rst":
        conversation.reset(False)
    else:
        conversation.packet(False, 16)
        conversation.close(True, wait=8_000)
    (handshake,) = wire.read()
    assert handshake.finding.cause == cause
    assert ("through the proxy" in handshake.finding.summary) == (port == 1080)


def test_alert_through_a_proxy_answers_a_hello_that_was_not_captured(wire):
    conversation = talk(wire, 3128, b"", CONNECT, b"HTTP/1.1 200 OK\r\n\r\n")
    conversation.number[True] += 500
    conversation.server(alert(70)).close(True)
    (handshake,) = wire.read()
    assert handshake.finding.cause != "http-on-tls-port"


def test_part_of_an_answer_after_a_dialogue_is_one(wire):
    conversation = talk(wire, 25, *SMTP_TLS, b"STARTTLS\r\n", b"220 go ahead\r\n", hello()).server(b"\x16\x03\x03\x00\x50\x02")
    conversation.close(False)
    (handshake,) = wire.read()
    assert handshake.finding.cause == "server-closed-mid-handshake"


def test_client_that_goes_on_in_clear_after_tls_was_agreed_upon_is_the_one_to_blame(wire):
    conversation = talk(wire, 25, b"220 mx\r\n", b"EHLO me\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"STARTTLS\r\n", b"220 go ahead\r\n")
    conversation.client(b"EHLO me\r\n").reset(False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("non-tls-client-bytes", "certain", "failed", "server")
    assert "went on in the clear" in handshake.finding.summary


def test_other_protocols_through_a_tunnel_were_not_meant_to_be_tls(wire):
    talk(wire, 3128, b"", CONNECT, b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n").close(False)
    (handshake,) = wire.read()
    assert handshake.finding is None or handshake.finding.cause != "non-tls-client-bytes"


# -- proxies ----------------------------------------------------------------------------------------------------------------------------

CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "says"),
    [(b"403 Forbidden", "forbids"), (b"407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate", "credentials"),
     (b"502 Bad Gateway", "reach"), (b"503 Service Unavailable", "reach"), (b"418 I am a teapot", "says \"I am a teapot\"")],
)  # fmt: skip
def test_tunnel_refused(wire, status, says):
    talk(wire, 3128, b"", CONNECT, b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n").close(False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("proxy-connect-refused", "certain", "failed", "server")
    assert says in handshake.finding.summary
    assert "a.example:443" in handshake.finding.summary


def test_second_try_with_credentials_on_the_same_connection_is_what_counts(wire):
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    conversation = talk(
        wire, 3128, b"", CONNECT, refused, CONNECT[:-2] + b"Proxy-Authorization: Basic eDp5\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"
    )
    conversation.client(hello()).server(alert(40)).close(False)
    (handshake,) = wire.read()
    assert handshake.finding is None or not handshake.finding.cause.startswith("proxy")


@pytest.mark.parametrize(("comes_back", "outcome"), [(True, "no-handshake"), (False, "failed")])
def test_client_that_was_asked_for_credentials_and_came_back_with_them_did_not_fail(wire, comes_back, outcome):
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    talk(wire, 3128, b"", CONNECT, refused).close(False)
    if comes_back:
        conversation = talk(wire, 3128, b"", CONNECT[:-2] + b"Proxy-Authorization: Basic eDp5\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")
        conversation.client(hello()).server(alert(40)).close(False)
    found = {handshake.flow.stream: handshake for handshake in wire.read()}[0]
    assert (found.finding.cause, found.outcome) == ("proxy-connect-refused", outcome)


def test_tunnel_never_answered(wire):
    talk(wire, 3128, b"", CONNECT).close(True, wait=5_000)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("proxy-connect-timeout", "likely", "failed", "client")


@pytest.mark.parametrize("reaction", [None, 50])
def test_tunnel_that_closes_on_the_hello(wire, reaction):
    conversation = talk(wire, 3128, b"", CONNECT, b"HTTP/1.1 200 Connection established\r\n\r\n", hello()).close(False, answered=False)
    if reaction:
        conversation.client(alert(reaction), acknowledged=False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("proxy-connect-timeout", "likely", "failed", "server")


SOCKS = (b"\5\1\0", b"\5\0", b"\5\1\0\3\x09a.example\x01\xbb")


@pytest.mark.parametrize("reply", [1, 2, 3, 4, 5, 6, 7, 8])
def test_socks_reply(wire, reply):
    talk(wire, 1080, b"", *SOCKS, bytes([5, reply, 0, 1, 0, 0, 0, 0, 0, 0])).close(False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("socks-failure", "certain", "failed", "server")


def test_socks_takes_no_login_of_the_client(wire):
    talk(wire, 1080, b"", SOCKS[0], b"\5\xff").close(True)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("socks-failure", "certain", "failed", "server")


def test_socks4_rejected(wire):
    talk(wire, 1080, b"", b"\4\1\1\xbb\xc6\x33\x64\7me\0", b"\0\x5b" + b"\0" * 6).close(False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("socks-failure", "certain", "failed", "server")


def test_client_that_breaks_off_speaking_socks_says_nothing_of_the_server(wire):
    talk(wire, 1080, b"", SOCKS[0], b"\5\0", b"\7\1\0\1\1\1\1\1\1\1").close(False)
    (handshake,) = wire.read()
    assert handshake.finding is None or "no SOCKS proxy" not in handshake.finding.summary


@pytest.mark.parametrize(
    ("port", "answer", "says"),
    [
        (443, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "HTTP/1.1 400"),
        (1080, b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400"),
        (1080, b"\x15\3\1\0\2\2\x46", "protocol_version (70)"),
    ],
)
def test_server_that_answers_socks_in_another_protocol(wire, port, answer, says):
    talk(wire, port, b"", SOCKS[0], answer).close(False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("socks-failure", "certain", "failed", "server")
    assert "no SOCKS proxy" in handshake.finding.summary
    assert any(says in evidence.says for evidence in handshake.finding.evidence)


def test_socks_never_answered(wire):
    talk(wire, 1080, b"", SOCKS[0]).close(True, wait=5_000)
    (handshake,) = wire.read()
    assert verdict(handshake)[:2] == ("socks-failure", "likely")


@pytest.mark.parametrize(
    ("via", "has", "lacks"),
    [
        ("smtp-starttls", "Postfix: smtpd_tls_cert_file", "MySQL"),
        ("pop3-stls", "Dovecot: ssl_cert", "PostgreSQL"),
        ("ftp-auth-tls", "vsftpd: ssl_enable; IIS FTP", "Postfix"),
        ("postgresql", "PostgreSQL: ssl = on", "Dovecot"),
        ("rdp", "RDP: fSecurityLayer", "OpenLDAP"),
    ],
)
def test_the_remedy_is_for_servers_of_the_protocol(via: str, has: str, lacks: str) -> None:
    remedy = remedy_for("starttls-refused", Dialogue(via, "refused"))
    assert has in remedy
    assert lacks not in remedy
    assert remedy.endswith("read the start of their log.")
    assert remedy_for("starttls-refused", Dialogue("irc-starttls", "refused")) == ""


@pytest.mark.parametrize("port", [25, 587])
def test_the_consent_to_tls_is_no_greeting_where_the_capture_starts_with_it(wire, port):
    Conversation(wire, port=port).server(b"220 2.0.0 Ready to start TLS\r\n").client(hello()).close(False)
    assert verdict(wire.read()[0])[0] != "implicit-vs-starttls"


CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"


def test_a_client_that_does_not_wait_says_nothing_of_the_proxy(wire):
    wire.connect(port=3128).client(CONNECT).server(b"HTTP/1.1 200 OK\r\n\r\n").client(hello()).close(True)
    wire.connect(port=3128).client(CONNECT).close(True)
    wire.connect(port=1080).client(b"\5\1\0").close(True)
    through, asked, socks = (verdict(handshake)[:2] for handshake in wire.read())
    assert through[0] != "proxy-connect-timeout"
    assert asked == ("proxy-connect-timeout", "possible")
    assert socks == ("socks-failure", "possible")


def test_a_client_that_waited_for_the_tunnel_in_vain(wire):
    talk = wire.connect(port=3128).client(CONNECT).server(b"HTTP/1.1 200 OK\r\n\r\n").client(hello())
    wire.pause(10)
    talk.close(True)
    assert verdict(wire.read()[0])[:2] == ("proxy-connect-timeout", "likely")
