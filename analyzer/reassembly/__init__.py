"""One direction of a TCP connection: from segments in any order to bytes in theirs.

Sans-IO: no clock, no file, no NumPy, no global state. ``sequence`` is the only place that does
arithmetic on sequence numbers; ``stream`` puts the bytes in order and counts what was odd.
"""

from __future__ import annotations

from analyzer.reassembly.sequence import distance
from analyzer.reassembly.stream import Piece, Stream

__all__ = ["Piece", "Stream", "distance"]
