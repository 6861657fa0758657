"""Columns of frames and segments: the currency of floor 2.

One row is one frame (or segment); every attribute named below is a NumPy array with one entry a
row. No Python object exists for a single frame. Payloads stay where they were read: a row holds
``(offset, length)`` into ``data``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analyzer.model.tcp import IcmpError, TcpFlag, TcpOption

__all__ = ["FrameBatch", "IcmpError", "SegmentBatch", "TcpFlag", "TcpOption"]

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


@dataclass(slots=True, eq=False, repr=False)
class FrameBatch:
    """Frames of one capture, in file order.

    ``data`` uint8 buffer holding the frames; valid until the next batch is asked for.
    ``offset`` int64, where each frame starts in ``data``; ``captured_length`` and
    ``original_length`` int64 bytes; ``timestamp`` int64 ns since the epoch; ``number`` int64,
    as Wireshark counts, from 1 in each capture; ``link_type`` uint16 (LINKTYPE_ values);
    ``interface`` uint16.
    """

    data: U8
    offset: I64
    captured_length: I64
    original_length: I64
    timestamp: I64
    number: I64
    link_type: U16
    interface: U16
    capture: int = 0
    """Index of the capture (file) the frames came from, in the order the sources were opened."""
    captures: U16 | None = None
    """The same for each frame, only where frames of several captures were merged by time."""

    def __len__(self) -> int:
        return len(self.offset)


@dataclass(slots=True, eq=False, repr=False)
class SegmentBatch:
    """TCP segments of one FrameBatch, in frame order (by time where the frames are not in the order of their times).

    Addresses are 128 bits in two uint64 columns, IPv4 mapped into ::ffff:0:0/96; ``ip_version``
    (4 or 6) tells a mapped address from a real one. ``payload_length`` is what was captured,
    ``wire_length`` what the IP header says was sent; the difference is a known gap (snaplen).
    ``ip_id`` is -1 where there is none (IPv6). ``dont_fragment`` is
    always true for IPv6, which no router fragments. ``mss`` and ``window_scale`` are 0 and -1 where
    absent and read from SYN segments only. ``options`` holds TcpOption bits.
    ``timestamp_value`` is TSval (0 when absent).
    """

    data: U8
    frame: I64
    timestamp: I64
    ip_version: U8
    source_high: U64
    source_low: U64
    destination_high: U64
    destination_low: U64
    source_port: U16
    destination_port: U16
    sequence: U32
    acknowledgment: U32
    flags: U8
    window: U16
    payload_offset: I64
    payload_length: I64
    wire_length: I64
    ttl: U8
    ip_id: npt.NDArray[np.int32]
    dont_fragment: npt.NDArray[np.bool_]
    options: U8
    mss: U16
    window_scale: npt.NDArray[np.int8]
    timestamp_value: U32
    vlan: npt.NDArray[np.int32]
    """Outermost VLAN id, -1 where there is none."""
    tunnel: U8
    """Number of tunnel headers (VXLAN, GRE, GTP-U, ...) that were taken off."""
    original_length: I64
    """Length of the frame on the wire, bytes: tells offload super-frames."""
    interface: U16
    capture: int = 0
    icmp: list[IcmpError] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frame)
