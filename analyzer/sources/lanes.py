"""Where the records of a stretch of a capture begin, found at many places at once.

A record tells how long it is, so where the next one begins is only known once this one was looked at: a chain that a loop follows at
the pace of one look into memory after the other. Here the stretch is cut into lanes. In each a place is guessed where a record may
begin, by a mark that all records have and a second mark where the next one would be; then all lanes are followed in step, one
operation on columns for a record of each.

A guess is never trusted: it counts when the lane before it arrives exactly there. So payload that looks like records (a capture
within a capture) costs some time and changes nothing, and no byte is looked at more often because of it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Final, NamedTuple, Protocol

import numpy as np

from analyzer.model.batches import I64, U8

__all__ = ["IMPASSABLE", "Form", "Run", "find_runs"]

IMPASSABLE: Final = 1 << 40
"""Beyond any stretch."""

_WINDOW: Final = 1600
"""Bytes at the beginning of a lane in which a record has to begin: more than most frames have."""

_FEWEST: Final = 32
"""Lanes below which a loop is as fast."""


class Form(Protocol):
    """What there is to know of a format's records."""

    head: int
    """Bytes of a record that say how long it is, the mark among them."""
    mark: slice
    """Where two or four of these bytes are that most records have in common."""
    unit: int
    """Records begin at a multiple of this number of bytes from one another."""

    def follow(self, data: U8) -> Callable[[I64], I64]:
        """What tells of records of ``data`` where the ones behind them begin; from IMPASSABLE on, where this is no ordinary record."""


class Run(NamedTuple):
    """Records that follow one another, if there is one at ``begin``."""

    begin: int
    at: I64
    """Where each of them begins."""
    beyond: int
    """Where the one behind them would begin."""


def find_runs(form: Form, data: U8, begin: int, stop: int, end: int, size: int) -> list[Run]:
    """Find what may be records that begin in ``data[begin:stop]`` and are whole before ``end``, in order.

    There is a record at ``begin``, and records have ``size`` bytes on average, about.
    """
    # A guess for each lane and a step for each record of one: fewest of both together when there are as many of these as of those.
    count = isqrt(max(stop - begin, 0) // size)
    begins = _guess(form, data, begin, min(stop, end - form.head), size * max(count, 1))
    if len(begins) < _FEWEST:
        return []
    stops = np.append(begins[1:], min(stop, end - form.head + 1))
    lane, lane_stop, cursor = np.arange(len(begins)), stops, begins
    beyond = np.empty(len(begins), np.int64)
    follow = form.follow(data)
    taken = []
    while len(cursor) >= _FEWEST:
        following = follow(cursor)
        taken.append(cursor)
        going = following < lane_stop
        if not going.all():
            whole = following <= end
            if not whole.all():
                taken[-1] = cursor[whole]
                following = np.where(whole, following, cursor)
                going &= whole
            beyond[lane[~going]] = following[~going]
            following, lane, lane_stop = following[going], lane[going], lane_stop[going]
        cursor = following
    beyond[lane] = cursor  # the last ones are left to a loop
    at = np.sort(np.concatenate(taken))
    ends = np.append(np.flatnonzero(beyond[:-1] != begins[1:]), len(begins) - 1)
    firsts = np.append(0, ends[:-1] + 1)
    cuts = zip(np.searchsorted(at, begins[firsts]), np.searchsorted(at, stops[ends]), strict=True)
    return [
        Run(first, at[cut[0] : cut[1]], last) for first, last, cut in zip(begins[firsts].tolist(), beyond[ends].tolist(), cuts, strict=True)
    ]


def _guess(form: Form, data: U8, begin: int, end: int, length: int) -> I64:
    """``begin``, and of each lane of ``length`` bytes behind it the first place before ``end`` that looks like a record's beginning."""
    first = np.array([begin], np.int64)
    lanes = np.arange(begin + length, end - _WINDOW - form.unit, length)
    lanes += (begin - lanes) % form.unit
    if len(lanes) < _FEWEST:
        return first
    width = form.mark.stop - form.mark.start
    marks = np.ndarray((len(data) - width + 1,), f"<u{width}", data, strides=(1,))
    mark = marks[begin + form.mark.start]
    room = _WINDOW + width
    windows = np.ndarray((len(data) - room + 1,), f"V{room}", data, strides=(1,))[lanes].view(np.uint8).reshape(-1, room)
    found = []
    for shift in range(0, width, form.unit):
        lane, place = np.nonzero(windows[:, shift : shift + _WINDOW].view(f"<u{width}") == mark)
        found.append(lanes[lane] + shift + place * width - form.mark.start)
    at = np.sort(np.concatenate(found))
    following = form.follow(data)(at)
    at, following = at[following < end], following[following < end]
    at = at[marks[following + form.mark.start] == mark]
    lane = np.searchsorted(lanes, at + form.mark.start, "right")
    return np.concatenate([first, at[np.append(True, lane[1:] != lane[:-1])[: len(at)]]])
