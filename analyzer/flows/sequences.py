"""Retransmissions, reordering and duplicate frames, told for a whole batch at once.

Sequence numbers are taken relative to the number a direction began with, as signed 32-bit distances
(RFC 9293 section 3.4): right for the first 2 GiB of a direction, which is more than a handshake needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows.grouping import order_by_group
from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["REORDERED_NS", "SequenceFacts", "follow_sequences"]

I64 = npt.NDArray[np.int64]

_DUPLICATE_NS = 1_000_000

REORDERED_NS = 3_000_000
"""How late a segment is that the path only delayed, where no round trip is known. What fills a hole after a round trip was sent again."""


@dataclass(slots=True, eq=False, repr=False)
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
    """Which segments were sent again, overtaken by a later one, or are copies of another frame.

    ``side`` is 2 x local flow + direction; ``columns['top']`` (highest relative end so far) and the last hole are brought up to date.
    """
    takes = s.wire_length + ((s.flags & TcpFlag.SYN) != 0) + ((s.flags & TcpFlag.FIN) != 0)
    at = np.flatnonzero(takes > 0)
    if len(at) == 0:
        return SequenceFacts.empty()
    group = side[at]
    count = 2 * len(rows)
    order = order_by_group(group, count)
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
    behind = seen & (begin < before)
    # a copy of the frame before it (or the one before that): same everything, at the same time
    copy = np.zeros(len(at), np.bool_)
    for lag in (1, 2):
        again = lag + np.flatnonzero((group[lag:] == group[:-lag]) & (begin[lag:] == begin[:-lag]))
        a, b = at[again], at[again - lag]
        copy[again] |= (
            (s.wire_length[a] == s.wire_length[b])
            & (s.flags[a] == s.flags[b])
            & (s.acknowledgment[a] == s.acknowledgment[b])
            & (s.timestamp_value[a] == s.timestamp_value[b])
            & (s.ip_id[a] == s.ip_id[b])
            & ((s.ip_id[a] > 0) | (s.timestamp_value[a] != 0))
            & (np.abs(s.timestamp[a] - s.timestamp[b]) < _DUPLICATE_NS)
        )
    ends = np.flatnonzero(np.append(first[1:], True))
    flat = running[ends] - group[ends] * lift
    columns["top"][rows[group[ends] // 2], group[ends] % 2] = flat
    behind &= ~copy
    reordered = _overtaken(s, at, behind, begin, before, seen, group, rows, columns)
    return SequenceFacts(at[behind & ~reordered], at[reordered], at[copy])


def _overtaken(
    s: SegmentBatch,
    at: I64,
    behind: npt.NDArray[np.bool_],
    begin: I64,
    before: I64,
    seen: npt.NDArray[np.bool_],
    group: I64,
    rows: I64,
    columns: dict[str, npt.NDArray[Any]],
) -> npt.NDArray[np.bool_]:
    """Of the segments behind the top, those that are the first to bring the bytes of a hole, and soon after it was left.

    A hole is what a segment left between the top and itself. Those of one direction lie in the order in which they came,
    so one search finds the hole a segment falls into. From one batch to the next the last hole is remembered.
    """
    reordered = np.zeros(len(at), np.bool_)
    jumps = np.flatnonzero(seen & (begin > before))
    late = np.flatnonzero(behind)
    if len(late):
        side = rows[group[late] // 2], group[late] % 2
        left, right, since = (columns[name][side].astype(np.int64) for name in ("hole", "hole_end", "hole_time"))
        if len(jumps):
            lift = np.int64(1) << np.int64(34)
            found = np.searchsorted(before[jumps] + group[jumps] * lift, begin[late] + group[late] * lift, side="right") - 1
            jump = jumps[found]
            here = (found >= 0) & (group[jump] == group[late])
            left, right = np.where(here, before[jump], left), np.where(here, begin[jump], right)
            since = np.where(here, s.timestamp[at[jump]], since)
        trip = columns["syn_ack_time"][rows] - columns["syn_time"][rows]
        trip[(columns["syn_time"][rows] == 0) | (columns["syn_ack_time"][rows] == 0)] = 0
        soon = s.timestamp[at[late]] - since < np.maximum(trip, REORDERED_NS)[group[late] // 2]
        fills = late[(left <= begin[late]) & (begin[late] < right) & soon]
        _, first = np.unique(np.column_stack((group[fills], begin[fills])), axis=0, return_index=True)  # again is not the first time
        reordered[fills[first]] = True
    if len(jumps):
        last = jumps[np.flatnonzero(np.append(group[jumps][1:] != group[jumps][:-1], True))]
        side = rows[group[last] // 2], group[last] % 2
        columns["hole"][side], columns["hole_end"][side] = before[last], begin[last]
        columns["hole_time"][side] = s.timestamp[at[last]]
    filled = np.flatnonzero(reordered)
    if len(filled):
        side = rows[group[filled] // 2], group[filled] % 2
        inside = (columns["hole"][side] <= begin[filled]) & (begin[filled] < columns["hole_end"][side])
        np.maximum.at(columns["hole"], (side[0][inside], side[1][inside]), (begin[filled] + 1)[inside])
    return reordered
