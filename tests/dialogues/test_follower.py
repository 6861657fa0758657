"""Whole conversations give what they say, however their bytes are cut."""

from __future__ import annotations

import itertools
import time
from dataclasses import astuple
from typing import Any

import pytest
from dialogue_scripts import HELLO, LDAP_OK, SCRIPTS, SERVER_HELLO, SSL_REQUEST, START_TLS, Script, Step
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analyzer.dialogues import Follower
from analyzer.dialogues.follower import LIMIT
from analyzer.dialogues.talk import LINE_LENGTH, LINES

by_name = {script.name: script for script in SCRIPTS}


def follow(steps: list[Step], port: int) -> Follower:
    follower = Follower(port)
    for frame, (who, data) in enumerate(steps, 1):
        follower.feed(who == "C", data, frame)
    return follower


def outcome(follower: Follower) -> tuple[Any, ...]:
    dialogue = astuple(follower.dialogue) if follower.dialogue else None
    return follower.status, follower.client_offset, follower.server_offset, follower.wrapping, dialogue


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_a_conversation_is_understood(script: Script) -> None:
    follower = follow(script.whole(), script.port)
    assert follower.status == script.status
    assert follower.wrapping == script.wrapping
    dialogue = follower.dialogue
    if script.via is None:
        assert dialogue is None
        return
    assert dialogue is not None
    got = (dialogue.via, dialogue.state, dialogue.code, dialogue.offered, dialogue.target, dialogue.ask_frame, dialogue.answer_frame)
    assert got == (script.via, script.state, script.code, script.offered, script.target, script.ask, script.answer)
    assert dialogue.lines, "something was said"
    if script.status == "tls":
        assert (dialogue.client_offset, dialogue.server_offset) == (follower.client_offset, follower.server_offset)


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_tls_begins_where_the_dialogue_says(script: Script) -> None:
    follower = follow(script.whole(), script.port)
    if script.status != "tls":
        return
    for who, begin, first in (("C", follower.client_offset, HELLO), ("S", follower.server_offset, SERVER_HELLO)):
        stream = b"".join(data for side, data in script.whole() if side == who)
        if script.name == "tls to a greeting server" and who == "S":
            assert begin == 0
        else:
            assert stream[begin:].endswith(first) and len(stream) - begin <= len(first) + 8


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_a_byte_at_a_time_changes_nothing(script: Script) -> None:
    follower = Follower(script.port)
    for frame, (who, data) in enumerate(script.whole(), 1):
        for value in data:
            follower.feed(who == "C", bytes([value]), frame)
    assert outcome(follower) == outcome(follow(script.whole(), script.port))


@settings(max_examples=300)
@given(st.sampled_from(SCRIPTS), st.data())
def test_no_cut_changes_anything(script: Script, data: st.DataObject) -> None:
    follower = Follower(script.port)
    for frame, (who, payload) in enumerate(script.whole(), 1):
        cuts = sorted({0, len(payload), *data.draw(st.lists(st.integers(0, len(payload)), max_size=5))})
        for begin, end in itertools.pairwise(cuts):
            follower.feed(who == "C", payload[begin:end], frame)
    assert outcome(follower) == outcome(follow(script.whole(), script.port))


@settings(max_examples=300)
@given(st.sampled_from(SCRIPTS), st.data())
def test_segments_joined_change_nothing_but_frames(script: Script, data: st.DataObject) -> None:
    """Successive segments of one side may travel in one."""
    steps: list[Step] = []
    for who, payload in script.whole():
        if steps and steps[-1][0] == who and data.draw(st.booleans()):
            steps[-1] = (who, steps[-1][1] + payload)
        else:
            steps.append((who, payload))
    assert outcome(follow(steps, script.port))[:4] == outcome(follow(script.whole(), script.port))[:4]


def test_the_answer_and_tls_may_share_a_segment() -> None:
    steps = by_name["smtp"].steps
    follower = follow([*steps[:-1], ("S", steps[-1][1] + SERVER_HELLO)], 25)
    assert (follower.status, follower.server_offset) == ("tls", by_name["smtp"].said("S"))


def test_a_command_behind_starttls_is_written_down() -> None:
    dialogue = follow(by_name["smtp with a command behind STARTTLS"].steps, 25).dialogue
    assert dialogue is not None
    assert [text for _, client, text in dialogue.lines if client][-3:] == ["STARTTLS", "RSET", "MAIL FROM:<evil@b>"]


def test_passwords_are_not_written_down() -> None:
    secrets = ("hunter2", "Ym9i", "c2VjcmV0")
    seen = 0
    for script in SCRIPTS:
        follower = follow(script.whole(), script.port)
        if any(secret.encode() in data for secret in secrets for _, data in script.steps):
            seen += 1
        if follower.dialogue:
            text = repr(follower.dialogue)
            assert not any(secret in text for secret in secrets), script.name
    assert seen >= 5


