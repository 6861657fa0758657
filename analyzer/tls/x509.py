"""X.509 certificates (RFC 5280) with ``cryptography``, which is imported when the first one is read.

Certificates come off the wire: whatever they hold gives a Certificate, at worst one with only ``fault``
set. Each is read once however often it was sent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from analyzer.model.hello import Certificate

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

__all__ = ["read_certificate"]

_CERTIFICATE_BYTES = 131_072
"""As long as a handshake message that is kept: a limit of ours is no fault of a certificate."""

_REMEMBERED = 2048
_LATEST = (1 << 63) - 1
"""Times are kept in 64 bits of nanoseconds: 2262-04-11 stands for 'no end', as 9999-12-31 does in certificates."""

_memo: dict[bytes, Certificate] = {}


def read_certificate(der: bytes) -> Certificate:
    """Read one certificate. Never raises: ``fault`` says what could not be read, whose fields are then empty.

    Times beyond 2262 (64 bits of nanoseconds) are held at that end.
    """
    known = _memo.get(der)
    if known is None:
        known = _read(der)
        if len(der) <= 8192:
            if len(_memo) >= _REMEMBERED:
                _memo.clear()
            _memo[der] = known
    return known


def _read(der: bytes) -> Certificate:
    found = Certificate(der, sha256(der).hexdigest())
    if len(der) > _CERTIFICATE_BYTES:
        found.fault = f"a certificate of {len(der)} bytes, more than {_CERTIFICATE_BYTES}"
        return found
    from cryptography import x509

    with warnings.catch_warnings():
        # cryptography warns of what it tolerates (serial 0, a missing NULL); here that is just another certificate
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_der_x509_certificate(der)
        except _refusals() as error:
            found.fault = _one_line(error) or "no certificate"
            return found
        faults = [
            *_attempt("names", _read_names, found, certificate),
            *_attempt("validity", _read_validity, found, certificate),
            *_attempt("key", _read_key, found, certificate),
            *_attempt("signature", _read_signature, found, certificate),
            *_attempt("extensions", _read_extensions, found, certificate),
            *_attempt("issuer", _read_issuer, found, certificate),
        ]
        found.fault = "; ".join(faults)
    return found


def _refusals() -> tuple[type[Exception], ...]:
    """What cryptography raises at bytes it does not like."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType

    return (
        ValueError, TypeError, OverflowError, NotImplementedError, AttributeError, LookupError,
        InvalidSignature, UnsupportedAlgorithm, DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType,
    )  # fmt: skip


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _attempt(
    what: str, read: Callable[[Certificate, x509.Certificate], None], found: Certificate, certificate: x509.Certificate
) -> Iterable[str]:
    try:
        read(found, certificate)
    except _refusals() as error:
        yield f"{what}: {_one_line(error)}"


def _read_names(found: Certificate, certificate: x509.Certificate) -> None:
    from cryptography.x509.oid import NameOID

    found.serial = certificate.serial_number
    found.subject_der = certificate.subject.public_bytes()
    found.issuer_der = certificate.issuer.public_bytes()
    found.self_issued = found.subject_der == found.issuer_der
    found.subject = certificate.subject.rfc4514_string()
    found.issuer = certificate.issuer.rfc4514_string()
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        value = attribute.value
        found.common_name = value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
        break


def _nanoseconds(moment: datetime) -> int:
    return max(-_LATEST, min(int(moment.timestamp()) * 1_000_000_000, _LATEST))


def _read_validity(found: Certificate, certificate: x509.Certificate) -> None:
    found.not_before = _nanoseconds(certificate.not_valid_before_utc)
    found.not_after = _nanoseconds(certificate.not_valid_after_utc)


_KEY_TYPES = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.10045.2.1": "ECDSA",
    "1.2.840.10040.4.1": "DSA",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA",
    "2.16.840.1.101.3.4.3.18": "ML-DSA",
    "2.16.840.1.101.3.4.3.19": "ML-DSA",
}
_ML_DSA = {"17": "ML-DSA-44", "18": "ML-DSA-65", "19": "ML-DSA-87"}


def _read_key(found: Certificate, certificate: x509.Certificate) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    oid = certificate.public_key_algorithm_oid.dotted_string
    found.key_type = kind = _KEY_TYPES.get(oid, "")
    found.key = _ML_DSA[oid.rsplit(".", 1)[1]] if kind == "ML-DSA" else kind or oid
    try:
        key: Any = certificate.public_key()
    except _refusals() as error:
        # A key we cannot use is no fault of the certificate: curves written out, algorithms of tomorrow.
        if kind in ("ECDSA", "DSA", "RSA", "RSA-PSS"):
            found.key = f"{kind} ({_one_line(error)})"
        return
    found.spki_sha256 = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    if kind == "ECDSA":
        found.key_bits = key.curve.key_size
        found.key = f"ECDSA {key.curve.name}"
    elif kind in ("RSA", "RSA-PSS", "DSA"):
        found.key_bits = key.key_size
        found.key = f"{kind} {found.key_bits}"
    elif kind in ("Ed25519", "Ed448"):
        found.key_bits = 256 if kind == "Ed25519" else 456


