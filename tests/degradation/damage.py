"""Captures damaged on purpose: recorded frames in, pcap bytes out, and what may still be said of them.

Two kinds of damage. What loses nothing (copies, swapped neighbours, other cuts of the same stream, coarse clocks) must
not change the verdict. What loses something (an early end, a late start, lost frames, one direction, a snaplen) may
make it vaguer, never surely wrong.
"""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from analyzer.decode.decoder import Decoder
from analyzer.model.batches import TcpFlag
from analyzer.sources import open_source

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
MS = 1_000_000
SECOND = 1_000 * MS

Endpoint = tuple[int, int, int]
"""Address in two halves, and port."""


@dataclass(frozen=True)
class Piece:
    """One frame as recorded, with what its TCP segment says of itself."""

    data: bytes
    timestamp: int
    original: int
    link_type: int
    source: Endpoint | None = None
    destination: Endpoint | None = None
    payload: int = 0
    """Where the payload begins in ``data``; 0 without one."""
    length: int = 0
    """Bytes of payload."""
    sequence: int = 0
    flags: int = 0
    plain: bool = False
    """Ethernet, IPv4 without options, TCP: a frame that can be cut into others."""


def read_pieces(path: Path) -> list[Piece]:
    """Frames of a capture, in the order of the file."""
    pieces: list[Piece] = []
    decoder = Decoder()
    with open_source([str(path)]) as source:
        for batch in source:
            first = len(pieces)
            data = batch.data.tobytes()
            for i in range(len(batch)):
                begin = int(batch.offset[i])
                frame = data[begin : begin + int(batch.captured_length[i])]
                pieces.append(Piece(frame, int(batch.timestamp[i]), int(batch.original_length[i]), int(batch.link_type[i])))
            numbers = {int(number): first + i for i, number in enumerate(batch.number)}
            offsets = {int(number): int(offset) for number, offset in zip(batch.number, batch.offset, strict=True)}
            s = decoder.decode(batch)
            for i in range(len(s)):
                number = int(s.frame[i])
                at = numbers[number]
                if pieces[at].source is not None:
                    continue
                frame = pieces[at].data
                begin = int(s.payload_offset[i]) - offsets[number]
                inside = 0 <= begin <= len(frame)
                pieces[at] = replace(
                    pieces[at],
                    source=(int(s.source_high[i]), int(s.source_low[i]), int(s.source_port[i])),
                    destination=(int(s.destination_high[i]), int(s.destination_low[i]), int(s.destination_port[i])),
                    payload=begin if inside else 0,
                    length=int(s.payload_length[i]) if inside else 0,
                    sequence=int(s.sequence[i]),
                    flags=int(s.flags[i]),
                    plain=pieces[at].link_type == 1 and frame[12:15] == b"\x08\x00\x45" and frame[23] == 6 and inside,
                )
    return pieces


def write_pcap(pieces: list[Piece]) -> io.BytesIO:
    """A capture of these frames: pcap with ns; pcapng where the link types differ."""
    links = {piece.link_type for piece in pieces}
    if len(links) > 1:
        return _write_pcapng(pieces, sorted(links))
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, next(iter(links), 1))]
    for piece in pieces:
        seconds, rest = divmod(piece.timestamp, SECOND)
        out.append(struct.pack("<IIII", seconds, rest, len(piece.data), piece.original) + piece.data)
    return io.BytesIO(b"".join(out))


def _write_pcapng(pieces: list[Piece], links: list[int]) -> io.BytesIO:
    out = [struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)]
    for link in links:
        out.append(struct.pack("<IIHHIHHB3xHHI", 1, 32, link, 0, 262144, 9, 1, 9, 0, 0, 32))
    for piece in pieces:
        body = struct.pack(
            "<IIIII", links.index(piece.link_type), piece.timestamp >> 32, piece.timestamp & 0xFFFFFFFF, len(piece.data), piece.original
        )
        body += piece.data + bytes(-len(piece.data) % 4)
        out.append(struct.pack("<II", 6, len(body) + 12) + body + struct.pack("<I", len(body) + 12))
    return io.BytesIO(b"".join(out))


