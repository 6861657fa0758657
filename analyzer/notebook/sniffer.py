"""What ``analyzer.sniff`` hands out: handshakes as they end, and how it fares so far."""

from __future__ import annotations

from analyzer.model.handshake import Handshake
from analyzer.model.shown import DRAWINGS, Shown
from analyzer.notebook.display import draw_sniffer
from analyzer.notebook.explanation import Explanation
from analyzer.pipeline import sniffer

__all__ = ["Sniffer"]


class Sniffer(sniffer.Sniffer, Shown):
    """Iterate it; leave the loop, ``close`` it or use it as a context manager to stop listening.

    ``totals`` what was seen so far, ``drops`` frames lost so far, ``explain(handshake)`` a handshake's story. Raises SourceError when
    the interface goes away.
    """

    def explain(self, handshake: Handshake) -> Explanation:
        """One of its handshakes as a ladder, with cause, evidence and remedy."""
        return Explanation(handshake, [self.interface])


DRAWINGS[Sniffer] = draw_sniffer
