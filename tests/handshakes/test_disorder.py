"""Segments that came late or twice, put in order for all flows at once, read as they do one by one."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, capture_of

from analyzer.decode.decoder import Decoder
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.tracker import Tracker
from analyzer.model.batches import SegmentBatch
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.sources import open_source

NAMES = available(
    "completed--openssl-openssl-tls12",
    "completed--go-go-tls13",
    "completed--java-java-tls13",
    "completed--boringssl-nginx-tls13-hrr",
    "cert-expired--go-nginx-tls12",
    "client-cert-missing--openssl-openssl-tls12",
)


def decoded(name: str) -> SegmentBatch:
    with open_source([str(capture_of(name))]) as source:
        return Decoder().decode(next(iter(source)))


def disorder(s: SegmentBatch, chance) -> SegmentBatch:
    """Cut into smaller segments; those of a side that follow each other come in another order, and some once more."""
    rows: list[tuple[int, int, int]] = []  # (row, begin, end of the part of its payload)
    for row in range(len(s)):
        size = int(s.payload_length[row])
        cuts = sorted({0, size, *(chance.randrange(size) for _ in range(chance.randrange(3)) if size)})
        parts = [(row, a, b) for a, b in zip(cuts, cuts[1:], strict=False)] or [(row, 0, 0)]
        burst = []
        while size and rows and int(s.payload_length[rows[-1][0]]) and s.source_port[rows[-1][0]] == s.source_port[row]:
            burst.insert(0, rows.pop())
        burst += parts
        if size and chance.random() < 0.7:
            chance.shuffle(burst)
        if size and chance.random() < 0.3:
            burst.append(chance.choice(burst))
        rows += burst
    at = np.array([row for row, _, _ in rows])
    begins = np.array([begin for _, begin, _ in rows])
    lengths = np.array([end - begin for _, begin, end in rows])
    columns = {
        field.name: value[at]
        for field in fields(s)
        if field.name != "data" and isinstance(value := getattr(s, field.name), np.ndarray) and len(value) == len(s)
    }
    columns["payload_offset"] = columns["payload_offset"] + begins
    columns["sequence"] = columns["sequence"] + begins.astype(np.uint32)
    columns["payload_length"] = lengths.astype(columns["payload_length"].dtype)
    columns["wire_length"] = lengths.astype(columns["wire_length"].dtype)
    columns["frame"] = np.arange(1, len(at) + 1)
    columns["timestamp"] = np.sort(columns["timestamp"]) // 1_000_000 * 1_000_000  # some share a time
    return replace(s, **columns)


def at_once(s: SegmentBatch) -> Handshake:
    tracker = Tracker(Options())
    tracker.take(s)
    return tracker.finish()[0]


def by_segment(s: SegmentBatch, patch: pytest.MonkeyPatch) -> Handshake:
    patch.setattr("analyzer.handshakes.tracker.find_whole", lambda columns, rows, *_: [None] * len(rows))
    return at_once(s)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False))
def test_order_and_copies_change_nothing(name: str, chance) -> None:
    s = disorder(decoded(name), chance)
    read = at_once(s)
    with pytest.MonkeyPatch.context() as patch:
        expected = by_segment(s, patch)
    assert read.messages == expected.messages
    assert read.segments == expected.segments
    assert read == expected


def test_a_copy_with_other_bytes_is_told() -> None:
    name = "completed--openssl-openssl-tls12"
    s = decoded(name)
    longest = int(np.argmax(s.payload_length))
    at = np.array([*range(longest + 1), longest, *range(longest + 1, len(s))])
    columns = {
        field.name: value[at].copy()
        for field in fields(s)
        if field.name != "data" and isinstance(value := getattr(s, field.name), np.ndarray) and len(value) == len(s)
    }
    changed = s.data[s.payload_offset[longest] : s.payload_offset[longest] + s.payload_length[longest]].copy()
    changed[-1] ^= 1
    columns["payload_offset"][longest + 1] = len(s.data)
    columns["frame"] = np.arange(1, len(at) + 1)
    read = at_once(replace(s, data=np.concatenate([s.data, changed]), **columns))
    assert [fault.kind for fault in read.faults] == ["overlap"]


def test_it_is_followed_when_more_comes() -> None:
    """What was put in order is taken up segment by segment."""
    connection = Connection(443, (None, None), None, 1 << 20)
    hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01"
    assert connection.take_flight((hello, 7, [4, 9], [2, 1], [2, 1]), (b"", 0, [], [], []), None, ([1, 0], []))
    assert connection.is_tls
    connection.segment(True, 16, b"\0", 3, 3, 1)
    assert [message.frame for message in connection.follower.messages] == [3]
