"""Who gave up: the order of closing events, reactions passed over, and when a handshake counts as complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer.diagnosis.closes import closing_events
from analyzer.diagnosis.closing import settle, settle_silence
from analyzer.diagnosis.engine import Diagnosis
from analyzer.diagnosis.evidence import quiet_before_close
from analyzer.model.handshake import Message, Segment, Stage
from analyzer.model.hello import Alert


def _segment(frame, from_client, flags, sequence, acknowledgment, length=0):
    return Segment(frame, frame, from_client, flags, sequence, acknowledgment, length, length, 100, 64, 0, True, 0, 0, False, False)


def _record(handshake, frame, from_client, length, kind="application_data"):
    handshake.messages.append(Message(frame, frame, from_client, kind, length, frame, True))
    if kind == "application_data" and length in (19, 35):
        place = len(handshake.messages) - 1
        handshake.alerts.append(Alert(frame, frame, from_client, None, None, True, "inferred", place, length))


def _tls13(make_handshake, stage=Stage.FINISHED):
    handshake = make_handshake(stage, version=0x0304)
    handshake.server_finished_frame, handshake.client_finished_frame = 7, 9
    _record(handshake, 9, True, 53)
    return handshake


def test_alert_decides_and_the_close_after_it_is_the_same_end(make_handshake):
    handshake = make_handshake(client_alert=45, client_fin_frame=11, server_fin_frame=12)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by, handshake.closing_alert.description) == ("failed", "client", 45)
    assert [item.frame for item in handshake.closing_evidence] == [10, 11]


def test_alert_of_a_server_that_saw_the_client_leave_is_no_cause(make_handshake):
    handshake = make_handshake(Stage.CLIENT_HELLO, client_fin_frame=8, server_alert=50)
    handshake.segments = (_segment(4, True, 24, 1, 1, 300), _segment(8, True, 17, 301, 1), _segment(10, False, 24, 1, 302, 7))
    settle(handshake)
    assert (handshake.aborted_by, handshake.closing_alert) == ("client", None)


def test_alert_that_crossed_the_close_on_the_way_still_speaks(make_handshake):
    handshake = make_handshake(Stage.CLIENT_HELLO, client_fin_frame=8, server_alert=70)
    handshake.segments = (_segment(8, True, 17, 301, 1), _segment(10, False, 24, 1, 301, 7))
    settle(handshake)
    assert (handshake.aborted_by, handshake.closing_alert.description) == ("server", 70)


def test_what_acknowledges_an_alert_came_after_it_whatever_its_time(make_handshake):
    """Two ports of a tap with clocks of their own."""
    handshake = make_handshake(Stage.SERVER_ALERT, client_fin_frame=8, server_alert=70)
    handshake.segments = (
        _segment(4, True, 24, 1, 1, 300), _segment(8, True, 17, 301, 8), _segment(10, False, 24, 1, 301, 7),
    )  # fmt: skip
    settle(handshake)
    assert [item.frame for item in handshake.closing_evidence] == [10]
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")


@pytest.mark.parametrize(("description", "outcome"), [(10, "unfinished"), (50, "unfinished"), (80, "unfinished"), (48, "failed")])
def test_alert_that_may_answer_a_close_needs_both_directions(description, outcome, make_handshake):
    """OpenSSL says decode_error, GnuTLS unexpected_message, when the other side closes in the middle."""
    handshake = make_handshake(Stage.CLIENT_HELLO, client_alert=description, client_fin_frame=11, server_frames=0, client_bytes=307)
    handshake.segments = (
        _segment(1, True, 2, 0, -1), _segment(3, True, 24, 1, 1, 300), _segment(10, True, 24, 301, 2, 7), _segment(11, True, 17, 308, 2),
    )  # fmt: skip
    settle(handshake)
    assert handshake.outcome == outcome
    handshake.segments = (*handshake.segments, _segment(9, False, 17, 1, 301))
    handshake.flow.server_frames, handshake.flow.server_fin_frame = 1, 0
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "client")


def test_order_of_clocks_that_disagree_completes_nothing(make_handshake):
    """In TLS 1.3 a client that closes first had its answer; by clocks of their own, who closed first is not known."""
    handshake = _tls13(make_handshake)
    handshake.flow.client_fin_frame, handshake.flow.server_fin_frame = 10, 12
    sent = [_segment(1, True, 2, 0, -1), _segment(2, False, 18, 0, 1), _segment(3, True, 16, 1, 1), _segment(4, True, 24, 1, 1, 300),
            _segment(6, False, 24, 1, 301, 500), _segment(9, True, 24, 301, 501, 58), _segment(10, True, 17, 359, 501),
            _segment(12, False, 17, 501, 360)]  # fmt: skip
    handshake.segments = tuple(sent)
    settle(handshake)
    assert handshake.outcome == "completed"
    ahead = [s._replace(timestamp=s.timestamp - 5 * s.from_client) for s in sent]
    handshake.segments = tuple(sorted(ahead, key=lambda s: s.timestamp))
    settle(handshake)
    assert handshake.outcome == "unfinished"


@pytest.mark.parametrize(("lacks", "outcome"), [("", "completed"), ("alert", "unfinished"), ("snaplen", "unfinished")])
def test_silence_of_a_server_that_is_not_all_there_completes_nothing(lacks, outcome, make_handshake):
    """The 24 bytes that were not captured may have been an alert, and records that were cut do not tell whether it asked for a
    certificate."""
    handshake = _tls13(make_handshake)
    handshake.flow.client_fin_frame = 10
    end = 525 if lacks == "alert" else 501
    handshake.segments = (
        _segment(4, True, 24, 1, 1, 300), _segment(6, False, 24, 1, 301, 500), _segment(9, True, 24, 301, 501, 58),
        _segment(10, True, 17, 359, end),
    )  # fmt: skip
    handshake.flow.truncated = 2 * (lacks == "snaplen")
    settle(handshake)
    assert handshake.outcome == outcome


@pytest.mark.parametrize(("known_by", "side"), [("port", "client"), ("order", "unknown")])
def test_nobody_is_named_where_it_is_a_guess_who_is_the_client(known_by, side, make_handshake):
    handshake = make_handshake(Stage.CONNECTED, client_known_by=known_by, syn_frame=0, syn_ack_frame=0)
    handshake.alerts = [Alert(10, 10, True, 2, 48, position=0)]
    handshake.messages = [Message(10, 10, True, "alert", 2, 10)]
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", side)


@pytest.mark.parametrize(("before", "closed", "outcome"), [(1, 0, "failed"), (0, 0, "unfinished"), (1, 1, "unfinished")])
def test_complaint_is_about_what_came_before_the_capture_or_was_filtered_out(before, closed, outcome, make_handshake):
    """A filter on payload passes the alert, and not the FIN that it answers and acknowledges."""
    handshake = make_handshake(Stage.CLIENT_HELLO, client_alert=50, syn_frame=0, syn_ack_frame=0)
    handshake.segments = (_segment(4, True, 24, 1, 1, 300), _segment(9, False, 24, 1, 301, 90), _segment(10, True, 24, 301, 91 + closed, 7))
    if not before:
        handshake.segments = handshake.segments[2:]
    settle(handshake)
    assert handshake.outcome == outcome


def test_server_that_went_on_has_said_hello_before(make_handshake):
    """Its ServerHello is not where it belongs: lost, or read before the ClientHello where clocks disagree."""
    handshake = make_handshake(Stage.CLIENT_HELLO, server_fin_frame=12)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")
    _record(handshake, 8, False, 266)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("unfinished", "unknown")


def test_who_closed_first_is_told_by_time_in_a_file_out_of_order(make_handshake):
    handshake = _tls13(make_handshake)
    handshake.client_certificate_requested = True
    handshake.flow.client_fin_frame, handshake.flow.client_fin_time = 8, 12
    handshake.flow.server_fin_frame, handshake.flow.server_fin_time = 11, 11
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")


@pytest.mark.parametrize(("level", "side", "description"), [(1, "server", 40), (2, "client", 46)])
def test_warning_that_its_sender_went_on_after_ends_nothing(level, side, description, make_handshake):
    """Some warn about a certificate and take it; what comes afterwards is another matter."""
    handshake = make_handshake(Stage.CLIENT_FLIGHT, client_alert=46)
    handshake.alerts[0] = replace(handshake.alerts[0], level=level)
    for frame, from_client, kind in ((11, True, "client_key_exchange"), (12, False, "alert")):
        handshake.messages.append(Message(frame, handshake.alerts[0].timestamp + frame, from_client, kind, 100, frame))
    handshake.alerts.append(Alert(12, handshake.messages[-1].timestamp, False, 2, 40, position=len(handshake.messages) - 1))
    settle(handshake)
    assert (handshake.aborted_by, handshake.closing_alert.description) == (side, description)


@pytest.mark.parametrize(("ttl", "confidence"), [(64, "certain"), (63, "certain"), (240, "likely")])
def test_alert_from_another_distance_than_the_server_proves_nothing_of_it(ttl, confidence, make_handshake):
    """A device that filters by name answers in the server's place."""
    handshake = make_handshake(Stage.SERVER_ALERT, server_alert=112, server_ttl=64)
    handshake.segments = (_segment(2, False, 18, 0, 1), _segment(10, False, 24, 1, 301, 7)._replace(ttl=ttl))
    Diagnosis().judge_all([handshake])
    assert (handshake.finding.cause, handshake.finding.confidence) == ("sni-unrecognized", confidence)


