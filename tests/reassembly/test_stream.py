"""However a stream is cut, ordered and repeated, the same bytes come out."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.reassembly.stream import FAR, OVERHEAD, RECORDED, Piece, Stream

Segment = tuple[int, bytes]


def bytes_of(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces)


def assert_contiguous(pieces: list[Piece], offset: int = 0) -> None:
    for piece in pieces:
        assert piece.offset == offset
        assert piece.data
        offset += len(piece.data)


def started(sequence: int = 1000, limit: int = 1 << 20) -> Stream:
    stream = Stream(limit)
    stream.start(sequence)
    return stream


@st.composite
def shuffled_streams(draw: st.DrawFn) -> tuple[int, bytes, list[Segment]]:
    """A stream, and segments that cover it: cut anywhere, overlapping, repeated, in any order."""
    data = draw(st.binary(min_size=1, max_size=300))
    start = draw(st.sampled_from([0, 1, 1000, 2**31 - 50, 2**32 - 1, 2**32 - 100, 2**32 - 299]))
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=20))})
    segments = list(itertools.pairwise(cuts))
    extra = st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))
    segments += [(min(pair), max(pair)) for pair in draw(st.lists(extra, max_size=10))]
    order = draw(st.permutations(segments))
    return start, data, [((start + begin) % 2**32, data[begin:end]) for begin, end in order]


@given(shuffled_streams())
def test_any_cut_order_and_duplication_gives_the_same_bytes(case: tuple[int, bytes, list[Segment]]) -> None:
    start, data, segments = case
    stream = started(start)
    pieces: list[Piece] = []
    for frame, (sequence, payload) in enumerate(segments, 1):
        pieces += stream.add(sequence, payload, frame, frame * 10)
    assert bytes_of(pieces) == data
    assert_contiguous(pieces)
    assert stream.next_offset == len(data)
    assert stream.pending == 0
    assert stream.conflicts == [] and stream.gaps == [] and stream.capped == 0
    for piece in pieces:  # what a piece says of its frame is true
        sequence, payload = segments[piece.frame - 1]
        begin = (sequence - start) % 2**32
        assert payload[piece.offset - begin :].startswith(piece.data)
        assert piece.timestamp == piece.frame * 10


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=2, max_size=30)), min_size=1, max_size=30),
)
def test_the_first_copy_of_each_byte_wins(start: int, segments: list[tuple[int, bytes]]) -> None:
    stream = started(start)
    expected: dict[int, tuple[int, int]] = {}
    differing: set[int] = set()
    pieces: list[Piece] = []
    for frame, (offset, payload) in enumerate(segments):
        for position, value in enumerate(payload, offset):
            if expected.setdefault(position, (value, frame))[0] != value:
                differing.add(frame)
        pieces += stream.add((start + offset) % 2**32, payload, frame, 0)
    got = {piece.offset + i: (value, piece.frame) for piece in pieces for i, value in enumerate(piece.data)}
    whole = next(position for position in range(200) if position not in expected)
    assert got == {position: expected[position] for position in range(whole)}
    assert {frame for _, frame in stream.conflicts} == differing
    while stream.pending:
        pieces += stream.skip_gap()
    got = {piece.offset + i: (value, piece.frame) for piece in pieces for i, value in enumerate(piece.data)}
    assert got == expected


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(-5, 2**32 + 5), st.binary(max_size=50), st.none() | st.integers(0, 3000)),
            st.tuples(st.just("near"), st.integers(-60, 600), st.binary(max_size=50), st.none() | st.integers(0, 100)),
            st.tuples(st.just("skip"), st.just(0), st.just(b""), st.none()),
            st.tuples(st.just("finish"), st.integers(0, 600), st.just(b""), st.none()),
            st.tuples(st.just("start"), st.integers(0, 600), st.just(b""), st.none()),
        ),
        max_size=60,
    )
)
def test_anything_keeps_the_books(steps: list[tuple[str, int, bytes, int | None]]) -> None:
    stream = Stream(limit=1000)
    released = 0
    position = 0
    for frame, (step, number, data, wire) in enumerate(steps):
        pieces: list[Piece] = []
        if step in ("add", "near"):
            pieces = stream.add(number, data, frame, 0, wire)
        elif step == "skip":
            pieces = stream.skip_gap()
        elif step == "finish":
            stream.finish(number)
        else:
            stream.start(number, certain=bool(frame % 2))
        for piece in pieces:
            assert piece.data and piece.offset >= position
            position = piece.offset + len(piece.data)
            released += len(piece.data)
        assert position <= stream.next_offset == released + stream.gap_bytes
        assert 0 <= stream.pending <= 1000
        assert stream.gap_bytes == sum(length for _, length in stream.gaps)


def test_in_order_bytes_come_at_once() -> None:
    stream = started(1000)
    assert stream.add(1000, b"abc", 1, 10) == [Piece(0, b"abc", 1, 10)]
    assert stream.add(1003, b"de", 2, 20) == [Piece(3, b"de", 2, 20)]
    assert (stream.next_offset, stream.retransmitted, stream.out_of_order) == (5, 0, 0)


def test_a_late_segment_releases_what_waited_with_its_own_frames() -> None:
    stream = started(1000)
    assert stream.add(1003, b"def", 2, 20) == []
    assert stream.pending == 3
    assert stream.add(1000, b"abc", 3, 30) == [Piece(0, b"abc", 3, 30), Piece(3, b"def", 2, 20)]
    assert (stream.out_of_order, stream.pending) == (1, 0)


def test_the_sequence_number_wraps() -> None:
    stream = started(2**32 - 2)
    pieces = stream.add(1, b"def", 2, 0) + stream.add(2**32 - 2, b"abc", 1, 0) + stream.add(4, b"g", 3, 0)
    assert bytes_of(pieces) == b"abcdefg"


def test_a_retransmission_that_brings_more_is_cut() -> None:
    stream = started(0)
    stream.add(0, b"abc", 1, 0)
    assert stream.add(0, b"abcdef", 2, 0) == [Piece(3, b"def", 2, 0)]
    assert (stream.retransmitted, stream.conflicts) == (1, [])


def test_a_copy_that_differs_is_recorded_and_not_used() -> None:
    stream = started(0)
    pieces = stream.add(0, b"HTTP/1.1 302 Found", 1, 0) + stream.add(0, b"HTTP/1.1 200 OK..and more", 2, 0)
    assert bytes_of(pieces) == b"HTTP/1.1 302 Founde and more"[:18] + b"nd more"
    assert stream.conflicts == [(9, 2)]


def test_held_copies_that_differ_are_recorded_too() -> None:
    stream = started(0)
    stream.add(10, b"XXXX", 1, 0)
    stream.add(8, b"ooYXXXoo", 2, 0)
    assert stream.conflicts == [(10, 2)]
    assert bytes_of(stream.add(0, b"12345678", 3, 0)) == b"12345678ooXXXXoo"


def test_keep_alives_are_not_data() -> None:
    stream = started(100)
    assert stream.add(99, b"\0", 1, 0) == []
    stream.add(100, b"abc", 2, 0)
    assert stream.add(102, b"\0", 3, 0) == stream.add(102, b"", 4, 0) == []
    assert (stream.keep_alives, stream.conflicts, stream.retransmitted, stream.next_offset) == (2, [], 0, 3)


def test_without_a_syn_the_first_segment_is_the_start() -> None:
    stream = Stream()
    assert stream.add(500, b"abc", 1, 0) == [Piece(0, b"abc", 1, 0)]
    assert stream.add(400, b"old", 2, 0) == []
    assert stream.outside == 1


def test_a_guessed_start_moves_back_while_nothing_came() -> None:
    stream = Stream()
    stream.start(500, certain=False)
    assert stream.add(499, b"\0", 1, 0) == []
    assert stream.add(400, b"early", 2, 0) == [Piece(0, b"early", 2, 0)]
    certain = started(500)
    assert certain.add(400, b"early", 2, 0) == []
    assert certain.outside == 1


def test_a_syn_may_carry_data() -> None:
    stream = Stream()
    stream.start(2**32 - 1 + 1)  # ISN 2**32 - 1
    assert bytes_of(stream.add(0, b"fast", 1, 0)) == b"fast"
    assert stream.add(0, b"fast", 2, 0) == []


def test_bytes_past_the_fin_are_dropped() -> None:
    stream = started(0)
    stream.add(0, b"abc", 1, 0)
    stream.finish(5)
    assert not stream.finished
    assert bytes_of(stream.add(3, b"defgh", 2, 0)) == b"de"
    assert stream.finished
    assert stream.add(6, b"more", 3, 0) == []
    assert stream.after_end == 2


def test_a_gap_given_up_is_listed() -> None:
    stream = started(0)
    stream.add(0, b"abc", 1, 0)
    stream.add(10, b"xyz", 2, 0)
    stream.add(20, b"!", 3, 0)
    assert stream.skip_gap() == [Piece(10, b"xyz", 2, 0)]
    assert stream.skip_gap() == [Piece(20, b"!", 3, 0)]
    assert stream.skip_gap() == []
    assert stream.gaps == [(3, 7), (13, 7)]
    assert stream.gap_bytes == 14


def test_bytes_cut_by_the_snaplen_are_a_gap_at_once() -> None:
    stream = started(0)
    assert stream.add(0, b"abc", 1, 0, 10) == [Piece(0, b"abc", 1, 0)]
    assert stream.next_offset == 10
    assert stream.add(20, b"", 3, 0, 10) == []
    assert stream.add(10, b"def", 2, 0, 10) == [Piece(10, b"def", 2, 0)]
    assert stream.add(30, b"ghi", 4, 0) == [Piece(30, b"ghi", 4, 0)]
    assert stream.gaps == [(3, 7), (13, 17)]
    assert stream.add(0, b"abc", 5, 0, 10) == []
    assert (stream.retransmitted, stream.conflicts) == (1, [])


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    stream = started(0, limit=1000)
    assert stream.add(1001, b"x", 1, 0) == []
    assert stream.capped == 1
    for offset in range(100, 900, 2):
        stream.add(offset, b"x", 2, 0)
    assert stream.pending == (1000 // (OVERHEAD + 1))
    assert stream.capped == 1 + 400 - stream.pending
    assert bytes_of(stream.add(0, b"y" * 100, 3, 0)).startswith(b"y" * 100 + b"x"), "the front is always taken"
    far = started(0)
    far.add(FAR + 1, b"x", 1, 0)
    far.add((-FAR) % 2**32, b"xx", 1, 0)
    assert (far.outside, far.capped) == (2, 0)


def test_lists_stay_short_on_any_input() -> None:
    stream = started(0)
    for number in range(2000):
        stream.add(number * 10, b"ab", number, 0, 5)
        stream.add(number * 10 + 5, b"", number, 0)
        stream.add(number * 10 + 6, b"zz", number, 0)
        stream.skip_gap()
        stream.add(number * 10 + 6, b"yy", number, 0)
    assert len(stream.gaps) == len(stream.conflicts) == RECORDED
    assert stream.conflicting == 2000


def _evens_then_odds(count: int) -> list[Segment]:
    return [(1 + 2 * i, b"x") for i in range(count)] + [(2 * i, b"y") for i in range(count)]


def _backwards(count: int) -> list[Segment]:
    return [(i * 2, b"xy") for i in reversed(range(count))]


def _shuffled(count: int) -> list[Segment]:
    segments = [(i * 3, b"xyz") for i in range(count)]
    random.Random(1).shuffle(segments)
    return segments


def _front_last(count: int) -> list[Segment]:
    return [(1 + i, b"x") for i in range(count)] + [(0, b"x" * 1000)] * 8


def _overlapping(count: int) -> list[Segment]:
    return [(1 + 3 * i, b"xxxxxxxx") for i in reversed(range(count))] + [(0, b"x")]


def _gapped_then_covered(count: int) -> list[Segment]:
    return [(1 + 2 * i, b"x") for i in range(count)] + [(1 + 500 * i, b"x" * 500) for i in range(2 * count // 500)]


@pytest.mark.parametrize(
    "segments",
    [_evens_then_odds, _backwards, _shuffled, _front_last, _overlapping, _gapped_then_covered],
    ids=lambda f: f.__name__,
)
def test_twice_the_segments_take_about_twice_the_time(segments: Callable[[int], list[Segment]]) -> None:
    def seconds(work: list[Segment]) -> float:
        best = 9.0
        for _ in range(5):
            stream = started(0, limit=1 << 22)
            begin = time.process_time()
            for sequence, data in work:
                stream.add(sequence, data, 1, 0)
            best = min(best, time.process_time() - begin)
            assert stream.capped == 0
        return best

    count = 2000
    assert seconds(segments(2 * count)) < 2.6 * seconds(segments(count)) + 0.005


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_one_order_of_many_small_segments_is_as_good_as_another(chance: random.Random) -> None:
    data = bytes(range(256)) * 20
    segments = [(i, data[i : i + 7]) for i in range(0, len(data), 5)]
    chance.shuffle(segments)
    stream = started(0)
    pieces = [piece for sequence, payload in segments for piece in stream.add(sequence, payload, 1, 0)]
    assert bytes_of(pieces) == data
