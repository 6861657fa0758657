"""Dialogues written out byte by byte, after the examples of the RFCs and the vendors' manuals."""

from __future__ import annotations

import struct
from typing import NamedTuple

HELLO = bytes.fromhex("160301002c01000028030300112233445566778899aabbccddeeff00112233445566778899aabbccddeeff000002c02f01000000")[:49]
SERVER_HELLO = bytes.fromhex("160303002a020000260303") + bytes(32) + bytes.fromhex("00c02f00")
Step = tuple[str, bytes]


class Script(NamedTuple):
    """A conversation: steps ('C' or 'S', bytes); TLS bytes as 'C' HELLO and 'S' SERVER_HELLO at its end."""

    name: str
    port: int
    steps: list[Step]
    via: str | None
    state: str = "agreed"
    status: str = "tls"
    code: str = ""
    offered: tuple[str, ...] = ()
    target: str | None = None
    ask: int = 0
    answer: int = 0
    wrapping: str | None = None
    tls: bool = True
    """TLS bytes follow both ways (appended by ``whole``)."""

    def whole(self) -> list[Step]:
        return [*self.steps, ("C", HELLO), ("S", SERVER_HELLO)] if self.tls else self.steps

    def said(self, side: str) -> int:
        return sum(len(data) for who, data in self.steps if who == side)


def C(text: str) -> Step:
    return ("C", text.encode())


def S(text: str) -> Step:
    return ("S", text.encode())


def ldap(number: int, operation: int, body: bytes) -> bytes:
    message = bytes([2, 1, number, operation, len(body)]) + body
    return bytes([0x30, len(message)]) + message


def tpkt(body: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, 4 + len(body)) + body


def x224(code: int, negotiation: bytes, cookie: bytes = b"") -> bytes:
    body = bytes([code, 0, 0, 0, 0, 0]) + cookie + negotiation
    return tpkt(bytes([len(body)]) + body)


def negotiation(kind: int, number: int) -> bytes:
    return struct.pack("<BBHI", kind, 0, 8, number)


def tds(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BBHHBB", kind, 1, 8 + len(payload), 0, 1, 0) + payload


def prelogin(encryption: int) -> bytes:
    """Options VERSION (6 bytes) and ENCRYPTION (1 byte), terminator."""
    return b"\x00\x00\x0b\x00\x06" + b"\x01\x00\x11\x00\x01" + b"\xff" + b"\x10\x00\x00\x00\x00\x00" + bytes([encryption])


def mysql(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def mysql_greeting(capabilities: int) -> bytes:
    lower, upper = capabilities & 0xFFFF, capabilities >> 16
    return mysql(0, b"\x0a8.0.36\0" + struct.pack("<I8sBHBHHB10s", 11, b"abcdefgh", 0, lower, 255, 2, upper, 21, bytes(10)) + b"x" * 13)


def proxy_v2(family: int, addresses: bytes) -> bytes:
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, family]) + struct.pack(">H", len(addresses)) + addresses


SSL_REQUEST = bytes.fromhex("0000000804d2162f")
GSS_REQUEST = bytes.fromhex("0000000804d21630")
STARTUP = b"\0\0\0\x11\0\3\0\0user\0bob\0"
PG_ERROR = b"E" + struct.pack(">I", 4 + 28) + b"SFATAL\0C28000\0Mno ssl here\0\0\0"
MYSQL_SSL_REQUEST = mysql(1, struct.pack("<IIB23s", 0x00AE_AE85, 1 << 24, 33, bytes(23)))
MYSQL_LOGIN = mysql(1, struct.pack("<IIB23s", 0x00AE_A685, 1 << 24, 33, bytes(23)) + b"bob\0\0")
START_TLS = ldap(1, 0x77, b"\x80\x16" + b"1.3.6.1.4.1.1466.20037")
LDAP_OK = ldap(1, 0x78, b"\x0a\x01\x00\x04\x00\x04\x00")
SOCKS_REQUEST = b"\5\1\0\3\x0bexample.com\x01\xbb"
SOCKS_OK = b"\5\0\0\1\x0a\0\0\1\x04\x38"
XMPP_OPEN = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='im.example'>"
STARTTLS_TAG = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

