r"""Zeek's tab-separated logs: ``ssl.log`` from handshakes, ``conn.log`` from flows.

Fields keep Zeek's names, order and types; ours that Zeek does not have follow after them.
``uid`` is the Community ID, which is what other tools can join on. Values are escaped as Zeek
does: ``\xNN`` for separators and what does not print, ``\x2d`` for a value that is only ``-``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

from analyzer.errors import UsageError
from analyzer.export.escape import UNSAFE
from analyzer.export.writer import Row, Writer
from analyzer.schema.columns import Column

__all__ = ["open_stream"]


class _Field(NamedTuple):
    name: str
    type: str
    value: Callable[[Row], object]


def _of(key: str) -> Callable[[Row], object]:
    return lambda row: row.get(key)


def _time(key: str) -> Callable[[Row], object]:
    def value(row: Row) -> object:
        ns = row.get(key)
        if ns is None:
            return None
        second, rest = divmod(int(ns) // 1000, 1_000_000)  # type: ignore[call-overload]  # the schema says int64
        return f"{second}.{rest:06d}"

    return value


def _duration(row: Row) -> object:
    first, last = row.get("first_seen"), row.get("last_seen")
    if not isinstance(first, int) or not isinstance(last, int):
        return None
    return f"{max(last - first, 0) / 1e9:.6f}"


def zeek_version(name: object) -> str | None:
    """``TLS 1.2`` as Zeek writes it: ``TLSv12``."""
    if not isinstance(name, str):
        return None
    match = re.fullmatch(r"(D?TLS|SSL) (\d)\.(\d)(.*)", name)
    if match is None:
        return name
    family, major, minor, rest = match.groups()
    if family == "SSL":
        return f"SSLv{major}"
    return f"{family}v{major}{minor}{rest.replace(' ', '-')}"


_ID = (
    _Field("ts", "time", _time("first_seen")),
    _Field("uid", "string", _of("community_id")),
    _Field("id.orig_h", "addr", _of("client_address")),
    _Field("id.orig_p", "port", _of("client_port")),
    _Field("id.resp_h", "addr", _of("server_address")),
    _Field("id.resp_p", "port", _of("server_port")),
)

_SSL = (
    *_ID,
    _Field("version", "string", lambda row: zeek_version(row.get("selected_version"))),
    _Field("cipher", "string", _of("cipher_suite")),
    _Field("curve", "string", _of("named_group")),
    _Field("server_name", "string", _of("server_name")),
    _Field("resumed", "bool", lambda row: row.get("resumption") is not None),
    _Field("last_alert", "string", _of("alert_description")),
    _Field("next_protocol", "string", _of("alpn")),
    _Field("established", "bool", lambda row: row.get("outcome") == "completed"),
    _Field("ssl_history", "string", _of("history")),
    _Field("cert_chain_fps", "vector[string]", lambda row: _one(row.get("certificate_sha256"))),
    _Field("subject", "string", _of("certificate_subject")),
    _Field("issuer", "string", _of("certificate_issuer")),
    _Field("client_subject", "string", _of("client_certificate_subject")),
    _Field("ja3", "string", _of("ja3")),
    _Field("ja3s", "string", _of("ja3s")),
    _Field("ja4", "string", _of("ja4")),
    _Field("outcome", "string", _of("outcome")),
    _Field("cause", "string", _of("cause")),
    _Field("confidence", "string", _of("confidence")),
    _Field("aborted_by", "string", _of("aborted_by")),
    _Field("summary", "string", _of("summary")),
)

_CONN = (
    *_ID,
    _Field("proto", "enum", lambda _: "tcp"),
    _Field("service", "string", lambda row: "ssl" if row.get("protocol") == "tls" else None),
    _Field("duration", "interval", _duration),
    _Field("orig_bytes", "count", _of("client_bytes")),
    _Field("resp_bytes", "count", _of("server_bytes")),
    _Field("conn_state", "string", _of("state")),
    _Field("orig_pkts", "count", _of("client_frames")),
    _Field("resp_pkts", "count", _of("server_frames")),
)

_LOGS = {"handshakes": ("ssl", _SSL), "flows": ("conn", _CONN)}


def _one(value: object) -> tuple[object, ...] | None:
    return None if value is None else (value,)


def _hex(match: re.Match[str]) -> str:
    try:
        data = match[0].encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair
        data = match[0].encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)


def _text(value: object) -> str:
    text = str(value).replace("\\", "\\\\")
    return text if text.isascii() and text.isprintable() else UNSAFE.sub(_hex, text)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, tuple):
        return ",".join(_text(item).replace(",", "\\x2c") for item in value) or "(empty)"
    text = _text(value)
    if text == "-":
        return "\\x2d"
    if text.startswith("(empty)"):
        return "\\x28" + text[1:]
    return text or "(empty)"


def open_stream(stream: BinaryIO, _columns: tuple[Column, ...], table: str) -> Writer:
    """A Zeek log writer into ``stream``: ssl.log for ``handshakes``, conn.log for ``flows``. Raises UsageError for other tables."""
    if table not in _LOGS:
        raise UsageError(f"zeek has no log for {table}")
    return _Log(stream, *_LOGS[table])


class _Log:
    def __init__(self, stream: BinaryIO, path: str, fields: tuple[_Field, ...]) -> None:
        self._stream, self._fields = stream, fields
        header = (
            "#separator \\x09",
            "#set_separator\t,",
            "#empty_field\t(empty)",
            "#unset_field\t-",
            f"#path\t{path}",
            f"#open\t{time.strftime('%Y-%m-%d-%H-%M-%S')}",
            "\t".join(["#fields", *(field.name for field in fields)]),
            "\t".join(["#types", *(field.type for field in fields)]),
        )
        self._line("\n".join(header))

    def _line(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def write(self, row: Row) -> None:
        self._line("\t".join([_cell(field.value(row)) for field in self._fields]))

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def flush(self) -> None:
        self._stream.flush()

    def close(self, commit: bool = True) -> None:
        if commit:
            self._line(f"#close\t{time.strftime('%Y-%m-%d-%H-%M-%S')}")
        self.flush()
