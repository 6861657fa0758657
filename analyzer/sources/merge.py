"""Several captures as one, in time order, in bounded memory.

A capture is opened only when the time of its first frame is reached, so files that follow each
other are read one after another, their batches untouched. Where captures overlap, whole columns are
merged: up to the moment that every open capture has been read to, no frame can still turn up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from analyzer.model.batches import I64, FrameBatch

__all__ = ["LAST", "Part", "merge_parts"]

LAST: Final = 2**63 - 1
"""First time of a capture without frames: it is opened after all others."""

_SMALLEST_SHARE: Final = 1 << 16


@dataclass(slots=True, eq=False, repr=False)
class Part:
    """One capture to merge: when it starts (ns), and how to open it with a buffer of so many bytes."""

    first: int
    open: Callable[[int], Iterator[FrameBatch]]


@dataclass(slots=True, eq=False, repr=False)
class _Lane:
    """An open capture: its current batch, read up to row ``at``."""

    batches: Iterator[FrameBatch]
    batch: FrameBatch
    times: I64
    """Times that never go back: within one capture the order of the file stands."""
    at: int = 0

    def advance(self) -> bool:
        batch = next(self.batches, None)
        if batch is None:
            return False
        before = self.times[-1] if len(self.times) else np.int64(0)
        self.batch, self.times, self.at = batch, np.maximum(np.maximum.accumulate(batch.timestamp), before), 0
        return True


def merge_parts(parts: list[Part], batch_bytes: int) -> Iterator[FrameBatch]:
    """Yield the frames of all parts in time order; frames of one moment in the order of the parts."""
    waiting = sorted(parts, key=lambda part: part.first)[::-1]
    lanes: list[_Lane] = []
    while lanes or waiting:
        while waiting and (not lanes or waiting[-1].first <= min(int(lane.times[-1]) for lane in lanes)):
            batches = waiting.pop().open(max(_SMALLEST_SHARE, batch_bytes // (len(lanes) + 1)))
            batch = next(batches, None)
            if batch is not None:
                lanes.append(_Lane(batches, batch, np.maximum.accumulate(batch.timestamp)))
        if not lanes:
            continue
        if len(lanes) == 1:
            lane = lanes[0]
            yield _slice(lane.batch, lane.at, len(lane.times)) if lane.at else lane.batch
            lane.at = len(lane.times)
        else:
            yield _merge(lanes, min(int(lane.times[-1]) for lane in lanes))
        lanes = [lane for lane in lanes if lane.at < len(lane.times) or lane.advance()]


def _slice(batch: FrameBatch, start: int, stop: int) -> FrameBatch:
    rows = slice(start, stop)
    return FrameBatch(
        data=batch.data,
        offset=batch.offset[rows],
        captured_length=batch.captured_length[rows],
        original_length=batch.original_length[rows],
        timestamp=batch.timestamp[rows],
        number=batch.number[rows],
        link_type=batch.link_type[rows],
        interface=batch.interface[rows],
        capture=batch.capture,
    )


def _merge(lanes: list[_Lane], until: int) -> FrameBatch:
    """Take every frame up to ``until`` from all lanes into one batch."""
    pieces: list[FrameBatch] = []
    times: list[I64] = []
    for lane in lanes:
        stop = int(np.searchsorted(lane.times, until, "right"))
        if stop > lane.at:
            pieces.append(_slice(lane.batch, lane.at, stop))
            times.append(lane.times[lane.at : stop])
            lane.at = stop
    if len(pieces) == 1:
        return pieces[0]
    # The frames of a piece lie one behind the other: one copy each brings them into one buffer.
    starts = [int(piece.offset[0]) for piece in pieces]
    stops = [int(piece.offset[-1] + piece.captured_length[-1]) for piece in pieces]
    bases = np.cumsum([0] + [stop - start for start, stop in zip(starts, stops, strict=True)])
    order = np.argsort(np.concatenate(times), kind="stable")
    return FrameBatch(
        data=np.concatenate([piece.data[start:stop] for piece, start, stop in zip(pieces, starts, stops, strict=True)]),
        offset=np.concatenate([piece.offset - start + base for piece, start, base in zip(pieces, starts, bases, strict=False)])[order],
        captured_length=np.concatenate([piece.captured_length for piece in pieces])[order],
        original_length=np.concatenate([piece.original_length for piece in pieces])[order],
        timestamp=np.concatenate([piece.timestamp for piece in pieces])[order],
        number=np.concatenate([piece.number for piece in pieces])[order],
        link_type=np.concatenate([piece.link_type for piece in pieces])[order],
        interface=np.concatenate([piece.interface for piece in pieces])[order],
        capture=pieces[0].capture,
        captures=np.concatenate([np.full(len(piece), piece.capture, np.uint16) for piece in pieces])[order],
    )
