"""Frames out of scapy's listening sockets: where there is no ring (macOS, Windows with Npcap), or ``--portable``.

Slower by far than the ring: each frame is an object on its way here. What comes out is the same FrameBatch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from analyzer.errors import SourceError
from analyzer.model.batches import FrameBatch
from analyzer.sources.ring import ANY, InterfaceGone, is_up, no_interface
from analyzer.sources.walker import Interface

__all__ = ["PortableSocket"]

_WAIT = 0.1  # seconds until a batch without frames says that nothing came
_COLLECT = 0.02  # seconds in which frames are gathered into one batch
_MOST = 4096
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_FILTER = "(tcp or icmp or icmp6)"
_LINK_OF_LAYER = {
    "Ether": 1, "Loopback": 0, "IP": 101, "IPv6": 101, "CookedLinux": 113, "CookedLinuxV2": 276, "RadioTap": 127, "Dot11": 105,
}  # fmt: skip


class PortableSocket:
    """As ``ring.Ring``, through scapy. Raises SourceError, PermissionError."""

    kind = "scapy"

    def __init__(self, name: str, *, expression: str | None = None, promiscuous: bool = True, snaplen: int = 262_144) -> None:
        import logging

        logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
        import scapy.arch  # sets which sockets there are
        import scapy.layers.l2  # noqa: F401  ... and what they carry
        from scapy.config import conf
        from scapy.error import Scapy_Exception
        from scapy.interfaces import get_working_ifaces

        self.name = name
        self.interfaces: list[Interface] = []
        self.frames = 0
        self.drops = 0
        self.freezes = 0
        self._snaplen = snaplen
        wanted = [known.name for known in get_working_ifaces()] if name == ANY else [name]
        chosen = _FILTER if expression is None else f"({expression}) and {_FILTER}"
        chosen = f"({chosen}) or (vlan and ({chosen}))"  # last: behind 'vlan' libpcap looks for everything 4 bytes later
        self._sockets: list[Any] = []
        try:
            for each in wanted:
                sock = conf.L2listen(iface=each, filter=chosen, promisc=promiscuous and name != ANY)
                self._sockets.append(sock)
                if each == "lo" and sys.platform == "linux":
                    sock.ins.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)  # on the loopback every frame passes twice
                self.interfaces.append(Interface(0, 1, snaplen, each, 9))
        except PermissionError:
            self.close()
            raise
        except (Scapy_Exception, OSError, ValueError) as error:
            self.close()
            if isinstance(error, OSError) and error.errno in (1, 13):
                raise PermissionError(*error.args) from error
            import socket

            if name not in [known for _, known in socket.if_nameindex()]:
                raise no_interface(name) from error
            raise SourceError(f"cannot listen on {name}: {str(error).partition(chr(10))[0]}") from error

    def start(self, program: object) -> None:
        """Nothing: scapy gave the sockets their filter when it opened them."""
        if self.name != ANY and not is_up(self.name):
            raise InterfaceGone(f"interface {self.name} is down")

    def rebind(self) -> bool:
        """Scapy's sockets cannot listen again without being opened again."""
        return False

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield what came; a batch without frames when nothing did. Raises InterfaceGone."""
        from scapy.config import conf

        kinds = {sock: index for index, sock in enumerate(self._sockets)}
        while True:
            taken: list[tuple[int, int, int, bytes]] = []
            until = time.monotonic() + _WAIT
            while (left := until - time.monotonic()) > 0 and len(taken) < _MOST:
                try:
                    ready = conf.L2listen.select(self._sockets, max(left, 0))
                    for sock in ready:
                        self._receive(sock, kinds[sock], taken)
                except OSError as error:
                    raise InterfaceGone(f"interface {self.name}: {error.strerror or error}") from error
                if taken:
                    until = min(until, time.monotonic() + _COLLECT)
            if not taken and self.name != ANY and not is_up(self.name):
                raise InterfaceGone(f"interface {self.name} went down")
            yield self._batch(taken)

    def _receive(self, sock: Any, number: int, taken: list[tuple[int, int, int, bytes]]) -> None:
        layer, data, moment = sock.recv_raw(self._snaplen)
        if data is None:
            return
        link = _LINK_OF_LAYER.get(getattr(layer, "__name__", ""), 1)
        timestamp = time.time_ns() if moment is None else int(moment * 1_000_000) * 1000
        taken.append((timestamp, link, number, bytes(data)))

    def _batch(self, taken: list[tuple[int, int, int, bytes]]) -> FrameBatch:
        sizes = np.array([len(data) for *_, data in taken], np.int64)
        first = self.frames + 1
        self.frames += len(taken)
        return FrameBatch(
            np.frombuffer(b"".join(data for *_, data in taken) + bytes(64), np.uint8),
            np.cumsum(sizes) - sizes,
            sizes,
            sizes,
            np.array([moment for moment, *_ in taken], np.int64),
            np.arange(first, self.frames + 1, dtype=np.int64),
            np.array([link for _, link, *_ in taken], np.uint16),
            np.array([number for _, _, number, _ in taken], np.uint16),
        )

    def count_drops(self) -> int:
        """Scapy does not tell."""
        return 0

    def close(self) -> None:
        """Stop listening."""
        for sock in self._sockets:
            sock.close()
        self._sockets = []
