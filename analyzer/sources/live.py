"""An interface as a source: frames as they pass, until somebody stops it.

    name -> ring (Linux) or scapy's socket -> FrameBatch, also when nothing came, so that clocks go on

The filter is in place before the first frame is. Once it is open nothing here needs a privilege, an
interface that comes back included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from analyzer.errors import SourceError
from analyzer.model.batches import FrameBatch
from analyzer.sources.filters import Program, both, compile_expression, default_program
from analyzer.sources.portable import PortableSocket
from analyzer.sources.privileges import permission_hint
from analyzer.sources.ring import ANY, NOTHING, InterfaceGone, Ring
from analyzer.sources.walker import Interface

__all__ = ["ANY", "LARGEST", "InterfaceGone", "LiveSource", "open_live"]

LARGEST = 262_144
"""Snaplen when none is asked for."""

_AGAIN = 0.5  # seconds between looks for an interface that is gone


def open_live(
    interface: str,
    *,
    bpf: str | None = None,
    snaplen: int = LARGEST,
    portable: bool = False,
    promiscuous: bool = True,
    wait: bool = False,
    ring_megabytes: int = 64,
) -> LiveSource:
    """Open an interface by name, or all of them with ``any``. Frames flow from ``start``.

    ``bpf`` a filter expression of libpcap; a frame must pass it and the default filter. ``wait`` for an interface that is not there,
    or goes away. Raises SourceError (InterfaceGone), UsageError.
    """
    try:
        opened: Ring | PortableSocket
        if sys.platform == "linux" and not portable:
            program = _program(interface, bpf, snaplen)
            opened = Ring(interface, megabytes=ring_megabytes, promiscuous=promiscuous)
        else:
            program = []
            opened = PortableSocket(interface, expression=bpf, promiscuous=promiscuous, snaplen=snaplen)
    except PermissionError:
        raise SourceError(permission_hint(interface)) from None
    except OSError as error:
        raise SourceError(f"cannot listen on {interface}: {error.strerror or error}") from error
    return LiveSource(opened, interface, program, wait=wait)


def _program(interface: str, bpf: str | None, snaplen: int) -> Program:
    program = default_program(snaplen)
    if bpf is None:
        return program
    return both(compile_expression(bpf, ethernet=_is_ethernet(interface)), program)


def _is_ethernet(interface: str) -> bool:
    if interface == ANY:
        return False
    try:
        with open(f"/sys/class/net/{interface}/type") as file:
            return int(file.read()) in (1, 772)
    except (OSError, ValueError):
        return True


class LiveSource:
    """What a run needs of a source, for an interface. Iterate once; ``stop`` ends it at the next batch."""

    def __init__(self, opened: Ring | PortableSocket, interface: str, program: Program, *, wait: bool) -> None:
        self.interface = interface
        self.captures = [interface]
        self.secrets: list[bytes] = []
        self.warnings: list[str] = []
        self.size: int | None = None
        self.stopped = False
        self.waiting = False
        """The interface is not there, and it is waited for."""
        self.said: Callable[[str], None] | None = None
        """Told when an interface goes and comes back."""
        self._opened = opened
        self._program = program
        self._wait = wait
        self._started = False

    def start(self) -> None:
        """Let frames in. Raises SourceError where the interface is not there or down (unless it is waited for)."""
        self._started = True
        try:
            self._opened.start(self._program)
        except SourceError as error:
            if not self._wait or isinstance(self._opened, PortableSocket):
                self.close()
                raise
            self._say(f"{error}; waiting for it")
            self.waiting = True

    def stop(self) -> None:
        """No more frames: the iteration ends. Safe in a signal handler."""
        self.stopped = True

    def __iter__(self) -> Iterator[FrameBatch]:
        if not self._started:
            self.start()
        while not self.stopped:
            if self.waiting and not self._come_back():
                yield from self._idle()
                continue
            try:
                for batch in self._opened:
                    yield batch
                    if self.stopped:
                        return
            except InterfaceGone as error:
                if not self._wait:
                    raise
                self._say(f"{error}; waiting for it")
                self.waiting = True

    def _come_back(self) -> bool:
        if not self._opened.rebind():
            return False
        self.waiting = False
        self._say(f"interface {self.interface} is back")
        return True

    def _idle(self) -> Iterator[FrameBatch]:
        until = time.monotonic() + _AGAIN
        while time.monotonic() < until and not self.stopped:
            yield NOTHING
            time.sleep(0.1)

    def _say(self, text: str) -> None:
        if self.said is not None:
            self.said(text)

    def count_drops(self) -> int:
        """Frames that the kernel had no room for since this was last asked."""
        return self._opened.count_drops()

    @property
    def kind(self) -> str:
        """'ring' or 'scapy'."""
        return self._opened.kind

    @property
    def frames(self) -> int:
        """Frames taken so far."""
        return self._opened.frames

    @property
    def drops(self) -> int | None:
        """Frames lost so far; None where the system does not tell."""
        return self._opened.drops if self._opened.kind == "ring" else None

    @property
    def freezes(self) -> int:
        """Times the ring was full."""
        return self._opened.freezes

    @property
    def interfaces(self) -> list[Interface]:
        """Interfaces seen so far, as ``FrameBatch.interface`` counts them."""
        return self._opened.interfaces

    @property
    def position(self) -> int:
        """Bytes read: not told."""
        return 0

    def close(self) -> None:
        """Stop listening; closing twice does nothing."""
        self.stopped = True
        self._opened.close()
