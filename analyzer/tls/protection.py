"""Opening protected records, one class a construction. ``cryptography`` is imported when the first key is set up.

Each object opens one direction's records in order: it counts them, as the nonce or the MAC demands.
A record that does not open leaves it as it was (but for RC4, whose key stream cannot be wound back).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Protocol

from analyzer.registries.suite_facts import SuiteFacts
from analyzer.tls.key_schedule import expand_label, next_traffic_secret

__all__ = ["BadRecord", "BlockProtection", "NotSupported", "Protection", "SealedProtection", "StreamProtection",
           "Tls13Protection", "protect"]  # fmt: skip


class BadRecord(Exception):  # noqa: N818  a word of the domain
    """A record that these keys do not open."""


class NotSupported(Exception):  # noqa: N818  as above
    """A cipher that cannot be undone here; the text names it."""


class Protection(Protocol):
    """What opens the records of one direction under one set of keys."""

    def open_record(self, content_type: int, version: int, body: bytes) -> tuple[int, bytes]:
        """Give the inner content type and the plaintext; raises BadRecord."""

    def pass_over(self, body: bytes) -> None:
        """Count a record without opening it."""


def _aead(facts: SuiteFacts, key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import aead

    if facts.cipher == "AES" and facts.mode == "GCM":
        return aead.AESGCM(key)
    if facts.cipher == "AES" and facts.mode == "CCM":
        return aead.AESCCM(key, 16)
    if facts.cipher == "AES" and facts.mode == "CCM_8":
        return aead.AESCCM(key, 8)
    if facts.cipher == "CHACHA20":
        return aead.ChaCha20Poly1305(key)
    raise NotSupported(f"{facts.cipher} {facts.mode} is not supported")


def _tag_bytes(facts: SuiteFacts) -> int:
    return 8 if facts.mode == "CCM_8" else 16


def _unseal(cipher: Any, nonce: bytes, body: bytes, extra: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        plaintext: bytes = cipher.decrypt(nonce, body, extra)
    except (InvalidTag, ValueError) as error:
        raise BadRecord("the tag does not fit") from error
    return plaintext


def _xor(iv: bytes, sequence: int) -> bytes:
    return (int.from_bytes(iv, "big") ^ sequence).to_bytes(len(iv), "big")


class Tls13Protection:
    """Records of TLS 1.3 and its drafts (RFC 8446 section 5.2) under one traffic secret."""

    def __init__(self, facts: SuiteFacts, secret: bytes, version: int = 0x0304) -> None:
        self._facts = facts
        self._secret = secret
        self._version = version
        self._hash = (facts.prf_hash or "SHA256").lower()
        key = expand_label(self._hash, secret, "key", b"", facts.key_bits // 8, version)
        self._cipher = _aead(facts, key)
        self._iv = expand_label(self._hash, secret, "iv", b"", 12, version)
        self._tag = _tag_bytes(facts)
        # Until draft 24 the record's header was not authenticated.
        self._bare = version >> 8 == 0x7F and version & 0xFF < 25
        self.sequence = 0

    def updated(self) -> Tls13Protection:
        """The protection after a KeyUpdate."""
        return Tls13Protection(self._facts, next_traffic_secret(self._hash, self._secret, self._version), self._version)

    def open_record(self, content_type: int, version: int, body: bytes) -> tuple[int, bytes]:
        if len(body) <= self._tag:
            raise BadRecord("shorter than its tag")
        extra = b"" if self._bare else bytes([content_type]) + version.to_bytes(2, "big") + len(body).to_bytes(2, "big")
        inner = _unseal(self._cipher, _xor(self._iv, self.sequence), body, extra).rstrip(b"\0")
        self.sequence += 1
        if not inner:
            raise BadRecord("nothing but padding inside")
        return inner[-1], inner[:-1]

    def pass_over(self, body: bytes) -> None:
        self.sequence += 1


class SealedProtection:
    """AEAD records of TLS 1.2: GCM (RFC 5288), CCM (RFC 6655), ChaCha20-Poly1305 (RFC 7905)."""

    def __init__(self, facts: SuiteFacts, key: bytes, iv: bytes) -> None:
        self._cipher = _aead(facts, key)
        self._iv = iv
        self._tag = _tag_bytes(facts)
        self._explicit = 0 if facts.cipher == "CHACHA20" else 8
        self.sequence = 0

    def open_record(self, content_type: int, version: int, body: bytes) -> tuple[int, bytes]:
        length = len(body) - self._explicit - self._tag
        if length < 0:
            raise BadRecord("shorter than its tag")
        nonce = self._iv + body[:8] if self._explicit else _xor(self._iv, self.sequence)
        plaintext = _unseal(self._cipher, nonce, body[self._explicit :], _header(self.sequence, content_type, version, length))
        self.sequence += 1
        return content_type, plaintext

    def pass_over(self, body: bytes) -> None:
        self.sequence += 1


def _header(sequence: int, content_type: int, version: int, length: int) -> bytes:
    """What MACs and tags cover beside the data (RFC 5246 sections 6.2.3.1 and 6.2.3.3)."""
    return sequence.to_bytes(8, "big") + bytes([content_type]) + version.to_bytes(2, "big") + length.to_bytes(2, "big")


def _old_algorithm(name: str, key: bytes) -> Any:
    """Find a cipher that ``cryptography`` has moved, or may have dropped."""
    from cryptography.hazmat.primitives.ciphers import algorithms

    if name == "AES":
        return algorithms.AES(key)
    places: list[Any] = [algorithms]
    try:
        from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit

        places.insert(0, decrepit)
    except ImportError:
        pass
    if name == "DES":  # thrice with one key is once
        name, key = "3DES", key * 3
    wanted = {"3DES": "TripleDES", "CAMELLIA": "Camellia", "RC4": "ARC4"}.get(name, name)
    for place in places:
        if wanted in ("TripleDES", "Camellia", "ARC4", "SEED", "IDEA") and hasattr(place, wanted):
            return getattr(place, wanted)(key)
    raise NotSupported(f"{name} is not supported")


def _decryptor(algorithm: Any, mode: Any) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers import Cipher

    try:
        return Cipher(algorithm, mode).decryptor()
    except UnsupportedAlgorithm as error:
        raise NotSupported(f"{algorithm.name} is not supported by this installation of cryptography") from error


class BlockProtection:
    """CBC records of TLS 1.0 (chained), 1.1 and 1.2 (own IV), also with encrypt-then-MAC (RFC 7366)."""

    def __init__(self, facts: SuiteFacts, key: bytes, mac_key: bytes, iv: bytes, *, version: int, encrypt_then_mac: bool) -> None:
        self._algorithm = _old_algorithm(facts.cipher, key)
        self._block: int = self._algorithm.block_size // 8
        self._mac_key = mac_key
        self._hash = (facts.mac or "SHA1").lower()
        self._mac_bytes = hashlib.new(self._hash).digest_size
        self._chained = iv if version < 0x0302 else b""
        self._encrypt_then_mac = encrypt_then_mac
        self.sequence = 0
        self._decrypt(bytes(2 * self._block))  # says now whether the cipher is there

    def _decrypt(self, sealed: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers import modes

        iv = self._chained or sealed[: self._block]
        decryptor = _decryptor(self._algorithm, modes.CBC(iv))
        plaintext: bytes = decryptor.update(sealed if self._chained else sealed[self._block :]) + decryptor.finalize()
        return plaintext

    def _check(self, content_type: int, version: int, data: bytes, mac: bytes) -> None:
        covered = _header(self.sequence, content_type, version, len(data)) + data
        if not hmac.compare_digest(hmac.digest(self._mac_key, covered, self._hash), mac):
            raise BadRecord("the MAC does not fit")

    def open_record(self, content_type: int, version: int, body: bytes) -> tuple[int, bytes]:
        sealed = body
        if self._encrypt_then_mac:
            sealed = body[: -self._mac_bytes]
            self._check(content_type, version, sealed, body[-self._mac_bytes :])
        if len(sealed) % self._block or len(sealed) < self._block * (1 if self._chained else 2):
            raise BadRecord("not a whole number of blocks")
        padded = self._decrypt(sealed)
        padding = padded[-1] + 1
        plaintext = padded[:-padding]
        if padded[-padding:] != bytes([padding - 1]) * padding:
            raise BadRecord("the padding does not fit")
        if not self._encrypt_then_mac:
            if len(plaintext) < self._mac_bytes:
                raise BadRecord("shorter than its MAC")
            plaintext, mac = plaintext[: -self._mac_bytes], plaintext[-self._mac_bytes :]
            self._check(content_type, version, plaintext, mac)
        self._step(sealed)
        return content_type, plaintext

    def _step(self, sealed: bytes) -> None:
        self.sequence += 1
        if self._chained:
            self._chained = sealed[-self._block :]

    def pass_over(self, body: bytes) -> None:
        self._step(body[: -self._mac_bytes] if self._encrypt_then_mac else body)


class StreamProtection:
    """RC4 records, and the NULL cipher, which only authenticates (RFC 5246 section 6.2.3.1)."""

    def __init__(self, facts: SuiteFacts, key: bytes, mac_key: bytes) -> None:
        if facts.cipher not in ("RC4", "NULL"):
            raise NotSupported(f"{facts.cipher} is not supported")
        self._stream = _decryptor(_old_algorithm("RC4", key), None) if facts.cipher == "RC4" else None
        self._mac_key = mac_key
        self._hash = (facts.mac or "SHA1").lower()
        self._mac_bytes = hashlib.new(self._hash).digest_size
        self.sequence = 0

    def open_record(self, content_type: int, version: int, body: bytes) -> tuple[int, bytes]:
        if len(body) < self._mac_bytes:
            raise BadRecord("shorter than its MAC")
        opened: bytes = self._stream.update(body) if self._stream else body
        plaintext, mac = opened[: -self._mac_bytes], opened[-self._mac_bytes :]
        covered = _header(self.sequence, content_type, version, len(plaintext)) + plaintext
        if not hmac.compare_digest(hmac.digest(self._mac_key, covered, self._hash), mac):
            raise BadRecord("the MAC does not fit")
        self.sequence += 1
        return content_type, plaintext

    def pass_over(self, body: bytes) -> None:
        self.sequence += 1
        if self._stream:
            self._stream.update(body)


_MAC_BYTES = {"MD5": 16, "SHA1": 20, "SHA256": 32, "SHA384": 48}
_KEY_BYTES = {"3DES": 24, "DES": 8}


def protect(facts: SuiteFacts, version: int, derive: Any, *, encrypt_then_mac: bool) -> tuple[Protection, Protection]:
    """Set up both directions of TLS 1.0 to 1.2: (client's, server's). Raises NotSupported.

    ``derive`` gives the first so many bytes of the key block.
    """
    if facts.is_export:
        raise NotSupported("export ciphers are not supported")
    key_bytes = _KEY_BYTES.get(facts.cipher, facts.key_bits // 8)
    mac_bytes = 0
    if not facts.is_aead:
        if facts.mac not in _MAC_BYTES:
            raise NotSupported(f"records authenticated with {facts.mac} are not supported")
        mac_bytes = _MAC_BYTES[facts.mac]
    if facts.is_aead:
        iv_bytes = 12 if facts.cipher == "CHACHA20" else 4
    else:
        iv_bytes = (8 if facts.cipher in ("3DES", "DES", "IDEA") else 16) if facts.is_cbc and version < 0x0302 else 0
    block = derive(2 * (mac_bytes + key_bytes + iv_bytes))
    parts, at = [], 0
    for size in (mac_bytes, key_bytes, iv_bytes):
        parts.append((block[at : at + size], block[at + size : at + 2 * size]))
        at += 2 * size
    macs, keys, ivs = parts

    def one(side: int) -> Protection:
        if facts.is_aead:
            return SealedProtection(facts, keys[side], ivs[side])
        if facts.is_cbc:
            return BlockProtection(facts, keys[side], macs[side], ivs[side], version=version, encrypt_then_mac=encrypt_then_mac)
        return StreamProtection(facts, keys[side], macs[side])

    return one(0), one(1)