# -- what loses nothing ---------------------------------------------------------------------------


def twice(pieces: list[Piece], delay: int = 3_000) -> list[Piece]:
    """Each frame twice, as a mirror port shows it."""
    return [copy for piece in pieces for copy in (piece, replace(piece, timestamp=piece.timestamp + delay))]


def written_late(pieces: list[Piece], at: int) -> list[Piece]:
    """Two neighbours in the wrong order in the file, each with its own time."""
    return [*pieces[:at], pieces[at + 1], pieces[at], *pieces[at + 2 :]]


def overtaken(pieces: list[Piece], at: int) -> list[Piece]:
    """Two neighbours that the network swapped."""
    one, two = pieces[at], pieces[at + 1]
    return [*pieces[:at], replace(two, timestamp=one.timestamp), replace(one, timestamp=two.timestamp), *pieces[at + 2 :]]


def same_flight(pieces: list[Piece], at: int) -> bool:
    """Whether a frame and the next are payload of one side, nothing special, in turn: the network may swap them."""
    one, two = pieces[at], pieces[at + 1]
    special = TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST
    return one.source is not None and one.source == two.source and bool(one.length and two.length) and not (one.flags | two.flags) & special


def cut_anew(pieces: list[Piece], size: int) -> list[Piece]:
    """Each payload in segments of at most ``size`` bytes."""
    answer: list[Piece] = []
    for piece in pieces:
        if (
            not piece.plain
            or piece.length <= size
            or piece.original != len(piece.data)
            or piece.flags & (TcpFlag.SYN | TcpFlag.RST | TcpFlag.URG)
        ):
            answer.append(piece)
            continue
        payload = piece.data[piece.payload : piece.payload + piece.length]
        for begin in range(0, len(payload), size):
            part = payload[begin : begin + size]
            last = begin + size >= len(payload)
            head = bytearray(piece.data[: piece.payload])
            head[16:18] = struct.pack(">H", len(head) - 14 + len(part))
            tcp = 34
            head[tcp + 4 : tcp + 8] = struct.pack(">I", (piece.sequence + begin) & 0xFFFFFFFF)
            flags = piece.flags if last else piece.flags & ~(TcpFlag.FIN | TcpFlag.PSH)
            head[tcp + 13] = flags
            data = bytes(head) + part
            answer.append(replace(piece, data=data, original=len(data), length=len(part), flags=flags, timestamp=piece.timestamp + begin))
    return answer


