"""EncryptedExtensions (RFC 8446 section 4.3.1), readable with a key log only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analyzer.tls.server_extensions import read_server_extensions
from analyzer.tls.wire import Reader

__all__ = ["EncryptedExtensions", "read_encrypted_extensions"]


@dataclass(slots=True)
class EncryptedExtensions:
    """EncryptedExtensions (RFC 8446 section 4.3.1): what the server answers to the offer, under encryption."""

    extension_types: tuple[int, ...] = ()
    alpn: str | None = None
    early_data: bool = False
    server_name_acknowledged: bool = False
    max_fragment_length: int | None = None
    record_size_limit: int | None = None
    encrypted_client_hello: bool = False
    """Retry configurations came: the server could not open the encrypted hello."""
    defects: tuple[str, ...] = ()


def read_encrypted_extensions(message: bytes) -> EncryptedExtensions:
    """Read EncryptedExtensions from the body of its handshake message; raises Malformed with what was read."""
    found = EncryptedExtensions()
    values: dict[str, Any] = {}
    try:
        read_server_extensions(Reader(message), values, [], False)
    finally:
        for field in ("extension_types", "alpn", "early_data", "server_name_acknowledged", "max_fragment_length",
                      "record_size_limit", "encrypted_client_hello", "defects"):  # fmt: skip
            if field in values:
                setattr(found, field, values[field])
    return found
