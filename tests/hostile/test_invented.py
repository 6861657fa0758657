"""Whatever is said in whatever order: no crash, rows for all of it, and no cause for what completed."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from floods import pcap
from invented import Parts, collect, mixture

from analyzer.export.ladder import build_ladder, draw_svg, draw_text
from analyzer.handshakes.tracker import Tracker
from analyzer.pipeline.run import Run
from analyzer.tables import rows_of

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture(scope="module")
def parts() -> Parts:
    return collect(sorted(CAPTURES.glob("*/capture.pcapng"))[::15])


@pytest.mark.parametrize("seed", range(8))
def test_no_conversation_is_too_odd(parts: Parts, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tracker, "shields", False)
    for number in range(40):
        chance = random.Random(seed << 32 | number)
        run = Run([pcap(mixture(chance, parts), chance.choice((1_000, 10**6, 50 * 10**6)))])
        for handshake in run.handshakes():
            (row,) = rows_of([handshake], "handshakes", run.captures)
            assert row["cause"] is None or row["outcome"] != "completed", (seed, number)
            for table in ("alerts", "records", "findings"):
                list(rows_of([handshake], table, run.captures))
            if number % 8 == 0:
                ladder = build_ladder(handshake, run.captures)
                assert draw_text(ladder, 80)
                assert draw_svg(ladder)
        assert not run.diagnosis.bugs, (seed, number, run.diagnosis.bugs[0].traceback)
