"""What the handshake messages said: parsed bodies of the messages that matter for a verdict.

Wire numbers stay numbers here (RFC 8446 section 4, RFC 5246 section 7.4); names are looked up in
``analyzer.registries`` when they are shown. GREASE and unknown values are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from analyzer.model import fingerprints
from analyzer.model.record import Record

__all__ = ["Alert", "Certificate", "CertificateRequest", "ClientHello", "ServerHello", "ServerKeyExchange"]


@dataclass(slots=True, eq=False, repr=False)
class ClientHello(Record):
    """ClientHello (RFC 8446 section 4.1.2; RFC 5246 section 7.4.1.2; SSLv2 form RFC 5246 appendix E.2)."""

    length: int
    """Bytes of the handshake message with its 4-byte header."""
    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: bytes = b"\0"
    extension_types: tuple[int, ...] = ()
    """In wire order, GREASE included."""
    has_extensions: bool = False
    server_name: str | None = None
    alpn: tuple[str, ...] = ()
    supported_versions: tuple[int, ...] = ()
    """Of the extension; empty where it is absent. ``offered_versions`` gives what is meant."""
    named_groups: tuple[int, ...] = ()
    signature_schemes: tuple[int, ...] = ()
    signature_schemes_cert: tuple[int, ...] = ()
    key_shares: tuple[tuple[int, int], ...] = ()
    """(group, length of the key exchange bytes)."""
    ec_point_formats: tuple[int, ...] = ()
    psk_identities: int = 0
    psk_identity: bytes = b""
    """First offered identity, cut to 64 bytes: tells a ticket from an external name."""
    psk_binder_length: int = 0
    psk_modes: tuple[int, ...] = ()
    session_ticket_length: int | None = None
    """Bytes of session_ticket (RFC 5077); None where the extension is absent, 0 when empty."""
    early_data: bool = False
    extended_master_secret: bool = False
    encrypt_then_mac: bool = False
    renegotiation_info: bool = False
    """The extension, or TLS_EMPTY_RENEGOTIATION_INFO_SCSV."""
    renegotiation_info_length: int = 0
    fallback_scsv: bool = False
    status_request: bool = False
    sct: bool = False
    post_handshake_auth: bool = False
    record_size_limit: int | None = None
    max_fragment_length: int | None = None
    cookie_length: int = 0
    certificate_authorities: tuple[bytes, ...] = ()
    compress_certificate: tuple[int, ...] = ()
    delegated_credentials: tuple[int, ...] = ()
    encrypted_client_hello: bool = False
    padding_length: int = 0
    heartbeat: bool = False
    grease: bool = False
    sslv2: bool = False
    """The hello came in SSLv2 format."""
    record_version: int = 0
    first_alpn: bytes | None = None
    """The first protocol offered as it was sent, empty for none; None where the hello was not read to its end."""
    defects: tuple[str, ...] = ()
    """What did not fit inside it and could be stepped over: '3 bytes after the extensions'."""

    @property
    def ja3(self) -> str:
        """JA3 (MD5, GREASE removed); '' where the hello was not read to its end."""
        if self.first_alpn is None:
            return ""
        return fingerprints.ja3(self.legacy_version, self.cipher_suites, self.extension_types, self.named_groups, self.ec_point_formats)

    @property
    def ja4(self) -> str:
        """JA4; '' where the hello was not read to its end."""
        if self.first_alpn is None:
            return ""
        best = max(_without_grease(self.supported_versions), default=self.legacy_version)
        return fingerprints.ja4(best, self.cipher_suites, self.extension_types, self.signature_schemes, self.first_alpn)

    @property
    def offered_versions(self) -> tuple[int, ...]:
        """Versions the client accepts, GREASE left out, best first as sent (RFC 8446 section 4.2.1)."""
        return _without_grease(self.supported_versions) if self.supported_versions else (self.legacy_version,)

    @property
    def max_version(self) -> int:
        """Best version offered; drafts of TLS 1.3 count as 0x0304."""
        return _highest(self.supported_versions or (self.legacy_version,)) or self.legacy_version


@lru_cache(maxsize=1024)
def _without_grease(versions: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(v for v in versions if v & 0x0F0F != 0x0A0A)


@lru_cache(maxsize=1024)
def _highest(versions: tuple[int, ...]) -> int:
    """The best of them with drafts of TLS 1.3 as 0x0304; 0 for none."""
    return max((0x0304 if v >> 8 in (0x7F, 0xFB) else v for v in _without_grease(versions)), default=0)


@dataclass(slots=True, eq=False, repr=False)
class ServerHello(Record):
    """ServerHello or HelloRetryRequest (RFC 8446 sections 4.1.3, 4.1.4)."""

    length: int
    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    compression_method: int = 0
    extension_types: tuple[int, ...] = ()
    selected_version: int = 0
    """supported_versions where present, else legacy_version. Drafts keep their number."""
    key_share_group: int | None = None
    key_share_length: int = 0
    pre_shared_key: int | None = None
    alpn: str | None = None
    session_ticket: bool = False
    extended_master_secret: bool = False
    encrypt_then_mac: bool = False
    renegotiation_info: bool = False
    status_request: bool = False
    server_name_acknowledged: bool = False
    early_data: bool = False
    cookie_length: int = 0
    max_fragment_length: int | None = None
    record_size_limit: int | None = None
    encrypted_client_hello: bool = False
    hello_retry_request: bool = False
    downgrade_sentinel: int | None = None
    """0 or 1: the last byte of DOWNGRD.. in the random (RFC 8446 section 4.1.3)."""
    ja3s: str = ""
    defects: tuple[str, ...] = ()


@dataclass(slots=True, eq=False, repr=False)
class ServerKeyExchange(Record):
    """ServerKeyExchange of TLS 1.2 and below (RFC 5246 section 7.4.3, RFC 8422 section 5.4)."""

    named_group: int | None = None
    dh_prime_bits: int = 0
    public_length: int = 0
    signature_scheme: int | None = None
    signature: bytes = b""
    params: bytes = b""
    """The signed bytes without the randoms: lets the signature be checked with the leaf's key."""


