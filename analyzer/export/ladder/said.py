"""What a message said, in the few words that fit beside an arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from analyzer import registries
from analyzer.diagnosis import words
from analyzer.export.lines import cut
from analyzer.model.handshake import Handshake, Message
from analyzer.model.hello import Alert, Certificate, ClientHello, ServerHello

__all__ = ["agreed_text", "alert_title", "details_of", "first_line", "title_of"]

_LINE = 200
_NAME = 64
_TITLES = {
    "change_cipher_spec": "ChangeCipherSpec",
    "application_data": "application data",
    "encrypted_handshake": "encrypted handshake message",
    "heartbeat": "heartbeat",
    "not_tls": "bytes that are not TLS",
    "alert": "Alert",
    "hello_retry_request": "HelloRetryRequest",
    "server_hello_done": "ServerHelloDone",
    "end_of_early_data": "EndOfEarlyData",
}


def title_of(kind: str) -> str:
    """'client_hello' as the RFCs write it: 'ClientHello'."""
    known = _TITLES.get(kind)
    if known is not None:
        return known
    if kind.startswith("handshake_"):
        return f"handshake message of type {kind.removeprefix('handshake_')}"
    return "".join(part.capitalize() for part in kind.split("_"))


def alert_title(alert: Alert) -> str:
    """'Alert: fatal handshake_failure (40)'."""
    if alert.description is None:
        return "Alert"
    return f"Alert: {words.alert_text(alert)}"


def details_of(h: Handshake, message: Message, seen: dict[str, int]) -> tuple[str, ...]:
    """What the message said, a line each. ``seen`` counts messages of each side and kind that came before this one."""
    kind, client = message.kind, message.from_client
    place = seen.get(f"{kind}{client}", 0)
    if kind == "client_hello" and client:
        if place == 0 and h.client_hello is not None:
            return _client_hello(h.client_hello)
        if place == 1 and h.hello_retry is not None and h.second_client_hello is not None:
            return _second_hello(h.second_client_hello)
    elif kind == "hello_retry_request" and h.hello_retry is not None:
        group = h.hello_retry.key_share_group
        return (*_answer(h.hello_retry), *([f"asks for a key share of {registries.name_of_named_group(group)}"] if group else []))
    elif kind == "server_hello" and h.server_hello is not None and place == 0:
        return (*_answer(h.server_hello), *_agreed(h))
    elif kind in ("certificate", "compressed_certificate") and place == 0:
        return _certificates(h, client)
    elif kind == "server_key_exchange" and h.server_key_exchange is not None and place == 0:
        return _key_exchange(h)
    elif kind == "certificate_request" and h.certificate_request is not None and place == 0:
        request = h.certificate_request
        named = len(request.certificate_authorities)
        says = "any authority" if not named else "the one authority it names" if named == 1 else f"one of {named} authorities it names"
        return (f"wants a client certificate of {says}",)
    elif kind == "encrypted_extensions" and h.alpn is not None:
        return (f"protocol {cut(h.alpn, _NAME)}",)
    elif kind == "certificate_status":
        return ("stapled OCSP answer",) if h.ocsp_response else ()
    return ()


def agreed_text(hello: ServerHello) -> str:
    """'TLS 1.3, TLS_AES_128_GCM_SHA256'; less of a hello that could not be read to its end (version 0, suite -1)."""
    version = registries.name_of_version(hello.selected_version) if hello.selected_version > 0 else ""
    suite = registries.name_of_cipher_suite(hello.cipher_suite) if hello.cipher_suite >= 0 else ""
    return ", ".join(part for part in (version, suite) if part)


def first_line(data: bytes) -> str:
    """The first line of bytes that are not TLS, for showing; '' when it is not text."""
    line = data.split(b"\n", 1)[0].rstrip(b"\r")[:200]
    if not line or sum(32 <= byte < 127 for byte in line) < 0.9 * len(line):
        return ""
    return f'"{cut(line.decode("latin-1"), 60)}"'


def _listed(codes: Iterable[int], name: Callable[[int], str], limit: int) -> str:
    """'a, b, c and 12 more'; GREASE left out."""
    return words.list_text([name(code) for code in codes if not registries.is_grease(code)], limit) or "none"


def _line(parts: Sequence[str]) -> str:
    return cut("; ".join(part for part in parts if part), _LINE)


def _client_hello(hello: ClientHello) -> tuple[str, ...]:
    name = f"for {cut(hello.server_name, _NAME)}" if hello.server_name else "without a server name"
    alpn = words.list_text([cut(protocol, 24) for protocol in hello.alpn], 3)
    lines = [
        _line([name, f"protocols {alpn}" if alpn else "", "encrypted_client_hello" if hello.encrypted_client_hello else ""]),
        _line([f"offers {words.offered_versions_text(hello)}", "SSLv2 format" if hello.sslv2 else ""]),
        f"suites {_listed(hello.cipher_suites, registries.name_of_cipher_suite, 2)}",
    ]
    if hello.named_groups:
        lines.append(f"groups {_listed(hello.named_groups, registries.name_of_named_group, 4)}")
    if hello.key_shares:
        lines.append(f"key shares {_listed((group for group, _ in hello.key_shares), registries.name_of_named_group, 4)}")
    if hello.signature_schemes:
        lines.append(f"signatures {_listed(hello.signature_schemes, registries.name_of_signature_scheme, 2)}")
    extras = [
        f"{words.count_text(hello.psk_identities, 'pre-shared key')} offered" if hello.psk_identities else "",
        "session ticket" if hello.session_ticket_length else "",
        "early data" if hello.early_data else "",
        "fallback" if hello.fallback_scsv else "",
    ]
    return tuple(line for line in (*lines, _line(extras)) if line)


def _second_hello(hello: ClientHello) -> tuple[str, ...]:
    shares = _listed((group for group, _ in hello.key_shares), registries.name_of_named_group, 4)
    return (f"key shares {shares}{'; with the cookie' if hello.cookie_length else ''}",)


def _answer(hello: ServerHello) -> tuple[str, ...]:
    text = agreed_text(hello)
    return (text,) if text else ()


def _agreed(h: Handshake) -> tuple[str, ...]:
    in_hello = h.server_hello is not None and h.server_hello.alpn is not None
    parts = [
        f"group {registries.name_of_named_group(h.named_group)}" if h.named_group is not None and h.is_tls13 else "",
        f"protocol {cut(h.alpn, _NAME)}" if h.alpn is not None and in_hello else "",
        f"resumes a session ({h.resumption})" if h.resumption else "",
    ]
    line = _line(parts)
    return (line,) if line else ()


def _certificates(h: Handshake, from_client: bool) -> tuple[str, ...]:
    chain: tuple[Certificate, ...] = (h.client_certificates or ()) if from_client else h.server_certificates
    if not chain:
        return ("no certificate in it",) if from_client and h.client_certificates == () else ()
    leaf = chain[0]
    if leaf.fault and not leaf.subject:
        return (f"not readable: {cut(leaf.fault, 100)}",)
    lines = [cut(leaf.subject or "empty subject", 120)]
    if leaf.names and leaf.names != (leaf.common_name,):
        lines.append(f"for {words.list_text([cut(name, _NAME) for name in leaf.names], 3)}")
    by = "signed by itself" if leaf.self_signed else f"issuer {cut(leaf.issuer, 120)}"
    lines.append(by)
    if leaf.not_after:
        lines.append(f"valid from {words.day_text(leaf.not_before)[:10]} to {words.day_text(leaf.not_after)}")
    lines.append(_line([leaf.key, f"chain of {len(chain)}" if len(chain) > 1 else "no intermediate"]))
    return tuple(lines)


def _key_exchange(h: Handshake) -> tuple[str, ...]:
    exchange = h.server_key_exchange
    assert exchange is not None
    parts = [
        registries.name_of_named_group(exchange.named_group) if exchange.named_group is not None else "",
        f"DH prime of {exchange.dh_prime_bits} bits" if exchange.dh_prime_bits else "",
        f"signed with {registries.name_of_signature_scheme(exchange.signature_scheme)}" if exchange.signature_scheme is not None else "",
    ]
    line = _line(parts)
    return (line,) if line else ()
