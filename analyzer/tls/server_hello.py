"""ServerHello and HelloRetryRequest: RFC 8446 sections 4.1.3 and 4.1.4, RFC 5246 section 7.4.1.3, drafts 16 to 28."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from analyzer.model.hello import ServerHello
from analyzer.tls.client_extensions import read_names
from analyzer.tls.fingerprints import ja3s
from analyzer.tls.templates import FreeBytes, Templates
from analyzer.tls.wire import Malformed, Reader, read_u16s

__all__ = [
    "HELLO_RETRY_RANDOM",
    "EncryptedExtensions",
    "read_draft_hello_retry_request",
    "read_encrypted_extensions",
    "read_server_hello",
]

HELLO_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3)."""

_FIELDS = tuple(field.name for field in fields(ServerHello))
_RANDOM, _SESSION_ID = map(_FIELDS.index, ("random", "session_id"))
_templates: Templates[ServerHello] = Templates(ServerHello)
_ECH = frozenset({0xFE08, 0xFE09, 0xFE0A, 0xFE0B, 0xFE0C, 0xFE0D, 0xFFCE})
_EXTENSIONS_KEPT = 1024


def read_server_hello(message: bytes) -> ServerHello:
    """Read a ServerHello or HelloRetryRequest from the body of its handshake message (without the 4-byte header).

    Extensions whose body does not fit are stepped over and named in ``defects``. Raises Malformed
    where the frame of the message does not fit; ``partial`` then holds the ServerHello so far.
    """
    shape = (len(message), message[34], message[2:34] == HELLO_RETRY_RANDOM) if len(message) > 34 else None
    hello = _templates.recall(shape, message) if shape else None
    if hello is None:
        hello = _parse(message, shape)
    if hello.random[24:31] == b"DOWNGRD" and hello.random[31] < 2:
        hello.downgrade_sentinel = hello.random[31]
    return hello


def _parse(message: bytes, shape: tuple[int, int, bool] | None) -> ServerHello:
    values: dict[str, Any] = {
        "length": len(message) + 4,
        "legacy_version": 0,
        "random": b"",
        "session_id": b"",
        "cipher_suite": 0,
    }
    free: list[FreeBytes] = []
    reader = Reader(message)
    try:
        version = reader.number(2, "the version")
        values["legacy_version"] = values["selected_version"] = version
        values["random"] = reader.take(32, "random")
        values["hello_retry_request"] = retry = values["random"] == HELLO_RETRY_RANDOM
        free.append(FreeBytes(2, 34, _RANDOM))
        # Drafts of TLS 1.3 before the 22nd say so in this very field, and have no session id nor compression.
        if version >> 8 != 0x7F:
            values["session_id"] = session_id = reader.block(1, "session id")
            free.append(FreeBytes(35, 35 + len(session_id), _SESSION_ID))
        values["cipher_suite"] = reader.number(2, "the cipher suite")
        if version >> 8 != 0x7F:
            values["compression_method"] = reader.number(1, "the compression method")
        if reader:
            _read_extensions(reader, values, free, retry)
    except Malformed as error:
        error.partial = ServerHello(**values)
        raise
    hello = ServerHello(**values)
    hello.ja3s = ja3s(version, hello.cipher_suite, hello.extension_types)
    if shape is not None:
        _templates.remember(shape, message, tuple([getattr(hello, name) for name in _FIELDS]), free)
    return hello


def read_draft_hello_retry_request(message: bytes) -> ServerHello:
    """Read the HelloRetryRequest of drafts 16 to 21, a message of its own (handshake type 6); raises Malformed."""
    values: dict[str, Any] = {
        "length": len(message) + 4,
        "legacy_version": 0,
        "random": HELLO_RETRY_RANDOM,
        "session_id": b"",
        "cipher_suite": 0,
        "hello_retry_request": True,
    }
    reader = Reader(message)
    try:
        values["legacy_version"] = values["selected_version"] = version = reader.number(2, "the version")
        if version & 0xFF >= 19 or version >> 8 != 0x7F:
            values["cipher_suite"] = reader.number(2, "the cipher suite")
        _read_extensions(reader, values, [], True)
    except Malformed as error:
        error.partial = ServerHello(**values)
        raise
    return ServerHello(**values)


