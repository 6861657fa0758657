"""The site builds, no link in it is dead, nothing comes from elsewhere; what is generated is what is checked in."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[2]

needs_mkdocs = pytest.mark.skipif(
    importlib.util.find_spec("material") is None or importlib.util.find_spec("mkdocstrings") is None,
    reason="mkdocs-material and mkdocstrings are not installed",
)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.loads, self.names = [], [], set()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names |= {value for name, value in attrs if name in ("id", "name") and value}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in ("img", "script", "iframe", "source") and found.get("src"):
            self.loads.append(found["src"])
        if tag == "link" and found.get("href") and found.get("rel") != "canonical":
            self.loads.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {}
    for path in target.rglob("*.html"):
        page = pages[path] = _Page()
        page.feed(path.read_text())
    return target, pages


@needs_mkdocs
def test_no_link_is_dead(site):
    target, pages = site
    assert len(pages) > 100
    dead = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links begin at the site's root
        for link in page.links + page.loads:
            if re.match(r"[a-z]+:", link):
                continue
            where, fragment = urldefrag(link)
            to = (path.parent / unquote(where)).resolve() if where else path
            to = to / "index.html" if to.is_dir() else to
            if not to.is_file() or (fragment and to in pages and unquote(fragment) not in pages[to].names):
                dead.append(f"{path.relative_to(target)}: {link}")
    assert dead == []


@needs_mkdocs
def test_nothing_is_loaded_from_elsewhere(site):
    _, pages = site
    assert sorted({load for page in pages.values() for load in page.loads if re.match(r"(https?:)?//", load)}) == []


@needs_mkdocs
def test_every_cause_and_every_table_has_its_place(site):
    from analyzer.diagnosis import registry
    from analyzer.schema.columns import TABLES

    target, pages = site
    assert all((target / "causes" / f"{cause}.html").exists() for cause in registry.load_rules())
    assert set(TABLES) <= pages[target / "tables.html"].names


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_checkout_lead_somewhere(name):
    text = (ROOT / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_a_fresh_generation_equals_what_is_checked_in():
    done = subprocess.run([sys.executable, "tools/check_generated.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_shows_failures_and_explains_one():
    done = subprocess.run([sys.executable, "tools/demo.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "$ handshake analyze" in done.stdout
    assert "Why they failed" in done.stdout
    assert "broke here" in done.stdout


def test_a_page_without_markers_is_refused(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import generated_pages

    with pytest.raises(ValueError, match="no markers"):
        generated_pages.put_in("a page", "example", "text")
    marked = f"a\n{generated_pages.BEGIN.format(name='x')}\nold\n{generated_pages.END.format(name='x')}\nb"
    assert generated_pages.put_in(marked, "x", "new").split("\n")[2] == "new"
    assert "old" not in generated_pages.put_in(marked, "x", "new")
