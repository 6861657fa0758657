"""Plain bytes where TLS was expected, named and shown."""

from __future__ import annotations

import re

from analyzer.diagnosis import words
from analyzer.model.handshake import Handshake

__all__ = [
    "BANNER_FIRST",
    "HAS_STARTTLS",
    "IMPLICIT",
    "dialogue_text",
    "first_line",
    "greeting_text",
    "is_complaint",
    "protocol_text",
    "spoken_by",
    "tells_of_tls",
]

_NAMES = {
    "http": "HTTP", "http2": "HTTP/2", "ssh": "SSH", "smtp": "SMTP", "ftp": "FTP", "pop3": "POP3", "imap": "IMAP", "nntp": "NNTP",
    "sieve": "ManageSieve", "irc": "IRC", "xmpp": "XMPP", "mysql": "MySQL", "postgresql": "PostgreSQL", "mssql": "TDS (SQL Server)",
    "redis": "Redis", "memcached": "memcached", "rdp": "RDP", "vnc": "VNC", "telnet": "Telnet", "smb": "SMB", "mqtt": "MQTT",
    "amqp": "AMQP", "nats": "NATS", "ldap": "LDAP", "sip": "SIP", "rtsp": "RTSP", "rsync": "rsync", "bittorrent": "BitTorrent",
    "socks4": "SOCKS 4", "socks5": "SOCKS 5", "proxy-protocol": "a PROXY header", "dns-over-tcp": "DNS", "dtls": "DTLS",
}  # fmt: skip

HAS_STARTTLS = frozenset({"smtp", "ftp", "pop3", "imap", "nntp", "sieve", "irc", "xmpp", "mysql", "postgresql", "mssql", "rdp", "ldap"})
"""Protocols that begin in the clear and have a word to ask for TLS."""

BANNER_FIRST = {465: "SMTP", 993: "IMAP", 995: "POP3", 990: "FTP", 563: "NNTP"}
"""Ports where TLS begins at once, of protocols whose server greets first when they do not."""

IMPLICIT = {**BANNER_FIRST, 636: "LDAP", 3269: "LDAP", 5223: "XMPP", 5270: "XMPP", 6697: "IRC", 994: "IRC"}
"""Ports where TLS begins at once, of protocols that on another port ask for it."""

_BY_PORT = {21: "FTP", 990: "FTP", 25: "SMTP", 465: "SMTP", 587: "SMTP", 2525: "SMTP"}

_REFUSALS = (
    b"plain HTTP request was sent to HTTPS port",  # nginx
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
    b"sent an HTTP request to an HTTPS server",  # Go
    b"requires TLS",  # Tomcat
    b"sent to TLS port",
    b"SSL-enabled",
)


def spoken_by(data: bytes, from_client: bool) -> str | None:
    """Id of the protocol of a side's first bytes, as ``name_protocol`` has it."""
    if not data:
        return None
    from analyzer.dialogues import name_protocol  # a run in which nobody spoke in clear does without all those protocols

    return name_protocol(data, from_client)


def protocol_text(protocol: str | None) -> str:
    """'HTTP', 'SSH' ...; 'something that is not TLS' for None."""
    return _NAMES.get(protocol, protocol) if protocol is not None else "something that is not TLS"


def dialogue_text(via: str) -> str:
    """The protocol of a dialogue: 'SMTP' of smtp-starttls, 'PostgreSQL' of postgresql."""
    protocol = via.split("-", 1)[0]
    return _NAMES.get("mssql" if protocol == "tds" else protocol, protocol.upper())


def greeting_text(data: bytes, port: int) -> str:
    """The protocol of a server's first words: a greeting of three digits may be of mail or of files, and only the port may tell."""
    protocol = spoken_by(data, False)
    if protocol in ("ftp", "smtp") and not re.search(rb"(?i)ftp|smtp|mail", data[:200]):
        return _BY_PORT.get(port, "SMTP or FTP")
    return protocol_text(protocol)


def first_line(data: bytes) -> str:
    """The first line of plain bytes in quotes, or the first bytes in hexadecimal."""
    line = data.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
    if len(line) >= 2 and all(32 <= byte < 127 for byte in line[:60]):
        return f'"{words.shown(line.decode("ascii", "replace"), 60)}"'
    return data[:16].hex(" ")


def is_complaint(data: bytes) -> bool:
    """Whether a server says in HTTP that it could not read what it got: a TLS port that was sent something else says so too."""
    return re.match(rb"HTTP/1\.[01] 400\b", data.lstrip(b"\r\n")) is not None


def tells_of_tls(handshake: Handshake) -> bool:
    """Whether the server's answer in clear says that this is a TLS port, or the server answered with TLS."""
    return any(not alert.from_client for alert in handshake.alerts) or any(text in handshake.server_bytes for text in _REFUSALS)
