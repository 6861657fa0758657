"""Runs: pipes give rows early, several files are one capture, big runs let go, caps are counted."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import analyzer
from analyzer.flows.table import FlowState
from analyzer.handshakes import tracker as tracker_module
from analyzer.model.options import Limits, Options
from analyzer.pipeline import run as run_module
from analyzer.pipeline.run import Run
from analyzer.sources import open_source

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
GOOD = [CAPTURES / f"completed--{n}-{n}-tls12" / "capture.pcapng" for n in ("go", "gnutls", "java", "nss", "mbedtls")]
BAD = sorted(CAPTURES.glob("cert-expired--*/capture.pcapng"))[:3]


def pcap(frames: list[tuple[int, bytes]]) -> bytes:
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    for when, frame in frames:
        parts += [struct.pack("<IIII", when // 10**9, when % 10**9, len(frame), len(frame)), frame]
    return b"".join(parts)


def frames_of(path: Path) -> list[tuple[int, bytes]]:
    frames = []
    with open_source([str(path)]) as source:
        for batch in source:
            data = batch.data.tobytes()
            for offset, length, when in zip(batch.offset.tolist(), batch.captured_length.tolist(), batch.timestamp.tolist(), strict=True):
                frames.append((when, data[offset : offset + length]))
    return frames


def test_several_files_are_one_run_and_each_keeps_its_numbers() -> None:
    paths = [str(p) for p in GOOD + BAD]
    together = analyzer.analyze(paths)
    alone = [row for path in paths for row in analyzer.analyze(path).rows()]
    assert sorted((r["capture"], r["stream"], r["first_frame"], r["last_frame"], r["history"]) for r in together.rows()) == sorted(
        (r["capture"], r["stream"], r["first_frame"], r["last_frame"], r["history"]) for r in alone
    )


def test_a_pipe_gives_rows_before_it_ends() -> None:
    frames = [f for path in GOOD for f in frames_of(path)]
    begin = min(when for when, _ in frames)
    shifted = []
    for number, path in enumerate(GOOD):
        own = frames_of(path)
        shifted += [(begin + number * 10**9 + when - own[0][0], frame) for when, frame in own]
    reader, writer = os.pipe()
    seen: list[tuple[float, str]] = []
    closed = threading.Event()

    def read() -> None:
        with os.fdopen(reader, "rb") as file:
            for handshake in Run(file).handshakes():
                seen.append((time.monotonic(), handshake.outcome))
        closed.set()

    thread = threading.Thread(target=read)
    thread.start()
    data = pcap(sorted(shifted))
    with os.fdopen(writer, "wb", buffering=0) as file:
        file.write(data[: len(data) * 9 // 10])
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            time.sleep(0.02)
        early = len(seen)
        file.write(data[len(data) * 9 // 10 :])
    thread.join(10)
    assert closed.is_set()
    assert early > 0, "no row appeared before the end of the pipe"
    assert [outcome for _, outcome in seen] == ["completed"] * len(GOOD)


def test_a_run_that_outgrows_the_buffer_gives_every_row_once(monkeypatch) -> None:
    paths = [str(p) for p in GOOD + BAD]
    whole = {(h.flow.capture, h.flow.stream, h.outcome) for h in Run(paths).handshakes()}
    monkeypatch.setattr(run_module, "BUFFERED", 1)
    rows = [(h.flow.capture, h.flow.stream, h.outcome) for h in Run(paths).handshakes()]
    assert len(rows) == len(set(rows))
    assert set(rows) == whole


@pytest.mark.parametrize("piped", [False, True])
def test_what_waits_for_the_end_is_bounded(monkeypatch, tmp_path: Path, piped: bool) -> None:
    """A flood of SYNs leaves a connection each that is open at the end: not all of them may be held at once."""
    frame = frames_of(GOOD[0])[0][1]
    frames = [(10**18 + n * 10**6, frame[:34] + (2000 + n).to_bytes(2, "big") + frame[36:]) for n in range(1_000)]
    path = tmp_path / "flood.pcap"
    path.write_bytes(pcap(frames))
    expected = [(h.flow.stream, h.outcome) for h in Run(str(path)).handshakes()]
    assert len(expected) == 1_000
    monkeypatch.setattr(run_module, "_WAITING", 50)
    monkeypatch.setattr(tracker_module, "_PART", 20)
    run = Run(io.BytesIO(path.read_bytes()) if piped else str(path))
    rows = []
    for handshake in run.handshakes():
        made = int((run.reading.table["state"] == FlowState.GONE).sum())
        assert made - len(rows) <= 50 + 20
        rows.append((handshake.flow.stream, handshake.outcome))
    assert rows == expected


def test_more_flows_than_the_limit_are_counted_not_lost_in_silence() -> None:
    frame = bytearray(frames_of(GOOD[0])[0][1])
    frames = []
    for number in range(400):
        copy = bytearray(frame)
        copy[34:36] = (2000 + number).to_bytes(2, "big")
        frames.append((10**18 + number * 10**6, bytes(copy)))
    options = replace(Options(), limits=replace(Limits(), flows=100))
    run = Run(io.BytesIO(pcap(frames)), options)
    run_bytes = list(run.handshakes())
    assert len(run_bytes) == 400
    assert run.totals.flows == 400


def test_nothing_heavy_is_imported_that_the_run_does_not_need() -> None:
    code = (
        "import sys, analyzer\n"
        "heavy = {'numpy', 'pandas', 'scapy', 'pyshark', 'dask', 'pyarrow', 'cryptography', 'rich', 'altair', 'jinja2', 'sqlalchemy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"from analyzer.pipeline.run import Run\nlist(Run({str(GOOD[0])!r}).handshakes())\n"
        "heavy -= {'numpy', 'cryptography'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", [GOOD[0], BAD[0]], ids=["good", "bad"])
def test_every_prefix_of_a_capture_is_read(path: Path) -> None:
    frames = frames_of(path)
    for count in range(len(frames)):
        run = Run(io.BytesIO(pcap(frames[:count])))
        for h in run.handshakes():
            assert h.outcome in ("completed", "failed", "unfinished", "no-handshake")
            if path is GOOD[0]:
                assert h.finding is None or h.finding.confidence != "certain" or h.finding.cause.startswith("cap-")
        assert not run.diagnosis.bugs
