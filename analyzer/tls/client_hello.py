"""ClientHello: RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2, and the SSLv2 form of RFC 5246 appendix E.2."""

from __future__ import annotations

from dataclasses import fields
from struct import Struct
from typing import Any

from analyzer.model.hello import ClientHello
from analyzer.tls.client_extensions import FREE_EXTENSIONS, known_extensions, read_client_extension, read_free_extension
from analyzer.tls.templates import FreeBytes, Templates, Traced
from analyzer.tls.wire import GREASE, Malformed, Reader, read_u16s

__all__ = ["read_client_hello", "read_sslv2_client_hello", "trace_client_hello"]

_FIELDS = tuple(field.name for field in fields(ClientHello))
_RANDOM, _SESSION_ID = map(_FIELDS.index, ("random", "session_id"))
_FILLS = {
    "": FreeBytes(0, 0)[2:],
    "psk_identity": (_FIELDS.index("psk_identity"), 64, False),
    "server_name": (_FIELDS.index("server_name"), 65_536, True),
}
"""What free bytes fill in, by the field that they are: the rest of ``FreeBytes``."""
_new_part = tuple.__new__  # a third of the time of the constructor
_templates: Templates[ClientHello] = Templates(ClientHello)
_unpack_header = Struct(">HH").unpack_from


def read_client_hello(message: bytes, *, record_version: int = 0) -> ClientHello:
    """Read a ClientHello from the body of its handshake message (without the 4-byte header).

    Extensions whose body does not fit are stepped over and named in ``defects``. Raises Malformed
    where the frame of the message does not fit; ``partial`` then holds the ClientHello so far.
    """
    shape = _shape_of(message)
    hello = _templates.recall(shape, message) if shape else None
    if hello is None:
        hello = _parse(message, shape)
    hello.record_version = record_version
    return hello


def trace_client_hello(message: bytes) -> Traced | None:
    """How a ClientHello that was read is made again with other random bytes; None when it is not remembered."""
    return _templates.trace(_shape_of(message), message)


def _shape_of(message: bytes) -> tuple[int, int] | None:
    return (len(message), message[34]) if len(message) > 34 else None


def _parse(message: bytes, shape: tuple[int, int] | None) -> ClientHello:
    values: dict[str, Any] = {
        "length": len(message) + 4,
        "legacy_version": 0,
        "random": b"",
        "session_id": b"",
        "cipher_suites": (),
    }
    free: list[FreeBytes] = []
    reader = Reader(message)
    try:
        values["legacy_version"] = reader.number(2, "the version")
        values["random"] = reader.take(32, "random")
        values["session_id"] = session_id = reader.block(1, "session id")
        free.append(FreeBytes(2, 34, _RANDOM))
        free.append(FreeBytes(35, 35 + len(session_id), _SESSION_ID))
        suites = read_u16s(reader.block(2, "cipher suites"), "cipher suites")
        values["cipher_suites"] = suites
        values["fallback_scsv"] = 0x5600 in suites
        values["renegotiation_info"] = 0x00FF in suites
        values["compression_methods"] = reader.block(1, "compression methods")
        first_alpn = b""
        if reader:
            first_alpn = _read_extensions(reader, values, free)
    except Malformed as error:
        error.partial = ClientHello(**values)
        raise
    hello = ClientHello(**values, first_alpn=first_alpn)
    hello.grease = not (
        GREASE.isdisjoint(suites)
        and GREASE.isdisjoint(hello.extension_types)
        and GREASE.isdisjoint(hello.named_groups)
        and GREASE.isdisjoint(hello.supported_versions)
    )
    # GREASE is drawn anew each time, and goes with shuffled extensions; of an extension that comes twice one fills in what the other said
    once = len(set(hello.extension_types)) == len(hello.extension_types)
    if shape is not None and once and not hello.grease:
        _templates.remember(shape, message, tuple([getattr(hello, name) for name in _FIELDS]), free)
    return hello


def _read_extensions(reader: Reader, values: dict[str, Any], free: list[FreeBytes]) -> bytes:
    """Read the extensions into ``values``; give the raw first ALPN name. What was read stays when it raises."""
    data = reader.data
    values["has_extensions"] = True
    announced = reader.number(2, "the length of the extensions")
    at, stop = reader.at, reader.at + announced
    held = min(stop, len(data))
    types: list[int] = []
    defects: list[str] = []
    first_alpn = b""
    says = ""
    while at < held:
        start = at + 4
        kind, length = _unpack_header(data, at) if start <= held else (0, 4)
        end = start + length
        if end > held:
            says = "the last extension ends after the extensions do"
            break
        if kind in FREE_EXTENSIONS:
            updates, defect, parts = read_free_extension(kind, data[start:end])
            for offset, size, field in parts:
                begin = start + offset
                free.append(_new_part(FreeBytes, (begin, begin + size, *_FILLS[field])))
        else:
            extension = data[at:end]
            updates, defect = known_extensions.get(extension) or read_client_extension(extension)
        if updates:
            values.update(updates)
        if defect:
            defects.append(defect)
        if kind == 0x10:
            first_alpn = data[at + 7 : min(at + 7 + data[at + 6], end)] if end > at + 7 else b""
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
    return first_alpn


def read_sslv2_client_hello(record: bytes) -> ClientHello:
    """Read a ClientHello in SSLv2 format, from the record with its 2-byte header.

    ``cipher_suites`` holds the three-byte cipher kinds; those that begin with 0 are the suites of TLS.
    ``random`` is the challenge, filled up on the left as TLS does; ``length`` counts the record's body.
    """
    reader = Reader(record)
    header = reader.number(2, "the record's header")
    if not header & 0x8000:
        raise Malformed("no SSLv2 record: the first bit is not set")
    values: dict[str, Any] = {
        "length": header & 0x7FFF,
        "legacy_version": 0,
        "random": b"",
        "session_id": b"",
        "cipher_suites": (),
        "sslv2": True,
        "record_version": 0x0002,
        "compression_methods": b"",
    }
    try:
        kind = reader.number(1, "the message type")
        if kind != 1:
            raise Malformed(f"message type {kind}, where a ClientHello is 1")
        values["legacy_version"] = reader.number(2, "the version")
        specs = reader.number(2, "the length of the cipher kinds")
        id_length = reader.number(2, "the length of the session id")
        challenge_length = reader.number(2, "the length of the challenge")
        kinds = reader.take(specs, "cipher kinds")
        suites = tuple([int.from_bytes(kinds[at : at + 3], "big") for at in range(0, specs - 2, 3)])
        values["cipher_suites"] = suites
        values["renegotiation_info"] = 0x00FF in suites
        values["fallback_scsv"] = 0x5600 in suites
        values["session_id"] = reader.take(id_length, "session id")
        values["random"] = reader.take(challenge_length, "challenge").rjust(32, b"\0")[-32:]
    except Malformed as error:
        error.partial = ClientHello(**values)
        raise
    defects = []
    if specs % 3:
        defects.append(f"cipher kinds of {specs} bytes, not a multiple of 3")
    if values["length"] != len(record) - 2 or reader:
        defects.append(f"the record says {values['length']} bytes, its ClientHello has {reader.at - 2}")
    values["defects"] = tuple(defects)
    return ClientHello(**values)
