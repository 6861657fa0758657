"""Who gave up: the outcome of an attempt, the side that ended it, and the alert that decided.

The first *causal* closing event wins. An alert that its sender sent after it had seen the other
side's FIN or RST is a reaction, not a reason (some stacks answer a plain close with a fatal
alert), and is passed over; a repeated alert counts once. A TLS 1.2 handshake is complete with both
Finished; in TLS 1.3 the client's Finished is complete for the client only, so the server has to go
on with something that is no refusal.
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.diagnosis.losses import has_two_clocks, read_delivery
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS
from analyzer.diagnosis.silence import answers_unseen, missing_side, shows_failure
from analyzer.model.finding import AbortedBy, Evidence
from analyzer.model.handshake import Handshake, Message, Stage
from analyzer.model.hello import Alert

__all__ = [
    "ALERT_LENGTHS",
    "PATIENCE",
    "closing_events",
    "has_holes",
    "is_alert_sized",
    "left_at_once",
    "settle",
    "settle_silence",
    "settled_by",
]

PATIENCE = 10_000_000_000
"""ns of silence, with the capture still running, after which an attempt counts as failed, not unfinished."""

ALERT_LENGTHS = frozenset({19, 11, 35})
"""Record lengths of an alert in TLS 1.3: 2 + 1 bytes and a tag of 16 or (CCM_8) 8; 35 with the padding of Java."""

_PADDED = 35
_FINISHED_256, _FINISHED_384 = 53, 69
"""Record lengths of a Finished, by the hash of the suite."""
_PADDING = 16
_WITH_CERTIFICATE = 300
"""Bytes of a record that holds a certificate, at least."""
_SHA384 = 0x1302

_LEAVING = frozenset({0, 90})
"""close_notify and user_canceled: a way to leave in the middle of a handshake, the usual end after it."""

_PASSING = frozenset({100, 112})
"""no_renegotiation and unrecognized_name end nothing as warnings."""

_NO_CERTIFICATE = 41
"""How a client of SSL 3.0 says that it has none to send (RFC 6101 section 5.4.2)."""

_GOES_ON = frozenset({"certificate", "client_key_exchange", "server_hello", "server_key_exchange", "server_hello_done"})
"""Messages of TLS below 1.3 that nobody sends who has given up."""

_TLS12 = 0x0303
_NOT_TLS13 = frozenset({"encrypted_handshake", "server_key_exchange", "server_hello_done", "client_key_exchange"})
"""Records and messages that TLS 1.3 has not got."""
_AFTER_HELLO = frozenset({"application_data", "encrypted_handshake"})
"""Records of a server that has agreed."""
_SHORTEST_SERVER_HELLO = 42
"""Bytes: header, version, random, empty session id, suite, compression (RFC 5246 section 7.4.1.3)."""

_VERDICT = 500_000_000
"""ns after which a server that asked for no certificate hardly answers the client's Finished any more: it closes for another reason."""

_VERDICT_RECORDS = 2
"""Records of a TLS 1.3 server after its Finished that may be a refusal and its goodbye. With more of them it went on."""

_TCP_ONLY = frozenset({Stage.SYN, Stage.REFUSED, Stage.CONNECTED})


class Close(NamedTuple):
    """One closing event, in the order of the capture."""

    frame: int
    order: int
    timestamp: int
    from_client: bool
    kind: str
    """'alert', 'fin' or 'rst'."""
    alert: Alert | None = None


def is_alert_sized(message: Message, handshake: Handshake | None = None) -> bool:
    """Whether an encrypted TLS 1.3 record, not opened, has the length of an alert: of a padded one, where its sender may pad."""
    if not message.encrypted or message.length not in ALERT_LENGTHS or message.kind not in ("application_data", "alert"):
        return False
    if message.decrypted and message.kind == "application_data":
        return False
    return message.length != _PADDED or handshake is None or _may_pad(handshake, message.from_client)


