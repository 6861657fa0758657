"""Every encapsulation we claim to read is one that tshark reads to the same segment."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from encapsulations import CASES, HELLO, SEGMENT

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

UNKNOWN_TO_TSHARK = {
    "mpls pseudowire": "tshark tells Ethernet by the vendor of its addresses, and ours are locally administered",
    "mpls control word": "the same",
    "null af 10": "Linux's AF_INET6, written by programs that put their own host's number there",
    "null af 23": "Windows's AF_INET6; tshark takes it for IPX",
    "ipv6 mobility": "RFC 6275 leaves room for a payload, tshark does not",
}


def pcapng(frames: list[tuple[int, bytes]]) -> bytes:
    """One interface for each frame, so that any link types share a file."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link, _ in frames:
        out += block(1, struct.pack("<HHI", link, 0, 0))
    for index, (_, frame) in enumerate(frames):
        out += block(6, struct.pack("<IIIII", index, 0, 0, len(frame), len(frame)) + frame)
    return out


def test_tshark_finds_the_same_segment_in_every_encapsulation(tmp_path: Path) -> None:
    capture = tmp_path / "encapsulations.pcapng"
    capture.write_bytes(pcapng([(link, bytes(packet)) for link, packet, *_ in CASES.values()]))
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=l"]
    for option in ("tcp.relative_sequence_numbers:FALSE", "ip.tso_support:TRUE"):
        command += ["-o", option]
    for port, protocol in ((8472, "vxlan"), (4754, "gre"), (6635, "mpls")):
        command += ["-d", f"udp.port=={port},{protocol}"]
    for field in ("tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "frame.protocols"):
        command += ["-e", field]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = "\t".join(str(n) for n in (SEGMENT.sport, SEGMENT.dport, SEGMENT.seq, SEGMENT.ack, len(HELLO)))
    differing = {name: line for name, line in zip(CASES, said, strict=True) if not line.startswith(expected)}
    assert differing.keys() == UNKNOWN_TO_TSHARK.keys(), differing
