"""One capture: a stream, a buffer that is used over and over, and a walker that reads it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from analyzer.errors import CaptureFormatError
from analyzer.model.batches import U8, FrameBatch
from analyzer.sources.ahead import Ahead
from analyzer.sources.formats import name_format
from analyzer.sources.inflate import Inflated, compression_of
from analyzer.sources.pcap import FILE_HEADER, MAGICS, PcapWalker
from analyzer.sources.pcapng import SECTION_HEADER, PcapngWalker, section_length
from analyzer.sources.streams import ByteStream, Peeked
from analyzer.sources.walker import SLACK, Walker

__all__ = ["CaptureReader"]

_SMALLEST_BUFFER: Final = 4096
_FIRST_BYTES: Final = 1 << 18
"""Bytes of the buffer until it was filled once: most captures are small, and clearing memory costs."""
_SNIFFED: Final = 512
_NO_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
"""What stands for the header that an empty file lacks."""
_HEAD_ROOM: Final = 1 << 19
"""Bytes before what is read ahead: for the record begun in the buffer before."""


@dataclass(slots=True, eq=False, repr=False)
class _Held:
    """The buffer at hand, the same memory as an array, and where what was not walked over begins and ends in it."""

    buffer: memoryview
    data: U8
    start: int
    end: int


class CaptureReader:
    """Yields the frames of one capture as ``FrameBatch``es; ``data`` of each is valid until the next.

    Raises CaptureFormatError when ``stream`` holds no capture. ``batch_bytes`` is the size of the
    buffer; it grows only for a record that is longer. Lines for the user go to ``warnings``.
    """

    def __init__(
        self,
        stream: ByteStream,
        name: str,
        *,
        capture: int = 0,
        batch_bytes: int,
        inflate_ratio: int,
        secrets: list[bytes],
        warnings: list[str],
    ) -> None:
        self.name = name
        self._warnings = warnings
        peeked = Peeked(stream)
        kind = compression_of(peeked.peek(6))
        self._stream = Peeked(Inflated(peeked, kind, inflate_ratio)) if kind else peeked
        self.walker = self._open_walker(kind, capture, secrets)
        self._batch_bytes = max(batch_bytes, _SMALLEST_BUFFER)
        self._ahead = Ahead()
        self._head: FrameBatch | None = None
        self._batches: Iterator[FrameBatch] = self._read()

    def _open_walker(self, inside: str | None, capture: int, secrets: list[bytes]) -> Walker:
        stream = self._stream
        head = stream.peek(FILE_HEADER)
        if head[:4] in MAGICS:
            if len(head) < FILE_HEADER:
                raise CaptureFormatError(f"{self.name}: {stream.fault or 'cut inside its file header'}")
            stream.readinto(memoryview(bytearray(FILE_HEADER)))
            return PcapWalker(head, capture)
        if head[:4] == SECTION_HEADER:
            if len(head) < 12:
                raise CaptureFormatError(f"{self.name}: {stream.fault or 'cut inside its file header'}")
            try:
                length = section_length(head)
            except CaptureFormatError as fault:
                raise CaptureFormatError(f"{self.name}: {fault}") from None
            if len(stream.peek(length)) < length:
                raise CaptureFormatError(f"{self.name}: {stream.fault or 'cut inside its file header'}")
            return PcapngWalker(capture, secrets)
        if not head and not stream.fault:
            # whoever records was stopped before its first write: a capture with nothing in it, not something else
            self._warn(f"is empty{f' inside {inside}' if inside else ''}: there is not even a capture's header in it")
            return PcapWalker(_NO_HEADER, capture)
        guess = stream.fault if stream.fault and not head else name_format(stream.peek(_SNIFFED), inside)
        raise CaptureFormatError(f"{self.name}: {guess}")

    @property
    def size(self) -> int | None:
        """Bytes on disk, None when unknown."""
        return self._stream.size

    @property
    def position(self) -> int:
        """Bytes of it that were read."""
        return self._stream.position

    def peek_time(self) -> int | None:
        """Time of the first frame, ns since the epoch; None when there is none. Nothing is lost by it."""
        if self._head is None:
            self._head = next(self._batches, None)
        return int(self._head.timestamp[0]) if self._head is not None else None

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield whole frames as soon as they are there. To be iterated once."""
        if self._head is not None:
            yield self._head
        yield from self._batches

    def _read(self) -> Iterator[FrameBatch]:
        walker = self.walker
        held = _Held(*_allocate(min(_FIRST_BYTES, self._batch_bytes)), 0, 0)
        while True:
            before = held.start
            batch, held.start = walker.walk(held.buffer, held.data, held.start, held.end)
            if batch is not None:
                yield batch
            if walker.stopped is not None:
                self._warn(f"{walker.stopped}; reading stopped there")
                break
            if batch is not None or held.start != before:
                continue
            left = held.end - held.start
            if not (self._swap(held) if self._ahead.is_busy else self._refill(held, walker.needed)):
                self._end(left > 0 or walker.skipped > 0)
                break
        self._remark()

    def _refill(self, held: _Held, needed: int) -> int:
        """Read on behind what is left. Gives how many bytes came."""
        left, size = held.end - held.start, len(held.buffer) - SLACK
        room = max(needed, self._batch_bytes if held.end == size else size)
        rest = held.buffer[held.start : held.end]
        stream = self._stream
        if room > size:
            # the first large one of a file is filled ahead later
            held.buffer, held.data = _allocate(room + _HEAD_ROOM if stream.is_file and room == self._batch_bytes else room)
        held.buffer[:left] = rest
        got = self._fill(held.buffer[left:room])
        held.start, held.end = 0, left + got
        if stream.is_file and left + got == room == self._batch_bytes and (stream.size or 0) - stream.position > room // 8:
            self._ahead.begin(self._fill, _allocate(_HEAD_ROOM + room)[0], _HEAD_ROOM, -SLACK)
        return got

    def _swap(self, held: _Held) -> int:
        """Go on in the buffer that was filled meanwhile, with what is left of this one before it. Gives how many bytes came."""
        rest = held.buffer[held.start : held.end]
        buffer, got = self._ahead.take()
        left, spare = len(rest), held.buffer
        if left > _HEAD_ROOM:  # in the middle of a record longer than any frame
            held.buffer, held.data = _allocate(left + got)
            held.buffer[:left] = rest
            held.buffer[left : left + got] = buffer[_HEAD_ROOM : _HEAD_ROOM + got]
            held.start, held.end = 0, left + got
            return got
        buffer[_HEAD_ROOM - left : _HEAD_ROOM] = rest
        held.buffer, held.data = buffer, np.frombuffer(buffer, np.uint8)
        held.start, held.end = _HEAD_ROOM - left, _HEAD_ROOM + got
        if got == len(buffer) - SLACK - _HEAD_ROOM:
            self._ahead.begin(self._fill, spare if len(spare) == len(buffer) else _allocate(len(buffer) - SLACK)[0], _HEAD_ROOM, -SLACK)
        return got

    def _fill(self, room: memoryview) -> int:
        """Read until ``room`` is full or nothing more is there to be had at once."""
        got = 0
        while got < len(room):
            count = self._stream.readinto(room[got:])
            if not count:
                break
            got += count
            if not self._stream.ready():
                break
        return got

    def _end(self, cut: bool) -> None:
        fault = self._stream.fault
        if fault:
            self._warn(f"{fault}; the {self.walker.frames} frames before it were read")
        elif cut:
            self._warn(f"cut in the middle of frame {self.walker.frames + 1}; what was readable was read")

    def _remark(self) -> None:
        for remark in self.walker.remarks:
            self._warn(remark)
        if self.walker.clamped:
            self._warn(f"{self.walker.clamped} timestamps lie outside what can be counted from 1970 on and were clamped")

    def _warn(self, line: str) -> None:
        self._warnings.append(f"{self.name}: {line}")

    def close(self) -> None:
        """Close the stream, and let go of the buffer: what refers to itself would stay until the next garbage collection."""
        self._ahead.stop()
        self._head, self._batches = None, iter(())
        self._stream.close()


def _allocate(size: int) -> tuple[memoryview, U8]:
    """Room that nobody cleared: the pages come as they are filled."""
    data = np.empty(size + SLACK, np.uint8)
    data[size:] = 0
    return data.data, data
