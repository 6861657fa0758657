"""Whether a certificate covers the name a client asked for (RFC 9525 section 6)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from analyzer.model.hello import Certificate

__all__ = ["ascii_name", "common_name_matches", "covers_name", "is_address", "matches_name", "site_of", "wildcard_beside"]

_SHARED_SUFFIXES = frozenset({"co", "com", "org", "net", "gov", "edu", "ac", "or", "ne", "go"})


@lru_cache(maxsize=4096)
def is_address(name: str) -> bool:
    """Whether a name is an IP address, with or without brackets."""
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def ascii_name(name: str) -> str:
    """A name in lower case, without its last dot, in A-labels (RFC 5890); as it is when it cannot be one."""
    name = name.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def matches_name(pattern: str, name: str) -> bool:
    """Whether one entry of a certificate covers a name. A wildcard is one whole left-most label and stands for one."""
    if is_address(name):
        return is_address(pattern) and ip_address(pattern.strip("[]")) == ip_address(name.strip("[]"))
    pattern, name = ascii_name(pattern), ascii_name(name)
    if pattern == name:
        return True
    if not pattern.startswith("*."):
        return False
    first, _, rest = name.partition(".")
    return bool(first) and rest == pattern[2:] and "." in rest and "*" not in rest


def covers_name(certificate: Certificate, name: str) -> bool:
    """Whether subjectAltName covers a name. The common name does not count."""
    return any(matches_name(pattern, name) for pattern in certificate.names)


def wildcard_beside(certificate: Certificate, name: str) -> str:
    """The wildcard that nearly covers a name: it stands for one label, and the name has none there, or more; '' without one."""
    name = ascii_name(name)
    for pattern in certificate.names:
        base = ascii_name(pattern).removeprefix("*.") if pattern.startswith("*.") else ""
        if "." in base and (name == base or name.endswith(f".{base}")) and not matches_name(pattern, name):
            return pattern
    return ""


def common_name_matches(certificate: Certificate, name: str) -> bool:
    """Whether the common name would have covered it, as clients of old accepted."""
    return bool(certificate.common_name) and matches_name(certificate.common_name, name)


def site_of(name: str) -> str:
    """The part of a name that one owner registers, roughly: the last two labels, three under co.uk and the like."""
    labels = ascii_name(name).split(".")
    take = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHARED_SUFFIXES else 2
    return ".".join(labels[-take:])
