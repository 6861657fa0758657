"""The columns of every table: name, dtype, unit, meaning. Written here once.

Everything else that knows a column (DataFrame dtypes, parquet schema, sqlite DDL, jsonl keys,
``docs/tables.md``) is derived from these tuples; adding a column is adding a line here and the
value in ``analyzer.tables``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ALERTS", "CERTIFICATES", "FINDINGS", "FLOWS", "HANDSHAKES", "OFFER", "RECORDS", "SERVERS", "TABLES", "Column", "Dtype"]

Dtype = Literal["string", "int64", "float64", "bool", "timestamp", "list[string]", "list[int64]", "evidence"]
"""What a column holds. ``timestamp`` is int64 nanoseconds since the epoch inside, ISO 8601 UTC outside;
``evidence`` is a list of ``{"frame": int | None, "says": str}``."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one table. ``wire`` marks text that came off the wire and is escaped where shown."""

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""
    wire: bool = False


def _c(name: str, dtype: Dtype, meaning: str, unit: str = "", wire: bool = False) -> Column:
    return Column(name, dtype, meaning, unit, wire)


_IDENTITY = (
    _c("capture", "string", "file, URL or interface the first frame came from"),
    _c("flow_id", "int64", "number of the TCP connection within the run, from 0"),
    _c("stream", "int64", "Wireshark's tcp.stream number within the capture"),
    _c("first_frame", "int64", "number of the connection's first frame, as Wireshark counts, from 1"),
    _c("last_frame", "int64", "number of the connection's last frame"),
    _c("first_seen", "timestamp", "time of the first frame"),
    _c("last_seen", "timestamp", "time of the last frame"),
    _c("client_address", "string", "address of the client"),
    _c("client_port", "int64", "port of the client"),
    _c("server_address", "string", "address of the server"),
    _c("server_port", "int64", "port of the server"),
    _c("community_id", "string", "Community ID v1 of the connection (seed 0)"),
    _c("transport", "string", "tcp"),
    _c("via", "string", "how TLS began when not at once: smtp-starttls, http-connect, socks5 ..."),
)

OFFER: tuple[Column, ...] = (
    _c("server_name", "string", "name the client asked for (server_name extension, RFC 6066)", wire=True),
    _c("alpn_offered", "list[string]", "application protocols offered (RFC 7301)", wire=True),
    _c("supported_versions", "list[string]", "versions offered, best first; from legacy_version where the extension is absent"),
    _c("cipher_suites", "list[string]", "suites offered, in order (IANA names)"),
    _c("named_groups", "list[string]", "groups offered (supported_groups)"),
    _c("signature_schemes", "list[string]", "signature schemes offered"),
    _c("key_shares", "list[string]", "groups for which a key share was sent (TLS 1.3)"),
    _c("client_hello_bytes", "int64", "length of the ClientHello handshake message with its header", "bytes"),
    _c("client_hello_segments", "int64", "TCP segments the ClientHello was spread over, as captured"),
    _c("encrypted_client_hello", "bool", "the hello carried encrypted_client_hello (real or GREASE)"),
    _c("ja3", "string", "JA3 of the client (MD5, GREASE removed)"),
    _c("ja4", "string", "JA4 of the client"),
)
"""Of a handshake: what the client offered."""

_ANSWER = (
    _c("selected_version", "string", "version the server chose"),
    _c("cipher_suite", "string", "suite the server chose"),
    _c("named_group", "string", "group of the key exchange"),
    _c("alpn", "string", "application protocol the server chose", wire=True),
    _c("hello_retry_request", "bool", "the server asked for another hello (TLS 1.3)"),
    _c("resumption", "string", "null, session-id, ticket or psk: how an earlier session was taken up"),
    _c("early_data", "bool", "the client sent (or offered) 0-RTT data"),
    _c("client_certificate_requested", "bool", "the server asked for a client certificate; null when encrypted"),
    _c("client_certificate_sent", "bool", "the client sent a non-empty certificate; null when unknown"),
    _c("client_certificate_subject", "string", "subject of the client's certificate", wire=True),
    _c("ja3s", "string", "JA3S of the server (MD5)"),
)