def test_mangled_capabilities_stay_visible() -> None:
    dialogue = follow(by_name["smtp not offered, mangled"].steps, 25).dialogue
    assert dialogue is not None
    assert (3, False, "250 XXXXXXXA") in dialogue.lines


@pytest.mark.parametrize("name", ["smtp", "imap", "pop3", "ftp", "nntp", "sieve", "mysql", "tds"])
def test_only_the_client_was_captured(name: str) -> None:
    script = by_name[name]
    follower = follow([step for step in script.whole() if step[0] == "C"], script.port)
    follower.finish()
    assert follower.status == "tls"
    assert follower.client_offset == by_name[name].said("C") - (len(HELLO) + 8 if name == "tds" else 0)
    assert follower.server_offset == 0
    assert follower.dialogue is not None and follower.dialogue.state == "asked"


@pytest.mark.parametrize("name", ["ldap", "xmpp", "irc", "postgresql", "rdp", "connect", "socks5", "socks4"])
def test_only_the_client_of_a_silent_server_was_captured(name: str) -> None:
    script = by_name[name]
    follower = follow([step for step in script.whole() if step[0] == "C"], script.port)
    assert follower.status == "undecided", "the answer may still come"
    follower.finish()
    assert (follower.status, follower.client_offset, follower.server_offset) == ("tls", script.said("C"), 0)


def test_a_client_that_goes_on_in_tls_is_not_waited_for_for_ever() -> None:
    follower = Follower(5432)
    follower.feed(True, SSL_REQUEST, 1)
    for frame in range(2, 2000):
        follower.feed(True, HELLO, frame)
        if follower.status == "tls":
            break
    assert (follower.status, follower.client_offset) == ("tls", 8)


@pytest.mark.parametrize(
    "name", ["smtp", "lmtp", "imap", "pop3", "ftp", "nntp", "sieve", "mysql", "ldap", "xmpp", "rdp", "tds", "connect", "irc", "postgresql"]
)
def test_only_the_server_was_captured(name: str) -> None:
    script = by_name[name]
    follower = follow([step for step in script.whole() if step[0] == "S"], script.port)
    assert follower.status == "tls"
    assert follower.server_offset == script.said("S") - (len(SERVER_HELLO) + 8 if name == "tds" else 0)
    assert follower.dialogue is not None and follower.dialogue.state in ("agreed", "not-asked")


def test_the_answer_may_be_missing() -> None:
    follower = Follower(3128)
    follower.feed(True, b"CONNECT a:443 HTTP/1.1\r\n\r\n", 1, 0)
    follower.feed(True, HELLO, 2, 26)
    follower.feed(False, SERVER_HELLO, 3, 95)
    assert (follower.status, follower.client_offset, follower.server_offset) == ("tls", 26, 95)


def test_bytes_lost_inside_a_dialogue_do_not_end_it() -> None:
    script = by_name["smtp"]
    follower = Follower(25)
    offsets = {"C": 0, "S": 0}
    for frame, (who, data) in enumerate(script.whole(), 1):
        if frame != 3:
            begin = 5 if frame == 1 else 0  # the beginning of the greeting was not captured
            follower.feed(who == "C", data[begin:], frame, offsets[who] + begin)
        offsets[who] += len(data)
    assert (follower.status, follower.client_offset, follower.server_offset) == ("tls", script.said("C"), script.said("S"))


def test_a_refused_client_may_begin_tls_all_the_same() -> None:
    follower = follow([*by_name["smtp refused"].steps[:5], ("C", HELLO)], 25)
    assert follower.status == "tls"
    assert follower.dialogue is not None and follower.dialogue.state == "refused"


def test_a_pipelined_hello_after_a_refusal_is_not_tls() -> None:
    follower = follow([("C", START_TLS), ("C", HELLO), ("S", LDAP_OK.replace(b"\x0a\1\0", b"\x0a\1\2"))], 389)
    assert follower.status == "none"
    assert follower.dialogue is not None and (follower.dialogue.state, follower.dialogue.code) == ("refused", "2")


def test_the_diagnostic_of_a_refusal_is_kept() -> None:
    for name, word in (("ldap refused", "unavailable"), ("postgresql error", "no ssl here"), ("mysql turned away", "not allowed"),
                       ("rdp failure", "HYBRID_REQUIRED")):  # fmt: skip
        dialogue = follow(by_name[name].steps, by_name[name].port).dialogue
        assert dialogue is not None and word in repr(dialogue.lines)


def test_long_conversations_and_lines_are_bounded() -> None:
    follower = Follower(25)
    follower.feed(False, b"220 " + b"x" * 5000 + b"\r\n", 1)
    for frame in range(2, 200):
        follower.feed(True, b"NOOP " + b"y" * 300 + b"\r\n", frame)
        follower.feed(False, b"250 ok\r\n", frame)
    dialogue = follower.dialogue
    assert dialogue is not None
    assert len(dialogue.lines) < LINES
    assert max(len(text) for _, _, text in dialogue.lines) == LINE_LENGTH
    follower.feed(True, b"STARTTLS\r\n", 500)
    assert dialogue.lines[-1] == (500, True, "STARTTLS"), "what decides has room"
    follower.feed(True, b"z" * LIMIT, 501)
    assert follower.status == "none"
    assert sum(map(len, (follower._client, follower._server, follower._chunks))) == 0


