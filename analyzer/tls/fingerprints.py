"""JA3, JA3S (Salesforce, BSD-3) and JA4 (FoxIO, BSD-3): what stack a hello comes from. GREASE is left out.

Clients that shuffle their extensions have a new JA3 each time; JA4 sorts.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import md5, sha256

from analyzer.tls.wire import without_grease

__all__ = ["ja3", "ja3s", "ja4"]

_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_NOTHING = "000000000000"
_REMEMBERED = 512
"""Values in an offer beyond which its digest is not remembered: a memo must not grow with what is sent."""


def _dashed(values: Iterable[int]) -> str:
    return "-".join(map(str, values))


def ja3(
    legacy_version: int,
    cipher_suites: tuple[int, ...],
    extension_types: tuple[int, ...],
    named_groups: tuple[int, ...],
    ec_point_formats: tuple[int, ...],
) -> str:
    """Digest a client's offer, in wire order: MD5 in 32 hexadecimal digits."""
    digest = _ja3 if len(cipher_suites) + len(extension_types) + len(named_groups) <= _REMEMBERED else _ja3.__wrapped__
    return digest(legacy_version, cipher_suites, extension_types, named_groups, ec_point_formats)


@lru_cache(maxsize=2048)
def _ja3(
    legacy_version: int,
    cipher_suites: tuple[int, ...],
    extension_types: tuple[int, ...],
    named_groups: tuple[int, ...],
    ec_point_formats: tuple[int, ...],
) -> str:
    parts = (
        str(legacy_version),
        _dashed(without_grease(cipher_suites)),
        _dashed(without_grease(extension_types)),
        _dashed(without_grease(named_groups)),
        _dashed(ec_point_formats),
    )
    return md5(",".join(parts).encode(), usedforsecurity=False).hexdigest()


def ja3s(legacy_version: int, cipher_suite: int, extension_types: tuple[int, ...]) -> str:
    """Digest a server's answer: MD5 in 32 hexadecimal digits."""
    digest = _ja3s if len(extension_types) <= _REMEMBERED else _ja3s.__wrapped__
    return digest(legacy_version, cipher_suite, extension_types)


@lru_cache(maxsize=1024)
def _ja3s(legacy_version: int, cipher_suite: int, extension_types: tuple[int, ...]) -> str:
    text = f"{legacy_version},{cipher_suite},{_dashed(without_grease(extension_types))}"
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def ja4(
    version: int,
    cipher_suites: tuple[int, ...],
    extension_types: tuple[int, ...],
    signature_schemes: tuple[int, ...],
    first_alpn: bytes,
) -> str:
    """Digest a client's offer, sorted: 't13d1516h2_8daaf6152771_e5627efa2ab1'.

    ``version`` is the best one offered, GREASE left out; ``first_alpn`` the raw first protocol name,
    empty without one.
    """
    digest = _ja4 if len(cipher_suites) + len(extension_types) + len(signature_schemes) <= _REMEMBERED else _ja4.__wrapped__
    return digest(version, cipher_suites, extension_types, signature_schemes, first_alpn)


@lru_cache(maxsize=2048)
def _ja4(
    version: int,
    cipher_suites: tuple[int, ...],
    extension_types: tuple[int, ...],
    signature_schemes: tuple[int, ...],
    first_alpn: bytes,
) -> str:
    suites = without_grease(cipher_suites)
    extensions = without_grease(extension_types)
    if not first_alpn:
        protocol = "00"
    elif first_alpn[:1].isalnum() and first_alpn[-1:].isalnum():
        protocol = chr(first_alpn[0]) + chr(first_alpn[-1])
    else:
        digits = first_alpn.hex()
        protocol = digits[0] + digits[-1]
    start = (
        f"t{_JA4_VERSIONS.get(version, '00')}{'d' if 0 in extensions else 'i'}"
        f"{min(len(suites), 99):02}{min(len(extensions), 99):02}{protocol}"
    )
    return f"{start}_{_ja4_suites(suites)}_{_ja4_extensions(sorted(extensions), signature_schemes)}"


def _ja4_suites(suites: list[int]) -> str:
    return _short_digest(_hexadecimal(sorted(suites))) if suites else _NOTHING


def _ja4_extensions(extensions: list[int], signature_schemes: tuple[int, ...]) -> str:
    if not extensions:
        return _NOTHING
    # server_name and ALPN differ from connection to connection of one stack; the first part counts them.
    text = _hexadecimal(value for value in extensions if value not in (0x0000, 0x0010))
    schemes = without_grease(signature_schemes)
    return _short_digest(f"{text}_{_hexadecimal(schemes)}" if schemes else text)


def _hexadecimal(values: Iterable[int]) -> str:
    return ",".join(f"{value:04x}" for value in values)


def _short_digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
