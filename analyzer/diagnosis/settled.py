"""Whether a handshake shows that all those alike completed, so that none of them has to be looked at."""

from __future__ import annotations

from analyzer.diagnosis import departures
from analyzer.diagnosis.closing import said_nothing
from analyzer.diagnosis.completion import VERDICT_RECORDS
from analyzer.diagnosis.record_lengths import is_alert_sized
from analyzer.model.handshake import Handshake, Stage

__all__ = ["settled_by"]


def settled_by(handshake: Handshake, *, with_notes: bool) -> int | None:
    """Frame by which it shows that a handshake completed, and every one alike, if the client did not close before it; 0 where it
    completed whatever became of the connection. None where that depends on more, or its client may have left because it
    refused after all. ``with_notes``: it will also be told how a client left that sent no data, and that is told by its segments."""
    if handshake.outcome != "completed" or handshake.stage != Stage.ESTABLISHED:
        return None  # before data went on, segments tell who left first
    if said_nothing(handshake) and (with_notes or departures.may_refuse(handshake)):
        return None
    if not handshake.is_tls13 or handshake.server_application_records > VERDICT_RECORDS:
        return 0
    finished = handshake.client_finished_frame
    if any(alert.how != "inferred" for alert in handshake.alerts) or handshake.early_data_bytes or not finished:
        return None
    sent = False
    for message in handshake.messages:  # as ``_went_on`` goes through them
        if message.from_client:
            sent = sent or (message.frame == finished and not is_alert_sized(message, handshake))
        elif sent and message.kind != "change_cipher_spec":
            return None if is_alert_sized(message, handshake) or message.kind == "alert" else message.frame
    return None