_CERTIFICATE = (
    _c("certificate_subject", "string", "subject of the server's leaf certificate (RFC 4514)", wire=True),
    _c("certificate_issuer", "string", "issuer of the leaf", wire=True),
    _c("certificate_names", "list[string]", "DNS names and addresses of the leaf (subjectAltName)", wire=True),
    _c("certificate_not_before", "timestamp", "leaf valid from"),
    _c("certificate_not_after", "timestamp", "leaf valid until"),
    _c("certificate_key", "string", "key of the leaf: RSA 2048, ECDSA secp256r1, Ed25519 ..."),
    _c("certificate_signature", "string", "signature algorithm of the leaf"),
    _c("certificate_sha256", "string", "SHA-256 of the leaf's DER, hex"),
    _c("chain_length", "int64", "certificates the server sent"),
)

_STORY = (
    _c("history", "string", "one letter a message as in Zeek's ssl_history; capitals from the client"),
    _c("messages", "list[string]", "the messages in order: client:client_hello@4 ..."),
    _c("stage", "string", "where it stopped"),
)

_VERDICT = (
    _c("outcome", "string", "completed, failed, no-handshake or unfinished"),
    _c("cause", "string", "id of the catalogue; null when completed"),
    _c("confidence", "string", "certain, likely or possible"),
    _c("aborted_by", "string", "client, server, middlebox, unknown or none"),
    _c("alert_level", "string", "warning or fatal: of the deciding alert"),
    _c("alert_description", "string", "name of the deciding alert (RFC 8446 section 6)"),
    _c("alert_from", "string", "client or server"),
    _c("alert_encrypted", "bool", "the deciding alert was encrypted: decrypted with keys, or inferred from its length"),
    _c("summary", "string", "one plain sentence", wire=True),
    _c("evidence", "evidence", "what shows it, with frame numbers", wire=True),
    _c("remedy", "string", "what to do", wire=True),
    _c("confirm", "list[string]", "commands that confirm it, real names and ports filled in", wire=True),
    _c("also", "list[string]", "ids of other findings on this handshake"),
    _c("reset_class", "string", "class of the tampering signature a reset matches: post-syn, post-ack, post-psh, later-data"),
    _c("wireshark_filter", "string", "display filter that shows this connection"),
)

_TIMING = (
    _c("connect_ms", "float64", "SYN to SYN-ACK", "ms"),
    _c("hello_ms", "float64", "ClientHello to ServerHello", "ms"),
    _c("handshake_ms", "float64", "ClientHello to the last message of the handshake", "ms"),
    _c("retransmissions", "int64", "segments sent again"),
    _c("out_of_order", "int64", "segments that a later one overtook on the way"),
    _c("gaps", "int64", "holes in the captured streams that were never filled"),
    _c("duplicate_frames", "int64", "frames that are copies of another frame"),
)

HANDSHAKES: tuple[Column, ...] = _IDENTITY + OFFER + _ANSWER + _CERTIFICATE + _STORY + _VERDICT + _TIMING
"""One row for each handshake attempt."""

_KEY = (
    _c("capture", "string", "file, URL or interface"),
    _c("flow_id", "int64", "number of the TCP connection within the run"),
    _c("stream", "int64", "Wireshark's tcp.stream number"),
)

ALERTS: tuple[Column, ...] = _KEY + (
    _c("frame", "int64", "frame in which the alert ended"),
    _c("timestamp", "timestamp", "time of that frame"),
    _c("alert_from", "string", "client or server"),
    _c("alert_level", "string", "warning or fatal; null when encrypted"),
    _c("alert_description", "string", "name; null when encrypted"),
    _c("alert_encrypted", "bool", "the record was encrypted"),
    _c("how", "string", "plaintext, decrypted or inferred (from length and place)"),
    _c("server_name", "string", "name the client asked for", wire=True),
)
"""Every alert."""

RECORDS: tuple[Column, ...] = _KEY + (
    _c("frame", "int64", "frame in which the record or message ended"),
    _c("timestamp", "timestamp", "time of that frame"),
    _c("direction", "string", "client_to_server or server_to_client"),
    _c("content_type", "string", "handshake, alert, change_cipher_spec, application_data, heartbeat"),
    _c("message", "string", "handshake message; null when encrypted or not a handshake"),
    _c("length", "int64", "length of the message, or of the record's body when encrypted", "bytes"),
    _c("encrypted", "bool", "the body was encrypted"),
    _c("decrypted", "bool", "the key log opened it"),
)
"""Every record or message of every handshake."""

