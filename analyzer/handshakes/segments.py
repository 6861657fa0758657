"""The segments of one flow, as the path rules see them: out of columns, into ``Segment`` rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows.grouping import order_by_group
from analyzer.flows.sequences import REORDERED_NS
from analyzer.model.batches import SegmentBatch, TcpFlag
from analyzer.model.handshake import Segment

__all__ = ["KEPT", "Kept", "KeptSegments", "are_whole", "keep_rows", "read_segments"]

KEPT = np.dtype(
    [
        ("frame", "i8"), ("timestamp", "i8"), ("sequence", "u4"), ("acknowledgment", "u4"), ("wire_length", "i4"),
        ("payload_length", "i4"), ("original_length", "i4"), ("timestamp_value", "u4"), ("ip_id", "i4"), ("window", "u2"),
        ("mss", "u2"), ("interface", "u2"), ("flags", "u1"), ("direction", "u1"), ("ttl", "u1"), ("options", "u1"),
        ("dont_fragment", "?"),
    ]
)  # fmt: skip
"""What is kept of a segment while its flow's handshake is not over: 64 bytes."""

_COPIED = tuple(name for name in KEPT.names or () if name != "direction")
_DUPLICATE_NS = 1_000_000
_ROW = np.dtype(f"V{KEPT.itemsize}")
_HOLES = 16  # of one direction at once
_FLAGS, _DIRECTION, _SEQUENCE, _ACKNOWLEDGMENT, _LENGTH, _TIMESTAMP = (
    (KEPT.names or ()).index(name) for name in ("flags", "direction", "sequence", "acknowledgment", "wire_length", "timestamp")
)
_FIN, _SYN, _RST, _ACK = TcpFlag.FIN, TcpFlag.SYN, TcpFlag.RST, TcpFlag.ACK
_HALF, _ALL = 1 << 31, (1 << 32) - 1
_new = tuple.__new__


