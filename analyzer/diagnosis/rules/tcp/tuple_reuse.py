"""The client used the ports of a connection that the server still holds.

Seen:
    A SYN that is answered neither by SYN-ACK nor RST but by a bare ACK with the numbers of an older connection (a challenge ACK,
    RFC 5961); the client resets that one and tries again, or waits.

Means:
    The same address and port came back while the server had not forgotten the earlier connection: its end was lost, a NAT
    gateway or a load generator goes through its ports too fast, or a client binds a fixed port.

Remedy:
    Widen the range of ports (net.ipv4.ip_local_port_range), give the NAT gateway more addresses, keep TCP timestamps on at both
    ends, do not bind source ports, and see that resets and FINs pass the firewall.

Confirm:
    On the server, a counter that grows, and the old connection:
    $ nstat -az TcpExtTCPChallengeACK
    $ ss -tn 'sport = :{port}' | grep -F {client}
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import TcpFlag

_NEAR = 1 << 16
"""Numbers of this connection at its beginning; those of another one are anywhere."""


class TupleReuse(Rule):
    """A bare ACK of another connection in answer to the SYN."""

    cause = "tuple-reuse"
    stages = stages_from(Stage.SYN, Stage.CONNECTED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake", "failed", "unfinished"})  # the older one may still send its data
    explains = ("tcp-syn-unanswered", "tcp-syn-refused", "connect-close-probe", "client-never-speaks", "port-scan", "ddos-challenge-reset")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.syn_frame or not flow.server_frames:
            return None
        challenge = None
        for s in handshake.segments:
            if s.from_client and s.flags & TcpFlag.ACK and not s.flags & TcpFlag.RST:
                break  # the client got its SYN-ACK, captured or not
            if s.from_client or s.duplicate or s.frame < flow.syn_frame:
                continue
            if s.flags & (TcpFlag.SYN | TcpFlag.RST):
                break
            if s.flags & TcpFlag.ACK and s.acknowledgment != 1:
                # with data, or numbers that fit, it is this connection's, and its SYN-ACK was not captured
                challenge = s if not s.length and not 1 < s.acknowledgment < _NEAR else None
                break
        if challenge is None:
            return None
        evidence = [
            Evidence(flow.syn_frame, "the SYN"),
            Evidence(challenge.frame, "answered by an ACK that belongs to another connection on the same ports"),
        ]
        reset = next((s for s in handshake.segments if s.from_client and s.flags & TcpFlag.RST and s.frame > challenge.frame), None)
        if reset is not None:
            evidence.append(Evidence(reset.frame, "the client reset that one"))
        connected = flow.syn_ack_frame > 0
        if connected:
            evidence.append(Evidence(flow.syn_ack_frame, "only then was the SYN answered"))
        summary = f"The client's port {flow.client_port} still belonged to an older connection to {words.server_text(handshake)}."
        if connected:
            own = any(s.frame == flow.syn_ack_frame and s.ttl == challenge.ttl for s in handshake.segments)
            return self.found("certain" if own else "likely", summary, evidence)  # guards test clients with such an ACK too
        return self.found("likely", summary, evidence, outcome="failed", aborted_by="unknown")
