"""The classic capture format: one header, then records (draft-ietf-opsawg-pcap).

Four dialects, each in both byte orders: microseconds, nanoseconds, and Kuznetzov's modified format
whose record header is eight bytes longer. Before version 2.3 the two lengths stood the other way round.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import numpy as np

from analyzer.errors import CaptureFormatError
from analyzer.model.batches import I64, U8, FrameBatch
from analyzer.sources.lanes import Run, find_runs
from analyzer.sources.walker import BATCH_FRAMES, LARGEST_FRAME, Interface, gather_words

__all__ = ["FILE_HEADER", "MAGICS", "PcapWalker"]

FILE_HEADER: Final = 24

_DIALECTS: Final = {0xA1B2C3D4: (16, 1000), 0xA1B23C4D: (16, 1), 0xA1B2CD34: (24, 1000)}
"""Magic number to (bytes of a record header, nanoseconds of one tick)."""

MAGICS: Final = {magic.to_bytes(4, order): order for magic in _DIALECTS for order in ("little", "big")}
"""The first four bytes of a capture, and the byte order they tell."""

_STEPS: Final = 64
"""Records stepped over one by one before many are looked for at once: so many tell how long they are."""

_DG_UX_VERSION: Final = 543
"""Major version of DG/UX tcpdump, whose lengths are swapped too."""


class PcapWalker:
    """Walks the records of one pcap capture."""

    def __init__(self, header: bytes, capture: int) -> None:
        """Read the file header: the first FILE_HEADER bytes of the capture."""
        if len(header) < FILE_HEADER:
            raise CaptureFormatError("cut inside its file header")
        order = MAGICS[header[:4]]
        self._swapped = order == "big"
        mark = ">" if self._swapped else "<"
        magic, major, minor, snaplen, link_type = struct.unpack(mark + "IHH8xII", header[:FILE_HEADER])
        self.head, self._tick = _DIALECTS[magic]
        self._captured_at, self._original_at = 8, 12
        if (major, minor) < (2, 3) or major == _DG_UX_VERSION:
            self._captured_at, self._original_at = 12, 8
        self._length_of = struct.Struct(f"{mark}{self._captured_at}xI").unpack_from
        # The upper half of the field holds the length of the frame check sequence.
        self._link_type = link_type & 0xFFFF
        self._word = np.dtype(mark + "u4")
        # the upper half of the seconds: a new one every 18 hours
        self.mark = slice(0, 2) if self._swapped else slice(2, 4)
        self.unit = 1
        self.interfaces = [Interface(capture, self._link_type, snaplen)]
        self.capture = capture
        self.frames = 0
        self.clamped = 0
        self.needed = 0
        self.skipped = 0
        self.stopped: str | None = None
        self.remarks: list[str] = []

    def walk(self, buffer: memoryview, data: U8, start: int, end: int) -> tuple[FrameBatch | None, int]:
        """Read whole records of ``buffer[start:end]``; see ``Walker.walk``."""
        self.needed = 0
        first, cursor = self._step(buffer, start, end, end, _STEPS)
        parts, left = [first], BATCH_FRAMES - len(first)
        size, stop = (cursor - start) // _STEPS, end
        runs = []
        if len(first) == _STEPS:
            stop = min(end, cursor + left * size)
            runs = find_runs(self, data, cursor, stop, end, size)
        for run in [*runs, Run(stop if runs else end, first[:0], end)]:
            between, cursor = self._step(buffer, cursor, run.begin, end, left)
            left -= len(between)
            parts.append(between)
            if cursor == run.begin and len(run.at):
                known = run.at[:left]
                cursor = run.beyond if len(known) == len(run.at) else int(run.at[left])
                left -= len(known)
                parts.append(known)
        at = np.concatenate(parts)
        batch = self._columns(data, at) if len(at) else None
        if self.stopped is None and self.needed > self.head + LARGEST_FRAME:
            self._stop(self.needed - self.head)
        return batch, cursor

    def _step(self, buffer: memoryview, cursor: int, bound: int, end: int, most: int) -> tuple[I64, int]:
        """Go from record to record as long as they begin before ``bound`` and are whole before ``end``; where each begins, and the next."""
        positions: list[int] = []
        keep, length_of, head = positions.append, self._length_of, self.head
        bound = min(bound, end - head + 1)
        for _ in range(most):
            if cursor >= bound:
                break
            following = cursor + head + length_of(buffer, cursor)[0]
            if following > end:
                self.needed = following - cursor
                break
            keep(cursor)
            cursor = following
        return np.array(positions, np.int64), cursor

    def follow(self, data: U8) -> Callable[[I64], I64]:
        """See ``Form``."""
        lengths = np.ndarray((len(data) - self.head,), self._word, data, self._captured_at, strides=(1,))
        head = self.head
        return lambda at: at + lengths[at] + head

    def _columns(self, data: U8, at: I64) -> FrameBatch | None:
        header = gather_words(data, at, 4)
        if self._swapped:
            header = header.byteswap()
        captured = header[:, self._captured_at // 4].astype(np.int64)
        too_long = captured > LARGEST_FRAME
        if too_long.any():
            good = int(too_long.argmax())
            at, bad = at[:good], int(captured[good])
            captured = captured[:good]
            self._stop(bad, self.frames + good + 1)
            if not good:
                return None
        count = len(at)
        header = header[:count]
        # Both fields are unsigned 32 bits: at most 4.3e18 ns, which int64 holds.
        timestamp = header[:, 0].astype(np.int64) * 1_000_000_000 + header[:, 1].astype(np.int64) * self._tick
        batch = FrameBatch(
            data=data,
            offset=at + self.head,
            captured_length=captured,
            original_length=header[:, self._original_at // 4].astype(np.int64),
            timestamp=timestamp,
            number=np.arange(self.frames + 1, self.frames + count + 1, dtype=np.int64),
            link_type=np.full(count, self._link_type, np.uint16),
            interface=np.zeros(count, np.uint16),
            capture=self.capture,
        )
        self.frames += count
        return batch

    def _stop(self, length: int, frame: int = 0) -> None:
        self.stopped = f"frame {frame or self.frames + 1} claims {length} bytes, more than the {LARGEST_FRAME} a capture can hold"
