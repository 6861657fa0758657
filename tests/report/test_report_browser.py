"""The report in a real browser: it renders, sorts, filters, opens ladders, loads nothing, and hostile names stay text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from report_pages import CAUSES, PAYLOADS, Counts, completed, failed, small_page

from analyzer.export.html import draw_page, write_report
from analyzer.export.report import Report

pytestmark = pytest.mark.xdist_group("browser")
TEN_THOUSAND = 10_000


class Visit:
    """A page opened from its file, with everything it asked for and complained about."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.url = path.as_uri()
        self.page.goto(self.url)
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def says(self, text: str) -> None:
        """Wait until the line above the table has ``text``."""
        self.page.locator("#shown", has_text=text).wait_for(timeout=3000)

    def rows(self) -> list[str]:
        texts: list[str] = self.page.locator("#table tbody tr").all_inner_texts()
        return texts

    def column(self, place: int) -> list[str]:
        texts: list[str] = self.page.locator(f"#table tbody tr td:nth-child({place})").all_inner_texts()
        return texts


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "small.html"
    path.write_text(small_page(), "utf-8")
    return path


@pytest.fixture
def visit(browser: Any, page_file: Path) -> Iterator[Callable[..., Visit]]:
    opened: list[Visit] = []

    def start(path: Path = page_file, **context: Any) -> Visit:
        opened.append(Visit(browser, path, **context))
        return opened[-1]

    yield start
    for one in opened:
        one.context.close()


