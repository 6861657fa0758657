"""Just enough of pcap and pcapng to cut, thin and repeat frames: read both, write pcapng with nanoseconds."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Frame", "read", "replace", "write"]


@dataclass(frozen=True)
class Frame:
    time: int  # nanoseconds since 1970
    data: bytes
    length: int  # on the wire
    link: int = 1
    interface: int = 0


def read(path: Path) -> list[Frame]:
    blob = path.read_bytes()
    return _read_pcapng(blob) if blob[:4] == b"\x0a\x0d\x0d\x0a" else _read_pcap(blob)


def _read_pcap(blob: bytes) -> list[Frame]:
    if len(blob) < 24:
        return []
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[struct.unpack("<I", blob[:4])[0]]
    link = struct.unpack("<I", blob[20:24])[0] & 0xFFFF
    frames, at = [], 24
    while at + 16 <= len(blob):
        seconds, fraction, captured, length = struct.unpack("<IIII", blob[at : at + 16])
        frames.append(Frame(seconds * 10**9 + fraction * unit, blob[at + 16 : at + 16 + captured], length, link))
        at += 16 + captured
    return frames


def _read_pcapng(blob: bytes) -> list[Frame]:
    frames, at, links = [], 0, []
    while at + 12 <= len(blob):
        kind, size = struct.unpack("<II", blob[at : at + 8])
        body = blob[at + 8 : at + size - 4]
        if kind == 1:
            links.append(struct.unpack("<H", body[:2])[0])
        elif kind == 6:
            interface, high, low, captured, length = struct.unpack("<IIIII", body[:20])
            frames.append(Frame((high << 32) + low, body[20 : 20 + captured], length, links[interface], interface))
        at += size
    return frames


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def write(path: Path, frames: list[Frame], snaplen: int = 262144, comment: str = "") -> None:
    options = _option(1, comment.encode()) if comment else b""
    out = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options + _option(0, b""))]
    for interface in range(max((f.interface for f in frames), default=0) + 1):
        link = next((f.link for f in frames if f.interface == interface), 1)
        out.append(_block(1, struct.pack("<HHI", link, 0, snaplen) + _option(9, b"\x09") + _option(0, b"")))
    for f in frames:
        head = struct.pack("<IIIII", f.interface, f.time >> 32, f.time & 0xFFFFFFFF, len(f.data), f.length)
        out.append(_block(6, head + f.data))
    path.write_bytes(b"".join(out))
