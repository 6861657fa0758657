"""Whose reset it was: forged ones by every sign, and hosts' own that must never be called so."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packet_building import Talk, cause, found, judge, verdict

from analyzer.diagnosis.resets import judge_segments, reset_class


def signs(talk, **how):
    h = talk.handshake()
    return judge_segments(h.segments, h.flow, **how)


def greeted(**how):
    return Talk(**how).connect().greet()


# -- hosts' own ---------------------------------------------------------------------------------------


def closed_with_unread_data():
    """Linux: RST with ACK, timestamps, the socket's own IP-ID, right after the acknowledgment."""
    talk = greeted()
    talk.server(0.040)
    talk.server(0.001, "RA")
    return talk


def without_a_socket():
    """Linux: a bare RST, IP-ID 0, no timestamps, numbered as the client acknowledged."""
    talk = greeted()
    talk.server(0.040, "R", ip_id=0, options=0, window=0)
    return talk


def alert_then_reset():
    talk = greeted()
    talk.alert(40)
    talk.server(0.0001, "FA")
    talk.client(0.040)
    talk.client(0.0001, "FA")
    talk.server(0.040, "R", ip_id=0, options=0, window=0)
    return talk


def windows():
    """No timestamps anywhere, one counter for all connections, RST with ACK and a window of zero."""
    talk = Talk(server_ttl=117)
    talk.client(flags="S")
    talk.server(0.040, "SA", ip_id=20_000, options=7)
    talk.client(0.0001, options=0)
    talk.hello = None
    talk.greet()
    talk.segments[-1] = talk.segments[-1]._replace(options=0)
    talk.server(0.040, "A", ip_id=20_011, options=0)
    talk.server(0.002, "RA", ip_id=20_060, options=0, window=0)
    return talk


def several_answers():
    """A client that goes on sending to a closed port gets one reset for each packet, each numbered as it acknowledged."""
    talk = greeted().answer()
    talk.client(0.001, sequence=talk.next[True])
    segment = talk.client(0.010, "PA", 300)
    talk.repeat(segment, 0.2)
    talk.server(0.040, "R", ip_id=0, options=0, window=0, sequence=segment.acknowledgment)
    talk.server(0.001, "R", ip_id=0, options=0, window=0, sequence=segment.acknowledgment)
    return talk


def behind_a_balancer():
    """The balancer's SYN-ACK begins with TTL 255; the server behind it resets with its own."""
    talk = Talk(server_ttl=245)
    talk.connect().greet()
    talk.server(0.040, "R", ip_id=0, options=0, window=0, ttl=54)
    return talk


@pytest.mark.parametrize("own", [closed_with_unread_data, without_a_socket, alert_then_reset, windows, several_answers, behind_a_balancer])
def test_a_reset_by_the_hosts_own_stack_is_never_forged(own):
    judged = signs(own())
    assert judged
    assert not any(reset.forged for reset in judged), judged
    assert judge(own().handshake()).aborted_by != "middlebox"


def test_at_the_servers_own_tap_a_round_trip_tells_nothing():
    talk = Talk(rtt=0.00005, server_ttl=64, client_ttl=52).connect()
    talk.segments[2] = talk.segments[2]._replace(timestamp=talk.segments[2].timestamp + 40_000_000)
    talk.now += 40_000_000
    talk.greet()
    talk.server(0.00002)
    talk.server(0.00001, "RA")
    assert not any(reset.forged for reset in signs(talk))


def test_a_late_segment_is_not_the_sender_going_on():
    """Data that was sent before the reset and seen after it, within a millisecond."""
    talk = greeted()
    talk.server(0.040, "RA", sequence=1401, acknowledgment=518)
    talk.server(0.0002, "PA", 1400, sequence=1)
    assert not any(reset.forged for reset in signs(talk))


@given(
    ttl=st.sampled_from([41, 52, 64, 115, 128, 250]),
    flags=st.sampled_from(["R", "RA"]),
    ip_id=st.sampled_from([0, None]),
    window=st.integers(0, 65_535),
    late=st.floats(0.04, 3),
    timestamps=st.booleans(),
    data=st.integers(0, 3),
)
def test_same_ttl_and_right_numbers_are_never_forged(ttl, flags, ip_id, window, late, timestamps, data):
    talk = Talk(server_ttl=ttl).connect().greet()
    for _ in range(data):
        talk.server(0.04, "PA", 1000)
    talk.server(late, flags, ip_id=ip_id, window=window, options=0x10 if timestamps else 0)
    assert not any(reset.forged for reset in signs(talk))


