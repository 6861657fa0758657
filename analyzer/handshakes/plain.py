"""Connections that are plain HTTP from their first line: nothing of them is wanted, unless their port turns out to be one of TLS."""

from __future__ import annotations

import re
from typing import NamedTuple

from analyzer.handshakes.connection import Connection
from analyzer.handshakes.flight import Run

__all__ = ["MOST_BYTES", "MOST_SEGMENTS", "Plain", "asks_for_http"]

MOST_SEGMENTS = 5
"""Of a connection that is set aside; of longer ones a ``Connection`` tells when enough was seen."""
MOST_BYTES = 4_096

_REQUEST = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|PATCH|OPTIONS|PROPFIND|REPORT) [!-~\x80-\xff]{1,480} HTTP/1\.[01]\r?\n")


def asks_for_http(data: bytes) -> bool:
    """Whether a connection that the client begins with ``data`` is plain HTTP, whatever comes after, and not through a tunnel."""
    return _REQUEST.match(data) is not None


class Plain(NamedTuple):
    """All that both directions sent, each from its first byte on and in order, none of it TLS."""

    client: Run
    server: Run
    senders: bytes
    """Who sent each segment (0 the client), in the order they came."""

    @property
    def is_tls(self) -> bool:
        """It was looked at when it was set aside."""
        return False

    @property
    def tls_offsets(self) -> tuple[int, int]:
        """TLS began nowhere."""
        return 0, 0

    def hand(self, connection: Connection) -> None:
        """Give it to a connection segment by segment."""
        runs = self.client, self.server
        places, begins = [0, 0], [0, 0]
        for sender in self.senders:
            data, sequence, ends, frames, times = runs[sender]
            place, begin = places[sender], begins[sender]
            end = ends[place]
            connection.segment(sender == 0, (sequence + begin) & 0xFFFFFFFF, data[begin:end], frames[place], times[place], end - begin)
            places[sender], begins[sender] = place + 1, end
