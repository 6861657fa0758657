"""A large ClientHello is lost in a path that carries only smaller packets.

Seen:
    The first, full segment of the ClientHello is sent again and again and never acknowledged, while shorter packets pass (the
    rest of the hello is reported by SACK, or other clients' shorter hellos are answered). ICMP may say that the packet is too big.

Means:
    A tunnel on the way (VPN, PPPoE, VXLAN, GRE, WireGuard) carries less than the ends believe, and the message that would say so
    (ICMP "fragmentation needed", ICMPv6 "packet too big") is lost or filtered. Hellos with post-quantum key shares have 1500 to
    1800 bytes and are the first to meet it.

Remedy:
    Clamp the MSS where the tunnel begins, and let the ICMP messages through:
    iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
    Or lower the MTU of the client, or let TCP find out: sysctl net.ipv4.tcp_mtu_probing=1.
    Until then a smaller hello gets through: OpenSSL Groups = X25519:P-256; Go GODEBUG=tlsmlkem=0; Chrome
    PostQuantumKeyAgreementEnabled=false.

Confirm:
    $ ping -M do -s {ping_size} -c 3 {address}
    $ tracepath -n {address}
    A hello of more than a packet, and a short one:
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -alpn http/1.1,$(seq -s, 1000 1299) </dev/null
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -groups X25519 </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import Delivery, deliveries, path_mss
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.path._path import (
    CLOSES,
    GUESSES,
    full_segment,
    heeds_too_big,
    is_post_quantum,
    lost_evidence,
    packet_length,
    same_path,
    too_big_evidence,
)
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import TcpFlag, TcpOption

_LONG = 1_500_000_000
"""ns in which a lost segment would have been repaired several times over."""


class PmtuBlackholeClientHello(Rule):
    """A full segment of the hello lost every time."""

    cause = "pmtu-blackhole-client-hello"
    stages = frozenset({Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_NOT_TLS, Stage.CONNECTED})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    explains = ("client-hello-unacked", "large-client-hello-intolerance", "cap-ended-early", *CLOSES, *GUESSES)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        sent, _ = deliveries(handshake, context)
        too_big = too_big_evidence(handshake, True)
        if handshake.stage != Stage.CLIENT_HELLO_UNACKED:
            return self._behind(handshake, context, sent)
        if handshake.closing_alert is not None or handshake.aborted_by in ("server", "middlebox") or not sent.tries:
            return None
        heeds = heeds_too_big(handshake, sent) if too_big else None
        if heeds or (handshake.outcome == "unfinished" and (heeds is None or sent.repeats < 2)):
            return None  # the client has been told, and sends smaller packets or is about to
        deaf = heeds is False
        first = sent.tries[0]
        if not full_segment(handshake, first.length) or (sent.repeats < 2 and not deaf):
            return None
        smaller = self._smaller(handshake, context, first.length)
        all_lost = not sent.selective and not deaf and _short_end_vanishes(handshake, sent)
        if all_lost and not smaller:
            return None
        shorter_passed = sent.selective and any(s.length < first.length for s in sent.waiting[1:])
        evidence = [
            lost_evidence(first.frame, f"a segment of {first.length} bytes of the ClientHello", len(sent.tries), sent.span),
            *too_big,
        ]
        if deaf:
            evidence.append(Evidence(sent.tries[-1].frame, "the client sends packets as long as before"))
        if shorter_passed:
            echo = sent.echoes[0]
            evidence.append(Evidence(echo.frame, "the server acknowledges a shorter, later part (SACK) and not the full segment"))
        evidence += smaller
        if is_post_quantum(handshake):
            evidence.append(Evidence(handshake.client_hello_frame or None, "the hello offers a post-quantum key share"))
        if not deaf and not shorter_passed and not smaller and context.server(handshake).largest_hello >= first.length:
            return None  # others' large hellos pass
        size = packet_length(handshake, min(first.length, path_mss(handshake) or first.length))
        summary = f"Packets of {size} bytes do not pass to {words.server_text(handshake)}: the large ClientHello is lost every time."
        sure: Confidence = "certain" if deaf else "likely" if shorter_passed or (smaller and not all_lost) else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="unknown")

    def _behind(self, handshake: Handshake, context: Context, sent: Delivery) -> Finding | None:
        """Captured behind the narrow place: only the short end of the hello is seen, and what came before it never comes."""
        flow, hole = handshake.flow, sent.hole
        if hole is None or hole[0] != 1 or sent.acknowledged > 1 or not full_segment(handshake, hole[1] - 1):
            return None
        if not flow.syn_frame or not flow.syn_ack_frame or flow.server_bytes or handshake.aborted_by in ("server", "middlebox"):
            return None
        short = next((s for s in handshake.segments if s.from_client and s.length and s.sequence >= hole[1]), None)
        if short is None or short.length >= hole[1] - 1:
            return None
        waited = context.capture(handshake).last_seen - short.timestamp
        if waited < _LONG:
            return None
        evidence = [
            Evidence(short.frame, f"the first data of the client: {short.length} bytes, behind {hole[1] - 1} that never came"),
            Evidence(None, f"they did not come in {words.span_text(waited)} either: a lost packet is sent again within a second"),
        ]
        told = next((s for s in handshake.segments if not s.from_client and s.timestamp >= short.timestamp and s.acknowledgment == 1), None)
        if told is not None:
            evidence.append(Evidence(told.frame, "the server acknowledges nothing and asks for the first"))
        size = packet_length(handshake, min(hole[1] - 1, path_mss(handshake) or hole[1]))
        summary = (
            f"Packets of {size} bytes do not pass to {words.server_text(handshake)}: "
            "of the client's first words only the short end arrives."
        )
        return self.found("likely" if told is not None else "possible", summary, evidence, outcome="failed", aborted_by="unknown")

    def _smaller(self, handshake: Handshake, context: Context, length: int) -> list[Evidence]:
        for attempt in same_path(handshake, context):
            if attempt.accepted and attempt.hello is not None and attempt.hello.length < length - 100 and attempt.hello_segments <= 1:
                return [Evidence(None, f"a ClientHello of {attempt.hello.length} bytes (stream {attempt.stream}) was answered")]
        return []


def _short_end_vanishes(handshake: Handshake, sent: Delivery) -> bool:
    """The short end of the hello was lost like the full segments: else a server that can would have said so at once (SACK)."""
    able = {s.from_client for s in handshake.segments if s.flags & TcpFlag.SYN and s.options & TcpOption.SACK_PERMITTED}
    return len(able) == 2 and any(not full_segment(handshake, s.length) for s in sent.waiting)
