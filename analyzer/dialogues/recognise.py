"""What plain bytes look like: names for what arrives on a TLS port, or answers a ClientHello.

A guess from the first bytes alone, in the order of how much each mark proves. It decides nothing;
it gives the reader a word.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["name_protocol"]

PREFIX = 512

_METHODS = rb"GET|POST|HEAD|PUT|DELETE|OPTIONS|TRACE|PATCH|CONNECT|PROPFIND|PROPPATCH|MKCOL|REPORT|SEARCH|PURGE"
_EITHER = (
    (rb"SSH-\d", "ssh"),
    (rb"\xff[SEs]MB|\x00[\x00-\x01]..[\xfe\xff]SMB|\xfeSMB", "smb"),
    (rb"RFB \d{3}\.\d{3}", "vnc"),
    (rb"AMQP[\x00-\x03]", "amqp"),
    (rb"\x13BitTorrent protocol", "bittorrent"),
    (rb"\s*<\?xml[^>]*>\s*<(?:\w+:)?stream|\s*<(?:\w+:)?stream:stream|<stream:", "xmpp"),
    (rb"@RSYNCD:", "rsync"),
    (rb"\x16\xfe[\xfd\xff]", "dtls"),
    (rb"[\x14-\x17]\x03[\x00-\x04]", "tls"),
    (rb"\xff[\xfb-\xfe][\x00-\x2e]", "telnet"),
)
_CLIENT = (
    (rb"PRI \* HTTP/2", "http2"),
    (rb"(?:INVITE|REGISTER|SUBSCRIBE|OPTIONS|MESSAGE) sips?:", "sip"),
    (rb"(?:OPTIONS|DESCRIBE|SETUP|PLAY|ANNOUNCE) rtsp://", "rtsp"),
    (rb"(?:" + _METHODS + rb") +\S", "http"),
    (rb"PROXY (?:TCP[46]|UNKNOWN)|\r\n\r\n\x00\r\nQUIT\n", "proxy-protocol"),
    (rb"\x00\x00\x00\x08\x04\xd2\x16[\x2e-\x30]|\x00\x00..\x00\x03\x00\x00", "postgresql"),
    (rb"\x03\x00..[\x00-\xff]\xe0", "rdp"),
    (rb"\x12[\x00\x01]..\x00\x00", "mssql"),
    (rb"\x10[\x00-\xff]{1,4}\x00[\x04\x06]MQ(?:TT|Isdp)", "mqtt"),
    (rb"\x30[\x00-\x84][\x00-\xff]{0,4}?\x02[\x01-\x04]", "ldap"),
    (rb"(?i:EHLO|HELO|LHLO|MAIL FROM|RCPT TO)\b", "smtp"),
    (rb"\S+ (?i:CAPABILITY|LOGIN|AUTHENTICATE|STARTTLS|SELECT)\b", "imap"),
    (rb"CAP (?:LS|REQ|END)|NICK \S|USER \S+ \S+ \S+ :|JOIN #", "irc"),
    (rb"(?i:CAPA|STLS|APOP|UIDL)\b", "pop3"),
    (rb"(?i:USER|PASS|AUTH (?:TLS|SSL)|FEAT|SYST|PASV|EPSV)\b", "ftp"),
    (rb"\*\d{1,6}\r\n(?:\$\d|$)|PING\r\n|INFO\r\n", "redis"),
    (rb"(?:get|gets|set|add|stats|version|delete|incr)(?: \S|\r\n)|\x80[\x00-\x22]..", "memcached"),
    (rb"\x05[\x01-\x09][\x00-\x09\x80-\xfe]", "socks5"),
    (rb"\x04[\x01\x02].{6}[\x20-\x7e]*\x00", "socks4"),
    (rb"CONNECT \{|(?:INFO|SUB|PUB) \S", "nats"),
)
_SERVER = (
    (rb"HTTP/\d", "http"),
    (rb"\x00\x00.\x04\x00\x00\x00\x00\x00", "http2"),
    (rb"SIP/2\.0 ", "sip"),
    (rb"RTSP/1\.0 ", "rtsp"),
    (rb"\* (?:OK|PREAUTH|BYE)\b", "imap"),
    (rb"-ERR (?:unknown command|wrong number|Protocol|operation)|-NOAUTH|-DENIED|\+PONG|\$-?\d+\r\n|-MISCONF", "redis"),
    (rb"\+OK\b|-ERR\b", "pop3"),
    (rb"(?:220|221|421|4\d\d|5\d\d)[ -][^\n]*FTP", "ftp"),
    (rb"(?:220|221|250|421|451|5\d\d)[ -][^\n]*(?:SMTP|LMTP|[Mm]ail|command)", "smtp"),
    (rb"20[01] [^\n]*(?:NNTP|INN|News|news|posting)", "nntp"),
    (rb"(?:220|421|530)[ -]", "ftp"),
    (rb"5[05]\d[ -]", "smtp"),
    (rb"..\x00[\x00\x01](?:\x0a[\x20-\x7e]+\x00|\xff[\x00-\xff]{2}(?:#|[\x20-\x7e]))", "mysql"),
    (rb"[SN]$|E\x00\x00[\x00-\xff]{2}S[A-Z]+\x00|R\x00\x00\x00[\x08-\x20]\x00\x00\x00", "postgresql"),
    (rb"\x03\x00..[\x00-\xff]\xd0", "rdp"),
    (rb"\x04\x01..\x00\x00", "mssql"),
    (rb"\x20\x02[\x00\x01][\x00-\x05]", "mqtt"),
    (rb'"(?:IMPLEMENTATION|SIEVE|SASL)"', "sieve"),
    (rb":\S+ (?:NOTICE|\d{3}) |NOTICE (?:AUTH|\*) |ERROR :", "irc"),
    (rb"(?:ERROR|CLIENT_ERROR|SERVER_ERROR|END|VERSION)\b[^\n]*\r\n|\x81[\x00-\x22]..", "memcached"),
    (rb"INFO \{", "nats"),
    (rb"\x05[\x00-\x02\xff]$", "socks5"),
    (rb"\x00[\x5a-\x5d].{6}$", "socks4"),
    (rb"\x30[\x00-\x84][\x00-\xff]{0,4}?\x02[\x01-\x04]", "ldap"),
    (rb"\s*<(?:!DOCTYPE\s+)?html", "http"),
)


@cache
def _compiled(from_client: bool) -> list[tuple[re.Pattern[bytes], str]]:
    """Only when somebody asks: most captures hold nothing but TLS."""
    return [(re.compile(pattern, re.DOTALL), name) for pattern, name in _EITHER + (_CLIENT if from_client else _SERVER)]


def name_protocol(data: bytes, from_client: bool) -> str | None:
    """Name the protocol that a direction's first bytes belong to; None when they look like nothing known.

    'http', 'http2', 'ssh', 'smtp', 'ftp', 'pop3', 'imap', 'nntp', 'sieve', 'irc', 'xmpp', 'mysql', 'postgresql', 'mssql',
    'redis', 'memcached', 'rdp', 'vnc', 'telnet', 'smb', 'mqtt', 'amqp', 'nats', 'ldap', 'sip', 'rtsp',
    'rsync', 'bittorrent', 'socks4', 'socks5', 'proxy-protocol', 'dns-over-tcp', 'tls', 'dtls'.
    """
    head = data[:PREFIX]
    for pattern, name in _compiled(from_client):
        if pattern.match(head):
            return name
    return "dns-over-tcp" if _is_dns(data, from_client) else None


def _is_dns(data: bytes, from_client: bool) -> bool:
    """A length, then a DNS header (RFC 1035 sections 4.1.1, 4.2.2) with one question."""
    if len(data) < 14 or not 12 < int.from_bytes(data[:2], "big") <= len(data) - 2:
        return False
    flags, questions = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
    return bool(flags >> 15) != from_client and flags >> 11 & 15 <= 5 and questions == 1 and not flags & 0x0040