def test_repeated_alert_counts_once(make_handshake):
    handshake = make_handshake(client_alert=48)
    handshake.alerts.append(handshake.alerts[0])
    assert len(closing_events(handshake)) == 1


@pytest.mark.parametrize(("level", "description"), [(1, 100), (1, 112)])
def test_harmless_alerts_close_nothing(level, description, make_handshake):
    handshake = make_handshake()
    handshake.alerts.append(Alert(9, 0, False, level, description))
    settle(handshake)
    assert (handshake.outcome, handshake.closing_alert) == ("unfinished", None)


@pytest.mark.parametrize("description", [0, 90])
def test_leaving_in_the_middle_is_an_end(description, make_handshake):
    handshake = make_handshake(client_alert=description)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "client")


def test_second_side_to_close_did_not_abort(make_handshake):
    handshake = make_handshake(Stage.CLIENT_HELLO, server_rst_frame=8, client_fin_frame=9)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")


@pytest.mark.parametrize("stage", [Stage.SYN, Stage.REFUSED, Stage.CONNECTED])
def test_tcp_alone_is_no_handshake(stage, make_handshake):
    handshake = make_handshake(stage, server_rst_frame=2)
    settle(handshake)
    assert handshake.outcome == "no-handshake"


def test_silence_is_unfinished_until_the_capture_outlives_it(make_handshake):
    handshake = make_handshake(Stage.CLIENT_HELLO)
    settle(handshake)
    settle_silence(handshake, handshake.flow.last_seen + 2 * 10**9)
    assert handshake.outcome == "unfinished"
    settle_silence(handshake, handshake.flow.last_seen + 20 * 10**9)
    assert handshake.outcome == "failed"


