"""TCP (RFC 9293): the last layer, whose packets become the rows of a SegmentBatch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.decode.network import IPV4, IPV6
from analyzer.decode.packets import Bool, Packets, Work, gather, layout
from analyzer.model.batches import I64, U8, U16, U32, SegmentBatch, TcpFlag, TcpOption

__all__ = ["read_segments"]

TCP = layout(
    32, source_port=(0, ">u2"), destination_port=(2, ">u2"), sequence=(4, ">u4"), acknowledgment=(8, ">u4"),
    offset=(12, "u1"), flags=(13, "u1"), window=(14, ">u2"), options=(20, ">u4"), timestamp=(24, ">u4"),
)  # fmt: skip
OPTIONS = layout(48, bytes=(0, "(48,)u1"))

SHORTEST = 14
"""Ports, sequence numbers, data offset and flags: enough for a row when the snaplen cut the rest."""
TIMESTAMPS_FIRST = 0x0101080A
"""NOP, NOP, Timestamps: how nearly every segment of an established connection begins its options (RFC 7323)."""
MAPPED = np.uint64(0xFFFF_0000_0000)

_BITS = np.full(256, TcpOption.OTHER, np.uint8)
_BITS[[0, 1]] = 0
_BITS[[2, 3, 4, 5, 8]] = [
    TcpOption.MSS, TcpOption.WINDOW_SCALE, TcpOption.SACK_PERMITTED, TcpOption.SACK, TcpOption.TIMESTAMPS,
]  # fmt: skip
_BITS[[30, 34]] = TcpOption.MPTCP, TcpOption.FAST_OPEN


def read_segments(work: Work, packets: Packets) -> SegmentBatch:
    """Rows for the TCP packets, which are in frame order. Headers that contradict themselves are counted, not kept."""
    packets = work.need(packets, SHORTEST)
    header = work.read(packets, TCP)
    length = (header["offset"] >> 4).astype(np.int64) * 4
    payload = packets.start + length
    good = (length >= 20) & (payload <= packets.wire_end)
    if not good.all():
        packets = work.keep(packets, good, "bad tcp header length")
        header, length, payload = header[good], length[good], payload[good]
    work.count("tcp", len(packets))
    frames, row = work.frames, packets.row
    whole = len(row) == len(frames) and bool((row[1:] > row[:-1]).all())  # every frame once: no need to pick
    window = header["window"].astype(np.uint16)
    captured = packets.end - packets.start
    if len(captured) and captured.min() < 16:
        window[captured < 16] = 0
    offset = np.minimum(payload, packets.end)
    flags = np.ascontiguousarray(header["flags"])
    options, mss, window_scale, timestamp_value = _read_options(work, packets, header, length, flags)
    source, destination, version, ttl, ip_id, dont_fragment = _read_network(work, packets)
    return SegmentBatch(
        data=work.data,
        frame=frames.number if whole else frames.number[row],
        timestamp=frames.timestamp if whole else frames.timestamp[row],
        ip_version=version,
        source_high=source[0],
        source_low=source[1],
        destination_high=destination[0],
        destination_low=destination[1],
        source_port=header["source_port"].astype(np.uint16),
        destination_port=header["destination_port"].astype(np.uint16),
        sequence=header["sequence"].astype(np.uint32),
        acknowledgment=header["acknowledgment"].astype(np.uint32),
        flags=flags,
        window=window,
        payload_offset=offset,
        payload_length=packets.end - offset,
        wire_length=packets.wire_end - payload,
        ttl=ttl,
        ip_id=ip_id,
        dont_fragment=dont_fragment,
        options=options,
        mss=mss,
        window_scale=window_scale,
        timestamp_value=timestamp_value,
        vlan=work.vlan if whole else work.vlan[row],
        tunnel=work.tunnel if whole else work.tunnel[row],
        original_length=frames.original_length if whole else frames.original_length[row],
        interface=frames.interface if whole else frames.interface[row],
        capture=frames.capture,
        icmp=work.icmp,
    )


_Pair = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
_Network = tuple[_Pair, _Pair, U8, U8, npt.NDArray[np.int32], Bool]


def _read_network(work: Work, packets: Packets) -> _Network:
    """Source, destination, version, TTL, identification and DF of the innermost IP header."""
    version = work.byte(packets.ip) >> np.uint8(4)
    four = version == 4
    if four.all():
        return _read_four(work, packets.ip, version)
    if not four.any():
        return _read_six(work, packets.ip, version)
    out = _read_four(work, packets.ip, version)
    six = np.flatnonzero(~four)
    source, destination, _, ttl, ip_id, dont_fragment = _read_six(work, packets.ip[six], version[six])
    columns: tuple[npt.NDArray[Any], ...] = (*out[0], *out[1], *out[3:])
    found: tuple[npt.NDArray[Any], ...] = (*source, *destination, ttl, ip_id, dont_fragment)
    for column, values in zip(columns, found, strict=True):
        column[six] = values
    return out


def _read_four(work: Work, ip: I64, version: U8) -> _Network:
    header = gather(work.data, ip, IPV4)
    high = np.zeros(len(ip), np.uint64)
    source = (high, header["source"].astype(np.uint64) | MAPPED)
    destination = (high.copy(), header["destination"].astype(np.uint64) | MAPPED)
    dont_fragment = header["fragment"] & 0x4000 != 0
    return source, destination, version, header["ttl"].copy(), header["id"].astype(np.int32), dont_fragment


def _read_six(work: Work, ip: I64, version: U8) -> _Network:
    header = gather(work.data, ip, IPV6)
    source = (header["source_high"].astype(np.uint64), header["source_low"].astype(np.uint64))
    destination = (header["destination_high"].astype(np.uint64), header["destination_low"].astype(np.uint64))
    nothing = np.full(len(ip), -1, np.int32)
    return source, destination, version, header["hop_limit"].copy(), nothing, np.ones(len(ip), np.bool_)


_Options = tuple[U8, U16, npt.NDArray[np.int8], U32]


def _read_options(work: Work, packets: Packets, header: npt.NDArray[np.void], length: I64, flags: U8) -> _Options:
    """Which options there are, MSS and window scale of SYN segments, TSval (RFC 9293 section 3.2, RFC 7323)."""
    count = len(packets)
    mss, scale = np.zeros(count, np.uint16), np.full(count, -1, np.int8)
    there = (length > 20) & (packets.start + length <= packets.end)
    stamped = there & (header["options"] == TIMESTAMPS_FIRST) & (length >= 32)
    options = np.where(stamped, np.uint8(TcpOption.TIMESTAMPS), np.uint8(0))
    timestamp = np.where(stamped, header["timestamp"], 0).astype(np.uint32)
    rest = np.flatnonzero(there & ~(stamped & (length == 32)))
    if len(rest):
        walked = _walk_options(work.data, packets.start[rest] + 20, length[rest] - 20)
        syn = flags[rest] & TcpFlag.SYN != 0
        options[rest], timestamp[rest] = walked[0], walked[3]
        mss[rest], scale[rest] = np.where(syn, walked[1], 0), np.where(syn, walked[2], -1)
    return options, mss, scale, timestamp


def _walk_options(data: U8, start: I64, size: I64) -> _Options:
    """Walk the options of all rows in step: at most 40 steps, since each takes at least one of 40 bytes."""
    count = len(start)
    table = gather(data, start, OPTIONS)["bytes"]
    width = table.shape[1]
    table[np.arange(width) >= size[:, None]] = 0
    cells = table.reshape(-1)
    options, mss = np.zeros(count, np.uint8), np.zeros(count, np.uint16)
    scale, timestamp = np.full(count, -1, np.int8), np.zeros(count, np.uint32)
    row, at = np.arange(count), np.zeros(count, np.int64)
    for _ in range(40):
        here = row * width + at
        kind = cells[here]
        taken = np.where(kind == 1, 1, cells[here + 1].astype(np.int64))
        good = (kind != 0) & (at + taken <= size[row]) & ((kind == 1) | (taken >= 2))
        if not good.all():
            row, at, here, kind, taken = row[good], at[good], here[good], kind[good], taken[good]
        options[row] |= _BITS[kind]
        this = (kind == 2) & (taken == 4)
        if this.any():
            mss[row[this]] = _number(cells, here[this] + 2, 2)
        this = (kind == 3) & (taken == 3)
        if this.any():
            scale[row[this]] = np.minimum(cells[here[this] + 2], 127)
        this = (kind == 8) & (taken == 10)
        if this.any():
            timestamp[row[this]] = _number(cells, here[this] + 2, 4)
        # RFC 6994: experiments share kinds 253 and 254; 0xF989 was Fast Open before RFC 7413.
        this = (kind == 254) & (taken >= 4)
        if this.any():
            this[this] = _number(cells, here[this] + 2, 2) == 0xF989
            options[row[this]] |= np.uint8(TcpOption.FAST_OPEN)
        at = at + taken
        more = at < size[row]
        if not more.any():
            break
        row, at = row[more], at[more]
    return options, mss, scale, timestamp


def _number(cells: U8, at: I64, size: int) -> npt.NDArray[np.int64]:
    value = np.zeros(len(at), np.int64)
    for step in range(size):
        value = value << 8 | cells[at + step]
    return value
