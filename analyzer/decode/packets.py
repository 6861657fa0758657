"""What every layer takes and returns: packets as columns, and the work in hand for one batch.

A layer is a function ``(Work, Packets) -> Packets``: it takes off one header of every packet it is
given and says, in ``code``, what comes next. Codes are numbers of four spaces laid side by side
(``Code``), so one table in ``decoder`` tells which layer reads what, and what no layer reads is
counted by reason. Offsets are bounds-checked here (``Work.need``) and reads beyond the buffer give
zeros (``gather``), so no layer can be led out of the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.model.batches import I64, U8, FrameBatch, IcmpError

__all__ = ["Code", "Layer", "Packets", "Work", "gather", "layout"]

Bool = npt.NDArray[np.bool_]
I32 = npt.NDArray[np.int32]
Headers = npt.NDArray[np.void]
Column = npt.NDArray[Any]

MAX_TUNNELS = 8


class Code:
    """What stands at ``Packets.start``. EtherTypes are themselves; the others are shifted beside them."""

    PROTOCOL = 0x1_0000
    """plus an IP protocol number"""
    LINK = 0x2_0000
    """plus a LINKTYPE_ value"""
    PORT = 0x3_0000
    """plus a UDP destination port"""
    OWN = 0x4_0000
    """Ours: what no registry numbers."""
    ETHERNET, LLC, PPP, IP, FRAGMENT4, FRAGMENT6, ERSPAN, WIFI, WIFI_PADDED, AMSDU = range(OWN, OWN + 10)
    END = OWN + 10

    IPV4, ARP, IPV6, VLAN, PPPOE, MPLS, BRIDGED = 0x0800, 0x0806, 0x86DD, 0x8100, 0x8864, 0x8847, 0x6558
    TCP = PROTOCOL + 6


def layout(size: int, **fields: tuple[int, str]) -> np.dtype[np.void]:
    """The dtype of a header of ``size`` bytes; ``name=(offset, format)``."""
    names = list(fields)
    return np.dtype({"names": names, "offsets": [fields[n][0] for n in names], "formats": [fields[n][1] for n in names], "itemsize": size})


def gather(data: U8, start: I64, dtype: np.dtype[np.void]) -> Headers:
    """One header of ``dtype`` for each offset in ``start``, copied side by side; zeros beyond the buffer.

    Indexing a view of overlapping windows copies each header in one move, which is several times
    faster than one indexed read a field.
    """
    size = dtype.itemsize
    limit = len(data) - size
    if not len(start):
        return np.zeros(0, dtype)
    if limit >= 0 and start.max() <= limit:
        return _windows(data, size)[start].view(dtype)
    tail = np.zeros(3 * size, np.uint8)
    kept = min(len(data), size)
    tail[:kept] = data[len(data) - kept :]
    inside = start <= limit
    out = np.zeros(len(start), f"V{size}")
    if inside.any():
        out[inside] = _windows(data, size)[start[inside]]
    out[~inside] = _windows(tail, size)[np.minimum(start[~inside] - (len(data) - kept), 2 * size)]
    return out.view(dtype)


def _windows(data: U8, size: int) -> npt.NDArray[np.void]:
    return np.ndarray((len(data) - size + 1,), f"V{size}", np.ascontiguousarray(data).data, strides=(1,))


@dataclass(slots=True, eq=False, repr=False)
class Packets:
    """Packets at one layer, columns of equal length.

    ``row`` index of the frame in its batch; ``start`` and ``end`` bound the captured bytes of this
    layer in ``Work.data``; ``wire_end`` is where it ended before a snaplen cut it (never below
    ``end``); ``ip`` where the innermost IP header begins, -1 before the first; ``code`` what comes
    at ``start``. ``start`` may pass ``end``: the next ``need`` then counts the packet out.
    """

    row: I64
    start: I64
    end: I64
    wire_end: I64
    ip: I64
    code: I32

    def __len__(self) -> int:
        return len(self.row)

    def select(self, keep: Bool | npt.NDArray[np.intp]) -> Packets:
        """The packets where ``keep`` is true, or those of an index array."""
        return Packets(self.row[keep], self.start[keep], self.end[keep], self.wire_end[keep], self.ip[keep], self.code[keep])

    def past(self, length: int | Column, code: int | Column) -> Packets:
        """The same packets, ``length`` bytes further, where ``code`` comes next."""
        codes = np.full(len(self), code, np.int32) if isinstance(code, int) else code.astype(np.int32)
        return Packets(self.row, self.start + length, self.end, self.wire_end, self.ip, codes)

    def bounded(self, length: Column) -> Packets:
        """The same packets, ending ``length`` bytes after ``start`` at the latest: a trailer is no payload."""
        limit = self.start + length
        return Packets(self.row, self.start, np.minimum(self.end, limit), np.minimum(self.wire_end, limit), self.ip, self.code)

    @staticmethod
    def none() -> Packets:
        """No packets."""
        nothing = np.zeros(0, np.int64)
        return Packets(nothing, nothing, nothing, nothing, nothing, nothing.astype(np.int32))

    @staticmethod
    def join(groups: list[Packets]) -> Packets:
        """All packets of several groups, in frame order."""
        groups = [group for group in groups if len(group)] or [Packets.none()]
        if len(groups) == 1:
            return groups[0]
        whole = Packets(
            np.concatenate([g.row for g in groups]),
            np.concatenate([g.start for g in groups]),
            np.concatenate([g.end for g in groups]),
            np.concatenate([g.wire_end for g in groups]),
            np.concatenate([g.ip for g in groups]),
            np.concatenate([g.code for g in groups]),
        )
        return whole.select(np.argsort(whole.row, kind="stable"))


@dataclass(slots=True, eq=False, repr=False)
class Work:
    """One batch being decoded: its bytes, what was learned of each frame, and what was counted."""

    frames: FrameBatch
    data: U8
    counters: dict[str, int]
    vlan: I32 = field(init=False)
    tunnel: U8 = field(init=False)
    icmp: list[IcmpError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vlan = np.full(len(self.frames), -1, np.int32)
        self.tunnel = np.zeros(len(self.frames), np.uint8)

    def count(self, reason: str, packets: int | np.integer[Any]) -> None:
        """Add to the counter of ``reason``; nothing to add makes no counter."""
        if packets:
            self.counters[reason] = self.counters.get(reason, 0) + int(packets)

    def keep(self, packets: Packets, good: Bool, reason: str) -> Packets:
        """The packets where ``good``; the others are counted under ``reason``."""
        if good.all():
            return packets
        self.count(reason, len(good) - np.count_nonzero(good))
        return packets.select(good)

    def need(self, packets: Packets, size: int) -> Packets:
        """The packets with at least ``size`` captured bytes left; the others are counted."""
        short = packets.end - packets.start < size
        if not short.any():
            return packets
        cut = short & (packets.wire_end - packets.start >= size)
        self.count("snaplen cut the headers", np.count_nonzero(cut))
        self.count("frame shorter than its headers", np.count_nonzero(short & ~cut))
        return packets.select(~short)

    def read(self, packets: Packets, dtype: np.dtype[np.void]) -> Headers:
        """The header at ``start`` of each packet; only what ``need`` granted lies in the frame."""
        return gather(self.data, packets.start, dtype)

    def byte(self, offset: I64) -> U8:
        """The byte at each offset, 0 beyond the buffer."""
        if not len(offset) or not len(self.data):
            return np.zeros(len(offset), np.uint8)
        value = self.data[np.minimum(offset, len(self.data) - 1)]
        return value if offset.max() < len(self.data) else np.where(offset < len(self.data), value, 0).astype(np.uint8)

    def enter_tunnel(self, packets: Packets) -> Packets:
        """Count one more tunnel on each packet's frame; beyond ``MAX_TUNNELS`` it is given up."""
        packets = self.keep(packets, self.tunnel[packets.row] < MAX_TUNNELS, f"more than {MAX_TUNNELS} tunnels")
        self.tunnel[packets.row] += 1
        return packets

    def append(self, payloads: list[bytes]) -> I64:
        """Put reassembled ``payloads`` behind the batch's bytes; where each begins."""
        sizes = np.array([len(p) for p in payloads], np.int64)
        begins = len(self.data) + np.cumsum(sizes) - sizes
        self.data = np.concatenate([self.data, np.frombuffer(b"".join(payloads), np.uint8)])
        return begins


Layer = Callable[[Work, Packets], Packets]
