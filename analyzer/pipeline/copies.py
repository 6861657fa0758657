"""The same frame seen on two interfaces is one: a bridge, a veth pair or a router shows it several times to ``any``.

A segment belongs to the interface it was first seen on. A copy is equal in all that forwarding leaves
alone (so not in TTL and link header); a retransmission comes again on the first interface, and stays.
"""

from __future__ import annotations

from copy import copy
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from analyzer.model.batches import SegmentBatch

__all__ = ["Copies", "select_segments"]

_SLOTS = 1 << 17
_MEMORY = 1_000_000_000  # ns that a copy may take
_SHIFTS = np.uint64(29), np.uint64(32)
_PRIME = np.uint64(0x9E3779B97F4A7C15)


class Copies:
    """Leaves copies out of batches. ``left_out`` counts them. Bounded: a table of fixed size, newest first."""

    def __init__(self) -> None:
        self.left_out = 0
        self._key = np.zeros(_SLOTS, np.uint64)
        self._interface = np.zeros(_SLOTS, np.uint16)
        self._time = np.zeros(_SLOTS, np.int64)

    def leave_out(self, s: SegmentBatch) -> SegmentBatch:
        """``s`` without the segments that were seen on another interface before."""
        if len(s) == 0:
            return s
        key = _key_of(s)
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        slot = (key[first] & np.uint64(_SLOTS - 1)).astype(np.int64)
        known = (self._key[slot] == key[first]) & (s.timestamp[first] - self._time[slot] < _MEMORY)
        owner = np.where(known, self._interface[slot], s.interface[first])
        keep: npt.NDArray[np.bool_] = s.interface == owner[inverse.reshape(-1)]
        self._key[slot] = key[first]
        self._interface[slot] = owner
        self._time[slot] = s.timestamp[first]
        if keep.all():
            return s
        self.left_out += int(np.count_nonzero(~keep))
        return select_segments(s, np.flatnonzero(keep))


def select_segments(s: SegmentBatch, rows: npt.NDArray[np.int64]) -> SegmentBatch:
    """These rows of a batch; its buffer and ICMP errors stay."""
    chosen = copy(s)
    for field in fields(s):
        if field.name not in ("data", "capture", "icmp"):
            setattr(chosen, field.name, getattr(s, field.name)[rows])
    return chosen


def _key_of(s: SegmentBatch) -> npt.NDArray[np.uint64]:
    """64 bits of what a segment keeps on its way."""
    with np.errstate(over="ignore"):
        key = np.zeros(len(s), np.uint64)
        for column in (
            s.source_high, s.source_low, s.destination_high, s.destination_low, s.source_port, s.destination_port, s.sequence,
            s.acknowledgment, s.flags, s.window, s.wire_length, s.ip_id, s.timestamp_value,
        ):  # fmt: skip
            key = (key ^ column.astype(np.uint64)) * _PRIME
            key ^= key >> _SHIFTS[0]
        return key ^ (key >> _SHIFTS[1])
