"""Any bytes give frames and warnings or one of our exceptions, in bounded memory and time."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from capture_building import (
    Frame,
    block,
    enhanced,
    interface,
    obsolete,
    pcap,
    pcap_record,
    secrets,
    section,
    simple,
    some_frames,
    statistics,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.errors import AnalyzerError
from analyzer.sources import open_source


def mixed(order: str) -> bytes:
    frames = some_frames(6)
    pieces = [section(order), interface(order), enhanced(frames[0], order), secrets(b"CLIENT_RANDOM", order), obsolete(frames[1], order)]
    pieces += [block(9, b"entry", order), simple(frames[2], order), statistics(order), section(order), interface(order)]
    return b"".join([*pieces, *(enhanced(frame, order) for frame in frames[3:])])


SAMPLES = [pcap(some_frames(5), dialect, order) for dialect in ("micro", "nano", "modified") for order in "<>"] + [mixed("<"), mixed(">")]
WORDS = [0, 1, 3, 4, 6, 7, 12, 28, 32, 0x0A0D0D0A, 0x1A2B3C4D, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFC, 0xFFFFFFFF, 262_144]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 5))):
        where = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["word", "flip", "drop", "repeat", "insert"]))
        if kind == "word":
            content[where & ~3 : (where & ~3) + 4] = struct.pack(draw(st.sampled_from("<>")) + "I", draw(st.sampled_from(WORDS)))
        elif kind == "flip" and content:
            content[where] ^= draw(st.integers(1, 255))
        elif kind == "drop":
            del content[where : where + draw(st.integers(1, 40))]
        elif kind == "repeat":
            content[where:where] = content[where : where + draw(st.integers(1, 200))]
        else:
            content[where:where] = draw(st.binary(max_size=20))
    return bytes(content)


def read(content: bytes, batch_bytes: int) -> tuple[list[tuple[int, ...]], list[bytes], list[str], str]:
    """All that comes out, checked against the bounds of its batch."""
    rows: list[tuple[int, ...]] = []
    try:
        source = open_source(io.BytesIO(content), batch_bytes=batch_bytes)
    except AnalyzerError as fault:
        return [], [], [], str(fault)
    payloads = []
    for batch in source:
        assert (batch.offset >= 0).all()
        assert (batch.captured_length >= 0).all()
        assert (batch.offset + batch.captured_length <= len(batch.data)).all()
        assert (batch.timestamp >= 0).all()
        columns = (batch.captured_length, batch.original_length, batch.timestamp, batch.number, batch.link_type, batch.interface)
        rows += zip(*(column.tolist() for column in columns), strict=True)
        payloads += [
            batch.data[start : start + length].tobytes() for start, length in zip(batch.offset, batch.captured_length, strict=True)
        ]
    assert [row[3] for row in rows] == sorted({row[3] for row in rows})
    return rows, payloads, source.warnings, ""


@given(st.binary(max_size=300) | st.builds(bytes.__add__, st.sampled_from([sample[:40] for sample in SAMPLES]), st.binary(max_size=300)))
@settings(max_examples=300, deadline=None)
def test_random_bytes(content: bytes) -> None:
    _, _, warnings, fault = read(content, 4096)
    assert "\n" not in fault.join(warnings)


@given(mutants())
@settings(max_examples=500, deadline=None)
def test_mutants_read_the_same_whatever_the_size_of_batches(content: bytes) -> None:
    assert read(content, 1) == read(content, 1 << 20)


def bad_records() -> list[tuple[str, Callable[[int], bytes]]]:
    tiny = Frame(b"")
    return [
        (
            "records that hold the mark of records",
            lambda count: pcap([tiny]) + pcap_record(Frame(bytes.fromhex("5365") * 300)) * (count // 4),
        ),
        ("captures within a capture", lambda count: pcap([tiny]) + pcap_record(Frame(pcap([Frame(b"x")] * 40))) * (count // 4)),
        ("blocks within blocks", lambda count: section() + interface() + enhanced(Frame(enhanced(tiny) * 20)) * (count // 4)),
        ("empty records", lambda count: pcap([tiny]) + bytes(16) * count),
        ("sections", lambda count: section() * count),
        (
            "sections of both orders with a frame each",
            lambda count: b"".join(section(o) + interface(o) + enhanced(tiny, o) for o in "<>") * (count // 2),
        ),
        ("unknown blocks", lambda count: section() + block(0x7777, b"") * count),
        ("custom blocks", lambda count: section() + block(0xBAD, b"abcd") * count),
        ("secrets", lambda count: section() + secrets(b"CLIENT_RANDOM") * count),
        ("statistics", lambda count: section() + interface() + statistics() * count),
        ("simple blocks", lambda count: section() + interface() + simple(tiny) * count),
        ("interfaces with a frame each", lambda count: section() + (interface() + enhanced(tiny)) * count),
    ]


@pytest.mark.parametrize("build", [each[1] for each in bad_records()], ids=[each[0] for each in bad_records()])
def test_twice_the_input_takes_about_twice_the_time(build: Callable[[int], bytes]) -> None:
    def cost(count: int) -> float:
        content = build(count)
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            with open_source(io.BytesIO(content)) as source:
                for _batch in source:
                    pass
            best = min(best, time.process_time() - start)
        return best

    small, large = cost(10_000), cost(40_000)
    assert large < 4 * small * 2 + 0.05
    assert large < 40_000 * 25e-6


PROGRAM = """
import io, struct, sys
sys.path.insert(0, {here!r})
from capture_building import *
from analyzer.sources import open_source
class Endless(io.RawIOBase):
    "A stream that repeats a record until enough was read, without ever being in memory."
    def __init__(self, head, record, total):
        self.head, self.record, self.left = head, record * max(1, 65536 // len(record)), total
    def readable(self): return True
    def readinto(self, target):
        if self.left <= 0: return 0
        piece = self.head or self.record
        self.head = b""
        count = min(len(piece), len(target))
        target[:count] = piece[:count]
        self.head = piece[count:]
        self.left -= count
        return count
source = open_source(Endless({head}, {record}, 300_000_000))
print(sum(map(len, source)))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("head", "record"),
    [
        ("pcap([])", "pcap_record(Frame(bytes(1500)))"),
        ("pcap([])", "pcap_record(Frame(bytes(262144)))"),
        ("section() + interface()", "enhanced(Frame(bytes(60)))"),
        ("section() + struct.pack('<II', 0x7777, 0xfffffffc)", "bytes(1000)"),
        ("section()", "secrets(bytes(1_000_000))"),
    ],
)
def test_memory_does_not_grow_with_the_capture(head: str, record: str) -> None:
    from pathlib import Path

    program = PROGRAM.format(here=str(Path(__file__).parent), head=head, record=record)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    peak = int(done.stdout.split()[1])
    assert peak < 150_000
