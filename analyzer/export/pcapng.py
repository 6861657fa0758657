"""A small pcapng writer: sections, interfaces, frames and TLS secrets (draft-ietf-opsawg-pcapng).

One section of little-endian blocks, times in nanoseconds.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

__all__ = ["PcapngWriter"]

_SECTION, _INTERFACE, _FRAME, _SECRETS = 0x0A0D0D0A, 1, 6, 10
_TLS_KEY_LOG = 0x544C534B
_NAME, _RESOLUTION, _APPLICATION = 2, 9, 4
_frame_header = struct.Struct("<7I")


class PcapngWriter:
    """Frames into a stream of bytes. ``written`` counts bytes."""

    def __init__(self, stream: BinaryIO, application: str = "handshake") -> None:
        self._stream = stream
        self._interfaces: dict[tuple[int, str], int] = {}
        self.written = 0
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(_APPLICATION, application.encode()) + bytes(4)
        self._block(_SECTION, body)

    def write_secrets(self, key_log: bytes) -> None:
        """Lines of a TLS key log, for the frames that follow."""
        self._block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(key_log)) + key_log)

    def write_frame(self, timestamp: int, link_type: int, interface: str, data: bytes, original_length: int) -> None:
        """One frame; ``timestamp`` ns since the epoch."""
        number = self._interfaces.get((link_type, interface))
        if number is None:
            number = self._describe(link_type, interface)
        size = len(data)
        padding = -size % 4
        total = 32 + size + padding
        header = _frame_header.pack(_FRAME, total, number, timestamp >> 32 & 0xFFFFFFFF, timestamp & 0xFFFFFFFF, size, original_length)
        self._stream.write(b"".join((header, data, bytes(padding), total.to_bytes(4, "little"))))
        self.written += total

    def _describe(self, link_type: int, interface: str) -> int:
        number = self._interfaces[link_type, interface] = len(self._interfaces)
        name = _option(_NAME, interface.encode("utf-8", "replace")) if interface else b""
        self._block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + name + _option(_RESOLUTION, b"\x09") + bytes(4))
        return number

    def _block(self, kind: int, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        total = struct.pack("<I", len(body) + 12)
        self._stream.write(struct.pack("<I", kind) + total + body + total)
        self.written += len(body) + 12

    def flush(self) -> None:
        """Hand on what was written."""
        self._stream.flush()


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
