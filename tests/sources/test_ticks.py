"""Every resolution against exact integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analyzer.sources.ticks import read_ticks

LAST = 2**63 - 1
ticks = st.integers(0, 2**64 - 1) | st.integers(0, 2**52)
offsets = st.integers(-(2**63), LAST) | st.integers(-(10**10), 10**10)


def exact(tick: int, resolution: int, offset: int) -> int:
    """Nanoseconds by Python's own integers; a number with the high bit set stands for one before 1970."""
    power = resolution & 0x7F
    if tick >> 63:
        return 0
    unit = 2**power if resolution & 0x80 else 10**power
    return min(max(min(tick * 10**9 // unit, LAST) + offset * 10**9, 0), LAST)


@given(st.lists(st.tuples(ticks, offsets), min_size=1, max_size=20), st.integers(0, 255))
def test_agrees_with_exact_arithmetic_to_the_nanosecond(rows: list[tuple[int, int]], resolution: int) -> None:
    result, clamped = read_ticks(np.array([row[0] for row in rows], np.uint64), resolution, np.array([row[1] for row in rows], np.int64))
    assert result.dtype == np.int64
    assert 0 <= clamped <= len(rows)
    for value, (tick, offset) in zip(result.tolist(), rows, strict=True):
        expected = exact(tick, resolution, offset)
        unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        if not tick >> 63 and tick * 10**9 // unit > LAST - 2 * 10**9:
            # Clamped before the offset is added.
            assert value == LAST
        elif 0 < expected < LAST and 0 < value < LAST:
            assert abs(value - expected) <= 1
        else:
            # At the edges what is clamped may be clamped a second early, never wrapped.
            assert value == expected or abs(value - expected) <= 2 * 10**9


@given(st.integers(0, 2**52), st.sampled_from([6, 9, 3, 0x8A]))
def test_times_of_our_days_are_not_counted_as_clamped(tick: int, resolution: int) -> None:
    result, clamped = read_ticks(np.array([tick], np.uint64), resolution, np.zeros(1, np.int64))
    expected = exact(tick, resolution, 0)
    assert (result[0] == expected, clamped) == (True, 0) or expected == LAST
