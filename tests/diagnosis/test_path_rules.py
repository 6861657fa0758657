"""Causes on the path: each sign, and what looks like it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packet_building import Talk, cause, found, judge, noted, verdict

from analyzer.model.faults import Fault
from analyzer.model.handshake import Dialogue


def lost(talk, *pauses):
    """The hello again and again."""
    return talk.repeat(talk.hello_segment(), *(pauses or (0.2, 0.4, 0.8, 1.6)))


def beside(name="other.example", length=517, number=1, **how):
    return Talk(frame=1000 * number, client_port=41000 + number, **how).connect().greet(name, length).completed()


# -- lost hellos ---------------------------------------------------------------------------------------


def test_a_hello_that_never_arrives():
    h = judge(lost(Talk().connect().greet()).handshake())
    assert verdict(h) == ("client-hello-unacked", "failed", "unknown")
    assert "5 times" in found(h).summary


def test_the_client_that_gave_up_is_not_to_blame_for_it():
    talk = lost(Talk().connect().greet())
    talk.client(2, "FA")
    assert verdict(judge(talk.handshake())) == ("client-hello-unacked", "failed", "unknown")


def test_a_hello_that_was_acknowledged_is_another_matter():
    talk = Talk().connect().greet()
    talk.repeat(talk.hello_segment(), 0.2, 0.4)
    talk.server(0.04)
    talk.client(5, "FA")
    assert cause(judge(talk.handshake())) not in ("client-hello-unacked", "sni-filter-drop", None)


def test_a_name_that_is_dropped_while_another_passes():
    h = judge(lost(Talk().connect().greet("blocked.example")).handshake(), beside())
    assert verdict(h) == ("sni-filter-drop", "failed", "unknown")
    assert found(h).confidence == "likely"


def test_a_name_that_was_answered_elsewhere_is_not_filtered():
    h = judge(lost(Talk().connect().greet("server.example")).handshake(), beside("server.example"))
    assert cause(h) == "client-hello-unacked"


def test_a_short_hello_that_passes_does_not_clear_a_long_one():
    """What differs is the length: that is no reason to suspect the name."""
    h = judge(lost(Talk().connect().greet("server.example", 1800, parts=2)).handshake(), beside("other.example", 300))
    assert cause(h) == "pmtu-blackhole-client-hello"


def test_a_large_hello_of_which_only_the_end_arrives():
    talk = Talk().connect().greet(length=1800, parts=2)
    talk.server(0.04, "A", acknowledgment=1, options=0x18)
    h = judge(lost(talk).handshake())
    assert verdict(h) == ("pmtu-blackhole-client-hello", "failed", "unknown")
    assert found(h).confidence == "likely"


def test_a_small_hello_is_never_too_big():
    assert cause(judge(lost(Talk().connect().greet(length=300)).handshake(), beside(length=200))) == "sni-filter-drop"
    assert cause(judge(lost(Talk().connect().greet(length=300)).handshake())) == "client-hello-unacked"


# -- lost flights --------------------------------------------------------------------------------------


def test_a_hole_of_whole_segments_seen_at_the_client():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.server(0.001, "PA", 953, sequence=1449)
    talk.client(0.001, "A", acknowledgment=1, options=0x18)
    talk.client(6, "FA", acknowledgment=1)
    talk.server(0.05, "A")
    h = judge(talk.handshake())
    assert verdict(h) == ("pmtu-blackhole-server-flight", "failed", "unknown")
    assert "1 full segment of 1448" in " ".join(e.says for e in found(h).evidence)


def server_side(sack: bool, client_lives: bool = True):
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    talk.client(0.04)
    talk.greet()
    full = talk.server(0.001, "A", 1448)
    talk.server(0.0001, "PA", 900)
    if client_lives:
        talk.client(0.04, "A", acknowledgment=1, options=0x18 if sack else 0x10)
    talk.repeat(full, 0.2, 0.4, 0.8, 1.6)
    if client_lives:
        talk.client(3, "FA", acknowledgment=1)
    return talk.handshake(stage="server-hello")


def test_a_full_segment_repeated_in_vain_seen_at_the_server():
    h = judge(server_side(True))
    assert verdict(h) == ("pmtu-blackhole-server-flight", "failed", "unknown")
    assert found(h).confidence == "likely"


def holes(mss, survived, server):
    """Seen at the client: the server's full segments vanish, a shorter one of its second write arrives."""
    talk = Talk(mss=mss, server=server).connect().greet()
    talk.server(0.04)
    talk.server(0.001, "PA", survived, sequence=1 + 2 * (mss - 12))
    talk.client(0.0001, acknowledgment=1, options=0x18)
    talk.client(12, "FA", acknowledgment=1)
    talk.server(0.04)
    return talk.handshake(client_mss=mss, server_mss=mss)