# -- forged -------------------------------------------------------------------------------------------


def test_another_ttl_and_faster_than_the_round_trip():
    talk = greeted()
    talk.server(0.003, "RA", ttl=118, ip_id=0, options=0)
    h = judge(talk.handshake())
    (reset,) = signs(talk)
    assert reset.confidence == "certain"
    assert "TTL 52 → 118" in reset.says
    assert "RST 3 ms after what it acknowledges where a round trip takes 40 ms at the least" in reset.says
    assert (h.outcome, h.aborted_by, found(h).reset_class) == ("failed", "middlebox", "post-psh")


def test_another_ttl_alone_is_likely():
    talk = greeted()
    talk.server(0.040)
    talk.server(0.001, "RA", ttl=119, ip_id=0)
    (reset,) = signs(talk)
    assert (reset.forged, reset.confidence) == (True, "likely")


def test_a_hop_more_or_less_is_not_enough():
    talk = greeted()
    talk.server(0.040)
    talk.server(0.001, "RA", ttl=51, ip_id=0)
    assert not any(reset.forged for reset in signs(talk))


def test_the_sender_goes_on_after_it():
    talk = greeted()
    talk.server(0.040, "RA")
    talk.server(0.005, "PA", 1400)
    talk.server(0.001, "PA", 900)
    (reset,) = signs(talk)
    assert reset.forged
    assert "went on sending" in reset.says


def test_a_volley_in_steps():
    talk = greeted().answer(length=500)
    for step in (0, 1460, 2920):
        talk.server(0.0005, "R", sequence=501 + step, ip_id=0, options=0)
    judged = signs(talk)
    assert judged[0].forged
    assert "in steps of 1460" in judged[0].says


def test_a_stale_sequence_number_with_another_ip_id():
    talk = greeted()
    talk.server(0.040)
    talk.server(0.001, "PA", 1400)
    talk.server(0.001, "PA", 1400)
    talk.client(0.001)
    talk.server(0.030, "R", sequence=701, ip_id=40_000, options=0)
    (reset,) = signs(talk)
    assert reset.forged
    assert "behind what the sender had sent" in reset.says


def test_it_acknowledges_what_was_never_sent():
    talk = greeted()
    talk.server(0.040, "RA", acknowledgment=5000, ip_id=40_000, options=0)
    (reset,) = signs(talk)
    assert reset.forged


def test_the_client_s_name_can_be_misused_too():
    """Seen at the server: a reset in the client's name with a device's TTL, while the client goes on."""
    talk = Talk(rtt=0.00005, server_ttl=64, client_ttl=52).connect().greet().answer(0.001)
    talk.client(0.004, "RA", ttl=31, ip_id=0, options=0)
    talk.client(0.030)
    h = judge(talk.handshake())
    assert h.aborted_by == "middlebox"
    assert "in the name of the client" in found(h).evidence[0].says


def test_a_scanner_that_writes_its_own_syn_is_reset_by_its_own_host():
    """nmap -sS: a SYN with a TTL and an IP-ID of its own; the host knows of no connection and resets the SYN-ACK."""
    talk = Talk(client_ttl=46)
    talk.client(flags="S", options=0)
    talk.server(talk.rtt, "SA")
    talk.client(0.00001, "R", sequence=1, ttl=64, ip_id=0, options=0)
    h = judge(talk.handshake())
    assert h.aborted_by != "middlebox"
    assert h.finding is None or h.finding.cause not in ("middlebox-rst-injection", "ddos-challenge-reset")


def test_a_capture_with_copies_is_no_forgery():
    talk = closed_with_unread_data()
    doubled = []
    for s in talk.segments:
        doubled += [s, s._replace(frame=s.frame * 2, ttl=s.ttl - 1, timestamp=s.timestamp + 30_000, duplicate=True)]
    talk.segments = [s._replace(frame=n) for n, s in enumerate(doubled, 1)]
    talk.hello_frames = [next(s.frame for s in talk.segments if s.length)]
    assert not any(reset.forged for reset in signs(talk))


