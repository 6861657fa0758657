"""The schema made flesh: each table's rows, as dicts in schema order, names joined to wire numbers.

Timestamps are int ns, lists tuples, evidence a list of ``(frame, says)``; None where unknown.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha1
from typing import Any

from analyzer import registries
from analyzer.model.finding import Finding
from analyzer.model.handshake import Flow, Handshake, Message
from analyzer.model.hello import Certificate, ClientHello
from analyzer.schema import HANDSHAKES, OFFER

__all__ = [
    "Row",
    "alert_rows",
    "community_id",
    "finding_rows",
    "flow_row",
    "handshake_row",
    "history_of",
    "last_of_handshake",
    "offer_columns",
    "record_rows",
]

Row = dict[str, Any]

_LEVELS = {1: "warning", 2: "fatal"}

_LETTERS = {
    "hello_request": "h", "client_hello": "c", "server_hello": "s", "hello_verify_request": "v", "new_session_ticket": "t",
    "certificate": "x", "compressed_certificate": "x", "server_key_exchange": "k", "certificate_request": "r", "server_hello_done": "n",
    "certificate_verify": "y", "client_key_exchange": "g", "finished": "f", "certificate_url": "w", "certificate_status": "u",
    "supplemental_data": "a", "change_cipher_spec": "i", "heartbeat": "b", "application_data": "d", "end_of_early_data": "e",
    "encrypted_extensions": "o", "key_update": "p", "message_hash": "m", "hello_retry_request": "j", "alert": "l",
    "encrypted_handshake": "f",
}  # fmt: skip
_HISTORY = 100  # as Zeek's SSL::max_ssl_history_length


def handshake_row(h: Handshake, captures: list[str]) -> Row:
    """The row of one judged handshake, every column of ``schema.HANDSHAKES``."""
    flow, hello, answer = h.flow, h.client_hello, h.server_hello or h.hello_retry
    finding, alert = h.finding, h.closing_alert
    leaf = h.server_certificates[0] if h.server_certificates else None
    client_leaf = h.client_certificates[0] if h.client_certificates else None
    last = last_of_handshake(h)
    finished = h.messages[last].timestamp if last >= 0 else 0
    return {
        "capture": captures[flow.capture] if flow.capture < len(captures) else None,
        "flow_id": flow.number,
        "stream": flow.stream,
        "first_frame": flow.first_frame,
        "last_frame": flow.last_frame,
        "first_seen": flow.first_seen,
        "last_seen": flow.last_seen,
        "client_address": flow.client_address,
        "client_port": flow.client_port,
        "server_address": flow.server_address,
        "server_port": flow.server_port,
        "community_id": community_id(flow.client_address, flow.client_port, flow.server_address, flow.server_port),
        "transport": "tcp",
        "via": h.dialogue.via if h.dialogue is not None else None,
        **(dict.fromkeys(_OFFER) if hello is None else offer_columns(hello, h.second_client_hello or hello, h.client_hello_segments)),
        "selected_version": registries.name_of_version(answer.selected_version) if answer is not None and answer.selected_version else None,
        "cipher_suite": registries.name_of_cipher_suite(answer.cipher_suite) if answer is not None and answer.cipher_suite >= 0 else None,
        "named_group": registries.name_of_named_group(h.named_group) if h.named_group is not None else None,
        "alpn": h.alpn,
        "hello_retry_request": (h.hello_retry is not None) if answer is not None else None,
        "resumption": h.resumption,
        "early_data": (hello.early_data or h.early_data_bytes > 0) if hello is not None else None,
        "client_certificate_requested": h.client_certificate_requested,
        "client_certificate_sent": h.client_certificate_sent,
        "client_certificate_subject": (client_leaf.subject or None) if client_leaf is not None else None,
        "ja3s": (answer.ja3s or None) if answer is not None else None,
        **_leaf_columns(leaf),
        "chain_length": len(h.server_certificates) or None,
        "history": history_of(h.messages),
        "messages": tuple(_message_text(m) for m in h.messages),
        "stage": h.stage,
        "outcome": h.outcome,
        "cause": finding.cause if finding is not None else None,
        "confidence": finding.confidence if finding is not None else None,
        "aborted_by": h.aborted_by,
        "alert_level": _LEVELS.get(alert.level or 0) if alert is not None else None,
        "alert_description": registries.name_of_alert(alert.description) if alert is not None and alert.description is not None else None,
        "alert_from": ("client" if alert.from_client else "server") if alert is not None else None,
        "alert_encrypted": alert.encrypted if alert is not None else None,
        "summary": finding.summary if finding is not None else None,
        "evidence": [tuple(e) for e in finding.evidence] if finding is not None else [],
        "remedy": finding.remedy or None if finding is not None else None,
        "confirm": tuple(finding.confirm) if finding is not None else (),
        "also": tuple(f.cause for f in h.also),
        "reset_class": finding.reset_class if finding is not None else None,
        "wireshark_filter": f"tcp.stream == {flow.stream}",
        "connect_ms": _ms(flow.syn_time, flow.syn_ack_time),
        "hello_ms": _ms(h.client_hello_time, h.server_hello_time),
        "handshake_ms": _ms(h.client_hello_time, finished),
        "retransmissions": flow.retransmissions,
        "out_of_order": flow.out_of_order,
        "gaps": (flow.client_gaps > 0) + (flow.server_gaps > 0),
        "duplicate_frames": flow.duplicates,
    }


def offer_columns(hello: ClientHello, second: ClientHello, segments: int) -> Row:
    """What a ClientHello in so many segments offers; ``second``: the one whose key shares count, after a HelloRetryRequest another."""
    return {
        "server_name": hello.server_name,
        "alpn_offered": hello.alpn,
        "supported_versions": _versions(hello.supported_versions or _up_to(hello.legacy_version)),
        "cipher_suites": _suites(hello.cipher_suites),
        "named_groups": _groups(hello.named_groups),
        "signature_schemes": _schemes(hello.signature_schemes),
        "key_shares": _groups(tuple([group for group, _ in second.key_shares])),
        "client_hello_bytes": hello.length,
        "client_hello_segments": segments,
        "encrypted_client_hello": hello.encrypted_client_hello,
        "ja3": hello.ja3 or None,
        "ja4": hello.ja4 or None,
    }


_OFFER = tuple(c.name for c in OFFER)


def _leaf_columns(leaf: Certificate | None) -> Row:
    if leaf is None:
        return dict.fromkeys(_LEAF)
    return {
        "certificate_subject": leaf.subject or None,
        "certificate_issuer": leaf.issuer or None,
        "certificate_names": leaf.names if leaf.subject_der else None,  # of what cannot be read, nothing is known
        "certificate_not_before": leaf.not_before or None,
        "certificate_not_after": leaf.not_after or None,
        "certificate_key": leaf.key or None,
        "certificate_signature": leaf.signature or None,
        "certificate_sha256": leaf.sha256,
    }


_LEAF = tuple(c.name for c in HANDSHAKES if c.name.startswith("certificate_"))


def last_of_handshake(h: Handshake) -> int:
    """Place among the messages of the later Finished when both were seen, else of the last message; -1 where there is none."""
    last = -1
    until = max(h.client_finished_frame, h.server_finished_frame) if h.client_finished_frame and h.server_finished_frame else 0
    for place, m in enumerate(h.messages):
        if until and m.frame > until:
            break
        last = place
    return last


def _ms(begin: int, end: int) -> float | None:
    return (end - begin) / 1e6 if begin and end and end >= begin else None  # six places already


def _message_text(m: Message) -> str:
    return f"{'client' if m.from_client else 'server'}:{m.kind}@{m.frame}"


def history_of(messages: list[Message]) -> str:
    """One letter a message as in Zeek's ``ssl_history``; capitals from the client."""
    letters = []
    for m in messages[:_HISTORY]:
        letter = _LETTERS.get(m.kind, "z" if m.kind.startswith("handshake_") else "q")
        letters.append(letter.upper() if m.from_client else letter)
    return "".join(letters)


