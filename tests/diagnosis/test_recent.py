"""What is remembered of attempts: the same as in a table without bounds, as long as there is room; never more than there is."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.diagnosis.recent import Recent, make_room

KEYS = st.lists(st.integers(0, 12), max_size=300)


@given(KEYS, st.booleans(), st.integers(1, 5))
def test_with_room_for_all_each_key_has_its_latest_or_first(keys: list[int], first: bool, each: int) -> None:
    recent, expected = Recent(each, 10_000, first=first), defaultdict(list)
    for number, key in enumerate(keys):
        recent.add(key, number)
        expected[key].append(number)
    for key, numbers in expected.items():
        assert list(recent.get(key)) == (numbers[:each] if first else numbers[-each:])
    assert recent.forgotten == 0
    assert len(recent) == sum(min(each, len(numbers)) for numbers in expected.values())


@example(keys=[0, 1, 0, 0, 0, 0], first=False, each=3, most=2, wanted={0, 1})
@given(KEYS, st.booleans(), st.integers(1, 5), st.integers(1, 40), st.sets(st.integers(0, 12)))
def test_never_more_than_allowed_and_nothing_lost_uncounted(keys: list[int], first: bool, each: int, most: int, wanted: set[int]) -> None:
    recent = Recent(each, most, first=first)
    for key in wanted:
        recent.want(key)
    for number, key in enumerate(keys):
        before, gone = len(recent), recent.forgotten
        recent.add(key, number)
        assert len(recent) <= (2 * most if wanted else most)
        assert before + 1 >= len(recent) + recent.forgotten - gone >= before
        assert len(recent) == sum(map(len, recent._kept.values())) + sum(map(len, recent._put_by.values()))
        assert all(len(recent.get(key)) <= each for key in keys)


def test_what_will_be_asked_for_is_put_by() -> None:
    recent = Recent(4, 64)
    recent.want("failed")
    for number in range(3):
        recent.add("failed", number)
    for number in range(1_000):
        recent.add(number, number)
    recent.add("failed", 3)
    recent.add("failed", 4)
    assert list(recent.get("failed")) == [1, 2, 3, 4]
    assert not recent.get(1)


def test_who_goes_on_stays() -> None:
    recent = Recent(4, 64)
    for number in range(1_000):
        recent.add("busy", number)
        recent.add(number, number)
    assert list(recent.get("busy")) == [996, 997, 998, 999]
    assert not recent.get(1)


@pytest.mark.parametrize("coming", [0, 1, 10, 40])
def test_room_is_made_from_the_oldest_on(coming: int) -> None:
    table = dict.fromkeys(range(32))
    gone = make_room(table, 32, coming)
    assert list(table) == list(range(gone, 32))
    assert len(table) + coming <= max(32, coming)
