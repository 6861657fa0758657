"""Retransmissions, reordering and duplicate frames, told for a whole batch at once.

Sequence numbers are taken relative to the number a direction began with, as signed 32-bit distances
(RFC 9293 section 3.4): right for the first 2 GiB of a direction, which is more than a handshake needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["SequenceFacts", "follow_sequences"]

I64 = npt.NDArray[np.int64]

_DUPLICATE_NS = 1_000_000


@dataclass(slots=True)
class SequenceFacts:
    """Indices of segments of a batch."""

    retransmission: I64
    out_of_order: I64
    duplicate: I64

    @classmethod
    def empty(cls) -> SequenceFacts:
        none = np.zeros(0, np.int64)
        return cls(none, none, none)


def follow_sequences(s: SegmentBatch, side: I64, rows: I64, columns: dict[str, npt.NDArray[Any]]) -> SequenceFacts:
    """Which segments carry only bytes seen before, came late, or are copies of another frame.

    ``side`` is 2 x local flow + direction; ``columns['top']`` (highest relative end so far) is brought up to date.
    """
    takes = s.wire_length + ((s.flags & TcpFlag.SYN) != 0) + ((s.flags & TcpFlag.FIN) != 0)
    at = np.flatnonzero(takes > 0)
    if len(at) == 0:
        return SequenceFacts.empty()
    group = side[at]
    count = 2 * len(rows)
    order = np.argsort(group.astype(np.uint16) if count < 65_536 else group, kind="stable")
    at, group = at[order], group[order]
    base = columns["base"][rows].reshape(-1)[group]
    begin = (s.sequence[at] - base).view(np.int32).astype(np.int64)
    length = takes[at]
    end = begin + length
    top = columns["top"][rows].reshape(-1)
    first = np.ones(len(at), np.bool_)
    first[1:] = group[1:] != group[:-1]
    # running maximum within each group: the group's number in the high bits keeps groups apart
    lift = np.int64(1) << np.int64(34)
    lifted = end + group * lift
    np.maximum(lifted, top[group] + group * lift, out=lifted)
    running = np.maximum.accumulate(lifted)
    before = np.empty_like(running)
    before[1:] = running[:-1]
    before[first] = top[group[first]] + group[first] * lift
    before -= group * lift
    seen = before >= 0
    again = seen & (end <= before)
    late = seen & (begin < before) & ~again
    # a copy of the frame before it (or the one before that): same everything, at the same time
    copy = np.zeros(len(at), np.bool_)
    for lag in (1, 2):
        if len(at) <= lag:
            break
        a, b = at[lag:], at[:-lag]
        same = (
            (group[lag:] == group[:-lag])
            & (s.sequence[a] == s.sequence[b])
            & (s.wire_length[a] == s.wire_length[b])
            & (s.flags[a] == s.flags[b])
            & (s.acknowledgment[a] == s.acknowledgment[b])
            & (s.timestamp_value[a] == s.timestamp_value[b])
            & (s.ip_id[a] == s.ip_id[b])
            & ((s.ip_id[a] > 0) | (s.timestamp_value[a] != 0))
            & (np.abs(s.timestamp[a] - s.timestamp[b]) < _DUPLICATE_NS)
        )
        copy[lag:] |= same
    ends = np.flatnonzero(np.append(first[1:], True))
    flat = running[ends] - group[ends] * lift
    columns["top"][rows[group[ends] // 2], group[ends] % 2] = flat
    # what came "again" only because an earlier segment was late is reordering, not a retransmission:
    # it fills bytes that were never seen. Told roughly here (by time); the reassembler knows exactly.
    return SequenceFacts(at[again & ~copy], at[late & ~copy], at[copy])
