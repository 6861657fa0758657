"""TLS records come out of TDS packets as they went in, however either was cut."""

from __future__ import annotations

import itertools

from dialogue_scripts import HELLO, tds
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dialogues import TdsUnwrapper

RECORDS = HELLO + b"\x14\3\3\0\1\1" + b"\x16\3\3\0\x28" + bytes(40)
BARE = b"\x17\3\3\0\5hello" + b"\x17\3\3\1\0" + bytes(256)


def unwrap(data: bytes, *cuts: int) -> tuple[bytes, bool]:
    unwrapper = TdsUnwrapper()
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    out = b"".join(unwrapper.feed(data[begin:end]) for begin, end in itertools.pairwise(bounds))
    return out, unwrapper.plain


@given(st.lists(st.integers(1, len(RECORDS) - 1), max_size=6), st.lists(st.integers(0, 600), max_size=10))
def test_packets_give_their_payload_and_bare_records_pass(packets: list[int], cuts: list[int]) -> None:
    bounds = sorted({0, len(RECORDS), *packets})
    wrapped = b"".join(tds(0x12, RECORDS[begin:end]) for begin, end in itertools.pairwise(bounds))
    assert unwrap(wrapped + BARE, *cuts) == (RECORDS + BARE, False)


@given(st.lists(st.integers(0, 600), max_size=10))
def test_packets_in_clear_after_the_login_are_not_passed(cuts: list[int]) -> None:
    assert unwrap(tds(0x12, RECORDS) + BARE + tds(0x01, b"select 1"), *cuts) == (RECORDS + BARE, True)
    assert unwrap(tds(0x12, RECORDS) + tds(0x04, b"\xad tokens"), *cuts) == (RECORDS, True)


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_any_bytes_never_raise_and_never_grow(chunks: list[bytes]) -> None:
    unwrapper = TdsUnwrapper()
    out = b"".join(unwrapper.feed(chunk) for chunk in chunks)
    assert len(out) <= len(b"".join(chunks))
    assert out == TdsUnwrapper().feed(b"".join(chunks))
