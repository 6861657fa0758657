"""The block format: sections, interfaces, every block with a frame, and blocks that go wrong."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest
from capture_building import (
    SECOND,
    Frame,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcapng,
    rows,
    same,
    secrets,
    section,
    simple,
    some_frames,
    statistics,
    write,
)

from analyzer.errors import CaptureFormatError
from analyzer.sources import open_source


@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_every_block_that_holds_a_frame(tmp_path: Path, order: str) -> None:
    frames = some_frames(9)
    blocks = [enhanced(frames[0], order), obsolete(frames[1], order), simple(frames[2], order)]
    blocks += [obsolete(frames[3], order, drops=9), enhanced(frames[4], order, options=option(1, b"a comment", order))]
    blocks += [simple(frames[5], order), *(enhanced(frame, order) for frame in frames[6:])]
    expected = [Frame(frame.data, 0 if index in (2, 5) else frame.timestamp) for index, frame in enumerate(frames)]
    with open_source(write(tmp_path, "a", section(order) + interface(order) + b"".join(blocks))) as source:
        read = list(rows(source))
    assert same(read, expected)
    assert [row.number for row in read] == list(range(1, 10))
    assert source.warnings == []


def test_simple_blocks_are_cut_by_the_snaplen_of_the_first_interface(tmp_path: Path) -> None:
    content = section() + interface(snaplen=5) + interface(snaplen=3) + simple(Frame(b"abcde", original=90))
    with open_source(write(tmp_path, "a", content)) as source:
        assert [row.frame for row in rows(source)] == [Frame(b"abcde", 0, 90)]


def test_sections_bring_their_own_byte_order_and_interfaces(tmp_path: Path) -> None:
    frames = some_frames(40)
    content, expected = b"", []
    for index, order in enumerate("<>><<>"):
        content += section(order) + interface(order, link_type=1) + interface(order, link_type=101 + index)
        for frame in frames:
            which = len(frame.data) % 2
            content += enhanced(frame, order, which)
            expected.append((Frame(frame.data, frame.timestamp, frame.original_length, 101 + index if which else 1), 2 * index + which))
    for batch_bytes in (4096, 1 << 20):
        with open_source(write(tmp_path, "a", content), batch_bytes=batch_bytes) as source:
            assert [(row.frame, row.interface) for row in rows(source)] == expected
        assert source.link_types == [1, 101, 102, 103, 104, 105, 106]


@pytest.mark.parametrize("order", ["<", ">"])
def test_interfaces_keep_their_clock_and_name(tmp_path: Path, order: str) -> None:
    clocks = [(b"", 0), (b"\x09", 0), (b"\x00", 100), (b"\x8a", -3), (b"\x03", 0)]
    content = section(order)
    for index, (resolution, offset) in enumerate(clocks):
        options = option(2, f"eth{index}".encode(), order)
        options += option(9, resolution, order) if resolution else b""
        options += option(14, struct.pack(order + "q", offset), order) if offset else b""
        content += interface(order, options=options + option(0, b"", order))
    ticks = [5_000_001, 5_000_000_001, 5, 8 << 10 | 512, 5_001]
    content += b"".join(enhanced(Frame(b"z"), order, index, tick) for index, tick in enumerate(ticks))
    with open_source(write(tmp_path, "a", content)) as source:
        times = [row.frame.timestamp for row in rows(source)]
    assert times == [5_000_001_000, 5_000_000_001, 105 * SECOND, 5_500_000_000, 5_001_000_000]
    assert [each.name for each in source.interfaces] == ["eth0", "eth1", "eth2", "eth3", "eth4"]


def test_timestamps_out_of_range_are_clamped_and_counted(tmp_path: Path) -> None:
    content = section() + interface(options=option(9, b"\x00")) + interface(options=option(14, struct.pack("<q", -100)))
    content += enhanced(Frame(b"a"), ticks=2**62) + enhanced(Frame(b"b"), ticks=2**64 - 1) + enhanced(Frame(b"c"), index=1, ticks=5)
    with open_source(write(tmp_path, "a", content)) as source:
        assert [row.frame.timestamp for row in rows(source)] == [2**63 - 1, 0, 0]
    assert len(source.warnings) == 1
    assert "3 timestamps" in source.warnings[0]


def test_secrets_and_drops_are_kept_and_the_rest_passed_by(tmp_path: Path) -> None:
    frames = some_frames(3)
    content = section() + interface() + secrets(b"CLIENT_RANDOM a b\n") + enhanced(frames[0])
    content += block(4, b"names") + block(0x7777, b"q" * 50_000) + secrets(b"ssh", kind=0x5353484B) + enhanced(frames[1])
    content += statistics(dropped=3) + secrets(b"CLIENT_RANDOM c d\n") + enhanced(frames[2]) + statistics(dropped=5)
    with open_source(write(tmp_path, "a", content), batch_bytes=4096) as source:
        assert source.drops is None
        assert same(rows(source), frames)
    assert source.secrets == [b"CLIENT_RANDOM a b\n", b"CLIENT_RANDOM c d\n"]
    assert source.drops == 5
    assert source.warnings == []


def test_numbers_count_what_wireshark_counts(tmp_path: Path) -> None:
    frame = Frame(b"frame")
    content = section() + interface() + enhanced(frame) + block(9, b"MESSAGE=a\n") + enhanced(frame) + block(0x7777, b"") + enhanced(frame)
    content += block(0x0BAD, bytes(8)) + enhanced(frame)
    with open_source(write(tmp_path, "a", content)) as source:
        assert [row.number for row in rows(source)] == [1, 3, 4, 6]


def damage() -> list[tuple[str, bytes]]:
    good = enhanced(Frame(b"damaged!"))
    odd = good[:4] + struct.pack("<I", len(good) + 1) + good[8:-4] + b"\0" + struct.pack("<I", len(good) + 1)
    return [
        ("zero length", struct.pack("<II", 6, 0) + bytes(40)),
        ("zero length, unknown", struct.pack("<II", 0x7777, 0) + bytes(40)),
        ("shorter than itself", struct.pack("<II", 0x7777, 8) + bytes(40)),
        ("not a multiple of four", odd),
        ("trailing length differs", good[:-4] + struct.pack("<I", len(good) + 4)),
        ("frame longer than its block", good[:20] + struct.pack("<I", 9) + good[24:]),
        ("frame longer than anything", good[:20] + struct.pack("<I", 0xFFFFFFFF) + good[24:]),
        ("no such interface", enhanced(Frame(b"x"), index=7)),
        ("enhanced block of 4 GB", struct.pack("<II", 6, 0xFFFFFFFC) + bytes(40)),
        ("section of 4 GB", struct.pack("<III", 0x0A0D0D0A, 0xFFFFFFFC, 0x1A2B3C4D) + bytes(40)),
        ("section without byte order", struct.pack("<III", 0x0A0D0D0A, 28, 5) + bytes(40)),
        ("interface too short", block(1, b"abcd")),
        ("section, then a frame without interface", section(">") + enhanced(Frame(b"x"), ">")),
        ("section, then a simple frame without interface", section() + simple(Frame(b"x"))),
    ]


@pytest.mark.parametrize("bad", [each[1] for each in damage()], ids=[each[0] for each in damage()])
def test_damage_stops_there_and_keeps_what_was_before(tmp_path: Path, bad: bytes) -> None:
    frames = some_frames(20)
    with open_source(write(tmp_path, "a", pcapng(frames) + bad + pcapng(frames)), batch_bytes=4096) as source:
        assert same(rows(source), frames)
    assert len(source.warnings) == 1
    assert "reading stopped there" in source.warnings[0]
    assert "\n" not in source.warnings[0]


def test_unknown_block_that_claims_gigabytes_is_a_cut_file(tmp_path: Path) -> None:
    frames = some_frames(2)
    with open_source(write(tmp_path, "a", pcapng(frames) + struct.pack("<II", 0x7777, 0xFFFFFFFC) + bytes(5000))) as source:
        assert same(rows(source), frames)
    assert len(source.warnings) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_prefix_gives_the_frames_that_are_whole(tmp_path: Path, order: str) -> None:
    frames = some_frames(4)
    head = [section(order), interface(order)]
    pieces = [
        *head,
        enhanced(frames[0], order),
        secrets(b"CLIENT_RANDOM", order),
        obsolete(frames[1], order),
        block(0x7777, b"abc", order),
    ]
    pieces += [simple(frames[2], order), statistics(order), section(order), interface(order), enhanced(frames[3], order)]
    held = [0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1]
    ends = list(itertools.accumulate(map(len, pieces)))
    whole = b"".join(pieces)
    expected = [frames[0], frames[1], Frame(frames[2].data, 0), frames[3]]
    for cut in range(1, len(whole) + 1):
        path = write(tmp_path, "cut.pcapng", whole[:cut])
        if cut < ends[0]:
            with pytest.raises(CaptureFormatError, match=r"cut\.pcapng: "):
                open_source(path)
            continue
        with open_source(path) as source:
            read = list(rows(source))
        count = sum(each for each, end in zip(held, ends, strict=True) if end <= cut)
        assert same(read, expected[:count])
        assert len(source.warnings) == (cut not in ends)
