"""Only one direction was captured.

Seen:
    All packets of the connection come from one side, and its acknowledgments grow (or answer a SYN): the other side did send.

Means:
    The tap or mirror port sees one direction; the other one takes another way, another link of a bundle, or is filtered out by the
    capture's own filter. Nothing can be said about what the missing side did, only that it was there.

Remedy:
    Mirror both directions (SPAN "both", both links of a bundle, both routers of an asymmetric path), or capture on one of the two hosts.

Confirm:
    $ tshark -r CAPTURE -q -z conv,tcp
    $ tcpdump -ni any -s 0 -w both.pcap 'host {address} and host {client}'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import EVERYTHING_GENERAL, as_note, is_proved
from analyzer.diagnosis.silence import missing_side
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage


class CapOneWay(Rule):
    """One side's packets, which prove that there were others."""

    cause = "cap-one-way"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake"})
    signs = Oddity.ONE_WAY
    explains = (*EVERYTHING_GENERAL, "cap-ended-early", "cap-drops", "cap-mid-stream", "cap-snaplen", "middlebox-rst-injection")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.one_way:
            return None
        missing = missing_side(handshake)
        sure: Confidence = "certain"
        if missing is None:
            # SYNs alone: one way only where the whole capture is
            facts = context.capture(handshake)
            if handshake.stage != Stage.SYN or not flow.syn_frame or facts.flows < 3 or facts.one_way < facts.flows or facts.syn_acks:
                return None
            if context.server(handshake).syn_unanswered == facts.flows:
                return None
            missing, sure = False, "possible"
        elif not flow.syn_frame and not flow.syn_ack_frame and flow.client_frames + flow.server_frames < 2:
            sure = "likely"  # a single packet out of the middle
        who = words.side(missing)
        frames = flow.server_frames if missing else flow.client_frames
        evidence = [Evidence(flow.first_frame, f"{words.count_text(frames, 'packet')} of {words.peer_of(missing)}, none of {who}")]
        top = max((s.acknowledgment for s in handshake.segments), default=0)
        if top > 1:
            evidence.append(Evidence(None, f"its acknowledgments go up to {top - 1} bytes that {who} must have sent"))
        if is_proved(handshake):
            note = self.found("certain", f"Of {words.server_text(handshake)} only {words.peer_of(missing)} was captured.", evidence)
            return as_note(note)
        summary = (
            f"The capture holds only {words.peer_of(missing)}'s packets to {words.server_text(handshake)}: what {who} did cannot be told."
        )
        if missing:
            summary = f"The capture holds only the packets of {words.server_text(handshake)}: what the client did cannot be told."
        return self.found(sure, summary, evidence, outcome="unfinished", aborted_by="unknown")
