"""The table of TCP connections, filled batch by batch, column by column.

A flow is what Wireshark calls ``tcp.stream``: both directions of a 4-tuple, and another one when a
SYN with another initial sequence number reuses the tuple. Numbers are given in the order of first
packets, per capture, so that they can be typed into a Wireshark display filter.

``direction`` is 0 for segments from the side whose segment was seen first and 1 for the other; which
of the two is the client is the column ``client`` (0 or 1, -1 while unknown).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows.events import note_acknowledged, note_control, note_ttl
from analyzer.flows.grouping import group_by_key, key_ends, key_segments, note_first, order_by_group
from analyzer.flows.reuse import base_of, find_cuts
from analyzer.flows.sequences import SequenceFacts, follow_sequences
from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["FlowState", "FlowTable", "Placement"]

I64 = npt.NDArray[np.int64]

_SYN_ACK = TcpFlag.SYN | TcpFlag.ACK


class FlowState:
    """What the handshake follower still wants of a flow."""

    NEW = 0  # no payload seen yet
    ACTIVE = 1  # a handshake is being followed
    PAST = 2  # nothing more is wanted but the columns
    GONE = 3  # reported, kept for its number only


@dataclass(slots=True, eq=False, repr=False)
class Placement:
    """Where the segments of one batch went."""

    flow: I64
    """Flow of each segment: its row in the table."""
    direction: npt.NDArray[np.uint8]
    order: I64
    """Segments sorted by flow, capture order within one."""
    starts: I64
    """Where each flow begins in ``order``; ``ends`` where it ends."""
    ends: I64
    flows: I64
    """The flows of this batch, one each, as in ``starts``."""
    sequences: SequenceFacts
    first_use: npt.NDArray[np.bool_]
    """Of ``flows``: first seen in this batch."""


# name, dtype, initial value; a trailing 2 means one column a direction
_COLUMNS: tuple[tuple[str, str, int, int], ...] = (
    ("source_high", "u8", 0, 1),  # of direction 0
    ("source_low", "u8", 0, 1),
    ("destination_high", "u8", 0, 1),
    ("destination_low", "u8", 0, 1),
    ("source_port", "u2", 0, 1),
    ("destination_port", "u2", 0, 1),
    ("ip_version", "u1", 0, 1),
    ("swapped", "?", 0, 1),
    ("number", "i8", -1, 1),
    ("stream", "i8", -1, 1),
    ("capture", "i4", -1, 1),
    ("last_capture", "i4", -1, 1),
    ("state", "u1", 0, 1),
    ("client", "i1", -1, 1),
    ("herd", "i4", -1, 1),  # among which others alike its handshake is held, and where: ``handshakes.herds``
    ("place", "i4", 0, 1),
    ("known_by", "u1", 0, 1),  # 0 unknown, 1 syn, 2 hello, 3 port, 4 order
    ("first_frame", "i8", 0, 1),
    ("last_frame", "i8", 0, 1),
    ("first_seen", "i8", 0, 1),
    ("last_seen", "i8", 0, 1),
    ("syn_frame", "i8", 0, 1),
    ("syn_time", "i8", 0, 1),
    ("syn_ack_frame", "i8", 0, 1),
    ("syn_ack_time", "i8", 0, 1),
    ("ack_frame", "i8", 0, 1),
    ("syns", "i4", 0, 1),
    ("syn_acks", "i4", 0, 1),
    ("frames", "i8", 0, 2),
    ("bytes", "i8", 0, 2),
    ("fin_frame", "i8", 0, 2),
    ("fin_time", "i8", 0, 2),
    ("rst_frame", "i8", 0, 2),
    ("rst_time", "i8", 0, 2),
    ("rsts", "i4", 0, 2),
    ("base", "u4", 0, 2),
    ("base_set", "?", 0, 2),
    ("top", "i8", -1, 2),  # highest sequence end seen, relative to base
    ("hole", "i8", 0, 2),  # what the last segment that came too early left out: begin, end, when
    ("hole_end", "i8", 0, 2),
    ("hole_time", "i8", 0, 2),
    ("mss", "u2", 0, 2),
    ("ttl", "u1", 0, 2),
    ("retransmissions", "i4", 0, 1),
    ("out_of_order", "i4", 0, 1),
    ("duplicates", "i4", 0, 1),
    ("truncated", "i4", 0, 1),
    ("tunnel", "u1", 0, 1),
    ("vlan", "i4", -1, 1),
)


class FlowTable:
    """Columns of every flow. Grows by doubling up to ``limit`` rows; beyond it the longest idle go
    (``evicted`` counts them; the caller takes their rows first through ``choose_idle``)."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.evicted = 0
        self.count = 0  # flows ever seen
        self._rows: dict[int, int] = {}  # key -> row of the flow that owns the tuple now
        self._key: npt.NDArray[np.uint64] = np.zeros(1024, np.uint64)
        self._used = 0
        self._free: list[int] = []
        self._streams: dict[int, int] = {}  # capture -> next stream number
        self.columns: dict[str, npt.NDArray[Any]] = {
            name: np.full((1024, width) if width == 2 else 1024, initial, dtype=dtype) for name, dtype, initial, width in _COLUMNS
        }

    def __len__(self) -> int:
        """Flows held now."""
        return self._used - len(self._free)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.columns[name]

    # ------------------------------------------------------------------ adding

    def add(self, s: SegmentBatch) -> Placement:
        """Take in a batch: give every segment its flow and direction, and update the columns."""
        n = len(s)
        if n == 0:
            empty = np.zeros(0, np.int64)
            nothing = np.zeros(0, np.bool_)
            return Placement(empty, np.zeros(0, np.uint8), empty, empty, empty, empty, SequenceFacts.empty(), nothing)
        swapped, keys = key_segments(s)
        unique, first, local, order = group_by_key(keys)
        rows, new = self._find_or_make(s, unique, first, swapped)
        flow = rows[local]
        direction = (swapped != self.columns["swapped"][flow]).astype(np.uint8)
        flow, direction, local, rows, new = self._split_reused(s, flow, direction, local, rows, new, unique, swapped)
        counts = np.bincount(local, minlength=len(rows))
        if len(rows) > len(unique):
            seen = counts > 0  # a flow all of whose segments turned out to be another's is none of this batch
            local, rows, new, counts = (np.cumsum(seen) - 1)[local], rows[seen], new[seen], counts[seen]
            order = order_by_group(local, len(rows))
        self._number(s, local, rows, new)
        ends = np.cumsum(counts)
        starts = ends - counts
        sequences = self._update(s, flow, direction, local, rows, new, order, starts, ends)
        return Placement(flow, direction, order, starts, ends, rows, sequences, new)

    def find(self, source: tuple[int, int], destination: tuple[int, int], source_port: int, destination_port: int) -> int | None:
        """Row of the flow that owns this tuple now (either direction), or None."""
        a = np.array([source[0]], np.uint64), np.array([source[1]], np.uint64)
        b = np.array([destination[0]], np.uint64), np.array([destination[1]], np.uint64)
        ports = np.array([source_port], np.uint16), np.array([destination_port], np.uint16)
        _, key = key_ends(a[0], a[1], b[0], b[1], ports[0], ports[1])
        return self._rows.get(int(key[0]))

    def _find_or_make(
        self, s: SegmentBatch, unique: npt.NDArray[np.uint64], first: I64, swapped: npt.NDArray[np.bool_]
    ) -> tuple[I64, npt.NDArray[np.bool_]]:
        known = self._rows
        rows = np.fromiter((known.get(key, -1) for key in unique.tolist()), np.int64, len(unique))
        new = rows < 0
        if new.any():
            # in order of first packets, so that numbers follow the capture
            which = np.flatnonzero(new)
            which = which[np.argsort(first[which], kind="stable")]
            made = self._make(s, first[which], swapped, unique[which])
            rows[which] = made
        return rows, new

    def _make(self, s: SegmentBatch, at: I64, swapped: npt.NDArray[np.bool_], keys: npt.NDArray[np.uint64]) -> I64:
        """New rows for the flows whose first segments are ``at``."""
        rows = self._allocate(len(at))
        c = self.columns
        for name in ("source_high", "source_low", "destination_high", "destination_low", "source_port", "destination_port", "ip_version"):
            c[name][rows] = getattr(s, name)[at]
        c["swapped"][rows] = swapped[at]
        c["number"][rows] = 0  # in use; numbered when all new flows of the batch are known
        c["capture"][rows] = s.capture
        c["first_frame"][rows] = s.frame[at]
        c["first_seen"][rows] = s.timestamp[at]
        c["tunnel"][rows] = s.tunnel[at]
        c["vlan"][rows] = s.vlan[at]
        self._key[rows] = keys
        self._rows.update(zip(keys.tolist(), rows.tolist(), strict=True))
        return rows

    def _allocate(self, n: int) -> I64:
        """``n`` rows with nothing in them: those that were freed first."""
        reused = np.array([self._free.pop() for _ in range(min(n, len(self._free)))], np.int64)
        if len(reused):
            for name, _, initial, _ in _COLUMNS:
                self.columns[name][reused] = initial
        fresh = n - len(reused)
        need = self._used + fresh
        size = len(self._key)
        if need > size:
            while size < need:
                size *= 2
            for name, _, initial, width in _COLUMNS:
                old = self.columns[name]
                grown = np.full((size, width) if width == 2 else size, initial, dtype=old.dtype)
                grown[: len(old)] = old
                self.columns[name] = grown
            key = np.zeros(size, np.uint64)
            key[: len(self._key)] = self._key
            self._key = key
        rows = np.concatenate([reused, np.arange(self._used, need)])
        self._used = need
        return rows

    def _split_reused(
        self,
        s: SegmentBatch,
        flow: I64,
        direction: npt.NDArray[np.uint8],
        local: I64,
        rows: I64,
        new: npt.NDArray[np.bool_],
        unique: npt.NDArray[np.uint64],
        swapped: npt.NDArray[np.bool_],
    ) -> tuple[I64, npt.NDArray[np.uint8], I64, I64, npt.NDArray[np.bool_]]:
        """Begin another flow where a SYN's sequence number is not the one its direction began with."""
        c = self.columns
        # the base of each direction: the first segment's number, one less when it is not a SYN
        side = local * 2 + direction
        first = np.full(len(rows) * 2, len(s), np.int64)
        np.minimum.at(first, side, np.arange(len(s))) if len(s) < 4096 else note_first(first, side)
        sides = np.flatnonzero(first < len(s))
        sides = sides[~c["base_set"][rows[sides // 2], sides % 2]]
        c["base"][rows[sides // 2], sides % 2] = base_of(s, first[sides])
        c["base_set"][rows[sides // 2], sides % 2] = True
        syn = np.flatnonzero((s.flags & _SYN_ACK) == TcpFlag.SYN)
        odd = syn[c["base"][flow[syn], direction[syn]] != s.sequence[syn]]
        if len(odd) == 0:
            return flow, direction, local, rows, new
        reused = np.zeros(len(rows), np.bool_)
        reused[local[odd]] = True
        those = np.flatnonzero(reused[local])
        those = those[np.argsort(local[those], kind="stable")]
        groups = local[those]
        cuts = find_cuts(s, those, groups, rows, swapped, c)
        if not cuts:
            return flow, direction, local, rows, new
        begins = those[cuts]
        # what a flow was told that only began behind its end is another one's
        end = np.full(len(rows), len(s), np.int64)
        np.minimum.at(end, groups[cuts], begins)
        sides = sides[first[sides] >= end[sides // 2]]
        c["base"][rows[sides // 2], sides % 2] = 0
        c["base_set"][rows[sides // 2], sides % 2] = False
        made = self._make(s, begins, swapped, unique[groups[cuts]])
        # each cut begins a flow that goes on to the next one, or to the end of its group
        which = np.searchsorted(cuts, np.arange(len(those)), "right") - 1
        behind = (which >= 0) & (groups[np.array(cuts)[which]] == groups)
        those, which = those[behind], which[behind]
        flow[those], local[those] = made[which], len(rows) + which
        direction[those] = swapped[those] != swapped[begins][which]
        side = which * 2 + direction[those]
        firsts, at = np.unique(side, return_index=True)
        at = those[at]
        c["base"][made[firsts // 2], firsts % 2] = base_of(s, at)
        c["base_set"][made[firsts // 2], firsts % 2] = True
        return flow, direction, local, np.concatenate([rows, made]), np.concatenate([new, np.ones(len(made), np.bool_)])

    def _number(self, s: SegmentBatch, local: I64, rows: I64, new: npt.NDArray[np.bool_]) -> None:
        """Numbers in the order of first packets: of the run, and for each capture in which a flow is seen."""
        c = self.columns
        fresh = c["last_capture"][rows] != s.capture
        if not fresh.any():
            return
        first = np.full(len(rows), len(s), np.int64)
        if (s.frame[1:] < s.frame[:-1]).any():  # rows by time: numbers go by the place in the file all the same
            first[:] = s.frame.max() + 1
            np.minimum.at(first, local, s.frame)
        else:
            note_first(first, local)
        which = np.flatnonzero(new)
        which = which[np.argsort(first[which], kind="stable")]
        c["number"][rows[which]] = self.count + np.arange(len(which))
        self.count += len(which)
        which = np.flatnonzero(fresh)
        which = which[np.argsort(first[which], kind="stable")]
        begin = self._streams.get(s.capture, 0)
        numbers = begin + np.arange(len(which))
        self._streams[s.capture] = begin + len(which)
        unnumbered = c["stream"][rows[which]] < 0
        c["stream"][rows[which[unnumbered]]] = numbers[unnumbered]
        c["last_capture"][rows] = s.capture

    # ------------------------------------------------------------------ columns

    def _update(
        self,
        s: SegmentBatch,
        flow: I64,
        direction: npt.NDArray[np.uint8],
        local: I64,
        rows: I64,
        new: npt.NDArray[np.bool_],
        order: I64,
        starts: I64,
        ends: I64,
    ) -> SequenceFacts:
        c = self.columns
        u = len(rows)
        last = order[ends - 1]
        c["last_frame"][rows] = s.frame[last]
        # merged captures may run backwards a little: the clock of a flow never does
        c["last_seen"][rows] = np.maximum(c["last_seen"][rows], s.timestamp[last])
        side = local * 2 + direction
        special = np.flatnonzero(s.flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST))
        if len(special):
            note_control(c, s, special, local, direction, rows)
        c["frames"][rows] += np.bincount(side, minlength=2 * u).reshape(u, 2)
        c["bytes"][rows] += np.bincount(side, weights=s.wire_length, minlength=2 * u).reshape(u, 2).astype(np.int64)
        cut = np.flatnonzero(s.payload_length < s.wire_length)
        if len(cut):
            c["truncated"][rows] += np.bincount(local[cut], minlength=u).astype(np.int32)
        note_ttl(c, s, side, rows)
        note_acknowledged(c, s, flow, direction, local, rows)
        facts = follow_sequences(s, side, rows, c)
        c["retransmissions"][rows] += np.bincount(local[facts.retransmission], minlength=u).astype(np.int32)
        c["out_of_order"][rows] += np.bincount(local[facts.out_of_order], minlength=u).astype(np.int32)
        if len(facts.duplicate):
            c["duplicates"][rows] += np.bincount(local[facts.duplicate], minlength=u).astype(np.int32)
            kinds = s.flags[facts.duplicate] & _SYN_ACK
            for kind, name in ((TcpFlag.SYN, "syns"), (_SYN_ACK, "syn_acks")):  # a copy was not sent again
                c[name][rows] -= np.bincount(local[facts.duplicate[kinds == kind]], minlength=u).astype(np.int32)
        return facts

    # ------------------------------------------------------------------ leaving

    def choose_idle(self, wanted: int) -> I64:
        """Rows of the ``wanted`` flows that have been silent longest."""
        held = np.flatnonzero(self.columns["number"][: self._used] >= 0)
        if wanted >= len(held):
            return held
        seen = self.columns["last_seen"][held]
        return held[np.argpartition(seen, wanted)[:wanted]]

    def held(self) -> I64:
        """Rows in use."""
        return np.flatnonzero(self.columns["number"][: self._used] >= 0)

    def remove(self, rows: I64) -> None:
        """Forget these flows."""
        keys = self._key[rows].tolist()
        known = self._rows
        for key, row in zip(keys, rows.tolist(), strict=True):
            if known.get(key) == row:
                del known[key]
        self.columns["number"][rows] = -1
        self._free.extend(rows.tolist())
