"""Closes, resets and silence where a handshake belongs: each kind by its own name, and none by another's."""

from __future__ import annotations

import pytest
from conversations import RST, Conversation, Wire, alert, data, finished_flights, hello, server_hello, verdict


@pytest.fixture
def wire(tmp_path):
    return Wire(tmp_path / "wire.pcap")


def judged(wire, stream=0, **options):
    handshakes = {h.flow.stream: h for h in wire.read(**options)}
    return verdict(handshakes[stream])


# -- nobody speaks ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, 50, 10, 40], ids=["nginx", "openssl", "gnutls", "java"])
def test_check_of_a_port_is_no_failure_whatever_the_server_says_to_it(wire, answer):
    talk = wire.connect()
    talk.close(True, answered=False)
    if answer is not None:
        talk.server(alert(answer), wait=20)
    talk.packet(False, 17, wait=0.2)
    assert judged(wire) == ("connect-close-probe", "likely", "no-handshake", "client")


def test_check_that_resets(wire):
    wire.connect().reset(True)
    assert judged(wire) == ("connect-close-probe", "likely", "no-handshake", "client")


def test_client_that_stays_and_says_nothing(wire):
    wire.connect().close(True, wait=4_000)
    assert judged(wire) == ("client-never-speaks", "likely", "no-handshake", "client")


def test_server_that_loses_patience(wire):
    wire.connect().close(False, wait=60_000)
    assert judged(wire) == ("client-never-speaks", "likely", "no-handshake", "server")


def test_silence_at_the_end_of_a_capture_shows_nothing(wire):
    wire.connect()
    wire.pause(2)
    wire.connect(client="192.0.2.9").close(True)
    assert judged(wire)[0] in (None, "cap-ended-early")


def test_silence_that_the_capture_goes_on_after(wire):
    wire.connect()
    wire.pause(30)
    wire.connect(client="192.0.2.9").close(True)
    assert judged(wire) == ("client-never-speaks", "likely", "no-handshake", "none")


@pytest.mark.parametrize(("port", "cause"), [(993, "implicit-vs-starttls"), (465, "implicit-vs-starttls"), (8883, "client-never-speaks")])
def test_both_wait_where_a_greeting_is_expected(wire, port, cause):
    wire.connect(port=port).close(True, wait=10_000)
    found = judged(wire)
    assert found[0] == cause
    assert found[2] == ("failed" if cause.startswith("implicit") else "no-handshake")


# -- races ----------------------------------------------------------------------------------------------------------------------------


def test_loser_of_a_race_between_addresses(wire):
    loser = wire.connect(server="198.51.100.2")
    winner = wire.connect(server="198.51.100.3")
    loser.close(True)
    first, second, third = finished_flights()
    winner.client(hello()).server(first).client(second).server(third).client(data()).server(data())
    assert judged(wire) == ("happy-eyeballs-loser", "likely", "no-handshake", "client")


def test_loser_of_a_race_between_versions_of_ip(wire):
    loser = wire.connect(client="2001:db8::1", server="2001:db8:1::2")
    winner = wire.connect()
    loser.close(True)
    winner.client(hello()).server(server_hello())
    assert judged(wire)[0] == "happy-eyeballs-loser"


def test_answer_that_came_when_the_race_was_over(wire):
    slow = Conversation(wire, client="2001:db8::1", server="2001:db8:1::2").packet(True, 2)
    wire.pause(0.2)
    wire.connect().client(hello()).server(server_hello())
    slow.packet(False, 18).reset(True, wait=0.1, ack=False)
    assert judged(wire) == ("happy-eyeballs-loser", "likely", "no-handshake", "client")


@pytest.mark.parametrize("again", [False, True])
def test_way_that_nothing_comes_back_on_while_the_other_version_works(wire, again):
    """A host sends its SYN again after a second, unless the program has given it up."""
    lost = Conversation(wire, client="2001:db8::1", server="2001:db8:1::2").packet(True, 2)
    wire.pause(0.2)
    talk = wire.connect().client(hello()).server(server_hello())
    if again:
        wire.pause(0.8)
        lost.packet(True, 2, offset=-1)
    wire.pause(4)
    talk.close(True)
    assert judged(wire)[0] == ("tcp-syn-unanswered" if again else "happy-eyeballs-loser")


