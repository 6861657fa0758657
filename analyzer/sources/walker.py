"""What a walker is: the part of a reader that knows one capture format and does no I/O.

A walker goes from record header to record header in a buffer it does not own, then reads the
columns of all records at once. The loop over headers is the only work done once a frame in Python,
so nothing is checked in it that can be checked on whole columns afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analyzer.model.batches import I64, U8, U32, FrameBatch

__all__ = ["BATCH_FRAMES", "LARGEST_FRAME", "SLACK", "Interface", "Walker", "gather_words"]

LARGEST_FRAME = 262_144
"""Longest captured frame that is believed, bytes (libpcap's MAXIMUM_SNAPLEN; Wireshark draws the same line)."""

BATCH_FRAMES = 1 << 16
"""Frames of one batch at most: keeps the columns of tiny frames within the processor's cache."""

SLACK = 64
"""Bytes a buffer has behind its end, so that the fixed part of a short last block can be gathered unchecked."""


@dataclass(slots=True)
class Interface:
    """One interface of a capture, as the capture describes it (text is hostile: escape it to show it)."""

    capture: int
    link_type: int
    snaplen: int
    """Bytes kept of each frame; 0 when there was no limit."""
    name: str = ""
    resolution: int = 6
    """if_tsresol as it is on the wire: 10^-n s, or 2^-n s when the high bit is set."""
    offset: int = 0
    """if_tsoffset, seconds."""
    drops: int | None = None
    """Frames the capture says were lost at this interface."""


class Walker(Protocol):
    """Reads the records of one capture format out of a buffer."""

    interfaces: list[Interface]
    frames: int
    """Frames seen so far: the number of the last one."""
    clamped: int
    """Timestamps that did not fit int64 nanoseconds since the epoch."""
    needed: int
    """Bytes of the record that the last walk stopped before, 0 when even that is not known."""
    skipped: int
    """Bytes still to come of a record that nobody wants."""
    stopped: str | None
    """Why nothing behind this point can be read; None while all is well."""
    remarks: list[str]
    """What else the caller may want to be warned of."""

    def walk(self, buffer: memoryview, data: U8, start: int, end: int) -> tuple[FrameBatch | None, int]:
        """Read whole records of ``buffer[start:end]``; return them and where the first unread byte is.

        ``data`` is the same memory as ``buffer``. No frames and no progress: more bytes are needed.
        """


def gather_words(data: U8, at: I64, count: int) -> U32:
    """Return the ``count`` little-endian 32-bit words that start at each byte ``at``: one row each.

    One item of ``count`` words is copied for each row, which is several times faster than a gather
    for each word.
    """
    size = 4 * count
    anywhere = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    rows: U32 = anywhere[at].view("<u4").reshape(-1, count)
    return rows
