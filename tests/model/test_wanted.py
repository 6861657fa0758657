from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.errors import UsageError
from analyzer.export.values import iso_time
from analyzer.model.options import Options
from analyzer.model.wanted import choose_options, read_ports, read_time

NS = st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9)


@given(NS)
def test_a_time_that_was_printed_reads_back(ns: int) -> None:
    assert read_time(iso_time(ns)) == ns


@given(st.integers(-(10**18), 10**18))
def test_epoch_seconds_read_to_the_nanosecond(ns: int) -> None:
    sign = "-" if ns < 0 else ""
    second, fraction = divmod(abs(ns), 10**9)
    if second and not 10**7 <= second < 10**8 and not 1000 <= second < 10**4:  # eight digits alone are a day, four a year
        assert read_time(f"{sign}{second}.{fraction:09d}") == ns
        assert read_time(f"{sign}{second}") == (-second if ns < 0 else second) * 10**9


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_zones_are_understood_and_utc_is_meant_where_there_is_none(moment: datetime, offset: int) -> None:
    aware = moment.replace(tzinfo=UTC)
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert read_time(moment.isoformat()) == expected
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
    text = f"{(moment + timedelta(minutes=offset)).isoformat()}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    assert read_time(text) == expected


def test_days_and_minutes_will_do() -> None:
    day = read_time("2024-05-01T00:00:00Z")
    assert [read_time(text) for text in ("2024-05-01", "20240501", "2024-05-01 00:00", "1714521600", "2024-05")] == [day] * 5
    assert read_time("2024") == read_time("2024-01-01T00:00:00Z")


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "2024-13-01", "2024-05-01T25:00:00", "1e9", "--5", "9" * 400])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no time"):
        read_time(text)


@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_ports_and_ranges(first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert read_ports([str(first), f"{low}-{high}"]) == ((first, first), (low, high))


@pytest.mark.parametrize("text", ["0", "65536", "9-8", "-5", "a", "", "1-", "1-2-3", "99999999"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no port"):
        read_ports([text])


def test_python_callers_write_as_they_are_used_to() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    chosen = choose_options(
        "analyze",
        Options(workers=2),
        {"keylog": Path("keys.log"), "server_ports": [8443, "9000-9100", (1, 2)], "since": "2026-05-01", "until": noon, "cause": None},
    )
    assert chosen == Options(
        keylog="keys.log",
        server_ports=((8443, 8443), (9000, 9100), (1, 2)),
        since=1_777_593_600 * 10**9,
        until=(1_777_593_600 + 36_000) * 10**9,
        workers=2,
    )
    assert choose_options("analyze", None, {"server_ports": 8443, "since": 5}) == Options(server_ports=((8443, 8443),), since=5)


def test_an_option_that_does_not_exist_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match=r"^sniff\(\) knows no option failed; did you mean failed_only"):
        choose_options("sniff", None, {"failed": True})
    with pytest.raises(UsageError, match="no port"):
        choose_options("analyze", None, {"server_ports": [0]})