def test_syn_just_before_the_end_of_a_capture_may_be_sent_again(wire):
    Conversation(wire, client="2001:db8::1", server="2001:db8:1::2").packet(True, 2)
    wire.pause(0.2)
    wire.connect().client(hello()).server(server_hello())
    assert judged(wire)[0] != "happy-eyeballs-loser"


def test_check_beside_the_traffic_of_others_is_no_race(wire):
    check = wire.connect(server="198.51.100.2")
    busy = wire.connect(client="192.0.2.7", server="198.51.100.3")
    check.close(True)
    busy.client(hello()).server(server_hello())
    assert judged(wire)[0] == "connect-close-probe"


# -- after the ClientHello --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reaction", [None, 50, 10, 40], ids=["curl", "openssl", "gnutls", "java"])
def test_server_closes_and_the_client_may_complain(wire, reaction):
    talk = wire.connect().client(hello()).close(False, answered=False)
    if reaction is not None:
        talk.client(alert(reaction), acknowledged=False)
    talk.packet(True, 17)
    assert judged(wire) == ("server-fin-after-hello", "likely", "failed", "server")


@pytest.mark.parametrize("bare", [False, True], ids=["with-ack", "bare"])
def test_server_resets(wire, bare):
    wire.connect().client(hello(), acknowledged=False).reset(False, wait=25, ack=not bare)
    assert judged(wire) == ("server-rst-after-hello", "likely", "failed", "server")


def test_reset_of_a_kernel_whose_process_is_gone(wire):
    talk = wire.connect()
    talk.close(False, wait=0.5, answered=False)  # accepted and closed before the hello arrived
    talk.client(hello(), acknowledged=False)
    talk.number[False] -= 1  # the number that the hello acknowledged
    talk.reset(False, wait=20, ack=False)
    assert judged(wire)[3] == "server"


def test_forged_reset_is_never_the_servers_own(wire):
    wire.connect().client(hello(), acknowledged=False).reset(False, wait=0.5, ttl=121)
    cause, confidence, outcome, by = judged(wire)
    assert (outcome, by) == ("failed", "middlebox")
    assert cause != "server-rst-after-hello" or confidence == "possible"


def test_alert_is_no_close_without_a_word(wire):
    wire.connect().client(hello()).server(alert(40)).close(False)
    assert judged(wire)[0] != "server-fin-after-hello"


@pytest.mark.parametrize(("wait", "by"), [(4_000, True), (30_000, True), (5_000, False), (60_000, False)])
def test_silence_after_an_acknowledged_hello(wire, wait, by):
    wire.connect().client(hello()).close(by, wait=wait)
    cause, confidence, outcome, who = judged(wire)
    assert (cause, confidence, outcome) == ("client-hello-no-answer", "likely", "failed")
    assert who == ("client" if by else "server")


def test_client_that_gives_up_is_said_beside_it(wire):
    wire.connect().client(hello()).close(True, wait=10_000)
    (handshake,) = wire.read()
    assert [finding.cause for finding in handshake.also] == ["client-timeout"]
    assert any("10 seconds" in item.says for item in handshake.finding.evidence)


def test_silence_that_nobody_ends(wire):
    wire.connect().client(hello())
    wire.pause(60)
    wire.connect(client="192.0.2.9").close(True)
    assert judged(wire)[:3] == ("client-hello-no-answer", "likely", "failed")


def test_answer_that_the_capture_missed_is_no_silence(wire):
    talk = wire.connect().client(hello())
    talk.number[False] += 1_400  # sent, and never captured
    talk.packet(True, 16)
    talk.close(True, wait=5_000)
    assert judged(wire)[0] != "client-hello-no-answer"


def test_answer_that_came_too_late(wire):
    talk = wire.connect().client(hello()).packet(True, 17, wait=2_000)
    talk.packet(False, 16, wait=20)
    talk.packet(False, 24, server_hello(), wait=3_000)
    talk.packet(True, RST, wait=0.2)
    assert judged(wire)[:2] == ("client-timeout", "likely")