@pytest.mark.parametrize(("mss", "server"), [(1440, "2001:db8::2"), (1460, "198.51.100.2")])
def test_full_segments_that_vanish_beside_one_nearly_as_long(mss, server):
    h = judge(holes(mss, 1240, server))
    assert verdict(h) == ("pmtu-blackhole-server-flight", "failed", "unknown")
    assert "Packets of 1500 bytes" in found(h).summary


def test_a_full_segment_that_arrived_clears_the_path():
    assert cause(judge(holes(1440, 1428, "2001:db8::2"))) != "pmtu-blackhole-server-flight"


def test_a_client_that_is_gone_did_not_get_a_short_flight_either():
    talk = Talk().connect().greet()
    flight = talk.server(0.04, "PA", 1200)
    talk.repeat(flight, 0.2, 0.4, 0.8, 1.6)
    h = judge(talk.handshake(stage="server-hello"))
    assert cause(h) == "loss-slow-handshake"
    assert found(h).confidence == "possible"


def test_full_flights_that_pass_to_the_same_client_clear_the_path():
    assert cause(judge(server_side(True), beside())) != "pmtu-blackhole-server-flight"


def test_a_server_that_sent_nothing_lost_nothing():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.client(6, "FA")
    talk.server(0.04)
    h = judge(talk.handshake())
    assert "pmtu-blackhole-server-flight" not in {cause(h), *noted(h)}


def test_losses_of_all_sizes_that_are_repaired_too_late():
    talk = Talk().connect().greet()
    talk.repeat(talk.hello_segment(), 0.2, 0.4)
    talk.server(0.04)
    talk.server(0.6, "A", 1448)
    talk.client(0.001)
    talk.client(1, "FA")
    talk.server(0.01, "PA", 800)
    h = judge(talk.handshake(stage="server-hello"))
    assert verdict(h) == ("loss-slow-handshake", "failed", "client")


@pytest.mark.parametrize(("sent_later", "said"), [(1000, "loss-slow-handshake"), (0, "client-closed-mid-handshake")])
def test_segments_that_waited_in_a_queue_were_not_lost(sent_later, said):
    talk = Talk().connect().greet()
    talk.server(0.04)
    for pause in (0.001, 1, 0.9):
        talk.answer(pause, 1448)
        talk.client(0.0001)
    talk.client(0.1, "FA")
    late = iter((1, 1 + sent_later, 1 + 2 * sent_later))
    talk.segments = [s._replace(timestamp_value=next(late)) if s.length and not s.from_client else s for s in talk.segments]
    h = talk.handshake(stage="server-hello", server_gaps=0)
    assert cause(judge(h)) == said


# -- names and resets ----------------------------------------------------------------------------------


def reset_hello(name="blocked.example", **how):
    talk = Talk(**how).connect().greet(name)
    talk.server(0.002, "RA", ttl=118, ip_id=0, options=0)
    return talk.handshake()


def test_a_name_that_is_reset():
    h = judge(reset_hello(), beside())
    assert verdict(h) == ("sni-filter-rst", "failed", "middlebox")
    assert (found(h).confidence, found(h).reset_class) == ("likely", "post-psh")


def test_a_name_that_the_server_answers_elsewhere_is_not_what_was_reset():
    assert verdict(judge(reset_hello("server.example"), beside("server.example"))) == ("middlebox-rst-injection", "failed", "middlebox")