def _up_to(legacy: int) -> tuple[int, ...]:
    """What a hello without supported_versions accepts: its legacy_version and, by custom, what is below it."""
    return (legacy,)


@lru_cache(maxsize=4096)
def _versions(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(registries.name_of_version(c) for c in codes)


@lru_cache(maxsize=4096)
def _suites(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(registries.name_of_cipher_suite(c) for c in codes)


@lru_cache(maxsize=4096)
def _groups(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(registries.name_of_named_group(c) for c in codes)


@lru_cache(maxsize=4096)
def _schemes(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(registries.name_of_signature_scheme(c) for c in codes)


@lru_cache(maxsize=65_536)
def _packed(address: str) -> bytes:
    import socket

    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def community_id(address: str, port: int, other_address: str, other_port: int) -> str:
    """Community ID v1 of a TCP connection with seed 0 (github.com/corelight/community-id-spec): SHA-1 of the ordered tuple."""
    a, b = _packed(address) + port.to_bytes(2, "big"), _packed(other_address) + other_port.to_bytes(2, "big")
    if a > b:
        a, b = b, a
    digest = sha1(b"\0\0" + a[:-2] + b[:-2] + b"\x06\0" + a[-2:] + b[-2:], usedforsecurity=False).digest()
    return "1:" + b2a_base64(digest, newline=False).decode("ascii")


def alert_rows(h: Handshake, captures: list[str]) -> Iterator[Row]:
    """Every alert of a handshake."""
    name = h.client_hello.server_name if h.client_hello is not None else None
    for a in h.alerts:
        yield {
            **_key(h.flow, captures),
            "frame": a.frame,
            "timestamp": a.timestamp,
            "alert_from": "client" if a.from_client else "server",
            "alert_level": _LEVELS.get(a.level or 0),
            "alert_description": registries.name_of_alert(a.description) if a.description is not None else None,
            "alert_encrypted": a.encrypted,
            "how": a.how,
            "server_name": name,
        }


_RECORD_TYPES = {"alert", "change_cipher_spec", "application_data", "heartbeat", "not_tls"}


def record_rows(h: Handshake, captures: list[str]) -> Iterator[Row]:
    """Every record or message of a handshake."""
    for m in h.messages:
        plain_type = m.kind if m.kind in _RECORD_TYPES else "handshake"
        yield {
            **_key(h.flow, captures),
            "frame": m.frame,
            "timestamp": m.timestamp,
            "direction": "client_to_server" if m.from_client else "server_to_client",
            "content_type": plain_type,
            "message": m.kind if plain_type == "handshake" and m.kind != "encrypted_handshake" else None,
            "length": m.length,
            "encrypted": m.encrypted,
            "decrypted": m.decrypted,
        }


def finding_rows(h: Handshake, captures: list[str]) -> Iterator[Row]:
    """The cause of a handshake and everything else the rules found on it."""
    pairs: list[tuple[str, Finding]] = [("cause", h.finding)] if h.finding is not None else []
    pairs += [("also" if f.kind == "cause" else f.kind, f) for f in h.also]
    name = h.client_hello.server_name if h.client_hello is not None else None
    for kind, f in pairs:
        yield {
            **_key(h.flow, captures),
            "finding": f.cause,
            "kind": kind,
            "confidence": f.confidence,
            "server_name": name,
            "server_address": h.flow.server_address,
            "server_port": h.flow.server_port,
            "client_address": h.flow.client_address,
            "summary": f.summary,
            "evidence": [tuple(e) for e in f.evidence],
            "remedy": f.remedy or None,
        }


def flow_row(flow: Flow, captures: list[str], protocol: str) -> Row:
    """The row of one TCP connection."""
    return {
        **_key(flow, captures),
        "first_frame": flow.first_frame,
        "last_frame": flow.last_frame,
        "first_seen": flow.first_seen,
        "last_seen": flow.last_seen,
        "client_address": flow.client_address,
        "client_port": flow.client_port,
        "server_address": flow.server_address,
        "server_port": flow.server_port,
        "community_id": community_id(flow.client_address, flow.client_port, flow.server_address, flow.server_port),
        "protocol": protocol,
        "frames": flow.client_frames + flow.server_frames,
        "client_frames": flow.client_frames,
        "server_frames": flow.server_frames,
        "client_bytes": flow.client_bytes,
        "server_bytes": flow.server_bytes,
        "connect_ms": _ms(flow.syn_time, flow.syn_ack_time),
        "retransmissions": flow.retransmissions,
        "resets": flow.client_rsts + flow.server_rsts,
        "state": state_of(flow),
    }


def state_of(flow: Flow) -> str:
    """``conn_state`` as in Zeek's conn.log."""
    if not flow.syn_frame and not flow.syn_ack_frame:
        return "OTH"
    if not flow.syn_frame:
        return "RSTRH" if flow.server_rst_frame else "SHR" if flow.server_fin_frame else "OTH"
    if not flow.syn_ack_frame:
        if flow.server_rst_frame:
            return "REJ"
        return "RSTOS0" if flow.client_rst_frame else "SH" if flow.client_fin_frame else "S0"
    client_rst, server_rst = flow.client_rst_frame, flow.server_rst_frame
    if client_rst or server_rst:
        return "RSTO" if client_rst and (not server_rst or client_rst < server_rst) else "RSTR"
    if flow.client_fin_frame and flow.server_fin_frame:
        return "SF"
    return "S2" if flow.client_fin_frame else "S3" if flow.server_fin_frame else "S1"


def _key(flow: Flow, captures: list[str]) -> Row:
    return {
        "capture": captures[flow.capture] if flow.capture < len(captures) else None,
        "flow_id": flow.number,
        "stream": flow.stream,
    }


def rows_of(handshakes: Iterable[Handshake], table: str, captures: list[str]) -> Iterator[Row]:
    """Rows of ``handshakes``, ``alerts``, ``records`` or ``findings``."""
    if table == "handshakes":
        for h in handshakes:
            yield handshake_row(h, captures)
        return
    make = {"alerts": alert_rows, "records": record_rows, "findings": finding_rows}[table]
    for h in handshakes:
        yield from make(h, captures)