def _may_pad(handshake: Handshake, from_client: bool) -> bool:
    """Whether one side may pad its records as Java does, whose Finished has a record of its own, 16 bytes longer than it need be.

    The shortest request there is ("GET / HTTP/1.0") is as long as a padded alert.
    """
    answer = handshake.server_hello
    bare = _FINISHED_384 if answer is not None and answer.cipher_suite == _SHA384 else _FINISHED_256
    sent = {m.length for m in handshake.messages if m.from_client == from_client and m.encrypted and m.kind == "application_data"}
    if bare + _PADDING in sent or bare in sent:
        return bare + _PADDING in sent
    if handshake.flow.client_gaps if from_client else handshake.flow.server_gaps:
        return True  # its Finished may be among what is missing
    return max(sent, default=0) < _WITH_CERTIFICATE  # else its flight was one record


def settle(handshake: Handshake) -> None:
    """Fill outcome, aborted_by, closing_alert and closing_evidence. Cheap for what completed."""
    stage = handshake.stage
    if stage == Stage.ESTABLISHED and (handshake.server_application_records > _VERDICT_RECORDS or not handshake.is_tls13):
        handshake.outcome, handshake.aborted_by = "completed", "none"
        return
    if (_completed(handshake) and not _rests_on_clocks(handshake)) or _completed_unseen(handshake):
        handshake.outcome, handshake.aborted_by = "completed", "none"
        return
    events = closing_events(handshake)
    handshake.closing_evidence = [_evidence(event) for event in events]
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
    if not handshake.is_tls13 or handshake.server_application_records > _VERDICT_RECORDS:
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


def closing_events(handshake: Handshake) -> list[Close]:
    """Closing events that are causes and not reactions, first one first."""
    flow = handshake.flow
    events: list[Close] = []
    seen: set[tuple[bool, int | None, int]] = set()
    for alert in handshake.alerts:
        if alert.from_client and alert.description is None and handshake.is_tls13 and handshake.client_finished_frame:
            continue  # after its own Finished a client only says goodbye
        key = (alert.from_client, alert.description, alert.position)
        if _ends(alert) and key not in seen and not _was_passed(handshake, alert):
            seen.add(key)
            events.append(Close(alert.frame, 0, alert.timestamp, alert.from_client, "alert", alert))
    for from_client, kind, frame, time in (
        (True, "fin", flow.client_fin_frame, flow.client_fin_time),
        (False, "fin", flow.server_fin_frame, flow.server_fin_time),
        (True, "rst", flow.client_rst_frame, flow.client_rst_time),
        (False, "rst", flow.server_rst_frame, flow.server_rst_time),
    ):
        if frame:
            events.append(Close(frame, 1, time, from_client, kind))
    timed = all(event.timestamp for event in events)
    events.sort(key=lambda event: (event.timestamp if timed else 0, event.frame, event.order))
    _put_alerts_in_order(events)
    if len({event.from_client for event in events}) > 1 and not handshake.is_whole:
        _put_answers_after(handshake, events)
    return [event for event in events if not _is_reaction(handshake, event, events)]


def _put_alerts_in_order(events: list[Close]) -> None:
    """Alerts of one side in the order of its stream: one may have overtaken another on the way."""
    for side in (True, False):
        places = [at for at, event in enumerate(events) if event.alert is not None and event.from_client == side]
        if len(places) > 1:
            alerts = sorted((events[at] for at in places), key=lambda event: event.alert.position if event.alert is not None else 0)
            for at, event in zip(places, alerts, strict=True):
                events[at] = event


def _put_answers_after(handshake: Handshake, events: list[Close]) -> None:
    """What acknowledges an alert or a FIN came after it, whatever the times say: clocks disagree, numbers do not."""
    frames = {(event.frame, event.from_client) for event in events}
    seen = {(s.frame, s.from_client): s for s in handshake.segments if (s.frame, s.from_client) in frames}
    for at in range(1, len(events)):
        event = events[at]
        told = seen.get((event.frame, event.from_client))
        if event.kind == "rst" or told is None:
            continue
        end = told.sequence + told.length + (event.kind == "fin")
        for place in range(at):
            other = events[place]
            answer = seen.get((other.frame, other.from_client))
            if answer is not None and other.from_client != event.from_client and answer.acknowledgment >= end:
                events.insert(place, events.pop(at))
                break


