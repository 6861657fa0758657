"""The classic format in all its dialects."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from capture_building import SECOND, Frame, pcap, pcap_header, pcap_record, rows, same, some_frames, write
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.errors import CaptureFormatError
from analyzer.sources import open_source

DIALECTS = list(itertools.product(["micro", "nano", "modified"], ["<", ">"]))


@pytest.mark.parametrize(("dialect", "order"), DIALECTS)
def test_reads_every_dialect(tmp_path: Path, dialect: str, order: str) -> None:
    frames = some_frames(300)
    with open_source(write(tmp_path, "a.pcap", pcap(frames, dialect, order))) as source:
        read = list(rows(source))
    assert same(read, frames)
    assert [row.number for row in read] == list(range(1, 301))
    assert source.warnings == []


def test_keeps_nanoseconds_and_original_lengths(tmp_path: Path) -> None:
    frames = [Frame(b"abc", 5 * SECOND + 123_456_789, 1500), Frame(b"", 0xFFFFFFFF * SECOND + 999_999_999, 0)]
    with open_source(write(tmp_path, "a.pcap", pcap(frames, "nano", ">"))) as source:
        assert same(rows(source), frames)


@pytest.mark.parametrize("version", [(2, 2), (543, 0)])
def test_reads_old_versions_with_the_lengths_swapped(tmp_path: Path, version: tuple[int, int]) -> None:
    record = struct.pack("<IIII", 7, 0, 60, 4) + b"abcd"
    with open_source(write(tmp_path, "a.pcap", pcap_header(version=version) + record * 3)) as source:
        assert same(rows(source), [Frame(b"abcd", 7 * SECOND, 60)] * 3)


def test_link_type_ignores_the_bits_of_the_check_sequence(tmp_path: Path) -> None:
    with open_source(write(tmp_path, "a.pcap", pcap(some_frames(2), link_type=0x24000071))) as source:
        assert {row.frame.link_type for row in rows(source)} == {0x71}
        assert source.link_types == [0x71]


def test_header_without_frames_is_no_batch(tmp_path: Path) -> None:
    with open_source(write(tmp_path, "a.pcap", pcap([]))) as source:
        assert list(source) == []
        assert source.warnings == []


@pytest.mark.parametrize("batch_bytes", [1, 5000, 100_000])
def test_size_of_batches_changes_nothing(tmp_path: Path, batch_bytes: int) -> None:
    frames = [Frame(bytes([number % 256]) * (number * 997 % 9000), number * SECOND) for number in range(200)]
    with open_source(write(tmp_path, "a.pcap", pcap(frames)), batch_bytes=batch_bytes) as source:
        assert same(rows(source), frames)


def test_batches_of_tiny_frames_are_bounded_too(tmp_path: Path) -> None:
    record = pcap_record(Frame(b"x"))
    with open_source(write(tmp_path, "a.pcap", pcap_header() + record * 150_000)) as source:
        lengths = [len(batch) for batch in source]
    assert sum(lengths) == 150_000
    assert max(lengths) <= 65_536


def test_longest_frame_is_read_and_a_longer_one_stops(tmp_path: Path) -> None:
    longest = Frame(b"y" * 262_144)
    good = pcap([longest, longest])
    for huge in (262_145, 0xFFFFFFFF):
        bad = good + struct.pack("<IIII", 1, 0, huge, huge) + bytes(300_000)
        with open_source(write(tmp_path, "a.pcap", bad), batch_bytes=4096) as source:
            assert same(rows(source), [longest, longest])
        assert len(source.warnings) == 1
        assert f"frame 3 claims {huge} bytes" in source.warnings[0]


def test_frame_longer_than_the_snaplen_is_still_read(tmp_path: Path) -> None:
    frames = some_frames(5)
    for snaplen in (1, 0, 0xFFFFFFFF):
        with open_source(write(tmp_path, "a.pcap", pcap(frames, snaplen=snaplen))) as source:
            assert same(rows(source), frames)


@pytest.mark.parametrize(("dialect", "order"), DIALECTS)
def test_every_prefix_gives_the_frames_that_are_whole(tmp_path: Path, dialect: str, order: str) -> None:
    frames = some_frames(6)
    whole = pcap(frames, dialect, order)
    ends = list(itertools.accumulate((len(pcap_record(frame, dialect, order)) for frame in frames), initial=24))
    for cut in range(1, len(whole) + 1):
        path = write(tmp_path, "cut.pcap", whole[:cut])
        if cut < 24:
            with pytest.raises(CaptureFormatError, match=r"cut\.pcap: "):
                open_source(path)
            continue
        with open_source(path) as source:
            read = list(rows(source))
        count = sum(end <= cut for end in ends) - 1
        assert same(read, frames[:count])
        expected = [] if cut in ends else [f"{path}: cut in the middle of frame {count + 1}; what was readable was read"]
        assert source.warnings == expected


@pytest.mark.skipif(shutil.which("editcap") is None, reason="needs editcap")
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
def test_reads_what_editcap_writes(tmp_path: Path, kind: str) -> None:
    frames = some_frames(50)
    path = write(tmp_path, "a.pcap", pcap(frames, "nano"))
    subprocess.run(["editcap", "-F", kind, path, str(tmp_path / "b")], check=True, capture_output=True)
    with open_source(str(tmp_path / "b")) as source:
        assert same(rows(source), frames)
    assert source.warnings == []


@settings(max_examples=60, deadline=None)
@given(
    runs=st.lists(st.tuples(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.integers(1, 900)), min_size=1, max_size=5),
    odd=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 90)), max_size=3),
    order=st.sampled_from(["little", "big"]),
    batch_bytes=st.sampled_from([4096, 1 << 16, 1 << 23]),
)
def test_frames_in_a_rhythm_are_all_found(tmp_path_factory, runs, odd, order, batch_bytes) -> None:
    lengths = [length for rhythm, count in runs for length in (rhythm * count)[:count]]
    for place, length in odd:
        lengths.insert(min(place, len(lengths)), length)
    mark = "<" if order == "little" else ">"
    packed = b"".join(struct.pack(mark + "IIII", at, 0, length, length + at) + bytes(length) for at, length in enumerate(lengths))
    path = tmp_path_factory.mktemp("rhythm") / "x.pcap"
    path.write_bytes(struct.pack(mark + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1) + packed)
    found = [
        (int(n), int(o - n))
        for b in open_source([path], batch_bytes=batch_bytes)
        for n, o in zip(b.captured_length, b.original_length, strict=True)
    ]
    assert found == [(length, at) for at, length in enumerate(lengths)]
