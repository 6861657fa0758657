"""Packet loss made the handshake take longer than the client waits.

Seen:
    Packets of both directions or of different sizes are lost and sent again, and arrive in the end; the handshake moves on, slowly,
    until the client closes after a few seconds without an alert. Or (only possible) a whole flight of one side is sent again and again
    and nothing of it, long or short, ever acknowledged.

Means:
    The network loses packets: a full link, a bad radio, a broken cable or optic, a policer. Each loss costs at least 0.2 s, the loss
    of a SYN a whole second.

Remedy:
    Repair the path: interface errors and drops on the way, duplex, the radio's signal, policers and shapers. A longer timeout in the
    client only hides it.

Confirm:
    $ mtr -T -P {port} -c 100 -r {address}
    $ ip -s link
    On both ends, how much TCP sends again:
    $ nstat -az TcpRetransSegs TcpOutSegs
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import Delivery, deliveries
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES, lost_evidence
from analyzer.diagnosis.silence import stuck
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag

_SLOW = 1_500_000_000
_LATE = 150_000_000
"""ns: what follows an acknowledgment later than this was sent again on the way here, or waited for."""
_TICKS = 25_000_000
"""ns of a gap for which a timestamp may have moved on by one and still be that of the moment before: less than any clock ticks in it."""


class LossSlowHandshake(Rule):
    """Losses that were repaired, too late."""

    cause = "loss-slow-handshake"
    stages = stages_from(Stage.CLIENT_HELLO, Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = frozenset({NO_ALERT})
    explains = (*CLOSES, *GUESSES, "cert-pinning")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if handshake.closing_alert is not None or handshake.aborted_by not in ("client", "unknown") or flow.one_way:
            return None
        sent, received = deliveries(handshake, context)
        if sent.acknowledged < handshake.client_hello_end and handshake.server_hello is None:
            return None
        if sent.repeats > 1 and sent.acknowledged >= handshake.client_hello_end and stuck(sent) and not sent.unseen:
            return self._unheard(handshake, sent)
        if handshake.stage == Stage.FINISHED:
            return None
        closed = min((time for time in (flow.client_fin_time, flow.client_rst_time) if time), default=flow.last_seen)
        if closed - flow.first_seen < _SLOW:
            return None
        repeated = [s for s in handshake.segments if s.retransmission and not s.duplicate and s.timestamp < closed]
        repaired = [s for s in repeated if s.sequence < (sent if s.from_client else received).acknowledged]
        if received.repeats > 1 and not repaired and (not received.echoes or _only_leaves(received, closed)):
            return self._gone(handshake, received)
        filled = _filled(handshake.segments, closed)
        holes = received.vanished > 0 or received.outstanding
        if len(repaired) + len(filled) < 2 or not (filled or holes or any(not s.from_client for s in repaired)):
            return None
        evidence = [Evidence(s.frame, f"sent again by {words.side(s.from_client)} ({_what(s)})") for s in repaired[:4]]
        evidence += [Evidence(s.frame, "a packet of the server that came late, behind later ones or after its time") for s in filled[:3]]
        if received.vanished:
            evidence.append(Evidence(None, f"{words.count_text(received.vanished, 'byte')} of the server had not arrived by the end"))
        evidence += handshake.closing_evidence
        lost = len(repaired) + len(filled)
        summary = (
            f"The path to {words.server_text(handshake)} loses packets ({words.count_text(lost, 'loss', 'losses')} in "
            f"{words.span_text(closed - flow.first_seen)}) and the client gave up before the handshake was through."
        )
        return self.found("likely", summary, evidence, outcome="failed")

    def _unheard(self, handshake: Handshake, sent: Delivery) -> Finding:
        """The client's second flight in vain."""
        evidence = [lost_evidence(sent.tries[0].frame, "the client's second flight", len(sent.tries), sent.span)]
        if sent.echoes:
            evidence.append(Evidence(sent.echoes[-1].frame, "the server still sends, and has not got it"))
        else:
            evidence.append(Evidence(None, "no packet of the server came after it"))
        evidence += handshake.closing_evidence
        summary = f"The client's second flight never reached {words.server_text(handshake)}: what had passed before passes no more."
        return self.found("possible", summary, evidence, outcome="failed", aborted_by="unknown")

    def _gone(self, handshake: Handshake, received: Delivery) -> Finding:
        """The server's flight in vain, and not a packet of the client any more."""
        evidence = [lost_evidence(received.tries[0].frame, "the server's flight", len(received.tries), received.span)]
        where = words.server_text(handshake)
        evidence.append(Evidence(None, "no packet of the client came after it: it is gone, or the path is broken"))
        summary = f"The flight of {where} was never acknowledged: the client is gone, or nothing passes any more."
        if received.echoes:
            evidence[-1] = Evidence(received.echoes[0].frame, "the client still sends, and has got none of it")
            summary = f"The flight of {where} never arrived, in whatever packets: the way to the client is broken, and it gave up."
        return self.found("possible", summary, evidence, outcome="failed", aborted_by="unknown")


def _filled(segments: tuple[Segment, ...], closed: int) -> list[Segment]:
    """Data of the server that closed a hole, or that came though the server had long been silent before it."""
    top, found, last, begun, sent = 1, [], 0, False, 0
    for s in segments:
        if s.from_client or s.duplicate or s.timestamp >= closed or s.flags & (TcpFlag.SYN | TcpFlag.RST):
            continue
        if s.length and not s.retransmission:
            behind = s.sequence < top
            skipped = begun and s.sequence == top and s.timestamp - last > _LATE and not _queued(s, s.timestamp - last, sent)
            if behind or skipped:
                found.append(s)
            begun = True
        top = max(top, s.sequence + s.length)
        last, sent = s.timestamp, s.timestamp_value
    return found


def _queued(s: Segment, gap: int, before: int) -> bool:
    """Whether a segment that came so much later than the one before was sent with it, as its timestamp (RFC 7323) says: it waited in a
    queue on the way, and nothing was lost. Clocks of that option tick every millisecond, some every tenth."""
    return 0 < before <= s.timestamp_value <= before + gap // _TICKS


def _what(s: Segment) -> str:
    if s.flags & TcpFlag.SYN:
        return "the SYN" if not s.flags & TcpFlag.ACK else "the SYN-ACK"
    return words.count_text(s.length, "byte") if s.length else "the FIN"


def _only_leaves(received: Delivery, closed: int) -> bool:
    """All that was heard of the other side is that it gives up, or what it had said before once more."""
    return all(s.timestamp >= closed or s.retransmission or (not s.length and s.acknowledgment <= 1) for s in received.echoes)