def test_a_hello_without_a_name_cannot_be_reset_for_it():
    assert cause(judge(reset_hello(None))) == "middlebox-rst-injection"


def test_a_reset_in_the_middle_of_the_server_s_flight():
    talk = Talk().connect().greet().answer()
    talk.server(0.0005, "RA", ttl=118, ip_id=0, options=0)
    h = judge(talk.handshake())
    assert verdict(h) == ("middlebox-rst-injection", "failed", "middlebox")
    assert found(h).reset_class == "later-data"


def test_the_server_s_own_reset_after_the_hello_stays_the_server_s():
    talk = Talk().connect().greet()
    talk.server(0.041, "RA")
    h = judge(talk.handshake(), beside())
    assert h.aborted_by == "server"
    assert not {cause(h), *noted(h)} & {"sni-filter-rst", "middlebox-rst-injection"}


def test_an_alert_before_a_reset_is_what_ended_it():
    talk = Talk().connect().greet()
    alert = talk.alert(40)
    talk.server(0.0001, "RA", ttl=119, ip_id=0, options=0)
    h = judge(talk.handshake(alerts=[alert], stage="server-alert"))
    assert h.aborted_by == "server"
    assert cause(h) not in ("middlebox-rst-injection", "sni-filter-rst")


def test_a_reset_with_a_text():
    talk = Talk().connect().greet()
    reset = talk.server(0.002, "RA", ttl=255, ip_id=7, options=0)
    h = judge(talk.handshake(reset_text=b"BIG-IP: [0x2b6d2b6:1234] No local listener", reset_text_frame=reset.frame))
    assert verdict(h) == ("rst-with-text", "failed", "middlebox")
    assert "No local listener" in found(h).summary


@pytest.mark.parametrize("noise", [b"\x15\x03\x03\x00\x02\x02\x28", b"\0" * 20, b"ab", bytes(range(128, 160))])
def test_a_reset_with_bytes_that_are_no_text(noise):
    talk = Talk().connect().greet()
    reset = talk.server(0.041, "RA")
    assert cause(judge(talk.handshake(reset_text=noise, reset_text_frame=reset.frame))) != "rst-with-text"


def test_a_connection_opened_beforehand_and_forgotten():
    talk = Talk().connect()
    talk.now += 350 * 10**9
    talk.greet()
    talk.server(0.02, "R", ip_id=0, options=0)
    h = judge(talk.handshake())
    assert cause(h) == "idle-timeout-reset"
    assert found(h).reset_class == "post-psh"


def test_a_reset_without_a_pause_is_no_idle_timeout():
    talk = Talk().connect().greet()
    talk.server(0.041, "R", ip_id=0, options=0)
    assert cause(judge(talk.handshake())) != "idle-timeout-reset"


def test_a_first_attempt_that_is_tested():
    talk = Talk()
    talk.client(flags="S")
    talk.server(0.002, "SA", acknowledgment=99_999)
    talk.client(0.0001, "R", sequence=99_999, ip_id=0, options=0)
    h = judge(talk.handshake(), Talk(frame=100, client_port=40001, begin=1.5).connect().greet().completed())
    assert verdict(h) == ("ddos-challenge-reset", "failed", "middlebox")


# -- TLS 1.3 and large hellos -------------------------------------------------------------------------


def older(begin=5.0):
    return Talk(frame=100, client_port=40001, begin=begin).connect().greet(length=200, versions=(0x0303,)).completed()


def test_tls13_in_silence_and_tls12_answered():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.client(4, "FA")
    talk.repeat(talk.segments[-1], 0.2)
    h = judge(talk.handshake(), older())
    assert verdict(h) == ("tls13-middlebox-intolerance", "failed", "unknown")


def test_tls13_reset_by_a_device_and_tls12_answered():
    talk = Talk().connect().greet()
    talk.server(0.025, "RA", ttl=118, ip_id=0, options=0)
    assert verdict(judge(talk.handshake(), older())) == ("tls13-middlebox-intolerance", "failed", "middlebox")