def test_the_order_of_signs_does_not_depend_on_the_order_of_copies():
    talk = greeted()
    talk.server(0.003, "RA", ttl=118, ip_id=0, options=0)
    plain = [reset.score for reset in signs(talk)]
    generator = Random(4)
    copies = [s._replace(duplicate=True) for s in generator.sample(talk.segments, 3)]
    talk.segments = sorted([*talk.segments, *copies], key=lambda s: s.frame)
    assert [reset.score for reset in signs(talk)] == plain


# -- SYN ----------------------------------------------------------------------------------------------


def test_a_reset_for_a_syn_and_then_the_server_s_own_answer():
    talk = Talk()
    talk.client(flags="S")
    talk.server(0.002, "RA", sequence=0, ttl=119, ip_id=0, options=0)
    talk.server(0.038, "SA")
    talk.client(0.0001, "R", ip_id=0, options=0)
    h = judge(talk.handshake())
    assert verdict(h) == ("tcp-syn-rst-middlebox", "failed", "middlebox")
    assert found(h).reset_class == "post-syn"


def test_a_syn_refused_much_faster_than_the_server_answers_others():
    talk = Talk()
    talk.client(flags="S")
    talk.server(0.003, "RA", ttl=60, ip_id=0, options=0)
    other = Talk(frame=100, client_port=41000).connect().greet().completed()
    assert verdict(judge(talk.handshake(), other)) == ("tcp-syn-rst-middlebox", "failed", "middlebox")


def test_a_syn_refused_in_half_the_time_that_the_server_needs():
    """By a firewall between the two: each sign is weak, and neither does alone."""
    for seconds, ttl, expected in ((0.020, 64, "tcp-syn-rst-middlebox"), (0.020, 57, "tcp-syn-refused"), (0.039, 64, "tcp-syn-refused")):
        talk = Talk(server_ttl=57)
        talk.client(flags="S")
        talk.server(seconds, "RA", ttl=ttl - 6 if ttl == 64 else ttl, ip_id=0, options=0)
        other = Talk(frame=100, client_port=41000, server_ttl=57).connect().greet().completed()
        assert cause(judge(talk.handshake(), other)) == expected, (seconds, ttl)


def test_a_syn_refused_too_fast_with_the_servers_own_ttl_cannot_be_told():
    """A router that is recorded on all its interfaces sends with the TTL that the server's packets have on the inside."""
    talk = Talk(server_ttl=64)
    talk.client(flags="S")
    talk.server(0.00001, "RA", ip_id=0, options=0)
    h = judge(talk.handshake(), Talk(frame=100, client_port=41000, server_ttl=64).connect().greet().completed())
    assert (*verdict(h), found(h).confidence) == ("tcp-syn-refused", "failed", "unknown", "possible")


def test_a_syn_refused_in_a_run_with_captures_of_both_ends():
    """At the server its packets have the TTL that a router beside the client gives its own resets: that proves nothing."""
    others = [
        Talk(frame=100, client_port=41000, server_ttl=61).connect().greet().completed(),
        Talk(frame=200, client_port=42000, server_ttl=64).connect().greet().completed(),
    ]
    for neighbours, confidence in ((others[1:], "certain"), (others, "likely")):
        talk = Talk(server_ttl=64)
        talk.client(flags="S")
        talk.server(0.040, "RA", ip_id=0, options=0)
        h = judge(talk.handshake(), *neighbours)
        assert (cause(h), found(h).confidence) == ("tcp-syn-refused", confidence)


def test_a_syn_refused_by_a_device_on_the_client_s_own_link():
    talk = Talk(server_ttl=255)
    talk.client(flags="S")
    talk.server(0.00002, "RA", ip_id=0, options=0)
    assert verdict(judge(talk.handshake())) == ("tcp-syn-rst-middlebox", "failed", "middlebox")
    near = Talk(server_ttl=255, server="192.0.2.77")
    near.client(flags="S")
    near.server(0.00002, "RA", ip_id=0, options=0)
    assert cause(judge(near.handshake())) == "tcp-syn-refused"


def test_earlier_forged_resets_do_not_pass_for_the_server_s_own():
    """Two refused attempts with a device's TTL must not vouch for each other."""
    tries = []
    for number in range(3):
        talk = Talk(frame=1 + number * 10, client_port=40000 + number)
        talk.client(flags="S")
        talk.server(0.002, "RA", ttl=119, ip_id=0, options=0)
        tries.append(talk.handshake())
    good = Talk(frame=100, client_port=42000).connect().greet().completed()
    assert cause(judge(*tries, good)) == "tcp-syn-rst-middlebox"


