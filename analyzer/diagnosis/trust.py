"""The trust store chains are judged by: ``--ca-file``, read at once, else the system's, read when first asked for.

``cryptography`` does the verifying (``x509.verification``, the profile of the web: RFC 5280 with the
CA/Browser Forum's rules); what it refuses is explained by our own reading of the chain.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.diagnosis.host_names import ascii_name, is_address
from analyzer.errors import SourceError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import verification

__all__ = ["TrustStore", "is_signed_by", "load_certificate"]

_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/openssl@3/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
)


@lru_cache(maxsize=4_096)
def load_certificate(der: bytes) -> x509.Certificate | None:
    """The certificate as ``cryptography`` reads it; None where it refuses."""
    from cryptography import x509

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it tolerates; here that is data
        try:
            return x509.load_der_x509_certificate(der)
        except (ValueError, TypeError):
            return None


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate names an issuer and carries its signature; False also for algorithms that cannot be checked."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm
        return False
    return True


class TrustStore:
    """Roots, found by subject. Raises SourceError when the file that the caller names cannot be read."""

    def __init__(self, ca_file: str | None = None) -> None:
        self.given = ca_file is not None
        """The caller named the store: what is not in it is not trusted. Of the system's one can only say 'not here'."""
        self._roots = None if ca_file is None else _group(_read_file(ca_file))
        self._verifying: verification.Store | None = None

    @property
    def available(self) -> bool:
        """Whether there is any root to judge by."""
        return bool(self._load())

    def holds_subject(self, subject_der: bytes) -> bool:
        """Whether a root has this subject (DER of the name)."""
        return subject_der in self._load()

    def holds(self, der: bytes) -> bool:
        """Whether a certificate is itself a root of the store, or has the subject and key of one."""
        certificate = load_certificate(der)
        if certificate is None:
            return False
        try:
            key = certificate.public_key()
            return any(root.public_key() == key for root in self._load().get(certificate.subject.public_bytes(), ()))
        except Exception:  # a key or name that cryptography does not read is none of ours
            return False

    def has_issuer_of(self, der: bytes) -> bool:
        """Whether a root of the store signed this certificate."""
        certificate = load_certificate(der)
        if certificate is None:
            return False
        return any(is_signed_by(certificate, root) for root in self._load().get(_issuer_of(certificate), ()))

    def verifies(self, chain: Sequence[bytes], name: str, now: int) -> bool:
        """Whether ``cryptography`` accepts the chain (DER, leaf first) for a name at a time (ns since the epoch)."""
        from cryptography import x509
        from cryptography.x509 import verification

        roots = self._load()
        certificates = [certificate for der in chain if (certificate := load_certificate(der)) is not None]
        if not roots or not certificates:
            return False
        try:
            subject = x509.IPAddress(ip_address(name.strip("[]"))) if is_address(name) else x509.DNSName(ascii_name(name))
            moment = datetime(1970, 1, 1) + timedelta(microseconds=now // 1_000)
            if self._verifying is None:  # most of the time that a chain takes
                self._verifying = verification.Store([root for group in roots.values() for root in group])
            builder = verification.PolicyBuilder().store(self._verifying).time(moment)
            builder.build_server_verifier(subject).verify(certificates[0], certificates[1:])
        except (verification.VerificationError, ValueError, TypeError, OverflowError):
            return False
        return True

    def _load(self) -> dict[bytes, list[x509.Certificate]]:
        if self._roots is None:
            self._roots = _group(_read_system())
        return self._roots


def _group(certificates: Iterable[x509.Certificate]) -> dict[bytes, list[x509.Certificate]]:
    """By the DER of the subject."""
    roots: dict[bytes, list[x509.Certificate]] = {}
    for certificate in certificates:
        with contextlib.suppress(ValueError):  # a subject that cannot be read is nobody's issuer
            roots.setdefault(certificate.subject.public_bytes(), []).append(certificate)
    return roots


def _read_pem(path: str) -> list[x509.Certificate]:
    from cryptography import x509

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old roots break rules that only new certificates must keep
        return x509.load_pem_x509_certificates(Path(path).read_bytes())


def _read_file(path: str) -> list[x509.Certificate]:
    try:
        return _read_pem(path)
    except OSError as error:
        raise SourceError(f"cannot read the trust store {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise SourceError(f"the trust store {path} holds no PEM certificates that can be read") from error


def _read_system() -> list[x509.Certificate]:
    """The system's roots: what OpenSSL is told to use, the usual places, where this Python's OpenSSL would look. Empty where none are."""
    for place in _places():
        try:
            certificates = _read_pem(place) if place else []
        except (OSError, ValueError):
            continue
        if certificates:
            return certificates
    return []


def _places() -> Iterator[str | None]:
    yield os.environ.get("SSL_CERT_FILE")
    yield from _SYSTEM_FILES
    import ssl  # milliseconds, and hardly ever needed

    yield ssl.get_default_verify_paths().cafile


def _issuer_of(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.issuer.public_bytes()
    except ValueError:
        return b""
