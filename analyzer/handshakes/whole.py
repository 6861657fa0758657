"""Of many flows at once: those whose payload came whole and in order, and begins as TLS on both sides.

Told with array operations for all flows of a batch together: within a direction each segment begins where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows import Placement
from analyzer.handshakes.flight import Flight, Run, looks_like_tls
from analyzer.handshakes.opening import read_opening
from analyzer.handshakes.plain import MOST_BYTES, MOST_SEGMENTS, Plain, asks_for_http
from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["find_whole", "payload_sequence"]

I64 = npt.NDArray[np.int64]

MOST_DISORDERED = 31
"""Segments of a flow that are put in order here: as many as are looked at of a flow at once, but for the last."""

_NOTHING: Run = (b"", 0, [], [], [])
_new_flight = tuple.__new__


def find_whole(
    columns: dict[str, npt.NDArray[Any]],
    rows: I64,
    fresh: npt.NDArray[np.bool_],
    known: Mapping[int, Flight],
    head: I64,
    stops: I64,
    s: SegmentBatch,
    placed: Placement,
) -> list[Flight | Plain | None]:
    """For each flow of ``rows`` all that it sent so far; None where that is not whole, in order and TLS (from the first byte, or
    after a dialogue) or plain HTTP.

    ``fresh``: flows without payload before this batch; ``known``: what was set aside of others, by index in ``rows``; ``head``: the
    segments with payload, flow by flow in the order they came; ``stops``: where each flow's end in it.
    """
    client = columns["client"][rows]
    local = np.repeat(np.arange(len(rows)), np.diff(stops, prepend=0))
    from_server = placed.direction[head] != client[local]
    order = np.argsort(local * 2 + from_server, kind="stable")
    at, by_server = head[order], from_server[order]
    first = np.ones(len(at), np.bool_)
    first[1:] = (local[1:] != local[:-1]) | (by_server[1:] != by_server[:-1])
    length = s.payload_length[at]
    sequence = payload_sequence(s, at)
    begins = np.flatnonzero(first)
    flow_of, server_side = local[begins], by_server[begins]

    starts = np.stack([columns["base"][rows, client], columns["base"][rows, 1 - client]], axis=1) + np.uint32(1)
    has_begun = np.zeros((len(rows), 2), np.bool_)
    follows = fresh.copy()
    for index, flight in known.items():
        follows[index] = True
        for side, (sent, number, *_) in enumerate((flight.client, flight.server)):
            if sent:
                starts[index, side] = (number + len(sent)) & 0xFFFFFFFF
                has_begun[index, side] = True

    side_index = server_side.astype(np.int64)
    flow_begins = stops - np.diff(stops, prepend=0)
    record = _begins_as_tls(s.data, s.payload_offset[at], length)
    # where the SYN was not captured the direction must begin with a hello: at the number that the flow's first payload acknowledges,
    # if that is the other side's, else wherever it is
    begun = np.stack([columns["syn_frame"][rows] > 0, columns["syn_ack_frame"][rows] > 0], axis=1)
    seen = begun.all(axis=1)
    begun |= has_begun
    unknown = np.flatnonzero(~begun[flow_of, side_index] & fresh[flow_of])
    if len(unknown):
        flow, side, here = flow_of[unknown], side_index[unknown], at[begins[unknown]]
        opening = head[flow_begins[flow]]
        told = (placed.direction[opening] != placed.direction[here]) & ((s.flags[opening] & TcpFlag.ACK) != 0)
        starts[flow, side] = np.where(told, s.acknowledgment[opening], sequence[begins[unknown]])
        begun[flow, side] = record[begins[unknown]] & _is_hello(s.data, s.payload_offset[here], s.payload_length[here], side + 1)

    expected = np.empty(len(at), np.uint32)
    expected[1:] = sequence[:-1] + length[:-1].astype(np.uint32)
    expected[begins] = starts[flow_of, side_index]
    good = (sequence == expected) & (length == s.wire_length[at])
    clean: npt.NDArray[np.bool_] = np.logical_and.reduceat(good, flow_begins)
    # all bytes may be there though not in order; a flow with holes sent less than it spans
    far = (sequence - starts[local, by_server.astype(np.int64)] + length.astype(np.uint32)).astype(np.int32)
    spans = np.maximum.reduceat(far, begins)
    came_in_all = np.add.reduceat(length, begins)
    complete = np.logical_and.reduceat((spans > 0) & (came_in_all >= spans), np.flatnonzero(np.diff(flow_of, prepend=-1)))
    uncut = np.logical_and.reduceat((length == s.wire_length[at]) & (far > 0), flow_begins)
    disordered = fresh & ~clean & complete & uncut & seen & (np.diff(stops, prepend=0) <= MOST_DISORDERED)
    clean &= follows & begun.all(axis=1)
    tls = np.logical_and.reduceat(record[begins] | has_begun[flow_of, side_index], np.flatnonzero(np.diff(flow_of, prepend=-1)))
    # a client that sends a record after something else said in the clear what it wanted
    after = fresh & ~tls & np.logical_or.reduceat(record & ~by_server & ~first, flow_begins)
    plain = fresh & ~tls & ~after & (np.diff(stops, prepend=0) <= MOST_SEGMENTS) & (placed.direction[head[flow_begins]] == client)
    clean &= tls | after | plain

    total = np.cumsum(length)
    side_ends = np.append(begins[1:], len(at))
    run = total - np.repeat((total - length)[begins], side_ends - begins)
    middle = flow_begins + np.add.reduceat(~by_server, flow_begins, dtype=np.int64)
    chosen = np.flatnonzero(clean)
    senders, ends = from_server.tobytes(), run.astype(np.uint32).tobytes()
    offsets, runs, frames, times = s.payload_offset[at], run.tolist(), s.frame[at].tolist(), s.timestamp[at].tolist()
    from_, to = offsets.tolist(), (offsets + length).tolist()
    numbers = sequence.tolist()
    begins_tls, is_plain = tls.tolist(), plain.tolist()
    ports = np.where(client == 0, columns["destination_port"][rows], columns["source_port"][rows]).tolist()
    data = s.data.data
    result: list[Flight | Plain | None] = [None] * len(rows)
    for index, b, m, e in zip(chosen.tolist(), flow_begins[chosen].tolist(), middle[chosen].tolist(), stops[chosen].tolist(), strict=True):
        asked = answered = _NOTHING
        if b < m:
            asked = _join(data, from_[b:m], to[b:m]), numbers[b], runs[b:m], frames[b:m], times[b:m]
        if m < e:
            answered = _join(data, from_[m:e], to[m:e]), numbers[m], runs[m:e], frames[m:e], times[m:e]
        before = known.get(index)
        if is_plain[index]:
            if len(asked[0]) + len(answered[0]) <= MOST_BYTES and asks_for_http(asked[0][: asked[2][0]]):
                result[index] = Plain(asked, answered, senders[b:e])
        elif not begins_tls[index]:
            result[index] = read_opening(asked, answered, senders[b:e], ports[index])
        elif before is None:
            result[index] = _new_flight(Flight, (asked, answered, senders[b:e] + ends[4 * b : 4 * e], None, None))
        else:
            result[index] = _go_on(before, asked, answered, senders[b:e])
    came = order.tolist()
    for index in np.flatnonzero(disordered).tolist():
        b, m, e = int(flow_begins[index]), int(middle[index]), int(stops[index])
        sides = []
        for begin, end, start in ((b, m, int(starts[index, 0])), (m, e, int(starts[index, 1]))):
            places = _put_in_order(data, numbers, from_, to, came, begin, end, start)
            if places is None:
                break
            sides.append(_run_of(data, places, start, from_, to, frames, times, came))
        else:
            (asked, early), (answered, late) = sides
            if looks_like_tls(asked[0]) and looks_like_tls(answered[0]):
                result[index] = Flight(asked, answered, b"", None, (early, late))
    return result


def _put_in_order(
    data: memoryview, numbers: list[int], from_: list[int], to: list[int], came: list[int], begin: int, end: int, start: int
) -> list[int] | None:
    """The segments ``begin`` to ``end`` of one direction in the order of their bytes, without those that came again just so; None
    where bytes are missing, or came twice in other segments or with another content."""
    places: list[int] = []
    at = 0
    ordered = sorted(((numbers[place] - start) & 0xFFFFFFFF, came[place], place) for place in range(begin, end))
    for number, _, place in ordered:
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


def _run_of(
    data: memoryview, places: list[int], start: int, from_: list[int], to: list[int], frames: list[int], times: list[int], came: list[int]
) -> tuple[Run, list[int]]:
    """(the run, when each of its segments came)."""
    if not places:
        return _NOTHING, []
    joined = b"".join([data[from_[place] : to[place]] for place in places])
    ends = list(accumulate(to[place] - from_[place] for place in places))
    return (joined, start, ends, [frames[place] for place in places], [times[place] for place in places]), [came[p] for p in places]


def payload_sequence(s: SegmentBatch, at: I64) -> npt.NDArray[np.uint32]:
    """Sequence number of the first payload byte: a SYN takes one of its own (TCP Fast Open, RFC 7413, sends data with it)."""
    result: npt.NDArray[np.uint32] = s.sequence[at] + ((s.flags[at] & TcpFlag.SYN) != 0).astype(np.uint32)
    return result


def _begins_as_tls(data: npt.NDArray[np.uint8], at: I64, length: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether the payloads that begin ``at`` begin with a record of a handshake or an alert."""
    last = len(data) - 1
    kind, major, minor = data[at], data[np.minimum(at + 1, last)], data[np.minimum(at + 2, last)]
    result: npt.NDArray[np.bool_] = (length >= 3) & ((kind == 22) | (kind == 21)) & (major == 3) & (minor <= 4)
    return result


def _is_hello(data: npt.NDArray[np.uint8], at: I64, length: npt.NDArray[Any], kind: I64) -> npt.NDArray[np.bool_]:
    """Whether the records that begin ``at`` hold an alert, or begin with a handshake message of this kind."""
    place = np.minimum(at + 5, len(data) - 1)
    result: npt.NDArray[np.bool_] = (length > 5) & ((data[at] == 21) | (data[place] == kind))
    return result


def _join(data: memoryview, begins: list[int], ends: list[int]) -> bytes:
    if len(begins) == 1:
        return bytes(data[begins[0] : ends[0]])
    return b"".join([data[begin:end] for begin, end in zip(begins, ends)])  # noqa: B905


def _go_on(before: Flight, asked: Run, answered: Run, senders: bytes) -> Flight:
    """What was set aside, and what came after it."""
    client, server = _append(before.client, asked), _append(before.server, answered)
    pattern = b""
    last = max(before.client[4][-1:] + before.server[4][-1:])
    if before.pattern and last <= min(asked[4][:1] + answered[4][:1]):
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