def test_it_opens_without_a_complaint_and_asks_for_nothing(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.page.locator("#open-all").click()
    for anchor in ("causes", "timeline", "servers", "versions", "certificates", "handshakes", "ladders"):
        assert seen.page.locator(f"#{anchor} h2").is_visible()
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [seen.url]
    assert seen.page.locator("#shown").inner_text() == "38 attempts, those that failed first"


def test_hostile_names_are_inert(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.page.locator("#open-all").click()
    seen.page.locator("#find").fill("window.owned")
    seen.says(" of 38 attempts")
    assert seen.page.evaluate("window.owned") is None
    assert seen.page.evaluate("document.querySelectorAll('img, iframe, object, embed, base').length") == 0
    assert seen.page.evaluate("document.scripts.length") == 2
    assert (
        seen.page.evaluate("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/.test(a.name))).length") == 0
    )
    shown = " ".join(seen.rows())
    assert PAYLOADS[0] in shown
    assert PAYLOADS[1] in shown
    assert seen.complaints == []


def test_injected_script_would_not_run(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.page.evaluate(
        "() => { const s = document.createElement('script'); try { s.textContent = 'window.owned=1' } catch (e) {} document.body.append(s); }"
    )
    assert seen.page.evaluate("window.owned") is None
    assert seen.complaints  # the policy says why


def test_columns_sort_both_ways(visit: Callable[..., Visit]) -> None:
    seen = visit()
    header = seen.page.locator("#table th[data-key=stream]")
    header.locator("button").click()
    ascending = list(map(int, seen.column(1)))
    assert ascending == sorted(ascending)
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").click()
    assert list(map(int, seen.column(1))) == sorted(ascending, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    seen.page.locator("#table th[data-key=server] button").click()
    assert header.get_attribute("aria-sort") is None
    hosts = [text.split("\n")[0] for text in seen.column(4) if text.startswith("host")]
    assert hosts == [f"host{n}.test" for n in range(30)]  # by number, not by letter


def test_rows_are_found_by_words_outcome_and_cause(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.page.locator("#outcome").select_option("failed")
    assert set(seen.column(6)) == {"failed"}
    assert len(seen.rows()) == 18
    seen.page.locator("#cause").select_option("cert-expired")
    assert all("cert-expired" in row for row in seen.rows())
    seen.page.locator("button[type=reset]").click()
    seen.says("38 attempts")
    seen.page.locator("#find").fill("HOST7.test")
    seen.says("1 of 38 attempts")
    assert "host7.test" in seen.rows()[0]
    seen.page.locator("#find").fill("no such thing")
    seen.says("0 of 38 attempts")
    assert seen.rows() == []


def test_a_row_leads_to_its_ladder(visit: Callable[..., Visit]) -> None:
    seen = visit()
    link = seen.page.locator("#table tbody a").first
    target = link.get_attribute("href")
    assert target is not None
    link.click()
    card = seen.page.locator(target)
    card.locator("svg.ladder").wait_for(state="visible")
    assert "broke here" in card.locator("svg").inner_html()
    assert card.get_by_role("heading", name="Evidence").is_visible()
    assert seen.page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_keyboard_is_enough(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    seen.page.keyboard.press("Enter")
    seen.page.locator("#find").focus()
    seen.page.keyboard.insert_text("host3.test")  # at once: each pause in typing lists the rows anew, and the focus below would be lost
    seen.says("1 of 38 attempts")
    seen.page.locator("#table tbody a").first.focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator("details.ladder-card[open]").wait_for(timeout=3000)


def test_pages_of_the_table_are_turned(visit: Callable[..., Visit], tmp_path: Path) -> None:
    report = Report(["a.pcap"])
    report.add_all(completed(n) for n in range(120))
    write_report(tmp_path / "r.html", report, Counts())
    seen = visit(tmp_path / "r.html")
    assert len(seen.rows()) == 50
    seen.page.locator("#next").click()
    seen.page.locator("#next").click()
    assert seen.page.locator("#page").inner_text() == "Page 3 of 3"
    assert len(seen.rows()) == 20
    assert seen.page.locator("#next").is_disabled()
    assert seen.page.locator("#ladders").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_no_fault(visit: Callable[..., Visit], scheme: str, width: int) -> None:
    axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
    seen = visit(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    seen.page.evaluate("document.querySelectorAll('details').forEach((card, n) => { card.open = n < 30 })")
    found = axe_module.Axe().run(seen.page)
    faults = [(fault["id"], node["html"][:200]) for fault in found.response["violations"] for node in fault["nodes"][:3]]
    assert faults == []


def test_a_phone_shows_it_without_scrolling_sideways(visit: Callable[..., Visit]) -> None:
    seen = visit(viewport={"width": 390, "height": 844})
    seen.page.locator("#open-all").click()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert seen.page.locator("#table tbody tr").first.is_visible()


def test_paper_shows_what_matters_and_no_controls(visit: Callable[..., Visit]) -> None:
    seen = visit(color_scheme="dark")
    seen.page.emulate_media(media="print", color_scheme="dark")
    assert not seen.page.locator("#filters").is_visible()
    assert not seen.page.locator("nav").is_visible()
    assert seen.page.locator("#causes table").first.is_visible()
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.page.pdf().startswith(b"%PDF")


def test_without_javascript_the_failures_are_still_there(visit: Callable[..., Visit], browser: Any, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("#table tbody tr").count() == 38
    assert page.locator("details.ladder-card").count() == 18
    assert not page.locator("#filters").is_visible()
    context.close()


def test_of_several_captures_each_row_names_its_own(visit: Callable[..., Visit], browser: Any, tmp_path: Path) -> None:
    for captures, named in ((["a.pcap"], False), (["a.pcap", "b<b>.pcap"], True)):
        report = Report(captures)
        for number in range(4):
            handshake = completed(number)
            handshake.flow.capture = number % len(captures)
            report.add(handshake)
        path = tmp_path / f"{len(captures)}.html"
        path.write_text(draw_page(report, Counts()), "utf-8")
        seen = visit(path)
        assert [("b<b>.pcap" in row, "a.pcap" in row) for row in seen.rows()] == [
            (named and n % 2 == 1, named and n % 2 == 0) for n in range(4)
        ]
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.locator("#table .path").count() == 4 * named
        context.close()


def test_chosen_columns_sort_filter_and_stay_text(visit: Callable[..., Visit], browser: Any, tmp_path: Path) -> None:
    report = Report(["a.pcap"], fields=["server_name", "cause", "client_port", "stream", "evidence", "hello_ms"])
    for number in range(60):
        handshake = failed(number, CAUSES[number % 3], PAYLOADS[0] if number == 7 else f"host{number}.test")
        handshake.flow.client_port = 50_000 - number
        report.add(handshake)
    report.add(completed(99))
    path = tmp_path / "chosen.html"
    path.write_text(draw_page(report, Counts()), "utf-8")
    for width in (1200, 390):
        seen = visit(path, viewport={"width": width, "height": 900})
        assert seen.page.locator("#table thead th").all_inner_texts() == [
            "server_name", "cause", "client_port", "stream", "evidence", "hello_ms", "Ladder"
        ]  # fmt: skip
        assert len(seen.rows()) == 50
        seen.page.locator("#table th", has_text="client_port").locator("button").click()
        assert list(map(int, seen.column(3)))[:3] == [40_099, 49_941, 49_942]
        seen.page.locator("#table th", has_text="server_name").locator("button").click()
        seen.page.locator("#cause").select_option("cert-expired")
        assert seen.column(1)[:3] == ["host0.test", "host3.test", "host6.test"]
        seen.page.locator("#find").fill("49988")
        seen.says("1 of 61 attempts")
        seen.page.locator("#table tbody a").click()
        seen.page.locator("details.ladder-card[open] svg.ladder").wait_for()
        seen.page.locator("button[type=reset]").click()
        seen.page.locator("#find").fill("script")
        seen.says("1 of 61 attempts")
        assert seen.column(1) == [PAYLOADS[0]]
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.complaints == []
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#table tbody tr").nth(7).locator("td").first.inner_text() == PAYLOADS[0]
    context.close()


def test_ten_thousand_handshakes_are_small_and_open_fast(visit: Callable[..., Visit], tmp_path: Path) -> None:
    report = Report(["big.pcap"])
    for n in range(TEN_THOUSAND):
        report.add(failed(n, CAUSES[n % 3], f"host{n}.example.com") if n % 4 == 0 else completed(n, f"host{n % 700}.example.com"))
    path = tmp_path / "big.html"
    write_report(path, report, Counts())
    assert path.stat().st_size < 10_000_000
    began = time.monotonic()
    seen = visit(path)
    seconds = time.monotonic() - began
    assert seconds < 3
    assert seen.page.locator("#shown").inner_text() == "10,000 attempts, those that failed first"
    assert seen.page.locator("details.ladder-card").count() == 200
    seen.page.locator("#find").fill("host396.example")
    seen.says(" of 10,000 attempts")
    assert seen.complaints == []
