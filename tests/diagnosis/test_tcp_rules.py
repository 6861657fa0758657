"""Causes in TCP: each sign, and what looks like it."""

from __future__ import annotations

import pytest
from packet_building import MS, Talk, cause, found, judge, noted, verdict

from analyzer.model.handshake import Message


def neighbour(**how):
    return Talk(frame=500, client_port=41000, **how).connect().greet().completed()


def test_syns_without_an_answer():
    talk = Talk()
    for pause in (0, 1, 2, 4):
        talk.client(pause, "S", sequence=0)
    h = judge(talk.handshake(), neighbour())
    assert verdict(h) == ("tcp-syn-unanswered", "failed", "unknown")
    assert found(h).confidence == "certain"
    assert found(h).evidence[0].frame == 1
    assert "after 1 s, 2 s and 4 s" in found(h).evidence[1].says


def test_one_syn_at_the_end_of_a_capture_says_nothing():
    talk = Talk()
    talk.client(flags="S")
    assert verdict(judge(talk.handshake(), seconds_more=0.5)) == ("cap-ended-early", "unfinished", "unknown")
    talk = Talk()
    talk.client(flags="S")
    h = judge(talk.handshake(), seconds_more=8)
    assert verdict(h) == ("tcp-syn-unanswered", "failed", "unknown")
    assert found(h).confidence == "possible"


def test_refused_with_the_ttl_of_the_server():
    talk = Talk()
    talk.client(flags="S")
    talk.server(0.040, "RA", ip_id=0, options=0)
    h = judge(talk.handshake(), neighbour())
    assert verdict(h) == ("tcp-syn-refused", "failed", "server")
    assert (found(h).confidence, found(h).reset_class) == ("certain", "post-syn")


def test_refused_by_a_server_nothing_else_is_known_of():
    talk = Talk(server_ttl=113)
    talk.client(flags="S")
    talk.server(0.040, "RA", ip_id=0, options=0)
    h = judge(talk.handshake())
    assert verdict(h) == ("tcp-syn-refused", "failed", "server")
    assert found(h).confidence == "likely"


def test_syn_acks_that_nobody_acknowledges():
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    for pause in (1, 2, 4):
        talk.server(pause, "SA", sequence=0)
    h = judge(talk.handshake())
    assert verdict(h) == ("tcp-synack-unacked", "failed", "unknown")
    assert "4 times" in found(h).summary


def test_syn_acks_within_milliseconds_are_copies():
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    for pause in (0.02, 0.02, 0.02):
        talk.server(pause, "SA", sequence=0)
    assert cause(judge(talk.handshake())) != "tcp-synack-unacked"


def test_a_full_queue_repeats_the_syn_ack_after_the_acknowledgment():
    talk = Talk().connect().greet()
    talk.repeat(talk.hello_segment(), 0.3, 0.4)
    talk.server(0.5, "SA", sequence=0, acknowledgment=1)
    talk.server(2, "SA", sequence=0, acknowledgment=1)
    talk.repeat(talk.hello_segment(), 0.1)
    assert verdict(judge(talk.handshake())) == ("tcp-accept-queue-full", "failed", "unknown")


def test_a_syn_ack_that_crossed_the_acknowledgment_is_no_full_queue():
    talk = Talk().connect().greet()
    talk.server(0.3, "SA", sequence=0, acknowledgment=1)
    talk.server(0.1)
    talk.server(5, "FA")
    assert cause(judge(talk.handshake())) != "tcp-accept-queue-full"


def test_a_full_queue_told_from_a_hello_the_kernel_took_before():
    first = Talk(client_port=40001).connect().greet()
    first.server(0.040)
    second = Talk(client_port=40002, frame=100).connect().greet()
    second.repeat(second.hello_segment(), 0.2, 0.4, 0.8, 1.6, 3.2)
    assert cause(judge(second.handshake(), first.handshake())) == "tcp-accept-queue-full"


def test_a_syn_answered_by_an_ack_of_another_connection():
    talk = Talk()
    talk.client(flags="S")
    talk.server(0.040, "A", sequence=900_000, acknowledgment=77_000)
    talk.client(0.0001, "R", sequence=77_000, ip_id=0, options=0)
    talk.client(1, "S", sequence=0)
    talk.next[False] = 0
    talk.server(0.040, "SA", sequence=0, acknowledgment=1)
    talk.client(0.0001)
    talk.client(0.1, "FA")
    assert verdict(judge(talk.handshake())) == ("tuple-reuse", "no-handshake", "client")


def test_a_scanner_resets_what_it_half_opened():
    talk = Talk()
    talk.client(flags="S", options=1, window=1024)
    talk.server(0.040, "SA")
    talk.client(0.0001, "R", ip_id=0, options=0)
    h = judge(talk.handshake())
    assert verdict(h) == ("port-scan", "no-handshake", "client")
    assert "nmap" in found(h).evidence[0].says


@pytest.mark.parametrize(("six", "length", "scans"), [(False, 60, True), (False, 74, False), (True, 74, True), (True, 94, False)])
def test_options_that_the_snaplen_cut_off_are_not_absent(six, length, scans):
    ends = {"client": "2001:db8::1", "server": "2001:db8::2"} if six else {}
    talk = Talk(**ends)
    talk.client(flags="S", options=0)
    talk.segments[0] = talk.segments[0]._replace(original_length=length)
    talk.server(0.040, "SA")
    talk.client(0.0001, "R", ip_id=0, options=0)
    assert (cause(judge(talk.handshake())) == "port-scan") == scans


