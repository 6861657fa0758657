"""ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443) errors that quote a TCP packet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import numpy as np

from analyzer.decode.packets import Code, Packets, Work, layout
from analyzer.model.batches import IcmpError

__all__ = ["read_icmp"]

QUOTE = layout(48, type=(0, "u1"), version=(8, "u1"), fragment=(14, ">u2"), protocol=(17, "u1"), next=(14, "u1"))

ERRORS = {4: (3, 4, 11, 12), 6: (1, 2, 3, 4)}
"""Unreachable, source quench, time exceeded, parameter problem; unreachable, too big, time exceeded, parameter problem."""
EXTENSIONS = (0, 43, 44, 60, 135)
MAX_ERRORS = 4_096
"""Errors kept of one batch: a scan can draw one for every packet it sends."""
QUOTED = 256
"""Bytes of the quote that are looked at."""


def read_icmp(work: Work, packets: Packets) -> Packets:
    """Keep the errors that quote TCP in ``work.icmp``; no packet goes on."""
    header = work.read(packets, QUOTE)
    four = packets.code == Code.PROTOCOL + 1
    outer = work.byte(packets.ip) >> 4
    quotes_four = four & (outer == 4) & np.isin(header["type"], ERRORS[4]) & (header["version"] >> 4 == 4)
    quotes_four &= (header["protocol"] == 6) & (header["fragment"] & 0x1FFF == 0)
    quotes_six = ~four & (outer == 6) & np.isin(header["type"], ERRORS[6]) & (header["version"] >> 4 == 6)
    quotes_six &= np.isin(header["next"], (6, *EXTENSIONS))
    found = packets.select(np.flatnonzero((quotes_four | quotes_six) & (packets.end - packets.start >= 36)))
    room = max(MAX_ERRORS - len(work.icmp), 0)
    work.count("icmp", len(packets) - max(len(found) - room, 0))
    work.count("icmp beyond the cap", max(len(found) - room, 0))
    columns = (found.row, found.start, np.minimum(found.end, found.start + 8 + QUOTED), found.ip)
    for row, start, end, ip in zip(*(column[:room].tolist() for column in columns), strict=True):
        outer_header = work.data[ip : ip + 40].tobytes()
        error = _read_error(work.data[start:end].tobytes(), outer_header)
        if error is not None:
            error.frame, error.timestamp = int(work.frames.number[row]), int(work.frames.timestamp[row])
            work.icmp.append(error)
    return Packets.none()


def _read_error(message: bytes, outer: bytes) -> IcmpError | None:
    """One error from its ICMP message and the IP header before it; None where the quote holds no TCP ports."""
    kind, code, quote = message[0], message[1], message[8:]
    if quote[0] >> 4 == 4:
        source, destination = _halves(b"\0" * 10 + b"\xff\xff" + quote[12:16]), _halves(b"\0" * 10 + b"\xff\xff" + quote[16:20])
        segment = quote[(quote[0] & 15) * 4 :] if quote[0] & 15 >= 5 else b""
        reporter, mtu = str(IPv4Address(outer[12:16])), _number(message[6:8]) if (kind, code) == (3, 4) else 0
    else:
        source, destination = _halves(quote[8:24]), _halves(quote[24:40])
        segment = _skip_extensions(quote[6], quote[40:])
        reporter, mtu = str(IPv6Address(outer[8:24])), _number(message[4:8]) if kind == 2 else 0
    if len(segment) < 8:
        return None
    return IcmpError(
        frame=0,
        timestamp=0,
        reporter=reporter,
        version=quote[0] >> 4,
        type=kind,
        code=code,
        mtu=mtu,
        source=source,
        destination=destination,
        source_port=_number(segment[:2]),
        destination_port=_number(segment[2:4]),
        sequence=_number(segment[4:8]),
    )


def _skip_extensions(protocol: int, rest: bytes) -> bytes:
    """What follows at most 8 IPv6 extension headers when it is TCP; b'' when it is not, or was quoted too short."""
    for _ in range(9):
        if protocol == 6:
            return rest
        if protocol not in EXTENSIONS or len(rest) < 8 or (protocol == 44 and _number(rest[2:4]) & 0xFFF8):
            return b""
        protocol, rest = rest[0], rest[8 if protocol == 44 else (rest[1] + 1) * 8 :]
    return b""


def _halves(address: bytes) -> tuple[int, int]:
    return _number(address[:8]), _number(address[8:16])


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
