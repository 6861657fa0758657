"""Several captures as one."""

from __future__ import annotations

import gc
import io
import resource
import weakref
from pathlib import Path

import pytest
from capture_building import SECOND, Frame, Row, pcap, pcapng, rows, some_frames, write
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.sources import open_source
from analyzer.sources import source as source_module
from analyzer.sources.reader import CaptureReader

captures = st.lists(st.lists(st.integers(0, 60), max_size=60), min_size=2, max_size=6)


def pick(times: list[list[int]]) -> list[tuple[int, int]]:
    """The plain way to merge: whoever's next frame is the earliest goes, a frame that lags goes at once."""
    heads = [0] * len(times)
    order: list[tuple[int, int]] = []
    last = [0] * len(times)
    while True:
        ready = [(max(last[c], times[c][heads[c]]), c) for c in range(len(times)) if heads[c] < len(times[c])]
        if not ready:
            return order
        moment, capture = min(ready)
        last[capture] = moment
        heads[capture] += 1
        order.append((capture, heads[capture]))


@given(captures, st.sampled_from([1, 20_000]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_frames_come_in_time_order_and_keep_their_numbers(times: list[list[int]], batch_bytes: int, block_format: bool) -> None:
    # Distinct moments in each capture, so that there is one right order.
    exact = [[moment * SECOND + index * 1000 for moment in each] for index, each in enumerate(times)]
    frames = [[Frame(bytes([index, number % 256]) * 150, moment) for number, moment in enumerate(each)] for index, each in enumerate(exact)]
    form = pcapng if block_format else pcap
    with open_source([io.BytesIO(form(each)) for each in frames], batch_bytes=batch_bytes) as source:
        read = list(rows(source))
    assert [(row.capture, row.number) for row in read] == pick(exact)
    assert all(row.frame == Frame(frames[row.capture][row.number - 1].data, exact[row.capture][row.number - 1], 300) for row in read)


@pytest.mark.parametrize("batch_bytes", [1, 1 << 20])
def test_files_named_in_the_wrong_order_are_read_in_the_order_of_time(tmp_path: Path, batch_bytes: int) -> None:
    frames = some_frames(3000)
    paths = [write(tmp_path, f"{part}.pcap", pcap(frames[part * 1000 : part * 1000 + 1000])) for part in range(3)]
    with open_source([paths[2], paths[0], paths[1]], batch_bytes=batch_bytes) as source:
        batches = [(batch.capture, batch.captures) for batch in source]
    assert source.captures == [paths[2], paths[0], paths[1]]
    assert [capture for capture, _ in batches] == sorted((capture for capture, _ in batches), key=[1, 2, 0].index)
    # Files that only follow each other are not copied together.
    assert all(mixed is None for _, mixed in batches)


def test_two_sides_of_a_tap_are_interleaved(tmp_path: Path) -> None:
    frames = some_frames(40_000)
    paths = [write(tmp_path, f"{side}.pcap", pcap(frames[side::2])) for side in (0, 1)]
    with open_source(paths, batch_bytes=1 << 18) as source:
        batches = 0
        seen: list[Row] = []
        for batch in source:
            batches += 1
            assert (batch.timestamp[1:] >= batch.timestamp[:-1]).all()
            seen += rows([batch])
    assert [row.frame.data for row in seen] == [frame.data for frame in frames]
    assert [(row.capture, row.number) for row in seen[:4]] == [(0, 1), (1, 1), (0, 2), (1, 2)]
    assert batches < 200


def test_captures_without_frames_change_nothing_but_are_opened(tmp_path: Path) -> None:
    frames = some_frames(10)
    empty = write(tmp_path, "empty.pcap", pcap([]))
    cut = write(tmp_path, "cut.pcap", pcap([]) + b"12345")
    with open_source([empty, write(tmp_path, "a.pcap", pcap(frames)), cut]) as source:
        assert [row.capture for row in rows(source)] == [1] * 10
    assert source.warnings == [f"{cut}: cut in the middle of frame 1; what was readable was read"]


def test_a_file_that_vanishes_while_others_are_read_is_a_warning(tmp_path: Path) -> None:
    frames = some_frames(20)
    first, second = (write(tmp_path, f"{part}.pcap", pcap(frames[part * 10 : part * 10 + 10])) for part in (0, 1))
    with open_source([first, second]) as source:
        Path(second).unlink()
        assert len(list(rows(source))) == 10
    assert source.warnings == [f"{second}: no such file; left out"]


def test_many_files_need_few_descriptors_at_once(tmp_path: Path) -> None:
    frames = some_frames(300)
    for part in range(300):
        write(tmp_path, f"ring-{part:03}.pcap", pcap(frames[part : part + 1]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open_source(str(tmp_path)) as source:
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
        try:
            assert [row.capture for row in rows(source)] == list(range(300))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert source.warnings == []


def test_a_capture_that_was_read_leaves_nothing_for_the_garbage_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers of thousands of small captures would add up until it runs."""
    opened = []

    class Noted(CaptureReader):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            opened.append(weakref.ref(self))

    monkeypatch.setattr(source_module, "CaptureReader", Noted)
    frames = some_frames(200)
    paths = [write(tmp_path, f"{number}.pcap", pcap(frames)) for number in range(4)]
    gc.collect()
    gc.disable()
    try:
        with open_source(paths, batch_bytes=4_096) as source:
            assert sum(len(batch) for batch in source) == 800
        assert len(opened) == 8
        assert [reader() for reader in opened] == [None] * 8
    finally:
        gc.enable()
