"""What ``make docs`` runs: writes the index of rules and the derived pages, draws the pictures, builds the site into ``site/``.

python tools/make_docs.py              all of it
python tools/make_docs.py --check      exit 1 when a checked-in page is stale, write nothing
python tools/make_docs.py --pages      the pages only, without a browser and without the site
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import generated_pages as pages
from generated_pages import PICTURES, ROOT

REPORTED = ("completed--curl-*", "completed--openssl-*", "cert-expired--*", "no-common-cipher--*", "client-version-too-old--*",
            "sni-filter-rst--*", "client-cert-missing--*")  # fmt: skip
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def stale() -> list[Path]:
    """Derived pages that are not what their source makes now."""
    return [path for path, text in pages.make_pages().items() if not path.exists() or path.read_text() != text]


def write() -> None:
    """Write every derived page that is stale."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path, text in pages.make_pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")


def draw() -> None:
    """Pictures that need a browser: the report, in light and in dark."""
    browser = next((path for path in BROWSERS if Path(path).exists()), None)
    if browser is None:
        print("no chromium here: docs/pictures/report-*.png left as they are")
        return
    from playwright.sync_api import sync_playwright

    captures = [str(path) for pattern in REPORTED for path in sorted((ROOT / "captures").glob(f"{pattern}/capture.pcapng"))]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        pages.run("report", "--quiet", "-o", str(report), *[str(Path(path).relative_to(ROOT)) for path in captures])
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for look in ("light", "dark"):
            page = chromium.new_page(color_scheme=look, viewport={"width": 1100, "height": 1000})
            page.goto(report.as_uri())
            page.wait_for_timeout(300)
            page.screenshot(path=str(PICTURES / f"report-{look}.png"))
            page.close()
        chromium.close()
    print(f"drew {PICTURES.relative_to(ROOT)}/report-light.png and report-dark.png")


def build(target: Path = ROOT / "site") -> None:
    """Build the site; a warning (a dead link, a page missing) is an error."""
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    print(f"built {target}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--pages", action="store_true")
    options = parser.parse_args()
    if options.check:
        found = stale()
        for path in found:
            print(f"not up to date: {path.relative_to(ROOT)} (python tools/make_docs.py)")
        return 1 if found else 0
    for tool in ("make_rule_index.py", "make_cause_pages.py"):
        subprocess.run([sys.executable, f"tools/{tool}"], cwd=ROOT, check=True)
    write()
    if not options.pages:
        draw()
        build()
    return 0


if __name__ == "__main__":
    sys.exit(main())
