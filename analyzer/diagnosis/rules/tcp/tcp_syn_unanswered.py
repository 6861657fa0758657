"""The server never answered the SYN.

Seen:
    The client's SYN, sent again after 1, 3, 7 ... seconds (Linux; Windows after 1 and 3, or 3 and 9), and not one packet of the
    server: no SYN-ACK, no RST, no ICMP.

Means:
    A firewall or security group drops it without a word, the host is down, the address is wrong (an old DNS record), or
    the way back is broken.

Remedy:
    Open the port in every filter on the way: security group and network ACL in a cloud, iptables or nftables on the host, the
    firewall in between. Check that the address is the one the server has now.
    When the server's capture shows the SYN and its SYN-ACK, the way back is at fault: routes, asymmetric paths through a firewall.

Confirm:
    $ nc -vz -w3 {address} {port}
    $ traceroute -T -p {port} {address}
    On the server:
    $ tcpdump -ni any 'host {client} and tcp port {port}'
"""

from __future__ import annotations

import itertools
from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.silence import CAUTION, missing_side
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import TcpFlag


class TcpSynUnanswered(Rule):
    """Nothing but SYNs. One alone says little, and nothing at the end of a capture."""

    cause = "tcp-syn-unanswered"
    stages = frozenset({Stage.SYN})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.syn_frame or flow.server_frames or missing_side(handshake) is not None:
            return None
        syns = [s for s in handshake.segments if s.from_client and s.flags & TcpFlag.SYN and not s.duplicate]
        tries = max(len(syns), 1)
        waited = context.capture(handshake).last_seen - flow.syn_time
        if tries == 1 and waited < CAUTION:
            return None
        evidence = [Evidence(flow.syn_frame, "the SYN")]
        if tries > 1:
            pauses = [words.span_text(b.timestamp - a.timestamp) for a, b in itertools.pairwise(syns)]
            evidence.append(Evidence(syns[-1].frame, f"sent again after {words.list_text(pauses)}"))
        evidence.append(Evidence(None, f"no packet of the server in {words.span_text(waited)}"))
        connected = context.server(handshake).connects
        if connected:
            evidence.append(Evidence(None, f"the same server took {words.count_text(connected, 'other connection')}"))
        summary = f"{words.server_text(handshake)} never answered the client's {words.count_text(tries, 'SYN')}."
        sure: Confidence = "possible" if tries == 1 else "certain" if tries > 2 and context.capture(handshake).syn_acks else "likely"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="unknown")
