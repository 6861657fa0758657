"""The extensions of a ClientHello, one reader each (RFC 8446 section 4.2 and the RFC named at each)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analyzer.tls.templates import plain_text
from analyzer.tls.wire import Malformed, Reader, read_u16s

__all__ = ["FREE_EXTENSIONS", "known_extensions", "read_client_extension", "read_free_extension", "read_names"]

_NAME_AT = 5  # in the body of server_name

Updates = dict[str, Any]
FreePart = tuple[int, int, str]
"""(start, length, the field of ClientHello that it is; '' for none) within an extension's body."""


def read_names(body: bytes) -> tuple[str, ...]:
    """Read a ProtocolNameList (RFC 7301 section 3.1)."""
    reader = Reader(body)
    names = Reader(reader.block(2, "the list of protocols"))
    _used_up(reader, "the list of protocols")
    return tuple([name.decode("utf-8", "backslashreplace") for name in names.blocks(1, "protocol")])


def _used_up(reader: Reader, what: str) -> None:
    if reader:
        raise Malformed(f"{len(reader)} bytes after {what}")


def _server_name(body: bytes) -> tuple[Updates, list[FreePart]]:
    """RFC 6066 section 3. An empty list is the server's form; some clients send it."""
    if not body:
        return {"server_name": ""}, []
    # one name, of the letters that every name has: whatever it is, the rest is read in the same way
    size = len(body) - _NAME_AT
    if size > 0 and body[2] == 0 and body[3] << 8 | body[4] == size and body[0] << 8 | body[1] == size + 3:
        plain = plain_text(body[_NAME_AT:])
        if plain is not None:
            return {"server_name": plain}, [(_NAME_AT, size, "server_name")]
    reader = Reader(body)
    entries = Reader(reader.block(2, "the list of names"))
    found: Updates = {}
    while entries:
        kind = entries.number(1, "the kind of name")
        name = entries.block(2, "server name")
        if kind == 0 and not found:
            found["server_name"] = name.decode("utf-8", "backslashreplace")
    if reader:
        raise Malformed(f"{len(reader)} bytes after the list of names", found)
    return found, []


def _numbers(field: str, what: str, width: int = 2) -> Callable[[bytes], Updates]:
    def read(body: bytes) -> Updates:
        reader = Reader(body)
        values: Updates = {field: read_u16s(reader.block(width, what), what)}
        if reader:
            raise Malformed(f"{len(reader)} bytes after {what}", values)
        return values

    return read


def _octets(field: str, what: str) -> Callable[[bytes], Updates]:
    def read(body: bytes) -> Updates:
        reader = Reader(body)
        values: Updates = {field: tuple(reader.block(1, what))}
        if reader:
            raise Malformed(f"{len(reader)} bytes after {what}", values)
        return values

    return read


def _flag(field: str) -> Callable[[bytes], Updates]:
    return lambda _: {field: True}


def _number(field: str, width: int) -> Callable[[bytes], Updates]:
    def read(body: bytes) -> Updates:
        reader = Reader(body)
        values: Updates = {field: reader.number(width, "its value")}
        if reader:
            raise Malformed(f"{len(reader)} bytes after its value", values)
        return values

    return read


def _renegotiation_info(body: bytes) -> Updates:
    """RFC 5746 section 3.2."""
    reader = Reader(body)
    values: Updates = {"renegotiation_info": True, "renegotiation_info_length": len(reader.block(1, "verify data"))}
    _used_up(reader, "the verify data")
    return values


def _certificate_authorities(body: bytes) -> Updates:
    """RFC 8446 section 4.2.4."""
    reader = Reader(body)
    names = Reader(reader.block(2, "the list of authorities")).blocks(2, "authority")
    _used_up(reader, "the list of authorities")
    return {"certificate_authorities": tuple(names)}


_READERS: dict[int, Callable[[bytes], Updates]] = {
    0x0001: _number("max_fragment_length", 1),  # RFC 6066 section 4
    0x0005: _flag("status_request"),
    0x000A: _numbers("named_groups", "the groups"),
    0x000B: _octets("ec_point_formats", "the point formats"),  # RFC 8422 section 5.1.2
    0x000D: _numbers("signature_schemes", "the signature schemes"),
    0x000F: _flag("heartbeat"),
    0x0010: lambda body: {"alpn": read_names(body)},
    0x0011: _flag("status_request"),
    0x0012: _flag("sct"),
    0x0015: lambda body: {"padding_length": len(body)},
    0x0016: _flag("encrypt_then_mac"),
    0x0017: _flag("extended_master_secret"),
    0x001B: _numbers("compress_certificate", "the algorithms", 1),  # RFC 8879 section 3
    0x001C: _number("record_size_limit", 2),  # RFC 8449
    0x0022: _numbers("delegated_credentials", "the signature schemes"),  # RFC 9345
    0x002A: _flag("early_data"),
    0x002B: _numbers("supported_versions", "the versions", 1),
    0x002D: _octets("psk_modes", "the modes"),
    0x002F: _certificate_authorities,
    0x0031: _flag("post_handshake_auth"),
    0x0032: _numbers("signature_schemes_cert", "the signature schemes"),
    0xFF01: _renegotiation_info,
}

