"""What keeps a verdict from being certain: the capture lacks some of what the two sides said.

What was not captured may have been anything. A fatal alert that was read still has its sender and its place; what rests on
something not having been there is no more than likely. A hello that was cut does not show what its client left out, and
the middle of a connection does not show who began it. Nor is an alert the server's that came from another distance than it.
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries, has_two_clocks
from analyzer.diagnosis.silence import answers_unseen, missing_side
from analyzer.model.handshake import Handshake

__all__ = ["find_doubt", "is_midstream", "is_proved"]


_HOPS = 1
"""By how much a TTL may differ for another path of the same packets."""


def find_doubt(handshake: Handshake, context: Context) -> str | None:
    """What the capture lacks that a certain verdict would need, in a few words; None where it lacks nothing of the kind."""
    if handshake.client_hello_incomplete:
        return "the ClientHello was captured in part"
    if is_midstream(handshake):
        return "the capture starts in the middle of the connection"
    if has_two_clocks(handshake):
        return "the two directions were recorded with clocks that do not agree"  # an alert may answer a close that seems to come later
    if is_proved(handshake):
        return (
            "the alert came with another TTL than the server's SYN-ACK: a device may have sent it" if _from_elsewhere(handshake) else None
        )
    flow = handshake.flow
    if missing_side(handshake) is not None:
        return "only one direction was captured"
    if flow.truncated:
        return "packets were captured in part"
    if flow.client_gaps or flow.server_gaps:
        return "packets are missing from the capture"
    if handshake.segments and any(delivery.unseen for delivery in deliveries(handshake, context)):
        return "packets are missing from the capture"
    return None


def is_midstream(handshake: Handshake) -> bool:
    """Whether neither the connection's beginning nor the handshake's was captured."""
    flow = handshake.flow
    return not flow.syn_frame and not flow.syn_ack_frame and handshake.client_hello is None


def is_proved(handshake: Handshake) -> bool:
    """A fatal alert was read: what ended it is known, whatever is missing."""
    alert = handshake.closing_alert
    plain = alert is not None and alert.description not in (None, 0, 90) and alert.how != "inferred"  # goodbyes prove nothing
    return plain and not answers_unseen(handshake)


def _from_elsewhere(handshake: Handshake) -> bool:
    """Whether the segment with the server's alert came over another number of hops than its SYN-ACK, and the rest of what it sent not.

    In answer to a ClientHello, that is, where a device that reads names would speak in its place.
    """
    alert, usual = handshake.closing_alert, handshake.flow.server_ttl
    if alert is None or alert.from_client or handshake.server_hello is not None or not usual or not handshake.flow.syn_ack_frame:
        return False
    if handshake.is_of_one_distance:
        return False
    ours = [segment for segment in handshake.segments if not segment.from_client and segment.ttl and not segment.duplicate]
    at_alert = {segment.ttl for segment in ours if segment.frame == alert.frame}
    others = {segment.ttl for segment in ours if segment.frame != alert.frame and segment.length}
    return bool(at_alert) and all(abs(ttl - usual) > _HOPS for ttl in at_alert) and not at_alert & others
