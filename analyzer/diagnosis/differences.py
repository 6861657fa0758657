"""What can differ between two handshakes: one function for each thing, each with its words.

A function gives None where nothing differs (or neither shows it). ``explains`` above 0 is the function's own judgement; 0
leaves it to the stage and the cause (``comparison``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from analyzer import registries
from analyzer.diagnosis.words import count_text
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello

__all__ = ["Difference", "find"]

_LISTED = 6
_NEARLY = 0.9
_FAR = 3.0
"""Times as long a round trip must be to count."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. ``says`` completes 'the second handshake failed because ...'."""

    part: str
    """'offer', 'answer', 'certificate', 'path' or 'end'."""
    name: str
    good: str
    bad: str
    says: str
    explains: float = 0.0
    """0 to 1: how well it explains the failure."""

    def ranked(self, explains: float) -> Difference:
        """The same, weighed."""
        return replace(self, explains=round(explains, 3))


def find(good: Handshake, bad: Handshake) -> Iterator[tuple[Difference | None, str]]:
    """Every comparison of which both show enough, with its name."""
    for name, shows, compare in _COMPARISONS:
        if shows(good) and shows(bad):
            yield compare(good, bad), name


# ---------------------------------------------------------------- the offer


def _hellos(good: Handshake, bad: Handshake) -> tuple[ClientHello, ClientHello]:
    assert good.client_hello is not None
    assert bad.client_hello is not None
    return good.client_hello, bad.client_hello


def _plain(codes: Iterable[int]) -> tuple[int, ...]:
    return tuple(code for code in codes if not registries.is_grease(code))


