"""``handshake report`` and ``--format html`` from the outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CAPTURES = Path(__file__).parents[2] / "captures"


def handshake(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "analyzer", *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.fixture(scope="module")
def capture() -> Path:
    found = sorted(CAPTURES.glob("cert-expired--*/capture.pcapng"))
    if not found:
        pytest.skip("no capture of cert-expired is recorded here")
    return found[0]


def test_report_writes_one_file_under_a_fixed_name(capture: Path, tmp_path: Path) -> None:
    done = handshake("report", capture, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["handshake-report.html"]
    assert done.stdout == ""
    assert done.stderr == "handshake: wrote handshake-report.html\n"
    page = (tmp_path / "handshake-report.html").read_text("utf-8")
    assert "1 of 1 attempt failed; the most frequent cause is cert-expired" in page
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="ladder"') == 1


def test_the_suffix_and_standard_output_say_html_too(capture: Path, tmp_path: Path) -> None:
    assert handshake("analyze", capture, "-o", tmp_path / "x.html").returncode == 0
    shown = handshake("analyze", capture, "--format", "html")
    assert shown.stdout == (tmp_path / "x.html").read_text("utf-8")
    assert shown.stdout.startswith("<!doctype html>")


def test_filters_and_exit_code_hold_for_reports(capture: Path, tmp_path: Path) -> None:
    done = handshake("report", capture, "--server", "nobody.example", "-o", tmp_path / "x.html")
    assert done.returncode == 0
    assert "Only what the filters let through is shown." in (tmp_path / "x.html").read_text("utf-8")
    assert handshake("report", capture, "--fail-on", "any", "--quiet", "-o", tmp_path / "x.html").returncode == 3


def test_a_report_takes_no_fields_and_leaves_nothing_when_it_cannot_be_made(capture: Path, tmp_path: Path) -> None:
    done = handshake("analyze", capture, "--format", "html", "--fields", "cause", "-o", tmp_path / "x.html")
    assert done.returncode == 2
    assert "--fields" in done.stderr
    assert handshake("report", tmp_path / "missing.pcap", "-o", tmp_path / "x.html").returncode == 1
    assert handshake("report", capture, "-o", tmp_path / "no" / "x.html").returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_that_draws() -> None:
    code = (
        "import sys; sys.argv=['handshake','report','-h']\n"
        "try:\n import analyzer.cli.app as app; app.app(prog_name='handshake')\n"
        "except SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'jinja2', 'altair', 'vl_convert', 'pandas', 'rich', 'numpy'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
