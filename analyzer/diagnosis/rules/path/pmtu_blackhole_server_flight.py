"""The server's certificate flight is lost in a path that carries only smaller packets.

Seen:
    The ClientHello is acknowledged, and of the server's flight only short packets arrive: captured at the client there is a hole of
    whole segments before the last short one; captured at the server, the same full segment is sent again and again and never
    acknowledged, while the client reports the shorter ones behind it (SACK) or goes on sending small packets.

Means:
    A tunnel on the way (VPN, PPPoE 1492, VXLAN 1450, WireGuard 1420, GRE 1476) carries less than both ends believe, and the
    message that would say so (ICMP "fragmentation needed", ICMPv6 "packet too big") is lost or filtered. Resumed sessions and
    servers with small certificates work, so it looks like a fault of one server.

Remedy:
    Clamp the MSS where the tunnel begins, and let the ICMP messages through:
    iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
    Or lower the MTU of the interface, or let TCP find out by itself: sysctl net.ipv4.tcp_mtu_probing=1 on the server.
    Kubernetes and clouds: set the overlay's MTU (Calico, Flannel, Cilium) below the network's; AWS: allow ICMP type 3 in the security
    group.

Confirm:
    $ ping -M do -s {ping_size} -c 3 {address}
    $ tracepath -n {address}
    From the client, with a smaller MSS; when this works, it is the packet size:
    $ ip route replace {address} via GATEWAY advmss 1200
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ ip route del {address}
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import Delivery, data_after, deliveries, path_mss
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.path._path import (
    CLOSES,
    GUESSES,
    full_segment,
    heeds_too_big,
    large_flights_pass,
    lost_evidence,
    packet_length,
    too_big_evidence,
)
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag, TcpOption

_LONG = 1_500_000_000
"""ns in which a lost segment would have been repaired several times over."""


class PmtuBlackholeServerFlight(Rule):
    """Full segments of the server lost every time, short ones not."""

    cause = "pmtu-blackhole-server-flight"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    alerts = frozenset({NO_ALERT})
    explains = ("client-hello-unacked", "loss-slow-handshake", "cap-ended-early", *CLOSES, *GUESSES)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.closing_alert is not None or handshake.aborted_by in ("server", "middlebox"):
            return None
        sent, received = deliveries(handshake, context)
        too_big = too_big_evidence(handshake, False)
        heeds = heeds_too_big(handshake, received) if too_big else None
        if heeds or (handshake.outcome == "unfinished" and (heeds is None or received.repeats < 2)):
            return None  # the server has been told, and sends smaller packets or is about to
        if sent.acknowledged < handshake.client_hello_end or received.unseen or handshake.flow.one_way:
            return None
        return self._at_server(handshake, context, received, too_big, heeds is False) or self._at_client(handshake, context, received)

    def _at_server(self, handshake: Handshake, context: Context, received: Delivery, too_big: list[Evidence], deaf: bool) -> Finding | None:
        """The full segment is seen, again and again."""
        if not received.tries or (received.repeats < 2 and not deaf):
            return None
        first = received.tries[0]
        alive = [s for s in received.echoes if s.timestamp > first.timestamp]
        if not full_segment(handshake, first.length) or (received.span < _LONG and not deaf):
            return None
        what = f"a segment of {first.length} bytes of the server's flight"
        evidence = [lost_evidence(first.frame, what, len(received.tries), received.span), *too_big]
        if deaf:
            evidence.append(Evidence(received.tries[-1].frame, "the server sends packets as long as before"))
        if not received.selective and not deaf and _short_ones_vanish(handshake, received, alive):
            return None
        if received.selective:
            evidence.append(
                Evidence(alive[0].frame if alive else None, "the client acknowledges what comes after it (SACK) and not the full segment")
            )
        elif alive:
            evidence.append(Evidence(alive[-1].frame, "the client still sends, and has not got it"))
        if large_flights_pass(handshake, context) is not None and not deaf:
            return None
        if not alive and not deaf and first.length < path_mss(handshake):
            return None  # the client is gone: the length need not be why
        sure = "certain" if deaf else "likely" if received.selective or alive else "possible"
        return self._found(
            handshake, min(first.length, path_mss(handshake) or first.length), sure == "certain", sure == "possible", evidence
        )

    def _at_client(self, handshake: Handshake, context: Context, received: Delivery) -> Finding | None:
        """The full segments are missing: a hole before a short one, or numbers that went on."""
        missing = received.vanished
        if not missing or not full_segment(handshake, missing):
            return None
        mss = path_mss(handshake)
        whole_ones = bool(mss) and missing >= mss
        if any((s.length >= mss if whole_ones else full_segment(handshake, s.length)) and not s.from_client for s in handshake.segments):
            return None  # others of that size came through
        begun = next((s.timestamp for s in handshake.segments if not s.from_client and s.acknowledgment >= handshake.client_hello_end), 0)
        waited = handshake.flow.last_seen - begun
        if not begun or waited < _LONG or large_flights_pass(handshake, context) is not None:
            return None
        whole = f", {words.count_text(missing // mss, 'full segment')} of {mss}" if mss and missing % mss == 0 else ""
        evidence = [Evidence(handshake.client_hello_frame or None, "the ClientHello, which was acknowledged")]
        if received.hole is not None:
            beyond = received.hole[1]
            short = next((s for s in handshake.segments if not s.from_client and s.sequence >= beyond and s.length), None)
            if short is None:
                return None
            evidence.append(Evidence(short.frame, f"only the short end of the server's flight arrived ({short.length} bytes)"))
        evidence.append(Evidence(None, f"{missing} bytes before it never came in {words.span_text(waited)}{whole}"))
        sure = received.hole is not None
        late = data_after(handshake.segments, handshake.client_hello_frame, False)
        last = late[-1] if late else None
        if last is not None and not last.length and not last.flags & TcpFlag.FIN and last.sequence > received.data_end:
            evidence.append(Evidence(last.frame, "a short packet of the server, whose number tells how much it had sent"))
        return self._found(handshake, min(missing, mss) if mss else missing, False, not sure, evidence)

    def _found(self, handshake: Handshake, length: int, certain: bool, unsure: bool, evidence: list[Evidence]) -> Finding:
        size = packet_length(handshake, length)
        summary = f"Packets of {size} bytes from {words.server_text(handshake)} do not pass: its certificate flight is lost every time."
        sure: Confidence = "certain" if certain else "possible" if unsure else "likely"
        return self.found(sure, summary, [*evidence, *handshake.closing_evidence], outcome="failed", aborted_by="unknown")


def _short_ones_vanish(handshake: Handshake, received: Delivery, alive: list[Segment]) -> bool:
    """Short segments of the flight were lost like the full ones: else a client that can would have said so at once (SACK)."""
    able = {s.from_client for s in handshake.segments if s.flags & TcpFlag.SYN and s.options & TcpOption.SACK_PERMITTED}
    short = [s for s in received.waiting if not full_segment(handshake, s.length) and s.timestamp - received.tries[0].timestamp < _LONG]
    seen = handshake.flow.syn_frame and handshake.flow.syn_ack_frame  # else nobody knows, and nearly all of them can
    return (len(able) == 2 or not seen) and bool(short) and bool(alive)
