"""How one side refused the other's certificate, and which alerts fit which fault.

Measured on the stacks of today: each names the same fault by another alert (OpenSSL 45 where Go
says 42 and Java 46), some hide it behind encryption, some say nothing and close.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from analyzer.diagnosis.losses import closed_before_reading, is_orphan_reset
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake, Message, Stage
from analyzer.model.hello import Alert, ClientHello

__all__ = [
    "CERTIFICATE_ALERTS",
    "FITTING_ALERTS",
    "OWN_ALERTS",
    "VAGUE_ALERTS",
    "Refusal",
    "is_gnutls",
    "is_openssl",
    "judges_halfway",
    "refusal_by_client",
    "refusal_by_server",
]

CERTIFICATE_ALERTS = frozenset({41, 42, 43, 44, 45, 46, 48, 49, 51, 113, 114})
"""Alerts that speak of a certificate or its signature (RFC 8446 section 6.2; 41 and 114 are older)."""

_ABOUT_CHAINS = CERTIFICATE_ALERTS - {49, 51}

FITTING_ALERTS: dict[str, frozenset[int]] = {
    "cert-expired": frozenset({45, 42, 46}),
    "cert-not-yet-valid": frozenset({42, 45, 46}),
    "cert-self-signed": frozenset({48, 42, 46}),
    "cert-unknown-ca": frozenset({48, 42, 46}),
    "cert-missing-intermediate": frozenset({48, 42, 46}),
    "cert-chain-disorder": frozenset({48, 42, 46}),
    "cert-name-mismatch": frozenset({42, 46, 112}),
    "cert-no-san": frozenset({42, 46}),
    "cert-revoked": frozenset({44, 42, 46}),
    "cert-weak-signature": frozenset({42, 46, 51, 48, 43}),
    "cert-weak-key": frozenset({42, 43, 51, 46, 71, 40}),
    "cert-bad-purpose": frozenset({43, 42, 46, 47}),
    "cert-chain-constraint": frozenset({48, 46, 42}),
    "cert-critical-extension": frozenset({46, 42, 43}),
    "cert-malformed": frozenset({10, 40, 42, 43, 46, 47, 48, 50, 51, 80}),
    "ocsp-must-staple-missing": frozenset({42, 113, 46}),
    "ocsp-staple-bad": frozenset({113, 42, 46}),
    "tls-interception": frozenset({48, 42, 46}),
    "ct-policy": frozenset({46, 42}),
    "cert-lifetime-policy": frozenset({46, 42}),
    "cert-private-key-mismatch": frozenset({51, 42, 47}),
}
"""By cause: descriptions that measured clients send for it."""

OWN_ALERTS: dict[str, frozenset[int]] = {
    "cert-expired": frozenset({45}),
    "cert-not-yet-valid": frozenset({45}),
    "cert-self-signed": frozenset({48}),
    "cert-unknown-ca": frozenset({48}),
    "cert-missing-intermediate": frozenset({48}),
    "tls-interception": frozenset({48}),
    "cert-chain-constraint": frozenset({48}),
    "cert-revoked": frozenset({44}),
    "cert-bad-purpose": frozenset({43}),
    "ocsp-staple-bad": frozenset({113}),
}
"""By cause: alerts that name it, or nothing else that a chain can show."""


VAGUE_ALERTS = frozenset({40, 80})
"""Alerts for whatever has no better one: they fit every fault, and prove none."""


_OPENSSL_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809)
_OPENSSL_NEWER = frozenset({0x0904, 0x0905, 0x0906, 0x081A, 0x081B, 0x081C})
"""Schemes that newer versions have before these and among them: ML-DSA, and Brainpool's curves."""
_GNUTLS_SCHEMES = (0x0401, 0x0809, 0x0804)
_S2N_SCHEMES = (0x0809, 0x080A, 0x080B, 0x0804, 0x0805, 0x0806)
_BORINGSSL_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501)
_OLD_CHACHA = 0xCC13
"""ChaCha20 as a draft numbered it, which BoringSSL alone had."""
_SCSV = 0x00FF


class Refusal(NamedTuple):
    """One side's refusal of the other's flight."""

    how: Literal["alert", "encrypted", "close", "goodbye"]
    """'alert': its description is known; 'encrypted': it is not; 'close': FIN or RST without a word; 'goodbye':
    close_notify after a whole handshake, and no data."""
    description: int | None
    evidence: list[Evidence]


def is_openssl(hello: ClientHello | None) -> bool:
    """Whether a hello is one of OpenSSL's: it alone offers encrypt_then_mac and lists three point formats beside it, or, where
    OpenSSL 4.0 no longer has those, its own order of signature schemes.

    OpenSSL names an unknown issuer by unknown_ca (48) and by nothing else.
    """
    if hello is None or not hello.encrypt_then_mac:
        return False
    if hello.ec_point_formats == (0, 1, 2):
        return True
    schemes = [scheme for scheme in hello.signature_schemes[: len(_OPENSSL_SCHEMES) + 6] if scheme not in _OPENSSL_NEWER]
    return tuple(schemes[: len(_OPENSSL_SCHEMES)]) == _OPENSSL_SCHEMES