def _is_reaction(handshake: Handshake, event: Close, events: list[Close]) -> bool:
    """Whether its sender had seen the other side close, or fail, before it."""
    for earlier in events:
        if earlier is event:
            return False
        if earlier.from_client == event.from_client:
            continue
        if event.kind != "alert":
            return True
        if earlier.kind == "alert":
            return True
        if earlier.kind == "fin" and handshake.client_certificate_requested and handshake.is_tls13 and not event.from_client:
            continue  # the verdict on the certificate, not an answer to the goodbye
        if earlier.kind == "rst" or _acknowledges_fin(handshake, event, earlier):
            return True
    return False


def _acknowledges_fin(handshake: Handshake, event: Close, fin: Close) -> bool:
    """Whether the segment of an event acknowledges the other side's FIN; without segments the order decides."""
    fin_end = sent_ack = None
    for segment in handshake.segments:
        if segment.frame == fin.frame:
            fin_end = segment.sequence + segment.length + 1
        if segment.frame == event.frame and segment.from_client == event.from_client:
            sent_ack = segment.acknowledgment
    return fin_end is None or sent_ack is None or sent_ack >= fin_end


def _ends(alert: Alert) -> bool:
    """Whether an alert in the middle of a handshake ends it."""
    if alert.description is None:
        return True  # an encrypted alert before the handshake was complete
    if alert.level != 1:
        return True
    return alert.description not in _PASSING and not (alert.description == _NO_CERTIFICATE and alert.from_client)


def _was_passed(handshake: Handshake, alert: Alert) -> bool:
    """Whether its sender went on with the handshake after a warning, which is what warnings are for (RFC 5246 section 7.2.2)."""
    if alert.level != 1 or alert.encrypted or alert.description in _LEAVING or handshake.is_tls13:
        return False
    later = handshake.messages[alert.position + 1 :]
    return any(m.from_client == alert.from_client and m.kind in _GOES_ON for m in later)


def _proves(handshake: Handshake) -> bool:
    """Whether a fatal alert was read, not inferred: it proves itself, where it is not about something that the capture lacks."""
    alert = handshake.closing_alert
    plain = alert is not None and alert.description not in (None, *_LEAVING) and alert.how != "inferred"
    return plain and not answers_unseen(handshake)


def has_holes(handshake: Handshake) -> bool:
    """Whether the capture lacks bytes that one side sent: a Finished or an alert may have been among them.

    Bytes that nobody acknowledged were lost on their way, and are not the capture's fault.
    """
    if handshake.is_whole:
        return False
    segments = handshake.segments
    if not segments:
        return handshake.flow.client_gaps > 0 or handshake.flow.server_gaps > 0
    return any(read_delivery(segments, side).unseen for side in (True, False))


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


def _completed(handshake: Handshake) -> bool:
    """Whether the handshake is complete for both sides."""
    if Stage.RANK[handshake.stage] < Stage.RANK[Stage.CLIENT_FLIGHT]:
        return False
    client, server = handshake.client_finished_frame, handshake.server_finished_frame
    if not handshake.is_tls13:
        if handshake.stage == Stage.ESTABLISHED:
            return True
        if not client or not server or _refused_late(handshake):
            return False
        ended = [alert for alert in handshake.alerts if _ends(alert) and alert.description not in _LEAVING]
        return not ended or not _came_before(handshake, ended, max(client, server))
    if not client:
        return handshake.stage == Stage.ESTABLISHED or _conversed(handshake)
    return _went_on(handshake)


def _rests_on_clocks(handshake: Handshake) -> bool:
    """Whether it is only told complete by what came first, in TLS 1.3, and the clocks of the two directions do not agree."""
    return handshake.is_tls13 and handshake.stage != Stage.ESTABLISHED and has_two_clocks(handshake)


