"""Linux: frames out of a ring that the kernel fills (AF_PACKET, TPACKET_V3), without a copy or a system call a frame.

Layouts and constants are those of linux/if_packet.h; how it works is in the kernel's
Documentation/networking/packet_mmap.rst. The kernel writes a block of frames and hands it over; its frames
are one FrameBatch, whose ``data`` is the block itself. The next batch gives the block back.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from analyzer.errors import SourceError
from analyzer.model.batches import I64, U8, U16, U32, FrameBatch
from analyzer.sources.filters import Program, attach_filter, reject_all
from analyzer.sources.walker import Interface, gather_words

__all__ = ["ANY", "NOTHING", "InterfaceGone", "Ring", "is_up", "no_interface"]

ANY: Final = "any"

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _RESERVE = 1, 5, 6, 10, 12
_TPACKET_V3 = 2
_PROMISCUOUS = 1
_ETH_P_ALL = 0x0003
_OUTGOING = 4
_STATUS_KERNEL, _STATUS_USER = 0, 1
_VLAN_VALID, _VLAN_TPID_VALID = 0x10, 0x40
_TAG = 4  # bytes in front of each frame for a VLAN tag that the kernel took out
_HEADER_WORDS = 16

_BLOCK = 1 << 20
_RETIRE_MS = 40
_POLL_MS = 100
_GATHER_BLOCKS = 8  # blocks that lie behind each other and are full already make one batch

_RAW = 101
_LINK_TYPES: Final = {1: 1, 772: 1, 65534: 101, 512: 101, 768: 101, 769: 101, 776: 101, 778: 101, 801: 105, 803: 127, 519: 101}
"""ARPHRD_ of the interface -> LINKTYPE_ of its frames: Ethernet, loopback, IP without a link header, 802.11 with and without
radiotap. GRE (778) and tunnels hand over IP; what is not here is tried as IP."""


class InterfaceGone(SourceError):  # noqa: N818  it says what happened
    """The interface went down or was removed while it was watched; ``--wait`` waits for it."""


def no_interface(name: str) -> SourceError:
    """The error for a name that no interface has."""
    known = ", ".join(known for _, known in socket.if_nameindex())
    return SourceError(f"there is no interface {name!r}; there are: {known}, any")


def is_up(name: str) -> bool:
    """The interface is there and up (IFF_UP)."""
    try:
        return int((Path("/sys/class/net") / name / "flags").read_text(), 16) & 1 == 1
    except (OSError, ValueError):
        return _flags_by_ioctl(name) & 1 == 1


def _flags_by_ioctl(name: str) -> int:
    import fcntl

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            answer = fcntl.ioctl(probe, 0x8913, struct.pack("256s", name.encode()[:15]))  # SIOCGIFFLAGS
        return int(struct.unpack_from("H", answer, 16)[0])
    except OSError:
        return 0


class Ring:
    """Frames of one interface, or of ``any``. Iterate: a batch without frames comes when nothing did for 100 ms.

    ``interfaces`` those seen; ``drops`` frames that the kernel had no room for; ``frames`` seen so far.
    Raises SourceError, PermissionError.
    """

    kind = "ring"

    def __init__(self, name: str, *, megabytes: int = 32, promiscuous: bool = True) -> None:
        self.name = name
        self.interfaces: list[Interface] = []
        self.frames = 0
        self.drops = 0
        self.freezes = 0
        self._promiscuous = promiscuous
        self._numbers: dict[int, int] = {}  # kernel's index -> ours
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._mapped: mmap.mmap | None = None
        try:
            attach_filter(self._socket, reject_all())
            self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
            self._socket.setsockopt(_SOL_PACKET, _RESERVE, _TAG)
            self._make_ring(max(1, megabytes))
        except BaseException:
            self.close()
            raise
        self._block = 0
        self._held: list[int] = []
        self._index = 0

    def _make_ring(self, megabytes: int) -> None:
        while True:
            self._blocks = megabytes * (1 << 20) // _BLOCK
            request = struct.pack("7I", _BLOCK, self._blocks, 2048, self._blocks * (_BLOCK // 2048), _RETIRE_MS, 0, 0)
            try:
                self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
                self._mapped = mmap.mmap(self._socket.fileno(), self._blocks * _BLOCK, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
                break
            except OSError as error:
                if error.errno != errno.ENOMEM or megabytes == 1:
                    raise
                megabytes //= 2
        self._data = np.frombuffer(self._mapped, np.uint8)

    def start(self, program: Program) -> None:
        """Let frames in. Nothing that the filter would not let through was ever in the ring."""
        attach_filter(self._socket, program)
        self._bind()

    def _bind(self) -> None:
        self._index = 0
        if self.name != ANY:
            try:
                self._index = socket.if_nametoindex(self.name)
            except OSError:
                raise no_interface(self.name) from None
            if not is_up(self.name):
                raise InterfaceGone(f"interface {self.name} is down")
        try:
            # by number, as a name may have gone since
            address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(_ETH_P_ALL), self._index, 0, 0, 0, b"")
            _bind_raw(self._socket, address)
        except OSError as error:
            raise InterfaceGone(f"interface {self.name}: {error.strerror}") from error
        if self._index and self._promiscuous:
            try:
                self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("iHH8s", self._index, _PROMISCUOUS, 0, b""))
            except OSError:
                pass  # interfaces that know no other mode

    def rebind(self) -> bool:
        """Listen again on an interface that came back. Needs no privilege. False while it is not there."""
        try:
            self._bind()
        except SourceError:
            return False
        return True

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield what came; ``data`` of a batch is valid until the next is asked for. Raises InterfaceGone."""
        assert self._mapped is not None
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | select.POLLERR)
        while True:
            self._give_back()
            batch = self._next_blocks()
            if batch is None:
                for _, event in poller.poll(_POLL_MS):
                    if event & select.POLLERR:
                        self._look_what_is_wrong()
                batch = self._next_blocks()
            yield NOTHING if batch is None else batch

    def _look_what_is_wrong(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self.name == ANY or (code == 0 and is_up(self.name)):
            return
        try:
            there = socket.if_nametoindex(self.name) == self._index
        except OSError:
            there = False
        if not there:
            raise InterfaceGone(f"interface {self.name} was removed")
        if not is_up(self.name):
            raise InterfaceGone(f"interface {self.name} went down")

    def _give_back(self) -> None:
        mapped = self._mapped
        assert mapped is not None
        for block in self._held:
            struct.pack_into("=I", mapped, block * _BLOCK + 8, _STATUS_KERNEL)
        self._held.clear()

    def _next_blocks(self) -> FrameBatch | None:
        mapped = self._mapped
        assert mapped is not None
        first = self._block
        offsets: list[int] = []
        end = 0
        while len(self._held) < _GATHER_BLOCKS:
            base = self._block * _BLOCK
            status, count, start, length = struct.unpack_from("=4I", mapped, base + 8)
            if not status & _STATUS_USER:
                break
            at = base + start
            unpack = _NEXT.unpack_from
            for _ in range(count):
                offsets.append(at)
                at += unpack(mapped, at)[0]
            end = base + length
            self._held.append(self._block)
            self._block = (self._block + 1) % self._blocks
            if self._block == 0:
                break  # the next one lies at the other end of the memory
        if not self._held:
            return None
        if not offsets:
            self._give_back()
            return None
        return self._read(first * _BLOCK, end, offsets)

    def _read(self, start: int, end: int, offsets: list[int]) -> FrameBatch:
        data = self._data[start : min(end + 64, len(self._data))]
        at = np.array(offsets, np.int64) - start
        words = gather_words(data, at, _HEADER_WORDS)
        begin = at + (words[:, 6] & 0xFFFF)
        captured = words[:, 3].astype(np.int64)
        original = words[:, 4].astype(np.int64)
        timestamp = words[:, 1].astype(np.int64) * 1_000_000_000 + words[:, 2]
        index = words[:, 13].astype(np.int64)
        kind = words[:, 14]
        tagged = np.flatnonzero(words[:, 5] & _VLAN_VALID)
        if len(tagged):
            _put_tags_back(data, begin, captured, original, words, tagged)
        link, interface = self._links(index, (kind & 0xFFFF).astype(np.int64))
        without = link == _RAW
        if without.any():
            header = np.where(without, (words[:, 6] >> 16).astype(np.int64) - (words[:, 6] & 0xFFFF), 0)
            begin, captured, original = begin + header, np.maximum(captured - header, 0), np.maximum(original - header, 0)
        # on the loopback every frame passes twice
        keep = ~(((kind & 0xFFFF) == 772) & ((kind >> 16 & 0xFF) == _OUTGOING))
        if not keep.all():
            begin, captured, original, timestamp, link, interface = (
                column[keep] for column in (begin, captured, original, timestamp, link, interface)
            )
        n = len(begin)
        number = np.arange(self.frames + 1, self.frames + n + 1, dtype=np.int64)
        self.frames += n
        return FrameBatch(data, begin, captured, original, timestamp, number, link, interface)

    def _links(self, index: I64, hatype: I64) -> tuple[U16, U16]:
        """LINKTYPE_ and our interface number of each frame; new interfaces are noted."""
        if len(self._numbers) == 1 and (index == next(iter(self._numbers))).all():
            number = next(iter(self._numbers.values()))
            return np.full(len(index), self.interfaces[number].link_type, np.uint16), np.full(len(index), number, np.uint16)
        link = np.empty(len(index), np.uint16)
        interface = np.empty(len(index), np.uint16)
        for value in np.unique(index).tolist():
            at = np.flatnonzero(index == value)
            if value not in self._numbers:
                try:
                    name = socket.if_indextoname(value)
                except OSError:
                    name = f"interface {value}"
                link_type = _LINK_TYPES.get(int(hatype[at[0]]), 101)
                self._numbers[value] = min(len(self.interfaces), 65_535)
                if len(self.interfaces) <= 65_535:
                    self.interfaces.append(Interface(0, link_type, 0, name, 9))
            number = self._numbers[value]
            link[at] = self.interfaces[number].link_type
            interface[at] = number
        return link, interface

    def count_drops(self) -> int:
        """Frames lost since the last call: the kernel found no free block."""
        try:
            answer = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        except OSError:
            return 0
        _, drops, freezes = struct.unpack("=3I", answer)
        self.drops += drops
        self.freezes += freezes
        return int(drops)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        if self._mapped is not None:
            self._data = np.zeros(0, np.uint8)
            try:
                self._mapped.close()
            except BufferError:
                pass  # a batch still looks into it; the memory goes with it
            self._mapped = None


_NEXT = struct.Struct("=I")
NOTHING = FrameBatch(
    np.zeros(64, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64),
    np.zeros(0, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.uint16),
)  # fmt: skip


def _put_tags_back(data: U8, begin: I64, captured: I64, original: I64, words: U32, tagged: I64) -> None:
    """The kernel takes the outer VLAN tag out of the frame: put it back, as it was on the wire."""
    for row in tagged.tolist():
        at = int(begin[row])
        if captured[row] < 12:
            continue
        data[at - _TAG : at + 8] = data[at : at + 12].copy()
        kind = int(words[row, 9]) & 0xFFFF if words[row, 5] & _VLAN_TPID_VALID else 0x8100
        data[at + 8 : at + 12] = np.frombuffer(struct.pack(">HH", kind, int(words[row, 8]) & 0xFFFF), np.uint8)
        begin[row] -= _TAG
        captured[row] += _TAG
        original[row] += _TAG


def _bind_raw(sock: socket.socket, address: bytes) -> None:
    """``bind`` with a sockaddr_ll of our making: Python's own takes names only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(sock.fileno(), address, len(address)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