def test_tls12_needs_both_finished(make_handshake):
    for client, server, outcome in ((9, 10, "completed"), (9, 0, "failed"), (0, 9, "failed")):
        handshake = make_handshake(Stage.FINISHED, client_finished_frame=client, server_finished_frame=server, server_fin_frame=12)
        settle(handshake)
        assert handshake.outcome == outcome


@pytest.mark.parametrize(("acknowledged", "outcome"), [(1, "failed"), (52, "completed"), (-1, "completed")])
@pytest.mark.parametrize("pause", [60_000_000, 1_000_000], ids=["waited", "at once"])
@pytest.mark.parametrize("waits", [True, False], ids=["full", "resumed"])
def test_tls12_side_that_left_before_the_last_finished_came_did_not_complete(waits, pause, acknowledged, outcome, make_handshake):
    first, last = ("client", "server") if waits else ("server", "client")
    fields = {f"{first}_finished_frame": 9, f"{last}_finished_frame": 11, f"{first}_fin_frame": 10}
    handshake = make_handshake(Stage.FINISHED, **fields)
    handshake.segments = (
        _segment(1, True, 2, 0, -1), _segment(2, False, 18, 0, 1),
        _segment(9, waits, 24, 1, 1, 93), _segment(10, waits, 17, 94, acknowledged)._replace(timestamp=pause), _segment(11, not waits, 24, 1, 94, 51)._replace(timestamp=pause + 1),
    )  # fmt: skip
    settle(handshake)
    assert handshake.outcome == (outcome if pause > 50_000_000 else "completed")


@pytest.mark.parametrize(("formats", "outcome"), [((0, 1, 2), "failed"), ((0,), "completed")], ids=["openssl", "others"])
def test_tls12_client_on_openssl_that_leaves_at_once_had_judged_before(formats, outcome, make_handshake):
    handshake = make_handshake(Stage.FINISHED, client_finished_frame=9, server_finished_frame=11, client_fin_frame=10)
    handshake.client_hello.encrypt_then_mac, handshake.client_hello.ec_point_formats = True, formats
    handshake.segments = (
        _segment(1, True, 2, 0, -1), _segment(2, False, 18, 0, 1), _segment(9, True, 24, 1, 1, 93), _segment(10, True, 17, 94, 1),
        _segment(11, False, 24, 1, 94, 51),
    )  # fmt: skip
    settle(handshake)
    assert handshake.outcome == outcome


