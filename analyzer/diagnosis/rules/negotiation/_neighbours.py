"""Hellos that the same server took: what the refused one is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context, ServerProfile
from analyzer.diagnosis.host_names import is_address
from analyzer.diagnosis.rules.negotiation._offer import (
    named_groups,
    post_quantum,
    schemes_of,
    suites_of,
    versions_of,
)
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello
from analyzer.registries.signature_schemes import scheme_key_type
from analyzer.registries.suite_facts import suite_facts
from analyzer.registries.versions import effective_version

__all__ = ["Neighbours", "differences", "find_neighbours", "names_a_host"]


@dataclass(slots=True, eq=False, repr=False)
class Neighbours:
    """Attempts that were answered with a ServerHello, and what the server chose in them. Counts are of handshakes."""

    handshake: Handshake
    """The refused one."""
    attempts: tuple[Attempt, ...]
    profile: ServerProfile
    here: bool
    """At the same address and port; else the same name elsewhere."""
    same_name: bool
    """All asked for the name that the refused hello asks for (or, as it, for none)."""
    versions: frozenset[int]
    suites: frozenset[int]
    groups: frozenset[int]
    schemes: frozenset[int]
    key_types: frozenset[str]
    alpn: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.attempts)

    @property
    def count_text(self) -> str:
        """'12 other handshakes here'."""
        number = self.profile.answered if self.here and not self.same_name else len(self.attempts)
        where = "here" if self.here else "with this name at another address"
        return f"{words.count_text(number, 'other handshake')} {where}"


def find_neighbours(handshake: Handshake, context: Context) -> Neighbours:
    """Those of the same name at the same server, else any at the same server, else the same name anywhere."""
    hello = handshake.client_hello
    name = hello.server_name.lower() if hello is not None and hello.server_name else None
    profile, here = context.server(handshake), True
    taken = [attempt for attempt in profile.accepted if attempt.hello is not None and attempt.server_hello is not None]
    if not taken and name:
        profile, here = context.name(handshake), False
        taken = [attempt for attempt in profile.accepted if attempt.hello is not None and attempt.server_hello is not None]
    named = [a for a in taken if (a.server_name.lower() if a.server_name else None) == name]
    if named:
        taken = named
    answers = [attempt.server_hello for attempt in taken if attempt.server_hello is not None]
    suites = frozenset(answer.cipher_suite for answer in answers)
    schemes = frozenset(profile.signature_schemes) if taken else frozenset()
    return Neighbours(
        handshake=handshake,
        attempts=tuple(taken),
        profile=profile,
        here=here,
        same_name=bool(named),
        versions=frozenset(effective_version(answer.selected_version) for answer in answers),
        suites=suites,
        groups=frozenset(profile.named_groups) if taken else frozenset(),
        schemes=schemes,
        key_types=_key_types(profile.key_types, suites, schemes) if taken else frozenset(),
        alpn=frozenset(profile.alpn) if taken else frozenset(),
    )


def _key_types(certificates: Iterable[str], suites: Iterable[int], schemes: Iterable[int]) -> frozenset[str]:
    """Kinds of key the server was seen to have: from certificates, else from what it signed with."""
    seen = set(certificates)
    if not seen:
        seen = {kind for kind in map(scheme_key_type, schemes) if kind is not None}
    if not seen:
        for code in suites:
            facts = suite_facts(code)
            if facts is not None and facts.certificate_key in ("RSA", "ECDSA"):
                seen.add(facts.certificate_key)
    return frozenset(seen)


def names_a_host(hello: ClientHello) -> bool:
    """Whether the hello names the host it wants."""
    return hello.server_name is not None and hello.server_name != "" and not is_address(hello.server_name)


def differences(hello: ClientHello, taken: ClientHello) -> list[str]:
    """What a refused hello has that a taken one has not, and the reverse, in words; most telling first."""
    says: list[str] = []
    if versions_of(hello) != versions_of(taken):
        says.append(f"versions: {words.offered_versions_text(hello)}, there {words.offered_versions_text(taken)}")
    if (hello.server_name or "").lower() != (taken.server_name or "").lower():
        says.append(f"name: {words.shown(hello.server_name or 'none')}, there {words.shown(taken.server_name or 'none')}")
    _compare(says, "cipher suites", set(suites_of(hello)), set(suites_of(taken)), words.suites_text)
    _compare(says, "groups", set(named_groups(hello)), set(named_groups(taken)), words.groups_text)
    _compare(says, "signature schemes", set(schemes_of(hello)), set(schemes_of(taken)), words.schemes_text)
    if hello.alpn != taken.alpn:
        says.append(f"ALPN: {words.list_text(hello.alpn) or 'none'}, there {words.list_text(taken.alpn) or 'none'}")
    for attribute, what in (
        ("extended_master_secret", "extended_master_secret"),
        ("encrypted_client_hello", "encrypted_client_hello"),
        ("grease", "GREASE values"),
    ):
        if getattr(hello, attribute) != getattr(taken, attribute):
            says.append(f"{'with' if getattr(hello, attribute) else 'without'} {what}, there the reverse")
    if post_quantum(hello) != post_quantum(taken):
        says.append(f"{'with' if post_quantum(hello) else 'without'} a post-quantum group, there the reverse")
    return says


def _compare(says: list[str], what: str, own: set[int], other: set[int], text: Callable[[Iterable[int]], str]) -> None:
    if own == other:
        return
    missing = other - own
    if missing:
        says.append(f"{what} missing here: {text(sorted(missing))}")
    elif own - other:
        says.append(f"{what} only here: {text(sorted(own - other))}")
