"""Every labelled capture, without its keys and with them: cause, outcome and who gave up, as its label says.

A label says what was arranged and what both ends reported. What cannot be told, or cannot yet, stands in
``unnamed.csv`` beside this file with its reason; such a capture must still never be called ``certain`` of something
else, and once it is named as labelled its line has to go.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
FOLDERS = sorted(path.parent.name for path in CAPTURES.glob("*/expected.json"))


def read_unnamed() -> dict[tuple[str, str], str]:
    with (Path(__file__).parent / "unnamed.csv").open(newline="", encoding="utf-8") as file:
        return {(row["capture"], row["keys"]): row["reason"] for row in csv.DictReader(file)}


UNNAMED = read_unnamed()


def judge(name: str, keys: bool) -> tuple[dict[str, Any], Handshake]:
    folder = CAPTURES / name
    label = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    keylog = str(folder / label["keylog"]) if keys else None
    run = Run([str(folder / "capture.pcapng")], Options(keylog=keylog))
    handshakes = [h for h in run.handshakes() if h.flow.stream == label["stream"]]
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    assert len(handshakes) == 1, f"{name}: no row for stream {label['stream']}"
    return label, handshakes[0]


def compare(name: str, keys: bool) -> None:
    label, h = judge(name, keys)
    wanted = label["cause"] if keys else label.get("cause_without_keys") or label["cause"]
    said = h.finding.cause if h.finding is not None else None
    right = (said, h.outcome, h.aborted_by) == (wanted, label["outcome"], label["aborted_by"])
    if label["outcome"] == "completed":
        assert said is None, f"{name} completed and is called {said}"
    if (name, "with" if keys else "without") in UNNAMED:
        assert not right, f"{name} is named as labelled now: take its line out of unnamed.csv"
        honest = {label["cause"], label.get("cause_without_keys"), None, *label.get("also", ())}
        certain = h.finding is not None and h.finding.confidence == "certain"
        assert not certain or said in honest or UNNAMED[name, "with" if keys else "without"].startswith("the same on the wire")
        return
    assert right, (
        f"{name}: the label says {wanted}, {label['outcome']}, {label['aborted_by']}; "
        f"we say {said} ({h.finding and h.finding.confidence}), {h.outcome}, {h.aborted_by}: {h.finding and h.finding.summary}"
    )


def test_the_collection_is_here() -> None:
    assert len(FOLDERS) >= 120
    assert len({json.loads((CAPTURES / n / "expected.json").read_text(encoding="utf-8"))["cause"] for n in FOLDERS}) >= 100


@pytest.mark.parametrize("name", FOLDERS)
def test_without_keys(name: str) -> None:
    compare(name, keys=False)


@pytest.mark.parametrize("name", [n for n in FOLDERS if json.loads((CAPTURES / n / "expected.json").read_text(encoding="utf-8"))["keylog"]])
def test_with_keys(name: str) -> None:
    compare(name, keys=True)


def test_nobody_is_excused_who_is_not_there() -> None:
    assert {name for name, _ in UNNAMED} <= set(FOLDERS)
    assert all(UNNAMED.values())