def test_tls12_alert_between_the_two_finished_is_a_failure(make_handshake):
    handshake = make_handshake(Stage.FINISHED, client_alert=None, client_finished_frame=9, server_finished_frame=11)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "client")


def test_tls13_server_goes_on_with_tickets(make_handshake):
    handshake = _tls13(make_handshake)
    _record(handshake, 11, False, 266)
    _record(handshake, 12, False, 19)
    settle(handshake)
    assert handshake.outcome == "completed"


@pytest.mark.parametrize("with_data", [True, False])
@pytest.mark.parametrize("length", [19, 35])
def test_tls13_server_that_answers_with_an_alert_only_refused(length, with_data, make_handshake):
    handshake = _tls13(make_handshake, Stage.ESTABLISHED if with_data else Stage.FINISHED)
    if with_data:
        _record(handshake, 10, True, 200)
        handshake.client_application_records = handshake.server_application_records = 1
    _record(handshake, 11, False, length)
    handshake.flow.server_fin_frame = 11
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")


def test_tls13_client_that_says_goodbye_first_completed(make_handshake):
    handshake = _tls13(make_handshake)
    _record(handshake, 10, True, 19)
    handshake.flow.client_fin_frame = 10
    _record(handshake, 12, False, 19)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("completed", "none")


def test_tls13_server_that_asked_for_a_certificate_and_sends_only_an_alert_refused_even_after_goodbye(make_handshake):
    handshake = _tls13(make_handshake)
    handshake.client_certificate_requested, handshake.client_certificate_sent = True, False
    _record(handshake, 10, True, 19)
    handshake.flow.client_fin_frame = 10
    _record(handshake, 12, False, 19)
    handshake.flow.server_fin_frame = 12
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")


@pytest.mark.parametrize(("closed", "flags", "acknowledged", "outcome"), [
    ("fin", 17, 381, "completed"),
    ("fin", 17, 301, "failed"),  # it had closed before the Finished came
    ("rst", 20, 381, "failed"),  # a process that dies leaves unread what was acknowledged for it
])  # fmt: skip
def test_tls13_server_without_tickets_that_closes_without_a_word_had_nothing_to_refuse(
    closed, flags, acknowledged, outcome, make_handshake
):
    handshake = _tls13(make_handshake)
    handshake.segments = (
        _segment(7, False, 24, 1, 301, 1999),
        _segment(8, True, 24, 1, 2000, 300),
        _segment(9, True, 24, 301, 2000, 80),
        _segment(11, False, flags, 2000, acknowledged),
    )
    setattr(handshake.flow, f"server_{closed}_frame", 11)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == (outcome, "none" if outcome == "completed" else "server")


def test_tls13_server_that_asked_for_a_certificate_and_closes_without_a_word_refused(make_handshake):
    handshake = _tls13(make_handshake)
    handshake.client_certificate_requested = True
    handshake.flow.server_fin_frame = 11
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "server")


@pytest.mark.parametrize(("finished", "outcome"), [(53, "failed"), (53 + 16, "completed"), (2112, "failed")])
def test_tls13_shortest_request_is_no_goodbye_but_from_who_pads(finished, outcome, make_handshake):
    """'GET / HTTP/1.0' is as long as an alert of Java's; Java alone pads its Finished too."""
    handshake = _tls13(make_handshake)
    handshake.client_certificate_requested = handshake.client_certificate_sent = True
    _record(handshake, 9, True, finished)
    _record(handshake, 10, True, 35)
    handshake.flow.server_fin_frame = 12
    settle(handshake)
    assert handshake.outcome == outcome


def test_tls13_complaint_about_the_close_of_a_server_that_had_all_it_wanted_is_no_refusal(make_handshake):
    handshake = _tls13(make_handshake)
    handshake.client_certificate_requested = False
    handshake.flow.server_fin_frame = 12
    handshake.alerts.append(Alert(13, 0, True, 2, 50, True, "decrypted"))
    settle(handshake)
    assert handshake.outcome == "completed"


