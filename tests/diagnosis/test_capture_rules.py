"""What the capture lacks: said instead of guessed, and never against what was read."""

from __future__ import annotations

import pytest
from packet_building import Talk, cause, found, judge, noted, verdict

from analyzer.model.handshake import Message


def whole():
    talk = Talk().connect().greet().answer()
    talk.client(0.001, "PA", 80)
    talk.server(0.04, "PA", 51)
    talk.client(0.01, "FA")
    return talk


def one_way(from_client: bool, **fields):
    talk = whole()
    talk.segments = [s for s in talk.segments if s.from_client == from_client]
    return talk.handshake(**fields)


@pytest.mark.parametrize("from_client", [True, False])
def test_one_direction_is_unfinished_whoever_closed(from_client):
    h = judge(one_way(from_client, **({"server_hello": None} if from_client else {"client_hello": None})))
    assert verdict(h) == ("cap-one-way", "unfinished", "unknown")


def test_an_alert_that_can_be_read_counts_in_one_direction_too():
    talk = Talk().connect().greet().answer()
    alert = talk.alert(45, 0.001, from_client=True)
    talk.client(0.0001, "FA")
    talk.segments = [s for s in talk.segments if s.from_client]
    h = judge(talk.handshake(server_hello=None, alerts=[alert]))
    assert h.outcome == "failed"
    assert cause(h) != "cap-one-way"
    assert "cap-one-way" in noted(h)


def test_a_capture_that_ends_first():
    for talk in (Talk().connect().greet(), Talk().connect().greet().answer()):
        h = judge(talk.handshake(), seconds_more=0.5)
        assert verdict(h) == ("cap-ended-early", "unfinished", "unknown")


def test_an_excerpt_of_each_connection():
    h = judge(Talk().connect().greet().answer().handshake(), seconds_more=600)
    assert verdict(h) == ("cap-ended-early", "unfinished", "unknown")
    assert "later packets are not in the file" in " ".join(e.says for e in found(h).evidence)


def test_a_server_that_stays_silent_is_not_the_capture_s_fault():
    talk = Talk().connect().greet()
    talk.server(0.04)
    h = judge(talk.handshake(), seconds_more=60)
    assert (h.outcome, cause(h)) == ("failed", "client-hello-no-answer")


def test_bytes_that_were_acknowledged_and_not_recorded():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.server(0.01, "FA", sequence=8)
    talk.client(0.001, "FA", acknowledgment=9)
    h = judge(talk.handshake())
    assert verdict(h) == ("cap-drops", "unfinished", "unknown")
    assert "7 bytes are the length of an alert" in " ".join(e.says for e in found(h).evidence)


def test_bytes_that_were_lost_on_the_way_are_no_drops():
    talk = Talk().connect().greet()
    talk.server(0.04)
    talk.server(0.001, "PA", 953, sequence=1449)
    talk.client(0.001, "A", acknowledgment=1, options=0x18)
    talk.client(6, "FA", acknowledgment=1)
    h = judge(talk.handshake())
    assert "cap-drops" not in {cause(h), *noted(h)}


def test_no_syn_and_no_hello():
    talk = Talk()
    talk.next = {True: 1, False: 1}
    talk.server(0, "PA", 500)
    talk.client(0.01, "PA", 90)
    talk.client(0.1, "FA")
    messages = [Message(1, talk.segments[0].timestamp, False, "application_data", 495, 1, True)]
    h = judge(talk.handshake(stage="connected", messages=messages))
    assert verdict(h) == ("cap-mid-stream", "unfinished", "unknown")


def test_packets_cut_short():
    talk = Talk().connect()
    talk.client(0.001, "PA", 517, captured=30)
    talk.server(0.04, "PA", 1400, captured=30)
    talk.client(0.01, "FA")
    h = judge(talk.handshake(stage="client-hello", truncated=2))
    assert verdict(h) == ("cap-snaplen", "unfinished", "unknown")
    assert "30 of 517 bytes" in " ".join(e.says for e in found(h).evidence)


def refused(**fields):
    talk = Talk().connect().greet()
    alert = talk.alert(40)
    talk.server(0.001, "FA")
    return talk.handshake(alerts=[alert], stage="server-alert", **fields)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"truncated": 3}, "cap-snaplen"),
        ({"duplicates": 6}, "cap-duplicates"),
        ({"tunnel": 1}, "cap-encapsulation"),
        ({"decryption": "failed", "decryption_note": "the key log holds no secret for this handshake"}, "cap-keylog-mismatch"),
    ],
)
def test_notes_stand_beside_the_cause(fields, note):
    h = judge(refused(**fields))
    assert h.outcome == "failed"
    assert cause(h) != note
    assert note in noted(h)
    completed = Talk().connect().greet().completed()
    for key, value in fields.items():
        setattr(completed.flow if hasattr(completed.flow, key) else completed, key, value)
    judge(completed)
    assert (completed.outcome, completed.finding) == ("completed", None)
    assert note in noted(completed)


def test_a_sound_capture_gets_no_note():
    notes = {f.cause for f in judge(refused()).also} | noted(judge(Talk().connect().greet().completed()))
    assert not {note for note in notes if note.startswith("cap-")}


def test_frames_out_of_the_order_of_their_times():
    talk = Talk().connect().greet()
    alert = talk.alert(40)
    talk.now -= 500_000_000
    talk.server(0.001, "FA")
    assert "cap-reordered" in noted(judge(talk.handshake(alerts=[alert], stage="server-alert")))


def test_segments_longer_than_was_agreed():
    talk = Talk().connect().greet(length=2000)
    h = judge(talk.handshake(), seconds_more=0.1)
    assert "cap-offload" in noted(h)


def test_the_same_connection_on_both_sides_of_a_translator():
    inside, outside = Talk().connect().greet(), Talk(client="203.0.113.7", begin=0.00004, frame=100).connect().greet()
    h = judge(inside.completed(), outside.completed())
    assert "cap-nat-double" in noted(h)
    later = Talk(client="203.0.113.7", begin=60, frame=100).connect().greet()
    assert "cap-nat-double" not in noted(judge(inside.completed(), later.completed()))
