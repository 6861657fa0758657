"""What arrived and what did not, read from acknowledgments; and when silence is a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packet_building import BEGIN, Talk, judge, verdict

from analyzer.diagnosis.losses import clocks_disagree, path_mss, read_delivery, vantage_of
from analyzer.diagnosis.silence import missing_side, shows_failure, stuck

SECOND = 10**9


def test_a_hello_that_is_never_acknowledged():
    talk = Talk().connect().greet()
    talk.repeat(talk.hello_segment(), 0.2, 0.4, 0.8, 1.6)
    sent = read_delivery(tuple(talk.segments), True)
    assert (sent.acknowledged, sent.repeats, sent.outstanding) == (1, 4, True)
    assert sent.span == 3 * SECOND
    assert stuck(sent)


def test_the_lowest_missing_byte_is_what_is_tried_again():
    talk = Talk().connect().greet(length=1800, parts=2)
    talk.server(0.04, "A", acknowledgment=1, options=0x18)
    first = talk.hello_segment()
    talk.repeat(first, 0.2, 0.4)
    sent = read_delivery(tuple(talk.segments), True)
    assert [s.sequence for s in sent.tries] == [1, 1, 1]
    assert sent.selective
    assert len(sent.waiting) == 2


def test_bytes_acknowledged_and_never_captured_are_the_capture_s_fault():
    talk = Talk().connect().greet()
    talk.client(0.05, "A", acknowledgment=2400)
    received = read_delivery(tuple(talk.segments), False)
    assert (received.unseen, received.hole, received.vanished) == (2399, None, 0)


def test_last_bytes_that_were_acknowledged_are_missing_though_a_bare_acknowledgment_stands_after_them():
    talk = Talk().connect().greet()
    talk.client(0.05, "A", sequence=598)
    talk.server(0.01, "A", acknowledgment=598)
    assert read_delivery(tuple(talk.segments), True).unseen == 80


def test_bytes_never_captured_and_never_acknowledged_were_lost():
    talk = Talk().connect().greet()
    talk.server(0.04, "A")
    talk.server(0.001, "PA", 900, sequence=1449)
    talk.client(0.001, "A", acknowledgment=1, options=0x18)
    received = read_delivery(tuple(talk.segments), False)
    assert (received.unseen, received.hole, received.vanished) == (0, (1, 1449), 1448)


def test_a_bare_acknowledgment_tells_how_far_its_sender_was():
    talk = Talk().connect().greet()
    talk.server(0.04, "A")
    talk.client(5, "FA")
    talk.server(0.04, "A", sequence=2402)
    assert read_delivery(tuple(talk.segments), False).vanished == 2401


def test_a_fin_tells_what_came_before_it():
    talk = Talk().connect().greet()
    talk.server(0.04, "FA", sequence=8)
    talk.client(0.001, "A", acknowledgment=9)
    assert read_delivery(tuple(talk.segments), False).unseen == 7


@given(st.lists(st.integers(1, 1400), min_size=1, max_size=8), st.randoms(use_true_random=False), st.integers(0, 7))
def test_order_and_copies_do_not_change_what_arrived(sizes, generator, acked):
    talk = Talk().connect().greet()
    for size in sizes:
        talk.server(0.001, "PA", size)
    talk.client(0.001, "A", acknowledgment=1 + sum(sizes[:acked]))
    plain = read_delivery(tuple(talk.segments), False)
    mixed = list(talk.segments)
    mixed += [s._replace(duplicate=True) for s in mixed]
    generator.shuffle(mixed)
    shuffled = read_delivery(tuple(mixed), False)
    assert (plain.end, plain.acknowledged, plain.unseen, plain.hole) == (
        shuffled.end,
        shuffled.acknowledged,
        shuffled.unseen,
        shuffled.hole,
    )
    assert len(plain.waiting) == len(shuffled.waiting) == len(sizes[acked:])


def test_where_the_capture_was_taken():
    assert vantage_of(Talk().connect().handshake()) == "client"
    at_server = Talk(rtt=0.0001)
    at_server.client(flags="S")
    at_server.server(0.0001, "SA")
    at_server.client(0.040)
    assert vantage_of(at_server.handshake()) == "server"
    between = Talk()
    between.client(flags="S")
    between.server(0.020, "SA")
    between.client(0.020)
    assert vantage_of(between.handshake()) == ""


def test_a_full_segment_is_what_both_agreed_on_without_the_timestamps():
    assert path_mss(Talk(mss=1400).connect().handshake()) == 1388


# -- silence ------------------------------------------------------------------------------------------


def failed(talk, seconds, **fields):
    h = talk.handshake(**fields)
    return shows_failure(h, h.flow.last_seen + int(seconds * SECOND), 10 * SECOND)


def test_last_bytes_that_nobody_repeats_are_no_failure():
    talk = Talk().connect().greet().answer()
    assert not failed(talk, 3600)


def test_a_hello_that_was_acknowledged_and_then_long_silence_is_one():
    talk = Talk().connect().greet()
    talk.server(0.04)
    assert failed(talk, 30)
    assert not failed(talk, 5)


def test_repeated_in_vain_is_one_even_at_the_end_of_the_capture():
    talk = Talk().connect().greet()
    talk.repeat(talk.hello_segment(), 0.2, 0.4, 0.8, 1.6, 3.2)
    assert failed(talk, 0)


def test_repeated_once_at_the_end_of_the_capture_is_none():
    talk = Talk().connect().greet()
    talk.repeat(talk.hello_segment(), 0.2)
    assert not failed(talk, 0.1)


def test_a_finished_handshake_that_goes_quiet_has_not_failed():
    talk = Talk().connect().greet().answer()
    talk.client(0.01, "PA", 80)
    talk.server(0.04)
    assert not failed(talk, 3600, stage="finished")


def test_a_server_flight_that_the_client_has_and_does_not_answer_is_an_excerpt():
    talk = Talk().connect().greet().answer()
    talk.client(0.001)
    assert not failed(talk, 60)


def test_one_side_alone_shows_no_failure():
    talk = Talk().connect().greet().answer()
    talk.segments = [s for s in talk.segments if s.from_client]
    assert not failed(talk, 60, server_hello=None)


def only(talk, from_client):
    talk.segments = [s for s in talk.segments if s.from_client == from_client]
    return talk.handshake(server_hello=None)


def test_which_side_is_missing():
    def talk():
        talk = Talk().connect().greet().answer()
        talk.client(0.001)
        return talk

    assert missing_side(only(talk(), True)) is False
    assert missing_side(only(talk(), False)) is True
    assert missing_side(talk().handshake()) is None


def test_a_syn_alone_proves_no_missing_side():
    talk = Talk()
    talk.client(flags="S")
    assert missing_side(talk.handshake()) is None


def test_a_client_that_repeats_itself_and_gives_up_heard_nothing():
    talk = Talk()
    talk.next = {True: 1, False: 1}
    talk.client()
    talk.greet()
    talk.repeat(talk.hello_segment(), 0.2, 0.4)
    talk.client(0.5, "RA")
    h = talk.handshake(stage="client-hello")
    assert h.flow.one_way
    assert missing_side(h) is None
    assert verdict(judge(h)) == ("client-hello-unacked", "failed", "unknown")
    assert h.flow.first_seen == BEGIN


def test_a_flight_whose_short_end_is_lost_too_is_no_matter_of_size():
    talk = Talk().connect().greet()
    talk.answer(length=1448)
    first = talk.segments[-1]
    talk.server(0.0001, "PA", 400)
    talk.repeat(first, 0.3, 0.6, 1.2, 2.4)
    talk.client(0.5, "FA", acknowledgment=1)
    h = talk.handshake(stage="server-hello")
    judge(h)
    assert verdict(h)[0] != "pmtu-blackhole-server-flight"


def test_a_finished_that_never_arrived_is_a_failure():
    talk = Talk().connect().greet().answer()
    talk.client(0.001)
    finished = talk.client(0.001, "PA", 80)
    talk.repeat(finished, 0.3, 0.6, 1.2, 2.4)
    h = talk.handshake(stage="finished", client_finished_frame=finished.frame, outcome="unfinished")
    assert shows_failure(h, talk.now, 10**10)


def short_end_of_a_hello(after):
    """Captured at the server, behind a tunnel that the first segment did not fit through."""
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    talk.client(0.040)
    talk.client(0.001, "PA", 150, sequence=1449)
    talk.server(0.0001, "A", acknowledgment=1, options=0x10 | 0x20)
    return judge(talk.handshake(stage="client-not-tls", client_bytes=b"x" * 150, client_gaps=1448), seconds_more=after)


def test_only_the_short_end_of_a_hello_arrives():
    assert verdict(short_end_of_a_hello(20)) == ("pmtu-blackhole-client-hello", "failed", "unknown")


def test_the_short_end_of_a_hello_at_the_end_of_a_capture():
    assert verdict(short_end_of_a_hello(0.2)) == ("cap-ended-early", "unfinished", "unknown")


def test_a_large_hello_met_by_silence_while_small_ones_are_answered():
    large = Talk().connect().greet(length=1800, parts=2)
    large.server(0.040)
    large.client(4, "FA")
    small = Talk(client_port=40001, begin=2).connect().greet().answer()
    h = judge(large.handshake(), small.completed())
    assert verdict(h) == ("large-client-hello-intolerance", "failed", "client")


# -- clocks -------------------------------------------------------------------------------------------


def shifted(talk, seconds):
    """The client's packets by another clock, and all in order of these times."""
    moved = [s._replace(timestamp=s.timestamp + int(seconds * SECOND)) if s.from_client else s for s in talk.segments]
    return tuple(sorted(moved, key=lambda s: s.timestamp))


def some_talk():
    talk = Talk().connect().greet().answer()
    talk.client(0.001)
    talk.client(0.001, "PA", 80)
    talk.server(0.04, "FA")
    talk.client(0.001, "FA")
    return talk


@pytest.mark.parametrize("seconds", [0.06, -0.06, 3, -3])
def test_clocks_of_two_directions_that_do_not_agree(seconds):
    assert clocks_disagree(shifted(some_talk(), seconds))


@pytest.mark.parametrize("seconds", [0, 0.01, 0.03])
def test_a_shift_that_leaves_all_in_order_is_none(seconds):
    assert not clocks_disagree(shifted(some_talk(), seconds))


def test_a_byte_whose_first_copy_was_not_captured_shows_no_second_clock():
    talk = Talk().connect().greet()
    talk.server(0.04, "PA", 1000, sequence=1001)
    talk.client(0.001, acknowledgment=2001)
    talk.client(0.001, "PA", 80, acknowledgment=2001)
    talk.server(0.3, "PA", 1000, sequence=1, retransmission=True)
    talk.server(0.04)
    assert not clocks_disagree(tuple(talk.segments))
