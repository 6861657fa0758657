"""HTTP pages sent in reply to a ClientHello: whose they are."""

from __future__ import annotations

import re
from typing import NamedTuple

from analyzer.model.handshake import Handshake, Segment
from analyzer.model.tcp import TcpFlag

__all__ = ["Page", "other_sender", "read_page"]

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_LOCATION = re.compile(rb"^location:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_PORTAL = re.compile(rb"login|log-in|logon|sign-?in|portal|hotspot|captive|guest|wifi|wlan|welcome|splash|auth", re.IGNORECASE)
_BLOCK = re.compile(rb"block|denied|forbidden|policy|restrict|filter|categor|prohibit|not allowed|banned|illegal|webfilter", re.IGNORECASE)
_JUMP = 3
_HOST_TTL, _HOPS = 128, 24
"""Initial TTL of servers: network gear begins above it; more hops than lie between a proxy and its server."""


class Page(NamedTuple):
    """The head of an HTTP answer."""

    status: int
    location: str
    portal: bool
    """Words of a login page."""
    block: bool
    """Words of a block page."""


def read_page(handshake: Handshake) -> Page | None:
    """The page the server's side sent in reply to the hello; None when it is no HTTP."""
    data = handshake.server_bytes
    match = _STATUS.match(data)
    if match is None:
        return None
    location = _LOCATION.search(data)
    status = int(match[1])
    # the words of the status line say nothing: "403 Forbidden" is any server's
    rest = data[data.find(b"\n") + 1 :]
    return Page(
        status, location[1].decode("latin-1") if location else "", bool(_PORTAL.search(rest)), bool(_BLOCK.search(rest)) or status == 451
    )


def other_sender(handshake: Handshake) -> tuple[Segment, str] | None:
    """The answer's segment, and why it is not from the host that sent the SYN-ACK: another TTL; None when nothing says so."""
    segments = handshake.segments
    answer = next((s for s in segments if s.frame == handshake.server_bytes_frame), None)
    first = next((s for s in segments if not s.from_client and s.flags & TcpFlag.SYN), None)
    if answer is None or first is None or not first.ttl or abs(answer.ttl - first.ttl) < _JUMP:
        return None
    if first.ttl > _HOST_TTL or 0 < first.ttl - answer.ttl < _HOPS:
        return None  # a balancer or a SYN proxy wrote the SYN-ACK, and the server behind it answers
    if any(s.ttl == answer.ttl and not s.length and s.frame < answer.frame for s in segments if not s.from_client):
        return None  # so it acknowledged what it was sent
    return answer, f"its TTL is {answer.ttl}, that of the server's SYN-ACK {first.ttl}"
