"""Of many flows at once: those whose payload came whole and in order, and begins as TLS on both sides.

Told with array operations for all flows of a batch together: within a direction each segment begins where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.flows import Placement
from analyzer.flows.grouping import order_by_group
from analyzer.handshakes.flight import Flight, Run, looks_like_tls
from analyzer.handshakes.opening import read_opening
from analyzer.handshakes.plain import MOST_BYTES, MOST_SEGMENTS, Plain, asks_for_http
from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["find_whole", "payload_sequence"]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_DISORDERED = 31
"""Segments of a flow that are put in order here: as many as are looked at of a flow at once, but for the last."""

_NOTHING: Run = (b"", 0, [], [], [])
_new_flight = tuple.__new__


def find_whole(
    columns: dict[str, npt.NDArray[Any]],
    rows: I64,
    fresh: Bools,
    known: Mapping[int, Flight],
    head: I64,
    stops: I64,
    s: SegmentBatch,
    placed: Placement,
    shielded: Callable[[int], AbstractContextManager[None]],
    take_in: Callable[[_Sides, I64], I64] | None = None,
) -> list[Flight | Plain | None]:
    """For each flow of ``rows`` all that it sent so far; None where that is not whole, in order and TLS (from the first byte, or
    after a dialogue) or plain HTTP, or where ``take_in`` took it: it is shown those that begin here, with TLS, and all of whose
    segments are in order, and says which need not be set aside.

    ``fresh``: flows without payload before this batch; ``known``: what was set aside of others, by index in ``rows``; ``head``: the
    segments with payload, flow by flow in the order they came; ``stops``: where each flow's end in it; ``shielded``: what takes a
    crash over the bytes of one flow, named by its row.
    """
    sides = _Sides(columns, rows, head, stops, s, placed)
    begin = _find_begin(sides, columns, rows, fresh, known)
    clean, disordered = _find_order(sides, begin, fresh)
    clean &= begin.follows & begin.known.all(axis=1)
    tls = sides.every_side(sides.record[sides.begins] | begin.went_before[sides.flow_of, sides.side])
    # a client that sends a record after something else said in the clear what it wanted
    after = fresh & ~tls & np.logical_or.reduceat(sides.record & ~sides.by_server & ~sides.first, sides.flow_begins)
    asks = placed.direction[head[sides.flow_begins]] == sides.client
    plain = fresh & ~tls & ~after & (sides.counts <= MOST_SEGMENTS) & asks
    clean &= tls | after | plain
    rising = sides.have_rising(s.frame[head])
    if take_in is not None:
        clean[take_in(sides, np.flatnonzero(clean & tls & fresh & sides.has_both & rising))] = False

    cutter = _Cutter(sides, s, clean | disordered)
    senders, ends = cutter.senders, cutter.ends
    begins_tls, is_plain, rises = tls.tolist(), plain.tolist(), rising.tolist()
    ports = np.where(sides.client == 0, columns["destination_port"][rows], columns["source_port"][rows]).tolist()
    result: list[Flight | Plain | None] = [None] * len(rows)
    for index, b, m, e in cutter.bounds(clean):
        asked, answered = cutter.run(b, m), cutter.run(m, e)
        before = known.get(index)
        if is_plain[index]:
            if len(asked[0]) + len(answered[0]) <= MOST_BYTES and asks_for_http(asked[0][: asked[2][0]]):
                result[index] = Plain(asked, answered, senders[b:e])
        elif not begins_tls[index]:
            with shielded(int(rows[index])):
                result[index] = read_opening(asked, answered, senders[b:e], ports[index])
        elif before is None:
            pattern = senders[b:e] + ends[4 * b : 4 * e] if rises[index] else b""
            result[index] = _new_flight(Flight, (asked, answered, pattern, None, None))
        else:
            result[index] = _go_on(before, asked, answered, senders[b:e] if rises[index] else b"")
    for index, b, m, e in cutter.bounds(disordered):
        flight = cutter.put_in_order(b, m, e, begin.numbers[index].tolist())
        result[index] = flight if flight is None or rises[index] else flight._replace(pattern=b"")
    return result


class _Sides:
    """Columns of the segments, each flow's client first, then its server, each in the order they came."""

    def __init__(self, columns: dict[str, npt.NDArray[Any]], rows: I64, head: I64, stops: I64, s: SegmentBatch, placed: Placement) -> None:
        self.stops = stops
        self.counts = np.diff(stops, prepend=0)
        self.flow_begins = stops - self.counts
        self.client = columns["client"][rows]
        self.local = np.repeat(np.arange(len(rows)), self.counts)
        """Of each segment its flow, as an index in ``rows``."""
        self.from_server: Bools = placed.direction[head] != self.client[self.local]
        """The one column in the order in which they came within a flow."""
        self.order = order_by_group(self.local * 2 + self.from_server, 2 * len(rows))
        at, self.by_server = head[self.order], self.from_server[self.order]
        self.first: Bools = np.ones(len(at), np.bool_)
        self.first[1:] = (self.local[1:] != self.local[:-1]) | (self.by_server[1:] != self.by_server[:-1])
        self.begins = np.flatnonzero(self.first)
        """Where each side's begin."""
        self.flow_of, self.side = self.local[self.begins], self.by_server[self.begins].astype(np.int64)
        self.middle = self.flow_begins + np.add.reduceat(~self.by_server, self.flow_begins, dtype=np.int64)
        """Where the server's of each flow begin."""
        self.offset, self.length, self.wire_length = s.payload_offset[at], s.payload_length[at], s.wire_length[at]
        self.sequence = payload_sequence(s, at)
        self.frame, self.timestamp = s.frame[at], s.timestamp[at]
        self.record = _begins_as_tls(s.data, self.offset, self.length)
        self.hello = _is_hello(s.data, self.offset, self.length, self.by_server + 1)
        total = np.cumsum(self.length)
        sizes = np.diff(np.append(self.begins, len(self.length)))
        self.run_ends = (total - np.repeat((total - self.length)[self.begins], sizes)).astype(np.uint32)
        """Where each segment ends in what its side sent."""
        opening = head[self.flow_begins]
        self.opening_by_server: Bools = placed.direction[opening] != self.client
        """Of each flow, who sent the first of them, and what that acknowledged."""
        self.told, self.tells = s.acknowledgment[opening], (s.flags[opening] & TcpFlag.ACK) != 0

    def every_side(self, of_sides: Bools) -> Bools:
        """Of each flow, whether it is true of all its sides."""
        result: Bools = np.logical_and.reduceat(of_sides, np.flatnonzero(np.diff(self.flow_of, prepend=-1)))
        return result

    def every_segment(self, of_segments: Bools) -> Bools:
        """Of each flow, whether it is true of all its segments."""
        result: Bools = np.logical_and.reduceat(of_segments, self.flow_begins)
        return result

    def have_rising(self, frames: I64) -> Bools:
        """Of each flow, whether the frames of its segments rise, given in the order they came. Where they do not, they do not say what came
        first, and the flow is not alike to others."""
        rising = np.ones(len(frames), np.bool_)
        rising[1:] = frames[1:] > frames[:-1]
        rising[self.flow_begins] = True
        return self.every_segment(rising)

    @property
    def has_both(self) -> Bools:
        """Of each flow, whether both sides sent some."""
        result: Bools = (self.middle > self.flow_begins) & (self.middle < self.stops)
        return result