def _refused_late(handshake: Handshake) -> bool:
    """Whether, below TLS 1.3, one side refused the other's certificate after both Finished: Firefox verifies while it goes on."""
    return any(
        alert.how != "inferred"
        and alert.description in CERTIFICATE_ALERTS
        and not (handshake.client_application_records if alert.from_client else handshake.server_application_records)
        for alert in handshake.alerts
    )


def _completed_unseen(handshake: Handshake) -> bool:
    """Whether it is complete though the capture lacks, or holds out of order, what would show it."""
    flow = handshake.flow
    if handshake.server_hello is None:
        return False
    lacking = flow.truncated or flow.client_gaps or flow.server_gaps or _is_disordered(handshake)
    return bool(lacking) and _data_both_ways(handshake)


def _came_before(handshake: Handshake, alerts: list[Alert], frame: int) -> bool:
    """Whether one of the alerts was sent before the last message of a frame: by time, in files out of order too."""
    time = max((message.timestamp for message in handshake.messages if message.frame == frame), default=0)
    return any((alert.timestamp, alert.frame) < (time, frame) if time and alert.timestamp else alert.frame < frame for alert in alerts)


def _conversed(handshake: Handshake) -> bool:
    """TLS 1.3 whose records are padded, so that no Finished can be told: data of the server after several records of the client."""
    if not handshake.is_tls13 or handshake.client_certificate_sent is False:
        return False
    records = 0
    for message in handshake.messages:
        if message.kind != "application_data" or is_alert_sized(message, handshake):
            continue
        if message.from_client:
            records += 1
        elif records > 1:
            return True
    return False


def _is_disordered(handshake: Handshake) -> bool:
    """Whether the capture holds the messages in another order than their times say (merged without sorting)."""
    latest = 0
    for message in handshake.messages:
        if message.timestamp < latest:
            return True
        latest = message.timestamp
    return False


def _data_both_ways(handshake: Handshake) -> bool:
    """Whether data went both ways, which proves a handshake whose Finished the capture lacks or holds out of order.

    In TLS 1.3, or when the ServerHello was cut before it said, the client's first record may be its Finished: the
    server's answer to it and a second record of the client are asked for.
    """
    hello, answer = handshake.client_hello, handshake.server_hello
    cut = answer is not None and (answer.length < _SHORTEST_SERVER_HELLO or not answer.selected_version)
    offers = hello is None or handshake.client_hello_incomplete > 0 or hello.max_version > _TLS12
    maybe_tls13 = handshake.is_tls13 or (cut and offers and not any(message.kind in _NOT_TLS13 for message in handshake.messages))
    client = server = 0
    for message in sorted(handshake.messages, key=lambda message: message.timestamp):
        if message.kind != "application_data" or (maybe_tls13 and message.length in ALERT_LENGTHS):
            continue
        if message.from_client:
            # opened with the keys of application data it is no Finished
            known = message.decrypted and 0 < handshake.server_finished_frame < message.frame
            client += 2 if known else 1
        elif client or not maybe_tls13:
            server += 1
    return server > 0 and client > maybe_tls13