def test_tls13_whose_server_hello_reached_the_client_passes():
    talk = Talk().connect().greet().answer(version=0x0304)
    talk.client(0.0001)
    talk.server(0.001, "R", ttl=118, ip_id=0, options=0)
    assert verdict(judge(talk.handshake(), older())) == ("middlebox-rst-injection", "failed", "middlebox")


def test_tls12_that_was_reset_the_same_way_shows_nothing_of_tls13():
    talk = Talk().connect().greet()
    talk.server(0.025, "RA", ttl=118, ip_id=0, options=0)
    other = Talk(frame=100, client_port=40001, begin=5.0).connect().greet(length=200, versions=(0x0303,)).answer()
    other.client(0.0001, "R", ttl=118, ip_id=0, options=0)
    assert cause(judge(talk.handshake(), other.handshake())) != "tls13-middlebox-intolerance"


def test_tls13_that_passes_with_others_is_not_what_fails():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.client(4, "FA")
    other = Talk(frame=300, client_port=40009, client="192.0.2.9").connect().greet().answer(version=0x0304).handshake(stage="established")
    assert cause(judge(talk.handshake(), older(), other)) != "tls13-middlebox-intolerance"


def split(acknowledged: int):
    talk = Talk().connect().greet(length=1800, parts=2)
    talk.server(0.04, "A", acknowledgment=acknowledged)
    talk.server(0.0001, "RA", acknowledgment=acknowledged)
    return talk.handshake()


def test_a_server_that_gives_up_on_the_first_half():
    h = judge(split(1449))
    assert verdict(h) == ("large-client-hello-intolerance", "failed", "server")
    assert found(h).confidence == "likely"


def test_a_server_that_reads_large_hellos_closed_for_another_reason():
    large = Talk(frame=100, client_port=40001).connect().greet(length=1800, parts=2).completed()
    assert cause(judge(split(1801), large)) != "large-client-hello-intolerance"


def test_a_whole_large_hello_refused_without_anything_to_compare_with():
    assert cause(judge(split(1801))) != "large-client-hello-intolerance"


# -- ICMP and options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "words"), [(0, "network"), (1, "host"), (3, "port"), (13, "administratively prohibited")])
def test_icmp_that_names_the_refusal(code, words):
    talk = Talk()
    talk.client(flags="S")
    talk.unreachable(code, after=0.01)
    h = judge(talk.handshake(stage="refused"))
    assert verdict(h) == ("icmp-unreachable", "failed", "middlebox")
    assert words in found(h).summary
    assert "203.0.113.9" in found(h).summary


def test_icmp_from_the_server_itself():
    talk = Talk()
    talk.client(flags="S")
    talk.unreachable(3, "198.51.100.2")
    assert verdict(judge(talk.handshake(stage="refused"))) == ("icmp-unreachable", "failed", "server")


def refused_flight(code=13, kind=3, arrives=False):
    """Recorded at the server: its flight comes back as an error each time."""
    talk = Talk(rtt=0.0001, client_ttl=60, server_ttl=64).connect().greet()
    talk.server(0.0001)
    talk.answer(0.001, 1448)
    flight = talk.segments[-1]
    talk.server(0, "PA", 700)
    if not arrives:
        talk.client(0.02, acknowledgment=1)
    for pause in (0.2, 0.4, 0.8, 1.6):
        talk.unreachable(code, kind=kind, after=0.0001, quotes_server=True)
        talk.repeat(flight, pause)
    if arrives:
        talk.client(0.02, acknowledgment=2149)
    talk.client(2, "FA", acknowledgment=2149 if arrives else 1)
    return judge(talk.handshake())


def test_icmp_about_what_the_server_sends_is_why_its_flight_is_lost():
    h = refused_flight()
    assert verdict(h) == ("icmp-unreachable", "failed", "middlebox")
    assert "does not pass on what server.example" in found(h).summary
    assert verdict(refused_flight(0, 11)) == ("icmp-unreachable", "failed", "middlebox")


def test_icmp_about_a_flight_that_arrived_all_the_same_is_no_cause():
    assert cause(refused_flight(arrives=True)) != "icmp-unreachable"