def is_gnutls(hello: ClientHello | None) -> bool:
    """Whether a hello is one of GnuTLS's: it alone puts the PSS scheme for PSS keys second of all.

    Its programs verify in the handshake (gnutls-cli), or when it is done (wget).
    """
    return hello is not None and hello.signature_schemes[:3] == _GNUTLS_SCHEMES


def judges_halfway(hello: ClientHello | None) -> bool:
    """Whether a hello is of a stack that, below TLS 1.3 too, judges right after the server's flight and leaves without an alert.

    BoringSSL leaves the sending of its alert to the program, and several do not (Bun, gRPC; Mono, on an older one); browsers,
    which send GREASE, do. And s2n closes after 10 to 30 seconds, for nobody to time what it did.
    """
    if hello is None:
        return False
    schemes, suites = hello.signature_schemes, hello.cipher_suites
    if (schemes[: len(_BORINGSSL_SCHEMES)] == _BORINGSSL_SCHEMES and not hello.grease) or _OLD_CHACHA in suites:
        return True
    return schemes[: len(_S2N_SCHEMES)] == _S2N_SCHEMES and _SCSV in suites


def refusal_by_client(handshake: Handshake) -> Refusal | None:
    """The client's refusal of the server's flight; None when the client did not end it there."""
    if handshake.aborted_by != "client":
        return None
    alert = handshake.closing_alert
    if handshake.server_hello is None:
        return _refusal(handshake, True) if alert is not None and _speaks_of_an_unseen_chain(handshake, alert) else None
    if handshake.stage not in (Stage.SERVER_HELLO, Stage.CLIENT_FLIGHT, Stage.FINISHED):
        return None
    flow = handshake.flow
    left = min((frame for frame in (flow.client_fin_frame, flow.client_rst_frame) if frame), default=0)
    if left and alert is None and left < handshake.server_hello_frame:
        return None  # it had gone before the answer came
    if left and alert is None and handshake.is_tls13 and left < handshake.server_finished_frame:
        return None  # ... before it was whole: what it read of it was no certificate yet
    if left and alert is None and closed_before_reading(handshake, left, _last_of_flight(handshake)):
        return None  # ... or before it reached the client, as the capture at the server shows it
    if alert is None and is_orphan_reset(handshake, True):
        return None  # its program never got to read it
    if alert is not None and any(
        message.kind == "certificate" and not message.from_client and not _had(handshake, alert, message)
        for message in handshake.messages[alert.position + 1 :]
    ):
        return None  # said before the certificate came
    return _refusal(handshake, True)


def _last_of_flight(handshake: Handshake) -> int:
    """Frame in which the server's first flight was whole; that of its hello where the end was not seen."""
    if handshake.server_finished_frame and handshake.is_tls13:
        return handshake.server_finished_frame
    return next((m.frame for m in handshake.messages if m.kind == "server_hello_done"), handshake.server_hello_frame)


def _had(handshake: Handshake, alert: Alert, message: Message) -> bool:
    """Whether an alert acknowledges a message that only comes after it in the file."""
    told = next((s.acknowledgment for s in handshake.segments if s.frame == alert.frame and s.from_client == alert.from_client), -1)
    return told > max((s.sequence for s in handshake.segments if s.frame in (message.first_frame, message.frame)), default=told)


def refusal_by_server(handshake: Handshake) -> Refusal | None:
    """The server's refusal after the client's second flight began; None when the server did not end it there."""
    if handshake.aborted_by != "server":
        return None
    if handshake.stage not in (Stage.CLIENT_FLIGHT, Stage.FINISHED, Stage.ESTABLISHED):
        return None
    return _refusal(handshake, False)


def _speaks_of_an_unseen_chain(handshake: Handshake, alert: Alert) -> bool:
    """Whether a client's plain alert is about a certificate that the capture, which lacks bytes of the server, does not show."""
    flow = handshake.flow
    lacking = flow.one_way or not flow.syn_frame or flow.server_gaps > 0 or flow.truncated > 0
    return lacking and alert.how != "inferred" and alert.description in _ABOUT_CHAINS


def _refusal(handshake: Handshake, from_client: bool) -> Refusal:
    alert = handshake.closing_alert
    evidence = list(handshake.closing_evidence)
    if alert is None or alert.from_client != from_client or alert.description == 0:
        return Refusal("close", None, evidence)
    return Refusal("encrypted" if alert.description is None else "alert", alert.description, evidence)
