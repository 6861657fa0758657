"""What keeps a verdict from being certain: the capture lacks some of what the two sides said.

What was not captured may have been anything. A fatal alert that was read still has its sender and its place; what rests on
something not having been there is no more than likely. A hello that was cut does not show what its client left out, and
the middle of a connection does not show who began it.
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import clocks_disagree, deliveries
from analyzer.diagnosis.silence import missing_side
from analyzer.model.handshake import Handshake

__all__ = ["find_doubt", "is_midstream", "is_proved"]


def find_doubt(handshake: Handshake, context: Context) -> str | None:
    """What the capture lacks that a certain verdict would need, in a few words; None where it lacks nothing of the kind."""
    if handshake.client_hello_incomplete:
        return "the ClientHello was captured in part"
    if is_midstream(handshake):
        return "the capture starts in the middle of the connection"
    if clocks_disagree(handshake.segments):
        return "the two directions were recorded with clocks that do not agree"  # an alert may answer a close that seems to come later
    if is_proved(handshake):
        return None
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
    return alert is not None and alert.description not in (None, 0, 90) and alert.how != "inferred"  # goodbyes prove nothing