def test_icmp_about_a_syn_ack_does_not_say_that_the_server_cannot_be_reached():
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    talk.unreachable(1, after=0.01, quotes_server=True)
    for pause in (1, 2, 4):
        talk.server(pause, "SA", sequence=0)
    h = judge(talk.handshake(), seconds_more=30)
    assert cause(h) == "icmp-unreachable"
    assert "sends to the client" in found(h).summary


def test_icmp_about_packet_size_is_no_refusal():
    talk = Talk().connect().greet()
    talk.unreachable(4)
    talk.server(0.1)
    talk.client(5, "FA")
    assert cause(judge(talk.handshake())) != "icmp-unreachable"


def test_icmp_that_did_not_keep_the_server_from_answering():
    talk = Talk()
    talk.client(flags="S")
    talk.unreachable(1)
    talk.client(1, "S", sequence=0)
    talk.server(0.04, "SA")
    talk.client(0.0001)
    talk.client(0.1, "FA")
    assert cause(judge(talk.handshake())) != "icmp-unreachable"


def test_icmp_says_that_a_flight_is_too_big():
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    talk.client(0.04)
    talk.greet()
    full = talk.server(0.001, "PA", 1448)
    talk.unreachable(4, after=0.01, quotes_server=True)
    talk.repeat(full, 0.2, 0.4)
    h = judge(talk.handshake(stage="server-hello"))
    assert cause(h) == "pmtu-blackhole-server-flight"
    assert found(h).confidence == "certain"


def ecn(second: str):
    talk = Talk()
    talk.client(flags="SEW")
    talk.client(1, second, sequence=0)
    talk.server(0.04, "SA")
    talk.client(0.0001)
    talk.client(0.001, "FA")
    return judge(talk.handshake())


def test_a_syn_with_ecn_dropped_and_one_without_answered():
    assert verdict(ecn("S")) == ("tcp-option-intolerance", "failed", "client")


def test_a_lost_syn_that_is_repeated_as_it_was_shows_no_intolerance():
    assert cause(ecn("SEW")) != "tcp-option-intolerance"


# -- pages, portals, dialogues, bytes -----------------------------------------------------------------


def page(text: bytes, **how):
    talk = Talk().connect().greet()
    segment = talk.server(0.002 if "ttl" in how else 0.04, "PA", len(text), **how)
    talk.client(0.001, "FA")
    return judge(talk.handshake(server_bytes=text, server_bytes_frame=segment.frame))


def test_a_page_from_another_sender():
    h = page(b"HTTP/1.1 403 Forbidden\r\nServer: x\r\n\r\nThis site is blocked", ttl=128)
    assert verdict(h) == ("middlebox-block-page", "failed", "middlebox")
    assert found(h).confidence == "likely"


def test_a_page_that_stands_before_the_hello_in_the_file_answers_it_all_the_same():
    """Two interfaces merged: its acknowledgment tells."""
    text = b"HTTP/1.1 403 Forbidden\r\n\r\nThis site is blocked"
    talk = Talk().connect().greet()
    segment = talk.server(0.002, "PA", len(text), ttl=128)
    talk.client(0.001, "FA")
    talk.segments = [s._replace(frame=3) if s is segment else s for s in talk.segments]
    h = judge(talk.handshake(server_bytes=text, server_bytes_frame=3))
    assert verdict(h) == ("middlebox-block-page", "failed", "middlebox")


def test_a_redirect_to_a_login():
    h = page(b"HTTP/1.1 302 Found\r\nLocation: http://portal.hotel.example/login?to=x\r\n\r\n")
    assert verdict(h) == ("captive-portal", "failed", "middlebox")


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>400 Bad Request</html>",
        b"HTTP/1.1 403 Forbidden\r\nServer: nginx\r\n\r\n<html>403</html>",
        b"HTTP/1.1 301 Moved\r\nLocation: https://server.example/\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
    ],
)
def test_a_plain_server_on_that_port_is_no_middlebox(text):
    assert cause(page(text)) in ("tls-on-plaintext-port", "implicit-vs-starttls")


