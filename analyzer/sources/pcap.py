"""The classic capture format: one header, then records (draft-ietf-opsawg-pcap).

Four dialects, each in both byte orders: microseconds, nanoseconds, and Kuznetzov's modified format
whose record header is eight bytes longer. Before version 2.3 the two lengths stood the other way round.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Final

import numpy as np

from analyzer.errors import CaptureFormatError
from analyzer.model.batches import I64, U8, FrameBatch
from analyzer.sources.walker import BATCH_FRAMES, LARGEST_FRAME, Interface, gather_words

__all__ = ["FILE_HEADER", "MAGICS", "PcapWalker"]

FILE_HEADER: Final = 24

_DIALECTS: Final = {0xA1B2C3D4: (16, 1000), 0xA1B23C4D: (16, 1), 0xA1B2CD34: (24, 1000)}
"""Magic number to (bytes of a record header, nanoseconds of one tick)."""

MAGICS: Final = {magic.to_bytes(4, order): order for magic in _DIALECTS for order in ("little", "big")}
"""The first four bytes of a capture, and the byte order they tell."""

_STEPS, _MOST_STEPS = 24, 8192
"""Records stepped over one by one between two looks for a rhythm in their lengths."""

_LONGEST_PERIOD, _FORESEEN, _MOST_FORESEEN = 4, 1024, 16_384
"""Records that a rhythm may have, and that one look takes in, twice as many each time it lasts."""

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
        self._header_bytes, self._tick = _DIALECTS[magic]
        self._captured_at, self._original_at = 8, 12
        if (major, minor) < (2, 3) or major == _DG_UX_VERSION:
            self._captured_at, self._original_at = 12, 8
        self._length_of = struct.Struct(f"{mark}{self._captured_at}xI").unpack_from
        # The upper half of the field holds the length of the frame check sequence.
        self._link_type = link_type & 0xFFFF
        self._steps, self._foreseen = _STEPS, _FORESEEN
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
        parts: list[I64] = []
        positions: list[int] = []
        length_of = self._length_of
        header = self._header_bytes
        last = end - header
        cursor, left = start, BATCH_FRAMES
        self.needed = 0
        while left > 0:
            keep = positions.append
            begun = len(positions)
            for _ in range(min(left, self._steps)):
                if cursor > last:
                    break
                following = cursor + header + length_of(buffer, cursor)[0]
                if following > end:
                    self.needed = following - cursor
                    break
                keep(cursor)
                cursor = following
            else:
                left -= len(positions) - begun
                foreseen = self._foresee(data, positions, cursor, end)[: left + 1]
                if len(foreseen) > 1:
                    parts += [np.array(positions, np.int64), foreseen[:-1]]
                    positions = []
                    left -= len(foreseen) - 1
                    cursor = int(foreseen[-1])
                continue
            break
        at = np.concatenate([*parts, np.array(positions, np.int64)])
        batch = self._columns(data, at) if len(at) else None
        if self.stopped is None and self.needed > header + LARGEST_FRAME:
            self._stop(self.needed - header)
        return batch, cursor

    def _foresee(self, data: U8, positions: list[int], cursor: int, end: int) -> I64:
        """``cursor``, and where the records behind it begin as long as they are in the rhythm of those before: a download is two
        full segments and an acknowledgment, over and over. One look at thousands of lengths costs as much as stepping over some.
        """
        ahead = np.array([cursor], np.int64)
        strides = [after - before for before, after in pairwise([*positions[-_STEPS:], cursor])]
        period = next((p for p in range(1, _LONGEST_PERIOD + 1) if strides[p:] == strides[:-p]), 0)
        if period and len(strides) == _STEPS:
            rhythm = np.array(strides[-period:], np.int64)
            ahead = cursor + np.append(0, np.cumsum(np.tile(rhythm, self._foreseen // period)))
            ahead = ahead[: int(np.searchsorted(ahead, end, "right"))]
        if len(ahead) > 1:
            lengths = gather_words(data, ahead[:-1] + self._captured_at, 1)[:, 0]
            lengths = lengths.byteswap() if self._swapped else lengths
            other = np.flatnonzero(lengths != np.diff(ahead) - self._header_bytes)
            # as far as it lasts the next look goes twice as far
            self._foreseen = _FORESEEN if len(other) else min(2 * self._foreseen, _MOST_FORESEEN)
            ahead = ahead[: 1 + int(other[0])] if len(other) else ahead
        # in vain: the next look is further away, so that it costs little where there is no rhythm
        self._steps = _STEPS if len(ahead) > _STEPS else min(self._steps * 4, _MOST_STEPS)
        return ahead

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
            offset=at + self._header_bytes,
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
