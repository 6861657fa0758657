"""What TCP and ICMP say, a number at a time: no columns here, so that nobody loads NumPy for a flag."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.record import Record

__all__ = ["IcmpError", "TcpFlag", "TcpOption"]


class TcpFlag:
    """Bits of the TCP flags (RFC 9293 section 3.1)."""

    FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128


class TcpOption:
    """Bits of ``SegmentBatch.options``: which TCP options a segment carried."""

    MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMPS, FAST_OPEN, MPTCP, OTHER = 1, 2, 4, 8, 16, 32, 64, 128


@dataclass(slots=True, eq=False, repr=False)
class IcmpError(Record):
    """An ICMP or ICMPv6 error that quotes a TCP packet (few: one Python object each is fine)."""

    frame: int
    timestamp: int
    reporter: str
    """Address of the device that sent the error."""
    version: int
    type: int
    code: int
    mtu: int
    """Next-hop MTU of 'fragmentation needed' / 'packet too big', else 0."""
    source: tuple[int, int]
    """Quoted source address as (high, low) 64-bit halves; IPv4 is mapped into ::ffff:0:0/96."""
    destination: tuple[int, int]
    source_port: int
    destination_port: int
    sequence: int
