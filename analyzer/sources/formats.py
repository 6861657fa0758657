"""Names for what is not a capture, so that the person who opened it sees what it is instead."""

from __future__ import annotations

from typing import Final

from analyzer.sources.inflate import compression_of

__all__ = ["name_format"]

_CONTAINERS: Final = {
    b"snoop\x00\x00\x00": "a snoop capture",
    b"GMBU": "a Network Monitor capture",
    b"RTSS": "a Network Monitor capture",
    b"TRSNIFF data": "a Sniffer capture",
    b"XCP\x00": "a NetXray capture",
    b"\xac\x01\x00\x1c": "an Ixia capture",
    b"\xab\x01\x00\x1c": "an Ixia capture",
    b"\x1c\x00\x01\xac": "an Ixia capture",
    b"\x1c\x00\x01\xab": "an Ixia capture",
    b"\x34\xcd\xb2\xa1": "an old capture dialect",
    b"\xa1\xb2\x34\xcd": "an old capture dialect",
    b"btsnoop\x00": "a Bluetooth capture",
    b"\x7fver": "a visual capture",
    b"\x05VNF": "a Visual Networks capture",
}
"""Captures that tshark may read and we do not."""

_OTHERS: Final = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a rar archive: unpack it first",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"SQLite format 3": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"-----BEGIN": "a PEM file",
    b"CLIENT_RANDOM ": "a TLS key log: name it with --keylog",
    b"CLIENT_HANDSHAKE_TRAFFIC_SECRET ": "a TLS key log: name it with --keylog",
    b"# SSL/TLS secrets log": "a TLS key log: name it with --keylog",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
}


def name_format(head: bytes, inside: str | None) -> str:
    """Say in a few words what starts with ``head`` (some hundred bytes), found inside compression ``inside``."""
    where = f" inside {inside}" if inside else ""
    again = compression_of(head)
    if again:
        return f"is {again}{where}: unpack it first"
    for magic, name in _CONTAINERS.items():
        if head.startswith(magic):
            return f"looks like {name}{where}, which --reader tshark may read"
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            return f"is not a capture, it looks like {name}{where}"
    if head[257:262] == b"ustar":
        return f"is not a capture, it looks like a tar archive{where}: unpack it first"
    if _is_text(head):
        return f"is not a capture, it is text{where}"
    return f"is not a capture{where}: neither pcap nor pcapng (--reader tshark reads more formats)"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut.
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text) and all(character.isprintable() or character in "\t\r\n" for character in text)
