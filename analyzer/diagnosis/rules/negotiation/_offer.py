"""What a ClientHello can do: the parts of an offer, and how they stand to what servers of today take.

"Of today" means what default configurations accept: TLS 1.2 and 1.3, AEAD suites with (EC)DHE, X25519, P-256
and P-384, SHA-2 signatures (RFC 9325; Mozilla's intermediate profile; defaults of OpenSSL, BoringSSL, Schannel,
Go, Java). "Tolerated" is what many still have switched on, and many no longer: CBC and RSA key exchange.
"""

from __future__ import annotations

from functools import lru_cache

from analyzer import registries
from analyzer.model.hello import ClientHello
from analyzer.registries.named_groups import POST_QUANTUM_GROUPS
from analyzer.registries.signature_schemes import scheme_key_type
from analyzer.registries.suite_facts import SIGNALLING_SUITES, SuiteFacts, suite_facts
from analyzer.registries.versions import effective_version

__all__ = [
    "COMMON_GROUPS",
    "NEW_SUITES",
    "UNCOMMON_GROUPS",
    "UNIVERSAL_SUITES",
    "grade_suite",
    "is_legacy_scheme",
    "looks_like_ticket",
    "named_groups",
    "post_quantum",
    "schemes_of",
    "schemes_of_tls13",
    "suites_of",
    "usable_key_types",
    "versions_of",
]

COMMON_GROUPS = frozenset({0x001D, 0x0017, 0x0018})
"""X25519, P-256, P-384: every server of today takes at least one."""
UNCOMMON_GROUPS = frozenset({0x0019, 0x001E, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104})
"""P-521, X448 and finite fields: OpenSSL and GnuTLS take them, BoringSSL, Go, Schannel and Java mostly not."""
UNIVERSAL_SUITES = frozenset({0xC02F, 0xC030, 0xC02B, 0xC02C})
"""ECDHE with AES-GCM: taken by every server of today that has the key for it."""
NEW_SUITES = frozenset({0x1301, 0x1302, 0x1303})

_VERSIONS = (0x0300, 0x0301, 0x0302, 0x0303)
_EDWARDS = frozenset({"ECDSA", "Ed25519", "Ed448"})


def versions_of(hello: ClientHello) -> frozenset[int]:
    """Versions the client would take, drafts counted as 0x0304.

    Without supported_versions every one up to legacy_version is meant (RFC 8446 section 4.2.1): the lowest that
    the client really takes cannot be seen. Never empty: a list of reserved values (GREASE) alone stands as it is.
    """
    if hello.supported_versions:
        return frozenset(effective_version(v) for v in hello.offered_versions or hello.supported_versions)
    known = [v for v in _VERSIONS if v <= hello.legacy_version]
    return frozenset(known or [hello.legacy_version])


def suites_of(hello: ClientHello) -> tuple[int, ...]:
    """Cipher suites offered, without GREASE and signals."""
    return tuple(code for code in hello.cipher_suites if code not in SIGNALLING_SUITES and not registries.is_grease(code))


def named_groups(hello: ClientHello) -> tuple[int, ...]:
    """Groups offered, without GREASE."""
    return tuple(code for code in hello.named_groups if not registries.is_grease(code))


def schemes_of(hello: ClientHello) -> tuple[int, ...]:
    """Signature schemes offered for the handshake, without GREASE."""
    return tuple(code for code in hello.signature_schemes if not registries.is_grease(code))


def schemes_of_tls13(hello: ClientHello) -> tuple[int, ...]:
    """Those that may sign a TLS 1.3 handshake: no PKCS #1 v1.5, no SHA-1, no DSA (RFC 8446 section 4.2.3)."""
    return tuple(code for code in schemes_of(hello) if code >= 0x0700 or code in (0x0403, 0x0503, 0x0603))


def is_legacy_scheme(code: int) -> bool:
    """Whether a scheme signs with MD5, SHA-1 or SHA-224, or with DSA."""
    return code >> 8 in (1, 2, 3) or (code >> 8 in (4, 5, 6) and code & 0xFF == 2)


def post_quantum(hello: ClientHello) -> bool:
    """Whether a post-quantum group is offered."""
    return any(code in POST_QUANTUM_GROUPS for code in hello.named_groups)


@lru_cache(maxsize=4096)
def grade_suite(code: int) -> str:
    """'sound' (accepted by default today), 'tolerated', 'psk', or 'unwanted' (weak, anonymous, rare, unknown)."""
    facts = suite_facts(code)
    if facts is None:
        return "unwanted"
    if facts.tls13:
        return "sound" if code in NEW_SUITES else "unwanted"
    if facts.is_psk:
        return "unwanted" if facts.is_weak else "psk"
    if facts.is_weak or facts.certificate_key not in ("RSA", "ECDSA") or facts.cipher not in ("AES", "CHACHA20"):
        return "unwanted"
    if facts.key_exchange == "ECDHE" and facts.mode in ("GCM", "POLY1305"):
        return "sound"
    return "tolerated" if facts.key_exchange in ("ECDHE", "DHE", "RSA") else "unwanted"


def usable_key_types(hello: ClientHello, version: int) -> frozenset[str]:
    """Kinds of certificate key the offer leaves room for in a version: suites and signature schemes taken together.

    Empty where no certificate is needed or nothing is known. In TLS 1.3 the schemes alone decide, and a server that
    cannot sign there does not fall back to RSA key exchange.
    """
    schemes = schemes_of(hello)
    signing = {kind for kind in map(scheme_key_type, schemes) if kind is not None}
    if not signing:
        signing = {"RSA", "ECDSA", "DSA"} if not schemes else set()
    if version >= 0x0304:
        return frozenset(signing)
    result: set[str] = set()
    for code in suites_of(hello):
        facts = suite_facts(code)
        if facts is not None:
            result |= _key_types_of_suite(facts, signing if version >= 0x0303 else {"RSA", "ECDSA", "DSA"})
    return frozenset(result)


def _key_types_of_suite(facts: SuiteFacts, signing: set[str]) -> set[str]:
    key = facts.certificate_key
    if facts.tls13 or key is None:
        return set()
    if facts.key_exchange == "RSA":
        return {"RSA"}
    if key == "RSA":
        return signing & {"RSA", "RSA-PSS"}
    if key == "ECDSA":
        return signing & _EDWARDS
    return signing & {"DSA"} if key == "DSS" else set()


def looks_like_ticket(identity: bytes) -> bool:
    """Whether a pre-shared key's identity is a ticket (opaque bytes) and not a name someone gave it."""
    if len(identity) >= 48:
        return True
    return bool(identity) and not all(32 <= octet < 127 for octet in identity)