@pytest.mark.parametrize(
    ("side", "unit", "first"),
    [
        ("C", b"NOOP\r\n", b""),
        ("C", b"x", b""),
        ("S", b"x", b"220 "),
        ("S", b"2", b""),
        ("S", b"250-x\r\n", b"220 hi\r\n"),
        ("C", b"<", b""),
        ("C", b"\x80", b""),
        ("S", b"\r\n", b""),
        ("C", b"\5\1\0", b""),
        ("C", b"\0", SSL_REQUEST),
        ("C", b"CONNECT a:1 HTTP/1.1\r\n\r\n", b""),
    ],
)
def test_work_is_linear_in_the_bytes(side: str, unit: bytes, first: bytes) -> None:
    def seconds(count: int) -> float:
        best = 9.0
        for _ in range(3):
            follower = Follower(25)
            begin = time.process_time()
            follower.feed(side == "C", first, 1)
            for frame in range(count):
                follower.feed(side == "C", unit, frame)
            best = min(best, time.process_time() - begin)
        return best

    assert seconds(4000) < 2.6 * seconds(2000) + 0.005


steps_of_anything = st.lists(
    st.tuples(
        st.sampled_from("CS"),
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([data for script in SCRIPTS for _, data in script.whole()]),
            st.builds(
                lambda data, where, value: data[: where % len(data)] + bytes([value]) + data[where % len(data) + 1 :],
                st.sampled_from([data for script in SCRIPTS for _, data in script.whole()]),
                st.integers(0, 500),
                st.integers(0, 255),
            ),
        ),
    ),
    max_size=12,
)


@st.composite
def spoiled_scripts(draw: st.DrawFn) -> tuple[list[Step], int]:
    """A conversation with steps left out, repeated, swapped, and bytes changed."""
    script = draw(st.sampled_from(SCRIPTS))
    steps = list(script.whole())
    for _ in range(draw(st.integers(0, 3))):
        where = draw(st.integers(0, len(steps) - 1)) if steps else 0
        how = draw(st.sampled_from(["drop", "repeat", "swap", "change", "cut"])) if steps else "none"
        if how == "drop":
            del steps[where]
        elif how == "repeat":
            steps.insert(where, steps[where])
        elif how == "swap":
            steps[where], steps[where - 1] = steps[where - 1], steps[where]
        elif how in ("change", "cut"):
            who, data = steps[where]
            at = draw(st.integers(0, max(0, len(data) - 1)))
            middle = b"" if how == "cut" else bytes([draw(st.integers(0, 255))])
            steps[where] = (who, data[:at] + middle + data[at + 1 :])
    return steps, draw(st.sampled_from([script.port, script.port, 0, 25, 5432]))


ports = st.sampled_from([21, 24, 25, 110, 119, 143, 389, 443, 1080, 1433, 3128, 3306, 3389, 4190, 5222, 5432, 6667, 8080, 0, 65535])


conversations = st.one_of(spoiled_scripts(), st.tuples(steps_of_anything, ports))


@settings(max_examples=1000)
@given(conversations, st.booleans(), st.lists(st.integers(0, 400), min_size=20, max_size=20))
def test_any_bytes_in_any_order_never_raise(conversation: tuple[list[Step], int], lossy: bool, jumps: list[int]) -> None:
    steps, port = conversation
    follower = Follower(port)
    fed = {"C": 0, "S": 0}
    for frame, (who, data) in enumerate(steps, 1):
        if lossy:
            fed[who] += jumps[frame - 1]
        follower.feed(who == "C", data, frame, fed[who] if lossy else None)
        fed[who] += len(data)
        assert follower.status in ("undecided", "tls", "none")
    follower.finish()
    assert 0 <= follower.client_offset <= fed["C"]
    assert 0 <= follower.server_offset <= fed["S"]
    if follower.dialogue:
        assert follower.dialogue.via
        assert follower.dialogue.state in ("asked", "agreed", "refused", "not-offered", "not-asked", "broken")
        assert len(follower.dialogue.lines) <= LINES


@settings(max_examples=1000)
@given(conversations)
@example(([("C", b"\x12\x01\x00\x08\x00\x00\x01\x00")], 1433))  # a TDS packet with nothing in it
def test_any_bytes_cut_anyhow_give_the_same(conversation: tuple[list[Step], int]) -> None:
    steps, port = conversation
    follower = Follower(port)
    for frame, (who, data) in enumerate(steps, 1):
        for value in data:
            follower.feed(who == "C", bytes([value]), frame)
    assert outcome(follower) == outcome(follow(steps, port))