CERTIFICATES: tuple[Column, ...] = (
    _c("certificate_sha256", "string", "SHA-256 of the DER, hex"),
    _c("subject", "string", "subject", wire=True),
    _c("issuer", "string", "issuer", wire=True),
    _c("serial", "string", "serial number, hex"),
    _c("names", "list[string]", "DNS names and addresses", wire=True),
    _c("not_before", "timestamp", "valid from"),
    _c("not_after", "timestamp", "valid until"),
    _c("days_left", "float64", "from the last time it was seen to its end", "days"),
    _c("key", "string", "key type and size"),
    _c("signature", "string", "signature algorithm"),
    _c("is_ca", "bool", "may sign certificates"),
    _c("self_signed", "bool", "signed by its own key"),
    _c("role", "string", "server, client or chain"),
    _c("first_seen", "timestamp", "time first seen"),
    _c("last_seen", "timestamp", "time last seen"),
    _c("handshakes", "int64", "handshakes that carried it"),
    _c("servers", "list[string]", "address:port of the servers that sent it"),
)
"""One row for each distinct certificate."""

FLOWS: tuple[Column, ...] = _KEY + (
    _c("first_frame", "int64", "first frame"),
    _c("last_frame", "int64", "last frame"),
    _c("first_seen", "timestamp", "time of the first frame"),
    _c("last_seen", "timestamp", "time of the last frame"),
    _c("client_address", "string", "client"),
    _c("client_port", "int64", "client's port"),
    _c("server_address", "string", "server"),
    _c("server_port", "int64", "server's port"),
    _c("community_id", "string", "Community ID v1"),
    _c("protocol", "string", "tls or tcp"),
    _c("frames", "int64", "frames"),
    _c("client_frames", "int64", "frames from the client"),
    _c("server_frames", "int64", "frames from the server"),
    _c("client_bytes", "int64", "payload bytes from the client, retransmissions included", "bytes"),
    _c("server_bytes", "int64", "payload bytes from the server, retransmissions included", "bytes"),
    _c("connect_ms", "float64", "SYN to SYN-ACK", "ms"),
    _c("retransmissions", "int64", "segments sent again"),
    _c("resets", "int64", "segments with RST"),
    _c("state", "string", "conn_state as in Zeek: S0 SF REJ RSTO RSTR ..."),
)
"""One row for each TCP connection."""

FINDINGS: tuple[Column, ...] = _KEY + (
    _c("finding", "string", "id: a cause, a posture finding or a warning"),
    _c("kind", "string", "cause, also, posture or prevention"),
    _c("confidence", "string", "certain, likely or possible"),
    _c("server_name", "string", "name the client asked for", wire=True),
    _c("server_address", "string", "server"),
    _c("server_port", "int64", "server's port"),
    _c("client_address", "string", "client"),
    _c("summary", "string", "one plain sentence", wire=True),
    _c("evidence", "evidence", "what shows it", wire=True),
    _c("remedy", "string", "what to do", wire=True),
)
"""Everything the rules found, on failed and on completed handshakes."""

SERVERS: tuple[Column, ...] = (
    _c("server_address", "string", "address"),
    _c("server_port", "int64", "port"),
    _c("handshakes", "int64", "attempts seen"),
    _c("completed", "int64", "that completed"),
    _c("failed", "int64", "that failed"),
    _c("names_served", "list[string]", "names with which a handshake completed", wire=True),
    _c("names_failed", "list[string]", "names with which one failed", wire=True),
    _c("versions_accepted", "list[string]", "versions it chose"),
    _c("versions_refused", "list[string]", "best versions of offers it refused"),
    _c("cipher_suites_accepted", "list[string]", "suites it chose"),
    _c("named_groups_accepted", "list[string]", "groups it chose"),
    _c("alpn_accepted", "list[string]", "application protocols it chose", wire=True),
    _c("key_types", "list[string]", "key types of its certificates"),
    _c("requests_client_certificate", "bool", "it asked for a client certificate at least once"),
    _c("causes", "list[string]", "causes of its failures"),
    _c("connect_ms", "float64", "median SYN to SYN-ACK", "ms"),
    _c("hello_ms", "float64", "median ClientHello to ServerHello", "ms"),
)
"""One row for each server address and port: what it was seen to accept and refuse."""

TABLES: dict[str, tuple[Column, ...]] = {
    "handshakes": HANDSHAKES,
    "alerts": ALERTS,
    "records": RECORDS,
    "certificates": CERTIFICATES,
    "flows": FLOWS,
    "findings": FINDINGS,
    "servers": SERVERS,
}
"""Every table by name."""