def _went_on(handshake: Handshake) -> bool:
    """TLS 1.3, after the client's Finished: whether the server took it.

    A client that closes in good order first, or a server that sends anything longer than an alert,
    settles it. A server that sends nothing but an alert's length at once refused, unless the client takes leave in answer;
    one that asked for a certificate did so even when the client had said goodbye already, for a server content with it sends
    tickets. Who asked for none has nothing to refuse but a Finished that does not verify, and says so: one that has it and
    closes without a word has no tickets, and nothing to say. Where the capture lacks bytes nobody knows whether one was asked for, and
    what else the server said: then only what it sent settles it.
    """
    flow = handshake.flow
    finished = handshake.client_finished_frame
    asked = handshake.client_certificate_requested
    if handshake.early_data_bytes and not asked and _answered_early(handshake):
        return True
    server_close = _first((flow.server_fin_frame, flow.server_fin_time), (flow.server_rst_frame, flow.server_rst_time))
    client_close = _first((flow.client_fin_frame, flow.client_fin_time), (flow.client_rst_frame, flow.client_rst_time))
    for alert in handshake.alerts:
        other_closed = server_close if alert.from_client else client_close
        if _is_before(other_closed, (alert.frame, alert.timestamp)) and (alert.from_client or not asked or _gave_ticket(handshake, alert)):
            continue  # it complains of the close
        if alert.how != "inferred" and alert.description not in (None, *_LEAVING, *_PASSING) and alert.frame >= finished:
            return False
    said_goodbye = refused = False
    sent = 0  # ns: when the client's Finished was
    for message in handshake.messages:
        if message.from_client:
            if sent and (message.kind == "alert" or is_alert_sized(message, handshake)):
                if refused:
                    return True  # that was a goodbye: nobody takes leave of who refused
                said_goodbye = said_goodbye or not _is_before(server_close, (message.frame, message.timestamp))
            elif message.frame >= finished:
                sent = sent or message.timestamp or 1
            continue
        if not sent or message.kind == "change_cipher_spec":
            continue
        late = message.timestamp - sent > _VERDICT
        if _is_before(client_close, (message.frame, message.timestamp)) and (late or not asked):
            break  # it answers the close
        if not is_alert_sized(message, handshake) and message.kind != "alert":
            return True
        if asked:
            return False
        refused = refused or not (said_goodbye or late)
    if refused:
        return False
    if flow.truncated or has_holes(handshake):
        return False
    if said_goodbye or (client_close[0] and (not server_close[0] or _is_before(client_close, server_close))):
        return True
    if server_close[0]:
        return not asked and server_close[0] == flow.server_fin_frame and _has_finished(handshake)
    return handshake.stage == Stage.ESTABLISHED


def _first(*closes: tuple[int, int]) -> tuple[int, int]:
    """The first of these (frame, time); frame 0 where there is none."""
    return min((close for close in closes if close[0]), key=lambda close: (close[1], close[0]), default=(0, 0))


def _is_before(close: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether a close (frame, time) was, and came before something else: by time, in files out of order too."""
    if not close[0]:
        return False
    return (close[1], close[0]) < (other[1], other[0]) if close[1] and other[1] else close[0] < other[0]


def _gave_ticket(handshake: Handshake, alert: Alert) -> bool:
    """Whether the server was content with the client before the alert: it sent a ticket."""
    return any(m.kind == "new_session_ticket" and not m.from_client and m.frame < alert.frame for m in handshake.messages)


def _has_finished(handshake: Handshake) -> bool:
    """Whether the server closed (FIN: it had read all it got) with the client's Finished among what it acknowledged."""
    finished, closed = handshake.client_finished_frame, handshake.flow.server_fin_frame
    if closed < finished:
        return False
    end = max((s.sequence + s.length for s in handshake.segments if s.frame == finished), default=0)
    return all(
        s.acknowledgment >= end for s in handshake.segments if s.frame == closed
    )  # the order decides where it was one too many to keep


def _answered_early(handshake: Handshake) -> bool:
    """Whether the server answered 0-RTT data before the client's Finished: it has nothing left to refuse."""
    after, before = handshake.server_finished_frame, handshake.client_finished_frame
    return any(
        message.kind == "application_data"
        and not message.from_client
        and after < message.frame < before
        and not is_alert_sized(message, handshake)
        for message in handshake.messages
    )


def _evidence(event: Close) -> Evidence:
    who = words.side(event.from_client)
    if event.alert is not None:
        how = ", told from the record's length and place" if event.alert.how == "inferred" else ""
        return Evidence(event.frame, f"{who} sent {words.alert_text(event.alert)}{how}")
    return Evidence(event.frame, f"{who} {'reset' if event.kind == 'rst' else 'closed'} the connection")


def _side(from_client: bool) -> AbortedBy:
    return "client" if from_client else "server"
