"""Rows have to appear while the other end still writes."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from capture_building import Frame, enhanced, interface, pcap, pcap_header, pcap_record, pcapng, rows, same, section, some_frames

from analyzer.sources import open_source

Pack = Callable[[bytes], bytes]


def packers() -> Iterator[tuple[str, Pack]]:
    """Compressors that hand out all they have been given so far, as a program behind a pipe may."""
    yield "plain", bytes
    inner = zlib.compressobj(wbits=31)
    yield "gzip", lambda data: inner.compress(data) + inner.flush(zlib.Z_SYNC_FLUSH)
    zstandard = pytest.importorskip("zstandard")
    outer = zstandard.ZstdCompressor().compressobj()
    yield "zstd", lambda data: outer.compress(data) + outer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["pcap", "pcapng"])
@pytest.mark.parametrize("way", ["path", "object"])
def test_frames_come_out_as_they_go_in(tmp_path: Path, kind: str, form: str, way: str) -> None:
    pack = dict(packers())[kind]
    frames = some_frames(6)
    head = pcap_header() if form == "pcap" else section() + interface()
    record = pcap_record if form == "pcap" else enhanced
    pieces = [record(frame) for frame in frames]
    path = tmp_path / "pipe"
    os.mkfifo(path)
    asked = threading.Semaphore(0)

    def feed() -> None:
        with open(path, "wb", buffering=0) as pipe:
            # Frames 1 and 2 with half of 3; then each the rest of one and half of the next.
            sent = head + pieces[0] + pieces[1]
            for current in pieces[2:]:
                pipe.write(pack(sent + current[:10]))
                asked.acquire()
                sent = current[10:]
            pipe.write(pack(sent))

    writer = threading.Thread(target=feed)
    writer.start()
    file = open(path, "rb") if way == "object" else None  # noqa: SIM115 - closed below
    counts = []
    with open_source(file or str(path)) as source:
        for batch in source:
            counts.append(len(batch))
            # Nothing more is written until this batch was seen: waiting for a full buffer would hang here.
            asked.release()
    writer.join()
    if file is not None:
        assert not file.closed
        file.close()
    assert counts == [2, 1, 1, 1, 1]
    assert source.size is None


def test_standard_input(tmp_path: Path) -> None:
    program = "import sys; from analyzer.sources import open_source\n"
    program += "with open_source('-') as s: print(sum(map(len, s)), s.captures, s.warnings, s.position)"
    content = pcap(some_frames(100))
    done = subprocess.run([sys.executable, "-c", program], input=content, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["100", "['-']", "[]", str(len(content))]


def test_standard_input_without_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = some_frames(10)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(pcapng(frames)))))
    with open_source("-") as source:
        assert same(rows(source), frames)


def test_binary_objects() -> None:
    frames = some_frames(1000)

    class OnlyRead:
        """The least that can be asked of a file; a byte at a time."""

        def __init__(self, content: bytes) -> None:
            self.inner = io.BytesIO(content)

        def read(self, count: int) -> bytes:
            return self.inner.read(min(count, 11))

    for file in (io.BytesIO(pcap(frames)), OnlyRead(pcap(frames)), OnlyRead(gzip.compress(pcapng(frames)))):
        with open_source(file) as source:
            assert same(rows(source), frames)


def test_empty_input_has_no_frames() -> None:
    with open_source(io.BytesIO()) as source:
        assert list(rows(source)) == []
        assert "stream: is empty" in source.warnings[0]


def test_an_object_that_fails_while_it_is_read_ends_with_a_warning() -> None:
    frames = some_frames(10)

    class Breaks(io.BytesIO):
        def readinto(self, target: memoryview) -> int:
            if self.tell() > 200:
                raise ConnectionResetError("the far end\nhung up")
            return super().readinto(target[:100])

    with open_source(Breaks(pcap(frames))) as source:
        read = list(rows(source))
    assert read
    assert same(read, frames[: len(read)])
    assert len(source.warnings) == 1
    assert "hung up" in source.warnings[0]
    assert "\n" not in source.warnings[0]


def test_a_frame_alone_comes_out_alone() -> None:
    with open_source(io.BytesIO(pcap([Frame(b"one")]))) as source:
        assert [row.frame.data for row in rows(source)] == [b"one"]
