"""Captures made to be slow: each of ``FLOODS`` gives the frames of one that grows with ``n``."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable

BEGIN = 1_767_225_600_000_000_000
CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 2])
ETHERNET = bytes(12) + b"\x08\x00"
SYN, RST, PSH, ACK, FIN = 2, 4, 8, 16, 1


def pcap(frames: list[bytes], step: int = 1_000) -> io.BytesIO:
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    for number, frame in enumerate(frames):
        seconds, rest = divmod(BEGIN + number * step, 10**9)
        out.append(struct.pack("<IIII", seconds, rest, len(frame), len(frame)) + frame)
    return io.BytesIO(b"".join(out))


def packet(
    payload: bytes, protocol: int = 6, source: bytes = CLIENT, target: bytes = SERVER, *, number: int = 1, fragment: int = 0
) -> bytes:
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number % 65536, fragment, 64, protocol, 0, source, target) + payload


def segment(
    source: bytes, target: bytes, ports: tuple[int, int], sequence: int, acknowledgment: int, flags: int, data: bytes = b""
) -> bytes:
    head = struct.pack("!HHIIBBHHH", *ports, sequence % 2**32, acknowledgment % 2**32, 0x50, flags, 64_000, 0, 0)
    return ETHERNET + packet(head + data, 6, source, target)


def said(data: bytes, offset: int = 0, port: int = 40_000, server_port: int = 443, *, by_server: bool = False) -> bytes:
    """One segment of an open connection."""
    if by_server:
        return segment(SERVER, CLIENT, (server_port, port), 5_000 + offset, 1_000, PSH | ACK, data)
    return segment(CLIENT, SERVER, (port, server_port), 1_000 + offset, 5_000, PSH | ACK, data)


def connect(port: int = 40_000, server_port: int = 443) -> list[bytes]:
    return [
        segment(CLIENT, SERVER, (port, server_port), 999, 0, SYN),
        segment(SERVER, CLIENT, (server_port, port), 4_999, 1_000, SYN | ACK),
        segment(CLIENT, SERVER, (port, server_port), 1_000, 5_000, ACK),
    ]


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def hello(extensions: bytes = b"") -> bytes:
    body = b"\x03\x03" + b"R" * 32 + b"\0\0\x02\x13\x01\x01\0" + struct.pack("!H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def stream(data: bytes, size: int = 1_400, order: str = "") -> list[bytes]:
    pieces = [(at, data[at : at + size]) for at in range(0, len(data), size)]
    if order == "backwards":
        pieces.reverse()
    elif order == "shuffled":
        random.Random(1).shuffle(pieces)
    elif order == "odd first":
        pieces = pieces[1::2] + pieces[0::2]
    return connect() + [said(piece, at) for at, piece in pieces]


def syn_flood(n: int) -> list[bytes]:
    return [segment(struct.pack("!I", 0x0A000000 + i), SERVER, (1024 + i % 60_000, 443), i, 0, SYN) for i in range(n)]


def reused_tuples(n: int) -> list[bytes]:
    return [segment(CLIENT, SERVER, (1024 + i // 2 % 60_000, 443), i * 7919, 0, SYN) for i in range(n)]


def one_tuple(n: int) -> list[bytes]:
    return [segment(CLIENT, SERVER, (40_000, 443), i * 7919, 0, SYN) for i in range(n)]


def single_bytes(n: int) -> list[bytes]:
    return stream(record(22, b"\x01\0\xff\xff" + b"a" * 16_000)[: n % 16_000 + 5] * (n // 16_000 + 1), 1)[: n + 3]


def out_of_order(order: str) -> Callable[[int], list[bytes]]:
    return lambda n: stream(record(22, b"\x01\0\xff\xff" + b"a" * 16_000) * (n // 1_000 + 1), 16, order)[: n + 3]


def overlapping(n: int) -> list[bytes]:
    chance = random.Random(2)
    return connect() + [said(bytes([chance.randrange(256)]) * chance.randrange(1, 30), chance.randrange(1, 16_000)) for _ in range(n)]


def empty_records(n: int) -> list[bytes]:
    return stream(record(22, hello()[:10]) + record(22, b"") * n)


def single_byte_records(n: int) -> list[bytes]:
    body = b"\x01\0\xff\xff" + bytes(60_000)
    return stream(b"".join(record(22, body[i % 60_000 : i % 60_000 + 1]) for i in range(n)))


def warnings(n: int) -> list[bytes]:
    return stream(record(22, hello()) + record(21, b"\x01\x5a") * n)


def extensions(n: int) -> list[bytes]:
    whole = hello(b"".join(struct.pack("!HH", i * 7 % 65536, 0) for i in range(min(n, 16_000))))
    return stream(b"".join(record(22, whole[at : at + 16_000]) for at in range(0, len(whole), 16_000)))


def hellos(n: int) -> list[bytes]:
    frames: list[bytes] = []
    for i in range(n):
        name = b"h%d.example" % i
        sni = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
        frames += [*connect(1024 + i % 60_000), said(record(22, hello(sni)), port=1024 + i % 60_000)]
        frames.append(said(record(21, b"\x02\x28"), port=1024 + i % 60_000, by_server=True))
    return frames


def plain_connections(n: int) -> list[bytes]:
    frames: list[bytes] = []
    for i in range(n):
        port = 1024 + i % 60_000
        frames += [*connect(port), said(b"GET / HTTP/1.1\r\n", port=port), said(b"HTTP/1.1 400 \r\n", port=port, by_server=True)]
    return frames


def resets_of_one(n: int) -> list[bytes]:
    flood = [segment(SERVER, CLIENT, (443, 40_000), 5_000 + i, 0, RST) for i in range(n)]
    return [*connect(), said(record(22, hello())), *flood]


def reset_connections(n: int) -> list[bytes]:
    frames: list[bytes] = []
    for i in range(n):
        port = 1024 + i % 60_000
        frames += [*connect(port), said(record(22, hello()), port=port), segment(SERVER, CLIENT, (443, port), 5_000, 1_000, RST | ACK)]
    return frames


def bare_acks(n: int) -> list[bytes]:
    flood = [segment(SERVER, CLIENT, (443, 40_000), 5_000, 1_000 + i % 50, ACK) for i in range(n)]
    return [*connect(), said(record(22, hello())), *flood]


def greeting(n: int) -> list[bytes]:
    return connect(server_port=25) + [said(b"220-A\n", i * 6, server_port=25, by_server=True) for i in range(n)]


def one_letter_commands(n: int) -> list[bytes]:
    start = [*connect(server_port=25), said(b"220 hi\r\n", server_port=25, by_server=True)]
    return start + [said(b"A", i, server_port=25) for i in range(n)]


def tunnels(n: int) -> list[bytes]:
    frames = []
    for _ in range(n // 40):
        inner = segment(CLIENT, SERVER, (40_000, 443), 1, 0, SYN)[14:]
        for _ in range(40):
            inner = packet(inner, 4)
        frames.append(ETHERNET + inner)
    return frames


def fragments(n: int) -> list[bytes]:
    return [ETHERNET + packet(b"a" * 8, number=i, fragment=0x2000 | i % 100) for i in range(n)]


def fragments_of_one(n: int) -> list[bytes]:
    return [ETHERNET + packet(b"a" * 8, number=7, fragment=0x2000 | i % 8_000) for i in range(n)]


def icmp_errors(n: int) -> list[bytes]:
    quoted = segment(CLIENT, SERVER, (40_000, 443), 999, 0, SYN)[14:42]
    return connect()[:1] + [ETHERNET + packet(struct.pack("!BBHI", 3, 1, 0, 0) + quoted, 1, SERVER, CLIENT) for _ in range(n)]


FLOODS: dict[str, tuple[Callable[[int], list[bytes]], int]] = {
    "SYNs of many clients": (syn_flood, 3_000),
    "every tuple twice": (reused_tuples, 3_000),
    "one tuple over and over": (one_tuple, 800),
    "one byte a segment": (single_bytes, 12_000),
    "segments backwards": (out_of_order("backwards"), 12_000),
    "segments shuffled": (out_of_order("shuffled"), 12_000),
    "odd segments first": (out_of_order("odd first"), 12_000),
    "segments over each other": (overlapping, 12_000),
    "empty records": (empty_records, 40_000),
    "records of one byte": (single_byte_records, 20_000),
    "warnings": (warnings, 40_000),
    "extensions": (extensions, 4_000),
    "refused hellos": (hellos, 500),
    "plain text": (plain_connections, 700),
    "resets of one connection": (resets_of_one, 12_000),
    "reset connections": (reset_connections, 500),
    "bare acknowledgments": (bare_acks, 12_000),
    "an endless greeting": (greeting, 12_000),
    "commands letter by letter": (one_letter_commands, 12_000),
    "tunnels in tunnels": (tunnels, 20_000),
    "fragments of many datagrams": (fragments, 8_000),
    "fragments of one datagram": (fragments_of_one, 12_000),
    "errors of routers": (icmp_errors, 8_000),
}
"""Name: frames for ``n``, and a first ``n`` that takes a tenth of a second or so."""
