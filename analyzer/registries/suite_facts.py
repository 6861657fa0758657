"""What a cipher suite is made of, read from its IANA name: names are systematic, so nothing is listed twice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

SIGNALLING_SUITES = frozenset({0x00FF, 0x5600})
"""Values a client puts among its suites to say something else: renegotiation_info, fallback."""


@dataclass(frozen=True, slots=True)
class SuiteFacts:
    """One cipher suite.

    `key_exchange` and `authentication` are None in TLS 1.3, where groups and signature schemes decide them.
    A PSK suite names what happens beside the key: `ECDHE` with `PSK`; `RSA` with `PSK` (the server has a certificate);
    `PSK` with `PSK` when the key is all there is. Anonymous suites are `DHE` or `ECDHE` with `anon`.
    `mac` is None for AEAD ciphers. `prf_hash` is None where the version decides: MD5 and SHA-1 before TLS 1.2, and
    SHA256 in it.
    """

    code: int
    name: str
    tls13: bool
    key_exchange: str | None
    authentication: str | None
    cipher: str
    mode: str
    key_bits: int
    mac: str | None
    prf_hash: str | None
    is_export: bool
    weakness: str | None
    """Why nobody should negotiate this suite, in a few words; None when it is sound."""

    @property
    def is_weak(self) -> bool:
        """Tell whether the suite is broken, or was made weak on purpose. Lacking forward secrecy is not counted."""
        return self.weakness is not None

    @property
    def is_null(self) -> bool:
        return self.cipher == "NULL"

    @property
    def is_anonymous(self) -> bool:
        return self.authentication == "anon"

    @property
    def is_rc4(self) -> bool:
        return self.cipher == "RC4"

    @property
    def is_3des(self) -> bool:
        return self.cipher == "3DES"

    @property
    def is_cbc(self) -> bool:
        return self.mode == "CBC"

    @property
    def is_aead(self) -> bool:
        return self.mode in _AEAD_MODES

    @property
    def is_psk(self) -> bool:
        return self.authentication == "PSK"

    @property
    def is_forward_secret(self) -> bool:
        """Tell whether the keys are fresh for every connection (any TLS 1.3 suite, DHE, ECDHE, SRP and the like)."""
        return self.tls13 or self.key_exchange in _FRESH_KEY_EXCHANGES

    @property
    def certificate_key(self) -> str | None:
        """The key the server's certificate must hold: `RSA`, `ECDSA`, `DSS`, `DH`, `ECDH`; None when not decided here.

        `ECDSA` stands for Ed25519 and Ed448 too (RFC 8422). Static `DH` and `ECDH` need a key of that kind.
        """
        if self.key_exchange == "RSA":
            return "RSA"
        if self.key_exchange in ("DH", "ECDH"):
            return self.key_exchange
        return self.authentication if self.authentication in ("RSA", "ECDSA", "DSS") else None

    @property
    def http2_forbidden(self) -> bool:
        """Tell whether RFC 9113 appendix A bars it: it lists what is not both ephemeral and AEAD."""
        return not (self.is_forward_secret and self.is_aead and not self.is_anonymous and not self.is_null)


@cache
def suite_facts(code: int) -> SuiteFacts | None:
    """Tell what a suite is made of; None for unknown and GREASE values and for those that only signal something."""
    from analyzer.registries.cipher_suites import CIPHER_SUITES

    name = CIPHER_SUITES.get(code)
    if name is None or code in SIGNALLING_SUITES:
        return None
    return read_suite_name(code, name)


def read_suite_name(code: int, name: str) -> SuiteFacts:
    """Take a name apart: who agrees on keys and how, WITH which cipher, and which hash."""
    stem = name.removesuffix("_OLD")
    before, has_with, after = stem.partition("_WITH_")
    tls13 = False
    key_exchange: str | None
    authentication: str | None
    if has_with:
        key_exchange, authentication = _read_key_exchange(before.split("_", 1)[1])
    elif gm := re.match(r"(ECDHE|ECC|IBSDH|IBC|RSA)_(SM[14]_.*)", stem):
        key_exchange, authentication = _GM_KEY_EXCHANGES[gm.group(1)]
        after = gm.group(2)
    else:
        tls13, key_exchange, authentication, after = True, None, None, stem.removeprefix("TLS_")
    is_export = "EXPORT" in before
    cipher, mode, key_bits = _read_cipher(after)
    mac, prf_hash = _read_hash(after, mode, tls13)
    return SuiteFacts(
        code=code,
        name=name,
        tls13=tls13,
        key_exchange=key_exchange,
        authentication=authentication,
        cipher=cipher,
        mode=mode,
        key_bits=key_bits,
        mac=mac,
        prf_hash=prf_hash,
        is_export=is_export,
        weakness=_find_weakness(cipher, key_bits, mac, authentication, is_export),
    )


_AEAD_MODES = frozenset({"GCM", "CCM", "CCM_8", "POLY1305", "MGM", "AEGIS"})
_FRESH_KEY_EXCHANGES = frozenset({"DHE", "ECDHE", "SRP", "ECCPWD", "ECJPAKE", "IBSDH"})

# Chinese suites (GM/T 0024): ECC and IBC encrypt the secret to the server's key, as RSA does.
_GM_KEY_EXCHANGES: dict[str, tuple[str, str]] = {
    "ECDHE": ("ECDHE", "SM2"),
    "ECC": ("SM2", "SM2"),
    "IBSDH": ("IBSDH", "IBS"),
    "IBC": ("IBC", "IBS"),
    "RSA": ("RSA", "RSA"),
}

_CIPHERS: tuple[tuple[str, str, str, int], ...] = (
    # start of the name, cipher, mode, key bits (0: written in the name)
    ("NULL", "NULL", "NULL", 0),
    ("SHA256_SHA256", "NULL", "NULL", 0),
    ("SHA384_SHA384", "NULL", "NULL", 0),
    ("RC4_", "RC4", "stream", 0),
    ("RC2_CBC_", "RC2", "CBC", 0),
    ("IDEA_CBC", "IDEA", "CBC", 128),
    ("DES40_CBC", "DES", "CBC", 40),
    ("DES_CBC_40", "DES", "CBC", 40),
    ("DES_CBC", "DES", "CBC", 56),
    ("3DES_EDE_CBC", "3DES", "CBC", 168),
    ("FORTEZZA_CBC", "SKIPJACK", "CBC", 80),
    ("SEED_CBC", "SEED", "CBC", 128),
    ("CHACHA20_POLY1305", "CHACHA20", "POLY1305", 256),
    ("ESTREAM_SALSA20", "ESTREAM_SALSA20", "stream", 256),
    ("SALSA20", "SALSA20", "stream", 256),
    ("AEGIS_128L", "AEGIS-128L", "AEGIS", 128),
    ("AEGIS_256", "AEGIS-256", "AEGIS", 256),
    ("SM1_", "SM1", "CBC", 128),
    ("SM4_", "SM4", "", 128),
    ("28147_CNT", "GOST28147", "stream", 256),
    ("KUZNYECHIK_CTR", "KUZNYECHIK", "stream", 256),
    ("MAGMA_CTR", "MAGMA", "stream", 256),
    ("KUZNYECHIK_MGM", "KUZNYECHIK", "MGM", 256),
    ("MAGMA_MGM", "MAGMA", "MGM", 256),
    ("AES_", "AES", "", 0),
    ("CAMELLIA_", "CAMELLIA", "", 0),
    ("ARIA_", "ARIA", "", 0),
)

_HASHES = {"MD5": "MD5", "SHA": "SHA1", "SHA1": "SHA1"}


def _read_key_exchange(text: str) -> tuple[str, str]:
    """Read what stands before WITH, without the leading TLS or SSL."""
    text = re.sub(r"_(EXPORT(1024)?|FIPS|OLDFIPS)$", "", text)
    if text == "PSK_DHE":  # IANA's own slip, kept for two CCM_8 suites
        return "DHE", "PSK"
    if text in ("DH_anon", "ECDH_anon"):
        return text.split("_")[0] + "E", "anon"
    if text.startswith("SRP_SHA"):
        return "SRP", text.removeprefix("SRP_SHA").strip("_") or "SRP"
    if text.startswith("GOSTR"):
        return "GOST", text
    if text == "FORTEZZA_KEA":
        return "FORTEZZA_KEA", "DSS"
    exchange, _, authentication = text.rpartition("_")
    return exchange or text, authentication


def _read_cipher(text: str) -> tuple[str, str, int]:
    known = next((entry for entry in _CIPHERS if text.startswith(entry[0])), None)
    if known is None:
        raise ValueError(f"no cipher known by the name {text}")
    _, cipher, mode, key_bits = known
    if cipher in ("AES", "CAMELLIA", "ARIA", "RC4", "RC2"):
        number = re.search(r"_(40|56|128|256)(?=_|$)", text)
        key_bits = int(number.group(1)) if number else 0
    if not mode:
        named = re.search(r"_(GCM|CBC|CCM_8|CCM)(?=_|$)", text)
        mode = named.group(1) if named else ""
    return cipher, mode, key_bits


def _read_hash(text: str, mode: str, tls13: bool) -> tuple[str | None, str | None]:
    """Read the MAC of the records and the hash of the key derivation."""
    last = text.rsplit("_", 1)[-1]
    if last == "IMIT":
        return "GOST28147-IMIT", "GOSTR3411"
    if last == "OMAC":
        return "OMAC", "GOSTR3411-2012-256"
    if mode == "MGM":
        return None, "GOSTR3411-2012-256"
    if mode in ("CCM", "CCM_8") and not last.startswith(("SHA", "SM3")):
        return None, "SHA256"
    named = _HASHES.get(last, last)
    if tls13 and mode == "NULL":
        return f"HMAC-{named}", named
    return (
        None if mode in _AEAD_MODES else named,
        None if named in ("MD5", "SHA1", "NULL") else named,
    )


def _find_weakness(cipher: str, key_bits: int, mac: str | None, authentication: str | None, is_export: bool) -> str | None:
    if cipher == "NULL":
        return "no encryption"
    if authentication == "anon":
        return "no authentication: anyone can stand in the middle"
    if is_export or key_bits < 80:
        return f"a key of {key_bits} bits can be searched by brute force"
    if cipher == "RC4":
        return "RC4 is prohibited (RFC 7465)"
    if cipher in ("3DES", "IDEA", "RC2", "SKIPJACK"):
        return f"{cipher} has 64-bit blocks (Sweet32)"
    if mac == "MD5":
        return "records are authenticated with MD5"
    return None
