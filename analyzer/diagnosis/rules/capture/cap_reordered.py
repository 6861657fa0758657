"""The capture's packets are not in the order of their times.

Seen:
    Times that go backwards from one frame to the next within a connection. Or acknowledgments that come before what they acknowledge:
    the two directions were recorded with clocks of their own.

Means:
    Several interfaces or files were merged without sorting, or two ports of a tap have clocks that do not agree, or the recording host
    took packets from several queues. What came first is told by the numbers of TCP, not by the place in the file.

Remedy:
    Sort the file before it is read by tools that trust its order: reordercap; merge with mergecap, which sorts.

Confirm:
    $ reordercap -n CAPTURE sorted.pcapng
    $ capinfos -o CAPTURE
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import has_two_clocks
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import EVERYTHING_GENERAL, as_note
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake

_JITTER = 1_000
"""ns: clocks of two cores differ by more."""


class CapReordered(Rule):
    """A note, or why it cannot be told how a handshake went; never why one failed."""

    cause = "cap-reordered"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    signs = needs = Oddity.DISORDER
    overturns = 0
    explains = EVERYTHING_GENERAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.outcome == "unfinished" and has_two_clocks(handshake):
            return self._two_clocks(handshake)
        if context.in_order:
            return None  # a connection that goes on in the next file has frames numbered anew
        if handshake.outcome == "completed":
            return self._completed(handshake)
        before = 0
        for s in sorted(handshake.segments, key=lambda s: s.frame):
            if before and s.timestamp < before - _JITTER:
                evidence = [Evidence(s.frame, f"its time is {words.span_text(before - s.timestamp)} before that of an earlier frame")]
                return as_note(self.found("certain", "Frames of this connection are not in the order of their times.", evidence))
            before = max(before, s.timestamp)
        return None

    def _two_clocks(self, handshake: Handshake) -> Finding:
        """The two directions do not fit together."""
        evidence = [
            Evidence(None, "packets of one side acknowledge what, by its time, the other side sent later"),
            *handshake.closing_evidence,
        ]
        summary = (
            f"The two directions of the connection to {words.server_text(handshake)} were recorded with clocks that do not agree: what "
            "came first, and so how the handshake ended, cannot be told."
        )
        return self.found("likely", summary, evidence, outcome="unfinished", aborted_by="unknown")

    def _completed(self, handshake: Handshake) -> Finding | None:
        """No segments are kept of what completed: the messages have frames and times too."""
        frame = time = 0
        for message in handshake.messages:
            now, number = message.timestamp, message.frame
            if (number > frame and now < time - _JITTER) or (number < frame and now > time + _JITTER):
                evidence = [Evidence(number, f"its time is {words.span_text(time - now)} off the order of the frames")]
                return as_note(self.found("certain", "Frames of this connection are not in the order of their times.", evidence))
            frame, time = number, now
        return None
