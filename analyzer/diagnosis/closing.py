"""Who gave up: the outcome of an attempt, the side that ended it, and the alert that decided."""

from __future__ import annotations

from analyzer.diagnosis.closes import LEAVING, closing_events, evidence_of
from analyzer.diagnosis.completion import VERDICT_RECORDS, is_completed
from analyzer.diagnosis.losses import has_holes, has_two_clocks
from analyzer.diagnosis.record_lengths import ALERT_LENGTHS, is_alert_sized
from analyzer.diagnosis.silence import answers_unseen, missing_side, shows_failure
from analyzer.model.finding import AbortedBy
from analyzer.model.handshake import Handshake, Stage

__all__ = ["PATIENCE", "left_at_once", "settle", "settle_silence", "settled_by"]

PATIENCE = 10_000_000_000
"""ns of silence, with the capture still running, after which an attempt counts as failed, not unfinished."""

_AFTER_HELLO = frozenset({"application_data", "encrypted_handshake"})
"""Records of a server that has agreed."""

_TCP_ONLY = frozenset({Stage.SYN, Stage.REFUSED, Stage.CONNECTED})


def settle(handshake: Handshake) -> None:
    """Fill outcome, aborted_by, closing_alert and closing_evidence. Cheap for what completed."""
    stage = handshake.stage
    if is_completed(handshake):
        handshake.outcome, handshake.aborted_by = "completed", "none"
        return
    events = closing_events(handshake)
    handshake.closing_evidence = [evidence_of(event) for event in events]
    handshake.aborted_by = "none"
    if events:
        handshake.closing_alert = next((event.alert for event in events if event.alert is not None), None)
        decisive = handshake.closing_alert
        from_client = decisive.from_client if decisive is not None else events[0].from_client
        handshake.aborted_by = _side(from_client)
    if stage in _TCP_ONLY and not handshake.messages:
        handshake.outcome = "no-handshake"
    elif not events or (not _proves(handshake) and (_lacks_bytes(handshake) or has_two_clocks(handshake))):
        # where the clocks of the two directions disagree nobody can tell whose close, or which message, came first;
        # of one side alone a close shows nothing: it may be the answer to what the other side did, or to what is missing
        handshake.outcome, handshake.aborted_by = "unfinished", "unknown"
    else:
        handshake.outcome = "failed"
        if handshake.flow.client_known_by == "order" and handshake.client_hello is None and handshake.server_hello is None:
            handshake.aborted_by = "unknown"  # it is a guess who is the client


def settled_by(handshake: Handshake) -> int | None:
    """Frame by which it shows that a handshake completed, and every one alike, if the client did not close before it; 0 where it
    completed whatever became of the connection. None where that depends on more, or the client may have left at once."""
    if handshake.outcome != "completed" or handshake.stage != Stage.ESTABLISHED:
        return None
    if handshake.client_application_records <= 1 and handshake.client_application_bytes in (0, *ALERT_LENGTHS):
        return None
    if not handshake.is_tls13 or handshake.server_application_records > VERDICT_RECORDS:
        return 0
    finished = handshake.client_finished_frame
    if any(alert.how != "inferred" for alert in handshake.alerts) or handshake.early_data_bytes or not finished:
        return None
    sent = False
    for message in handshake.messages:  # as ``_went_on`` goes through them
        if message.from_client:
            sent = sent or (message.frame >= finished and not is_alert_sized(message, handshake))
        elif sent and message.kind != "change_cipher_spec":
            return None if is_alert_sized(message, handshake) or message.kind == "alert" else message.frame
    return None


def left_at_once(handshake: Handshake) -> bool:
    """Whether the client of a completed handshake closed and had sent no data: a quick look, for the few worth a closer one."""
    flow = handshake.flow
    return handshake.client_application_records <= 1 and (flow.client_fin_frame > 0 or flow.client_rst_frame > 0) and (
        handshake.client_application_bytes == 0 or handshake.client_application_bytes in ALERT_LENGTHS
    )  # fmt: skip


def settle_silence(handshake: Handshake, capture_end: int, patience: int = PATIENCE) -> None:
    """Call an attempt failed that nobody closed, once it was silent for long enough while the capture went on, or is stuck."""
    if handshake.outcome == "unfinished" and shows_failure(handshake, capture_end, patience):
        handshake.outcome, handshake.aborted_by = "failed", "unknown"


def _proves(handshake: Handshake) -> bool:
    """Whether a fatal alert was read, not inferred: it proves itself, where it is not about something that the capture lacks."""
    alert = handshake.closing_alert
    plain = alert is not None and alert.description not in (None, *LEAVING) and alert.how != "inferred"
    return plain and not answers_unseen(handshake)


def _lacks_bytes(handshake: Handshake) -> bool:
    """Whether what one side said is missing, in part or whole: a direction, bytes on the way, or the beginning."""
    if missing_side(handshake) is not None or has_holes(handshake):
        return True
    answer = handshake.server_hello or handshake.hello_retry
    if answer is not None and handshake.client_hello is None:
        return True  # it answers a hello that the capture does not hold
    if answer is None and any(m.kind in _AFTER_HELLO and not m.from_client for m in handshake.messages):
        return True  # who sends that has sent a ServerHello before
    flow = handshake.flow
    if flow.truncated and handshake.is_tls13 and handshake.client_finished_frame:
        return True  # whether the server took the Finished shows in records that were cut
    return handshake.stage == Stage.SERVER_NOT_TLS and not flow.syn_frame and not flow.syn_ack_frame  # the rest of a dialogue


def _side(from_client: bool) -> AbortedBy:
    return "client" if from_client else "server"
