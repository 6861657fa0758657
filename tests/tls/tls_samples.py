"""Sample messages for tests: bodies without their 4-byte header, from real stacks and built by hand."""

from __future__ import annotations

import zlib
from pathlib import Path


def vector(width: int, *parts: bytes) -> bytes:
    """A vector of the TLS presentation language."""
    body = b"".join(parts)
    return len(body).to_bytes(width, "big") + body


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def extension(kind: int, body: bytes = b"") -> bytes:
    return numbers(kind) + vector(2, body)


def server_name(name: bytes) -> bytes:
    return extension(0, vector(2, b"\0" + vector(2, name)))


EVERYTHING = [
    extension(0x1A1A),
    server_name(b"www.example.com"),
    extension(1, b"\x04"),
    extension(5, b"\x01\0\0\0\0"),
    extension(10, vector(2, numbers(0x2A2A, 0x11EC, 29, 23))),
    extension(11, vector(1, b"\0\1\2")),
    extension(13, vector(2, numbers(0x0403, 0x0804, 0x0401))),
    extension(15, b"\x01"),
    extension(16, vector(2, vector(1, b"h2"), vector(1, b"http/1.1"))),
    extension(18),
    extension(22),
    extension(23),
    extension(27, vector(1, numbers(2, 1))),
    extension(28, numbers(0x4001)),
    extension(34, vector(2, numbers(0x0403, 0x0503))),
    extension(35, b"T" * 160),
    extension(42),
    extension(43, vector(1, numbers(0x3A3A, 0x0304, 0x0303))),
    extension(44, vector(2, b"C" * 20)),
    extension(45, vector(1, b"\x01")),
    extension(47, vector(2, vector(2, b"\x30\0"), vector(2, b"\x30\x01\0"))),
    extension(49),
    extension(50, vector(2, numbers(0x0804, 0x0603))),
    extension(51, vector(2, numbers(0x2A2A) + vector(2, b"\0"), numbers(29) + vector(2, b"K" * 32))),
    extension(0xFE0D, b"E" * 200),
    extension(0xFF01, vector(1, b"V" * 12)),
    extension(21, bytes(60)),
    extension(41, vector(2, vector(2, b"I" * 100) + b"AGE!", vector(2, b"J" * 9) + b"AGE!") + vector(2, vector(1, b"B" * 48))),
]


def client_hello(
    *extensions: bytes,
    version: int = 0x0303,
    random: bytes = b"R" * 32,
    session_id: bytes = b"S" * 32,
    suites: tuple[int, ...] = (0x0A0A, 0x1301, 0x1302, 0xC02F, 0x00FF, 0x5600),
    has_extensions: bool = True,
) -> bytes:
    start = numbers(version) + random + vector(1, session_id) + vector(2, numbers(*suites)) + vector(1, b"\0")
    return start + vector(2, *extensions) if has_extensions else start


def server_hello(
    *extensions: bytes,
    version: int = 0x0303,
    random: bytes = b"R" * 32,
    session_id: bytes = b"S" * 32,
    suite: int = 0x1301,
    has_extensions: bool = True,
) -> bytes:
    start = numbers(version) + random + vector(1, session_id) + numbers(suite) + b"\0"
    return start + vector(2, *extensions) if has_extensions else start


def rfc8448_hellos(kind: int) -> list[bytes]:
    found = []
    for line in (Path(__file__).parent / "rfc8448.txt").read_text().splitlines():
        if line.startswith(("client 16", "server 16")):
            record = bytes.fromhex(line.split()[1])
            if record[5] == kind:
                found.append(record[9:])
    return found


CLIENT_HELLOS = [*rfc8448_hellos(1), client_hello(*EVERYTHING), client_hello(has_extensions=False), client_hello()]
SERVER_HELLOS = [
    *rfc8448_hellos(2),
    server_hello(has_extensions=False, suite=0xC02F),
    server_hello(
        extension(0), extension(5), extension(16, vector(2, vector(1, b"h2"))), extension(22), extension(23),
        extension(35), extension(0xFF01, b"\0"), extension(1, b"\x02"), suite=0xC02F,
        random=b"R" * 24 + b"DOWNGRD\x01",
    ),
]  # fmt: skip
DRAFT18_SERVER_HELLO = numbers(0x7F12) + b"R" * 32 + numbers(0x1301) + vector(
    2, extension(40, numbers(29) + vector(2, b"K" * 32))
)  # fmt: skip
SSLV2_HELLO = vector(
    2,
    b"\x01" + numbers(0x0301) + numbers(9, 0, 16) + bytes.fromhex("010080 00002f 0000ff") + b"C" * 16,
)
SSLV2_HELLO = bytes([SSLV2_HELLO[0] | 0x80]) + SSLV2_HELLO[1:]

DER = bytes.fromhex("3003020101")
CERTIFICATE12 = vector(3, vector(3, DER), vector(3, DER + b"\0"))
CERTIFICATE13 = vector(1) + vector(3, vector(3, DER) + vector(2, extension(5, b"\x01" + vector(3, b"OCSP"))), vector(3, DER) + vector(2))
COMPRESSED = numbers(1) + len(CERTIFICATE13).to_bytes(3, "big") + vector(3, zlib.compress(CERTIFICATE13))
ECDHE_EXCHANGE = b"\x03" + numbers(23) + vector(1, b"P" * 65) + numbers(0x0804) + vector(2, b"G" * 256)
DHE_EXCHANGE = vector(2, b"\x80" + bytes(127)) + vector(2, b"\x02") + vector(2, b"Y" * 128) + vector(2, b"G" * 128)
REQUEST12 = vector(1, b"\x01\x40") + vector(2, numbers(0x0403, 0x0401)) + vector(2, vector(2, b"\x30\0"))
REQUEST13 = vector(1) + vector(2, extension(13, vector(2, numbers(0x0403))), extension(47, vector(2, vector(2, b"\x30\0"))))
STATUS = b"\x01" + vector(3, b"OCSP")
ENCRYPTED_EXTENSIONS = vector(2, extension(0), extension(16, vector(2, vector(1, b"h2"))), extension(42), extension(28, numbers(0x4001)))
