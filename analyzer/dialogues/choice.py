"""Which dialogue the first bytes of a connection begin.

Decided from at most ``PREFIX`` bytes of each direction, and never before every reading but one is
excluded, so it does not matter how the bytes were cut. What the client says goes before what
the server says, and both before the port, which only breaks ties ('220 ready' is SMTP and FTP).
"""

from __future__ import annotations

import re

from analyzer.dialogues.ftp import FtpTalk
from analyzer.dialogues.http_connect import HttpConnectTalk
from analyzer.dialogues.imap import ImapTalk
from analyzer.dialogues.irc import IrcTalk
from analyzer.dialogues.ldap import LdapTalk
from analyzer.dialogues.mysql import MysqlTalk
from analyzer.dialogues.nntp import NntpTalk
from analyzer.dialogues.pop3 import Pop3Talk
from analyzer.dialogues.postgresql import CANCEL_REQUEST, GSS_REQUEST, SSL_REQUEST, PostgresqlTalk
from analyzer.dialogues.proxy_protocol import SIGNATURE, ProxyProtocolTalk
from analyzer.dialogues.rdp import RdpTalk
from analyzer.dialogues.sieve import SieveTalk
from analyzer.dialogues.smtp import SmtpTalk
from analyzer.dialogues.socks import Socks4Talk, Socks5Talk
from analyzer.dialogues.talk import Talk, looks_like_tls
from analyzer.dialogues.tds import TdsTalk
from analyzer.dialogues.xmpp import XmppTalk

__all__ = ["PREFIX", "Choice", "choose"]

PREFIX = 512
PATIENCE = 4096
"""A server that said so much of something unknown, while the client said nothing, is left alone."""

Choice = type[Talk] | str | None
"""A dialogue; 'tls': TLS from here; 'none': nothing we know; None: more bytes are needed."""

PORTS: dict[int, type[Talk]] = {
    **dict.fromkeys((25, 465, 587, 2525, 24), SmtpTalk),
    **dict.fromkeys((21, 990, 2121), FtpTalk),
    **dict.fromkeys((110, 995), Pop3Talk),
    **dict.fromkeys((143, 993), ImapTalk),
    **dict.fromkeys((119, 433, 563), NntpTalk),
    **dict.fromkeys((2000, 4190), SieveTalk),
    **dict.fromkeys((194, *range(6660, 6670), 6697, 7000), IrcTalk),
    **dict.fromkeys((5222, 5269, 5223), XmppTalk),
    3306: MysqlTalk,
    1433: TdsTalk,
    5432: PostgresqlTalk,
}  # fmt: skip

_COMMANDS: tuple[tuple[re.Pattern[bytes], type[Talk]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), talk)
    for pattern, talk in (
        (rb"CONNECT\s+\S+:\d+\s+HTTP/1", HttpConnectTalk),
        (rb"(EHLO|HELO|LHLO)\b", SmtpTalk),
        (rb"AUTH (TLS|SSL)\b|FEAT$", FtpTalk),
        (rb"STLS$|CAPA$", Pop3Talk),
        (rb"CAP (LS|LIST|REQ|END)\b|NICK |USER \S+ \S+ \S+ ", IrcTalk),
        (rb"CAPABILITIES\b|MODE READER$", NntpTalk),
        (rb'AUTHENTICATE "', SieveTalk),
        (rb"[^\s+*{(]+ (CAPABILITY|STARTTLS|LOGIN|AUTHENTICATE|ID|NOOP)\b(?!\S* HTTP/1\.[01]$)", ImapTalk),
    )
)
_AMBIGUOUS = re.compile(rb"(STARTTLS|USER|PASS|QUIT|NOOP|HELP|SYST|AUTH|CAPABILITY)\b", re.IGNORECASE)
_GREETINGS: tuple[tuple[re.Pattern[bytes], type[Talk]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), talk)
    for pattern, talk in (
        (rb"\* (OK|PREAUTH|BYE)\b", ImapTalk),
        (rb"\+OK\b|-ERR\b", Pop3Talk),
        (rb'"(IMPLEMENTATION|SIEVE|SASL|STARTTLS|VERSION|NOTIFY|MAXREDIRECTS)"', SieveTalk),
        (rb":\S+ (NOTICE|CAP|\d{3}) |NOTICE (AUTH|\*) ", IrcTalk),
        (rb"HTTP/1\.\d 2\d\d .*ESTABLISH", HttpConnectTalk),
        (rb"20[01][ -]", NntpTalk),
        (rb"(220|421|554|120|5\d\d)[ -].*(SMTP|LMTP|\bMX\b)", SmtpTalk),
        (rb"(220|421|530|120)[ -].*FTP", FtpTalk),
    )
)
_REPLY = re.compile(rb"(220|421|554|120|400|500|502|530)(?:[ -]|$)")
_XMPP = re.compile(rb"<(?:\w+:)?stream\b|http://etherx\.jabber\.org/streams", re.IGNORECASE)
_TEXT = re.compile(rb"[\t\r -~\x80-\xff]*$")


def choose(client: bytes, server: bytes, port: int) -> Choice:
    """Read the first bytes of both directions (``PREFIX`` of them count; ``port``: the server's)."""
    said = _choose_by_client(client[:PREFIX], server[:PREFIX], port) if client else None
    if said not in (None, "none"):
        return said
    answered = _choose_by_server(server[:PREFIX], port) if server else None
    if answered not in (None, "none"):
        return answered
    if said == "none" or (not client and answered == "none" and len(server) >= PATIENCE):
        return "none"
    return None


