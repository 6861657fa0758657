"""Words and numbers as every rule writes them, so that sentences read alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from analyzer import registries
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert, ClientHello

__all__ = [
    "address_text",
    "alert_name",
    "alert_text",
    "count_text",
    "day_text",
    "groups_text",
    "list_text",
    "offered_versions_text",
    "peer_of",
    "schemes_text",
    "server_text",
    "shown",
    "side",
    "span_text",
    "suites_text",
    "version_text",
]

_SECOND = 1_000_000_000
_PROXIES = ("http-connect", "socks")
"""How a proxy is asked for the way: the address is the proxy's then, and the name the server's."""


def shown(text: str, limit: int = 80) -> str:
    """Text off the wire, cut; what shows it escapes it for its own medium."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def side(from_client: bool) -> str:
    """'the client' or 'the server'."""
    return "the client" if from_client else "the server"


def peer_of(from_client: bool) -> str:
    """The other side."""
    return side(not from_client)


def version_text(version: int | None) -> str:
    """'TLS 1.2', 'SSL 3.0' ...; 'an unknown version' for None."""
    return "an unknown version" if version is None else registries.name_of_version(version)


def offered_versions_text(hello: ClientHello) -> str:
    """'TLS 1.2 and TLS 1.3', 'only TLS 1.0', 'up to TLS 1.2' (without supported_versions lower ones are implied)."""
    versions = hello.offered_versions
    if hello.supported_versions and versions:
        return list_text([version_text(v) for v in versions], 4) if len(versions) > 1 else f"only {version_text(versions[0])}"
    return f"at most {version_text(hello.legacy_version)}"


def alert_text(alert: Alert) -> str:
    """'fatal handshake_failure (40)', 'an encrypted alert'."""
    if alert.description is None:
        return "an encrypted alert"
    level = {1: "warning ", 2: "fatal "}.get(alert.level or 0, "")
    return f"{level}{registries.name_of_alert(alert.description)} ({alert.description})"


def alert_name(description: int) -> str:
    """'handshake_failure (40)'."""
    return f"{registries.name_of_alert(description)} ({description})"


def list_text(values: Sequence[str], limit: int = 6) -> str:
    """'a, b and c'; what is beyond ``limit`` is counted: 'a, b and 12 more'."""
    return _joined([shown(value) for value in values[:limit]], len(values))


def suites_text(suites: Iterable[int], limit: int = 4) -> str:
    """Names of cipher suites, the first few."""
    return _named(suites, registries.name_of_cipher_suite, limit)


def groups_text(groups: Iterable[int], limit: int = 6) -> str:
    """Names of named groups."""
    return _named(groups, registries.name_of_named_group, limit)


def schemes_text(schemes: Iterable[int], limit: int = 6) -> str:
    """Names of signature schemes."""
    return _named(schemes, registries.name_of_signature_scheme, limit)


def count_text(number: int, noun: str, plural: str = "") -> str:
    """'1 client', '12 clients'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def span_text(nanoseconds: int) -> str:
    """A length of time with one unit: '3 days', '2 hours', '41 ms'."""
    seconds = abs(nanoseconds) / _SECOND
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (noun == "day" and seconds >= size):
            return count_text(int(seconds // size), noun)
    if seconds >= 1:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.001 else f"{seconds * 1e3:.2f} ms"


def day_text(nanoseconds: int) -> str:
    """Date and minute in UTC of ns since the epoch: '2024-05-01 12:30 UTC'."""
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=nanoseconds // _SECOND)
    except OverflowError:
        return "a date out of range"
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def address_text(handshake: Handshake) -> str:
    """Where the client connected to: '192.0.2.1:443' or '[2001:db8::1]:443'."""
    flow = handshake.flow
    address = f"[{flow.server_address}]" if ":" in flow.server_address else flow.server_address
    return f"{address}:{flow.server_port}"


def server_text(handshake: Handshake) -> str:
    """'example.com (192.0.2.1:443)', 'example.com (through the proxy 192.0.2.1:3128)' or '192.0.2.1:443'."""
    address, dialogue = address_text(handshake), handshake.dialogue
    name = handshake.client_hello.server_name if handshake.client_hello is not None else None
    if name and dialogue is not None and dialogue.state == "agreed" and dialogue.via.startswith(_PROXIES):
        return f"{shown(name)} (through the proxy {address})"
    return f"{shown(name)} ({address})" if name else address


def _named(values: Iterable[int], name: Callable[[int], str], limit: int) -> str:
    codes = [code for code in values if not registries.is_grease(code)]
    return _joined([name(code) for code in codes[:limit]], len(codes)) if codes else "none"


def _joined(names: list[str], total: int) -> str:
    if total > len(names):
        return f"{', '.join(names)} and {total - len(names)} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
