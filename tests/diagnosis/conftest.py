"""Handshakes built by hand and certificates made for real: what the rules are tested on before any capture is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from analyzer.model.handshake import Flow, Handshake, Message, Stage
from analyzer.model.hello import Alert, Certificate, ClientHello, ServerHello
from analyzer.tls.x509 import read_certificate

sys.path.insert(0, str(Path(__file__).parent))  # what builds attempts for the tests of this folder

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
_DAYS = timedelta(days=1)


@cache
def _key(kind: str) -> Any:
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, int(kind))


class Authority:
    """Makes certificates; each has the defaults of a sound one."""

    def __init__(self, name: str = "Test Root", parent: Authority | None = None, **how: Any) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.parent = parent
        self.certificate = self.make(name, authority=True, key=self.key, issuer=parent or self, **how)

    def make(
        self, name: str = "server.example", *, names: list[str] | None = None, san: bool = True, authority: bool = False, key: Any = None,
        issuer: Authority | None = None, begins: float = -30, ends: float = 60, uses: list[Any] | None = None, digest: Any = None,
        path_length: int | None = None, extra: list[tuple[Any, bool]] | None = None, self_signed: bool = False,
    ) -> Certificate:  # fmt: skip
        key = key or _key("ec")
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = self if issuer is None else issuer
        signing_key, issuer_name = (key, subject) if self_signed else (signer.key, signer.subject)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begins * _DAYS)
            .not_valid_after(NOW + ends * _DAYS)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False)
        )
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(True, path_length), True)
        elif san:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names or [name]]), False)
        if uses is None and not authority:
            uses = [ExtendedKeyUsageOID.SERVER_AUTH]
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), False)
        for extension, critical in extra or []:
            builder = builder.add_extension(extension, critical)
        return read_certificate(builder.sign(signing_key, digest or hashes.SHA256()).public_bytes(serialization.Encoding.DER))


def build_handshake(
    stage: str = Stage.SERVER_HELLO, *, version: int = 0x0303, name: str | None = "server.example", **fields: Any
) -> Handshake:
    """An attempt with a ClientHello in frame 4 and, from its stage on, a ServerHello in 6, a chain in 7, an alert in 10."""
    flow = Flow(
        0, fields.pop("stream", 0), 0, fields.pop("client", "192.0.2.1"), 40000, "198.51.100.2", 443, 1, 12, NOW_NS, NOW_NS + 10**9, "syn"
    )
    flow.syn_frame, flow.syn_ack_frame, flow.ack_frame, flow.client_frames, flow.server_frames = 1, 2, 3, 6, 5
    handshake = Handshake(flow, stage=stage)
    if Stage.RANK[stage] < Stage.RANK[Stage.DIALOGUE]:
        for key, value in fields.items():
            setattr(flow, key, value)
        return handshake
    handshake.client_hello = ClientHello(300, 0x0303, b"\1" * 32, b"", (0x1301, 0xC02B, 0xC02F), server_name=name)
    if version == 0x0304:
        handshake.client_hello.supported_versions = (0x0304, 0x0303)
        handshake.client_hello.extension_types = (0, 43)
    handshake.client_hello_frame, handshake.client_hello_time = 4, NOW_NS
    handshake.messages.append(Message(4, NOW_NS, True, "client_hello", 300, 4))
    if Stage.RANK[stage] >= Stage.RANK[Stage.SERVER_HELLO]:
        suite = 0x1301 if version == 0x0304 else 0xC02B
        handshake.server_hello = ServerHello(80, 0x0303, b"\2" * 32, b"", suite, selected_version=version)
        handshake.server_hello_frame, handshake.server_hello_time = 6, NOW_NS
        handshake.messages.append(Message(6, NOW_NS, False, "server_hello", 80, 6))
    chain = fields.pop("chain", ())
    if chain:
        handshake.server_certificates, handshake.server_certificates_complete = tuple(chain), True
        handshake.messages.append(Message(7, NOW_NS, False, "certificate", 1000, 7))
        handshake.messages.append(Message(8, NOW_NS, False, "server_hello_done", 0, 8))
    for spoken in ("client_alert", "server_alert"):
        if spoken in fields:
            description = fields.pop(spoken)
            handshake.alerts.append(
                Alert(10, NOW_NS, spoken == "client_alert", 2, description, description is None, position=len(handshake.messages))
            )
            handshake.messages.append(Message(10, NOW_NS, spoken == "client_alert", "alert", 2, 10))
    for key, value in fields.items():
        setattr(flow if hasattr(flow, key) else handshake, key, value)
    return handshake


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def make_authority() -> Callable[..., Authority]:
    return Authority


@pytest.fixture(scope="session")
def make_handshake() -> Callable[..., Handshake]:
    return build_handshake


@pytest.fixture(scope="session")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trust") / "root.pem"
    loaded = x509.load_der_x509_certificate(authority.certificate.der)
    path.write_bytes(loaded.public_bytes(serialization.Encoding.PEM))
    return str(path)
