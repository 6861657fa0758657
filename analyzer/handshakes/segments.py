"""The segments of one flow, as the path rules see them: out of columns, into ``Segment`` rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.model.batches import SegmentBatch, TcpFlag
from analyzer.model.handshake import Segment

__all__ = ["KEPT", "keep_rows", "read_segments"]

KEPT = np.dtype(
    [
        ("frame", "i8"), ("timestamp", "i8"), ("sequence", "u4"), ("acknowledgment", "u4"), ("wire_length", "i4"),
        ("payload_length", "i4"), ("original_length", "i4"), ("timestamp_value", "u4"), ("ip_id", "i4"), ("window", "u2"),
        ("mss", "u2"), ("interface", "u2"), ("flags", "u1"), ("direction", "u1"), ("ttl", "u1"), ("options", "u1"),
        ("dont_fragment", "?"),
    ]
)  # fmt: skip
"""What is kept of a segment while its flow's handshake is not over: 64 bytes."""

_COPIED = tuple(name for name in KEPT.names or () if name != "direction")
_DUPLICATE_NS = 1_000_000


def keep_rows(s: SegmentBatch, at: npt.NDArray[np.int64], direction: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Copy the rows ``at`` out of a batch."""
    rows = np.empty(len(at), KEPT)
    for name in _COPIED:
        rows[name] = getattr(s, name)[at]
    rows["direction"] = direction[at]
    return rows


def read_segments(parts: list[npt.NDArray[Any]], client: int, limit: int) -> tuple[Segment, ...]:
    """Segments in capture order; sequence numbers relative to each side's first.

    A segment is a retransmission when all it carries had been sent before, and a duplicate when it is a
    copy of a frame (same addresses, numbers and IP-ID within a millisecond, as a mirror port makes them).
    """
    rows = (np.concatenate(parts) if len(parts) > 1 else parts[0])[:limit]
    base: list[int | None] = [None, None]
    syn = rows[(rows["flags"] & TcpFlag.SYN) != 0]
    for side in (0, 1):
        with_syn = syn[syn["direction"] == side]
        if len(with_syn):
            base[side] = int(with_syn["sequence"][0])
        else:
            mine = rows[(rows["direction"] == side) & ((rows["flags"] & TcpFlag.RST) == 0)]
            other = rows[(rows["direction"] != side) & ((rows["flags"] & TcpFlag.ACK) != 0)]
            begins = [int(number) for number in mine["sequence"][:1]]
            told = [int(number) for number in other["acknowledgment"][:1]]
            if told and (not begins or (told[0] - begins[0]) % 2**32 >= 2**31):
                begins = told  # what the other acknowledged before stands for the beginning: all after it was sent
            if begins:
                base[side] = (begins[0] - 1) & 0xFFFFFFFF
    tops = [-1, -1]
    recent: dict[tuple[int, ...], int] = {}
    result: list[Segment] = []
    for r in rows.tolist():
        (frame, timestamp, sequence, acknowledgment, length, captured, original, tsval, ip_id, window, mss, interface, flags, side,
         ttl, options, dont_fragment) = r  # fmt: skip
        own, peer = base[side] or 0, base[1 - side] or 0
        relative = (sequence - own + 2**31) % 2**32 - 2**31
        ack = (acknowledgment - peer + 2**31) % 2**32 - 2**31 if flags & TcpFlag.ACK else -1
        takes = length + bool(flags & TcpFlag.SYN) + bool(flags & TcpFlag.FIN)
        end = relative + takes
        identity = (side, sequence, acknowledgment, flags, length, tsval, ip_id, window)
        last = recent.get(identity)
        copy = last is not None and abs(timestamp - last) < _DUPLICATE_NS and (ip_id > 0 or tsval != 0 or takes > 0)
        recent[identity] = timestamp
        again = takes > 0 and end <= tops[side] and not copy
        if not copy and not flags & TcpFlag.RST:
            tops[side] = max(tops[side], end)
        result.append(
            Segment(
                frame, timestamp, side == client, flags, relative, ack, length, captured, window, ttl, ip_id, dont_fragment,
                options, tsval, again, copy, mss, interface, original,
            )
        )  # fmt: skip
    return tuple(result)
