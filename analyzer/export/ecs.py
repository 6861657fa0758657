"""Elastic Common Schema 9: one JSON document a line, ready for a bulk import.

What ECS has no name for goes under ``handshake``, which ECS leaves to us. Keys without a value are
left out, as ECS wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import BinaryIO

from analyzer.errors import UsageError
from analyzer.export.jsonl import encode_document
from analyzer.export.values import iso_time
from analyzer.export.writer import Row, Writer
from analyzer.schema.columns import Column

__all__ = ["ecs_document", "open_stream"]

ECS_VERSION = "9.0.0"
_OUTCOMES = {"completed": "success", "failed": "failure"}
_OURS = (
    "capture", "flow_id", "stream", "first_frame", "last_frame", "via", "alpn_offered", "supported_versions", "named_groups",
    "signature_schemes", "key_shares", "client_hello_bytes", "client_hello_segments", "encrypted_client_hello", "ja4",
    "hello_retry_request", "resumption", "early_data", "client_certificate_requested", "client_certificate_sent",
    "certificate_key", "certificate_signature", "chain_length", "history", "messages", "stage", "outcome", "cause", "confidence",
    "aborted_by", "alert_level", "alert_description", "alert_from", "alert_encrypted", "remedy", "confirm", "also",
    "reset_class", "wireshark_filter", "connect_ms", "hello_ms", "handshake_ms", "retransmissions", "out_of_order", "gaps",
    "duplicate_frames",
)  # fmt: skip


def _filled(**fields: object) -> dict[str, object] | None:
    """The fields that have a value; None when there are none."""
    return {key: value for key, value in fields.items() if value is not None} or None


def _time(value: object) -> str | None:
    return iso_time(value) if isinstance(value, int) else None


def _hash(value: object) -> str | None:
    return value.upper() if isinstance(value, str) else None


def ecs_document(row: Row) -> dict[str, object]:
    """The ECS document of one row of ``handshakes``."""
    find = row.get
    first, last = find("first_seen"), find("last_seen")
    version = find("selected_version")
    family, _, number = version.partition(" ") if isinstance(version, str) else (None, "", None)
    client = _filled(address=find("client_address"), ip=find("client_address"), port=find("client_port"))
    server = _filled(address=find("server_address"), ip=find("server_address"), port=find("server_port"), domain=find("server_name"))
    failed = find("outcome") == "failed"
    address = find("server_address")
    document = _filled(
        ecs={"version": ECS_VERSION},
        event=_filled(
            kind="event",
            category=["network"],
            type=["connection", "protocol"],
            dataset="handshake.tls",
            module="handshake",
            action="tls-handshake",
            outcome=_OUTCOMES.get(str(find("outcome")), "unknown"),
            code=find("cause"),
            reason=find("summary"),
            start=_time(first),
            end=_time(last),
            duration=last - first if isinstance(first, int) and isinstance(last, int) else None,
        ),
        message=find("summary"),
        error=_filled(type=find("alert_description"), code=find("cause"), message=find("summary")) if failed else None,
        source=client,
        client=client,
        destination=server,
        server=server,
        network=_filled(
            transport=find("transport"),
            protocol="tls",
            type=("ipv6" if ":" in address else "ipv4") if isinstance(address, str) else None,
            community_id=find("community_id"),
        ),
        tls=_filled(
            version=number or None,
            version_protocol=family.lower() if family else None,
            cipher=find("cipher_suite"),
            curve=find("named_group"),
            next_protocol=find("alpn"),
            established=find("outcome") == "completed",
            resumed=find("resumption") is not None,
            client=_filled(
                server_name=find("server_name"),
                supported_ciphers=find("cipher_suites"),
                ja3=find("ja3"),
                subject=find("client_certificate_subject"),
            ),
            server=_certificate(row),
        ),
        handshake=_ours(row),
    )
    return {"@timestamp": _time(first)} | (document or {})


def _certificate(row: Row) -> dict[str, object] | None:
    find = row.get
    not_before, not_after = _time(find("certificate_not_before")), _time(find("certificate_not_after"))
    return _filled(
        ja3s=find("ja3s"),
        subject=find("certificate_subject"),
        issuer=find("certificate_issuer"),
        not_before=not_before,
        not_after=not_after,
        hash=_filled(sha256=_hash(find("certificate_sha256"))),
        x509=_filled(
            alternative_names=find("certificate_names"),
            not_before=not_before,
            not_after=not_after,
            subject=_filled(distinguished_name=find("certificate_subject")),
            issuer=_filled(distinguished_name=find("certificate_issuer")),
        ),
    )


def _ours(row: Row) -> dict[str, object]:
    ours: dict[str, object] = {name: value for name in _OURS if (value := row.get(name)) is not None}
    evidence = row.get("evidence")
    if isinstance(evidence, Iterable):
        ours["evidence"] = [{"frame": frame, "says": says} for frame, says in evidence]
    return ours


def open_stream(stream: BinaryIO, _columns: tuple[Column, ...], table: str) -> Writer:
    """An ECS writer into ``stream``. Raises UsageError for tables other than ``handshakes``."""
    if table != "handshakes":
        raise UsageError(f"ecs is for handshakes, not {table}")
    return _Ecs(stream)


class _Ecs:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, row: Mapping[str, object]) -> None:
        self._stream.write(encode_document(ecs_document(row)))

    def write_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.write(row)

    def flush(self) -> None:
        self._stream.flush()

    def close(self, commit: bool = True) -> None:
        self.flush()