# -- classes ------------------------------------------------------------------------------------------


def test_classes_of_resets():
    syn = Talk()
    syn.client(flags="S")
    syn.server(0.04, "RA")
    connected = Talk().connect()
    connected.server(0.04, "RA")
    hello = greeted()
    hello.server(0.04, "RA")
    later = greeted().answer()
    later.server(0.04, "RA")
    nothing = greeted()
    classes = [reset_class(talk.handshake()) for talk in (syn, connected, hello, later, nothing)]
    assert classes == ["post-syn", "post-ack", "post-psh", "later-data", None]


def test_a_reset_of_a_connection_without_anything_else():
    h = Talk()
    h.server(0, "R")
    handshake = h.handshake()
    assert judge_segments(handshake.segments, replace(handshake.flow)) != ()


def test_no_router_passed_it_on():
    talk = greeted(server_ttl=63)
    talk.server(0.040)
    talk.server(0.001, "RA", ttl=64, ip_id=0)
    (reset,) = signs(talk)
    assert reset.forged
    assert "no router passed it on" in reset.says


@pytest.mark.parametrize(("ttl", "forged"), [(64, False), (62, False), (63, True)])
def test_copies_on_both_sides_of_a_router_show_every_ttl(ttl, forged):
    """At one place, where a mirror doubles frames, they have the one that the packet has."""
    talk = greeted(server_ttl=63)
    talk.server(0.040)
    talk.server(0.00001, duplicate=True, ttl=ttl)
    talk.server(0.001, "RA", ttl=64, ip_id=0)
    assert any(reset.forged for reset in judge_segments(talk.handshake().segments, replace(talk.handshake().flow, duplicates=1))) == forged


@pytest.mark.parametrize("flags", ["R", "RA"])
def test_reset_from_behind_a_syn_proxy_is_the_servers_own(flags):
    talk = Talk(server_ttl=58).connect().greet()
    talk.server(0.030, flags, ttl=56, ip_id=0, options=0, window=0)
    assert not any(reset.forged for reset in signs(talk))


def test_half_as_fast_as_the_path_is_only_weak():
    talk = greeted()
    talk.server(0.018, "RA", ip_id=0)
    assert not any(reset.forged for reset in signs(talk))
    other = greeted()
    other.server(0.018, "RA", ttl=53, ip_id=0)
    assert any(reset.forged for reset in signs(other))


def test_what_lies_behind_the_reset_was_sent_before_it():
    talk = greeted()
    at = talk.server(0.040, "A", 0)
    sent = talk.next[False]
    talk.next[False] = sent + 700
    talk.server(0.001, "RA")
    for _ in range(3):
        talk.server(0.002, "PA", 200, sequence=sent, retransmission=False)
    assert at.sequence == sent
    assert not any("went on" in reset.says for reset in signs(talk))


def test_faster_than_the_path_with_the_servers_own_ttl_cannot_be_told():
    talk = greeted()
    talk.server(0.002, "R", ip_id=0, options=0, window=0)
    h = talk.handshake()
    judge(h)
    assert (cause(h), h.finding.confidence, h.aborted_by) == ("server-rst-after-hello", "possible", "unknown")


def test_copies_of_a_reset_on_both_sides_of_a_router_are_no_forgery():
    talk = Talk(server_ttl=64).connect().greet()
    talk.server(0.040)
    talk.server(0.001, "RA", ttl=63)
    talk.server(0.002)
    flow = talk.handshake().flow
    assert not any(reset.forged for reset in judge_segments(talk.handshake().segments, replace(flow, duplicates=5)))


def late_syn(port, frame, begin):
    """A radio that had to wake: the SYN took long, what came after it did not."""
    talk = Talk(rtt=0.5, client_port=port, frame=frame, begin=begin).connect().greet()
    talk.server(0.05, "RA")
    return talk.handshake()


def test_a_syn_that_took_long_twice_does_not_make_the_servers_reset_too_fast():
    h = judge(late_syn(40001, 1, 0), late_syn(40002, 100, 20))
    assert h.aborted_by != "middlebox"


