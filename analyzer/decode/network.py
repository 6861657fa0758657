"""Network layer: IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200)."""

from __future__ import annotations

import numpy as np

from analyzer.decode.packets import Code, Packets, Work, layout

__all__ = ["read_extension", "read_ip", "read_ipv4", "read_ipv6"]

IPV4 = layout(
    20, version=(0, "u1"), total=(2, ">u2"), id=(4, ">u2"), fragment=(6, ">u2"), ttl=(8, "u1"), protocol=(9, "u1"),
    source=(12, ">u4"), destination=(16, ">u4"),
)  # fmt: skip
IPV6 = layout(
    40, version=(0, "u1"), length=(4, ">u2"), next=(6, "u1"), hop_limit=(7, "u1"),
    source_high=(8, ">u8"), source_low=(16, ">u8"), destination_high=(24, ">u8"), destination_low=(32, ">u8"),
)  # fmt: skip
EXTENSION = layout(8, next=(0, "u1"), length=(1, "u1"), offset=(2, ">u2"), id=(4, ">u4"))

FRAGMENT, AUTHENTICATION = Code.PROTOCOL + 44, Code.PROTOCOL + 51
EXTENSIONS = tuple(Code.PROTOCOL + n for n in (0, 43, 44, 51, 60, 135, 139, 140))
"""Hop-by-hop, routing, fragment, AH, destination options, mobility, HIP, shim6."""


def read_ip(work: Work, packets: Packets) -> Packets:
    """Tell IPv4 from IPv6 by the version where nothing else does."""
    packets = work.need(packets, 1)
    version = work.byte(packets.start) >> 4
    known = (version == 4) | (version == 6)
    packets = work.keep(packets, known, "bad ip version")
    return packets.past(0, np.where(version[known] == 4, Code.IPV4, Code.IPV6))


def read_ipv4(work: Work, packets: Packets) -> Packets:
    """IPv4 header with options. A total length of 0 (segmentation offload) means to the end of the frame."""
    packets = work.need(packets, 20)
    header = work.read(packets, IPV4)
    first = header["version"]
    total = header["total"].astype(np.int64)
    if not total.all():
        total = np.where(total == 0, np.maximum(packets.wire_end - packets.start, 20), total)
    if not (first == 0x45).all() or (total < 20).any():
        length = (first & 15).astype(np.int64) * 4
        reason = np.where(first >> 4 != 4, 1, np.where(length < 20, 2, np.where(total < length, 3, 0)))
        for number, text in enumerate(("bad ip version", "bad ip header length", "bad ip total length"), 1):
            work.count(text, np.count_nonzero(reason == number))
        good = reason == 0
        packets, header, total, past = packets.select(good), header[good], total[good], length[good]
    else:
        past = np.full(len(packets), 20, np.int64)
    wire_end = packets.start + total
    code = header["protocol"].astype(np.int32) + Code.PROTOCOL
    fragmented = header["fragment"] & 0x3FFF
    if fragmented.any():
        code[fragmented != 0] = Code.FRAGMENT4
    return Packets(packets.row, packets.start + past, np.minimum(packets.end, wire_end), wire_end, packets.start, code)


def read_ipv6(work: Work, packets: Packets) -> Packets:
    """IPv6 fixed header. A payload length of 0 (jumbogram, segmentation offload) means to the end of the frame."""
    packets = work.need(packets, 40)
    header = work.read(packets, IPV6)
    good = header["version"] >> 4 == 6
    if not good.all():
        packets, header = work.keep(packets, good, "bad ip version"), header[good]
    start = packets.start + 40
    length = header["length"].astype(np.int64)
    wire_end = np.where(length == 0, np.maximum(packets.wire_end, start), start + length)
    code = header["next"].astype(np.int32) + Code.PROTOCOL
    return Packets(packets.row, start, np.minimum(packets.end, wire_end), wire_end, packets.start, code)


def read_extension(work: Work, packets: Packets) -> Packets:
    """One IPv6 extension header (RFC 8200 section 4), or AH (RFC 4302) of either version."""
    version = work.byte(packets.ip) >> 4
    packets = work.keep(packets, (version == 6) | (packets.code == AUTHENTICATION), "other ip protocol")
    packets = work.need(packets, 8)
    header = work.read(packets, EXTENSION)
    length = header["length"].astype(np.int64)
    size = np.where(packets.code == AUTHENTICATION, (length + 2) * 4, (length + 1) * 8)
    fragment = packets.code == FRAGMENT
    size[fragment] = 8
    code = header["next"].astype(np.int32) + Code.PROTOCOL
    # Offset 0 without "more" is a whole packet (an atomic fragment, RFC 6946).
    waiting = fragment & (header["offset"] & 0xFFF9 != 0)
    size[waiting], code[waiting] = 0, Code.FRAGMENT6
    return packets.past(size, code)
