"""What lengths of encrypted records tell in TLS 1.3 (RFC 8446 section 5.2: ciphertext is message + 1 + tag)."""

from __future__ import annotations

from analyzer.model.handshake import Handshake

__all__ = ["signing_key_type"]

_OVERHEAD = 17
_FINISHED = frozenset({53, 69, 53 + 16, 69 + 16})
"""Finished with SHA-256 and SHA-384; Java pads every record by 16."""
_SMALLEST_CERTIFICATE = 250
_HEADERS = 8  # of CertificateVerify: message type and length, scheme, length of the signature
_KINDS: dict[int, str] = {
    **dict.fromkeys((256, 384, 512), "RSA"),
    **dict.fromkeys((70, 71, 72, 102, 103, 104, 137, 138, 139), "ECDSA"),
    64: "Ed25519",
}
"""By length of the signature: RSA of 2048, 3072 and 4096 bits; P-256, P-384 and P-521 (DER); Ed25519."""
_MESSAGES = 12  # more than a server's first flight and what comes before it


def signing_key_type(handshake: Handshake) -> str | None:
    """Kind of the key the server signed with: its CertificateVerify stands between a Certificate and Finished.

    None outside TLS 1.3, in resumed sessions, where the flight was sent as one record, and for lengths of no known kind.
    """
    if not handshake.is_tls13 or handshake.resumption is not None:
        return None
    before = verify = 0
    for message in handshake.messages[:_MESSAGES]:
        if message.from_client or message.kind != "application_data":
            continue
        length = message.length
        if length in _FINISHED and before >= _SMALLEST_CERTIFICATE:
            size = verify - _OVERHEAD - _HEADERS
            return _KINDS.get(size) or _KINDS.get(size - 16)
        before, verify = verify, length
    return None
