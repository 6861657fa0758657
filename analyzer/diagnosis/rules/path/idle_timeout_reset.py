"""The connection was idle for so long that a device on the way had forgotten it.

Seen:
    TCP was connected (or the dialogue before TLS spoken), nothing happened for a minute or more, and then the ClientHello is answered
    by a reset, or by nothing at all.

Means:
    A NAT gateway, a load balancer or a firewall dropped the connection from its table after its idle time: 350 s for an AWS NLB, 4
    minutes for Azure, 10 minutes for Google Cloud, 60 s for an AWS ALB. Clients that open connections beforehand, and pools, meet it.

Remedy:
    Send TCP keepalives more often than the device's idle time, or close pooled connections earlier:
    net.ipv4.tcp_keepalive_time below it, with SO_KEEPALIVE; Go: net.Dialer.KeepAlive; Java: jdk.net TCP_KEEPIDLE, the pool's maximum
    idle time; nginx: keepalive_timeout, so_keepalive=on; Envoy: tcp_keepalive, idle_timeout; HAProxy: option clitcpka and srvtcpka.

Confirm:
    The pause before the reset, against the device's idle time:
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields -e frame.number -e frame.time_delta_displayed -e tcp.flags.str
    $ ss -tno 'dport = :{port}'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries
from analyzer.diagnosis.resets import reset_class
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag

_IDLE = 45 * 10**9
_SOON = 5 * 10**9


class IdleTimeoutReset(Rule):
    """A long pause, then a packet, then a reset or nothing."""

    cause = "idle-timeout-reset"
    stages = stages_from(Stage.CONNECTED, Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "no-handshake"})
    alerts = frozenset({NO_ALERT})
    explains = (*CLOSES, *GUESSES, "middlebox-rst-injection", "sni-filter-rst", "client-hello-unacked", "client-never-speaks",
                "connect-close-probe", "unclean-close")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.closing_alert is not None or handshake.flow.last_seen - handshake.flow.first_seen < _IDLE:
            return None
        paused = _pause(handshake.segments)
        if paused is None:
            return None
        woke, pause = paused
        after = [s for s in handshake.segments if s.frame > woke.frame and not s.duplicate]
        reset = next((s for s in after if s.flags & TcpFlag.RST), None)
        heard = [
            s for s in after if s.from_client != woke.from_client and not s.flags & TcpFlag.RST and (reset is None or s.frame < reset.frame)
        ]
        if heard:
            return None
        evidence = [Evidence(woke.frame, f"{words.side(woke.from_client)} speaks again after {words.span_text(pause)} without a packet")]
        if reset is not None and reset.from_client != woke.from_client and reset.timestamp - woke.timestamp < _SOON:
            evidence.append(Evidence(reset.frame, f"reset {words.span_text(reset.timestamp - woke.timestamp)} later"))
            end = "and was reset"
        else:
            delivery = deliveries(handshake, context)[0 if woke.from_client else 1]
            if (reset is not None and reset.from_client != woke.from_client) or delivery.repeats < 2:
                return None
            evidence.append(Evidence(None, f"sent {words.count_text(len(delivery.tries), 'time')} and not acknowledged"))
            end = "and was not heard any more"
        where = words.server_text(handshake)
        summary = f"The connection to {where} had been idle for {words.span_text(pause)} {end}: something on the way had forgotten it."
        return self.found("likely", summary, evidence, outcome="failed", reset_class=reset_class(handshake))


def _pause(segments: tuple[Segment, ...]) -> tuple[Segment, int] | None:
    """The first data that came after a pause of ``_IDLE``, and the pause in ns."""
    last = 0
    for s in segments:
        if s.duplicate:
            continue
        if last and s.timestamp - last >= _IDLE and s.length and not s.retransmission and not s.flags & TcpFlag.RST:
            return s, s.timestamp - last
        last = s.timestamp
    return None
