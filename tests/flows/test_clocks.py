"""A clock set back is told from frames written out of turn: by the numbers of TCP."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.flows.clocks import mend_clock
from analyzer.model.batches import SegmentBatch

sys.path.insert(0, str(Path(__file__).parent))
from test_flow_table import ACK, FIN, SYN, back, batch, there

TALK = [
    there(1, flags=SYN, seq=9), back(2, flags=SYN | ACK, seq=99, ack=10), there(3, seq=10, ack=100), there(4, seq=10, ack=100, len=300),
    back(5, seq=100, ack=310), back(6, seq=100, ack=310, len=1000), there(7, seq=310, ack=1100), there(8, seq=310, ack=1100, len=80),
    back(9, seq=1100, ack=390, len=50), there(10, flags=FIN | ACK, seq=390, ack=1150), back(11, flags=FIN | ACK, seq=1150, ack=391),
]  # fmt: skip


def by_time(rows: list[dict[str, int]]) -> SegmentBatch:
    """As the decoder gives it: by time, and by frame where that is the same."""
    return batch(sorted(rows, key=lambda row: (row["time"], row["frame"])))


@given(at=st.integers(2, 9), by=st.sampled_from([50_000_000, 3_600_000_000_000]), other=st.booleans())
def test_a_clock_set_back_goes_on(at: int, by: int, other: bool) -> None:
    rows = [{**row, "time": row["time"] - by * (n >= at)} for n, row in enumerate(TALK)]
    if other:  # a connection that it was not set back in keeps its times
        rows += [{**row, "frame": row["frame"] + 20, "p": 40001} for row in TALK]
    mended, count = mend_clock(by_time(rows))
    ours = mended.frame < 20
    assert count == 1
    assert mended.frame[ours].tolist() == list(range(1, 12))
    steps = [later - earlier for earlier, later in pairwise(mended.timestamp[ours].tolist())]
    assert steps == [1_000] * (at - 1) + [0] + [1_000] * (10 - at)
    assert mended.timestamp[~ours].tolist() == [1_000 * n for n in range(1, 12) if other]
    assert (np.diff(mended.timestamp) >= 0).all()


@given(data=st.data())
def test_frames_written_late_keep_their_times(data: st.DataObject) -> None:
    late = data.draw(st.permutations(range(len(TALK))))
    rows = by_time([{**row, "frame": frame + 1} for row, frame in zip(TALK, late, strict=True)])
    mended, count = mend_clock(rows)
    assert count == 0
    assert mended is rows


@pytest.mark.parametrize("first", ["a", "b"])
def test_two_interfaces_one_after_the_other_keep_their_times(first: str) -> None:
    sides = sorted(TALK, key=lambda row: (row["a"] == 1) != (first == "a"))
    rows = by_time([{**row, "frame": number} for number, row in enumerate(sides, 1)])
    assert mend_clock(rows) == (rows, 0)
