"""Stream numbers are Wireshark's: whoever reads 17 here types ``tcp.stream == 17`` there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from analyzer.decode.decoder import Decoder
from analyzer.flows import FlowTable
from analyzer.sources import open_source

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
SOME = sorted(CAPTURES.glob("*/capture.pcapng"))[::25]

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def numbers(path: Path) -> dict[int, int]:
    decoder, table = Decoder(), FlowTable()
    found: dict[int, int] = {}
    with open_source([str(path)], batch_bytes=4096) as source:
        for batch in source:
            segments = decoder.decode(batch)
            placed = table.add(segments)
            streams = table["stream"][placed.flow].tolist() if len(segments) else []
            found.update(zip(segments.frame.tolist(), streams, strict=True))
    return found


@needs_tshark
def test_every_frame_has_tsharks_stream_number() -> None:
    assert SOME
    for path in SOME:
        command = ["tshark", "-n", "-r", str(path), "-Y", "tcp", "-T", "fields", "-e", "frame.number", "-e", "tcp.stream"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        expected = {}
        for line in said.splitlines():
            frame, stream = line.split("\t")
            if "," not in stream:  # the tcp of an ICMP error's quotation has no stream of its own
                expected[int(frame)] = int(stream)
        ours = numbers(path)
        different = {frame: (stream, ours.get(frame)) for frame, stream in expected.items() if frame in ours and ours[frame] != stream}
        assert not different, f"{path.parent.name}: frame -> (tshark, ours) {different}"
