"""The extensions that a server answers with, in ServerHello or EncryptedExtensions (RFC 8446 section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analyzer.tls.client_extensions import read_names
from analyzer.tls.templates import FreeBytes
from analyzer.tls.wire import Malformed, Reader

__all__ = ["read_server_extensions"]

_ECH = frozenset({0xFE08, 0xFE09, 0xFE0A, 0xFE0B, 0xFE0C, 0xFE0D, 0xFFCE})
_EXTENSIONS_KEPT = 1024


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
    return lambda _: {field: True}


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


def read_server_extensions(reader: Reader, values: dict[str, Any], free: list[FreeBytes], retry: bool) -> None:
    """Read the extension block into ``values`` (fields of ServerHello); what was read stays when it raises Malformed."""
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
