"""Put one direction's bytes in order (RFC 9293 section 3.10.7.4, from an observer's seat).

The observer cannot ask again, so it decides once and writes down what it decided:

- **First copy wins.** Bytes that came before are kept; a later copy that differs is a *conflict*:
  its offset and frame are recorded, its bytes are not used. (Copies of bytes released longer ago
  than the last ``HISTORY`` pieces are not compared.)
- **A hole waits.** Bytes behind it are held until it is filled or the caller, who sees
  acknowledgments and time, gives it up with ``skip_gap``.
- **Bytes cut by the snaplen are a gap at once**: no copy of them will come. Pieces then jump over it.
- **Where it starts.** ``start`` with the sequence number after the SYN is certain, and anything before
  it is old. Without a SYN the first segment is the start, only as a guess: as long as nothing was
  released and nothing is held, a segment from before it (of two bytes or more, so no keep-alive)
  moves the start back. Once bytes were released what lies before them is lost, and counted.
- **Where it ends.** After ``finish`` bytes at or past the FIN are dropped and counted.

Held pieces never overlap each other, so they can stand in one sorted list: an insertion is a
bisection and a move of pointers, and since every held piece is charged ``OVERHEAD`` bytes besides its
own, no more than ``limit / OVERHEAD`` pointers can move, whatever is sent. What is in order, and that
is nearly everything, meets none of this.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.reassembly.sequence import distance

__all__ = ["Piece", "Stream"]

_new = tuple.__new__  # what a named tuple's constructor calls, without the call

HISTORY = 64
"""Released pieces kept to compare later copies with: a forged answer and the true one are this close."""
OVERHEAD = 256
"""Charged for each held piece: what Python needs for it besides the bytes."""
FAR = 1 << 30
"""No window is larger (RFC 7323 section 2.3): a segment further away belongs to something else."""
RECORDED = 256
"""At most so many gaps and conflicts are listed, each; their number and bytes go on counting."""


class Piece(NamedTuple):
    """New bytes of one direction, in order."""

    offset: int
    """Of its first byte, counted from the first byte of the stream."""
    data: bytes
    frame: int
    """Frame that carried these bytes."""
    timestamp: int
    """Of that frame, ns."""


class _Held(NamedTuple):
    """Bytes that wait behind a hole. ``end`` is on the wire: past ``data`` when that was cut."""

    offset: int
    end: int
    data: bytes
    frame: int
    timestamp: int


class Stream:
    """The bytes of one direction.

    ``limit``: how many bytes may wait behind a hole (``OVERHEAD`` a piece included), and how far
    behind it. What does not fit is dropped and counted in ``capped``.
    """

    __slots__ = (
        "_certain", "_end", "_held", "_in_order", "_limit", "_next", "_offsets", "_recent", "_sequence", "after_end", "capped",
        "conflicting", "conflicts", "gap_bytes", "gaps", "keep_alives", "out_of_order", "outside", "pending", "retransmitted",
        "started",
    )  # fmt: skip

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = min(limit, FAR)
        self._next = 0
        self._sequence = 0  # of the byte at _next
        self._certain = False
        self._end: int | None = None  # offset of the FIN
        self._in_order = False  # nothing held, no end known: an expected segment needs no thought
        self._held: list[_Held] = []
        self._offsets: list[int] = []  # of _held, to bisect
        self._recent: deque[Piece] = deque(maxlen=HISTORY)  # the last ones released
        self.started = False
        self.pending = 0
        """Bytes held behind a hole."""
        self.gaps: list[tuple[int, int]] = []
        """(offset, length) of bytes that were sent and never captured, in order; at most ``RECORDED``."""
        self.gap_bytes = 0
        """All of them."""
        self.retransmitted = 0
        """Segments with bytes that had come before (also in part)."""
        self.out_of_order = 0
        """Segments with new bytes that came after bytes behind them."""
        self.keep_alives = 0
        self.conflicts: list[tuple[int, int]] = []
        """(offset of the first byte that differs, frame of the copy that came too late)."""
        self.conflicting = 0
        """All of them."""
        self.capped = 0
        """Segments dropped because they did not fit in ``limit``."""
        self.outside = 0
        """Segments dropped because they are before the first byte, or further than any window."""
        self.after_end = 0
        """Segments that went past the FIN."""

    @property
    def next_offset(self) -> int:
        """Offset of the next byte expected: so many bytes were released or given up."""
        return self._next

    @property
    def finished(self) -> bool:
        """Every byte before the FIN was released or given up."""
        return self._end is not None and self._next >= self._end

    def start(self, sequence: int, certain: bool = True) -> None:
        """The stream's first byte has this sequence number: that of the SYN plus one, or that of the
        first segment seen when there was no SYN (``certain=False``). Without effect once started for
        certain or once bytes came."""
        if self.started and (self._certain or self._next or self._held):
            return
        self._sequence = sequence & 0xFFFFFFFF
        self._certain = certain
        self.started = self._in_order = True

    def finish(self, sequence: int) -> None:
        """A FIN has this sequence number (its segment's plus the payload): no byte that comes later goes past it."""
        if not self.started:
            self.start(sequence, certain=False)
        ahead = distance(self._sequence, sequence)
        if self._end is None and 0 <= ahead < FAR:
            self._end = self._next + ahead
            self._in_order = False

    def add(self, sequence: int, data: bytes, frame: int, timestamp: int, wire_length: int | None = None) -> list[Piece]:
        """Take one segment's payload; the bytes that became contiguous by it come back, in order.

        ``wire_length``: bytes the payload had on the wire where fewer were captured. Each piece
        names the frame that carried it, so frames need not rise. Never raises.
        """
        if sequence == self._sequence and self._in_order and data and (wire_length is None or wire_length <= len(data)):
            # the path nearly every segment takes: 0.4 us, a third of it to make the piece
            offset = self._next
            length = len(data)
            self._next = offset + length
            self._sequence = (sequence + length) & 0xFFFFFFFF
            piece: Piece = _new(Piece, (offset, data, frame, timestamp))
            self._recent.append(piece)
            return [piece]
        return self._add_oddly(sequence, data, frame, timestamp, max(wire_length or 0, len(data)))

    def add_run(self, sequence: int, data: bytes, ends: Sequence[int], frames: Sequence[int], timestamps: Sequence[int]) -> bool:
        """Take several segments, captured whole, each beginning where the one before ended: those up to ``ends[i]`` of ``data``
        came in ``frames[i]``. The same as ``add`` for each. False, and nothing is taken, where that would give other than these."""
        if sequence != self._sequence or not self._in_order:
            return False
        first = max(0, len(ends) - HISTORY)  # of earlier ones nothing is remembered
        begin = ends[first - 1] if first else 0
        for end, frame, timestamp in zip(ends[first:], frames[first:], timestamps[first:], strict=True):
            self._recent.append(_new(Piece, (self._next + begin, data[begin:end], frame, timestamp)))
            begin = end
        self._move(len(data))
        return True

    def skip_gap(self) -> list[Piece]:
        """Give up the hole at the front: what waited behind it comes back. Nothing held: nothing happens."""
        if not self._held:
            return []
        self._lose(self._offsets[0] - self._next)
        return self._release()

    def _move(self, length: int) -> None:
        self._next += length
        self._sequence = (self._sequence + length) & 0xFFFFFFFF

    def _lose(self, length: int) -> None:
        """Go on after ``length`` bytes that were not captured."""
        if length <= 0:
            return
        if self.gaps and sum(self.gaps[-1]) == self._next:
            self.gaps[-1] = (self.gaps[-1][0], self.gaps[-1][1] + length)
        elif len(self.gaps) < RECORDED:
            self.gaps.append((self._next, length))
        self.gap_bytes += length
        self._move(length)

    def _add_oddly(self, sequence: int, data: bytes, frame: int, timestamp: int, length: int) -> list[Piece]:
        if not self.started:
            self.start(sequence, certain=False)
        if not length:
            return []  # a bare ACK, or a keep-alive without its byte
        ahead = distance(self._sequence, sequence)
        if ahead < 0 and not (self._certain or self._next or self._held) and ahead > -FAR and length > 1:
            self._sequence = sequence & 0xFFFFFFFF
            if self._end is not None:
                self._end -= ahead
            ahead = 0
        offset = self._next + ahead
        end = offset + length
        if self._end is not None and end > self._end:
            self.after_end += 1
            end = self._end
            data = data[: max(0, end - offset)]
            if offset >= end:
                return []
        if not -FAR < ahead < FAR:
            self.outside += 1
            return []
        if length == 1 and ahead == -1:
            self.keep_alives += 1  # its byte is garbage (RFC 1122 section 4.2.3.6): not compared
            return []
        if ahead < 0:
            if end <= 0:
                self.outside += 1
                return []
            self.retransmitted += 1
            self._compare([(piece.offset, piece.data) for piece in self._recent], offset, data, frame)
            if end <= self._next:
                return []
            data = data[-ahead:]
            offset = self._next
        fills = ahead <= 0
        if not fills and not self._fits(offset, end, len(data)):
            self.capped += 1
            return []
        if self._held and offset < self._held[-1].end:
            self._weave(_Held(offset, end, data, frame, timestamp), counted=ahead < 0)
        else:
            self._offsets.append(offset)
            self._held.append(_Held(offset, end, data, frame, timestamp))
            self.pending += len(data)
        self._in_order = False
        return self._release() if fills else []

    def _fits(self, offset: int, end: int, length: int) -> bool:
        if end - self._next > self._limit:
            return False
        return self.pending + length + OVERHEAD * (len(self._held) + 1) <= self._limit

    def _weave(self, new: _Held, counted: bool) -> None:
        """Hold those bytes of ``new`` that no held piece has; compare the others."""
        first = bisect_right(self._offsets, new.offset)
        if first and self._held[first - 1].end > new.offset:
            first -= 1
        last = first
        position = new.offset
        woven: list[_Held] = []
        while last < len(self._held) and self._held[last].offset < new.end:
            old = self._held[last]
            if position < old.offset:
                woven.append(_cut(new, position, old.offset))
            woven.append(old)
            position = old.end
            last += 1
        if position < new.end:
            woven.append(_cut(new, position, new.end))
        if len(woven) > last - first:
            self.out_of_order += 1
        if last > first:
            self._compare([(old.offset, old.data) for old in self._held[first:last]], new.offset, new.data, new.frame)
            if not counted:
                self.retransmitted += 1
        self.pending += sum(len(held.data) for held in woven) - sum(len(held.data) for held in self._held[first:last])
        self._held[first:last] = woven
        self._offsets[first:last] = [held.offset for held in woven]

    def _release(self) -> list[Piece]:
        """Take what is contiguous at the front out of the held pieces."""
        pieces = []
        taken = 0
        for held in self._held:
            if held.offset != self._next:
                break
            taken += 1
            if held.data:
                pieces.append(Piece(held.offset, held.data, held.frame, held.timestamp))
                self.pending -= len(held.data)
                self._move(len(held.data))
            self._lose(held.end - self._next)
        del self._held[:taken], self._offsets[:taken]
        self._recent.extend(pieces[-HISTORY:])
        self._in_order = not self._held and self._end is None
        return pieces

    def _compare(self, earlier: list[tuple[int, bytes]], late_offset: int, late: bytes, frame: int) -> None:
        """Record it, once, when a late copy differs from what came before (offset and bytes, ascending)."""
        for offset, data in earlier:
            begin = max(offset, late_offset)
            end = min(offset + len(data), late_offset + len(late))
            if begin >= end:
                continue
            ours, theirs = data[begin - offset : end - offset], late[begin - late_offset : end - late_offset]
            if ours != theirs:
                self.conflicting += 1
                if len(self.conflicts) < RECORDED:
                    differing = int.from_bytes(ours, "big") ^ int.from_bytes(theirs, "big")
                    self.conflicts.append((end - (differing.bit_length() + 7) // 8, frame))
                return


def _cut(held: _Held, begin: int, end: int) -> _Held:
    """The part of it from ``begin`` to ``end``."""
    return _Held(begin, end, held.data[begin - held.offset : end - held.offset], held.frame, held.timestamp)
