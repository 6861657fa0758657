"""Whether a handshake is complete for both sides.

Below TLS 1.3 it is with both Finished; in TLS 1.3 the client's Finished is complete for the client only, so the server has to go
on with something that is no refusal.
"""

from __future__ import annotations

from analyzer.diagnosis.closes import LEAVING, PASSING, ends_handshake
from analyzer.diagnosis.losses import has_holes, has_two_clocks
from analyzer.diagnosis.record_lengths import ALERT_LENGTHS, is_alert_sized
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS, is_openssl
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import Alert

__all__ = ["VERDICT_RECORDS", "is_completed", "left_before_the_last"]

_TLS12 = 0x0303

_NOT_TLS13 = frozenset({"encrypted_handshake", "server_key_exchange", "server_hello_done", "client_key_exchange"})
"""Records and messages that TLS 1.3 has not got."""

_SHORTEST_SERVER_HELLO = 42
"""Bytes: header, version, random, empty session id, suite, compression (RFC 5246 section 7.4.1.3)."""

_VERDICT = 500_000_000
"""ns after which a server that asked for no certificate hardly answers the client's Finished any more: it closes for another reason."""

_WAITED = 50_000_000
"""ns after its own Finished in which a side that leaves was busy with what it had got, and did not wait."""

VERDICT_RECORDS = 2
"""Records of a TLS 1.3 server after its Finished that may be a refusal and its goodbye. With more of them it went on."""


def is_completed(handshake: Handshake) -> bool:
    """Whether it completed, as far as the capture shows."""
    stage = handshake.stage
    if stage == Stage.ESTABLISHED and (handshake.server_application_records > VERDICT_RECORDS or not handshake.is_tls13):
        return True
    return (_completed(handshake) and not _rests_on_clocks(handshake)) or _completed_unseen(handshake)


def _completed(handshake: Handshake) -> bool:
    """Whether the handshake is complete for both sides."""
    if Stage.RANK[handshake.stage] < Stage.RANK[Stage.CLIENT_FLIGHT]:
        return False
    client, server = handshake.client_finished_frame, handshake.server_finished_frame
    if not handshake.is_tls13:
        if handshake.stage == Stage.ESTABLISHED:
            return True
        if not client or not server or _refused_late(handshake) or left_before_the_last(handshake):
            return False
        ended = [alert for alert in handshake.alerts if ends_handshake(alert) and alert.description not in LEAVING]
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


def left_before_the_last(handshake: Handshake) -> bool:
    """Whether, below TLS 1.3, the side that waited for the other's Finished closed and had not got it: its numbers say so. Who closes at
    once was not waiting: it may have judged the certificate meanwhile, as programs on BoringSSL do."""
    if handshake.is_tls13 or not (handshake.client_finished_frame and handshake.server_finished_frame):
        return False
    flow = handshake.flow
    finished = {handshake.client_finished_frame: True, handshake.server_finished_frame: False}
    sent = {s.from_client: s for s in handshake.segments if s.length and finished.get(s.frame) == s.from_client}
    if len(sent) < 2:
        return False
    # the last one acknowledges the other
    waits = next((side for side in (True, False) if sent[not side].acknowledgment >= sent[side].sequence + sent[side].length), None)
    if waits is None:
        return False
    closes = (flow.client_fin_frame, flow.client_rst_frame) if waits else (flow.server_fin_frame, flow.server_rst_frame)
    left = next((s for s in handshake.segments if s.frame in closes and s.from_client == waits), None)
    if left is None or not 0 < left.acknowledgment <= sent[not waits].sequence:
        return False
    if left.sequence < sent[waits].sequence + sent[waits].length:
        return False
    # OpenSSL has judged before its own Finished, and its programs look at nothing before the other's
    return left.timestamp - sent[waits].timestamp > _WAITED or (waits and is_openssl(handshake.client_hello))


def _came_before(handshake: Handshake, alerts: list[Alert], frame: int) -> bool:
    """Whether one of the alerts was sent before the last message of a frame: of one side its stream says so, of two the time, in files
    out of order too."""
    places = [(place, message) for place, message in enumerate(handshake.messages) if message.frame == frame]
    time = max((message.timestamp for _, message in places), default=0)
    for alert in alerts:
        own = [place for place, message in places if message.from_client == alert.from_client]
        if own and alert.position > own[-1]:
            continue  # it only overtook it on the way
        if (alert.timestamp, alert.frame) < (time, frame) if time and alert.timestamp else alert.frame < frame:
            return True
    return False


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
        if alert.how != "inferred" and alert.description not in (None, *LEAVING, *PASSING) and alert.frame >= finished:
            return False
    said_goodbye = refused = False
    sent = 0  # ns: when the client's Finished was
    for message in handshake.messages:
        if message.from_client:
            if sent and (message.kind == "alert" or is_alert_sized(message, handshake)):
                if refused:
                    return True  # that was a goodbye: nobody takes leave of who refused
                said_goodbye = said_goodbye or not _is_before(server_close, (message.frame, message.timestamp))
            elif message.frame == finished:  # those before it have higher frames where they are of another capture
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