def test_an_offer_that_was_overwritten():
    talk = Talk(server_port=25).connect()
    talk.server(0.01, "PA", 100)
    talk.client(0.01, "FA")
    lines = [(4, False, "220 mail ESMTP"), (5, True, "EHLO me"), (6, False, "250-XXXXXXXA"), (7, False, "250 8BITMIME")]
    h = judge(talk.handshake(stage="dialogue", dialogue=Dialogue("smtp-starttls", "not-offered", lines=lines)))
    assert verdict(h) == ("starttls-stripped", "failed", "middlebox")


def test_a_host_name_with_many_x_is_no_mask():
    talk = Talk(server_port=25).connect()
    talk.client(0.01, "FA")
    lines = [(4, False, "220 xxxxxxxxx.example ESMTP XXL"), (6, False, "250 8BITMIME")]
    h = judge(talk.handshake(stage="dialogue", dialogue=Dialogue("smtp-starttls", "not-offered", lines=lines)))
    assert cause(h) != "starttls-stripped"


def test_bytes_that_came_twice_and_differ():
    talk = Talk().connect().greet().answer()
    alert = talk.alert(51, 0.001, from_client=True)
    talk.client(0.0001, "FA")
    fault = Fault("overlap", False, 5, "other bytes than before at stream offset 100: the first copy was used")
    h = judge(talk.handshake(alerts=[alert], faults=[fault]))
    assert verdict(h) == ("data-corruption", "failed", "client")
    talk = Talk().connect().greet().answer()
    alert = talk.alert(40, 0.001, from_client=True)  # Java, of a signature that does not verify
    talk.client(0.0001, "FA")
    assert cause(judge(talk.handshake(alerts=[alert], faults=[fault]))) == "data-corruption"
    clean = Talk().connect().greet().answer()
    alert = clean.alert(51, 0.001, from_client=True)
    clean.client(0.0001, "FA")
    assert cause(judge(clean.handshake(alerts=[alert]))) != "data-corruption"


def told_too_big(*again: int, mtu: int = 1300):
    """A server whose first segment is too big for the path and that is told so, and what it sent after that."""
    talk = Talk(rtt=0.0001)
    talk.client(flags="S")
    talk.server(0.0001, "SA")
    talk.client(0.04)
    talk.greet()
    talk.server(0.001, "PA", 1448)
    talk.unreachable(4, after=0.01)
    talk.icmp[-1] = replace(talk.icmp[-1], mtu=mtu, source_port=443, destination_port=40000)
    for length in again:
        talk.say(False, 0.3, "PA", length, sequence=1, retransmission=True)
    return talk


def test_a_server_that_was_told_of_a_narrow_path_is_about_to_send_less():
    h = judge(told_too_big().handshake(stage="server-hello"))
    assert (cause(h), h.outcome) == ("cap-ended-early", "unfinished")


def test_smaller_packets_after_icmp_are_no_black_hole():
    h = judge(told_too_big(1248, 1248).handshake(stage="server-hello"), seconds_more=0.1)
    assert cause(h) != "pmtu-blackhole-server-flight"


def test_packets_as_long_as_before_show_that_the_server_does_not_hear_icmp():
    talk = told_too_big(1448, 1448)
    talk.client(5, "FA", acknowledgment=1)
    h = judge(talk.handshake(stage="server-hello"))
    assert (cause(h), found(h).confidence) == ("pmtu-blackhole-server-flight", "certain")


def test_icmp_about_packets_of_the_other_side_is_nothing_to_the_server():
    talk = told_too_big(1248, 1448)
    talk.icmp[-1] = replace(talk.icmp[-1], source_port=40000, destination_port=443)
    talk.client(5, "FA", acknowledgment=1)
    h = judge(talk.handshake(stage="server-hello"))
    assert cause(h) != "pmtu-blackhole-server-flight" or found(h).confidence != "certain"


def test_who_counts_the_hops_meets_no_routing_loop():
    talk = Talk(client_ttl=3)
    talk.client(flags="S")
    talk.unreachable(0, kind=11, after=0.01)
    h = judge(talk.handshake(stage="refused"))
    assert verdict(h) == ("port-scan", "no-handshake", "none")


