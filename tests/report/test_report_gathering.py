"""What a report holds, and that it is bounded."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pages import PAYLOADS, Counts, completed, failed, small_page

from analyzer.export.html import _json, draw_page, write_report
from analyzer.export.report import Census, Report
from analyzer.export.report.census import _BUCKETS

CAPTURES = Path(__file__).parents[2] / "captures"


class Elements(HTMLParser):
    """Counts elements and keeps attributes that could run or load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.suspicious: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if (
                name.startswith("on")
                or name in ("style", "src", "srcdoc", "action", "formaction")
                or (name == "href" and value and value[0] != "#")
            ):
                self.suspicious.append((tag, name, value))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    loaded: dict[str, object] = json.loads(found[1])
    return loaded


def test_the_census_counts_what_was_added() -> None:
    census = Census([*(completed(n) for n in range(6)), *(failed(n) for n in range(10, 14)), failed(20, "cert-expired")])
    assert len(census) == 11
    assert dict(census.outcomes) == {"completed": 6, "failed": 5}
    assert [(entry.cause, entry.count) for entry in census.causes()] == [("server-fin-after-hello", 4), ("cert-expired", 1)]
    assert dict(census.versions) == {"TLS 1.2": 2, "TLS 1.3": 4}
    assert sum(sum(bar.counts) for bar in census.timeline()) == 11


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.integers(2, 80))
def test_the_timeline_loses_nothing_and_keeps_to_its_bars(seconds: list[int], most: int) -> None:
    census = Census()
    for second in seconds:
        census._note_time(1_700_000_000_000_000_000 + second * 10**9, "failed")
    bars = census.timeline(most)
    assert len(bars) <= most
    assert sum(bar.counts[1] for bar in bars) == len(seconds)
    assert len({bar.seconds for bar in bars}) == 1
    assert [bar.begin for bar in bars] == list(range(bars[0].begin, bars[-1].begin + 1, bars[0].seconds * 10**9))


def test_times_are_counted_in_bounded_space() -> None:
    census = Census()
    for n in range(3 * _BUCKETS):
        census._note_time(n * 7 * 10**9, "completed")
    assert len(census._buckets) <= _BUCKETS
    assert sum(sum(bar.counts) for bar in census.timeline()) == 3 * _BUCKETS


def test_ladders_are_capped_with_at_least_one_for_each_cause_and_server() -> None:
    report = Report(["a.pcap"], ladders=5)
    report.add_all(failed(n) for n in range(50))
    report.add(failed(60, "cert-expired"))
    assert len(report.ladders) == 5
    assert {drawn.cause for drawn in report.ladders} == {"server-fin-after-hello", "cert-expired"}
    assert [drawn.number for drawn in report.ladders] == sorted(drawn.number for drawn in report.ladders)
    page = draw_page(report, Counts())
    assert "Ladders are drawn for 5 of 51 failed handshakes" in page


def test_of_too_many_rows_those_that_failed_stay() -> None:
    report = Report(["a.pcap"], rows=10)
    report.add_all(completed(n) for n in range(20))
    report.add_all(failed(n) for n in range(20, 28))
    assert [line.outcome for line in report.lines] == ["failed"] * 8 + ["completed"] * 2
    page = draw_page(report, Counts())
    assert "The table holds 10 of 28 attempts" in page


def test_rows_stand_in_the_page_as_data() -> None:
    data = data_of(small_page())
    columns, texts = data["columns"], data["texts"]
    assert isinstance(columns, dict)
    assert isinstance(texts, list)
    assert len(columns["stream"]) == 38
    assert texts[columns["cause"][0]] == "cert-expired"
    assert {texts[place] for place in columns["outcome"]} == {"completed", "failed"}


def test_no_markup_off_the_wire_becomes_an_element() -> None:
    page = small_page()
    elements = Elements(page)
    assert elements.suspicious == [("link", "href", "data:,")]
    assert elements.tags["script"] == 2
    assert "img" not in elements.tags
    assert elements.tags["style"] == 1
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert any("<img src=x onerror=window.owned=1>" in text for text in elements.texts)


def test_the_policy_allows_one_style_and_one_script_by_hash() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', small_page())
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", rules["script-src"])
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", rules["style-src"])
    assert "unsafe" not in policy[1]


@given(st.text())
def test_json_in_the_page_ends_no_element(text: str) -> None:
    encoded = _json({"x": text})
    assert not re.search("[<>&\u2028\u2029]", encoded)
    assert json.loads(encoded) == {"x": text}


def test_nothing_was_seen_is_a_page_too() -> None:
    page = draw_page(Report(["empty.pcap"]), Counts(0, 0, 0))
    assert "No TLS handshake was attempted" in page
    assert "<svg" not in page


def test_the_first_sentence_says_no_more_than_it_knows() -> None:
    def lead(*causes: str, fine: int = 0) -> str:
        report = Report(["a.pcap"])
        report.add_all(completed(n) for n in range(fine))
        report.add_all(failed(50 + n, cause) for n, cause in enumerate(causes))
        found = re.search(r'<p class="lead">(.*)</p>', draw_page(report, Counts()))
        assert found is not None
        return found[1]

    assert lead("cert-expired") == "The only attempt failed: cert-expired."
    assert lead("cert-expired", fine=3) == "1 of 4 attempts failed: cert-expired."
    assert lead("cert-expired", "no-common-cipher", fine=1) == "2 of 3 attempts failed, each of another cause."
    assert lead("cert-expired", "cert-expired") == "2 of 2 attempts failed, all of one cause: cert-expired (1 server)."
    assert lead(*["cert-expired"] * 2, "internal-error").endswith("the most frequent cause is cert-expired (2 of them, 1 server).")
    assert lead(fine=2) == "None of 2 attempts failed."
    assert lead(fine=1) == "The only attempt completed."


@pytest.mark.parametrize("outcomes", ["completed", "failed"])
def test_only_one_kind_is_a_page_too(outcomes: str) -> None:
    report = Report(["a.pcap"])
    report.add_all((completed if outcomes == "completed" else failed)(n) for n in range(3))
    page = draw_page(report, Counts())
    assert ('id="ladders"' in page) == (outcomes == "failed")


def test_texts_that_cannot_be_encoded_do_not_stop_the_report(tmp_path: Path) -> None:
    report = Report(["a\udcff.pcap"])
    report.add(failed(1, name="\ud800\udcff.test"))
    write_report(tmp_path / "r.html", report, Counts(), warnings=["\udcfe"])
    assert "\\xff" in (tmp_path / "r.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_payloads_are_shown_not_swallowed() -> None:
    texts = "".join(Elements(small_page()).texts)
    for payload in PAYLOADS[:7]:
        assert payload in texts
