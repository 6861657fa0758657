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
    $ ping -M do -s 1472 -c 3 {address}
    $ tracepath -n {address}
    $ openssl s_client -connect {connect} {servername} {starttls} -groups X25519 </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES, full_segment, is_post_quantum, lost_evidence, too_big_evidence
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage


class PmtuBlackholeClientHello(Rule):
    """A full segment of the hello lost every time."""

    cause = "pmtu-blackhole-client-hello"
    stages = frozenset({Stage.CLIENT_HELLO_UNACKED})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    explains = ("client-hello-unacked", "large-client-hello-intolerance", "cap-ended-early", *CLOSES, *GUESSES)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        sent, _ = deliveries(handshake, context)
        too_big = too_big_evidence(handshake)
        if handshake.closing_alert is not None or handshake.aborted_by in ("server", "middlebox") or not sent.tries:
            return None
        if handshake.outcome == "unfinished" and not too_big:
            return None
        first = sent.tries[0]
        if not full_segment(handshake, first.length) or (sent.repeats < 2 and not too_big):
            return None
        smaller = self._smaller(handshake, context, first.length)
        shorter_passed = sent.selective and any(s.length < first.length for s in sent.waiting[1:])
        evidence = [
            lost_evidence(first.frame, f"a segment of {first.length} bytes of the ClientHello", len(sent.tries), sent.span),
            *too_big,
        ]
        if shorter_passed:
            echo = sent.echoes[0]
            evidence.append(Evidence(echo.frame, "the server acknowledges a shorter, later part (SACK) and not the full segment"))
        evidence += smaller
        if is_post_quantum(handshake):
            evidence.append(Evidence(handshake.client_hello_frame or None, "the hello offers a post-quantum key share"))
        if not too_big and not shorter_passed and not smaller and context.server(handshake).largest_hello >= first.length:
            return None  # others' large hellos pass
        size = first.length + 40
        summary = f"Packets of {size} bytes do not pass to {words.server_text(handshake)}: the large ClientHello is lost every time."
        sure: Confidence = "certain" if too_big else "likely" if shorter_passed or smaller else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="unknown")

    def _smaller(self, handshake: Handshake, context: Context, length: int) -> list[Evidence]:
        for attempt in context.server(handshake).accepted:
            if attempt.hello is not None and attempt.hello.length < length - 100 and attempt.hello_segments <= 1:
                return [Evidence(None, f"a ClientHello of {attempt.hello.length} bytes (stream {attempt.stream}) was answered")]
        return []
