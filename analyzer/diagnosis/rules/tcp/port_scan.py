r"""A scanner, not a client.

Seen:
    One address that tries many ports or hosts and speaks to none; or a connection half opened: the SYN-ACK is answered by an RST,
    and the SYN has none of the options every real client sends (window 1024 and no more than an MSS: nmap, masscan; IP-ID 54321: ZMap).
    Or SYNs with TTLs that count the hops, each answered by an ICMP "time exceeded": traceroute -T, tcptraceroute.

Means:
    Somebody looks for open ports. No handshake was meant, so none failed.

Remedy:
    None for TLS. Block the address at the edge, or name your own scanner so that it can be left out of failure rates.

Confirm:
    How many hosts and ports it tried:
    $ tshark -r CAPTURE -Y '{ip}.src == {client} && tcp.flags.syn == 1 && tcp.flags.ack == 0' \
        -T fields -e {ip}.dst -e tcp.dstport | sort -u | wc -l
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import resets_what_it_has, traces_route
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpOption

_REAL = TcpOption.TIMESTAMPS | TcpOption.SACK_PERMITTED | TcpOption.WINDOW_SCALE
_ZMAP = 54_321
_MINUTE = 60 * 10**9
_MANY, _SOME = 8, 4
_BARE, _IPV4, _IPV6 = 42, 20, 40
"""Bytes of a frame without options, at most: TCP's header and that of the link (or padding), and what IP adds."""
_PATIENT = 900_000_000
_RETURNS = 2
"""Connections to the same open port within a minute besides this one: who knows that it is open and comes back checks its health."""


class PortScan(Rule):
    """Many targets, or a SYN that no operating system writes."""

    cause = "port-scan"
    stages = stages_from(Stage.SYN, Stage.CONNECTED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake"})
    explains = ("connect-close-probe", "client-never-speaks", "tcp-syn-unanswered", "tcp-syn-refused")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.syn_frame or flow.client_bytes:
            return None
        syn = next((s for s in handshake.segments if s.frame == flow.syn_frame), None)
        if syn is None:
            return None
        targets, talked, returns = {(flow.server_address, flow.server_port)}, 0, 0
        for attempt in context.attempts(handshake, _MINUTE, same_server=False):
            if attempt.hello is not None:
                talked += 1
            elif attempt.outcome == "no-handshake":
                there = (attempt.server_address, attempt.server_port)
                targets.add(there)
                returns += there == (flow.server_address, flow.server_port) and (
                    attempt.stage == Stage.CONNECTED or attempt.client_rsts > 0
                )
        half_open = bool(flow.syn_ack_frame and flow.client_rst_frame and not flow.ack_frame) and not resets_what_it_has(handshake)
        half_open = half_open and flow.syn_ack_time - flow.syn_time < _PATIENT  # else it is a client that had given up
        if traces_route(handshake):
            return self._traced(handshake, syn)
        tool = "" if _options_are_cut(syn, ":" in flow.client_address) else _tool_of(syn)
        evidence = [Evidence(flow.syn_frame, f"the SYN {tool}" if tool else "the SYN")]
        if half_open:
            evidence.append(Evidence(flow.client_rst_frame, "the client reset in answer to the SYN-ACK"))
        if len(targets) > 1:
            evidence.append(
                Evidence(None, f"{words.count_text(len(targets), 'port')} or hosts tried within a minute, and no byte sent to any")
            )
        strength = (half_open and not flow.client_fin_frame) + bool(tool) + 2 * (len(targets) >= _MANY) + (len(targets) >= _SOME)
        if strength < 2 or talked > len(targets) or (returns >= _RETURNS and not half_open and not tool):
            return None
        summary = f"{flow.client_address} scans: it never meant to speak TLS to {words.server_text(handshake)}."
        return self.found("likely", summary, evidence, outcome="no-handshake")

    def _traced(self, handshake: Handshake, syn: Segment) -> Finding:
        """traceroute with SYNs: each probe ends where it should."""
        evidence = [
            Evidence(syn.frame, f"the SYN has a TTL of {syn.ttl}, which no operating system begins with"),
            *(Evidence(error.frame, f"ICMP from {error.reporter}: its time ran out there") for error in handshake.icmp[:1]),
        ]
        summary = f"{handshake.flow.client_address} traces the route to {words.server_text(handshake)}: it never meant to speak TLS."
        return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by="none")


def _options_are_cut(syn: Segment, six: bool) -> bool:
    """Whether the SYN is longer than its headers without options: it has some, and the capture's snaplen cut them off."""
    return not syn.options & _REAL and syn.original_length > _BARE + (_IPV6 if six else _IPV4)


def _tool_of(syn: Segment) -> str:
    """What betrays a SYN that was not written by an operating system's TCP."""
    if syn.options & _REAL:
        return ""
    if syn.ip_id == _ZMAP:
        return "has ZMap's IP-ID 54321"
    if syn.window == 1024:
        return "has a window of 1024 and no options but an MSS, as nmap and masscan write it"
    return "has none of the options operating systems send"
