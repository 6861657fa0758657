"""The frames of handshakes that are not over, kept until it is known whether they failed.

Bounded: 64 MB in all and 256 kB of one flow. What had no room is counted; secrets are never kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.flows import FlowState
from analyzer.handshakes.tracker import Tracker
from analyzer.model.batches import FrameBatch, SegmentBatch
from analyzer.model.handshake import Handshake

__all__ = ["Frame", "KeptFrames", "frames_of"]

_MOST, _MOST_OF_FLOW = 64 << 20, 256 << 10
_OVERHEAD = 160  # bytes of Python around a frame


class Frame(NamedTuple):
    """One frame, copied out of its batch."""

    number: int
    timestamp: int
    link_type: int
    interface: int
    original_length: int
    data: bytes


class KeptFrames:
    """``take`` every batch; ``give`` the frames of a handshake and forget them; ``forget_past`` now and then."""

    def __init__(self, tracker: Tracker, most: int = _MOST) -> None:
        self.bytes = 0
        self.left_out = 0
        """Frames that had no room."""
        self._tracker = tracker
        self._most = most
        self._flows: dict[int, list[Frame]] = {}
        self._sizes: dict[int, int] = {}

    def take(self, frames: FrameBatch, segments: SegmentBatch) -> None:
        """Copy the frames of flows whose handshake is not over."""
        table = self._tracker.table
        placed = self._tracker.placed
        numbers: dict[int, list[int]] = {}
        if placed is not None:
            state = table["state"][placed.flow]
            wanted = np.flatnonzero(state <= FlowState.PAST)
            if len(wanted):
                rows = np.searchsorted(frames.number, segments.frame[wanted])
                for flow, row in zip(table["number"][placed.flow[wanted]].tolist(), rows.tolist(), strict=True):
                    numbers.setdefault(flow, []).append(row)
        for error in segments.icmp:
            found = table.find(error.source, error.destination, error.source_port, error.destination_port)
            if found is not None:
                numbers.setdefault(int(table["number"][found]), []).append(int(np.searchsorted(frames.number, error.frame)))
        if numbers:
            self._copy(frames, numbers)

    def _copy(self, frames: FrameBatch, numbers: dict[int, list[int]]) -> None:
        offset, length = frames.offset.tolist(), frames.captured_length.tolist()
        view = frames.data.data
        for flow, rows in numbers.items():
            kept = self._flows.setdefault(flow, [])
            for row in rows:
                size = length[row] + _OVERHEAD
                if self.bytes + size > self._most:
                    self._make_room(flow)
                if self._sizes.get(flow, 0) + size > _MOST_OF_FLOW or self.bytes + size > self._most:
                    self.left_out += 1
                    continue
                begin = offset[row]
                kept.append(
                    Frame(
                        int(frames.number[row]), int(frames.timestamp[row]), int(frames.link_type[row]), int(frames.interface[row]),
                        int(frames.original_length[row]), bytes(view[begin : begin + length[row]]),
                    )
                )  # fmt: skip
                self._sizes[flow] = self._sizes.get(flow, 0) + size
                self.bytes += size

    def _make_room(self, but: int) -> None:
        """The flows that began first have had most time: an eighth goes."""
        for flow in list(self._flows):
            if self.bytes <= self._most - self._most // 8:
                break
            if flow != but:
                self.left_out += len(self._flows[flow])
                self._forget(flow)

    def _forget(self, flow: int) -> list[Frame]:
        self.bytes -= self._sizes.pop(flow, 0)
        return self._flows.pop(flow, [])

    def give(self, handshake: Handshake) -> list[Frame]:
        """The frames of a handshake, which are forgotten."""
        return self._forget(handshake.flow.number)

    def forget_past(self) -> None:
        """Forget the frames of flows that were no handshake after all."""
        table = self._tracker.table
        rows = table.held()
        alive = set(table["number"][rows[table["state"][rows] != FlowState.GONE]].tolist())
        for flow in [flow for flow in self._flows if flow not in alive]:
            self._forget(flow)


def frames_of(batch: FrameBatch) -> Iterator[Frame]:
    """Every frame of a batch."""
    view = batch.data.data
    for number, timestamp, link, interface, original, begin, size in zip(
        batch.number.tolist(), batch.timestamp.tolist(), batch.link_type.tolist(), batch.interface.tolist(),
        batch.original_length.tolist(), batch.offset.tolist(), batch.captured_length.tolist(), strict=True,
    ):  # fmt: skip
        yield Frame(number, timestamp, link, interface, original, bytes(view[begin : begin + size]))
