"""What ended an attempt: alerts, FINs and RSTs that are reasons, the first one first.

The first *causal* closing event wins. An alert that its sender sent after it had seen the other
side's FIN or RST is a reaction, not a reason (some stacks answer a plain close with a fatal
alert), and is passed over; a repeated alert counts once.
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert

__all__ = ["LEAVING", "PASSING", "Close", "closing_events", "ends_handshake", "evidence_of"]

LEAVING = frozenset({0, 90})
"""close_notify and user_canceled: a way to leave in the middle of a handshake, the usual end after it."""

PASSING = frozenset({100, 112})
"""no_renegotiation and unrecognized_name end nothing as warnings."""

_NO_CERTIFICATE = 41
"""How a client of SSL 3.0 says that it has none to send (RFC 6101 section 5.4.2)."""

_GOES_ON = frozenset({"certificate", "client_key_exchange", "server_hello", "server_key_exchange", "server_hello_done"})
"""Messages of TLS below 1.3 that nobody sends who has given up."""


class Close(NamedTuple):
    """One closing event, in the order of the capture."""

    frame: int
    order: int
    timestamp: int
    from_client: bool
    kind: str
    """'alert', 'fin' or 'rst'."""
    alert: Alert | None = None


def closing_events(handshake: Handshake) -> list[Close]:
    """Closing events that are causes and not reactions, first one first."""
    flow = handshake.flow
    events: list[Close] = []
    seen: set[tuple[bool, int | None, int]] = set()
    for alert in handshake.alerts:
        if alert.from_client and alert.description is None and handshake.is_tls13 and handshake.client_finished_frame:
            continue  # after its own Finished a client only says goodbye
        key = (alert.from_client, alert.description, alert.position)
        if ends_handshake(alert) and key not in seen and not _was_passed(handshake, alert):
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


def ends_handshake(alert: Alert) -> bool:
    """Whether an alert in the middle of a handshake ends it."""
    if alert.description is None:
        return True  # an encrypted alert before the handshake was complete
    if alert.level != 1:
        return True
    return alert.description not in PASSING and not (alert.description == _NO_CERTIFICATE and alert.from_client)


def evidence_of(event: Close) -> Evidence:
    """The event in words, with its frame."""
    who = words.side(event.from_client)
    if event.alert is not None:
        how = ", told from the record's length and place" if event.alert.how == "inferred" else ""
        return Evidence(event.frame, f"{who} sent {words.alert_text(event.alert)}{how}")
    return Evidence(event.frame, f"{who} {'reset' if event.kind == 'rst' else 'closed'} the connection")


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


def _was_passed(handshake: Handshake, alert: Alert) -> bool:
    """Whether its sender went on with the handshake after a warning, which is what warnings are for (RFC 5246 section 7.2.2)."""
    if alert.level != 1 or alert.encrypted or alert.description in LEAVING or handshake.is_tls13:
        return False
    later = handshake.messages[alert.position + 1 :]
    return any(m.from_client == alert.from_client and m.kind in _GOES_ON for m in later)