def test_another_host_behind_the_same_address_is_no_device_on_the_path():
    talk = greeted()
    talk.server(0.04)
    talk.server(0.001, "PA", 1448)
    talk.client(0.001, acknowledgment=1)
    talk.server(0.01, "R", ip_id=0, options=0, window=0, sequence=1)
    for pause in (0.2, 0.4):
        talk.server(pause, "PA", 1448, sequence=1)
    assert judge(talk.handshake(stage="server-hello")).aborted_by == "unknown"


def test_a_host_without_the_connection_resets_each_packet_by_its_own_number():
    """Closed with unread data, and then every acknowledgment under way is answered with a bare reset; recorded at the server."""
    talk = Talk(rtt=0.0001, server_ttl=64)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    talk.client(0.04)
    talk.greet()
    for _ in range(2):
        talk.server(0.0001, "PA", 1448)
    talk.server(0.0001, "RA")
    for number in (1449, 2897):
        talk.client(0.04, "A", acknowledgment=number)
        talk.server(0.0001, "R", sequence=number, ip_id=0, options=0, window=0)
    h = judge(talk.handshake(stage="server-hello"))
    assert h.aborted_by == "server"
    assert all(reset.score < 0 for reset in signs(talk))


def test_what_the_senders_other_packets_acknowledge_was_sent():
    """The ClientHello is missing from the capture."""
    talk = Talk().connect()
    talk.server(0.04, "A", acknowledgment=518)
    talk.server(0.001, "RA", acknowledgment=518)
    assert all(reset.score < 0 for reset in signs(talk))


def test_another_way_of_another_connection_makes_no_device():
    """Balanced over several paths, connections of one server differ by a few hops."""
    talk = Talk(server_ttl=52)
    talk.client(flags="S")
    talk.server(0.04, "RA", ttl=46, options=0, window=0, ip_id=0)
    h = judge(talk.handshake(stage="refused"), Talk(frame=100, client_port=40001, server_ttl=52).connect().greet().completed())
    assert verdict(h) == ("tcp-syn-refused", "failed", "server")


def on_all_interfaces(copied: bool):
    """A router records what passes twice, and what it sends itself once."""
    talk = Talk(server_ttl=64, rtt=0.02)

    def passes(from_client, after, flags, length=0):
        segment = talk.say(from_client, after, flags, length)
        talk.say(from_client, 0.00002, flags, length, sequence=segment.sequence, ttl=segment.ttl - 1, duplicate=True)

    passes(True, 0, "S")
    passes(False, 0.01, "SA")
    passes(True, 0.01, "A")
    talk.greet()
    if copied:
        talk.server(0.01, "R", sequence=1, ip_id=0, options=0, window=0)
        talk.server(0.00002, "R", sequence=1, ip_id=0, options=0, window=0, ttl=63)
    else:
        talk.server(0.00003, "R", options=0, window=0, ip_id=0)
    return judge(talk.handshake())


def test_a_reset_that_a_router_sends_is_not_the_servers_for_sure():
    assert on_all_interfaces(False).aborted_by == "middlebox"
    assert on_all_interfaces(True).aborted_by == "server"


def test_a_reset_for_an_older_connection_is_numbered_as_that_one_was():
    talk = Talk()
    talk.client(flags="S")
    talk.server(0.04, "A", acknowledgment=-6_536_675)
    talk.client(0.001, "R", sequence=-6_536_675, ip_id=0, options=0, window=0)
    assert all(reset.score < 0 for reset in signs(talk))


@pytest.mark.parametrize("by_client", [True, False])
def test_where_only_begins_and_ends_were_recorded_numbers_betray_nobody(by_client):
    """tcpdump 'tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0': the data that the numbers speak of is not in the file."""
    talk = greeted().answer()
    talk.say(by_client, 0.04, "RA")
    if not by_client:
        talk.server(0.01, "R", sequence=talk.next[False] + 7, ip_id=0, options=0)
    talk.segments = [s for s in talk.segments if s.flags & 7]
    h = judge(talk.handshake(client_hello=None, server_hello=None))
    assert (h.aborted_by, cause(h)) == ("client" if by_client else "server", None)


def test_a_forged_reset_is_not_at_the_syn_when_it_acknowledges_data():
    talk = greeted()
    talk.server(0.005, "RA", ttl=118, options=0)
    talk.segments = [s for s in talk.segments if s.flags & 7]
    h = judge(talk.handshake(client_hello=None))
    assert (cause(h), found(h).confidence) == ("middlebox-rst-injection", "likely")
