"""Segments of a flow beside each other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analyzer.flows.grouping import group_by_key, order_by_group

# few different halves, so that keys that are equal in 32 bits and differ in the others lie among each other
_KEYS = st.builds(lambda high, low: high << 32 | low, st.sampled_from([0, 1, 2**31]), st.sampled_from([0, 1, 1 << 16, 2**32 - 1]))


@given(st.lists(st.one_of(_KEYS, st.integers(0, 2**64 - 1)), min_size=1, max_size=60))
def test_each_key_is_one_group_in_the_order_of_its_segments(values: list[int]) -> None:
    keys = np.array(values, np.uint64)
    unique, first, local, order = group_by_key(keys)
    assert sorted(unique.tolist()) == sorted(set(values))
    assert [values.index(key) for key in unique.tolist()] == first.tolist()
    assert unique[local].tolist() == values
    assert order.tolist() == np.argsort(local, kind="stable").tolist()


@given(st.lists(st.integers(0, 9), max_size=60), st.sampled_from([10, 100_000]))
def test_order_by_group_is_stable(groups: list[int], count: int) -> None:
    expected = sorted(range(len(groups)), key=lambda place: groups[place])
    assert order_by_group(np.array(groups, np.int64), count).tolist() == expected