def test_client_that_leaves_at_once(wire):
    wire.connect().client(hello()).close(True)
    assert judged(wire) == ("client-closed-mid-handshake", "likely", "failed", "client")


@pytest.mark.parametrize("reset", [False, True])
def test_server_that_leaves_in_the_middle(wire, reset):
    talk = wire.connect().client(hello()).server(server_hello())
    talk = talk.reset(False, wait=100) if reset else talk.close(False, wait=100, answered=False).client(alert(50), acknowledged=False)
    assert judged(wire) == ("server-closed-mid-handshake", "likely", "failed", "server")


def test_where_it_stopped_is_in_the_summary(wire):
    wire.connect().client(hello()).server(server_hello()).reset(True, wait=100)
    (handshake,) = wire.read()
    assert handshake.finding.cause == "client-closed-mid-handshake"
    assert "in the middle of the server's flight" in handshake.finding.summary


# -- completed ----------------------------------------------------------------------------------------------------------------------------


def complete(talk, alpn="", suite=0xC02F, wait=1.0):
    first, second, third = finished_flights(suite, alpn)
    return talk.client(hello(alpn=(alpn,) if alpn else ())).server(first, wait=wait).client(second).server(third)


def test_slow_server_is_mentioned_beside_a_whole_handshake(wire):
    complete(wire.connect(), wait=2_500).client(data()).server(data()).client(data())
    (handshake,) = wire.read()
    assert handshake.outcome == "completed"
    assert handshake.finding is None
    assert "server-slow" in [finding.cause for finding in handshake.also]


def test_quick_server_is_not(wire):
    complete(wire.connect(rtt=900), wait=50).client(data()).server(data()).client(data())
    (handshake,) = wire.read()
    assert "server-slow" not in [finding.cause for finding in handshake.also]


def test_close_without_goodbye_is_only_mentioned(wire):
    complete(wire.connect()).close(True, wait=3_000)
    (handshake,) = wire.read()
    assert handshake.outcome == "completed"
    assert "unclean-close" in [finding.cause for finding in handshake.also]


def test_goodbye_is_clean(wire):
    talk = complete(wire.connect()).client(bytes([21, 3, 3, 0, 26]) + b"g" * 26)
    talk.close(True)
    (handshake,) = wire.read()
    assert "unclean-close" not in [finding.cause for finding in handshake.also]


def test_nothing_behind_the_end_of_tls(wire):
    complete(wire.connect()).client(data(200), acknowledged=False).reset(False, wait=22)
    assert judged(wire) == ("lb-no-backend", "possible", "failed", "server")


def test_reset_at_the_first_data_after_a_pause_says_nothing_of_what_is_behind(wire):
    """A device on the way, or the server, had forgotten the idle connection."""
    complete(wire.connect()).client(data(200), 4_000, acknowledged=False).reset(False, wait=0.1)
    (handshake,) = wire.read()
    assert (handshake.outcome, handshake.finding) == ("completed", None)


def test_close_before_the_first_data_is_none_at_it_in_a_capture_without_a_clock(wire):
    talk = complete(wire.connect())
    talk.packet(False, 17).packet(True, 24, data(200))
    wire.packets = [bytes(8) + packet[8:] for packet in wire.packets]
    (handshake,) = wire.read()
    assert (handshake.outcome, handshake.finding) == ("completed", None)


def test_answer_that_the_capture_lacks_is_no_missing_server(wire):
    talk = complete(wire.connect()).client(data(200)).server(data(900))
    answer = wire.packets[-2]
    wire.packets[-2] = answer[:8] + (54).to_bytes(4, "little") + answer[12 : 16 + 54]  # its headers alone
    talk.close(False)
    (handshake,) = wire.read()
    assert (handshake.outcome, handshake.finding) == ("completed", None)


def test_answer_and_close_is_service(wire):
    complete(wire.connect()).client(data(200)).server(data(900)).close(False)
    (handshake,) = wire.read()
    assert (handshake.outcome, handshake.finding) == ("completed", None)


