"""``handshake report`` and ``--format html`` from the outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "captures"


def handshake(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "analyzer", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)})


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
    assert "The only attempt failed: cert-expired." in page
    assert 'id="timeline"' not in page  # one moment has no course
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


def test_fields_are_the_columns_of_its_table(capture: Path, tmp_path: Path) -> None:
    for command in (("report",), ("analyze", "--format", "html")):
        assert handshake(*command, capture, "--fields", "cause,ja4,client_port", "-o", tmp_path / "x.html").returncode == 0
        page = (tmp_path / "x.html").read_text("utf-8")
        assert re.findall(r'<th scope="col" role="columnheader" data-key="[^"]*" class="[^"]*">([^<]*)<', page) == [
            "cause",
            "ja4",
            "client_port",
        ]
    done = handshake("report", capture, "--fields", "causes", "-o", tmp_path / "y.html")
    assert (done.returncode, "did you mean cause" in done.stderr) == (2, True)


def test_what_is_no_page_is_left_to_analyze(capture: Path, tmp_path: Path) -> None:
    for words, named in (
        (("--format", "jsonl"), "handshake analyze --format jsonl"),
        (("--format", "jsnol"), "no format 'jsnol'"),
        (("-o", tmp_path / "x.csv"), f"handshake analyze -o {tmp_path / 'x.csv'}"),
        (("-o", f"sqlite:///{tmp_path}/x"), f"handshake analyze -o sqlite:///{tmp_path}/x"),
        (("-o", f"sqlite:///{tmp_path}/x", "--format", "html"), "handshake analyze -o sqlite:"),
    ):
        done = handshake("report", capture, *words, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("handshake: ")
        assert named in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert handshake("report", capture, "-o", tmp_path / "x.csv", "--format", "html").returncode == 0
    assert handshake("report", capture, "-o", tmp_path / "x.out").returncode == 0
    done = handshake("report", capture, "-o", tmp_path, "--fail-on", "any")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == f"handshake: wrote {tmp_path}/handshake-report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["handshake-report.html", "x.csv", "x.out"]


def test_a_report_leaves_nothing_when_it_cannot_be_made(capture: Path, tmp_path: Path) -> None:
    assert handshake("report", tmp_path / "missing.pcap", "-o", tmp_path / "x.html").returncode == 1
    assert handshake("report", capture, "-o", tmp_path / "no" / "x.html").returncode == 1
    assert handshake("report", capture, "-o", f"{tmp_path}/no/").returncode == 1
    assert handshake("analyze", capture, "-f", "html", "-o", f"{tmp_path}/no/").returncode == 1
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
