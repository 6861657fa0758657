"""What another reader saw: the TLS of one frame in tshark's words, as numbers.

``tshark.read_dissection`` fills these; nothing here knows tshark.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DissectedAlert", "DissectedFrame"]


class DissectedAlert(NamedTuple):
    """One alert; both None where it is encrypted."""

    level: int | None
    description: int | None


class DissectedFrame(NamedTuple):
    """One frame of a TCP connection, with what ended in it."""

    number: int
    stream: int
    source: str
    """Address of the sender, '' where the network layer is not IP."""
    source_port: int
    destination_port: int
    syn: bool
    """A SYN (with or without ACK): the frame was asked for because of its connection."""
    handshake_types: tuple[int, ...] = ()
    """Handshake messages that could be read, in order."""
    unread: int = 0
    """Handshake records that could not be: encrypted, or said to be."""
    alerts: tuple[DissectedAlert, ...] = ()
    change_cipher_specs: int = 0
    server_names: tuple[str, ...] = ()
    cipher_suite: int | None = None
    """Of a ServerHello."""
    version: int | None = None
    """Of a ServerHello: supported_versions where present, else legacy_version."""
