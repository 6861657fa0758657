"""Records and messages made by hand, for flights of stacks of which there is no recording."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "diagnosis"))
from conversations import Conversation, Wire

__all__ = [
    "Conversation",
    "Wire",
    "alert",
    "application",
    "ccs",
    "finish12",
    "hello",
    "hidden",
    "record",
    "server_flight12",
    "server_hello",
]

CLIENT_RANDOM, SERVER_RANDOM = b"\x11" * 32, b"\x22" * 32


def record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return struct.pack("!BHH", kind, version, len(body)) + body


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def numbers(*values: int) -> bytes:
    return b"".join(struct.pack("!H", value) for value in values)


def vector(width: int, body: bytes) -> bytes:
    return len(body).to_bytes(width, "big") + body


def hello(
    name: str | None = "server.example",
    *,
    tls13: bool = True,
    session_id: bytes = b"S" * 32,
    suites: tuple[int, ...] | None = None,
    legacy: int = 0x0303,
    extra: bytes = b"",
    record_version: int = 0x0301,
    alpn: tuple[str, ...] = (),
    padding: int = 0,
) -> bytes:
    """A ClientHello in its record."""
    found = b""
    if name is not None:
        found += extension(0, vector(2, b"\0" + vector(2, name.encode())))
    found += extension(10, vector(2, numbers(29, 23, 24))) + extension(11, b"\x01\0")
    found += extension(13, vector(2, numbers(0x0403, 0x0804, 0x0401, 0x0503, 0x0805))) + extension(23, b"") + extension(0xFF01, b"\0")
    if alpn:
        found += extension(16, vector(2, b"".join(vector(1, protocol.encode()) for protocol in alpn)))
    if tls13:
        found += extension(43, vector(1, numbers(0x0304, 0x0303))) + extension(51, vector(2, numbers(29) + vector(2, b"K" * 32)))
        found += extension(45, b"\x01\x01")
    found += extra
    if padding:
        found += extension(21, bytes(padding))
    if suites is None:
        suites = (0x1301, 0x1302, 0xC02F, 0xC030) if tls13 else (0xC02F, 0xC030, 0xC02B)
    body = numbers(legacy) + CLIENT_RANDOM + vector(1, session_id) + vector(2, numbers(*suites)) + b"\x01\0" + vector(2, found)
    return record(22, message(1, body), record_version)


def server_hello(
    *,
    tls13: bool = True,
    session_id: bytes = b"S" * 32,
    suite: int = 0,
    psk: bool = False,
    random: bytes = SERVER_RANDOM,
    extra: bytes = b"",
) -> bytes:
    """A ServerHello in its record."""
    found = extra
    if tls13:
        found += extension(43, numbers(0x0304)) + extension(51, numbers(29) + vector(2, b"L" * 32))
        if psk:
            found += extension(41, numbers(0))
    else:
        found += extension(0xFF01, b"\0")
    suite = suite or (0x1301 if tls13 else 0xC02F)
    body = numbers(0x0303) + random + vector(1, session_id if tls13 else b"") + numbers(suite) + b"\0" + vector(2, found)
    return record(22, message(2, body))


RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def retry_request(session_id: bytes = b"S" * 32) -> bytes:
    """A HelloRetryRequest (RFC 8446 section 4.1.4)."""
    found = extension(43, numbers(0x0304)) + extension(51, numbers(23))
    body = numbers(0x0303) + RETRY + vector(1, session_id) + numbers(0x1301) + b"\0" + vector(2, found)
    return record(22, message(2, body))


def hidden(length: int) -> bytes:
    """A record of TLS 1.3 whose body has this length: 4 + 1 + 16 more than a message, 19 for an alert."""
    return record(23, os.urandom(length))


def application(length: int = 80) -> bytes:
    return record(23, os.urandom(length))


def ccs() -> bytes:
    return record(20, b"\x01")


def alert(description: int, level: int = 2, version: int = 0x0303) -> bytes:
    return record(21, bytes([level, description]), version)


def certificate_message(der: bytes = b"") -> bytes:
    return message(11, vector(3, vector(3, der) if der else b""))


def server_flight12(*, der: bytes = b"\x30\x03\x02\x01\x01", request: bool = False, one_record: bool = False) -> bytes:
    """ServerHello ... ServerHelloDone of TLS 1.2."""
    exchange = message(12, b"\x03\0\x1d" + vector(1, b"P" * 32) + numbers(0x0804) + vector(2, b"G" * 256))
    parts = [certificate_message(der), exchange]
    if request:
        parts.append(message(13, vector(1, b"\x01\x40") + vector(2, numbers(0x0804, 0x0403)) + vector(2, b"")))
    parts.append(message(14, b""))
    if one_record:
        return server_hello(tls13=False) + record(22, b"".join(parts))
    return server_hello(tls13=False) + b"".join(record(22, part) for part in parts)


def key_exchange() -> bytes:
    return record(22, message(16, vector(1, b"k" * 32)))


def finish12() -> bytes:
    """ChangeCipherSpec and the encrypted Finished."""
    return ccs() + record(22, os.urandom(40))
