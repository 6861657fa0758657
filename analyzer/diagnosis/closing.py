"""Who gave up: the outcome of an attempt, the side that ended it, and the alert that decided."""

from __future__ import annotations

from analyzer.diagnosis.closes import LEAVING, closing_events, evidence_of
from analyzer.diagnosis.completion import is_completed
from analyzer.diagnosis.losses import has_holes, has_two_clocks
from analyzer.diagnosis.record_lengths import ALERT_LENGTHS
from analyzer.diagnosis.silence import answers_unseen, missing_side, shows_failure
from analyzer.model.finding import AbortedBy
from analyzer.model.handshake import Handshake, Stage

__all__ = ["PATIENCE", "left_at_once", "said_nothing", "settle", "settle_silence"]

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


def left_at_once(handshake: Handshake) -> bool:
    """Whether the client of a completed handshake closed and had sent no data: a quick look, for the few worth a closer one."""
    flow = handshake.flow
    return (flow.client_fin_frame > 0 or flow.client_rst_frame > 0) and said_nothing(handshake)


def said_nothing(handshake: Handshake) -> bool:
    """Whether the client of a completed handshake sent no data, or one record of an alert's length."""
    size = handshake.client_application_bytes
    return handshake.client_application_records <= 1 and (size == 0 or size in ALERT_LENGTHS)


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
