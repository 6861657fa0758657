"""IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5).

The first copy of a byte wins and a fragment that overlaps another is refused whole, which is what
hosts do since RFC 5722. A datagram is read with the frame that completed it, as Wireshark has it.
Every frame stays in one counter: it moves from "waiting" when its datagram is done or given up.
Fragments are rare, so here there is one Python object for each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analyzer.decode.network import IPV4
from analyzer.decode.packets import Code, Packets, Work, gather, layout

__all__ = ["Fragments"]

WAITING = "ip fragment waiting for the others"
REASSEMBLED = "ip fragment reassembled"
TIMEOUT = 30_000_000_000
"""ns of capture time (Linux's net.ipv4.ipfrag_time)."""
MAX_BYTES = 32 * 1024 * 1024
"""Bytes held for all datagrams together."""
LONGEST = 65_535

FRAGMENT = layout(8, next=(0, "u1"), offset=(2, ">u2"))
_CARRIERS = np.zeros(256, np.bool_)
_CARRIERS[[0, 4, 6, 17, 41, 43, 47, 51, 60, 94, 97, 135, 137]] = True
"""Protocols that are TCP or may carry it; fragments of others are not worth holding."""


@dataclass(slots=True, eq=False, repr=False)
class _Datagram:
    since: int
    offsets: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    held: int = 0
    total: int = -1
    protocol: int = 0


class Fragments:
    """Datagrams under reassembly, at most ``limit`` of them, oldest given up first. Lives across batches."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._datagrams: dict[bytes, _Datagram] = {}

    def read(self, work: Work, packets: Packets) -> Packets:
        """Take in fragments; what goes on are completed datagrams, and TCP headers in first fragments cut by the snaplen."""
        headed = (packets.code == Code.FRAGMENT4) | (packets.end - packets.start >= 8)
        packets = work.keep(packets, headed, "frame shorter than its headers")
        six = packets.code == Code.FRAGMENT6
        four_header, six_header = gather(work.data, packets.ip, IPV4), work.read(packets, FRAGMENT)
        bits = np.where(six, six_header["offset"], four_header["fragment"]).astype(np.int64)
        protocol = np.where(six, six_header["next"], four_header["protocol"])
        offset = np.where(six, bits & 0xFFF8, (bits & 0x1FFF) * 8)
        more = np.where(six, bits & 1, bits & 0x2000) != 0
        begin = packets.start + np.where(six, 8, 0)
        carrier = _CARRIERS[protocol]
        work.count("ip fragment of another protocol", np.count_nonzero(~carrier))
        cut = carrier & (packets.end < packets.wire_end)
        readable = cut & (offset == 0) & (protocol == 6)
        work.count("snaplen cut a fragment", np.count_nonzero(cut & ~readable))
        done: list[tuple[int, int, bytes]] = []
        rows = np.flatnonzero(carrier & ~cut)
        columns = (packets.row, packets.ip, packets.start, begin, packets.end, offset, more, protocol, six)
        for index, row, ip, start, stop, end, *rest in zip(rows.tolist(), *(column[rows].tolist() for column in columns), strict=True):
            head = work.data[ip : ip + 40].tobytes()
            if rest[3]:
                key = b"6" + head[8:40] + work.data[start + 4 : start + 8].tobytes()
            else:
                key = b"4" + head[4:6] + head[9:10] + head[12:20]
            time = int(work.frames.timestamp[row])
            payload = work.data[stop:end].tobytes()
            whole = self._add(work, key, time, rest[0], rest[1], rest[2], payload)
            if whole is not None:
                done.append((index, *whole))
        first = packets.past(begin - packets.start, protocol.astype(np.int32) + Code.PROTOCOL).select(readable)
        if not done:
            return first
        begins = work.append([payload for _, _, payload in done])
        complete = packets.select(np.array([index for index, _, _ in done], np.intp))
        ends = begins + np.array([len(payload) for _, _, payload in done], np.int64)
        codes = np.array([protocol for _, protocol, _ in done], np.int32) + np.int32(Code.PROTOCOL)
        return Packets.join([first, Packets(complete.row, begins, ends, ends, complete.ip, codes)])

    def _add(self, work: Work, key: bytes, time: int, offset: int, more: bool, protocol: int, payload: bytes) -> tuple[int, bytes] | None:
        """Take in one fragment: (protocol, payload) of the datagram it completes, else None."""
        self._give_up(work, lambda oldest: time - oldest.since > TIMEOUT)
        end = offset + len(payload)
        if not payload or end > LONGEST or (more and len(payload) % 8):
            work.count("bad ip fragment", 1)
            return None
        datagram = self._datagrams.get(key)
        if datagram is None:
            datagram = self._datagrams[key] = _Datagram(time)
        at = bisect_left(datagram.offsets, offset)
        if at < len(datagram.offsets) and datagram.offsets[at] == offset and datagram.payloads[at] == payload:
            work.count("ip fragment seen before", 1)
            return None
        clash = (at > 0 and datagram.offsets[at - 1] + len(datagram.payloads[at - 1]) > offset) or (
            at < len(datagram.offsets) and datagram.offsets[at] < end
        )
        beyond = 0 <= datagram.total < end
        short = not more and at < len(datagram.offsets)
        if clash or beyond or short:
            work.count("ip fragment overlapping another", 1)
            return None
        datagram.offsets.insert(at, offset)
        datagram.payloads.insert(at, payload)
        datagram.held += len(payload)
        self.held += len(payload)
        if not more:
            datagram.total = end
        if offset == 0:
            datagram.protocol = protocol
        if datagram.held == datagram.total:
            self._drop(key)
            _move(work, REASSEMBLED, len(datagram.payloads) - 1)
            return datagram.protocol, b"".join(datagram.payloads)
        work.count(WAITING, 1)
        self._give_up(work, lambda _: len(self._datagrams) > self.limit or self.held > MAX_BYTES)
        return None

    def _give_up(self, work: Work, condition: Callable[[_Datagram], bool]) -> None:
        """Forget the oldest datagrams while ``condition`` holds for the oldest."""
        while self._datagrams:
            key = next(iter(self._datagrams))
            datagram = self._datagrams[key]
            if not condition(datagram):
                return
            self._drop(key)
            _move(work, "ip fragment never completed", len(datagram.payloads))

    def _drop(self, key: bytes) -> None:
        self.held -= self._datagrams.pop(key).held


def _move(work: Work, reason: str, frames: int) -> None:
    """Frames counted as waiting are counted under ``reason`` from now on."""
    work.count(WAITING, -frames)
    if not work.counters.get(WAITING, 1):
        del work.counters[WAITING]
    work.count(reason, frames)
