"""ServerHello and HelloRetryRequest: RFC 8446 sections 4.1.3 and 4.1.4, RFC 5246 section 7.4.1.3, drafts 16 to 28."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from analyzer.model.fingerprints import ja3s
from analyzer.model.hello import ServerHello
from analyzer.tls.server_extensions import read_server_extensions
from analyzer.tls.templates import FreeBytes, Templates, Traced
from analyzer.tls.wire import Malformed, Reader

__all__ = [
    "HELLO_RETRY_RANDOM",
    "note_downgrade",
    "read_draft_hello_retry_request",
    "read_server_hello",
    "trace_server_hello",
]

HELLO_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3)."""

_FIELDS = tuple(field.name for field in fields(ServerHello))
_RANDOM, _SESSION_ID = map(_FIELDS.index, ("random", "session_id"))
_templates: Templates[ServerHello] = Templates(ServerHello)


def read_server_hello(message: bytes) -> ServerHello:
    """Read a ServerHello or HelloRetryRequest from the body of its handshake message (without the 4-byte header).

    Extensions whose body does not fit are stepped over and named in ``defects``. Raises Malformed
    where the frame of the message does not fit; ``partial`` then holds the ServerHello so far.
    """
    shape = _shape_of(message)
    hello = _templates.recall(shape, message) if shape else None
    if hello is None:
        hello = _parse(message, shape)
    note_downgrade(hello)
    return hello


def note_downgrade(hello: ServerHello) -> None:
    """Note when its random says that the server could do better (RFC 8446 section 4.1.3)."""
    if hello.random[24:31] == b"DOWNGRD" and hello.random[31] < 2:
        hello.downgrade_sentinel = hello.random[31]


def trace_server_hello(message: bytes) -> Traced | None:
    """How a ServerHello that was read is made again with other random bytes; None when it is not remembered."""
    return _templates.trace(_shape_of(message), message)


def _shape_of(message: bytes) -> tuple[int, int, bool] | None:
    return (len(message), message[34], message[2:34] == HELLO_RETRY_RANDOM) if len(message) > 34 else None


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
            read_server_extensions(reader, values, free, retry)
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
        read_server_extensions(reader, values, [], True)
    except Malformed as error:
        error.partial = ServerHello(**values)
        raise
    return ServerHello(**values)
