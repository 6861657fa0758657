"""TCP conversations written byte by byte into a capture file and read by the whole pipeline: what a rule sees is what it gets."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
NOW = 1_767_225_600_000_000_000


def hello(name: str = "server.example", suites: tuple[int, ...] = (0xC02F, 0xC030, 0xC02B), alpn: tuple[str, ...] = ()) -> bytes:
    """A ClientHello of TLS 1.2 in its record."""
    encoded = name.encode()
    sni = struct.pack("!HHHBH", 0, len(encoded) + 5, len(encoded) + 3, 0, len(encoded)) + encoded
    groups = struct.pack("!HHHH", 10, 4, 2, 29)
    schemes = struct.pack("!HHHHHH", 13, 8, 6, 0x0403, 0x0804, 0x0401)
    extensions = sni + groups + schemes
    if alpn:
        names = b"".join(bytes([len(n)]) + n.encode() for n in alpn)
        extensions += struct.pack("!HHH", 16, len(names) + 2, len(names)) + names
    offered = b"".join(struct.pack("!H", suite) for suite in suites)
    body = b"\x03\x03" + b"\x11" * 32 + b"\0" + struct.pack("!H", len(offered)) + offered + b"\x01\0"
    body += struct.pack("!H", len(extensions)) + extensions
    return _record(22, b"\x01" + len(body).to_bytes(3, "big") + body)


def server_hello(suite: int = 0xC02F, alpn: str = "") -> bytes:
    """A ServerHello of TLS 1.2 in its record."""
    extensions = struct.pack("!HHB", 0xFF01, 1, 0)
    if alpn:
        extensions += struct.pack("!HHHB", 16, len(alpn) + 3, len(alpn) + 1, len(alpn)) + alpn.encode()
    body = b"\x03\x03" + b"\x22" * 32 + b"\0" + struct.pack("!HB", suite, 0) + struct.pack("!H", len(extensions)) + extensions
    return _record(22, b"\x02" + len(body).to_bytes(3, "big") + body)


def finished_flights(suite: int = 0xC02F, alpn: str = "") -> tuple[bytes, bytes, bytes]:
    """The rest of a TLS 1.2 handshake after the ClientHello: server's flight, client's, server's."""
    exchange = b"\x0c" + (8).to_bytes(3, "big") + b"\x03\0\x1d\x04abcd"
    first = server_hello(suite, alpn) + _record(22, exchange) + _record(22, b"\x0e\0\0\0")
    key = _record(22, b"\x10" + (33).to_bytes(3, "big") + b"\x20" + b"k" * 32)
    return first, key + _record(20, b"\x01") + _record(22, b"e" * 40), _record(20, b"\x01") + _record(22, b"f" * 40)


def alert(description: int, level: int = 2) -> bytes:
    return _record(21, bytes([level, description]))


def data(length: int = 60) -> bytes:
    """An encrypted record of application data."""
    return _record(23, b"d" * length)


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + struct.pack("!H", len(body)) + body


class Conversation:
    """One TCP connection. Each call puts one packet on the wire, ``wait`` ms after the one before."""

    def __init__(
        self, wire: Wire, client: str = "192.0.2.1", server: str = "198.51.100.2", port: int = 443, client_port: int = 0, rtt: float = 20.0
    ) -> None:
        self.wire = wire
        self.ends = {True: (client, client_port or wire.next_port()), False: (server, port)}
        self.rtt = rtt
        self.number = {True: 1_000, False: 5_000}
        self.ttl = {True: 64, False: 57}
        self.last = {True: True, False: True}

    def connect(self) -> Conversation:
        self.packet(True, SYN, wait=0.1)
        self.packet(False, SYN | ACK, wait=self.rtt)
        return self.packet(True, ACK, wait=0.1)

    def client(self, payload: bytes, wait: float = 0.2, acknowledged: bool = True) -> Conversation:
        """The client sends; the server's kernel acknowledges."""
        self.packet(True, PSH | ACK, payload, wait)
        return self.packet(False, ACK, wait=self.rtt) if acknowledged else self

    def server(self, payload: bytes, wait: float = 1.0) -> Conversation:
        self.packet(False, PSH | ACK, payload, wait)
        return self.packet(True, ACK, wait=0.1)

    def close(self, from_client: bool, wait: float = 1.0, answered: bool = True) -> Conversation:
        """FIN, and the other side's."""
        self.packet(from_client, FIN | ACK, wait=wait)
        return self.packet(not from_client, FIN | ACK, wait=self.rtt) if answered else self

    def reset(self, from_client: bool, wait: float = 1.0, ttl: int = 0, ack: bool = True, offset: int = 0) -> Conversation:
        return self.packet(from_client, RST | ACK if ack else RST, wait=wait, ttl=ttl, offset=offset)

    def packet(self, from_client: bool, flags: int, payload: bytes = b"", wait: float = 0.1, ttl: int = 0, offset: int = 0) -> Conversation:
        (source, source_port), (target, target_port) = self.ends[from_client], self.ends[not from_client]
        sequence = self.number[from_client]
        acknowledgment = self.number[not from_client] if flags & ACK else 0
        self.wire.put(
            source, target, source_port, target_port, (sequence + offset) % 2**32, acknowledgment, flags, payload,
            ttl or self.ttl[from_client], wait,
        )  # fmt: skip
        if not flags & RST:
            self.number[from_client] = sequence + len(payload) + bool(flags & (SYN | FIN))
        return self


class Wire:
    """What was captured: conversations in the order their packets were put."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = NOW
        self.packets: list[bytes] = []
        self.ports = 40_000
        self.identity = 100

    def next_port(self) -> int:
        self.ports += 1
        return self.ports

    def connect(self, **how: Any) -> Conversation:
        return Conversation(self, **how).connect()

    def put(
        self, source: str, target: str, source_port: int, target_port: int, sequence: int, acknowledgment: int, flags: int, payload: bytes,
        ttl: int, wait: float,
    ) -> None:  # fmt: skip
        self.now += int(wait * 1e6)
        self.identity += 1
        options = b"\x02\x04\x05\xb4" if flags & SYN else b""
        segment = struct.pack(
            "!HHIIBBHHH", source_port, target_port, sequence, acknowledgment, (20 + len(options)) << 2, flags, 64_000, 0, 0
        )
        segment += options + payload
        if ":" in source:
            head = struct.pack("!IHBB", 6 << 28, len(segment), 6, ttl)
            packet = b"\0" * 12 + b"\x86\xdd" + head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
        else:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, ttl, 6, 0)
            packet = b"\0" * 12 + b"\x08\0" + head + socket.inet_aton(source) + socket.inet_aton(target)
        packet += segment
        seconds, rest = divmod(self.now, 10**9)
        self.packets.append(struct.pack("<IIII", seconds, rest, len(packet), len(packet)) + packet)

    def pause(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)

    def read(self, **options: Any) -> list[Handshake]:
        """Every attempt, judged. A rule that crashes fails the test."""
        self.path.write_bytes(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 1) + b"".join(self.packets))
        run = Run([str(self.path)], Options(**options))
        handshakes = list(run.handshakes())
        assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
        return handshakes


def verdict(handshake: Handshake) -> tuple[str | None, str | None, str, str]:
    """(cause, confidence, outcome, who ended it)."""
    found = handshake.finding
    return (found.cause if found else None, found.confidence if found else None, handshake.outcome, handshake.aborted_by)
