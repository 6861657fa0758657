"""The dashboard asks only for metrics and labels that are served."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "docs" / "grafana" / "handshakes.json"
_METRIC = re.compile(r"\bhandshakes?_[a-z_]+|\bhandshakes_total")


def _expressions():
    board = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def test_panels_do_not_overlap_and_have_ids_of_their_own():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_braces_and_brackets_are_closed():
    for expression in _expressions():
        for opens, closes in ("()", "{}", "[]"):
            assert expression.count(opens) == expression.count(closes), expression


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="listening to an interface needs root")
def test_every_metric_it_asks_for_is_served():
    pytest.importorskip("prometheus_client")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sniffing = subprocess.Popen(
        [sys.executable, "-m", "analyzer", "sniff", "lo", "--metrics", f"127.0.0.1:{port}", "--duration", "60", "--quiet"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        served = ""
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    served = answer.read().decode()
                break
            except OSError:
                assert sniffing.poll() is None, sniffing.stderr.read().decode()
                time.sleep(0.1)
    finally:
        sniffing.terminate()
        sniffing.communicate(timeout=20)
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", served, re.MULTILINE))
    names = set(kinds) | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}
    wanted = {name for expression in _expressions() for name in _METRIC.findall(expression)}
    assert len(wanted) > 8
    assert wanted <= names, (sorted(wanted - names), sorted(names))
