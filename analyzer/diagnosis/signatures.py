"""Whether the server's ServerKeyExchange was signed with the key of its certificate (RFC 5246 section 7.4.3)."""

from __future__ import annotations

from typing import Any

from analyzer.diagnosis.trust import load_certificate
from analyzer.model.handshake import Handshake

__all__ = ["signature_fits"]

_HASHES = {1: "MD5", 2: "SHA1", 3: "SHA224", 4: "SHA256", 5: "SHA384", 6: "SHA512"}
_PSS = {0x0804: "SHA256", 0x0805: "SHA384", 0x0806: "SHA512", 0x0809: "SHA256", 0x080A: "SHA384", 0x080B: "SHA512"}
_LONGEST_KEY = 8_192


def signature_fits(handshake: Handshake) -> bool | None:
    """True or False for the signature in ServerKeyExchange; None where it cannot be checked (TLS 1.3, bytes missing)."""
    exchange, hello, answer = handshake.server_key_exchange, handshake.client_hello, handshake.server_hello
    if exchange is None or hello is None or answer is None or not exchange.signature or not exchange.params:
        return None
    if not handshake.server_certificates or len(hello.random) != 32 or len(answer.random) != 32:
        return None
    leaf = handshake.server_certificates[0]
    certificate = load_certificate(leaf.der) if 0 < leaf.key_bits <= _LONGEST_KEY else None
    if certificate is None:
        return None
    from cryptography.exceptions import InvalidSignature

    signed = hello.random + answer.random + exchange.params
    try:
        _verify(certificate.public_key(), exchange.signature_scheme, answer.selected_version, exchange.signature, signed)
    except InvalidSignature:
        return False
    except Exception:  # an algorithm or scheme cryptography does not do: it cannot be told
        return None
    return True


def _verify(key: Any, scheme: int | None, version: int, signature: bytes, signed: bytes) -> None:
    """Raises InvalidSignature when it does not fit, other exceptions when it cannot be checked."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, signed)
        return
    if scheme in _PSS:
        used = getattr(hashes, _PSS[scheme])()
        key.verify(signature, signed, padding.PSS(padding.MGF1(used), used.digest_size), used)
        return
    if scheme is None or version < 0x0303:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - what TLS 1.0 and 1.1 signed with (RFC 8422 section 5.4)
            return
        raise NotImplementedError("MD5 and SHA-1 together")
    used = getattr(hashes, _HASHES[scheme >> 8])()
    if isinstance(key, rsa.RSAPublicKey) and scheme & 0xFF == 1:
        key.verify(signature, signed, padding.PKCS1v15(), used)
    elif isinstance(key, ec.EllipticCurvePublicKey) and scheme & 0xFF == 3:
        key.verify(signature, signed, ec.ECDSA(used))
    else:
        raise NotImplementedError("a scheme that is not the key's")