def keep_rows(s: SegmentBatch, at: npt.NDArray[np.int64], direction: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Copy the rows ``at`` out of a batch."""
    rows = np.empty(len(at), KEPT)
    for name in _COPIED:
        rows[name] = getattr(s, name)[at]
    rows["direction"] = direction[at]
    return rows


def _from_bytes(rows: bytes) -> npt.NDArray[Any]:
    """Rows out of their bytes: NumPy itself copies them field by field, which takes ten times as long."""
    return np.frombuffer(rows, KEPT)


class Kept(list[npt.NDArray[Any]]):
    """Rows of one flow, a part a batch."""

    def __init__(self, parts: Iterable[npt.NDArray[Any]], whole: bool | None = None) -> None:
        super().__init__(parts)
        self.whole = whole
        """What ``are_whole`` says of all of them; None where nobody looked."""

    def add(self, part: npt.NDArray[Any]) -> None:
        """The rows of another batch."""
        self.append(part)
        self.whole = None

    def rows(self, limit: int) -> npt.NDArray[Any]:
        """The first of them, at most ``limit``."""
        return self[0][:limit] if len(self) == 1 else _from_bytes(b"".join([part.tobytes() for part in self]))[:limit]

    def copies(self) -> Kept:
        """The same, and no slices of what was kept of whole batches."""
        return Kept([_from_bytes(b"".join([part.tobytes() for part in self]))] if self else (), self.whole)


class KeptSegments(partial[tuple[Segment, ...]]):
    """``read_segments`` of what was kept, for when somebody asks."""

    def copies(self) -> KeptSegments:
        """The same, and no slices of what was kept of whole batches."""
        kept, client, limit = self.args
        return KeptSegments(read_segments, kept.copies(), client, limit)

    def is_whole(self) -> bool:
        """Whether the rows alone show that nothing is missing (``are_whole``)."""
        kept, _, limit = self.args
        if kept.whole is None:
            rows = kept.rows(limit)
            kept.whole = bool(are_whole(rows, np.array([len(rows)]))[0])
        return bool(kept.whole)

    def is_of_one_distance(self) -> bool:
        """Whether the server's packets all came with one TTL."""
        kept, client, limit = self.args
        rows = kept.rows(limit)
        ttl = rows["ttl"][rows["direction"] != client]
        return not len(ttl) or bool(ttl.min() == ttl.max())


def are_whole(rows: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Of each flow, whose ``counts`` rows follow each other, whether they show that nothing is missing: both SYNs, everything after
    them once, in order and in the order of its times, and no acknowledgment of anything that was not there before it."""
    flows = len(counts)
    flow = np.repeat(np.arange(flows), counts)
    at = np.flatnonzero((rows["flags"] & _RST) == 0)
    group = flow[at] * 2 + rows["direction"][at]
    order = order_by_group(group, 2 * flows)
    at, group = at[order], group[order]
    first = np.ones(len(at), np.bool_)
    first[1:] = group[1:] != group[:-1]
    begins = np.flatnonzero(first)
    sizes = np.diff(np.append(begins, len(at)))
    kept = rows.view(_ROW)[at].view(KEPT)
    flags, length, sequence = kept["flags"], kept["wire_length"].astype(np.int64), kept["sequence"]
    syn = (flags & _SYN) != 0
    takes = np.where(syn, 1, length) + (flags & _FIN)
    sent = np.cumsum(takes)
    before = sent - takes
    before -= np.repeat(before[begins], sizes)
    due_next = sequence - np.repeat(sequence[begins], sizes) == before.astype(np.uint32)
    fits = np.where(first, syn & (length == 0), ~syn & due_next)

    base, begun = np.zeros(2 * flows, np.uint32), np.full(2 * flows, len(rows))
    base[group[begins]], begun[group[begins]] = sequence[begins], at[begins]
    other = group ^ 1
    known = (begun[other] < at) & (kept["acknowledgment"] - base[other] <= _sent_before(rows, flow, at, before + takes))
    misfits = ~fits | ~(known | ((flags & _ACK) == 0))
    whole: npt.NDArray[np.bool_] = np.all(begun.reshape(-1, 2) < len(rows), axis=1)
    whole[flow[at[misfits]]] = False
    times = rows["timestamp"]
    whole[flow[1:][(times[1:] < times[:-1]) & (flow[1:] == flow[:-1])]] = False
    return whole


def _sent_before(
    rows: npt.NDArray[Any], flow: npt.NDArray[np.int64], at: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """For the rows ``at`` how much the other side had sent by then; ``ends``: how much the row's own side had with it."""
    lift = flow << 40  # keeps the flows apart: no more is kept of one
    sent = np.zeros((2, len(rows)), np.int64)
    sent[rows["direction"][at], at] = ends
    np.maximum.accumulate(sent + lift, axis=1, out=sent)
    result: npt.NDArray[np.int64] = sent[1 - rows["direction"][at], at] - lift[at]
    return result


def read_segments(parts: Kept, client: int, limit: int) -> tuple[Segment, ...]:
    """Segments in capture order; sequence numbers relative to each side's first.

    A segment is a retransmission when all it carries had been sent before, or was left out longer ago than the path delays
    a packet, and a duplicate when it is a copy of a frame (same addresses, numbers and IP-ID within a millisecond, as a
    mirror port makes them).
    """
    rows: list[tuple[int, ...]] = parts.rows(limit).tolist()
    bases = _begins(rows)
    tops = [-1, -1]
    holes: tuple[list[list[int]], list[list[int]]] = ([], [])
    delay = max(_round_trip(rows), REORDERED_NS)
    recent: dict[tuple[int, ...], int] = {}
    result: list[Segment] = []
    for (frame, timestamp, sequence, acknowledgment, length, captured, original, tsval, ip_id, window, mss, interface, flags, side,
         ttl, options, dont_fragment) in rows:  # fmt: skip
        relative = ((sequence - bases[side] + _HALF) & _ALL) - _HALF
        ack = ((acknowledgment - bases[1 - side] + _HALF) & _ALL) - _HALF if flags & _ACK else -1
        copy = again = False
        takes = length + (1 if flags & _SYN else 0) + (flags & _FIN)
        if takes or ip_id > 0 or tsval:
            identity = (side, sequence, acknowledgment, flags, length, tsval, ip_id, window)
            last = recent.get(identity)
            copy = last is not None and -_DUPLICATE_NS < timestamp - last < _DUPLICATE_NS
            recent[identity] = timestamp
        if not copy:
            end = relative + takes
            again = takes > 0 and end <= tops[side] and not _fills(holes[side], relative, timestamp - delay)
            if relative > tops[side] >= 0:
                holes[side].append([tops[side], relative, timestamp])
                del holes[side][:-_HOLES]
            if end > tops[side] and not flags & _RST:
                tops[side] = end
        result.append(
            _new(
                Segment,
                (
                    frame, timestamp, side == client, flags, relative, ack, length, captured, window, ttl, ip_id, dont_fragment,
                    options, tsval, again, copy, mss, interface, original,
                ),
            )
        )  # fmt: skip
    return tuple(result)


def _fills(holes: list[list[int]], begin: int, since: int) -> bool:
    """Whether a segment is the first to bring what a later one left out, no longer ago than ``since``."""
    for hole in reversed(holes):
        if hole[0] <= begin < hole[1]:
            if hole[2] <= since:
                return False
            hole[0] = begin + 1
            return True
    return False


def _round_trip(rows: list[tuple[int, ...]]) -> int:
    """SYN to SYN-ACK in ns; 0 where the capture does not show them."""
    asked = 0
    for row in rows:
        if row[_FLAGS] & (_SYN | _ACK) == _SYN:
            asked = asked or row[_TIMESTAMP]
        elif row[_FLAGS] & _SYN:
            return max(row[_TIMESTAMP] - asked, 0) if asked else 0
    return 0


def _begins(rows: list[tuple[int, ...]]) -> list[int]:
    """The number before each direction's first byte: that of its first SYN, else told by its first segment, or by the first
    acknowledgment of the other side where that is before it: what was acknowledged stands for the beginning, all after it was sent."""
    syn: list[int | None] = [None, None]
    first: list[int | None] = [None, None]
    told: list[int | None] = [None, None]
    for row in rows:
        flags, side = row[_FLAGS], row[_DIRECTION]
        if flags & _SYN and syn[side] is None:
            syn[side] = row[_SEQUENCE]
            if syn[1 - side] is not None:
                break
        if first[side] is None and not flags & _RST:
            first[side] = row[_SEQUENCE]
        if told[1 - side] is None and flags & _ACK:
            told[1 - side] = row[_ACKNOWLEDGMENT]
    result = []
    for of_syn, begin, acknowledged in zip(syn, first, told, strict=True):
        if of_syn is None and acknowledged is not None and (begin is None or (acknowledged - begin) & _ALL >= _HALF):
            begin = acknowledged
        result.append(of_syn if of_syn is not None else 0 if begin is None else (begin - 1) & _ALL)
    return result