class _Begin(NamedTuple):
    """Where what each side sent in this batch has to begin; columns (flow, side)."""

    numbers: npt.NDArray[np.uint32]
    known: Bools
    """It is known, and that nothing came before it that is not known."""
    seen: Bools
    """Of each flow: both its SYNs were captured."""
    went_before: Bools
    """There is something set aside of this side."""
    follows: Bools
    """Of each flow: it begins here, or what came before it is set aside."""


def _find_begin(sides: _Sides, columns: dict[str, npt.NDArray[Any]], rows: I64, fresh: Bools, known: Mapping[int, Flight]) -> _Begin:
    base, client = columns["base"], sides.client
    numbers = np.stack([base[rows, client], base[rows, 1 - client]], axis=1) + np.uint32(1)
    went_before = np.zeros((len(rows), 2), np.bool_)
    follows = fresh.copy()
    for index, flight in known.items():
        follows[index] = True
        for side, (sent, number, *_) in enumerate((flight.client, flight.server)):
            if sent:
                numbers[index, side] = (number + len(sent)) & 0xFFFFFFFF
                went_before[index, side] = True
    begun = np.stack([columns["syn_frame"][rows] > 0, columns["syn_ack_frame"][rows] > 0], axis=1)
    seen: Bools = np.all(begun, axis=1)
    begun |= went_before
    # where the SYN was not captured the direction must begin with a hello: at the number that the flow's first payload acknowledges,
    # if that is the other side's, else wherever it is
    unknown = np.flatnonzero(~begun[sides.flow_of, sides.side] & fresh[sides.flow_of])
    if len(unknown):
        flow, side, here = sides.flow_of[unknown], sides.side[unknown], sides.begins[unknown]
        told = (sides.opening_by_server[flow] != sides.by_server[here]) & sides.tells[flow]
        numbers[flow, side] = np.where(told, sides.told[flow], sides.sequence[here])
        begun[flow, side] = sides.record[here] & sides.hello[here]
    return _Begin(numbers, begun, seen, went_before, follows)


