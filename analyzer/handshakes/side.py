"""One direction of a TLS connection: bytes in, records out, handshake messages out.

Sans-IO. Holds at most one incomplete record and one incomplete handshake message. Where bytes are
missing (never captured) the record layer steps over them by arithmetic as long as the missing part
lies inside a record whose header was seen; otherwise it is lost until something that can only be a
record header stands at the beginning of a segment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from analyzer.model.handshake import Message

__all__ = ["MAX_MESSAGES", "MAX_RECORD", "Side"]

MAX_MESSAGES = 512
"""Messages and records kept for one handshake."""

MAX_RECORD = 18_432
"""Longest record body anyone may send (RFC 5246 section 6.2.3: 2^14 + 2048)."""

_new_message = tuple.__new__
_CONTENT_TYPES = frozenset((20, 21, 22, 23, 24))

MAX_PLAIN = 16_384
"""Longest record body in the clear (RFC 5246 section 6.2.1: 2^14)."""

RecordSink = Callable[["Side", int, int, bytes, int, int, int, int, int], None]
"""(side, content type, version, body, frame, timestamp, first frame, offset, bytes of it from the first missing one on)."""


class Side:
    """One direction. ``sink`` gets every record; ``fault`` every fault, as (side, kind, frame, says)."""

    __slots__ = (
        "_missing", "_need", "_oversized", "_real", "_rest", "_rest_frame", "_rest_offset", "_rest_segments", "_rest_time",
        "application_bytes", "application_records", "broken", "encrypted", "fault", "first_bytes", "first_bytes_frame",
        "from_client", "hs", "hs_first_frame", "hs_skip", "hs_version", "lost", "messages", "offset", "record_end", "records",
        "segments", "sink", "vouched",
    )  # fmt: skip

    def __init__(self, from_client: bool, sink: RecordSink, fault: Callable[[Side, str, int, str], None]) -> None:
        self.from_client = from_client
        self.sink = sink
        self.messages: list[Message] | None = None
        """Where application data is noted, its length only, while there are no keys to open it."""
        self.application_records = 0
        self.fault = fault
        self._rest: Any = b""  # bytes of an incomplete record (bytes or bytearray)
        self._need = 5  # bytes until the record at the front is complete
        self._rest_frame = 0
        self._rest_time = 0
        self._rest_offset = 0
        self._missing = 0  # bytes of the record at the front that were never captured
        self._real = 0  # ... and how many of it came before the first of them
        self._rest_segments = 0  # segments that its bytes came in
        self._oversized = -1  # offset of the last record found too long
        self.offset = 0  # of the next byte expected from the stream
        self.record_end = 0  # offset after the record that is handed on
        self.records = 0
        self.segments = 0  # pieces that the current record came in
        self.encrypted = False  # ChangeCipherSpec passed (TLS 1.2 and below)
        self.broken = False  # what came is not TLS: nothing more is parsed
        self.lost = False  # bytes are missing and no record header is known to follow
        self.first_bytes = b""
        self.first_bytes_frame = 0
        self.hs = b""  # bytes of an incomplete handshake message
        self.hs_first_frame = 0
        self.hs_skip = 0  # bytes still to come of a message too long to keep
        self.hs_version = 0
        self.application_bytes = 0
        self.vouched = False  # a Finished of it was checked

    def begin(self) -> None:
        """TLS begins with the next byte: what came before was something else."""
        self.broken = self.lost = False
        self.offset = self._missing = self._real = 0
        self._rest, self._need = b"", 5
        self.first_bytes, self.first_bytes_frame = b"", 0

    def take(self, offset: int, data: bytes, frame: int, timestamp: int) -> None:
        """The next bytes of the stream; ``offset`` beyond what was expected means bytes are missing."""
        if self.broken:
            self.offset = offset + len(data)
            return
        if offset > self.offset:
            self._skip(offset - self.offset)
        if self.lost:
            self.offset = offset + len(data)
            if not _is_header(data):
                return
            self.lost = False
            self._rest, self._need = b"", 5
        self.take_run(data, (len(data),), (frame,), (timestamp,))

    def goes_on(self, offset: int, data: bytes) -> bool:
        """Whether ``data``, several segments at ``offset``, may be taken as one run: nothing is missing before it, and what stands
        at the front is a record."""
        if self.broken or self.lost or offset != self.offset:
            return False
        return self.records > 0 or (self.offset == 0 and _is_header(data))

    def records_in(self, data: bytes) -> int:
        """How many records of application data the next bytes of the stream end or begin; ``MAX_MESSAGES`` where they hold anything
        else, or that cannot be told from the headers."""
        rest = self._rest
        if self.messages is None or 0 < len(rest) < 5 or (rest and rest[0] != 23):
            return MAX_MESSAGES
        count = 1
        position = self._need - len(rest) if rest else 0
        while position < len(data) and count < MAX_MESSAGES:
            if data[position] != 23 or position + 5 > len(data):
                return MAX_MESSAGES
            position += 5 + (data[position + 3] << 8 | data[position + 4])
            count += 1
        return count

    def take_run(self, data: bytes, ends: Sequence[int], frames: Sequence[int], timestamps: Sequence[int]) -> None:
        """The next bytes of the stream, nothing missing: those up to ``ends[i]`` came in ``frames[i]``."""
        offset = self.offset
        self.offset = offset + len(data)
        rest = self._rest
        if not rest:
            self._records(data, ends, frames, timestamps, 0, offset)
            return
        held = len(rest)
        if isinstance(rest, bytes):
            rest = self._rest = bytearray(rest)
        rest += data
        if len(rest) < self._need:
            self._rest_segments += len(ends)
            return
        self._records(bytes(rest), [end + held for end in ends], frames, timestamps, held, self._rest_offset)

    def _records(self, buffer: bytes, ends: Sequence[int], frames: Sequence[int], timestamps: Sequence[int], held: int, base: int) -> None:
        """Take whole records off the front. The first ``held`` bytes were kept from before."""
        position = 0
        size = len(buffer)
        missing = self._missing
        messages, from_client = self.messages, self.from_client
        first = last = 0  # which frame the record begins and ends in
        while size - position >= 5:
            kind = buffer[position]
            length = buffer[position + 3] << 8 | buffer[position + 4]
            while ends[first] <= position:
                first += 1
            first_frame = frames[first] if position >= held else self._rest_frame
            if kind not in _CONTENT_TYPES or buffer[position + 1] != 3 or length > MAX_RECORD:
                told = bisect_left(ends, position + 5)  # the segment that completes the header
                self._refuse(kind, length, buffer[: ends[told]], position, frames[told], timestamps[told], first_frame, base)
                return
            if length > MAX_PLAIN and kind == 22 and not self.encrypted and base + position != self._oversized:
                self._oversized = base + position
                told = bisect_left(ends, position + 5)
                self.fault(self, "defect", frames[told], f"record of {length} bytes, more than the {MAX_PLAIN} allowed in the clear")
            end = position + 5 + length
            if end > size:
                break
            last = max(first, last)
            while ends[last] < end:
                last += 1
            self.records += 1
            if kind == 23 and messages is not None:
                if len(messages) >= MAX_MESSAGES:
                    self.broken = True
                    return
                # application data that nobody can open: its length only
                self.application_bytes += length
                self.application_records += 1
                messages.append(
                    _new_message(
                        Message,
                        (
                            frames[last],
                            timestamps[last],
                            from_client,
                            "application_data",
                            length,
                            first_frame,
                            True,
                            False,
                            base + position,
                        ),
                    )
                )
            else:
                self.segments = last - first + 1 + (self._rest_segments if position < held else 0)
                self.record_end = base + end
                body = buffer[position + 5 : position + self._real if missing else end]
                self.sink(
                    self, kind, buffer[position + 1] << 8 | buffer[position + 2], body, frames[last],
                    timestamps[last], first_frame, base + position, length - len(body),
                )  # fmt: skip
                if self.broken:
                    return
                messages = self.messages
            missing = 0
            position = end
        self._missing = missing
        if position == size:
            self._rest = b""
            return
        self._rest = rest = buffer[position:]
        if position >= held:
            while ends[first] <= position:
                first += 1
            self._rest_frame, self._rest_time = frames[first], timestamps[first]
            self._rest_segments = len(ends) - first
        else:
            self._rest_segments += len(ends)
        self._rest_offset = base + position
        self._need = 5 + (rest[3] << 8 | rest[4]) if len(rest) >= 5 else 5

    def _refuse(
        self, kind: int, length: int, buffer: bytes, position: int, frame: int, timestamp: int, first_frame: int, base: int
    ) -> None:
        """What stands here is no record."""
        begin = buffer[position : position + 512]
        if buffer[position + 1] == 3 and kind in _CONTENT_TYPES:
            self.fault(self, "defect", frame, f"record of {length} bytes, more than the {MAX_RECORD} allowed")
            self.sink(self, -1, 0, begin, frame, timestamp, first_frame, base + position, 0)
        else:
            self.sink(self, -2, 0, begin, frame, timestamp, first_frame, base + position, 0)
        self.broken = True
        self._rest = b""

    def _skip(self, count: int) -> None:
        """``count`` bytes are missing before what comes now."""
        if self.lost:
            self.offset += count
            return
        rest = self._rest
        if len(rest) < 5:
            # the header itself is missing: what follows may be anything
            self.lost = True
            self._rest = b""
            self.offset += count
            self._hs_lost()
            return
        if len(rest) + count > self._need:
            self._give(self._need - len(rest))
            self.lost = True
            self._rest = b""
            self.offset += count
            return
        # inside a record: zeros stand for what is missing; only what came before them is handed on
        if not self._missing:
            self._real = len(rest)
        self._missing += count
        self._rest = bytearray(rest) + bytes(count)
        if len(self._rest) == self._need:
            self.offset += count
            size = len(self._rest)
            self._records(bytes(self._rest), (size,), (self._rest_frame,), (self._rest_time,), size, self._rest_offset)
            return
        self.offset += count

    def _give(self, missing: int) -> None:
        """Hand on an incomplete record as far as it came."""
        rest = bytes(self._rest)
        self.record_end = self._rest_offset + self._need
        if len(rest) >= 5 and rest[0] in _CONTENT_TYPES and rest[1] == 3:
            self.records += 1
            body = rest[5 : self._real if self._missing else None]
            self.sink(
                self, rest[0], rest[1] << 8 | rest[2], body, self._rest_frame, self._rest_time, self._rest_frame, self._rest_offset,
                len(rest) - 5 + missing - len(body),
            )  # fmt: skip
        self._missing = 0
        self._rest = b""

    def _hs_lost(self) -> None:
        self.hs = b""

    @property
    def waiting(self) -> tuple[int, int]:
        """(bytes held of an incomplete record, bytes it needs in all); (0, 0) when between records."""
        return (len(self._rest), self._need) if self._rest else (0, 0)

    @property
    def rest(self) -> bytes:
        """Bytes of the incomplete record at the front, up to where some are missing."""
        return bytes(self._rest[: self._real] if self._missing else self._rest)

    @property
    def rest_frame(self) -> int:
        """Frame in which the incomplete record began."""
        return self._rest_frame


def _is_header(data: bytes) -> bool:
    """What stands here can only be a record header: type, version, length of a plausible record."""
    return len(data) >= 5 and data[0] in _CONTENT_TYPES and data[1] == 3 and data[2] <= 4 and 0 < (data[3] << 8 | data[4]) <= MAX_RECORD