_PRESENT: dict[int, Updates] = {0xFF01: {"renegotiation_info": True}}

known_extensions: dict[bytes, tuple[Updates, str]] = {}
"""Memo of ``read_client_extension``, by the extension's bytes."""
_MEMO_ENTRIES = 2048


def read_client_extension(extension: bytes) -> tuple[Updates, str]:
    """Read one extension, its 4-byte header included: fields of ClientHello, and what did not fit ('' if all did)."""
    kind = extension[0] << 8 | extension[1]
    reader = _READERS.get(kind)
    if reader is None:
        return {}, ""
    try:
        result = reader(extension[4:]), ""
    except Malformed as error:
        kept = error.partial if isinstance(error.partial, dict) else _PRESENT.get(kind, {})
        result = kept, f"extension {kind}: {error.says}"
    if len(extension) <= 512:
        if len(known_extensions) >= _MEMO_ENTRIES:
            known_extensions.clear()
        known_extensions[extension] = result
    return result


def _key_share(body: bytes) -> tuple[Updates, list[FreePart]]:
    """RFC 8446 section 4.2.8: (group, length of the key) in order."""
    shares: list[tuple[int, int]] = []
    free: list[FreePart] = []
    updates: Updates = {}
    announced = int.from_bytes(body[:2], "big")
    at, end = 2, len(body)
    while at < end:
        header = int.from_bytes(body[at : at + 4], "big")
        length = header & 0xFFFF
        if at + 4 + length > end:
            updates["key_shares"] = tuple(shares)
            raise Malformed("the last key share ends after the extension does", updates)
        shares.append((header >> 16, length))
        free.append((at + 4, length, ""))
        at += 4 + length
    updates["key_shares"] = tuple(shares)
    if announced != end - 2 or end < 2:
        raise Malformed(f"key shares of {announced} bytes in an extension of {end}", updates)
    return updates, free


def _pre_shared_key(body: bytes) -> tuple[Updates, list[FreePart]]:
    """RFC 8446 section 4.2.11."""
    reader = Reader(body)
    updates: Updates = {"psk_identities": 0}
    free: list[FreePart] = []
    try:
        stop = reader.number(2, "the length of the identities") + 2
        count = 0
        while reader.at < stop:
            identity = reader.block(2, "identity")
            if not count:
                updates["psk_identity"] = identity[:64]
            free.append((reader.at - len(identity), len(identity), "" if count else "psk_identity"))
            free.append((reader.at, 4, ""))
            reader.number(4, "the age of a ticket")
            count += 1
            updates["psk_identities"] = count
        if reader.at != stop:
            raise Malformed("the last identity ends after their list does")
        stop = reader.number(2, "the length of the binders") + reader.at
        while reader.at < stop:
            binder = reader.block(1, "binder")
            updates.setdefault("psk_binder_length", len(binder))
            free.append((reader.at - len(binder), len(binder), ""))
        if reader.at != stop or reader:
            raise Malformed("the binders do not fill the extension")
    except Malformed as error:
        error.partial = updates
        raise
    return updates, free


def _all_free(updates: Updates, body: bytes) -> tuple[Updates, list[FreePart]]:
    return updates, [(0, len(body), "")]


def _cookie(body: bytes) -> tuple[Updates, list[FreePart]]:
    reader = Reader(body)
    cookie = reader.block(2, "cookie")
    _used_up(reader, "the cookie")
    return {"cookie_length": len(cookie)}, [(2, len(cookie), "")]


_FREE_READERS: dict[int, Callable[[bytes], tuple[Updates, list[FreePart]]]] = {
    0x0000: _server_name,
    0x0023: lambda body: _all_free({"session_ticket_length": len(body)}, body),  # RFC 5077 section 3.2
    0x0028: _key_share,  # its number until draft 22
    0x0029: _pre_shared_key,
    0x002C: _cookie,
    0x0033: _key_share,
    # RFC 9849 and the drafts that were deployed; a GREASE one looks the same
    **{kind: lambda body: _all_free({"encrypted_client_hello": True}, body)
       for kind in (0xFE08, 0xFE09, 0xFE0A, 0xFE0B, 0xFE0C, 0xFE0D, 0xFFCE)},
}  # fmt: skip

FREE_EXTENSIONS = frozenset(_FREE_READERS)
"""Extensions that hold keys, tickets, a name and the like: their bytes are new each time, so no memo of them."""


def read_free_extension(kind: int, body: bytes) -> tuple[Updates, str, list[FreePart]]:
    """Read one of FREE_EXTENSIONS; the parts that may hold anything come last."""
    try:
        updates, free = _FREE_READERS[kind](body)
    except Malformed as error:
        return error.partial if isinstance(error.partial, dict) else {}, f"extension {kind}: {error.says}", []
    return updates, "", free
