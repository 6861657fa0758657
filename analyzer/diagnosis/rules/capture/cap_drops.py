"""Packets are missing from the capture.

Seen:
    A side acknowledges bytes that the capture does not hold ("ACKed unseen segment"), or a FIN whose number says that bytes came before
    it: they were sent and received, only not recorded. The capture's own counter may say how many packets it lost.

Means:
    The recording host or the mirror port could not keep up. What was in the missing packets, an alert perhaps, is not known.

Remedy:
    A larger buffer and a narrower filter (tcpdump -B 65536 'tcp port {port}'), -s 0, writing to a faster disk, no name resolution (-n), a
    mirror port that is not overbooked (both directions of a full link do not fit into one).

Confirm:
    $ capinfos CAPTURE
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream} && (tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment)'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.capture._missing import EVERYTHING_GENERAL, as_note, is_proved, unseen_bytes
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_ALERT = 7


class CapDrops(Rule):
    """Bytes received that were never recorded."""

    cause = "cap-drops"
    stages = stages_from(Stage.CONNECTED)  # before it an odd acknowledgment is some other connection's
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    signs = needs = Oddity.GAPS
    overturns = 0
    explains = (*EVERYTHING_GENERAL, "cap-ended-early", "decode-error", "unexpected-message", "cap-snaplen")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        completed = handshake.outcome == "completed"
        if flow.one_way or (completed and (flow.truncated or not (flow.client_gaps or flow.server_gaps))):
            return None
        client, server = unseen_bytes(handshake, context)
        if not client and not server:
            return None
        if handshake.client_hello is None and not flow.syn_frame and not flow.syn_ack_frame:
            return None  # it begins in the middle: of course there was more
        evidence = [
            Evidence(None, f"{words.count_text(number, 'byte')} of {who} were acknowledged and are not in the capture")
            for number, who in ((client, "the client"), (server, "the server"))
            if number
        ]
        if _ALERT in (client, server):
            evidence.append(Evidence(None, f"{_ALERT} bytes are the length of an alert in the clear"))
        lost = context.capture(handshake).drops
        if lost:
            evidence.append(Evidence(None, f"the capture says it lost {words.count_text(lost, 'packet')}"))
        if completed or is_proved(handshake) or (handshake.stage == Stage.ESTABLISHED and handshake.outcome != "unfinished"):
            return as_note(self.found("certain", "Packets of this connection are missing from the capture.", evidence))
        summary = (
            f"Packets of the handshake with {words.server_text(handshake)} are missing from the capture: its end may have been in them."
        )
        return self.found("certain", summary, evidence, outcome="unfinished", aborted_by="unknown")
