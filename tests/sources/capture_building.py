"""Captures built by hand, byte by byte, so that the readers are tested against the formats and not against a library."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from analyzer.sources import Source

SECOND = 1_000_000_000
MAGIC = {"micro": 0xA1B2C3D4, "nano": 0xA1B23C4D, "modified": 0xA1B2CD34}


@dataclass(frozen=True)
class Frame:
    """One frame as a reader should give it back."""

    data: bytes
    timestamp: int = 1_700_000_000 * SECOND
    original: int | None = None
    link_type: int = 1

    @property
    def original_length(self) -> int:
        return len(self.data) if self.original is None else self.original


def some_frames(count: int, start: int = 1_700_000_000, step: int = 1_000_000) -> list[Frame]:
    """Frames of different lengths whose bytes tell them apart; times in whole milliseconds."""
    return [Frame(bytes([number % 251]) * (number * 37 % 90 + 1), start * SECOND + number * step) for number in range(count)]


def pcap_header(
    dialect: str = "micro", order: str = "<", snaplen: int = 262144, link_type: int = 1, version: tuple[int, int] = (2, 4)
) -> bytes:
    return struct.pack(order + "IHHiIII", MAGIC[dialect], *version, 0, 0, snaplen, link_type)


def pcap_record(frame: Frame, dialect: str = "micro", order: str = "<") -> bytes:
    seconds, rest = divmod(frame.timestamp, SECOND)
    tick = rest if dialect == "nano" else rest // 1000
    record = struct.pack(order + "IIII", seconds, tick, len(frame.data), frame.original_length)
    if dialect == "modified":
        record += struct.pack(order + "IHBB", 3, 0x800, 0, 0)
    return record + frame.data


def pcap(frames: Iterable[Frame], dialect: str = "micro", order: str = "<", **header: object) -> bytes:
    return pcap_header(dialect, order, **header) + b"".join(pcap_record(frame, dialect, order) for frame in frames)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", link_type: int = 1, snaplen: int = 262144, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link_type, 0, snaplen) + options, order)


def enhanced(frame: Frame, order: str = "<", index: int = 0, ticks: int | None = None, options: bytes = b"") -> bytes:
    ticks = frame.timestamp // 1000 if ticks is None else ticks
    head = struct.pack(order + "IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame.data), frame.original_length)
    return block(6, head + frame.data + bytes(-len(frame.data) % 4) + options, order)


def simple(frame: Frame, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", frame.original_length) + frame.data, order)


def obsolete(frame: Frame, order: str = "<", index: int = 0, drops: int = 0) -> bytes:
    ticks = frame.timestamp // 1000
    head = struct.pack(order + "HHIIII", index, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(frame.data), frame.original_length)
    return block(2, head + frame.data, order)


def secrets(text: bytes, order: str = "<", kind: int = 0x544C534B) -> bytes:
    return block(10, struct.pack(order + "II", kind, len(text)) + text, order)


def statistics(order: str = "<", index: int = 0, dropped: int = 0) -> bytes:
    return block(5, struct.pack(order + "III", index, 0, 0) + option(5, struct.pack(order + "Q", dropped), order), order)


def pcapng(frames: Iterable[Frame], order: str = "<") -> bytes:
    return section(order) + interface(order) + b"".join(enhanced(frame, order) for frame in frames)


def write(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


@dataclass(frozen=True)
class Row:
    """One frame that was read."""

    capture: int
    number: int
    frame: Frame
    interface: int


def rows(source: Source) -> Iterator[Row]:
    """Every frame of a source, copied out of its batch."""
    for batch in source:
        assert batch.data.dtype.name == "uint8"
        assert len({len(batch), *(len(getattr(batch, name)) for name in ("captured_length", "timestamp", "number", "interface"))}) == 1
        for index in range(len(batch)):
            start, length = int(batch.offset[index]), int(batch.captured_length[index])
            yield Row(
                capture=batch.capture if batch.captures is None else int(batch.captures[index]),
                number=int(batch.number[index]),
                frame=Frame(
                    batch.data[start : start + length].tobytes(),
                    int(batch.timestamp[index]),
                    int(batch.original_length[index]),
                    int(batch.link_type[index]),
                ),
                interface=int(batch.interface[index]),
            )


def same(read: Iterable[Row], frames: Iterable[Frame]) -> bool:
    """Whether the frames read are those, in that order."""
    plain = [Frame(frame.data, frame.timestamp, frame.original_length, frame.link_type) for frame in frames]
    return [row.frame for row in read] == plain
