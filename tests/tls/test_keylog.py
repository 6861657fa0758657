"""Key logs: every line is used, ignored, refused or named as bad, however the text is cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from analyzer.tls.keylog import KeyLog

RANDOM = bytes(range(32))
GOOD = b"CLIENT_RANDOM " + RANDOM.hex().encode() + b" " + b"ab" * 48
TEXT = b"\n".join(
    [
        b"\xef\xbb\xbf# a comment",
        GOOD,
        b"",
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET " + RANDOM.hex().upper().encode() + b" " + b"cd" * 32 + b"\r",
        b"RSA 0123456789abcdef " + b"ab" * 48,
        b"RSA 1123456789abcdef " + b"ab" * 48,
        b"EXPORTER_SECRET " + RANDOM.hex().encode() + b" " + b"ab" * 32,
        b"CLIENT_TRAFFIC_SECRET_N " + RANDOM.hex().encode() + b" " + b"ab" * 32,
        b"CLIENT_RANDOM " + RANDOM.hex().encode(),
        b"CLIENT_RANDOM " + RANDOM.hex().encode() + b" nothexadecimal",
        b"CLIENT_RANDOM abcd " + b"ab" * 48,
        b"CLIENT_TRAFFIC_SECRET_0 " + RANDOM.hex().encode() + b" " + b"ab" * 31,
        b"\x00\xff binary",
        b"x" * 5000,
        b"CLIENT_TRAFFIC_SECRET_0 " + RANDOM.hex().encode() + b" " + b"ef" * 48,
    ]
)


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    log = KeyLog()
    edges = [0, *sorted(cuts), len(TEXT)]
    for start, stop in itertools.pairwise(edges):
        log.feed(TEXT[start:stop], "keys.log")
    assert log.secret(RANDOM, "CLIENT_TRAFFIC_SECRET_0") is None
    log.end("keys.log")
    assert log.secret(RANDOM, "CLIENT_RANDOM") == b"\xab" * 48
    assert log.secret(RANDOM, "SERVER_HANDSHAKE_TRAFFIC_SECRET") == b"\xcd" * 32
    assert log.secret(RANDOM, "CLIENT_TRAFFIC_SECRET_0") == b"\xef" * 48
    assert (len(log), log.bad_lines, log.refused_lines, log.ignored_lines) == (1, 6, 2, 2)
    assert [complaint.line for complaint in log.complaints] == [5, 9, 10, 11, 12, 13, 14]
    assert "RSA line" in log.complaints[0].says
    assert log.complaints[3].says == "CLIENT_RANDOM with a client random of 2 bytes, where it has 32"


def test_shows_no_secret() -> None:
    log = KeyLog()
    log.feed(TEXT)
    shown = repr(log) + repr(log.complaints) + str(vars(log)["complaints"])
    assert "abab" not in shown
    assert repr(log) == "<KeyLog of 1 connections, 6 bad lines>"


def test_tells_sources_apart() -> None:
    log = KeyLog()
    log.feed(GOOD[:30], "file")
    log.feed(b"junk\n", "capture")
    log.feed(GOOD[30:] + b"\n", "file")
    assert RANDOM in log
    assert log.labels(RANDOM) == ("CLIENT_RANDOM",)
    assert [(c.source, c.line) for c in log.complaints] == [("capture", 1)]


def test_keeps_no_more_than_its_limit() -> None:
    log = KeyLog(limit=10)
    for number in range(50):
        log.feed(b"CLIENT_RANDOM " + number.to_bytes(32, "big").hex().encode() + b" " + b"ab" * 48 + b"\n")
    assert (len(log), log.dropped_lines) == (10, 40)


@given(st.binary(max_size=300))
def test_takes_any_bytes(data: bytes) -> None:
    log = KeyLog()
    log.feed(data)
    log.end()
    assert len(log) == 0
