"""Capture artefacts, made from good captures: what a bad recording of the same handshake would hold.

`cut={"do": ...}` of a row: snaplen size · one-way keep=client|server · late from=n · early to=n · missing frames=[…] ·
twice [gap, ttl] · disorder · nat · vxlan · gre · vlan · keys-of (the key log of another capture)
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from . import pcap
from .case import Case
from .pcap import Frame, replace


def _is_from_client(f: Frame) -> bool:
    return f.data[26:30] == bytes((192, 0, 2, 10)) if f.data[12:14] == b"\x08\x00" else f.data[22:38].endswith(b"\x10")


def snaplen(frames: list[Frame], size: int, **_: Any) -> list[Frame]:
    return [replace(f, data=f.data[:size]) for f in frames]


def one_way(frames: list[Frame], keep: str, **_: Any) -> list[Frame]:
    return [f for f in frames if _is_from_client(f) == (keep == "client")]


def late(frames: list[Frame], start: int, **_: Any) -> list[Frame]:
    return frames[start - 1 :]


def early(frames: list[Frame], stop: int, **_: Any) -> list[Frame]:
    return frames[:stop]


def missing(frames: list[Frame], numbers: list[int], **_: Any) -> list[Frame]:
    return [f for n, f in enumerate(frames, 1) if n not in numbers]


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _with_ttl(data: bytes, less: int) -> bytes:
    ip = bytearray(data[14:34])
    ip[8] -= less
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", _checksum(bytes(ip)))
    return data[:14] + bytes(ip) + data[34:]


def twice(frames: list[Frame], gap: int = 30_000, ttl: int = 0, **_: Any) -> list[Frame]:
    out = []
    for f in frames:
        out += [f, replace(f, time=f.time + gap, data=_with_ttl(f.data, ttl) if ttl else f.data)]
    return sorted(out, key=lambda f: f.time)


def disorder(frames: list[Frame], shift: int = 25_000_000, **_: Any) -> list[Frame]:
    """Two interfaces merged without sorting: the server's frames come in the file after the client's later ones."""
    return [f for _, f in sorted(enumerate(frames), key=lambda p: p[1].time + (0 if _is_from_client(p[1]) else shift))]


def _rewrite(data: bytes, old: bytes, new: bytes) -> bytes:
    ip = bytearray(data[14:34])
    tcp = bytearray(data[34:])
    for at in (12, 16):
        if ip[at : at + 4] == old:
            ip[at : at + 4] = new
    ip[8] -= 1
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", _checksum(bytes(ip)))
    size = struct.unpack("!H", bytes(ip[2:4]))[0] - 20
    segment = bytearray(tcp[:size])
    segment[16:18] = b"\0\0"
    pseudo = bytes(ip[12:20]) + struct.pack("!HH", 6, size)
    body = pseudo + bytes(segment)
    segment[16:18] = struct.pack("!H", _checksum(body + b"\0" * (len(body) % 2)))
    return data[:14] + bytes(ip) + bytes(segment)


def nat(frames: list[Frame], gap: int = 40_000, **_: Any) -> list[Frame]:
    """The same connection on both sides of an address translator, in one file."""
    inside, outside = bytes((192, 0, 2, 10)), bytes((203, 0, 113, 7))
    out = []
    for f in frames:
        other = replace(f, data=_rewrite(f.data, inside, outside), time=f.time + (gap if _is_from_client(f) else -gap))
        out += [f, other]
    return sorted(out, key=lambda f: f.time)


def vxlan(frames: list[Frame], **_: Any) -> list[Frame]:
    out = []
    for f in frames:
        inner = b"\x08\0\0\0\0\x00\x2a\0" + f.data
        udp = struct.pack("!HHHH", 49000, 4789, 8 + len(inner), 0) + inner
        ends = (bytes((203, 0, 113, 1)), bytes((203, 0, 113, 2)))
        source, target = ends if _is_from_client(f) else ends[::-1]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0) + source + target
        ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
        data = bytes.fromhex("02000000aa0202000000aa010800") + ip + udp
        out.append(replace(f, data=data, length=len(data)))
    return out


def gre(frames: list[Frame], **_: Any) -> list[Frame]:
    out = []
    for f in frames:
        body = b"\0\0\x08\x00" + f.data[14:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 47, 0) + bytes((203, 0, 113, 1, 203, 0, 113, 2))
        ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
        data = f.data[:14] + ip + body
        out.append(replace(f, data=data, length=len(data)))
    return out


def vlan(frames: list[Frame], tags: int = 2, **_: Any) -> list[Frame]:
    outer = b"\x88\xa8\x00\x64\x81\x00\x00\x0a" if tags == 2 else b"\x81\x00\x00\x0a"
    return [replace(f, data=f.data[:12] + outer + f.data[12:], length=f.length + len(outer)) for f in frames]


def keys_of(frames: list[Frame], **_: Any) -> list[Frame]:
    return frames


DEEDS = {"snaplen": snaplen, "one-way": one_way, "late": late, "early": early, "missing": missing, "twice": twice,
         "disorder": disorder, "nat": nat, "vxlan": vxlan, "gre": gre, "vlan": vlan, "keys-of": keys_of}  # fmt: skip


def make(case: Case, captures: Path, work: Path) -> tuple[list[Frame], dict[str, str | None], str]:
    source = captures / case.made_from
    if not source.exists():
        raise FileNotFoundError(f"{case.folder} is cut from {case.made_from}, which is not recorded yet")
    words = {k: v for k, v in case.cut.items() if k not in ("do", "keep_foreign_keys", "other")}
    frames = DEEDS[case.cut["do"]](pcap.read(source / "capture.pcapng"), **words)
    expected = json.loads((source / "expected.json").read_text())
    keys_from = captures / case.cut["other"] if "other" in case.cut else source
    keylog = keys_from / "keys.log"
    keys = keylog.read_text() if keylog.exists() else ""
    return frames, {r: expected[r]["reported"] for r in ("client", "server")}, keys