SCRIPTS = [
    # SMTP: RFC 3207 section 5
    Script(
        "smtp", 25,
        [S("220 mail.imc.org SMTP service ready\r\n"), C("EHLO mail.example.com\r\n"),
         S("250-mail.imc.org offers a warm hug of welcome\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 DSN\r\n"),
         C("STARTTLS\r\n"), S("220 Go ahead\r\n")],
        "smtp-starttls", code="220", offered=("8BITMIME", "STARTTLS", "DSN"), ask=4, answer=5,
    ),
    Script(
        "smtp lower case, bare newlines, unknown port", 10025,
        [S("220 ready\n"), C("ehlo me\n"), S("250-hello\n250 starttls\n"), C("starttls\n"), S("220 2.0.0 go\n")],
        "smtp-starttls", code="220", offered=("starttls",), ask=4, answer=5,
    ),
    Script(
        "smtp after failed authentication", 587,
        [S("220 x ESMTP\r\n"), C("EHLO a\r\n"), S("250-x\r\n250-AUTH LOGIN PLAIN\r\n250 STARTTLS\r\n"), C("AUTH LOGIN\r\n"),
         S("334 VXNlcm5hbWU6\r\n"), C("Ym9i\r\n"), S("334 UGFzc3dvcmQ6\r\n"), C("c2VjcmV0\r\n"),
         S("535 5.7.8 Authentication failed\r\n"), C("STARTTLS\r\n"), S("220 go\r\n")],
        "smtp-starttls", code="220", offered=("AUTH LOGIN PLAIN", "STARTTLS"), ask=10, answer=11,
    ),
    Script(
        "smtp refused", 25,
        [S("220 x ESMTP\r\n"), C("EHLO a\r\n"), S("250-x\r\n250 STARTTLS\r\n"), C("STARTTLS\r\n"),
         S("454 4.7.0 TLS not available due to local problem\r\n"), C("QUIT\r\n"), S("221 bye\r\n")],
        "smtp-starttls", "refused", "none", "454", ("STARTTLS",), ask=4, answer=5, tls=False,
    ),
    Script(
        "smtp refused in several lines, and went on", 25,
        [S("220-x ESMTP\r\n220 second line\r\n"), C("EHLO a\r\n"), S("250 x\r\n"), C("STARTTLS\r\n"),
         S("502-5.5.1 no\r\n502 5.5.1 really\r\n"), C("MAIL FROM:<a@b>\r\n"), S("250 ok\r\n")],
        "smtp-starttls", "refused", "none", "502", (), ask=4, answer=5, tls=False,
    ),
    Script(
        "smtp not offered, mangled", 25,
        [S("220 ************\r\n"), C("EHLO a\r\n"), S("250-x\r\n250-SIZE 100\r\n250 XXXXXXXA\r\n"), C("QUIT\r\n")],
        "smtp-starttls", "not-offered", "none", offered=("SIZE 100", "XXXXXXXA"), tls=False,
    ),
    Script(
        "smtp not asked", 25,
        [S("220 x\r\n"), C("EHLO a\r\n"), S("250-x\r\n250 STARTTLS\r\n"), C("MAIL FROM:<a@b>\r\n")],
        "smtp-starttls", "not-asked", "none", offered=("STARTTLS",), tls=False,
    ),
    Script(
        "smtp with a command behind STARTTLS", 25,
        [S("220 x\r\n"), C("EHLO a\r\n"), S("250-x\r\n250 STARTTLS\r\n"), C("STARTTLS\r\nRSET\r\nMAIL FROM:<evil@b>\r\n"), S("220 go\r\n")],
        "smtp-starttls", code="220", offered=("STARTTLS",), ask=4, answer=5,
    ),
    Script(
        "smtp pipelined hello", 25,
        [S("220 x\r\n"), C("EHLO a\r\n"), S("250-x\r\n250 STARTTLS\r\n"), C("STARTTLS\r\n"), ("C", HELLO), S("220 go\r\n"), ("S", SERVER_HELLO)],
        "smtp-starttls", code="220", offered=("STARTTLS",), ask=4, answer=6, tls=False,
    ),
    Script(
        "lmtp", 24,
        [S("220 foo.edu LMTP server ready\r\n"), C("LHLO foo.edu\r\n"), S("250-foo.edu\r\n250 STARTTLS\r\n"), C("STARTTLS\r\n"), S("220 ok\r\n")],
        "lmtp-starttls", code="220", offered=("STARTTLS",), ask=4, answer=5,
    ),
    # IMAP: RFC 9051 section 6.2.1
    Script(
        "imap", 143,
        [S("* OK IMAP4rev2 Service Ready\r\n"), C("a001 CAPABILITY\r\n"),
         S("* CAPABILITY IMAP4rev2 STARTTLS LOGINDISABLED\r\na001 OK CAPABILITY completed\r\n"),
         C("a002 STARTTLS\r\n"), S("a002 OK Begin TLS negotiation now\r\n")],
        "imap-starttls", code="OK", offered=("IMAP4rev2", "STARTTLS", "LOGINDISABLED"), ask=4, answer=5,
    ),
    Script(
        "imap refused after a failed login, asked again", 143,
        [S("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"), C("1 login bob hunter2\r\n"), S("1 NO failed\r\n"), C("2 starttls\r\n"),
         S("* OK hold on\r\n2 BAD not now\r\n"), C("3 starttls\r\n"), S("3 OK go\r\n")],
        "imap-starttls", code="OK", offered=("IMAP4rev1", "AUTH=PLAIN"), ask=6, answer=7,
    ),
    Script(
        "imap refused", 143,
        [S("* OK [CAPABILITY IMAP4rev1] ready\r\n"), C("2 STARTTLS\r\n"), S("2 BAD Unknown command\r\n"), C("3 LOGOUT\r\n")],
        "imap-starttls", "refused", "none", "BAD", ("IMAP4rev1",), ask=2, answer=3, tls=False,
    ),
    Script(
        "imap not offered, logged in", 143,
        [S("* OK [CAPABILITY IMAP4rev1] ready\r\n"), C('x LOGIN "bob" "hunter2"\r\n'), S("x OK in\r\n"), C("y SELECT INBOX\r\n")],
        "imap-starttls", "not-offered", "none", offered=("IMAP4rev1",), tls=False,
    ),
    # POP3: RFC 2595 section 4
    Script(
        "pop3", 110,
        [S("+OK POP3 ready\r\n"), C("CAPA\r\n"), S("+OK list follows\r\nTOP\r\nSTLS\r\n.\r\n"), C("STLS\r\n"), S("+OK Begin TLS negotiation\r\n")],
        "pop3-stls", code="+OK", offered=("TOP", "STLS"), ask=4, answer=5,
    ),
    Script(
        "pop3 refused", 110,
        [S("+OK POP3 ready\r\n"), C("CAPA\r\n"), S("-ERR what\r\n"), C("STLS\r\n"), S("-ERR Command not permitted\r\n"), C("QUIT\r\n")],
        "pop3-stls", "refused", "none", "-ERR", ask=4, answer=5, tls=False,
    ),
    Script(
        "pop3 logged in, in clear", 110,
        [S("+OK hi\r\n"), C("USER bob\r\n"), S("+OK\r\n"), C("PASS hunter2\r\n"), S("+OK in\r\n"), C("STAT\r\n")],
        "pop3-stls", "not-asked", "none", tls=False,
    ),
    # FTP: RFC 4217 section 12
    Script(
        "ftp", 21,
        [S("220 ready\r\n"), C("FEAT\r\n"), S("211-Features\r\n AUTH TLS\r\n PBSZ\r\n211 End\r\n"), C("AUTH TLS\r\n"), S("234 go\r\n")],
        "ftp-auth-tls", code="234", offered=("AUTH TLS", "PBSZ"), ask=4, answer=5,
    ),
    Script(
        "ftp TLS refused, SSL agreed, unknown port", 5021,
        [S("220-Welcome\r\nto this\r\n220 place\r\n"), C("auth tls\r\n"), S("504 no\r\n"), C("auth ssl\r\n"), S("334 go\r\n")],
        "ftp-auth-tls", code="334", ask=4, answer=5,
    ),
    Script(
        "ftp refused", 21,
        [S("120 wait\r\n"), S("220 FTP\r\n"), C("AUTH TLS\r\n"), S("534 policy\r\n"), C("USER bob\r\n"), S("331 pw\r\n"),
         C("PASS hunter2\r\n"), S("230 in\r\n")],
        "ftp-auth-tls", "refused", "none", "534", ask=3, answer=4, tls=False,
    ),
    # LDAP: RFC 4511 section 4.14
    Script("ldap", 389, [("C", START_TLS), ("S", LDAP_OK)], "ldap-starttls", code="0", ask=1, answer=2),
    Script(
        "ldap after a look at the root", 389,
        [("C", ldap(1, 0x60, b"\2\1\3\4\0\x80\0")), ("S", ldap(1, 0x61, b"\x0a\1\0\4\0\4\0")), ("C", ldap(2, 0x63, b"\4\0\x0a\1\0")),
         ("S", ldap(2, 0x64, b"\4\0\x30\0") + ldap(2, 0x65, b"\x0a\1\0\4\0\4\0")), ("C", START_TLS), ("S", LDAP_OK)],
        "ldap-starttls", code="0", ask=5, answer=6,
    ),
    Script(
        "ldap refused", 389, [("C", START_TLS), ("S", ldap(1, 0x78, b"\x0a\1\x34\4\0\4\x0bunavailable")), ("C", ldap(2, 0x42, b""))],
        "ldap-starttls", "refused", "none", "52", ask=1, answer=2, tls=False,
    ),
    Script(
        "ldap work in clear", 389,
        [("C", ldap(1, 0x60, b"\2\1\3\4\0\x80\0")), ("S", ldap(1, 0x61, b"\x0a\1\0\4\0\4\0")), ("C", ldap(2, 0x63, b"\4\3o=x\x0a\1\0"))],
        "ldap-starttls", "not-asked", "none", tls=False,
    ),
    # XMPP: RFC 6120 section 9.1.1
    Script(
        "xmpp", 5222,
        [C(XMPP_OPEN), S(XMPP_OPEN + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"),
         C(STARTTLS_TAG), S("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")],
        "xmpp-starttls", code="proceed", offered=("starttls", "required"), ask=3, answer=4,
    ),
    Script(
        "xmpp in pairs of tags, unknown port", 15222,
        [C(XMPP_OPEN), S(XMPP_OPEN + "<features></features>"), C("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls>"),
         S("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>")],
        "xmpp-starttls", code="proceed", ask=3, answer=4,
    ),
    Script(
        "xmpp refused", 5222,
        [C(XMPP_OPEN), S(XMPP_OPEN + "<stream:features/>"), C(STARTTLS_TAG), S("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"),
         C("</stream:stream>")],
        "xmpp-starttls", "refused", "none", "failure", ask=3, answer=4, tls=False,
    ),
    # IRC
    Script(
        "irc", 6667,
        [C("CAP LS 302\r\n"), S(":irc.example CAP * LS :multi-prefix tls sasl\r\n"), C("STARTTLS\r\n"),
         S(":irc.example 670 * :STARTTLS successful, proceed with TLS handshake\r\n")],
        "irc-starttls", code="670", offered=("multi-prefix", "tls", "sasl"), ask=3, answer=4,
    ),
    Script(
        "irc refused", 6667,
        [S(":irc.example NOTICE AUTH :*** Looking up your hostname\r\n"), C("STARTTLS\r\n"), S(":irc.example 691 * :STARTTLS failed\r\n"),
         C("NICK bob\r\nUSER bob 0 * :Bob\r\n"), S(":irc.example 001 bob :Welcome\r\n")],
        "irc-starttls", "refused", "none", "691", ask=2, answer=3, tls=False,
    ),
    # NNTP: RFC 4642 section 2.2.2
    Script(
        "nntp", 119,
        [S("200 news ready\r\n"), C("CAPABILITIES\r\n"), S("101 Capability list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"), C("STARTTLS\r\n"),
         S("382 Continue with TLS negotiation\r\n")],
        "nntp-starttls", code="382", offered=("VERSION 2", "STARTTLS"), ask=4, answer=5,
    ),
    Script(
        "nntp refused", 119, [S("201 no posting\r\n"), C("STARTTLS\r\n"), S("580 Can not initiate TLS negotiation\r\n"), C("QUIT\r\n")],
        "nntp-starttls", "refused", "none", "580", ask=2, answer=3, tls=False,
    ),
    # ManageSieve: RFC 5804 section 2.2
    Script(
        "sieve", 4190,
        [S('"IMPLEMENTATION" "Example1 ManageSieved v001"\r\n"SASL" ""\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK\r\n'), C("STARTTLS\r\n"),
         S('OK "Begin TLS negotiation now."\r\n')],
        "sieve-starttls", code="OK", offered=("IMPLEMENTATION Example1 ManageSieved v001", "SASL", "SIEVE fileinto", "STARTTLS"), ask=2, answer=3,
    ),
    Script(
        "sieve refused", 4190, [S('"IMPLEMENTATION" "x"\r\nOK "hi"\r\n'), C("Starttls\r\n"), S('NO "no"\r\n'), C("LOGOUT\r\n")],
        "sieve-starttls", "refused", "none", "NO", ("IMPLEMENTATION x",), ask=2, answer=3, tls=False,
    ),
    # PostgreSQL
    Script("postgresql", 5432, [("C", SSL_REQUEST), ("S", b"S")], "postgresql", code="S", ask=1, answer=2),
    Script(
        "postgresql after GSS", 6432, [("C", GSS_REQUEST), ("S", b"N"), ("C", SSL_REQUEST), ("S", b"S")],
        "postgresql", code="S", ask=3, answer=4,
    ),
    Script(
        "postgresql refused, went on", 5432, [("C", SSL_REQUEST), ("S", b"N"), ("C", STARTUP), ("S", b"R\0\0\0\x08\0\0\0\0")],
        "postgresql", "refused", "none", "N", ask=1, answer=2, tls=False,
    ),
    Script(
        "postgresql error", 5432, [("C", SSL_REQUEST), ("S", PG_ERROR)], "postgresql", "refused", "none", "E", ask=1, answer=2, tls=False,
    ),
    Script("postgresql in clear", 5432, [("C", STARTUP), ("S", b"R")], "postgresql", "not-asked", "none", tls=False),
    # MySQL
    Script(
        "mysql", 3306, [("S", mysql_greeting(0x81FF_FFFF)), ("C", MYSQL_SSL_REQUEST)], "mysql", offered=("CLIENT_SSL",), ask=2, answer=1,
    ),
    Script(
        "mysql not offered", 13306, [("S", mysql_greeting(0x81FF_F7FF)), ("C", MYSQL_LOGIN)], "mysql", "not-offered", "none", tls=False,
    ),
    Script(
        "mysql not asked", 3306, [("S", mysql_greeting(0x81FF_FFFF)), ("C", MYSQL_LOGIN)], "mysql", "not-asked", "none", offered=("CLIENT_SSL",), tls=False,
    ),
    Script(
        "mysql turned away", 3306, [("S", mysql(0, b"\xff\x6a\x04Host 'x' is not allowed"))], "mysql", "not-asked", "none", "1130", tls=False,
    ),
    Script(
        "mysql asked what was not offered", 3306,
        [("S", mysql_greeting(0x81FF_F7FF)), ("C", MYSQL_SSL_REQUEST), ("S", mysql(2, b"\xff\x13\x04#08S01Bad handshake"))],
        "mysql", "refused", "none", "1043", ask=2, answer=3, tls=False,
    ),
    # RDP: [MS-RDPBCGR] section 4.1
    Script(
        "rdp", 3389,
        [("C", x224(0xE0, negotiation(1, 3), b"Cookie: mstshash=eltons\r\n")), ("S", x224(0xD0, negotiation(2, 2)))],
        "rdp", code="2", ask=1, answer=2,
    ),
    Script(
        "rdp failure", 3389, [("C", x224(0xE0, negotiation(1, 1))), ("S", x224(0xD0, negotiation(3, 5)))],
        "rdp", "refused", "undecided", "5", ask=1, answer=2, tls=False,
    ),
    Script(
        "rdp server without TLS", 3390, [("C", x224(0xE0, negotiation(1, 1))), ("S", x224(0xD0, b"")), ("C", tpkt(b"\2\xf0\x80\x7f"))],
        "rdp", "refused", "none", "0", ask=1, answer=2, tls=False,
    ),
    Script("rdp not asked", 3389, [("C", x224(0xE0, b"")), ("S", x224(0xD0, b""))], "rdp", "not-asked", "none", tls=False),
    # MSSQL
    Script(
        "tds", 1433, [("C", tds(0x12, prelogin(1))), ("S", tds(4, prelogin(3))), ("C", tds(0x12, HELLO)), ("S", tds(0x12, SERVER_HELLO))],
        "tds", code="3", ask=1, answer=2, wrapping="tds", tls=False,
    ),
    Script(
        "tds not supported", 1433, [("C", tds(0x12, prelogin(1))), ("S", tds(4, prelogin(2))), ("C", tds(0x10, bytes(40)))],
        "tds", "refused", "none", "2", ask=1, answer=2, tls=False,
    ),
    Script(
        "tds client cannot", 14330, [("C", tds(0x12, prelogin(2))), ("S", tds(4, prelogin(3)))], "tds", "not-asked", "none", "3", tls=False,
    ),
    # HTTP CONNECT
    Script(
        "connect", 8080,
        [C("CONNECT server.example.com:443 HTTP/1.1\r\nHost: server.example.com:443\r\n\r\n"), S("HTTP/1.1 200 Connection established\r\n\r\n")],
        "http-connect", code="200", target="server.example.com:443", ask=1, answer=2,
    ),
    Script(
        "connect with authentication at the second try", 3128,
        [C("CONNECT a.example:443 HTTP/1.1\r\n\r\n"),
         S("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: Basic realm=\"x\"\r\n"
           "Content-Length: 20\r\n\r\nHTTP/1.1 200 trick\r\n"),
         C("CONNECT a.example:443 HTTP/1.1\r\nProxy-Authorization: Basic Ym9iOmh1bnRlcjI=\r\n\r\n"), S("HTTP/1.1 200 OK\r\nVia: x\r\n\r\n")],
        "http-connect", code="200", target="a.example:443", offered=("Negotiate", "Basic"), ask=3, answer=4,
    ),
    Script(
        "connect refused", 3128, [C("CONNECT [2001:db8::1]:25 HTTP/1.0\r\n\r\n"), S("HTTP/1.0 403 Forbidden\r\n\r\nno\r\n")],
        "http-connect", "refused", "undecided", "403", target="[2001:db8::1]:25", ask=1, answer=2, tls=False,
    ),
    Script(
        "connect unanswered", 3128, [C("CONNECT a.example:443 HTTP/1.1\r\n\r\n")],
        "http-connect", "asked", "undecided", target="a.example:443", ask=1, tls=False,
    ),
    Script(
        "connect, then SSH", 3128,
        [C("CONNECT a.example:443 HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\n\r\n"), C("SSH-2.0-x\r\n")],
        "http-connect", "agreed", "none", "200", target="a.example:443", ask=1, answer=2, tls=False,
    ),
    # SOCKS
    Script(
        "socks5", 1080, [("C", b"\5\1\0"), ("S", b"\5\0"), ("C", SOCKS_REQUEST), ("S", SOCKS_OK)],
        "socks5", code="REP 0", target="example.com:443", ask=3, answer=4,
    ),
    Script(
        "socks5 with a password", 9050,
        [("C", b"\5\2\0\2"), ("S", b"\5\2"), ("C", b"\1\3bob\7hunter2"), ("S", b"\1\0"), ("C", b"\5\1\0\1\xc0\0\2\1\x03\xe1"), ("S", SOCKS_OK)],
        "socks5", code="REP 0", target="192.0.2.1:993", ask=5, answer=6,
    ),
    Script(
        "socks5 in one go", 1080, [("C", b"\5\1\0" + SOCKS_REQUEST + HELLO), ("S", b"\5\0"), ("S", SOCKS_OK), ("S", SERVER_HELLO)],
        "socks5", code="REP 0", target="example.com:443", ask=1, answer=3, tls=False,
    ),
    Script("socks5 no method", 1080, [("C", b"\5\1\0"), ("S", b"\5\xff")], "socks5", "refused", "undecided", "FF", ask=1, answer=2, tls=False),
    Script(
        "socks5 refused", 1080, [("C", b"\5\1\0"), ("S", b"\5\0"), ("C", SOCKS_REQUEST), ("S", b"\5\5\0\1\0\0\0\0\0\0")],
        "socks5", "refused", "none", "REP 5", target="example.com:443", ask=3, answer=4, tls=False,
    ),
    Script(
        "socks4", 1080, [("C", b"\4\1\x01\xbb\xc0\0\2\1bob\0"), ("S", b"\0\x5a\0\0\0\0\0\0")], "socks4", code="5A", target="192.0.2.1:443", ask=1, answer=2,
    ),
    Script(
        "socks4a refused", 1080, [("C", b"\4\1\x01\xbb\0\0\0\1\0example.com\0"), ("S", b"\0\x5b\0\0\0\0\0\0")],
        "socks4", "refused", "none", "5B", target="example.com:443", ask=1, answer=2, tls=False,
    ),
    # PROXY protocol, and what may follow a tunnel
    Script("proxy v1", 443, [C("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n")], "proxy-protocol", ask=1),
    Script(
        "proxy v2", 443, [("C", proxy_v2(0x11, bytes([192, 0, 2, 1, 198, 51, 100, 7]) + b"\xdc\x04\x01\xbb" + b"\4\0\1x"))], "proxy-protocol", ask=1,
    ),
    Script(
        "proxy, then smtp", 25,
        [C("PROXY UNKNOWN\r\n"), S("220 x\r\n"), C("EHLO a\r\n"), S("250-x\r\n250 STARTTLS\r\n"), C("STARTTLS\r\n"), S("220 go\r\n")],
        "smtp-starttls", code="220", offered=("STARTTLS",), ask=5, answer=6,
    ),
    Script(
        "proxy, socks, then imap", 1080,
        [C("PROXY UNKNOWN\r\n"), ("C", b"\5\1\0"), ("S", b"\5\0"), ("C", b"\5\1\0\3\4mail\0\x8f"), ("S", SOCKS_OK + b"* OK hi\r\n"),
         C("1 STARTTLS\r\n"), S("1 OK\r\n")],
        "imap-starttls", code="OK", target="mail:143", ask=6, answer=7,
    ),
    # no dialogue at all
    Script("tls at once", 443, [], None),
    Script("tls to a greeting server", 25, [S("220 x ESMTP\r\n"), ("C", HELLO)], None, tls=False),
    Script("http", 443, [C("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), S("HTTP/1.1 400 Bad Request\r\n\r\n")], None, status="none", tls=False),
    Script("ssh", 22, [S("SSH-2.0-OpenSSH\r\n"), C("SSH-2.0-OpenSSH\r\n")], None, status="none", tls=False),
    Script("starttls client on a TLS port", 465, [C("EHLO a\r\n"), ("S", b"\x15\x03\x03\0\2\2\x0a")], "smtp-starttls", "broken", "none", tls=False),
]  # fmt: skip
