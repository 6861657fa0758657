"""Conversations that nobody held: parts of recorded ones, bent, cut, mixed and sent over a TCP that misbehaves.

What ``mutation`` changes stays a recording. Here every record, message, segment and closing is drawn anew, so that the
readers meet orders and lengths in states that no recording leads to.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).resolve().parents[1] / "degradation"))
from damage import read_pieces
from floods import ACK, FIN, PSH, RST, SERVER, SYN, segment

__all__ = ["Parts", "collect", "conversation", "mixture"]

_OPENINGS: tuple[tuple[bytes, bytes], ...] = (
    (b"", b""), (b"", b""), (b"", b""), (b"", b""), (b"", b""), (b"", b""),
    (b"EHLO x\r\nSTARTTLS\r\n", b"220 hi\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n"),
    (b"a1 STARTTLS\r\n", b"* OK\r\na1 OK go\r\n"),
    (b"STLS\r\n", b"+OK\r\n+OK go\r\n"),
    (b"AUTH TLS\r\n", b"220 x\r\n234 ok\r\n"),
    (b"CONNECT h.test:443 HTTP/1.1\r\nHost: h.test\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    (b"\5\1\0\5\1\0\3\6h.test\1\xbb", b"\5\0\5\0\0\1\0\0\0\0\0\0"),
    (b"\4\1\1\xbb\0\0\0\1u\0h.test\0", b"\0\x5a\0\0\0\0\0\0"),
    (b"PROXY TCP4 192.0.2.3 192.0.2.4 1 2\r\n", b""),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\0\1\0\2", b""),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", b"S"),
    (b"\x20\0\0\1\x85\xae\xff\0\0\0\0\1\x21" + bytes(23), b"\x4a\0\0\0\x0a5.7\0" + bytes(65)),
    (b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\x0b\0\0\0", b"\3\0\0\x13\x0e\xd0\0\0\x12\x34\0\2\x1f\x08\0\1\0\0\0"),
    (b"0\x1d\2\1\1w\x18\x80\x161.3.6.1.4.1.1466.20037", b"0\x0c\2\1\1x\7\n\1\0\4\0\4\0"),
)  # fmt: skip
"""What client and server may say before TLS."""

_PORTS = (443, 443, 443, 443, 25, 143, 110, 21, 389, 3306, 5432, 3389, 1433, 8080, 1080, 12345)
_HANDSHAKE = (0, 1, 2, 4, 8, 11, 12, 13, 14, 15, 16, 20, 22)
_TALK = (
    b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"SSH-2.0-x\r\n", b"220 hi ESMTP\r\n",
    b"\0\0\0", b"\x16", b"\x16\3", b"\x16\3\1\0",
)  # fmt: skip


@dataclass
class Parts:
    """Records as they followed each other, and messages, of the side that opened the connection (True) and the other."""

    records: dict[bool, list[list[bytes]]] = field(default_factory=lambda: {True: [], False: []})
    messages: dict[bool, list[bytes]] = field(default_factory=lambda: {True: [], False: []})


def collect(captures: Iterable[Path]) -> Parts:
    """The parts of recorded captures."""
    parts = Parts()
    for capture in captures:
        said = {True: b"", False: b""}
        pieces = [piece for piece in read_pieces(capture) if piece.source is not None]
        for piece in pieces:
            said[piece.source == pieces[0].source] += piece.data[piece.payload :][: piece.length] if piece.payload else b""
        for who, data in said.items():
            records = list(_split_records(data))
            if records:
                parts.records[who].append(records)
            parts.messages[who] += _split_messages(b"".join(each[5:] for each in records[:6] if each[0] == 22))
    return parts


def _split_records(data: bytes) -> Iterable[bytes]:
    at = 0
    while at + 5 <= len(data) and 20 <= data[at] <= 24 and data[at + 1] == 3:
        end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        yield data[at:end]
        at = end


def _split_messages(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 4 <= len(data) and data[at] in _HANDSHAKE:
        end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if end > len(data):
            break
        found.append(data[at:end])
        at = end
    return found


def _record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(body) & 0xFFFF) + body


def _bent(chance: random.Random, message: bytes) -> bytes:
    """A message with lengths that lie, bytes that came or went."""
    data = bytearray(message)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        if len(data) < 6:
            break
        at, kind = chance.randrange(4, len(data)), chance.randrange(8)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at : at + 2] = struct.pack(">H", chance.choice((0, 1, 2, 0xFFFF, 0x7FFF, len(data), chance.randrange(65_536))))
        elif kind == 2:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 20))
        elif kind == 4:
            data[at] = chance.choice((0, 255, 0x80, 1))
        elif kind == 5:
            other = chance.randrange(len(data))
            data[at:at] = data[other : other + chance.randrange(1, 60)]
        elif kind == 6:
            data[1:4] = chance.choice((0, 1, len(data) - 4, len(data), 0xFFFFFF, 0x20000, 0x20001)).to_bytes(3, "big")
        else:
            del data[at:]
    if chance.random() < 0.6 and len(data) >= 4:
        data[1:4] = (len(data) - 4).to_bytes(3, "big")
    return bytes(data)


def _in_records(chance: random.Random, messages: list[bytes]) -> list[bytes]:
    """A record a message, as few as do, or pieces of any size with other records between them."""
    joined, style = b"".join(messages), chance.randrange(4)
    if style == 0:
        return [_record(22, each[at : at + 16_384]) for each in messages for at in range(0, len(each), 16_384)]
    if style == 1:
        return [_record(22, joined[at : at + 16_384]) for at in range(0, len(joined), 16_384)]
    found, at = [], 0
    while at < len(joined):
        size = chance.choice((1, 2, 3, 5, 40, 300, 1_400, 16_384)) if style == 2 or len(found) > 400 else 1
        found.append(_record(22, joined[at : at + size]))
        at += size
        if chance.random() < 0.05:
            found.append(_record(chance.randrange(20, 25), chance.choice((b"", b"\1", b"\2\x28", b"\1\0", chance.randbytes(3)))))
    return found


def _odd(chance: random.Random) -> bytes:
    """Something that has no business here."""
    kind = chance.randrange(11)
    if kind == 0:
        return _record(21, bytes((chance.choice((1, 2, 3, 0, 255)), chance.randrange(256))), chance.choice((0x300, 0x301, 0x303, 0x3FF)))
    if kind == 1:
        return _record(21, chance.randbytes(chance.choice((0, 1, 3, 4, 26, 31, 40))))
    if kind == 2:
        return _record(20, chance.choice((b"\1", b"\2", b"", b"\1\1")))
    if kind == 3:
        return _record(23, chance.randbytes(chance.choice((0, 1, 16, 17, 19, 24, 53, 1_000))))
    if kind == 4:
        return _record(24, b"\1\0\3abc" + chance.randbytes(16))
    if kind == 5:
        return _record(22, b"")
    if kind == 6:
        return _record(chance.randrange(256), chance.randbytes(chance.randrange(30)), chance.randrange(65_536))
    if kind == 7:
        return struct.pack(">BHH", chance.randrange(20, 24), 0x0303, chance.choice((0, 16_385, 18_433, 65_535))) + chance.randbytes(99)
    if kind == 8:  # a ClientHello in SSLv2 format
        suites, challenge = chance.randbytes(chance.choice((3, 6, 30))), chance.randbytes(chance.choice((16, 32, 0)))
        version = chance.choice((b"\0\2", b"\3\0", b"\3\1", b"\3\3"))
        body = b"\1" + version + struct.pack(">HHH", len(suites), 0, len(challenge)) + suites + challenge
        return struct.pack(">H", 0x8000 | len(body)) + body
    if kind == 9:
        return chance.choice(_TALK)
    return _record(22, chance.choice((b"\0\0\0\0", bytes(200), b"\x18\0\0\1\0", b"\4\0\0\0", b"\x0e\0\0\0")))


def _side(chance: random.Random, parts: Parts, client: bool) -> bytes:
    """What one side says."""
    if chance.random() < 0.45:
        said = list(chance.choice(parts.records[client]))[: chance.choice((1, 2, 3, 6, 20))]
    else:
        drawn = [_bent(chance, chance.choice(parts.messages[client])) for _ in range(chance.choice((1, 1, 2, 3, 4, 8)))]
        said = _in_records(chance, drawn)
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
        said.insert(chance.randrange(len(said) + 1), _odd(chance))
    return b"".join(said)[: chance.choice((100_000, 100_000, 3_000))]


def conversation(chance: random.Random, parts: Parts, number: int = 0) -> list[bytes]:
    """The frames of one connection; every few of them, by ``number``, have the same addresses and ports."""
    client, ports = struct.pack(">I", 0xC0000201 + number % 5), (40_000 + number % 7, chance.choice(_PORTS))
    opening = chance.choice(_OPENINGS)
    data = {who: opening[not who] + _side(chance, parts, who) for who in (True, False)}
    if chance.random() < 0.1:
        data[chance.random() < 0.5] = b""
    first = {True: chance.choice((1_000, 2**32 - 50, chance.getrandbits(32))), False: chance.choice((5_000, 2**32 - 700))}
    sent = {True: 0, False: 0}

    def frame(who: bool, flags: int, offset: int, payload: bytes = b"") -> bytes:
        ends = (client, SERVER, ports) if who else (SERVER, client, ports[::-1])
        return segment(*ends, first[who] + 1 + offset, first[not who] + 1 + sent[not who], flags, payload)

    frames = []
    if chance.random() < 0.8:
        frames.append(frame(True, SYN, -1, data[True][:20] if chance.random() < 0.05 else b""))
        if chance.random() < 0.03:
            frames.append(frame(False, SYN, -1))
        frames += [frame(False, SYN | ACK, -1), frame(True, ACK, 0)]
    size = chance.choice((1, 7, 100, 536, 1_400, 1_400, 9_000, 60_000))
    if size == 1 and len(data[True]) + len(data[False]) > 4_000:
        size = 50
    for who, begin, end in _turns(chance, data, size):
        fate = chance.random()
        if fate < 0.02:
            continue  # lost
        flags = PSH | ACK | (chance.choice((FIN, RST, 0x20, SYN)) if fate > 0.995 else 0)
        frames.append(frame(who, flags, begin, data[who][begin:end]))
        sent[who] = max(sent[who], end)
        if fate < 0.04:
            frames[-2:] = frames[-2:][::-1]  # overtaken
        elif fate < 0.06:
            frames.append(frames[-1])
        elif fate < 0.08:  # other bytes over those that were there
            back = max(0, begin - chance.randrange(60))
            frames.append(frame(who, PSH | ACK, back, bytes(each ^ (chance.random() < 0.02) for each in data[who][back : end + 20])))
    for _ in range(chance.choice((0, 1, 1, 2))):
        who = chance.random() < 0.5
        flags = chance.choice((FIN | ACK, RST, RST | ACK, FIN | ACK | PSH))
        frames.append(frame(who, flags, sent[who], chance.choice((b"", b"", b"", _odd(chance)))))
    return frames


def _turns(chance: random.Random, data: dict[bool, bytes], size: int) -> Iterable[tuple[bool, int, int]]:
    """Who sends which bytes, in turns."""
    turns = chance.choice((1, 2, 3, 6))
    for turn in range(turns):
        for who in (True, False) if chance.random() < 0.85 else (False, True):
            at, end = len(data[who]) * turn // turns, len(data[who]) * (turn + 1) // turns
            while at < end:
                step = min(end - at, size if chance.random() < 0.9 else chance.randrange(1, size + 1))
                yield who, at, at + step
                at += step


def mixture(chance: random.Random, parts: Parts) -> list[bytes]:
    """The frames of a few connections, one after the other or at once."""
    waiting = [conversation(chance, parts, number)[::-1] for number in range(chance.choice((1, 1, 2, 4)))]
    together = chance.random() < 0.5
    frames = []
    while waiting := [each for each in waiting if each]:
        frames.append((chance.choice(waiting) if together else waiting[0]).pop())
    return frames
