"""From secrets to keys: HKDF (RFC 5869) as TLS 1.3 uses it (RFC 8446 section 7), and the PRFs before it (RFC 5246 section 5).

Hash names are those of ``hashlib``: 'sha256', 'sha384'.
"""

from __future__ import annotations

import hashlib
import hmac

__all__ = [
    "expand",
    "expand_label",
    "extract",
    "finished_tls12",
    "finished_tls13",
    "key_block",
    "next_traffic_secret",
    "prf",
    "transcript_after_retry",
]


def extract(hash_name: str, salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 section 2.2)."""
    return hmac.digest(salt or bytes(hashlib.new(hash_name).digest_size), material, hash_name)


def expand(hash_name: str, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3)."""
    output, block, count = b"", b"", 0
    while len(output) < length:
        count += 1
        block = hmac.digest(secret, block + info + bytes([count]), hash_name)
        output += block
    return output[:length]


def expand_label(hash_name: str, secret: bytes, label: str, context: bytes, length: int, version: int = 0x0304) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1). Drafts until the 19th write 'TLS 1.3, ' where 'tls13 ' stands now."""
    prefix = b"TLS 1.3, " if version >> 8 == 0x7F and version & 0xFF < 20 else b"tls13 "
    name = prefix + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + bytes([len(context)]) + context
    return expand(hash_name, secret, info, length)


def next_traffic_secret(hash_name: str, secret: bytes, version: int = 0x0304) -> bytes:
    """The secret after a KeyUpdate (RFC 8446 section 7.2)."""
    return expand_label(hash_name, secret, "traffic upd", b"", len(secret), version)


def finished_tls13(hash_name: str, secret: bytes, transcript_hash: bytes, version: int = 0x0304) -> bytes:
    """What a side's Finished must hold (RFC 8446 section 4.4.4); ``secret`` is its handshake traffic secret."""
    key = expand_label(hash_name, secret, "finished", b"", hashlib.new(hash_name).digest_size, version)
    return hmac.digest(key, transcript_hash, hash_name)


def transcript_after_retry(hash_name: str, client_hello: bytes) -> bytes:
    """What stands for the first ClientHello after a HelloRetryRequest (RFC 8446 section 4.4.1).

    ``client_hello`` is the whole message with its 4-byte header.
    """
    digest = hashlib.new(hash_name, client_hello).digest()
    return b"\xfe\0\0" + bytes([len(digest)]) + digest


def _p_hash(hash_name: str, secret: bytes, seed: bytes, length: int) -> bytes:
    output, a = b"", seed
    while len(output) < length:
        a = hmac.digest(secret, a, hash_name)
        output += hmac.digest(secret, a + seed, hash_name)
    return output[:length]


def prf(version: int, hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """The PRF of TLS 1.2 with the suite's hash (RFC 5246 section 5); of TLS 1.0 and 1.1, MD5 with SHA-1 (RFC 2246 section 5)."""
    seed = label + seed
    if version >= 0x0303:
        return _p_hash(hash_name, secret, seed, length)
    half = (len(secret) + 1) // 2
    md5 = _p_hash("md5", secret[:half], seed, length)
    sha1 = _p_hash("sha1", secret[len(secret) - half :], seed, length)
    return bytes(a ^ b for a, b in zip(md5, sha1, strict=True))


def key_block(version: int, hash_name: str, master: bytes, client_random: bytes, server_random: bytes, length: int) -> bytes:
    """The bytes that are cut into MAC keys, keys and IVs (RFC 5246 section 6.3)."""
    return prf(version, hash_name, master, b"key expansion", server_random + client_random, length)


def finished_tls12(version: int, hash_name: str, master: bytes, from_client: bool, transcript: bytes) -> bytes:
    """What a side's Finished must hold up to TLS 1.2 (RFC 5246 section 7.4.9); ``transcript`` is the messages before it."""
    if version >= 0x0303:
        digest = hashlib.new(hash_name, transcript).digest()
    else:
        digest = hashlib.md5(transcript, usedforsecurity=False).digest() + hashlib.sha1(transcript, usedforsecurity=False).digest()
    label = b"client finished" if from_client else b"server finished"
    return prf(version, hash_name, master, label, digest, 12)
