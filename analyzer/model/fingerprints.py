"""JA3, JA3S (Salesforce, BSD-3) and JA4 (FoxIO, BSD-3): what stack a hello comes from. GREASE is left out.

Clients that shuffle their extensions have a new JA3 each time; JA4 sorts. The parts that hold still
from hello to hello are remembered, not the whole.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import md5, sha256

__all__ = ["GREASE", "ja3", "ja3s", "ja4"]

GREASE = frozenset(n << 12 | 0x0A00 | n << 4 | 0x0A for n in range(16))
"""Values without meaning that keep servers tolerant (RFC 8701): 0x0A0A, 0x1A1A ... 0xFAFA."""

_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_NOTHING = "000000000000"
_REMEMBERED = 256
"""Values in a list beyond which it is not remembered: a memo must not grow with what is sent."""


def ja3(
    legacy_version: int,
    cipher_suites: tuple[int, ...],
    extension_types: tuple[int, ...],
    named_groups: tuple[int, ...],
    ec_point_formats: tuple[int, ...],
) -> str:
    """Digest a client's offer, in wire order: MD5 in 32 hexadecimal digits."""
    offer = cipher_suites, extension_types, named_groups, ec_point_formats
    return (_ja3 if sum(map(len, offer)) <= _REMEMBERED else _ja3.__wrapped__)(legacy_version, *offer)


@lru_cache(maxsize=1024)
def _ja3(legacy_version: int, *offer: tuple[int, ...]) -> str:
    suites, extensions, groups, formats = offer
    text = f"{legacy_version},{_dashed(suites)},{_dash(extensions)},{_dashed(groups)},{_dashed(formats)}"
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def ja3s(legacy_version: int, cipher_suite: int, extension_types: tuple[int, ...]) -> str:
    """Digest a server's answer: MD5 in 32 hexadecimal digits."""
    text = f"{legacy_version},{cipher_suite},{_dashed(extension_types)}"
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
    count, suites = _suites(cipher_suites) if len(cipher_suites) <= _REMEMBERED else _suites.__wrapped__(cipher_suites)
    present = [value for value in extension_types if value not in GREASE]
    present.sort()
    digest = _extensions if len(present) + len(signature_schemes) <= _REMEMBERED else _extensions.__wrapped__
    return (
        f"t{_JA4_VERSIONS.get(version, '00')}{'d' if present[:1] == [0] else 'i'}"
        f"{min(count, 99):02}{min(len(present), 99):02}{_protocol(first_alpn)}"
        f"_{suites}_{digest(tuple(present), signature_schemes)}"
    )


def _dash(values: tuple[int, ...]) -> str:
    return "-".join([str(value) for value in values if value not in GREASE])


_short_dash = lru_cache(maxsize=1024)(_dash)


def _dashed(values: tuple[int, ...]) -> str:
    return _short_dash(values) if len(values) <= _REMEMBERED else _dash(values)


def _protocol(name: bytes) -> str:
    if not name:
        return "00"
    if name[:1].isalnum() and name[-1:].isalnum():
        return chr(name[0]) + chr(name[-1])
    digits = name.hex()
    return digits[0] + digits[-1]


@lru_cache(maxsize=1024)
def _suites(cipher_suites: tuple[int, ...]) -> tuple[int, str]:
    """How many there are, and their digest."""
    suites = sorted(value for value in cipher_suites if value not in GREASE)
    return len(suites), _digest(_hexadecimal(suites)) if suites else _NOTHING


@lru_cache(maxsize=1024)
def _extensions(present: tuple[int, ...], signature_schemes: tuple[int, ...]) -> str:
    if not present:
        return _NOTHING
    # server_name and ALPN differ from connection to connection of one stack; the first part counts them.
    text = _hexadecimal([value for value in present if value not in (0x0000, 0x0010)])
    schemes = [value for value in signature_schemes if value not in GREASE]
    return _digest(f"{text}_{_hexadecimal(schemes)}" if schemes else text)


def _hexadecimal(values: list[int]) -> str:
    return ",".join([f"{value:04x}" for value in values])


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