_SIGNATURES = {
    "1.2.840.113549.1.1.2": ("md2WithRSAEncryption", "md2"),
    "1.2.840.113549.1.1.3": ("md4WithRSAEncryption", "md4"),
    "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", "md5"),
    "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", "sha1"),
    "1.3.14.3.2.29": ("sha1WithRSA", "sha1"),
    "1.2.840.113549.1.1.14": ("sha224WithRSAEncryption", "sha224"),
    "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", "sha256"),
    "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", "sha384"),
    "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", "sha512"),
    "1.2.840.113549.1.1.10": ("rsassaPss", ""),
    "1.2.840.10045.4.1": ("ecdsa-with-SHA1", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa-with-SHA224", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", "sha512"),
    "1.2.840.10040.4.3": ("dsa-with-SHA1", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa_with_SHA224", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa_with_SHA256", "sha256"),
    "1.3.101.112": ("ED25519", ""),
    "1.3.101.113": ("ED448", ""),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", ""),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", ""),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", ""),
    "1.2.156.10197.1.501": ("SM2-with-SM3", "sm3"),
}


def _read_signature(found: Certificate, certificate: x509.Certificate) -> None:
    oid = certificate.signature_algorithm_oid.dotted_string
    found.signature, found.signature_hash = _SIGNATURES.get(oid, (oid, ""))
    if found.signature == "rsassaPss":
        used = certificate.signature_hash_algorithm
        found.signature_hash = used.name if used else ""


# RFC 5280 section 4.2: a stack that meets another one marked critical must refuse the certificate.
_KNOWN_EXTENSIONS = frozenset(
    {f"2.5.29.{n}" for n in (9, 14, 15, 17, 18, 19, 30, 31, 32, 33, 35, 36, 37, 46, 54)} | {"1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.11"}
)
_KEY_USAGES = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "nonRepudiation"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)


def _read_extensions(found: Certificate, certificate: x509.Certificate) -> None:
    from cryptography import x509

    unknown: list[str] = []
    for extension in certificate.extensions:
        oid, value = extension.oid.dotted_string, extension.value
        if extension.critical and oid not in _KNOWN_EXTENSIONS:
            unknown.append(oid)
        if isinstance(value, x509.SubjectAlternativeName):
            found.has_san = True
            found.names = tuple(
                str(name.value) for name in value if isinstance(name, x509.DNSName | x509.IPAddress)
            )  # fmt: skip
        elif isinstance(value, x509.BasicConstraints):
            found.is_ca, found.path_length = value.ca, value.path_length
        elif isinstance(value, x509.KeyUsage):
            usages = [name for field, name in _KEY_USAGES if getattr(value, field)]
            if value.key_agreement:
                usages += ["encipherOnly"] * value.encipher_only + ["decipherOnly"] * value.decipher_only
            found.key_usage = tuple(usages)
        elif isinstance(value, x509.ExtendedKeyUsage):
            found.extended_key_usage = tuple(usage.dotted_string for usage in value)
        elif isinstance(value, x509.SubjectKeyIdentifier):
            found.subject_key_id = value.digest
        elif isinstance(value, x509.AuthorityKeyIdentifier):
            found.authority_key_id = value.key_identifier or b""
        elif isinstance(value, x509.TLSFeature):
            found.must_staple = x509.TLSFeatureType.status_request in value
        elif isinstance(value, x509.PrecertificateSignedCertificateTimestamps):
            found.scts = len(value)
        elif isinstance(value, x509.AuthorityInformationAccess):
            found.ca_issuers = _locations(value, "1.3.6.1.5.5.7.48.2")
            found.ocsp_urls = _locations(value, "1.3.6.1.5.5.7.48.1")
        elif isinstance(value, x509.CRLDistributionPoints):
            found.crl_urls = tuple(
                name.value for point in value for name in point.full_name or () if isinstance(name, x509.UniformResourceIdentifier)
            )
    found.unknown_critical = tuple(unknown)


def _locations(access: x509.AuthorityInformationAccess, method: str) -> tuple[str, ...]:
    from cryptography import x509

    return tuple(
        description.access_location.value
        for description in access
        if description.access_method.dotted_string == method and isinstance(description.access_location, x509.UniformResourceIdentifier)
    )


def _read_issuer(found: Certificate, certificate: x509.Certificate) -> None:
    """Tell whether it vouches for itself. Keys so large that checking them takes long are not tried."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if not found.self_issued or found.key_bits > 8192:
        return
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return
    found.self_signed = True
