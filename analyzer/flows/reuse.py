"""Addresses and ports that are used again: a SYN with another number than its flow began with begins another flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.model.batches import I64, SegmentBatch, TcpFlag

__all__ = ["base_of", "find_cuts"]


def base_of(s: SegmentBatch, at: I64) -> npt.NDArray[np.uint32]:
    """Sequence number that a direction begins with whose first segment is this: its SYN's, or one less than of what came instead."""
    result: npt.NDArray[np.uint32] = s.sequence[at] - np.where(s.flags[at] & TcpFlag.SYN, 0, 1).astype(np.uint32)
    return result


def find_cuts(
    s: SegmentBatch, those: I64, groups: I64, rows: I64, swapped: npt.NDArray[np.bool_], columns: Mapping[str, npt.NDArray[Any]]
) -> list[int]:
    """Places in ``those`` (segments, in order within each of ``groups``) whose SYN is not the one that its flow began with.

    ``columns`` are the flow table's, ``rows`` where each group stands in it. Looks at SYNs, and at every segment between two of
    them once at most.
    """
    backwards = swapped[those]
    sequence = base_of(s, those).tolist()  # of a SYN its own number
    syns = np.flatnonzero((s.flags[those] & (TcpFlag.SYN | TcpFlag.ACK)) == TcpFlag.SYN)
    cuts: list[int] = []
    group, bases, begin = -1, dict[bool, int](), 0
    for place, of, side in zip(syns.tolist(), groups[syns].tolist(), backwards[syns].tolist(), strict=True):
        if of != group:
            row, group, begin = int(rows[of]), of, -1
            bases = {bool(columns["swapped"][row]) != bool(d): int(columns["base"][row, d]) for d in (0, 1) if columns["base_set"][row, d]}
        if side not in bases:
            earlier = np.flatnonzero(backwards[begin:place] == side) if begin >= 0 else np.zeros(0, np.int64)
            bases[side] = sequence[begin + int(earlier[0])] if len(earlier) else sequence[place]
        if bases[side] != sequence[place]:
            cuts.append(place)
            begin, bases = place, {side: sequence[place]}
    return cuts
