"""The connection was captured inside a tunnel.

Seen:
    Headers around the packets: VXLAN, GENEVE, GRE, ERSPAN, MPLS, GTP-U, PPPoE or several VLAN tags. They were taken off.

Means:
    The recording was made within a network that carries others' packets. Each header takes room: the connection's own packets must be
    smaller than the outer network's MTU by that much.

Remedy:
    Nothing, unless large packets are lost: then lower the inner MTU or clamp the MSS (see pmtu-blackhole-server-flight).

Confirm:
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields -e frame.protocols | head -1
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


class CapEncapsulation(Rule):
    """A note, never why a handshake failed."""

    cause = "cap-encapsulation"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    signs = needs = Oddity.TUNNEL
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.tunnel:
            return None
        evidence = [Evidence(flow.first_frame, f"{words.count_text(flow.tunnel, 'tunnel header')} taken off")]
        return as_note(self.found("certain", "The connection was captured inside a tunnel.", evidence))