def _find_order(sides: _Sides, begin: _Begin, fresh: Bools) -> tuple[Bools, Bools]:
    """Of each flow: each segment begins where the one before it ended; it does not, but all bytes may be there."""
    sequence, length = sides.sequence, sides.length
    expected = np.empty(len(sequence), np.uint32)
    expected[1:] = sequence[:-1] + length[:-1].astype(np.uint32)
    expected[sides.begins] = begin.numbers[sides.flow_of, sides.side]
    uncut = length == sides.wire_length
    clean = sides.every_segment((sequence == expected) & uncut)
    # a flow with holes sent less than it spans
    far = (sequence - begin.numbers[sides.local, sides.by_server.astype(np.int64)] + length.astype(np.uint32)).astype(np.int32)
    spans = np.maximum.reduceat(far, sides.begins)
    complete = sides.every_side((spans > 0) & (np.add.reduceat(length, sides.begins) >= spans))
    few = sides.counts <= MOST_DISORDERED
    return clean, fresh & ~clean & complete & sides.every_segment(uncut & (far > 0)) & begin.seen & few


class _Cutter:
    """Makes the runs of a direction out of the columns, which are lists here: a Python object each only for what is asked for, and
    only the segments of ``flows``."""

    def __init__(self, sides: _Sides, s: SegmentBatch, flows: Bools) -> None:
        self._data = s.data.data
        counts = np.where(flows, sides.counts, 0)
        self._stops = np.cumsum(counts)
        self._begins = self._stops - counts
        self._middles = self._begins + sides.middle - sides.flow_begins
        at = np.repeat(flows, sides.counts)
        offset, length, run_ends = sides.offset[at], sides.length[at], sides.run_ends[at]
        self.senders, self.ends = sides.from_server[at].tobytes(), run_ends.tobytes()
        self._runs, self._numbers, self._came = run_ends.tolist(), sides.sequence[at].tolist(), sides.order[at]
        self._from, self._to = offset.tolist(), (offset + length).tolist()
        self._frames, self._times = sides.frame[at].tolist(), sides.timestamp[at].tolist()

    def bounds(self, flows: Bools) -> Iterator[tuple[int, int, int, int]]:
        """(index, begin, begin of the server's, end) of the chosen flows."""
        at = np.flatnonzero(flows)
        return zip(at.tolist(), self._begins[at].tolist(), self._middles[at].tolist(), self._stops[at].tolist(), strict=True)

    def run(self, b: int, e: int) -> Run:
        """What the segments ``b`` to ``e`` of one side hold, which are in order."""
        if b == e:
            return _NOTHING
        data, begins, ends = self._data, self._from, self._to
        if e - b == 1:
            joined = bytes(data[begins[b] : ends[b]])
        else:
            joined = b"".join([data[begin:end] for begin, end in zip(begins[b:e], ends[b:e])])  # noqa: B905 - equal, and strict costs
        return joined, self._numbers[b], self._runs[b:e], self._frames[b:e], self._times[b:e]

    def put_in_order(self, b: int, m: int, e: int, starts: list[int]) -> Flight | None:
        """The flight of a flow whose segments are not in order; None where bytes are missing, or came twice and not just so."""
        came = self._came[b:e].tolist()
        sides = []
        for begin, end, start in ((b, m, starts[0]), (m, e, starts[1])):
            places = self._sort(begin, end, start, came[begin - b : end - b])
            if places is None:
                return None
            sides.append((self._gather(places, start), [came[place - b] for place in places]))
        (asked, early), (answered, late) = sides
        if not (looks_like_tls(asked[0]) and looks_like_tls(answered[0])):
            return None
        came_in = sorted(early + late)
        order = bytes([came_in.index(place) for place in early + late])
        ends = np.array(asked[2] + answered[2], np.uint32).tobytes()
        return Flight(asked, answered, bytes([len(early)]) + order + ends, None, (early, late))

    def _sort(self, begin: int, end: int, start: int, came: list[int]) -> list[int] | None:
        """The segments of one direction in the order of their bytes, without those that came again just so; else None."""
        data, from_, to, numbers = self._data, self._from, self._to, self._numbers
        places: list[int] = []
        at = 0
        for number, _, place in sorted(((numbers[place] - start) & 0xFFFFFFFF, came[place - begin], place) for place in range(begin, end)):
            if number == at:
                places.append(place)
                at += to[place] - from_[place]
                continue
            if not places:
                return None
            last = places[-1]
            if numbers[last] != numbers[place] or data[from_[last] : to[last]] != data[from_[place] : to[place]]:
                return None
        return places

    def _gather(self, places: list[int], start: int) -> Run:
        if not places:
            return _NOTHING
        from_, to = self._from, self._to
        joined = b"".join([self._data[from_[place] : to[place]] for place in places])
        ends = list(accumulate(to[place] - from_[place] for place in places))
        return joined, start, ends, [self._frames[place] for place in places], [self._times[place] for place in places]