@pytest.mark.parametrize(("suite", "cause"), [(0xC013, "http2-inadequate-security"), (0xC02F, None)])
def test_suite_that_http2_forbids(wire, suite, cause):
    complete(wire.connect(), alpn="h2", suite=suite).client(data(80)).server(data(60)).client(data(40)).close(True)
    assert judged(wire)[0] == cause


# -- who had read what --------------------------------------------------------------------------------------------------------------


def test_close_that_acknowledges_nothing_is_no_answer_to_the_hello(wire):
    talk = wire.connect()
    talk.packet(True, 24, hello(), 0.2)
    talk.number[True] -= len(hello())
    talk.close(False, wait=19, answered=False)
    assert judged(wire) == ("lb-no-backend", "possible", "failed", "server")


def test_close_long_before_the_hello(wire):
    talk = wire.connect().close(False, wait=500, answered=False)
    talk.packet(True, 24, hello(), 1_500)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("lb-no-backend", "possible", "failed", "server")
    assert "right after" not in handshake.finding.summary


def test_late_close_is_not_called_an_answer(wire):
    wire.connect().client(hello()).close(False, wait=3_000, answered=False)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("server-fin-after-hello", "likely", "failed", "server")
    assert "3 s after the ClientHello" in handshake.finding.summary


def test_hello_that_the_client_did_not_finish(wire):
    wire.connect().client(hello()[:60]).close(True, wait=4_000)
    (handshake,) = wire.read()
    assert verdict(handshake) == ("client-closed-mid-handshake", "likely", "failed", "client")
    assert "in the middle of the ClientHello" in handshake.finding.summary


def at_the_server(wire, answer):
    """Captured beside the server: SYN-ACK at once, everything of the client half a second late."""
    talk = Conversation(wire, rtt=0.1)
    talk.packet(True, 2)
    talk.packet(False, 18, wait=0.1)
    talk.packet(True, 16, wait=500)
    talk.client(hello(), acknowledged=True)
    talk.packet(False, 24, answer, wait=1)
    return talk


def test_client_that_left_before_the_answer_reached_it_judged_nothing(wire):
    first, _, _ = finished_flights()
    talk = at_the_server(wire, first)
    sent = talk.number[False]
    talk.number[False] -= len(first)
    talk.packet(True, 17, wait=500)
    talk.number[False] = sent
    assert judged(wire) == ("client-timeout", "likely", "failed", "client")


def test_host_that_has_no_such_connection_refused_nothing(wire):
    first, _, _ = finished_flights()
    at_the_server(wire, first).reset(True, wait=500, ack=False)
    assert judged(wire) == ("client-closed-mid-handshake", "possible", "failed", "unknown")


def test_syn_ack_for_a_client_that_had_given_up(wire):
    talk = Conversation(wire)
    talk.packet(True, 2)
    talk.number[True] -= 1
    talk.packet(True, 2, wait=1_000)
    talk.packet(False, 18, wait=1_000)
    talk.packet(True, RST, wait=0.1)
    assert judged(wire) == ("client-timeout", "likely", "failed", "client")


def test_http2_server_speaks_first_also_to_a_client_that_refuses_its_certificate(wire):
    first, key, last = finished_flights(alpn="h2")
    talk = wire.connect().client(hello(alpn=("h2", "http/1.1"))).server(first)
    talk.client(key)
    talk.server(last + data(40))
    talk.close(True)
    assert judged(wire)[2] == "failed"


def test_close_unheard_beside_others_that_are_answered_blames_no_name_and_no_version(wire):
    wire.connect(client="192.0.2.8").client(hello()).server(server_hello()).close(True)
    talk = wire.connect()
    talk.packet(True, 24, hello("other.example"), 0.2)
    talk.number[True] -= len(hello("other.example"))
    talk.close(False, wait=19, answered=False)
    found = wire.read()
    assert verdict(found[1]) == ("server-fin-after-hello", "possible", "failed", "server")


def test_a_hello_that_crossed_the_servers_close_of_an_idle_connection(wire):
    talk = wire.connect()
    wire.pause(60)
    talk.packet(False, 0x11).client(hello(), acknowledged=False).reset(False, ack=False)
    assert judged(wire)[:2] == ("server-fin-after-hello", "possible")