@dataclass(slots=True, eq=False, repr=False)
class CertificateRequest(Record):
    """CertificateRequest (RFC 5246 section 7.4.4; RFC 8446 section 4.3.2)."""

    certificate_types: tuple[int, ...] = ()
    signature_schemes: tuple[int, ...] = ()
    certificate_authorities: tuple[bytes, ...] = ()
    """DER names."""


@dataclass(slots=True, eq=False, repr=False)
class Certificate(Record):
    """One X.509 certificate as it was sent, read once however often it was seen.

    Times are ns since the epoch, held within 64 bits. ``fault`` says what could not be read, and why;
    the fields it speaks of are then empty.
    """

    der: bytes
    sha256: str
    subject: str = ""
    issuer: str = ""
    subject_der: bytes = b""
    issuer_der: bytes = b""
    common_name: str = ""
    serial: int = 0
    not_before: int = 0
    not_after: int = 0
    names: tuple[str, ...] = ()
    """dNSName and iPAddress entries of subjectAltName, in order."""
    has_san: bool = False
    key: str = ""
    """'RSA 2048', 'ECDSA secp256r1', 'Ed25519', 'DSA 1024' ..."""
    key_type: str = ""
    """'RSA', 'RSA-PSS', 'ECDSA', 'Ed25519', 'Ed448', 'DSA', 'ML-DSA', '' when unknown."""
    key_bits: int = 0
    signature: str = ""
    """'sha256WithRSAEncryption', 'ecdsa-with-SHA384' ... as in RFC 5912 / OpenSSL."""
    signature_hash: str = ""
    """'sha256', 'sha1', 'md5' ... '' for Ed25519 and the like."""
    is_ca: bool | None = None
    """basicConstraints cA; None where the extension is absent."""
    path_length: int | None = None
    self_issued: bool = False
    self_signed: bool = False
    """Issuer equals subject and the signature verifies with its own key."""
    key_usage: tuple[str, ...] | None = None
    extended_key_usage: tuple[str, ...] | None = None
    """Dotted OIDs; None where absent."""
    subject_key_id: bytes = b""
    authority_key_id: bytes = b""
    must_staple: bool = False
    scts: int = 0
    ca_issuers: tuple[str, ...] = ()
    ocsp_urls: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    unknown_critical: tuple[str, ...] = ()
    """OIDs of critical extensions that RFC 5280 does not define."""
    spki_sha256: str = ""
    fault: str = ""


@dataclass(slots=True, eq=False, repr=False)
class Alert(Record):
    """One alert, in the clear, decrypted, or inferred from a record's length and place."""

    frame: int
    timestamp: int
    from_client: bool
    level: int | None
    description: int | None
    encrypted: bool = False
    how: str = "plaintext"
    """'plaintext', 'decrypted' or 'inferred'."""
    position: int = 0
    """Index into ``Handshake.messages``."""
    length: int = 2
    extra: dict[str, object] = field(default_factory=dict)
