"""What the segments of a batch say of their connections once and for all: SYN, FIN and RST, who is the client, the first TTL, the first
acknowledgment. Written into the columns of the flow table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows.grouping import note_first
from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["note_acknowledged", "note_control", "note_ttl"]

I64 = npt.NDArray[np.int64]
Columns = Mapping[str, npt.NDArray[Any]]

_SYN_ACK = TcpFlag.SYN | TcpFlag.ACK


def note_ttl(c: Columns, s: SegmentBatch, side: I64, rows: I64) -> None:
    """TTL of the first packet of each side. ``side``: of each segment twice its flow among ``rows``, plus its direction."""
    ttl = c["ttl"]
    missing = ttl[rows] == 0
    if not missing.any():
        return
    first = np.full(2 * len(rows), len(s), np.int64)
    note_first(first, side)
    pairs = first.reshape(-1, 2)
    row, d = np.nonzero(missing & (pairs < len(s)))
    ttl[rows[row], d] = s.ttl[pairs[row, d]]


def note_control(c: Columns, s: SegmentBatch, at: I64, local: I64, direction: npt.NDArray[np.uint8], rows: I64) -> None:
    """SYN, FIN and RST: frames, times, who is the client. ``at``: the segments that have one; ``local``: of each segment its flow, as an
    index in ``rows``."""
    flags = s.flags[at]
    # backwards, so that the first of several is written last
    for bit, frame_name, time_name in ((TcpFlag.FIN, "fin_frame", "fin_time"), (TcpFlag.RST, "rst_frame", "rst_time")):
        hit = at[(flags & bit) != 0][::-1]
        row, d = rows[local[hit]], direction[hit]
        first = c[frame_name][row, d] == 0
        c[frame_name][row[first], d[first]] = s.frame[hit[first]]
        c[time_name][row[first], d[first]] = s.timestamp[hit[first]]
    reset = at[(flags & TcpFlag.RST) != 0]
    if len(reset):
        counts = np.bincount(local[reset] * 2 + direction[reset], minlength=2 * len(rows)).reshape(-1, 2)
        c["rsts"][rows] += counts.astype(np.int32)
    for kind, frame_name, time_name, count_name in (
        (TcpFlag.SYN, "syn_frame", "syn_time", "syns"),
        (_SYN_ACK, "syn_ack_frame", "syn_ack_time", "syn_acks"),
    ):
        hit = at[((flags & _SYN_ACK) == kind) & ((flags & TcpFlag.RST) == 0)]
        if not len(hit):
            continue
        c[count_name][rows] += np.bincount(local[hit], minlength=len(rows)).astype(np.int32)
        hit = hit[::-1]
        row, d = rows[local[hit]], direction[hit]
        carries = s.mss[hit] != 0
        c["mss"][row[carries], d[carries]] = s.mss[hit[carries]]
        first = c[frame_name][row] == 0
        row, d, hit = row[first], d[first], hit[first]
        c[frame_name][row] = s.frame[hit]
        c[time_name][row] = s.timestamp[hit]
        if kind == _SYN_ACK:
            _note_last_syn_ack(c, s, at, flags, local, direction, rows)
        who = d.astype(np.int8) if kind == TcpFlag.SYN else 1 - d.astype(np.int8)
        # the first SYN says who is the client, whatever a SYN-ACK said before it
        told = np.ones(len(row), np.bool_) if kind == TcpFlag.SYN else c["syn_frame"][row] == 0
        c["client"][row[told]] = who[told]
        c["known_by"][row] = 1


def _note_last_syn_ack(
    c: Columns, s: SegmentBatch, at: I64, flags: npt.NDArray[np.uint8], local: I64, direction: npt.NDArray[np.uint8], rows: I64
) -> None:
    """A server that forgot its first SYN-ACK (SYN cookies, a retried Fast Open) begins anew: before its first byte the
    last SYN-ACK counts."""
    hit = at[(flags & _SYN_ACK) == _SYN_ACK]
    row, d = rows[local[hit]], direction[hit]
    other = (c["base"][row, d] != s.sequence[hit]) & (c["bytes"][row, d] == 0)
    # who began the connection with a SYN has its number from there
    other &= (c["client"][row] != d) | (c["syn_frame"][row] == 0) | (c["syn_frame"][row] > s.frame[hit])
    if not other.any():
        return
    filled = np.full(2 * len(rows), len(s), np.int64)
    data = np.flatnonzero(s.wire_length > 0)
    np.minimum.at(filled, local[data] * 2 + direction[data], data)
    hit = hit[other]
    hit = hit[hit < filled[local[hit] * 2 + direction[hit]]]
    c["base"][rows[local[hit]], direction[hit]] = s.sequence[hit]  # of several the last


def note_acknowledged(c: Columns, s: SegmentBatch, flow: I64, direction: npt.NDArray[np.uint8], local: I64, rows: I64) -> None:
    """First segment of the client after the SYN-ACK that acknowledges it."""
    waiting = (c["ack_frame"][rows] == 0) & (c["syn_ack_frame"][rows] != 0)
    if not waiting.any():
        return
    candidate = np.flatnonzero(waiting[local] & ((s.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) == TcpFlag.ACK))
    candidate = candidate[direction[candidate] == c["client"][flow[candidate]]]
    candidate = candidate[s.frame[candidate] > c["syn_ack_frame"][flow[candidate]]][::-1]
    c["ack_frame"][flow[candidate]] = s.frame[candidate]
