"""The server's SYN-ACK was never acknowledged.

Seen:
    SYN, then the same SYN-ACK again and again, and nothing of the client but perhaps its SYN once more.

Means:
    Captured at the server: the SYN-ACKs do not reach the client (a broken way back, a firewall that did not see the SYN), or
    the SYN had a false sender. Captured at the client: its own firewall drops the answer, or it comes in by another interface.

Remedy:
    Repair the way back: the server's route to the client, reverse path filters, firewalls that see one direction only.
    Many of these from many addresses at once are a SYN flood: turn on SYN cookies (net.ipv4.tcp_syncookies=1).

Confirm:
    On the server:
    $ ip route get {client}
    On the client, whether the SYN-ACK comes in:
    $ tcpdump -ni any 'host {address} and tcp port {port}'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import TcpFlag

_SYN_ACK = TcpFlag.SYN | TcpFlag.ACK
_AGAIN = 500_000_000
"""ns: nobody repeats a SYN-ACK sooner, before any round trip is known (RFC 6298: after a second)."""


class TcpSynackUnacked(Rule):
    """SYN-ACKs in vain, from a server that both sides' packets were captured of."""

    cause = "tcp-synack-unacked"
    stages = frozenset({Stage.SYN})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.syn_ack_frame or not flow.client_frames or flow.client_rst_frame or flow.ack_frame:
            return None
        answers = [s for s in handshake.segments if s.flags & _SYN_ACK == _SYN_ACK and not s.from_client and not s.duplicate]
        if len(answers) < 2 or answers[-1].timestamp - answers[0].timestamp < _AGAIN:
            return None  # so soon they are copies, of a network that doubles packets or of one that was captured twice
        evidence = [
            Evidence(flow.syn_ack_frame, "the SYN-ACK"),
            Evidence(answers[-1].frame, f"the last of {len(answers)}, {words.span_text(answers[-1].timestamp - flow.syn_ack_time)} later"),
            Evidence(None, "no acknowledgment of the client"),
        ]
        repeated = sum(s.from_client and s.flags & _SYN_ACK == TcpFlag.SYN and not s.duplicate for s in handshake.segments)
        if repeated > 1:
            evidence.append(Evidence(None, f"the client sent its SYN {repeated} times: it got no answer"))
        summary = f"{words.server_text(handshake)} answered the SYN {len(answers)} times and the client never acknowledged it."
        return self.found("certain" if len(answers) > 2 else "likely", summary, evidence, outcome="failed", aborted_by="unknown")
