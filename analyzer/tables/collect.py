"""Tables gathered over a run: one row for each distinct certificate, one for each server.

Both are bounded; what did not fit is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from analyzer import registries
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Certificate
from analyzer.tables.rows import Row

__all__ = ["CertificateTable", "ServerTable"]

_CERTIFICATES = 100_000
_SERVERS = 65_536
_VALUES = 256  # distinct values listed for one row
_TIMES = 1_024
_DAY = 86_400e9


def _note(values: dict[str, None], value: str | None) -> None:
    if value is not None and value not in values and len(values) < _VALUES:
        values[value] = None


@dataclass(slots=True)
class _Certificate:
    certificate: Certificate
    role: str
    first_seen: int
    last_seen: int
    handshakes: int = 0
    servers: dict[str, None] = field(default_factory=dict)


class CertificateTable:
    """Every distinct certificate: ``add`` handshakes, then iterate ``rows``."""

    def __init__(self) -> None:
        self._seen: dict[str, _Certificate] = {}
        self.dropped = 0

    def add(self, h: Handshake) -> None:
        """Take in the certificates of one handshake."""
        for place, certificate in enumerate(h.server_certificates):
            self._add(certificate, "server" if place == 0 else "chain", h)
        for place, certificate in enumerate(h.client_certificates or ()):
            self._add(certificate, "client" if place == 0 else "chain", h)

    def _add(self, certificate: Certificate, role: str, h: Handshake) -> None:
        flow = h.flow
        entry = self._seen.get(certificate.sha256)
        if entry is None:
            if len(self._seen) >= _CERTIFICATES:
                self.dropped += 1
                return
            entry = self._seen[certificate.sha256] = _Certificate(certificate, role, flow.first_seen, flow.last_seen)
        entry.handshakes += 1
        entry.first_seen = min(entry.first_seen, flow.first_seen)
        entry.last_seen = max(entry.last_seen, flow.last_seen)
        if role != "client":
            _note(entry.servers, _endpoint(flow.server_address, flow.server_port))

    def rows(self) -> Iterator[Row]:
        """Rows of ``schema.CERTIFICATES``, in the order first seen."""
        for sha256, entry in self._seen.items():
            c = entry.certificate
            yield {
                "certificate_sha256": sha256,
                "subject": c.subject or None,
                "issuer": c.issuer or None,
                "serial": f"{c.serial:x}" if not c.fault else None,
                "names": c.names if c.subject_der else None,
                "not_before": c.not_before or None,
                "not_after": c.not_after or None,
                "days_left": round((c.not_after - entry.last_seen) / _DAY, 3) if c.not_after else None,
                "key": c.key or None,
                "signature": c.signature or None,
                "is_ca": c.is_ca,
                "self_signed": c.self_signed if c.subject_der else None,
                "role": entry.role,
                "first_seen": entry.first_seen,
                "last_seen": entry.last_seen,
                "handshakes": entry.handshakes,
                "servers": tuple(entry.servers),
            }


@dataclass(slots=True)
class _Server:
    address: str
    port: int
    handshakes: int = 0
    completed: int = 0
    failed: int = 0
    requests: bool | None = None
    names_served: dict[str, None] = field(default_factory=dict)
    names_failed: dict[str, None] = field(default_factory=dict)
    versions: dict[str, None] = field(default_factory=dict)
    versions_refused: dict[str, None] = field(default_factory=dict)
    suites: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    alpn: dict[str, None] = field(default_factory=dict)
    keys: dict[str, None] = field(default_factory=dict)
    causes: dict[str, None] = field(default_factory=dict)
    connect: list[float] = field(default_factory=list)
    hello: list[float] = field(default_factory=list)


class ServerTable:
    """What each server (address and port) was seen to accept and refuse: ``add`` judged handshakes, then ``rows``."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], _Server] = {}
        self.dropped = 0

    def add(self, h: Handshake) -> None:
        """Take in one judged handshake."""
        flow = h.flow
        key = (flow.server_address, flow.server_port)
        server = self._seen.get(key)
        if server is None:
            if len(self._seen) >= _SERVERS:
                self.dropped += 1
                return
            server = self._seen[key] = _Server(*key)
        server.handshakes += 1
        hello, answer = h.client_hello, h.server_hello
        name = hello.server_name if hello is not None else None
        if h.outcome == "completed":
            server.completed += 1
            _note(server.names_served, name)
        elif h.outcome == "failed":
            server.failed += 1
            _note(server.names_failed, name)
        if h.finding is not None:
            _note(server.causes, h.finding.cause)
        if answer is not None:
            # a ServerHello that was not captured to its end says 0 and -1
            if answer.selected_version:
                _note(server.versions, registries.name_of_version(answer.selected_version))
            if answer.cipher_suite >= 0:
                _note(server.suites, registries.name_of_cipher_suite(answer.cipher_suite))
            if h.named_group is not None:
                _note(server.groups, registries.name_of_named_group(h.named_group))
            _note(server.alpn, h.alpn)
        elif hello is not None and h.outcome == "failed" and h.aborted_by == "server":
            _note(server.versions_refused, registries.name_of_version(hello.max_version))
        if h.server_certificates:
            _note(server.keys, h.server_certificates[0].key or None)
        if h.client_certificate_requested is not None:
            server.requests = bool(server.requests) or h.client_certificate_requested
        if flow.syn_time and flow.syn_ack_time >= flow.syn_time and len(server.connect) < _TIMES:
            server.connect.append((flow.syn_ack_time - flow.syn_time) / 1e6)
        if h.client_hello_time and h.server_hello_time >= h.client_hello_time and len(server.hello) < _TIMES:
            server.hello.append((h.server_hello_time - h.client_hello_time) / 1e6)

    def rows(self) -> Iterator[Row]:
        """Rows of ``schema.SERVERS``, most failures first."""
        for s in sorted(self._seen.values(), key=lambda s: (-s.failed, -s.handshakes)):
            yield {
                "server_address": s.address,
                "server_port": s.port,
                "handshakes": s.handshakes,
                "completed": s.completed,
                "failed": s.failed,
                "names_served": tuple(s.names_served),
                "names_failed": tuple(s.names_failed),
                "versions_accepted": tuple(s.versions),
                "versions_refused": tuple(s.versions_refused),
                "cipher_suites_accepted": tuple(s.suites),
                "named_groups_accepted": tuple(s.groups),
                "alpn_accepted": tuple(s.alpn),
                "key_types": tuple(s.keys),
                "requests_client_certificate": s.requests,
                "causes": tuple(s.causes),
                "connect_ms": round(median(s.connect), 3) if s.connect else None,
                "hello_ms": round(median(s.hello), 3) if s.hello else None,
            }


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
