"""Every TCP segment of recorded captures, column by column, as tshark tells it."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from analyzer.decode import Decoder
from analyzer.errors import SourceError
from analyzer.model.batches import SegmentBatch
from analyzer.sources import open_source

CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
CAPTURES = sorted(p for p in CORPUS.rglob("*") if p.suffix in (".pcap", ".pcapng", ".gz", ".cap")) if CORPUS.is_dir() else []
FIELDS = (
    "frame.number", "ip.version", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "tcp.seq_raw",
    "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.window_size_value", "ip.ttl", "ipv6.hlim", "ip.id", "tcp.options.mss_val",
    "tcp.options.wscale.shift", "tcp.options.timestamp.tsval", "tcp.hdr_len",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not CAPTURES, reason="no recorded captures here"),
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]

Row = tuple[object, ...]


def rows_of_tshark(capture: Path) -> set[Row]:
    """One tuple for each TCP segment outside ICMP's quotes; of nested headers the innermost counts."""
    command = ["tshark", "-n", "-r", str(capture), "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=l"]
    for option in ("tcp.relative_sequence_numbers:FALSE", "tcp.desegment_tcp_streams:FALSE", "ip.tso_support:TRUE"):
        command += ["-o", option]
    for field in FIELDS:
        command += ["-e", field]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return {row for line in said.stdout.splitlines() if (row := _row_of_line(line.split("\t"))) is not None}


def _row_of_line(values: list[str]) -> Row | None:
    value = dict(zip(FIELDS, values, strict=True))
    if not value["tcp.hdr_len"] or int(value["tcp.hdr_len"]) < 20 or not value["tcp.len"]:
        return None
    version = 6 if value["ipv6.src"] and not value["ip.src"] else 4
    number = {name: int(value[name] or "0", 0) for name in FIELDS if "src" not in name and "dst" not in name}
    syn = number["tcp.flags"] & 2
    return (
        number["frame.number"], version, value["ip.src" if version == 4 else "ipv6.src"],
        value["ip.dst" if version == 4 else "ipv6.dst"], int(value["tcp.srcport"]), int(value["tcp.dstport"]),
        number["tcp.seq_raw"], number["tcp.ack_raw"] if number["tcp.flags"] & 16 else 0, number["tcp.len"],
        number["tcp.flags"] & 0xFF, number["tcp.window_size_value"],
        number["ip.ttl"] if version == 4 else number["ipv6.hlim"], number["ip.id"] if version == 4 else -1,
        number["tcp.options.mss_val"] if syn else 0,
        number["tcp.options.wscale.shift"] if syn and value["tcp.options.wscale.shift"] else -1,
        number["tcp.options.timestamp.tsval"],
    )  # fmt: skip


def rows_of_decoder(capture: Path) -> set[Row]:
    decoder = Decoder()
    rows: set[Row] = set()
    with open_source(str(capture)) as source:
        for batch in source:
            rows.update(rows_of_segments(decoder.decode(batch)))
    return rows


def rows_of_segments(segments: SegmentBatch) -> list[Row]:
    def text(version: int, high: int, low: int) -> str:
        return str(ip_address(low & 0xFFFF_FFFF) if version == 4 else ip_address((high << 64 | low).to_bytes(16, "big")))

    columns = (
        segments.frame, segments.ip_version, segments.source_high, segments.source_low, segments.destination_high,
        segments.destination_low, segments.source_port, segments.destination_port, segments.sequence, segments.acknowledgment,
        segments.wire_length, segments.flags, segments.window, segments.ttl, segments.ip_id, segments.mss,
        segments.window_scale, segments.timestamp_value,
    )  # fmt: skip
    return [
        (frame, version, text(version, sh, sl), text(version, dh, dl), sport, dport, seq, ack if flags & 16 else 0, length,
         flags, window, *rest)
        for frame, version, sh, sl, dh, dl, sport, dport, seq, ack, length, flags, window, *rest
        in zip(*(column.tolist() for column in columns), strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_segments_are_those_tshark_sees(capture: Path) -> None:
    try:
        ours = rows_of_decoder(capture)
    except SourceError as fault:
        pytest.skip(str(fault))
    theirs = rows_of_tshark(capture)
    if "amsdu" in capture.name:
        # One 802.11 aggregate carries several segments; we have them all, tshark's "last occurrence" is one of them.
        assert theirs <= ours
    else:
        assert ours == theirs
