"""Charts of a census: Vega-Lite for notebooks, inert SVG for pages."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
from report_pages import completed, failed

from analyzer.export import charts
from analyzer.export.report import Census

CHARTS = (charts.chart_causes, charts.chart_timeline, charts.chart_versions, charts.chart_cipher_suites)


def census() -> Census:
    return Census([*(completed(n) for n in range(8)), *(failed(n) for n in range(10, 13)), failed(20, "cert-expired")])


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_vega_lite_with_its_data_inside(chart: Callable[[Census], Any]) -> None:
    spec = chart(census()).to_dict()
    assert "vega-lite" in spec["$schema"]
    assert "url" not in spec.get("data", {})


@pytest.mark.parametrize("chart", CHARTS)
def test_drawn_charts_need_nothing_and_have_no_ids_to_clash(chart: Callable[[Census], Any]) -> None:
    drawn = charts.draw_chart(chart(census()))
    for forbidden in ("<style", "style=", "<script", "href", "url(", "<image", " id=", " role=", "class="):
        assert forbidden not in drawn
    root = ET.fromstring(drawn)
    assert root.get("aria-hidden") == "true"
    assert "currentColor" in drawn


def test_bars_show_names_and_numbers_the_longest_first() -> None:
    drawn = charts.draw_chart(charts.chart_causes(census()))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert texts == ["server-fin-after-hello", "cert-expired", "3", "1"]


def test_what_is_beyond_the_bars_is_a_number() -> None:
    many = Census(failed(n, f"cause-{n % 30}") for n in range(60))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", charts.draw_chart(charts.chart_causes(many, 20)))
    assert "10 others" in texts
    assert texts[-1] == "20"


@pytest.mark.parametrize("seconds", [2, 8, 40, 600, 7_200, 100_000, 3 * 86_400, 6 * 86_400, 40 * 86_400, 400 * 86_400])
def test_ticks_of_the_timeline_can_be_told_apart(seconds: int) -> None:
    course = Census()
    for second in (0, seconds // 2, seconds):
        course._note_time((1_700_000_000 + second) * 10**9, "failed")
    drawn = charts.draw_chart(charts.chart_timeline(course))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    across, up = texts[: texts.index("time (UTC)")], texts[texts.index("time (UTC)") + 1 : texts.index("attempts")]
    assert len(across) == len(set(across)) >= 2
    assert len(up) == len(set(up)) >= 2


def test_a_bar_of_the_timeline_is_stacked_without_gaps() -> None:
    spec = charts.chart_timeline(census()).to_dict()
    rows = spec["data"]["values"]
    tops: dict[int, int] = {}
    for row in rows:
        assert row["bottom"] == tops.get(row["begin"], 0)
        tops[row["begin"]] = row["top"]
    assert sum(tops.values()) == 12
