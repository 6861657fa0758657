"""The block format: sections, interfaces, frames and what goes with them (draft-ietf-opsawg-pcapng).

Blocks with frames are collected by position and read as columns; every other block is read at once,
because it changes how the frames behind it are to be read (a section: byte order and interfaces) or
is wanted by somebody (secrets, drop counters). Unknown blocks are passed by.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from analyzer.errors import CaptureFormatError
from analyzer.model.batches import I64, U8, U64, FrameBatch
from analyzer.sources.lanes import IMPASSABLE, Run, find_runs
from analyzer.sources.ticks import read_ticks
from analyzer.sources.walker import BATCH_FRAMES, LARGEST_FRAME, Interface, gather_words

__all__ = ["LARGEST_BLOCK", "SECTION_HEADER", "PcapngWalker", "section_length"]

SECTION_HEADER: Final = b"\x0a\x0d\x0d\x0a"
SECTION, INTERFACE, PACKET, SIMPLE, STATISTICS, ENHANCED, SECRETS = 0x0A0D0D0A, 1, 2, 3, 5, 6, 10
_TLS_KEY_LOG: Final = 0x544C534B
_BYTE_ORDER: Final = 0x1A2B3C4D

_SMALLEST: Final = {ENHANCED: 32, PACKET: 32, SIMPLE: 16}
"""Blocks that hold a frame, and the bytes they have without it."""

_NUMBERED: Final = {9: 12, 0x204: 12, 0x216: 12, 0x221: 12, 0x0BAD: 16, 0x40000BAD: 16}
"""Blocks that Wireshark numbers as if they were frames: journal entries, Sysdig events, custom blocks."""

LARGEST_BLOCK: Final = 16 << 20
"""Longest block that is read, bytes (Wireshark draws the same line); longer ones without a frame are passed by."""

_STEPS: Final = 64
"""Blocks stepped over one by one before many are looked for at once: so many tell how long they are."""

_SECRETS_KEPT: Final = 64 << 20
_INTERFACES_KEPT: Final = 1 << 16


def section_length(head: bytes) -> int:
    """Length of the section header block that starts with the 12 bytes ``head``.

    Raises CaptureFormatError when it is none or claims an impossible length.
    """
    for order in ("little", "big"):
        if int.from_bytes(head[8:12], order) == _BYTE_ORDER:
            length = int.from_bytes(head[4:8], order)
            if length < 28 or length % 4 or length > LARGEST_BLOCK:
                raise CaptureFormatError(f"its pcapng header claims a length of {length} bytes")
            return length
    raise CaptureFormatError("its first block looks like pcapng, but has no byte order mark")


class PcapngWalker:
    """Walks the blocks of one pcapng capture. ``secrets`` is where TLS key logs are put."""

    head, mark, unit = 12, slice(0, 4), 4
    """See ``Form``: blocks with frames are of one type, and padded."""

    def __init__(self, capture: int, secrets: list[bytes]) -> None:
        self.capture = capture
        self.interfaces: list[Interface] = []
        self.frames = 0
        self.clamped = 0
        self.needed = 0
        self.skipped = 0
        self.stopped: str | None = None
        self.remarks: list[str] = []
        self._secrets = secrets
        self._secret_bytes = 0
        self._swapped = False
        self._base = 0  # where this section's interfaces start in self.interfaces
        self._arrays: tuple[npt.NDArray[np.uint16], I64, U8, I64] | None = None

    def walk(self, buffer: memoryview, data: U8, start: int, end: int) -> tuple[FrameBatch | None, int]:
        """Read whole blocks of ``buffer[start:end]``; see ``Walker.walk``."""
        cursor = start
        if self.skipped:
            step = min(self.skipped, end - start)
            self.skipped -= step
            cursor += step
        positions: list[int] = []
        keep = positions.append
        eras = [(0, self._base, len(self.interfaces), self._swapped)]
        unpack = struct.Struct(">II" if self._swapped else "<II").unpack_from
        last = end - 12
        self.needed = 0
        runs: list[Run] = []
        for step in range(BATCH_FRAMES):
            if step == _STEPS == len(positions):
                size = (cursor - start) // _STEPS
                runs = find_runs(self, data, cursor, min(end, cursor + (BATCH_FRAMES - _STEPS) * size), end, size)[::-1]
            while runs and cursor >= runs[-1].begin:
                run = runs.pop()
                if cursor == run.begin and len(run.at):
                    room = BATCH_FRAMES - len(positions)
                    positions += run.at[:room].tolist()
                    cursor = run.beyond if len(run.at) <= room else int(run.at[room])
            if cursor > last or len(positions) == BATCH_FRAMES:
                break
            kind, length = unpack(buffer, cursor)
            following = cursor + length
            if kind == ENHANCED and length >= 32:
                if following > end:
                    self.needed = length
                    break
                keep(cursor)
                cursor = following
                continue
            smallest = _SMALLEST.get(kind) or _NUMBERED.get(kind) or 12
            if kind == SECTION:
                # Its own byte order decides what its length is.
                try:
                    length = section_length(bytes(buffer[cursor : cursor + 12]))
                except CaptureFormatError as fault:
                    self.stopped = f"behind frame {self.frames + len(positions)} the file goes wrong: {fault}"
                    break
                following = cursor + length
            elif length < smallest or length % 4:
                self._stop_at(kind, length, self.frames + len(positions))
                break
            if kind in _SMALLEST or kind in _NUMBERED:
                if following > end:
                    self.needed = length
                    break
                keep(cursor)
                cursor = following
                continue
            if length > LARGEST_BLOCK or (following > end and kind not in (SECTION, INTERFACE, STATISTICS, SECRETS)):
                if kind == SECRETS:
                    self.remarks.append(f"{length} bytes of secrets are more than is kept")
                self.skipped = max(following - end, 0)
                cursor = min(following, end)
                continue
            if following > end:
                self.needed = length
                break
            if not self._read_block(kind, buffer[cursor:following], self.frames + len(positions)):
                break
            cursor = following
            if kind in (SECTION, INTERFACE):
                eras.append((len(positions), self._base, len(self.interfaces), self._swapped))
                unpack = struct.Struct(">II" if self._swapped else "<II").unpack_from
        if self.needed > LARGEST_BLOCK and self.stopped is None:
            self.stopped = f"the block behind frame {self.frames + len(positions)} claims {self.needed} bytes"
        batch = self._columns(data, positions, eras) if positions else None
        return batch, cursor

    def follow(self, data: U8) -> Callable[[I64], I64]:
        """See ``Form``."""
        word = ">u4" if self._swapped else "<u4"
        kinds, lengths = (np.ndarray((len(data) - self.head,), word, data, at, strides=(1,)) for at in (0, 4))

        def follow(at: I64) -> I64:
            length = lengths[at].astype(np.int64)
            return at + np.where((kinds[at] == ENHANCED) & (length >= 32) & (length & 3 == 0), length, IMPASSABLE)

        return follow

    # Blocks without frames, one at a time

    def _read_block(self, kind: int, block: memoryview, frame: int) -> bool:
        """Take in a whole block; False when reading has to stop."""
        order: Literal["big", "little"] = "big" if self._swapped else "little"
        if kind == SECTION:
            order = "big" if int.from_bytes(block[8:12], "big") == _BYTE_ORDER else "little"
        if block[4:8] != block[-4:]:
            self._stop_at(kind, int.from_bytes(block[4:8], order), frame)
            return False
        mark = ">" if order == "big" else "<"
        body = bytes(block[8:-4])
        if kind == SECTION:
            self._swapped = order == "big"
            self._base = len(self.interfaces)
        elif kind == INTERFACE:
            return self._read_interface(mark, body)
        elif kind == STATISTICS:
            self._read_statistics(mark, body)
        elif kind == SECRETS and len(body) >= 8:
            secret_type, length = struct.unpack_from(mark + "II", body)
            if secret_type == _TLS_KEY_LOG:
                self._keep_secret(body[8 : 8 + length])
        return True

    def _keep_secret(self, secret: bytes) -> None:
        before, self._secret_bytes = self._secret_bytes, self._secret_bytes + len(secret)
        if self._secret_bytes <= _SECRETS_KEPT:
            self._secrets.append(secret)
        elif before <= _SECRETS_KEPT:
            self.remarks.append(f"more than {_SECRETS_KEPT >> 20} MB of secrets: the rest is not kept")

    def _read_interface(self, mark: str, body: bytes) -> bool:
        if len(body) < 8 or len(self.interfaces) == _INTERFACES_KEPT:
            self.stopped = f"interface {len(self.interfaces)} cannot be read"
            return False
        link_type, snaplen = struct.unpack_from(mark + "HxxI", body)
        interface = Interface(self.capture, link_type, snaplen)
        for code, value in _options(mark, body, 8):
            if code == 2:
                interface.name = value.decode("utf-8", "replace")
            elif code == 9 and value:
                interface.resolution = value[0]
            elif code == 14 and len(value) == 8:
                (interface.offset,) = struct.unpack(mark + "q", value)
        self.interfaces.append(interface)
        self._arrays = None
        return True

    def _read_statistics(self, mark: str, body: bytes) -> None:
        """Counters are totals so far: the last block of an interface is the one that holds."""
        if len(body) < 12:
            return
        index = self._base + struct.unpack_from(mark + "I", body)[0]
        if index >= len(self.interfaces):
            return
        lost = [struct.unpack(mark + "Q", value)[0] for code, value in _options(mark, body, 12) if code in (5, 7) and len(value) == 8]
        if lost:
            self.interfaces[index].drops = sum(lost)

    # Blocks with frames, as columns

    def _columns(self, data: U8, positions: list[int], eras: list[tuple[int, int, int, bool]]) -> FrameBatch | None:
        at = np.array(positions, np.int64)
        count = len(at)
        firsts = np.array([era[0] for era in eras] + [count], np.int64)
        spans = np.diff(firsts)
        base = np.repeat(np.array([era[1] for era in eras], np.int64), spans)
        known = np.repeat(np.array([era[2] for era in eras], np.int64), spans)
        swapped = np.repeat(np.array([era[3] for era in eras], np.bool_), spans) if any(era[3] for era in eras) else None

        header = gather_words(data, at, 7)
        if swapped is not None:
            header = np.where(swapped[:, None], header.byteswap(), header)
        kind, length, local, high, low, captured, original = (header[:, column].astype(np.int64) for column in range(7))
        trailer = gather_words(data, at + (length & ~np.int64(3)) - 4, 1)[:, 0]
        if swapped is not None:
            trailer = np.where(swapped, trailer.byteswap(), trailer)
        start = at + 28
        holds = kind == ENHANCED
        if not holds.all():
            packet, simple = kind == PACKET, kind == SIMPLE
            # The obsolete block has 16 bits of interface and 16 bits of drops where the enhanced one has 32 of interface.
            big = np.zeros(count, np.bool_) if swapped is None else swapped
            local = np.where(packet, np.where(big, local >> 16, local & 0xFFFF), local)
            original = np.where(simple, local, original)
            room = np.where(simple, length - 16, length - 32)
            local = np.where(simple, 0, local)
            limit = self._snaplens(base, known)
            captured = np.where(simple, np.minimum(np.minimum(original, room), limit), captured)
            start = np.where(simple, at + 12, start)
            high, low = np.where(simple, 0, high), np.where(simple, 0, low)
            holds |= packet | simple
        else:
            room = length - 32
        sound = (length & 3 == 0) & (trailer == length)
        fits = ~holds | ((captured <= room) & (captured <= LARGEST_FRAME))
        has_interface = ~holds | (local < known - base)
        good = sound & fits & has_interface
        if not good.all():
            count = int(good.argmin())
            self._stop_in(count, bool(sound[count]), bool(fits[count]), int(length[count]), int(captured[count]), int(local[count]))
        keep = np.flatnonzero(holds[:count])
        number = self.frames + 1 + keep
        self.frames += count
        if not len(keep):
            return None
        interface = base[keep] + local[keep]
        ticks = (high[keep].astype(np.uint64) << np.uint64(32)) | low[keep].astype(np.uint64)
        return FrameBatch(
            data=data,
            offset=start[keep],
            captured_length=captured[keep],
            original_length=original[keep],
            timestamp=self._timestamps(ticks, interface),
            number=number,
            link_type=self._table()[0][interface],
            interface=interface.astype(np.uint16),
            capture=self.capture,
        )

    def _table(self) -> tuple[npt.NDArray[np.uint16], I64, U8, I64]:
        """Link type, snaplen, resolution and offset of each interface."""
        if self._arrays is None:
            self._arrays = (
                np.array([interface.link_type for interface in self.interfaces], np.uint16),
                np.array([interface.snaplen or LARGEST_FRAME for interface in self.interfaces], np.int64),
                np.array([interface.resolution for interface in self.interfaces], np.uint8),
                np.array([interface.offset for interface in self.interfaces], np.int64),
            )
        return self._arrays

    def _snaplens(self, base: I64, known: I64) -> I64:
        """Snaplen of the first interface of each frame's section (simple blocks name no interface)."""
        snaplens = self._table()[1]
        if not len(snaplens):
            return np.zeros(len(base), np.int64)
        return np.where(known > base, snaplens[np.minimum(base, len(snaplens) - 1)], 0)

    def _timestamps(self, ticks: U64, interface: I64) -> I64:
        _, _, resolutions, offsets = self._table()
        resolution = resolutions[interface]
        offset = offsets[interface]
        if (resolution == resolution[0]).all():
            result, clamped = read_ticks(ticks, int(resolution[0]), offset)
            self.clamped += clamped
            return result
        result = np.zeros(len(ticks), np.int64)
        for each in np.unique(resolution):
            rows = resolution == each
            result[rows], clamped = read_ticks(ticks[rows], int(each), offset[rows])
            self.clamped += clamped
        return result

    def _stop_at(self, kind: int, length: int, frame: int) -> None:
        self.stopped = f"the block of type {kind:#x} behind frame {frame} gives its length as {length} bytes, which cannot be"

    def _stop_in(self, index: int, sound: bool, fits: bool, length: int, captured: int, interface: int) -> None:
        frame = f"frame {self.frames + index + 1}"
        if not sound:
            self.stopped = f"{frame} is in a block whose two lengths differ or are impossible ({length} bytes)"
        elif not fits:
            self.stopped = f"{frame} claims {captured} bytes, more than its block holds or a capture can"
        else:
            self.stopped = f"{frame} names interface {interface}, which the capture does not describe"


def _options(mark: str, body: bytes, start: int) -> list[tuple[int, bytes]]:
    """Options of a block from ``start`` on; what does not fit ends the list."""
    found: list[tuple[int, bytes]] = []
    unpack = struct.Struct(mark + "HH").unpack_from
    while start + 4 <= len(body):
        code, length = unpack(body, start)
        if code == 0 or start + 4 + length > len(body):
            break
        found.append((code, body[start + 4 : start + 4 + length]))
        start += 4 + (length + 3 & ~3)
    return found