def _key_share(body: bytes, retry: bool) -> tuple[dict[str, Any], int]:
    """RFC 8446 section 4.2.8; the length of the key comes last."""
    reader = Reader(body)
    found: dict[str, Any] = {"key_share_group": reader.number(2, "the group")}
    if retry and not reader:
        return found, 0
    key = reader.block(2, "key")
    found["key_share_length"] = len(key)
    if reader:
        raise Malformed(f"{len(reader)} bytes after the key", found)
    return found, len(key)


def _name(body: bytes) -> dict[str, Any]:
    names = read_names(body)
    if len(names) != 1:
        raise Malformed(f"{len(names)} protocols, where one is chosen", {"alpn": names[0] if names else None})
    return {"alpn": names[0]}


def _number(field: str, width: int) -> Callable[[bytes], dict[str, Any]]:
    def read(body: bytes) -> dict[str, Any]:
        if len(body) != width:
            raise Malformed(f"{len(body)} bytes, where {width} are its value")
        return {field: int.from_bytes(body, "big")}

    return read


def _flag(field: str) -> Callable[[bytes], dict[str, Any]]:
    return lambda body: {field: True}


_READERS: dict[int, Callable[[bytes], dict[str, Any]]] = {
    0x0000: _flag("server_name_acknowledged"),
    0x0001: _number("max_fragment_length", 1),
    0x0005: _flag("status_request"),
    0x0010: _name,
    0x0016: _flag("encrypt_then_mac"),
    0x0017: _flag("extended_master_secret"),
    0x001C: _number("record_size_limit", 2),
    0x0023: _flag("session_ticket"),
    0x0029: _number("pre_shared_key", 2),
    0x002A: _flag("early_data"),
    0x002B: _number("selected_version", 2),
    0xFF01: _flag("renegotiation_info"),
    **dict.fromkeys(_ECH, _flag("encrypted_client_hello")),
}


def _read_extensions(reader: Reader, values: dict[str, Any], free: list[FreeBytes], retry: bool) -> None:
    data = reader.data
    announced = reader.number(2, "the length of the extensions")
    at, stop = reader.at, reader.at + announced
    held = min(stop, len(data))
    types: list[int] = []
    defects: list[str] = []
    says = ""
    while at < held:
        header = int.from_bytes(data[at : at + 4], "big")
        end = at + 4 + (header & 0xFFFF)
        if end > held or at + 4 > held:
            says = "the last extension ends after the extensions do"
            break
        kind, body = header >> 16, data[at + 4 : end]
        try:
            if kind in (0x33, 0x28):
                updates, length = _key_share(body, retry)
                free.append(FreeBytes(end - length, end))
                values.update(updates)
            elif kind == 0x2C:
                values["cookie_length"] = length = max(len(body) - 2, 0)
                free.append(FreeBytes(end - length, end))
            elif kind in _READERS:
                values.update(_READERS[kind](body))
        except Malformed as error:
            defects.append(f"extension {kind}: {error.says}")
            if isinstance(error.partial, dict):
                values.update(error.partial)
        if len(types) == _EXTENSIONS_KEPT:
            says = f"more than {_EXTENSIONS_KEPT} extensions"
            break
        types.append(kind)
        at = end
    if not says and stop < len(data):
        defects.append(f"{len(data) - stop} bytes after the extensions")
    values["extension_types"] = tuple(types)
    if defects:
        values["defects"] = tuple(defects)
    if stop > len(data):
        raise Malformed(f"extensions of {announced} bytes, where {len(data) - reader.at} are left")
    if says:
        raise Malformed(says)


@dataclass(slots=True)
class EncryptedExtensions:
    """EncryptedExtensions (RFC 8446 section 4.3.1): what the server answers to the offer, under encryption."""

    extension_types: tuple[int, ...] = ()
    alpn: str | None = None
    early_data: bool = False
    server_name_acknowledged: bool = False
    named_groups: tuple[int, ...] = ()
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
        _read_extensions(Reader(message), values, [], False)
    finally:
        for field in ("extension_types", "alpn", "early_data", "server_name_acknowledged", "max_fragment_length",
                      "record_size_limit", "encrypted_client_hello", "defects"):  # fmt: skip
            if field in values:
                setattr(found, field, values[field])
    return found