def coarse(pieces: list[Piece], tick: int = SECOND) -> list[Piece]:
    """Times cut to whole ticks, as a slow clock gives them."""
    return [replace(piece, timestamp=piece.timestamp // tick * tick) for piece in pieces]


def set_back(pieces: list[Piece], at: int, by: int) -> list[Piece]:
    """A clock that is set back by ``by`` ns before the frame at ``at``: how long it was silent there is lost, and no more."""
    return [replace(piece, timestamp=piece.timestamp - by * (place >= at)) for place, piece in enumerate(pieces)]


# -- what loses something -------------------------------------------------------------------------


def one_side(pieces: list[Piece], endpoint: Endpoint, sends: bool) -> list[Piece]:
    """Only what an end sent, or only what it got; frames without TCP stay."""
    return [p for p in pieces if p.source is None or (p.source == endpoint if sends else p.destination == endpoint)]


def snapped(pieces: list[Piece], snaplen: int) -> list[Piece]:
    """Frames cut to ``snaplen`` bytes."""
    return [replace(piece, data=piece.data[:snaplen]) for piece in pieces]


def begins_and_ends(pieces: list[Piece]) -> list[Piece]:
    """What a filter on flags (SYN, FIN, RST) lets pass."""
    return [piece for piece in pieces if piece.flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST)]


def with_payload(pieces: list[Piece]) -> list[Piece]:
    """What a filter on payload, or on PSH, lets pass."""
    return [piece for piece in pieces if piece.length]


def two_clocks(pieces: list[Piece], shift: int) -> list[Piece]:
    """What clients sent recorded by a clock that goes ``shift`` ns ahead, and the whole put in order by these times."""
    clients = {piece.source for piece in pieces if piece.flags & TcpFlag.SYN and not piece.flags & TcpFlag.ACK}
    moved_on = (replace(piece, timestamp=piece.timestamp + shift) if piece.source in clients else piece for piece in pieces)
    return sorted(moved_on, key=lambda piece: piece.timestamp)


def thinned(pieces: list[Piece], share: float, chance: random.Random) -> list[Piece]:
    """Each frame lost with the same probability."""
    return [piece for piece in pieces if chance.random() >= share]


def without(pieces: list[Piece], begin: int, end: int) -> list[Piece]:
    """A burst of frames lost."""
    return pieces[:begin] + pieces[end:]


# -- neighbours -----------------------------------------------------------------------------------


def moved(pieces: list[Piece], number: int, start: int, *, clients: bool) -> list[Piece]:
    """The same recording of another server (and of other clients), beginning at another time."""
    shift = start - min((piece.timestamp for piece in pieces), default=0)
    names: dict[bytes, bytes] = {}
    for piece in pieces:
        if piece.plain and piece.source and piece.destination:
            server_sends = piece.source[2] < piece.destination[2]
            server, client = (piece.data[26:30], piece.data[30:34]) if server_sends else (piece.data[30:34], piece.data[26:30])
            names.setdefault(server, bytes([203, 0, 113, number % 250 + 1]))
            if clients:
                names.setdefault(client, bytes([198, 18, number % 250, 7]))
    answer = []
    for piece in pieces:
        if not piece.plain:
            continue
        head = bytearray(piece.data)
        head[26:30] = names.get(piece.data[26:30], piece.data[26:30])
        head[30:34] = names.get(piece.data[30:34], piece.data[30:34])
        answer.append(replace(piece, data=bytes(head), timestamp=piece.timestamp + shift))
    return answer


def merged(*captures: list[Piece]) -> list[Piece]:
    """Several recordings in one file, by time."""
    return sorted((piece for capture in captures for piece in capture), key=lambda piece: piece.timestamp)


# -- all of them ----------------------------------------------------------------------------------

Damage = tuple[str, list[Piece]]


def lossless(pieces: list[Piece]) -> Iterator[Damage]:
    """Everything that loses nothing: the verdict must stay."""
    yield "twice", twice(pieces)
    yield "twice at once", twice(pieces, 0)
    for size in (1, 37, 536):
        yield f"cut anew {size}", cut_anew(pieces, size)
    for at in range(len(pieces) - 1):
        yield f"written late {at + 1}", written_late(pieces, at)
        if same_flight(pieces, at):
            yield f"overtaken {at + 1}", overtaken(pieces, at)


def losing(pieces: list[Piece], seed: int = 0) -> Iterator[Damage]:
    """Everything that loses something: nothing certain may be wrong."""
    chance = random.Random(seed)
    for at in range(1, len(pieces)):
        yield f"ends after {at}", pieces[:at]
        yield f"starts after {at}", pieces[at:]
        yield f"without {at}", without(pieces, at - 1, at)
    for _ in range(4):
        begin = chance.randrange(len(pieces))
        yield f"without {begin + 1} on", without(pieces, begin, begin + chance.randrange(2, 6))
    for share in (0.1, 0.25, 0.4):
        for number in range(3):
            yield f"thinned {share} {number}", thinned(pieces, share, chance)
    ends = {piece.source for piece in pieces if piece.source is not None}
    for end in sorted(ends):
        yield f"only from {end[2]}", one_side(pieces, end, True)
    for snaplen in (54, 64, 96, 128, 200):
        yield f"snaplen {snaplen}", snapped(pieces, snaplen)
    yield "begins and ends", begins_and_ends(pieces)
    yield "with payload", with_payload(pieces)
    yield "coarse", coarse(pieces)
    yield "coarse 10 ms", coarse(pieces, 10 * MS)


def _sort_key(endpoints: frozenset[Endpoint]) -> list[Endpoint]:
    return sorted(endpoints)
