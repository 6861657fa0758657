"""Evidence that many rules give, written once."""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake, Message

__all__ = [
    "alert_evidence",
    "close_evidence",
    "first_message",
    "hello_evidence",
    "last_frame_of",
    "message_evidence",
    "messages_after",
    "next_message",
    "quiet_before_close",
    "round_trip",
]


def alert_evidence(handshake: Handshake) -> list[Evidence]:
    """The closing alert, or nothing when there is none."""
    alert = handshake.closing_alert
    if alert is None:
        return []
    how = {"inferred": ", told from the record's length and place", "decrypted": ", decrypted with the key log"}
    who = words.side(alert.from_client)
    return [Evidence(alert.frame, f"{who} sent {words.alert_text(alert)}{how.get(alert.how, '')}")]


def close_evidence(handshake: Handshake) -> list[Evidence]:
    """How it ended: the alert, FIN and RST that decided, as the closing events tell."""
    return list(handshake.closing_evidence)


def hello_evidence(handshake: Handshake, says: str) -> Evidence:
    """Something that the ClientHello shows."""
    return Evidence(handshake.client_hello_frame or None, says)


def first_message(handshake: Handshake, kind: str, from_client: bool | None = None) -> Message | None:
    """First message of a kind, of one side when asked."""
    for message in handshake.messages:
        if message.kind == kind and (from_client is None or message.from_client == from_client):
            return message
    return None


def message_evidence(handshake: Handshake, kind: str, from_client: bool, says: str) -> Evidence:
    """Something that the first message of a kind shows; without the message no frame."""
    message = first_message(handshake, kind, from_client)
    return Evidence(message.frame if message else None, says)


def messages_after(handshake: Handshake, position: int, from_client: bool) -> list[Message]:
    """Messages of one side after a position of ``handshake.messages``."""
    return [message for message in handshake.messages[position + 1 :] if message.from_client == from_client]


def next_message(handshake: Handshake, position: int) -> Message | None:
    """The message after a position, of either side."""
    return handshake.messages[position + 1] if position + 1 < len(handshake.messages) else None


def last_frame_of(handshake: Handshake, from_client: bool) -> int | None:
    """Frame of the last message of a side."""
    for message in reversed(handshake.messages):
        if message.from_client == from_client:
            return message.frame
    return None


def quiet_before_close(handshake: Handshake) -> int:
    """ns between the last TLS message and the first FIN, RST or end of the connection: what comes after it breaks no silence."""
    flow = handshake.flow
    if not handshake.messages:
        return 0
    ends = [time for time in (flow.client_fin_time, flow.server_fin_time, flow.client_rst_time, flow.server_rst_time) if time]
    end = min(ends, default=flow.last_seen)
    return max(0, end - max((m.timestamp for m in handshake.messages if m.timestamp <= end), default=end))


def round_trip(handshake: Handshake) -> int | None:
    """SYN to SYN-ACK in ns as the capture point sees it; None where either is missing or was sent twice."""
    flow = handshake.flow
    if not flow.syn_frame or not flow.syn_ack_frame or flow.syns > 1 or flow.syn_ack_time < flow.syn_time:
        return None
    return flow.syn_ack_time - flow.syn_time
