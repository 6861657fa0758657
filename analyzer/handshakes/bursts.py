"""Segments of many flows, out of columns, as bursts: what one side sent in a row.

A burst is a run of segments of one direction, each captured whole and beginning where the one before it ended. All
flows of a batch are cut at once; a ``Connection`` takes a burst in one step where nothing was out of order before.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt

from analyzer.flows import Placement
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.whole import payload_sequence
from analyzer.model.batches import SegmentBatch

__all__ = ["Bursts"]

I64 = npt.NDArray[np.int64]


class Bursts:
    """The segments ``at``, those of one flow after those of another: ``sizes`` says how many of each."""

    __slots__ = ("_cuts", "_data", "_directions", "_flows", "_frames", "_lengths", "_offsets", "_sequences", "_timestamps", "_wires")

    def __init__(self, s: SegmentBatch, placed: Placement, at: I64, sizes: I64) -> None:
        direction, sequence = placed.direction[at], payload_sequence(s, at)
        length, wire = s.payload_length[at], s.wire_length[at]
        begins = np.zeros(len(at), np.bool_)
        stops = np.cumsum(sizes)
        begins[stops - sizes] = True
        begins[1:] |= (direction[1:] != direction[:-1]) | (sequence[1:] != sequence[:-1] + length[:-1].astype(np.uint32))
        # one that was cut stands alone
        cut = length != wire
        begins |= cut
        begins[1:] |= cut[:-1]
        cuts = np.append(np.flatnonzero(begins), len(at))
        self._data = s.data.data
        self._cuts: list[int] = cuts.tolist()
        self._flows: list[int] = np.searchsorted(cuts, np.append(stops - sizes, len(at))).tolist()
        self._directions: list[int] = direction.tolist()
        self._sequences: list[int] = sequence.tolist()
        self._offsets: list[int] = s.payload_offset[at].tolist()
        self._lengths: list[int] = length.tolist()
        self._wires: list[int] = wire.tolist()
        self._frames: list[int] = s.frame[at].tolist()
        self._timestamps: list[int] = s.timestamp[at].tolist()

    def hand(self, index: int, client: int, connection: Connection) -> None:
        """Give a connection the segments of the flow ``index``, until nothing more is wanted of it. ``client``: its direction."""
        data, cuts, offsets, lengths, frames, timestamps = (
            self._data, self._cuts, self._offsets, self._lengths, self._frames, self._timestamps
        )  # fmt: skip
        first, last = self._flows[index], self._flows[index + 1]
        end = cuts[first]
        for stop in cuts[first + 1 : last + 1]:
            begin, end = end, stop
            from_client = self._directions[begin] == client
            offset = offsets[begin]
            if end - begin == 1:
                connection.segment(
                    from_client, self._sequences[begin], bytes(data[offset : offset + lengths[begin]]), frames[begin],
                    timestamps[begin], self._wires[begin],
                )  # fmt: skip
            else:
                sizes = lengths[begin:end]
                whole = b"".join([data[o : o + n] for o, n in zip(offsets[begin:end], sizes, strict=True)])
                connection.burst(
                    from_client, self._sequences[begin], whole, list(accumulate(sizes)), frames[begin:end], timestamps[begin:end]
                )
            if connection.over:
                return
