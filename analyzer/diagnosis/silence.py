"""Silence: whether it shows a failure, or only that the capture stops showing the connection.

Nobody closed. TCP repeats what is not acknowledged, for minutes; so a side whose last bytes were never acknowledged
and never repeated, while the capture goes on, did not fail: its later packets are not in the file.
"""

from __future__ import annotations

from analyzer.diagnosis.losses import Delivery, read_delivery
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import TcpFlag

__all__ = ["CAUTION", "answers_unseen", "first_of", "missing_side", "shows_failure", "stuck"]

CAUTION = 3_000_000_000
"""ns during which something is tried in vain before it counts as stuck, even at the end of a capture."""

_STUBBORN = 600_000_000
"""ns that three repetitions take at the least (Linux: a probe, then after 0.2 and 0.6 s); chance does not take four copies."""

_COMPLAINTS = frozenset({10, 22, 50, 80})
"""Alerts about what the other side sent, or about its going: unexpected_message, record_overflow, decode_error, internal_error."""
_PROTOCOL_VERSION = 70
"""Of a client the answer to what is no TLS, for some; of a server one to the hello's version."""


def stuck(delivery: Delivery) -> bool:
    """Something was sent three times within ``CAUTION`` or more, or four times, and never acknowledged."""
    return (delivery.repeats >= 2 and delivery.span >= CAUTION) or (delivery.repeats >= 3 and delivery.span >= _STUBBORN)


def shows_failure(handshake: Handshake, capture_end: int, patience: int) -> bool:
    """Whether an attempt that nobody closed has failed: stuck, or silent for ``patience`` ns with nothing left to repeat."""
    if missing_side(handshake) is not None:
        return False
    segments = handshake.segments
    if handshake.stage == Stage.FINISHED:
        sent = read_delivery(segments, True)
        return stuck(sent) and sent.tries[0].frame <= handshake.client_finished_frame  # its Finished never arrived
    quiet = capture_end - handshake.flow.last_seen
    if not segments:
        return quiet >= patience
    both = (read_delivery(segments, True), read_delivery(segments, False))
    if any(stuck(delivery) for delivery in both):
        return True
    if any(delivery.unseen for delivery in both):
        return False
    if quiet < patience:
        return False
    if handshake.stage == Stage.SERVER_HELLO and not both[1].outstanding and not both[1].vanished:
        return False  # the client has it all, and clients answer at once or close: its next packets are not in the file
    return not any(delivery.outstanding and not delivery.repeats for delivery in both)


def missing_side(handshake: Handshake) -> bool | None:
    """Side of which nothing was captured though it did send: True the client, False the server, None neither.

    The acknowledgments of the side that was captured prove it: nobody acknowledges what was never sent.
    """
    flow = handshake.flow
    if not flow.one_way:
        return None
    if flow.client_frames:
        # after a SYN the client has an acknowledgment to send only once the server has answered
        answered = flow.client_bytes or flow.client_fin_frame or _acknowledges(handshake, True)
        if flow.retransmissions > 1 and (flow.client_fin_frame or flow.client_rst_frame) and _repeats_in_vain(handshake):
            return None  # captured or not, nothing of the server arrived: the client says the same again, and gives up
        return False if answered else None
    if not flow.server_frames:
        return None
    answered = flow.syn_ack_frame or flow.server_bytes or flow.server_fin_frame or _acknowledges(handshake, False)
    return True if answered else None


def answers_unseen(handshake: Handshake) -> bool:
    """Whether the closing alert complains of what the other side sent, and the capture lacks just that: it may have been no fault of a
    handshake but a close (OpenSSL answers one with decode_error, GnuTLS with unexpected_message), and so an effect of the end."""
    alert = handshake.closing_alert
    if alert is None or handshake.is_whole:
        return False
    if alert.description not in _COMPLAINTS and not (alert.from_client and alert.description == _PROTOCOL_VERSION):
        return False
    if missing_side(handshake) is not None:
        return True
    segments, flow = handshake.segments, handshake.flow
    if not segments:
        return False
    if not flow.syn_frame and not flow.syn_ack_frame:
        # the capture begins in the middle: with what the alert complains of, or after it
        if not any(s.length and s.from_client != alert.from_client and s.frame < alert.frame for s in segments):
            return True
    return read_delivery(segments, not alert.from_client).unseen > 0


def _repeats_in_vain(handshake: Handshake) -> bool:
    """The client's first data was repeated, and its acknowledgments never went beyond the SYN-ACK."""
    sent = read_delivery(handshake.segments, True)
    return sent.repeats > 1 and all(s.acknowledgment <= 1 for s in handshake.segments if s.from_client)


def _acknowledges(handshake: Handshake, from_client: bool) -> bool:
    return any(
        s.from_client == from_client and s.flags & TcpFlag.ACK and not s.flags & TcpFlag.RST and s.acknowledgment >= 1
        for s in handshake.segments
    )


def first_of(handshake: Handshake, from_client: bool) -> int | None:
    """Frame of a side's first segment."""
    return next((s.frame for s in handshake.segments if s.from_client == from_client), None)