@pytest.mark.parametrize(("description", "with_data", "outcome"), [(48, False, "failed"), (0, False, "completed"), (48, True, "completed")])
def test_tls12_client_that_refuses_after_both_finished_had_verified_meanwhile(description, with_data, outcome, make_handshake):
    handshake = make_handshake(Stage.FINISHED)
    handshake.client_finished_frame, handshake.server_finished_frame = 9, 10
    handshake.client_application_records = int(with_data)
    handshake.alerts.append(Alert(11, 0, True, 2, description, True, "decrypted"))
    handshake.flow.client_fin_frame = 12
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == (outcome, "client" if outcome == "failed" else "none")


def test_tls13_server_whose_goodbye_the_client_returns_completed(make_handshake):
    handshake = _tls13(make_handshake)
    _record(handshake, 11, False, 19)
    handshake.flow.server_fin_frame = 11
    _record(handshake, 12, True, 19)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("completed", "none")


def test_tls13_server_without_tickets_that_is_tired_of_waiting_completed(make_handshake):
    handshake = _tls13(make_handshake)
    _record(handshake, 1_000_000_000, False, 19)
    handshake.flow.server_fin_frame = 1_000_000_000
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("completed", "none")


def test_tls13_answer_to_a_late_close_is_no_verdict_on_the_clients_certificate(make_handshake):
    handshake = _tls13(make_handshake)
    handshake.client_certificate_requested = True
    handshake.flow.client_fin_frame = 1_000_000_000
    _record(handshake, 1_000_000_001, False, 19)
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("completed", "none")


def test_close_without_the_hello_that_the_server_answered_shows_nothing(make_handshake):
    handshake = make_handshake(server_fin_frame=11)
    settle(handshake)
    assert handshake.outcome == "failed"
    handshake.client_hello = None
    settle(handshake)
    assert (handshake.outcome, handshake.aborted_by) == ("unfinished", "unknown")


@pytest.mark.parametrize(("version", "order", "outcome"), [
    (0x0303, [(True, 61), (False, 172)], "completed"),
    (0x0303, [(True, 61)], "unfinished"),
    (0x0304, [(True, 69), (False, 298), (True, 92)], "completed"),
    (0x0304, [(False, 1856), (False, 69), (True, 69)], "unfinished"),
    (0x0304, [(True, 69), (False, 19)], "unfinished"),
])  # fmt: skip
def test_data_both_ways_proves_what_the_capture_lacks(version, order, outcome, make_handshake):
    handshake = make_handshake(Stage.CLIENT_FLIGHT, version=version, server_gaps=900, server_fin_frame=30)
    for frame, (from_client, length) in enumerate(order, 12):
        _record(handshake, frame, from_client, length)
    settle(handshake)
    assert handshake.outcome == outcome


def test_alerts_that_overtook_each_other_count_in_the_order_of_their_stream(make_handshake):
    handshake = make_handshake(Stage.SERVER_HELLO)
    handshake.alerts = [Alert(9, 900, True, 1, 90, position=3), Alert(8, 800, True, 1, 0, position=4)]
    assert [event.alert.description for event in closing_events(handshake) if event.alert is not None] == [90, 0]


@pytest.mark.parametrize("overtakes", [False, True])
def test_alert_that_overtook_its_own_sides_finished_came_after_it(overtakes, make_handshake):
    handshake = make_handshake(Stage.FINISHED, client_finished_frame=12, server_finished_frame=14)
    handshake.messages += [
        Message(12, 12, True, "encrypted_handshake", 40, 12, True), Message(14, 14, False, "encrypted_handshake", 40, 14, True),
        Message(13, 13, False, "alert", 26, 13, True),
    ]  # fmt: skip
    if not overtakes:
        handshake.messages[-2:] = handshake.messages[:-3:-1]
    place = next(place for place, message in enumerate(handshake.messages) if message.kind == "alert")
    handshake.alerts.append(Alert(13, 13, False, None, None, True, "inferred", place, 26))
    settle(handshake)
    assert (handshake.outcome == "completed") == overtakes


def test_goodbye_of_the_server_after_the_client_has_left_breaks_no_silence(make_handshake):
    handshake = make_handshake(Stage.SERVER_HELLO, version=0x0304, client_fin_frame=20, client_fin_time=2_500_000_000)
    handshake.messages = [
        Message(frame, time, False, "application_data", length, frame, True)
        for frame, time, length in ((7, 400, 69), (21, 2_500_000_100, 19))
    ]
    assert quiet_before_close(handshake) == 2_500_000_000 - 400