def test_a_scanner_of_many_hosts_is_not_refused_by_each():
    scans = []
    for host in range(12):
        talk = Talk(frame=1 + host * 10, server=f"198.51.100.{host + 10}")
        talk.client(flags="S")
        talk.server(0.020, "RA", ip_id=0, options=0)
        scans.append(talk.handshake())
    assert verdict(judge(*scans)) == ("port-scan", "no-handshake", "server")


def check(number, server="198.51.100.2", begin=0.0):
    """HAProxy's check: the only packet that acknowledges the SYN-ACK is the reset."""
    talk = Talk(frame=1 + number * 10, server=server, client_port=40000 + number, begin=begin)
    talk.client(flags="S")
    talk.server(0.001, "SA")
    talk.client(0.0001, "RA")
    return talk.handshake()


def test_a_check_that_resets_what_it_opened_is_a_probe():
    h = judge(check(0), *(check(n, begin=2 * n) for n in range(1, 5)))
    assert verdict(h) == ("connect-close-probe", "no-handshake", "client")
    assert any("4 more times" in evidence.says for evidence in found(h).evidence)


def test_a_balancer_that_checks_many_servers_again_and_again_is_no_scanner():
    checks = [check(20 * turn + host, f"198.51.100.{host + 10}", begin=2 * turn) for turn in range(4) for host in range(10)]
    judge(*checks)
    assert {cause(h) for h in checks} == {"connect-close-probe"}


def test_a_client_that_finds_a_few_ports_closed_is_no_scanner():
    tries = []
    for host in range(2):
        talk = Talk(frame=1 + host * 10, server=f"198.51.100.{host + 10}")
        talk.client(flags="S")
        talk.server(0.020, "RA", ip_id=0, options=0)
        tries.append(talk.handshake())
    assert cause(judge(*tries)) == "tcp-syn-refused"


def stalled(window: int):
    talk = Talk().connect().greet().answer()
    talk.client(0.001, window=window)
    for pause in (0.2, 0.4, 0.8, 1.6):
        talk.server(pause, sequence=talk.next[False] - 1)
        talk.client(0.0001, window=window)
    talk.client(1, "RA", window=0)
    return judge(talk.handshake())


def test_a_window_that_stays_shut():
    h = stalled(0)
    assert verdict(h) == ("zero-window-stall", "failed", "client")
    assert any("window of zero" in e.says for e in found(h).evidence)


def test_keepalives_with_an_open_window_are_no_stall():
    assert cause(stalled(500)) != "zero-window-stall"


def test_a_reset_has_a_window_of_zero_and_shuts_nothing():
    talk = Talk().connect().greet()
    talk.server(0.040, "RA", window=0)
    h = judge(talk.handshake())
    assert "zero-window-stall" not in {cause(h), *noted(h)}
    assert h.flow.server_rst_time - h.flow.syn_time > 40 * MS


def test_a_server_that_waits_for_data_repeats_its_syn_ack_to_who_says_nothing():
    talk = Talk().connect()
    for pause in (1, 2, 4):
        talk.server(pause, "SA", sequence=0, acknowledgment=1)
        talk.client(0.0001)
    assert cause(judge(talk.handshake(), seconds_more=1)) != "tcp-accept-queue-full"


def test_a_filter_that_lets_syns_through_looks_like_a_full_queue():
    def in_vain(**how):
        talk = Talk(rtt=0.0001, **how).connect().greet()
        for pause in (1, 2):
            talk.server(pause, "SA", sequence=0, acknowledgment=1)
            talk.repeat(talk.hello_segment(), 0.1)
        return talk.handshake()

    assert found(judge(in_vain())).confidence == "possible"
    unanswered = Talk(frame=100, client_port=40001)
    for pause in (0, 1, 2):
        unanswered.client(pause, "S", sequence=0)
    h = judge(in_vain(), unanswered.handshake())
    assert (cause(h), found(h).confidence) == ("tcp-accept-queue-full", "likely")


def test_a_guard_tests_clients_with_an_ack_of_no_connection():
    def answered(ttl):
        talk = Talk()
        talk.client(flags="S")
        talk.server(0.01, "A", acknowledgment=900_000_000, ttl=ttl)
        talk.client(0.001, "R", sequence=900_000_000)
        talk.client(1, "S", sequence=0)
        talk.server(0.04, "SA")
        talk.client(0.001)
        talk.client(0.5, "FA")
        return found(judge(talk.handshake()))

    assert (answered(250).cause, answered(250).confidence) == ("tuple-reuse", "likely")
    assert answered(52).confidence == "certain"


def test_a_window_shut_by_who_has_closed_stalls_nobody():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.server(0.01, "FA")
    talk.client(0.001)
    fin = talk.client(2, "FA")
    for _ in range(3):
        talk.server(0.04, "A", window=0)
        talk.client(1.2, "FA", sequence=fin.sequence)
    assert cause(judge(talk.handshake())) == "server-fin-after-hello"


def test_an_older_connection_that_still_sends_its_data():
    """The reset that ended it was lost; what it repeats comes to the new one's ports."""
    talk = Talk()
    talk.client(flags="S")
    for _ in range(2):
        talk.server(0.04, "A", acknowledgment=-2_777_818)
        talk.client(0.001, "R", sequence=-2_777_818)
        talk.server(0.1, "PA", 274, sequence=-273, acknowledgment=-2_777_818, retransmission=True)
        talk.client(0.001, "R", sequence=-2_777_818)
        talk.client(1, "S", sequence=0)
    old = Message(5, talk.segments[3].timestamp, False, "new_session_ticket", 214, 5)
    h = judge(talk.handshake(stage="connected", messages=[old]))
    assert verdict(h) == ("tuple-reuse", "failed", "unknown")
