"""Through an installed tshark: the same frames, numbers and times."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from capture_building import Frame, enhanced, interface, pcap, rows, same, section, some_frames, write

from analyzer.errors import CaptureFormatError, SourceError
from analyzer.sources import open_source

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None or shutil.which("editcap") is None, reason="needs tshark and editcap")


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "snoop", "netmon1", "netmon2", "5views", "visual"])
def test_reads_other_containers(tmp_path: Path, kind: str) -> None:
    # Whole Ethernet frames: some of these formats round their lengths.
    frames = [Frame(bytes(12) + b"\x88\xb5" + bytes([number]) * 60, 1_700_000_000 * 10**9 + number * 10**6) for number in range(30)]
    path = str(tmp_path / "converted")
    made = subprocess.run(["editcap", "-F", kind, write(tmp_path, "a.pcap", pcap(frames)), path], capture_output=True)
    if made.returncode:
        pytest.skip(f"this editcap does not write {kind}")
    with open_source(path, reader="tshark") as source:
        read = list(rows(source))
    assert [row.frame.data for row in read] == [frame.data for frame in frames]
    assert [row.number for row in read] == list(range(1, 31))
    assert [row.frame.timestamp // 10**6 for row in read] == [frame.timestamp // 10**6 for frame in frames]
    assert source.warnings == []


def test_keeps_several_link_types(tmp_path: Path) -> None:
    frames = some_frames(20)
    content = section() + interface(link_type=1) + interface(link_type=101)
    content += b"".join(enhanced(frame, index=number % 2) for number, frame in enumerate(frames))
    path = write(tmp_path, "a.pcapng", content)
    with open_source(path) as ours, open_source(path, reader="tshark") as theirs:
        assert [row.frame for row in rows(ours)] == [row.frame for row in rows(theirs)]


def test_a_cut_file_gives_what_is_there_and_a_warning(tmp_path: Path) -> None:
    frames = some_frames(20)
    with open_source(write(tmp_path, "a.pcap", pcap(frames)[:-1]), reader="tshark") as source:
        assert same(rows(source), frames[:-1])
    assert len(source.warnings) == 1
    assert "tshark says" in source.warnings[0]


def test_refusals_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(CaptureFormatError) as caught:
        open_source(write(tmp_path, "words", b"just words, no capture"), reader="tshark")
    assert "tshark says: " in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="no such file"):
        open_source(str(tmp_path / "missing"), reader="tshark")
    with pytest.raises(SourceError, match="files and standard input only"):
        open_source("memory://x", reader="tshark")


def test_closing_ends_tshark(tmp_path: Path) -> None:
    path = write(tmp_path, "a.pcap", pcap([Frame(bytes(60_000))] * 200))
    source = open_source(path, reader="tshark", batch_bytes=4096)
    next(iter(source))
    process = source._readers[0]._stream._stream._process
    source.close()
    assert process.poll() is not None
