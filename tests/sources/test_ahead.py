"""What is read ahead is what is read: the same frames, the same last words, and errors are told to whoever waits."""

from __future__ import annotations

import gzip
import random
import threading
from pathlib import Path

import pytest
from capture_building import Frame, block, enhanced, interface, pcap, pcapng, rows, same, section, some_frames, write

from analyzer.sources import open_source
from analyzer.sources.ahead import Ahead
from analyzer.sources.reader import CaptureReader


@pytest.fixture
def swaps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each buffer that was filled ahead."""
    seen: list[int] = []
    swap = CaptureReader._swap
    monkeypatch.setattr(CaptureReader, "_swap", lambda self, held: seen.append(swap(self, held)) or seen[-1])
    return seen


def sized(rng: random.Random, count: int, most: int) -> list[Frame]:
    return [Frame(rng.randbytes(rng.randrange(most)), 10**18 + 1_000 * number) for number in range(count)]


@pytest.mark.parametrize("batch", [4_096, 10_000, 1 << 16])
@pytest.mark.parametrize("form", ["pcap", "pcapng", "gz"])
def test_the_same_frames(tmp_path: Path, swaps: list[int], batch: int, form: str) -> None:
    rng = random.Random(batch)
    frames = sized(rng, 600, 3_000)
    data = (pcapng if form == "pcapng" else pcap)(frames)
    with open_source(write(tmp_path, "a", gzip.compress(data) if form == "gz" else data), batch_bytes=batch) as source:
        assert same(rows(source), frames)
    assert len(swaps) > 5


def test_a_file_cut_anywhere_gives_what_is_there(tmp_path: Path, swaps: list[int]) -> None:
    rng = random.Random(5)
    frames = sized(rng, 300, 600)
    whole = pcap(frames)
    for cut in rng.sample(range(30_000, len(whole)), 40):
        with open_source(write(tmp_path, "cut", whole[:cut]), batch_bytes=4_096) as source:
            found = list(rows(source))
            assert same(found, frames[: len(found)])
            assert len(found) > 50
            assert source.warnings == [] or "cut in the middle" in source.warnings[0]
    assert swaps


def test_a_block_longer_than_the_room_before_what_is_read_ahead(tmp_path: Path, swaps: list[int]) -> None:
    frames = some_frames(40)
    blocks = [enhanced(frame) for frame in frames]
    for place, size in ((30, 700_000), (20, 3_000_000), (5, 600_000)):
        blocks.insert(place, block(0x0BAD, bytes(size)))
    data = section() + interface() + b"".join(blocks)
    with open_source(write(tmp_path, "a", data), batch_bytes=1 << 17) as source:
        assert same(rows(source), frames)
    assert swaps


def test_errors_are_told_and_nothing_goes_on_after_the_end(tmp_path: Path) -> None:
    def fill(_: memoryview) -> int:
        raise ValueError("no more")

    ahead = Ahead()
    ahead.begin(fill, memoryview(bytearray(10)), 2, 8)
    with pytest.raises(ValueError, match="no more"):
        ahead.take()
    before = threading.active_count()
    source = open_source(write(tmp_path, "a", pcap(sized(random.Random(1), 900, 2_000))), batch_bytes=4_096)
    next(iter(source))
    source.close()
    assert threading.active_count() == before