def _choose_by_client(data: bytes, server: bytes, port: int) -> Choice:
    tls = looks_like_tls(data, from_client=True)
    if tls or tls is None:
        return "tls" if tls else None
    first = data[0]
    if first in (0, 3, 4, 5, 0x12, 0x30) or (port == 3306 and not server):
        return _choose_by_packet(data, port)
    if _starts(data, SIGNATURE) is not False:
        return ProxyProtocolTalk if len(data) >= len(SIGNATURE) else None
    if _starts(data, b"PROXY ") is not False:
        return ProxyProtocolTalk if len(data) >= 6 else None
    if data.lstrip()[:1] == b"<":
        return _choose_xmpp(data, port)
    return _choose_by_command(data, server, port)


def _starts(data: bytes, start: bytes) -> bool | None:
    """Whether it starts so; None: so far, but it is too short to say."""
    return data.startswith(start) or (None if start.startswith(data) else False)


def _choose_xmpp(data: bytes, port: int) -> Choice:
    if _XMPP.search(data) or PORTS.get(port) is XmppTalk:
        return XmppTalk
    return None if len(data) < PREFIX else "none"


def _choose_by_packet(data: bytes, port: int) -> Choice:
    """Protocols of packets: the first byte leaves one or two, the next ones settle it."""
    first = data[0]
    if port == 3306:
        if len(data) < 4:
            return None
        return MysqlTalk if data[2] == 0 and data[3] == 1 else "none"
    if first == 5:
        if len(data) < 2 or len(data) < 2 + data[1]:
            return None
        return Socks5Talk if data[1] and all(method <= 9 or method >= 0x80 for method in data[2 : 2 + data[1]]) else "none"
    if first == 4:
        if len(data) < 8:
            return None
        return Socks4Talk if data[1] in (1, 2) else "none"
    if len(data) < 8:
        return None
    if first == 0:
        code = int.from_bytes(data[4:8], "big")
        return PostgresqlTalk if code in (SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST) or code >> 16 == 3 else "none"
    if first == 3:
        return RdpTalk if data[1] == 0 and data[5] == 0xE0 else "none"
    if first == 0x12:
        return TdsTalk if data[1] in (0, 1) and 8 <= int.from_bytes(data[2:4], "big") <= 4096 else "none"
    return LdapTalk if _is_ldap(data) else "none"


def _is_ldap(data: bytes) -> bool:
    """SEQUENCE, then an INTEGER of one to four bytes."""
    position = 2 + (data[1] & 0x7F if data[1] >= 0x80 else 0)
    return position + 1 < len(data) and data[position] == 2 and 1 <= data[position + 1] <= 4


def _choose_by_command(data: bytes, server: bytes, port: int) -> Choice:
    end = data.find(b"\n")
    if not _TEXT.match(data[:end] if end >= 0 else data):
        return "none"
    if end < 0:
        return None if len(data) < PREFIX else "none"
    line = data[:end].strip()
    for pattern, talk in _COMMANDS:
        if pattern.match(line):
            return talk
    at_home = PORTS.get(port)
    if not _AMBIGUOUS.match(line) and not server:
        return "none"
    if _REPLY.match(server[:4]):
        return at_home if at_home in (FtpTalk, NntpTalk) else (FtpTalk if line[:4].upper() == b"USER" else SmtpTalk)
    if at_home is not None and _AMBIGUOUS.match(line):
        return at_home
    if line.upper() == b"STARTTLS":
        return SmtpTalk
    return "none"


def _choose_by_server(data: bytes, port: int) -> Choice:
    tls = looks_like_tls(data, from_client=False)
    if tls or tls is None:
        return "tls" if tls else None
    first = data[0]
    at_home = PORTS.get(port)
    if first in (3, 4, 0x30) or (at_home is PostgresqlTalk and first in b"SN"):
        return _choose_by_answer(data, at_home)
    if data.lstrip()[:1] == b"<":
        return _choose_xmpp(data, port)
    if first != 0x0A and first != 0x0D and (len(data) < 5 or (data[2] == 0 and data[3] in (0, 1))):
        if len(data) < 5:
            return None
        return MysqlTalk if data[4] in (9, 10) or (data[4] == 0xFF and at_home is MysqlTalk) else "none"
    end = data.find(b"\n")
    line = data[:end] if end >= 0 else data
    if at_home in (SmtpTalk, FtpTalk, NntpTalk) and re.match(rb"\d{3}[ -]", line):
        return at_home
    if end < 0:
        return None if len(data) < PREFIX and _TEXT.match(line) else "none"
    for pattern, talk in _GREETINGS:
        if pattern.match(line):
            return talk
    return None if _REPLY.match(line) else "none"  # SMTP or FTP: the client will show


def _choose_by_answer(data: bytes, at_home: type[Talk] | None) -> Choice:
    """The answer to a question that was not captured."""
    if at_home is PostgresqlTalk:
        return PostgresqlTalk if len(data) > 2 and data[1:3] == b"\x16\x03" else (None if len(data) < 3 else "none")
    if len(data) < 8:
        return None
    if data[0] == 3:
        return RdpTalk if data[1] == 0 and data[5] == 0xD0 else "none"
    if data[0] == 4:
        return TdsTalk if at_home is TdsTalk and data[1] == 1 else "none"
    return LdapTalk if _is_ldap(data) else "none"
