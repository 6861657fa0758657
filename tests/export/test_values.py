from __future__ import annotations

import math
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from analyzer.export.values import finite, iso_time, remembered


@given(st.integers(-(2**63), 2**63 - 1))
def test_time_reads_back_to_the_nanosecond(ns: int) -> None:
    text = iso_time(ns)
    whole, fraction = text.removesuffix("Z").split(".")
    moment = datetime.fromisoformat(whole + "+00:00")
    assert round(moment.timestamp()) * 1_000_000_000 + int(fraction) == ns
    assert len(text) == 30


@given(st.lists(st.integers(-(2**62), 2**62), min_size=2, max_size=2))
def test_times_sort_as_text(pair: list[int]) -> None:
    assert (pair[0] < pair[1]) == (iso_time(pair[0]) < iso_time(pair[1]))


def test_times_outside_the_calendar_are_its_ends() -> None:
    assert iso_time(253_402_300_799 * 10**9) == "9999-12-31T23:59:59.000000000Z"
    assert iso_time(10**30).startswith("9999-12-31")
    assert iso_time(-(10**30)).startswith("0001-01-01")


def test_only_finite_numbers_pass() -> None:
    assert [finite(value) for value in (1.5, math.nan, math.inf, -math.inf)] == [1.5, None, None, None]


@given(st.lists(st.one_of(st.tuples(st.text()), st.lists(st.text())), max_size=30))
def test_remembering_changes_nothing_and_stays_bounded(values: list[object]) -> None:
    make = remembered(repr, entries=4, longest=20)
    assert [make(value) for value in values] == [repr(value) for value in values]
    held = make.__closure__ or ()
    assert max(len(cell.cell_contents) for cell in held if isinstance(cell.cell_contents, dict)) <= 4
