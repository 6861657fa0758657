"""Sequence arithmetic, at the wrap above all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.reassembly.sequence import distance

numbers = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0, 0, 0),
        (5, 7, 2),
        (7, 5, -2),
        (2**32 - 1, 0, 1),
        (0, 2**32 - 1, -1),
        (0xFFFFFF00, 0x100, 0x200),
        (0x100, 0xFFFFFF00, -0x200),
        (0, 2**31 - 1, 2**31 - 1),
        (0, 2**31, -(2**31)),
        (2**31, 0, -(2**31)),
    ],
)
def test_distance_goes_the_nearest_way_round(a: int, b: int, expected: int) -> None:
    assert distance(a, b) == expected


@given(numbers, st.integers(-(2**31), 2**31 - 1))
def test_distance_undoes_a_step(a: int, step: int) -> None:
    assert distance(a, (a + step) % 2**32) == step


@given(numbers, numbers)
def test_distance_there_and_back_is_opposite(a: int, b: int) -> None:
    there = distance(a, b)
    assert -(2**31) <= there < 2**31
    assert distance(b, a) == (-there if there != -(2**31) else there)