def payload_sequence(s: SegmentBatch, at: I64) -> npt.NDArray[np.uint32]:
    """Sequence number of the first payload byte: a SYN takes one of its own (TCP Fast Open, RFC 7413, sends data with it)."""
    result: npt.NDArray[np.uint32] = s.sequence[at] + ((s.flags[at] & TcpFlag.SYN) != 0).astype(np.uint32)
    return result


def _begins_as_tls(data: npt.NDArray[np.uint8], at: I64, length: npt.NDArray[Any]) -> Bools:
    """Whether the payloads that begin ``at`` begin with a record of a handshake or an alert."""
    last = len(data) - 1  # where a frame was cut behind its headers, its payload begins beyond all
    kind, major, minor = (data[np.minimum(at + place, last)] for place in range(3))
    result: Bools = (length >= 3) & ((kind == 22) | (kind == 21)) & (major == 3) & (minor <= 4)
    return result


def _is_hello(data: npt.NDArray[np.uint8], at: I64, length: npt.NDArray[Any], kind: I64) -> Bools:
    """Whether the records that begin ``at`` hold an alert, or begin with a handshake message of this kind."""
    last = len(data) - 1
    result: Bools = (length > 5) & ((data[np.minimum(at, last)] == 21) | (data[np.minimum(at + 5, last)] == kind))
    return result


def _go_on(before: Flight, asked: Run, answered: Run, senders: bytes) -> Flight:
    """What was set aside, and what came after it; ``senders``: b"" where its frames do not say what came first."""
    client, server = _append(before.client, asked), _append(before.server, answered)
    pattern = b""
    # frames of another capture begin anew
    rises = max(before.client[3][-1:] + before.server[3][-1:]) < min(asked[3][:1] + answered[3][:1])
    in_time = max(before.client[4][-1:] + before.server[4][-1:]) <= min(asked[4][:1] + answered[4][:1])
    if before.pattern and senders and rises and in_time:
        earlier = len(before.client[2]) + len(before.server[2])
        ends = np.array(client[2] + server[2], np.uint32).tobytes()
        pattern = before.pattern[:earlier] + senders + ends
    return Flight(client, server, pattern, before.before)


def _append(before: Run, more: Run) -> Run:
    if not before[0]:
        return more
    data, _, ends, frames, times = more
    size = len(before[0])
    return before[0] + data, before[1], before[2] + [size + end for end in ends], before[3] + frames, before[4] + times
