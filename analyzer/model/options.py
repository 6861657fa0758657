"""What the caller asked for: one frozen object from the command line down to every floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Limits", "Options"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Every cap. What is cut by one is counted and shown."""

    record_bytes: int = 18_432
    """Longest TLS record body that is followed (RFC 8446 section 5.2: 2^14 + 256; RFC 5246: + 2048)."""
    message_bytes: int = 131_072
    """Longest handshake message kept."""
    chain_certificates: int = 16
    flow_bytes: int = 1_048_576
    """Handshake bytes held for one direction of one flow while it is incomplete."""
    flows: int = 1_000_000
    """Connections tracked at once; beyond it the longest idle are closed."""
    segments: int = 2_000
    """Segments remembered for one flow while its handshake runs."""
    messages: int = 512
    """Records and messages kept for one handshake."""
    fragments: int = 4_096
    """IP datagrams under reassembly at once."""
    server_name: int = 255
    inflate_ratio: int = 1_000
    """Bytes out per byte in of a compressed capture before it is taken for a bomb."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one run. ``since``/``until`` are ns since the epoch."""

    keylog: str | None = None
    ca_file: str | None = None
    server_ports: tuple[tuple[int, int], ...] = ()
    """Inclusive port ranges where TLS is expected."""
    failed_only: bool = False
    cause: str | None = None
    server: str | None = None
    since: int | None = None
    until: int | None = None
    reader: str = "native"
    """'native' or 'tshark'."""
    workers: int = 1
    """Processes that read captures at once; 0: as many as pay. What cannot be read several times (a pipe, a URL) is read by one."""
    cluster: str | None = None
    keeps_flows: bool = True
    """The table of flows will be asked for: every connection is remembered to the end. Without, memory does not grow with a capture."""
    completed: Literal["handshakes", "rows", "counts"] = "handshakes"
    """What will be asked of completed handshakes. ``rows``: their rows and no more; ``counts``: how many there are and what others
    learn from them, only what failed, did not end or was none is sure to be handed on, and what is handed on of completed ones lacks
    its notes (``also``). In both, of those alike one is read, and the others stay columns."""
    live: bool = False
    timeout: float = 10.0
    """Seconds after which a live connection that stays silent is judged."""
    limits: Limits = Limits()