def _list(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more or "none"


def _sets(
    name: str, what: str, a: tuple[int, ...], b: tuple[int, ...], naming: Callable[[int], str], chosen: int | None
) -> Difference | None:
    """Two lists of the offer. ``chosen``: what the server built on for the good one."""
    if a == b:
        return None
    lacks, adds = [code for code in a if code not in b], [code for code in b if code not in a]
    if not lacks and not adds:
        return Difference("offer", name, _list(map(naming, a)), _list(map(naming, b)), f"it offers the same {what} in another order", 0.15)
    if chosen is not None and chosen in lacks:
        says = f"it does not offer {naming(chosen)}, which the server chose for the other one"
        return Difference("offer", name, _list(map(naming, a)), _list(map(naming, b)), says, _NEARLY)
    words = []
    if lacks:
        words.append(f"does not offer the {what} {_list(map(naming, lacks))}")
    if adds:
        words.append(f"offers the {what} {_list(map(naming, adds))}, which the other one does not")
    return Difference("offer", name, _list(map(naming, a)), _list(map(naming, b)), "it " + " and ".join(words))


def _versions(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    chosen = good.selected_version
    old = chosen is not None and not b.supported_versions and b.legacy_version >= chosen  # what is below is offered too
    return _sets("versions", "versions", a.offered_versions, b.offered_versions, registries.name_of_version, None if old else chosen)


def _suites(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    chosen = good.server_hello.cipher_suite if good.server_hello is not None else None
    return _sets(
        "cipher suites", "cipher suites", _plain(a.cipher_suites), _plain(b.cipher_suites), registries.name_of_cipher_suite, chosen
    )


def _groups(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    found = _sets("groups", "groups", _plain(a.named_groups), _plain(b.named_groups), registries.name_of_named_group, good.named_group)
    if found is not None:
        return found
    shares = [_plain(group for group, _ in hello.key_shares) for hello in (a, b)]
    if shares[0] == shares[1]:
        return None
    words = [_list(map(registries.name_of_named_group, share)) for share in shares]
    return Difference("offer", "groups", f"key shares {words[0]}", f"key shares {words[1]}", f"its key shares are of {words[1]}", 0.2)


def _schemes(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    used = good.server_key_exchange.signature_scheme if good.server_key_exchange is not None else None
    return _sets(
        "signature schemes",
        "signature schemes",
        _plain(a.signature_schemes),
        _plain(b.signature_schemes),
        registries.name_of_signature_scheme,
        used,
    )


def _alpn(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    if a.alpn == b.alpn:
        return None
    if good.alpn is not None and good.alpn not in b.alpn and b.alpn:
        says = f"it does not offer the protocol {good.alpn}, which the server chose for the other one"
        return Difference("offer", "ALPN", _list(a.alpn), _list(b.alpn), says, 0.6)
    return Difference("offer", "ALPN", _list(a.alpn), _list(b.alpn), f"it offers the protocols {_list(b.alpn)}")


def _name(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = (hello.server_name for hello in _hellos(good, bad))
    if a == b:
        return None
    says = f"it asks for the name {b}, the other one for {a or 'none'}" if b else f"it asks for no name (the other one for {a})"
    return Difference("offer", "server name", a or "none", b or "none", says)


_EXTENSION_NOISE = frozenset({21})
"""padding: there or not by the length of the hello."""


def _extensions(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = (
        {code for code in hello.extension_types if code not in _EXTENSION_NOISE and not registries.is_grease(code)}
        for hello in _hellos(good, bad)
    )
    grease = [hello.grease for hello in _hellos(good, bad)]
    if a == b and grease[0] == grease[1]:
        return None
    lacks = [registries.name_of_extension(code) for code in sorted(a - b)] + (["GREASE"] if grease[0] and not grease[1] else [])
    adds = [registries.name_of_extension(code) for code in sorted(b - a)] + (["GREASE"] if grease[1] and not grease[0] else [])
    words = [f"lacks {_list(lacks)}"] if lacks else []
    words += [f"carries {_list(adds)}"] if adds else []
    return Difference(
        "offer", "extensions", f"has {_list(lacks)}" if lacks else "-", f"has {_list(adds)}" if adds else "-",
        "its hello " + " and ".join(words),
    )  # fmt: skip


def _size(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    parts = good.client_hello_segments, bad.client_hello_segments
    much = abs(a.length - b.length) > 300
    if not much and (parts[0] > 1) == (parts[1] > 1):
        return None
    words = [f"{hello.length:,} bytes in {count_text(count, 'segment')}" for hello, count in zip((a, b), parts, strict=True)]
    larger = b.length > a.length and parts[1] > parts[0]
    says = f"its hello is of {words[1]} (the other one's of {words[0]})"
    return Difference("offer", "size of the hello", words[0], words[1], says, 0.0 if larger else 0.15)


def _stack(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _hellos(good, bad)
    if not a.ja4 or not b.ja4 or a.ja4.rpartition("_")[0] == b.ja4.rpartition("_")[0]:
        return None
    return Difference("offer", "client stack (JA4)", a.ja4, b.ja4, "another client software speaks", 0.2)


def _via(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = (h.dialogue.via if h.dialogue is not None else "at once" for h in (good, bad))
    return None if a == b else Difference("offer", "way to TLS", a, b, f"TLS began another way ({b}, the other one {a})")


# ---------------------------------------------------------------- the answer


def _server(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = (f"{h.flow.server_address} port {h.flow.server_port}" for h in (good, bad))
    return None if a == b else Difference("answer", "server", a, b, f"it spoke to another server ({b}, the other one to {a})")


def _version_chosen(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = good.selected_version, bad.selected_version
    if a is None or b is None or a == b:  # None: what _answers has excluded
        return None
    words = registries.name_of_version(a), registries.name_of_version(b)
    return Difference("answer", "version chosen", words[0], words[1], f"the server chose {words[1]} (for the other one {words[0]})")


def _suite_chosen(good: Handshake, bad: Handshake) -> Difference | None:
    if good.server_hello is None or bad.server_hello is None or good.server_hello.cipher_suite == bad.server_hello.cipher_suite:
        return None
    a, b = (registries.name_of_cipher_suite(h.cipher_suite) for h in (good.server_hello, bad.server_hello))
    return Difference("answer", "suite chosen", a, b, f"the server chose {b} (for the other one {a})")


def _resumption(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = good.resumption or "new session", bad.resumption or "new session"
    if a == b:
        return None
    return Difference("answer", "resumption", a, b, f"it is a {b} handshake (the other one {a})", 0.3)


def _certificate(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = good.server_certificates, bad.server_certificates
    if [c.sha256 for c in a] == [c.sha256 for c in b]:
        return None
    if a[0].sha256 == b[0].sha256:
        says = f"the server sent {count_text(len(b), 'certificate')} (to the other one {len(a)}) with the same leaf"
        return Difference("certificate", "certificate", f"chain of {len(a)}", f"chain of {len(b)}", says, 0.6)
    words = [f"{c.subject or 'no subject'}, by {c.issuer or 'no issuer'}" for c in (a[0], b[0])]
    says = f"the server sent another certificate: {words[1]}"
    if len(a) != len(b):
        says += f", in a chain of {len(b)} (to the other one of {len(a)})"
    return Difference("certificate", "certificate", words[0], words[1], says)


def _flight(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = _flight_bytes(good), _flight_bytes(bad)
    if abs(a - b) < 0.1 * max(a, b):
        return None
    what = "shorter: fewer or smaller certificates" if b < a else "longer: more or larger certificates"
    says = f"the server's encrypted flight is of {b:,} bytes (to the other one {a:,}), which is {what}"
    return Difference("certificate", "certificate flight", f"{a:,} bytes, encrypted", f"{b:,} bytes, encrypted", says)


def _flight_bytes(h: Handshake) -> int:
    """Bytes of the server's records between its ServerHello and what the client says next; 0 where they are not all encrypted."""
    total = 0
    begun = False
    for message in h.messages:
        if message.kind == "server_hello":
            begun = True
        elif begun and message.from_client and message.kind != "change_cipher_spec":
            break
        elif begun and not message.from_client and message.kind == "application_data":
            total += message.length
    return total


def _client_certificate(good: Handshake, bad: Handshake) -> Difference | None:
    words = [_of_client(h) for h in (good, bad)]
    if words[0] == words[1]:
        return None
    return Difference(
        "answer", "client certificate", words[0], words[1], f"the client certificate was {words[1]} (for the other one {words[0]})"
    )


def _of_client(h: Handshake) -> str:
    if h.client_certificate_requested is False:
        return "not asked for"
    if h.client_certificates:
        return f"{h.client_certificates[0].subject or 'one without a subject'}, by {h.client_certificates[0].issuer or 'no issuer'}"
    if h.client_certificate_sent is not None:
        return "sent" if h.client_certificate_sent else "not sent"
    return "not known"


# ---------------------------------------------------------------- the path


def _segment_size(good: Handshake, bad: Handshake) -> Difference | None:
    pairs = [(h.flow.client_mss, h.flow.server_mss) for h in (good, bad)]
    if pairs[0] == pairs[1]:
        return None
    words = [f"MSS {client:,} and {server:,}" for client, server in pairs]
    return Difference(
        "path", "segment size", words[0], words[1], f"the ends announced other segment sizes ({words[1]}, the other one {words[0]})"
    )


def _hops(name: str, field: str) -> Callable[[Handshake, Handshake], Difference | None]:
    def compare(good: Handshake, bad: Handshake) -> Difference | None:
        a, b = getattr(good.flow, field), getattr(bad.flow, field)
        if a == b:
            return None
        return Difference("path", name, str(a), str(b), f"the {name} was {b} (for the other one {a}): another way, or another host")

    return compare


def _round_trip(good: Handshake, bad: Handshake) -> Difference | None:
    times = [(h.flow.syn_ack_time - h.flow.syn_time) / 1e6 for h in (good, bad)]
    low, high = sorted(times)
    if high < 20 or high < _FAR * low:
        return None
    words = [f"{value:.1f} ms" for value in times]
    return Difference("path", "round trip", words[0], words[1], f"the connection took {words[1]} to open (the other one {words[0]})")


def _loss(good: Handshake, bad: Handshake) -> Difference | None:
    a, b = good.flow.retransmissions, bad.flow.retransmissions
    if a == b or max(a, b) < 2:
        return None
    words = [f"{count_text(count, 'segment')} sent again" for count in (a, b)]
    return Difference("path", "loss", words[0], words[1], f"{words[1]} (for the other one {a})", 0.0 if b > a else 0.1)


def _end(good: Handshake, bad: Handshake) -> Difference | None:
    words = [_ended(h) for h in (good, bad)]
    return None if words[0] == words[1] else Difference("end", "end", words[0], words[1], f"it ended with {words[1]}", 0.05)


def _ended(h: Handshake) -> str:
    if h.outcome == "completed":
        return "a completed handshake"
    alert = h.closing_alert
    if alert is not None and alert.description is not None:
        return f"{registries.name_of_alert(alert.description)} from the {'client' if alert.from_client else 'server'}"
    who = "" if h.aborted_by in ("none", "unknown") else f" by the {h.aborted_by}"
    return f"the stage {h.stage}{who}"


def _always(_: Handshake) -> bool:
    return True


def _offers(h: Handshake) -> bool:
    return h.client_hello is not None


def _answers(h: Handshake) -> bool:
    return h.selected_version is not None


def _opened(h: Handshake) -> bool:
    return bool(h.flow.syn_time) and h.flow.syn_ack_time >= h.flow.syn_time


_COMPARISONS: tuple[tuple[str, Callable[[Handshake], bool], Callable[[Handshake, Handshake], Difference | None]], ...] = (
    ("server", _always, _server),
    ("way to TLS", _always, _via),
    ("server name", _offers, _name),
    ("versions", _offers, _versions),
    ("cipher suites", _offers, _suites),
    ("groups", _offers, _groups),
    ("signature schemes", _offers, _schemes),
    ("ALPN", _offers, _alpn),
    ("extensions", _offers, _extensions),
    ("size of the hello", _offers, _size),
    ("client stack (JA4)", _offers, _stack),
    ("version chosen", _answers, _version_chosen),
    ("suite chosen", lambda h: h.server_hello is not None, _suite_chosen),
    ("resumption", _answers, _resumption),
    ("certificate", lambda h: bool(h.server_certificates), _certificate),
    ("certificate flight", lambda h: h.is_tls13 and not h.server_certificates and h.resumption is None and bool(_flight_bytes(h)), _flight),
    ("client certificate", lambda h: _of_client(h) != "not known", _client_certificate),
    ("segment size", lambda h: bool(h.flow.client_mss and h.flow.server_mss), _segment_size),
    ("server's TTL", lambda h: bool(h.flow.server_ttl), _hops("server's TTL", "server_ttl")),
    ("client's TTL", lambda h: bool(h.flow.client_ttl), _hops("client's TTL", "client_ttl")),
    ("round trip", _opened, _round_trip),
    ("loss", _always, _loss),
    ("end", _always, _end),
)
