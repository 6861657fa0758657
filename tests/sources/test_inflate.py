"""Compressed captures: equal to plain ones, cut anywhere, damaged, bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from capture_building import Frame, pcap, pcap_header, pcap_record, pcapng, rows, same, some_frames, write
from hypothesis import given
from hypothesis import strategies as st

from analyzer.errors import AnalyzerError, CaptureFormatError
from analyzer.sources import open_source


def zstd(content: bytes) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


def lz4(content: bytes) -> bytes:
    return pytest.importorskip("lz4.frame").compress(content)


PACKERS: list[Callable[[bytes], bytes]] = [gzip.compress, lzma.compress, bz2.compress, zstd, lz4]


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("form", [pcap, pcapng])
def test_compressed_equals_plain_whatever_the_name(tmp_path: Path, pack: Callable[[bytes], bytes], form: Callable[..., bytes]) -> None:
    frames = some_frames(3000)
    content = form(frames)
    path = write(tmp_path, "trace.txt", pack(content))
    with open_source(path, batch_bytes=10_000) as source:
        assert same(rows(source), frames)
    assert source.warnings == []
    assert source.position == source.size == Path(path).stat().st_size


@pytest.mark.parametrize("pack", PACKERS)
def test_members_one_after_another_are_one_stream(pack: Callable[[bytes], bytes]) -> None:
    frames = some_frames(500)
    content = pcap(frames)
    parts = [content[start : start + 999] for start in range(0, len(content), 999)]
    with open_source(io.BytesIO(b"".join(map(pack, parts)))) as source:
        assert same(rows(source), frames)
    assert source.warnings == []


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_members_meet_anywhere_in_what_was_read(pack: Callable[[bytes], bytes]) -> None:
    frames = some_frames(100)
    content = pcap(frames)

    class Drip(io.BytesIO):
        def readinto(self, target: memoryview) -> int:
            return super().readinto(target[:1])

    with open_source(Drip(pack(content[:1000]) + bytes(8) + pack(content[1000:]) + bytes(4))) as source:
        assert same(rows(source), frames)
    assert source.warnings == []


@pytest.mark.parametrize("pack", PACKERS)
def test_every_prefix_keeps_what_can_be_read(pack: Callable[[bytes], bytes]) -> None:
    frames = some_frames(30)
    packed = pack(pcap(frames))
    most = 0
    for cut in range(0, len(packed), 3):
        try:
            source = open_source(io.BytesIO(packed[:cut]))
        except CaptureFormatError:
            continue
        read = list(rows(source))
        assert same(read, frames[: len(read)])
        assert len(source.warnings) == 1 or len(read) == 30
        most = max(most, len(read))
    assert most > 0 or pack in (bz2.compress, zstd, lz4)


@given(
    st.sampled_from([gzip.compress, lzma.compress, bz2.compress, zstd, lz4]),
    st.integers(0, 10**6),
    st.binary(min_size=1, max_size=4),
)
def test_damage_anywhere_is_a_warning_or_a_refusal(pack: Callable[[bytes], bytes], where: int, junk: bytes) -> None:
    packed = bytearray(pack(pcap(some_frames(50))))
    where %= len(packed)
    packed[where : where + len(junk)] = junk
    try:
        source = open_source(io.BytesIO(bytes(packed)))
    except AnalyzerError:
        return
    frames = sum(map(len, source))
    # what comes out may be anything, more than went in too, until a checksum says so: zstd and lz4 have none unless asked
    assert frames == 50 or source.warnings or pack in (zstd, lz4)
    assert all("\n" not in line for line in source.warnings)


def test_something_else_behind_the_data_is_said() -> None:
    frames = some_frames(20)
    with open_source(io.BytesIO(gzip.compress(pcap(frames)) + b"and a note from the archivist")) as source:
        assert same(rows(source), frames)
    assert "is followed by something else" in source.warnings[0]


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_bomb_is_stopped_and_what_came_before_is_kept(pack: Callable[[bytes], bytes]) -> None:
    record = pcap_record(Frame(bytes(250_000)))
    bomb = io.BytesIO(pack(pcap_header() + record * 1200))
    with open_source(bomb, inflate_ratio=100) as source:
        read = sum(map(len, source))
    assert 1000 <= read < 1150
    assert "as a bomb does" in source.warnings[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    # Half a megabyte of compressed zeros becomes 100 MB of empty records.
    path = write(tmp_path, "bomb", gzip.compress(pcap_header() + bytes(100_000_000), 1))
    program = f"from analyzer.sources import open_source\nprint(sum(map(len, open_source({path!r}))))\n"
    # ru_maxrss of a child starts with what its parent had.
    program += "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    frames, peak = map(int, done.stdout.split())
    assert frames == 100_000_000 // 16
    assert peak < 100_000


def test_compression_inside_compression_is_named() -> None:
    with pytest.raises(CaptureFormatError, match="gzip inside xz: unpack it first"):
        open_source(io.BytesIO(lzma.compress(gzip.compress(pcap([])))))
