"""A router or firewall said that the server cannot be reached.

Seen:
    An ICMP error that quotes this connection: network, host or port unreachable, administratively prohibited, no route; or that its
    TTL ran out on the way, which is a routing loop. Captured at the server it may quote the server's own packets, which then never reach
    the client, however often they are sent.

Means:
    The device that sent the message will not or cannot pass the packets on. Its address is in the message: that is where to look.

Remedy:
    Code 9, 10 or 13 (ICMPv6 1): a filter refuses, change its rule. Code 0 or 6 (ICMPv6 0): no route there. Code 1 or 7 (ICMPv6 3): the
    host does not answer on its own network: down, or the wrong address. Code 3 from the server itself: its firewall rejects the port.
    A loop (type 11): two routers send the packet to each other; correct their routes.

Confirm:
    $ mtr -T -P {port} -r -c 5 {address}
    $ nc -vz -w3 {address} {port}
    Where it was the server's packets that were refused: the first of the two from the server, to the client's address.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries, traces_route
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.path._path import CLOSES, lost_evidence
from analyzer.model.finding import AbortedBy, Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import IcmpError

_V4 = {
    0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable", 5: "source route failed",
    6: "network unknown", 7: "host unknown", 9: "network administratively prohibited", 10: "host administratively prohibited",
    11: "network unreachable for this service", 12: "host unreachable for this service", 13: "communication administratively prohibited",
}  # fmt: skip
"""RFC 792, RFC 1812 section 5.2.7.1; 4 is about packet size and no refusal."""
_V6 = {
    0: "no route to destination", 1: "communication administratively prohibited", 2: "beyond the scope of the source address",
    3: "address unreachable", 4: "port unreachable", 5: "source address failed policy", 6: "route rejected",
}  # fmt: skip
"""RFC 4443 section 3.1."""


class IcmpUnreachable(Rule):
    """A refusal in ICMP that nothing contradicts: the server did not answer after it."""

    cause = "icmp-unreachable"
    stages = stages_from(Stage.SYN, Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake", "failed", "unfinished"})
    explains = ("tcp-syn-unanswered", "client-hello-unacked", "tcp-synack-unacked", "cap-ended-early", "sni-filter-drop",
                "client-never-speaks", "tcp-option-intolerance", "pmtu-blackhole-server-flight", "loss-slow-handshake",
                "tls13-middlebox-intolerance", *CLOSES)  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        told = [(error, text) for error in handshake.icmp if (text := _text(error))]
        if not told or traces_route(handshake) or handshake.closing_alert is not None:
            return None
        flow = handshake.flow
        refused = [(error, text) for error, text in told if error.source_port == flow.server_port != flow.client_port]
        if refused:
            return self._of_server(handshake, context, refused)
        if Stage.RANK[handshake.stage] > Stage.RANK[Stage.CLIENT_HELLO]:
            return None
        error, text = told[0]
        if any(not s.from_client and s.timestamp > error.timestamp and not s.duplicate for s in handshake.segments):
            return None  # the server was reached all the same
        server = error.reporter == flow.server_address
        who = "the server itself" if server else f"the device {error.reporter}"
        evidence = [Evidence(flow.syn_frame or None, "the SYN")] if not flow.syn_ack_frame else []
        evidence.append(Evidence(error.frame, f"ICMP from {who}: {text} (type {error.type}, code {error.code})"))
        if len(told) > 1:
            evidence.append(Evidence(told[-1][0].frame, f"said {len(told)} times"))
        summary = f"{who[0].upper()}{who[1:]} says that {words.server_text(handshake)} cannot be reached: {text}."
        sure: Confidence = "likely" if flow.syn_ack_frame else "certain"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="server" if server else "middlebox")

    def _of_server(self, handshake: Handshake, context: Context, told: list[tuple[IcmpError, str]]) -> Finding | None:
        """It was the server's packets that were not passed on, and none that was refused arrived after all."""
        error, text = told[0]
        received = deliveries(handshake, context)[1]
        again = [s for s in received.tries if s.timestamp >= error.timestamp]
        answered = handshake.flow.ack_frame or handshake.flow.client_bytes
        if not (again if answered else handshake.flow.syn_acks > 1) or any(
            s.length for s in received.echoes if s.timestamp > error.timestamp
        ):
            return None
        client = handshake.flow.client_address
        who = "the client itself" if error.reporter == client else f"the device {error.reporter}"
        evidence = [Evidence(error.frame, f"ICMP to the server from {who}: {text} (type {error.type}, code {error.code})")]
        if len(told) > 1:
            evidence.append(Evidence(told[-1][0].frame, f"said {len(told)} times"))
        if answered:
            evidence.append(lost_evidence(received.tries[0].frame, "what it quotes", len(received.tries), received.span))
        evidence += handshake.closing_evidence
        summary = f"{who[0].upper()}{who[1:]} does not pass on what {words.server_text(handshake)} sends to the client: {text}."
        by: AbortedBy = "client" if error.reporter == client else "middlebox"
        return self.found("likely", summary, evidence, outcome="failed", aborted_by=by)


def _text(error: IcmpError) -> str:
    """What the error says; '' for errors that do not end a connection."""
    if error.version == 4:
        if error.type == 3:
            return _V4.get(error.code, "")
        return "TTL exceeded on the way: a routing loop" if (error.type, error.code) == (11, 0) else ""
    if error.type == 1:
        return _V6.get(error.code, "unreachable")
    return "hop limit exceeded on the way: a routing loop" if (error.type, error.code) == (3, 0) else ""
