"""Who closed, how and after how long a silence, as the rules of this family need it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import round_trip
from analyzer.diagnosis.losses import closed_unheard, read_delivery
from analyzer.diagnosis.resets import judge_resets
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.tcp import TcpFlag

__all__ = [
    "AT_ONCE", "CLOSES_AFTER_HELLO", "LONG_SILENCE", "CloseEvent", "ResetLook", "close_text", "closed_unread", "first_close", "last_word",
    "left_early", "left_unanswered",
    "look_at_reset", "nothing_from_server", "round_seconds", "saw_connect", "silence",
]  # fmt: skip

_SECOND = 1_000_000_000

AT_ONCE = 1_000_000_000
"""ns: who closes sooner was not waiting for anything."""

LONG_SILENCE = 2_000_000_000
"""ns of silence after which a close is the end of waiting, not an answer."""

CLOSES_AFTER_HELLO = ("server-rst-after-hello", "server-fin-after-hello", "server-closed-mid-handshake", "client-hello-no-answer")
"""General causes of a ClientHello answered by a close or by nothing."""

_TIMEOUTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 100, 120, 180, 240, 300)


class CloseEvent(NamedTuple):
    """The FIN or RST that came first."""

    frame: int
    time: int
    from_client: bool
    kind: Literal["fin", "rst"]


def first_close(handshake: Handshake) -> CloseEvent | None:
    """The first FIN or RST of either side, by time; None where nobody closed."""
    flow = handshake.flow
    best: CloseEvent | None = None
    for frame, time, from_client, kind in (
        (flow.client_fin_frame, flow.client_fin_time, True, "fin"),
        (flow.server_fin_frame, flow.server_fin_time, False, "fin"),
        (flow.client_rst_frame, flow.client_rst_time, True, "rst"),
        (flow.server_rst_frame, flow.server_rst_time, False, "rst"),
    ):
        if frame and (best is None or (time, frame) < (best.time, best.frame)):
            best = CloseEvent(frame, time, from_client, "fin" if kind == "fin" else "rst")
    return best


def last_word(handshake: Handshake, before: int) -> int:
    """When the last byte that was new went over the wire before ``before`` (ns), of either side; else when TCP was connected."""
    flow = handshake.flow
    best = 0
    for segment in handshake.segments:
        if segment.timestamp > before:
            break
        if segment.length and not segment.retransmission and not segment.duplicate:
            best = max(best, segment.timestamp)
    for message in handshake.messages:
        if best < message.timestamp <= before:
            best = message.timestamp
    return best or flow.syn_ack_time or flow.syn_time or flow.first_seen


def silence(handshake: Handshake, end: int) -> int:
    """ns between the last new byte and ``end``."""
    return max(0, end - last_word(handshake, end))


def left_early(handshake: Handshake, close: CloseEvent) -> bool:
    """Whether the client closed before anybody could say that no answer came: it waited for none."""
    return close.from_client and silence(handshake, close.time) < AT_ONCE


def round_seconds(handshake: Handshake, end: int) -> int | None:
    """Whole seconds that people set as timeouts, if ``end`` came that long after the SYN, the ClientHello or the last byte."""
    flow = handshake.flow
    for start in (flow.syn_time, handshake.client_hello_time, last_word(handshake, end), flow.syn_ack_time):
        waited = end - start
        if not start or waited < 0.9 * _SECOND:
            continue
        for seconds in _TIMEOUTS:
            if abs(waited - seconds * _SECOND) <= 30_000_000 + waited // 200:
                return seconds
    return None


def saw_connect(handshake: Handshake) -> bool:
    """Whether the capture shows how TCP was connected, from both sides."""
    flow = handshake.flow
    return flow.syn_frame > 0 and flow.syn_ack_frame > 0 and not flow.one_way


def nothing_from_server(handshake: Handshake) -> bool:
    """Whether the server sent no byte: none was captured, none was lost on the way here, and the client acknowledged none."""
    flow = handshake.flow
    if flow.server_bytes or flow.server_gaps or flow.one_way:
        return False
    sent = read_delivery(handshake.segments, False)
    return sent.unseen == 0 and sent.hole is None and sent.end <= 2


def left_unanswered(handshake: Handshake) -> bool:
    """Whether the server sent no byte after the ClientHello: where TLS was asked for first, none that the client had not had by then."""
    dialogue, flow = handshake.dialogue, handshake.flow
    if dialogue is None or dialogue.state != "agreed" or handshake.client_hello is None:
        return nothing_from_server(handshake)
    if flow.server_gaps or flow.one_way:
        return False
    first = handshake.client_hello_first_frame or handshake.client_hello_frame
    had = max((s.acknowledgment for s in handshake.segments if s.from_client and s.frame == first), default=0)
    sent = read_delivery(handshake.segments, False)
    return sent.unseen == 0 and sent.hole is None and 0 < sent.end <= had + 1


class ResetLook(NamedTuple):
    """What a reset looks like beside the other packets of the side it names."""

    own: bool | None
    """True: it is like them; False: a device sent it; None: there is nothing to compare it with, or it is not quite like them."""
    says: str
    doubtful: bool = False
    """Something strong speaks for a device, and something for the host: who sent it cannot be told."""


def look_at_reset(handshake: Handshake, context: Context, close: CloseEvent) -> ResetLook:
    """Whether the RST that closed the connection is its sender's own."""
    reset = next((r for r in judge_resets(handshake, context) if r.segment.frame == close.frame), None)
    if reset is None:
        return ResetLook(None, "")
    if reset.forged:
        return ResetLook(False, reset.says)
    if reset.doubtful:
        return ResetLook(None, reset.says, doubtful=True)
    others = [s for s in handshake.segments if s.from_client == close.from_client and not s.flags & TcpFlag.RST]
    if not any(s.ttl == reset.segment.ttl for s in others):
        return ResetLook(None, reset.says)
    like = f"TTL {reset.segment.ttl} as in {words.side(close.from_client)}'s other packets, the sequence number that was due"
    spoke = max((s.timestamp for s in handshake.segments if s.from_client and s.length and s.timestamp <= close.time), default=0)
    if spoke and not close.from_client:
        like += f", {words.span_text(close.time - spoke)} after the client spoke"
    trip = round_trip(handshake)
    if trip is not None:
        like += f" (a round trip takes {words.span_text(trip)})"
    return ResetLook(True, like)


def close_text(close: CloseEvent) -> Evidence:
    """'the server closed the connection' with its frame."""
    return Evidence(close.frame, f"{words.side(close.from_client)} {'reset' if close.kind == 'rst' else 'closed'} the connection")


def closed_unread(handshake: Handshake, close: CloseEvent) -> bool:
    """Whether the server closed before it had a byte of the client."""
    return not close.from_client and closed_unheard(handshake, close.frame)
