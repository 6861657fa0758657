"""Packets are in the capture twice.

Seen:
    Copies of frames: the same addresses, numbers and IP-ID within a millisecond, with the same TTL or one less (before and after a
    router).

Means:
    The mirror port copies both on entry and on exit, or the recording listens on several interfaces ("any") that a packet passes. They
    were not sent twice: they count neither as repeated nor as forged.

Remedy:
    Mirror one direction of each port, or record on one interface; take copies out with editcap.

Confirm:
    $ editcap -d CAPTURE without-copies.pcapng
    A router changes what is before the ports, the first 34 bytes of IPv4 on Ethernet:
    $ editcap -I 34 -d CAPTURE without-copies.pcapng
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import as_note
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake

_WORTH = 2


class CapDuplicates(Rule):
    """A note, never why a handshake failed."""

    cause = "cap-duplicates"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    signs = needs = Oddity.COPIES
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        copies = handshake.flow.duplicates
        if copies < _WORTH:
            return None
        evidence = [Evidence(None, f"{words.count_text(copies, 'frame')} of this connection are copies of others")]
        return as_note(self.found("certain", "Packets of this connection were captured more than once.", evidence))