def test_a_packet_that_began_as_others_do_and_died_on_the_way_went_round():
    talk = Talk()
    talk.client(flags="S")
    talk.unreachable(0, kind=11, after=0.01)
    assert cause(judge(talk.handshake(stage="refused"))) == "icmp-unreachable"


@pytest.mark.parametrize(
    "where", ["/login.asp", "http://198.51.100.2/login.asp", "http://server.example/auth", "https://sso.server.example/login"]
)
def test_a_server_that_sends_to_its_own_login_page_is_no_portal(where):
    assert cause(redirected(where)) == "tls-on-plaintext-port"


@pytest.mark.parametrize("where", ["http://[::", "//", "http://portal.example/login"])
def test_a_portal_sends_elsewhere_and_any_location_can_be_read(where):
    assert cause(redirected(where)) in ("captive-portal", "tls-on-plaintext-port")


def redirected(where: str):
    return judge(answered(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\n\r\n".encode()))


def answered(page: bytes, syn_ack: int = 52, ttl: int = 52):
    talk = Talk(server_ttl=syn_ack).connect().greet()
    talk.server(0.04, "A", ttl=ttl)
    said = talk.server(0.01, "PA", len(page), ttl=ttl)
    talk.server(0.01, "FA", ttl=ttl)
    return talk.handshake(stage="server-not-tls", server_bytes=page, server_bytes_frame=said.frame)


@pytest.mark.parametrize(("syn_ack", "ttl"), [(245, 52), (60, 57), (57, 61)])
def test_a_balancer_that_wrote_the_syn_ack_makes_no_device_of_the_server_behind_it(syn_ack, ttl):
    h = judge(answered(b"HTTP/1.1 400 Bad Request\r\n\r\n", syn_ack, ttl))
    assert cause(h) == "tls-on-plaintext-port"


def test_a_long_hello_of_which_the_short_end_is_lost_too_met_no_narrow_path():
    assert cause(judge(lost(Talk().connect().greet(length=1800, parts=2)).handshake())) == "client-hello-unacked"


def test_one_name_lost_long_after_another_passed_may_have_met_a_broken_path():
    late = lost(Talk(begin=300, frame=500).connect().greet("blocked.example")).handshake()
    h = judge(late, beside())
    assert (cause(h), found(h).confidence) == ("sni-filter-drop", "possible")


@pytest.mark.parametrize("masked", ["USER XXXXXXXX", "EHLO XXXXXX", "AUTH PLAIN XXXXXXXXXXXX"])
def test_what_people_mask_in_their_captures_is_no_overwritten_offer(masked):
    talk = Talk(server_port=25).connect()
    talk.client(0.01, "FA")
    lines = [(4, False, "220 mail ESMTP"), (5, True, masked), (6, False, "250 8BITMIME")]
    h = judge(talk.handshake(stage="dialogue", dialogue=Dialogue("smtp-starttls", "not-offered", lines=lines)))
    assert cause(h) != "starttls-stripped"


def test_another_word_that_was_overwritten_beside_an_offer_of_tls():
    talk = Talk(server_port=25).connect()
    talk.client(0.01, "FA")
    lines = [(4, False, "220 mail ESMTP"), (5, True, "EHLO a"), (6, False, "250-XXXXXXXA"), (7, False, "250 STARTTLS")]
    said = Dialogue("smtp-starttls", "refused", code="454", offered=("STARTTLS",), lines=lines)
    assert cause(judge(talk.handshake(stage="dialogue", dialogue=said, outcome="failed"))) != "starttls-stripped"


def test_a_keep_alive_with_a_byte_of_garbage_is_no_corruption():
    talk = Talk().connect().greet().answer()
    probe = talk.server(60, "A", 1, sequence=1200)
    fault = Fault("overlap", False, probe.frame, "the same bytes twice")
    refused = talk.alert(42, from_client=True)
    h = judge(talk.handshake(stage="server-hello", faults=(fault,), alerts=(refused,)))
    assert cause(h) != "data-corruption"
