"""Which part of a refused offer is to blame: the parts weighed against each other, once.

handshake_failure (40) right after the ClientHello, and a close without a word there, stand for a dozen causes.
Each part of the offer (version, suites, key type, group, signature scheme, name, keys, ALPN) is judged alone:
first against what this server took from others, then against what servers of today take. A part in which the
server took something that this hello offers too is no suspect. The heaviest suspect is the cause; the others
are named in its evidence. Weights are an order, not probabilities:

    90   nothing in this part that any server of today takes; or others show that the server has none of it
    75   and above: enough for "likely", when nothing else comes near
    20   nothing narrow: no more than the base rate of the cause
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import NamedTuple, cast

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.resets import ended_by_doubtful_reset
from analyzer.diagnosis.rules.negotiation._neighbours import Neighbours, differences, find_neighbours, names_a_host
from analyzer.diagnosis.rules.negotiation._offer import (
    COMMON_GROUPS,
    NEW_SUITES,
    UNCOMMON_GROUPS,
    UNIVERSAL_SUITES,
    grade_suite,
    is_legacy_scheme,
    looks_like_ticket,
    named_groups,
    schemes_of,
    schemes_of_tls13,
    suites_of,
    usable_key_types,
    versions_of,
)
from analyzer.diagnosis.rules.negotiation._refused import GOODBYE, Refused, refused_hello
from analyzer.model.finding import Confidence, Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert, ClientHello
from analyzer.registries.signature_schemes import scheme_key_type
from analyzer.registries.suite_facts import suite_facts

__all__ = ["INSIDE", "Suspect", "Verdict", "blamed", "may_blame", "weigh_offer"]

INSIDE = "internal-error"
"""What is named when no part of the offer is to blame."""

_LIKELY = 75
_UNIVERSAL_SCHEMES = frozenset({0x0401, 0x0403, 0x0804})
_GAP = 10
_KEPT = 512
"""Offers remembered as weighed: some kB each."""


class Suspect(NamedTuple):
    """One part of the offer that may be why it was refused."""

    cause: str
    weight: int
    says: str
    """What is narrow about it; goes on from 'this hello ...'."""
    learned: str = ""
    """What the neighbours show; a sentence of its own."""


class Verdict(NamedTuple):
    """The heaviest suspect of a refused offer."""

    cause: str
    confidence: Confidence
    suspect: Suspect
    refused: Refused
    evidence: list[Evidence]


class _Weighed(NamedTuple):
    """What is the same whichever connection carries the offer."""

    best: Suspect
    sure: bool
    notes: tuple[tuple[bool, str], ...]
    """(it is shown by the hello's own frame, text)."""


def weigh_offer(handshake: Handshake, context: Context) -> Verdict | None:
    """The part of the refused offer to blame; None where no offer was refused, or an alert says more than 40 does."""
    return context.once(_weigh, handshake)


def blamed(handshake: Handshake, context: Context) -> tuple[str, ...]:
    """The cause that weighing the offer names: the look that the rules about its parts share."""
    verdict = weigh_offer(handshake, context)
    return (verdict.cause,) if verdict is not None else ()


def may_blame(cause: str, alert: Alert | None) -> bool:
    """Whether weighing can name a cause where this alert closed the handshake, or none."""
    if alert is not None and alert.from_client:
        return False
    description = alert.description if alert is not None and alert.description not in GOODBYE else None
    return description in _LEAST and cause in _ALLOWED.get(description, (cause,))


def _weigh(handshake: Handshake, context: Context) -> Verdict | None:
    refused = refused_hello(handshake)
    if refused is not None and refused.how == "reset" and ended_by_doubtful_reset(handshake, context):
        return None
    hello = handshake.client_hello
    if refused is None or hello is None or hello.sslv2 or hello.max_version <= 0x0300:
        return None
    if refused.description not in _LEAST:
        return None
    weighed = _weigh_once(handshake, hello, refused, context)
    if weighed is None:
        return None
    frame = handshake.client_hello_frame or None
    evidence = [Evidence(frame, f"this hello {weighed.best.says}")]
    if weighed.best.learned:
        evidence.append(Evidence(None, weighed.best.learned))
    evidence += refused.evidence
    evidence += [Evidence(frame if of_hello else None, says) for of_hello, says in weighed.notes]
    return Verdict(weighed.best.cause, "likely" if weighed.sure else "possible", weighed.best, refused, evidence)


_offer_of = attrgetter(*(f.name for f in fields(ClientHello) if f.name not in ("random", "session_id")))
"""All that a client offers: what hellos of one client share however often it tries."""


def _weigh_once(handshake: Handshake, hello: ClientHello, refused: Refused, context: Context) -> _Weighed | None:
    """The same offer refused by the same server in the same way is weighed once, until the neighbours show something new."""
    flow = handshake.flow
    key = (
        _offer_of(hello), refused.how, refused.description, handshake.client_hello_incomplete > 0, handshake.dialogue is None,
        flow.client_address if _resumes(hello) else None, flow.server_address, flow.server_port,
    )  # fmt: skip
    here, named = context.server(handshake), context.name(handshake)
    known = context.weighed.get(key)
    if known is not None:
        *state, weighed = known
        if state == [here.serial, here.shown, named.serial, named.shown]:
            return cast("_Weighed | None", weighed)
    weighed = _weigh_offer(handshake, hello, refused, find_neighbours(handshake, context))
    if len(context.weighed) >= _KEPT:
        context.weighed.clear()
    context.weighed[key] = (here.serial, here.shown, named.serial, named.shown, weighed)
    return weighed


def _weigh_offer(handshake: Handshake, hello: ClientHello, refused: Refused, neighbours: Neighbours) -> _Weighed | None:
    suspects = [found for judge in _JUDGES if (found := judge(hello, neighbours)) is not None]
    if handshake.client_hello_incomplete:
        suspects = [suspect for suspect in suspects if not _rests_on_absence(suspect, hello)]
    elif not suspects and refused.description == 40:
        # others got through with all that is offered here: what is left is within the server
        suspects = [Suspect(INSIDE, 1, "offers nothing that the server did not take from others")]
    allowed = _ALLOWED.get(refused.description)
    suspects = [s for s in suspects if allowed is None or s.cause in allowed]
    if refused.description == 71 and hello.max_version >= 0x0303:
        # a policy, and neither version nor suites to object to
        suspects = [s._replace(weight=max(s.weight, 45)) if s.cause == "ems-required" else s for s in suspects]
    elif refused.description == 10:
        # Java says so when no group fits, and little else is unexpected about a first message
        suspects = [s._replace(weight=s.weight + 30) for s in suspects] if hello.max_version >= 0x0304 else []
    suspects.sort(key=lambda suspect: -suspect.weight)  # stable: the order of _JUDGES decides ties
    if not suspects or suspects[0].weight < _LEAST_OF.get((refused.description, suspects[0].cause), _LEAST[refused.description]):
        return None
    best = suspects[0]
    clear = len(suspects) < 2 or best.weight - suspects[1].weight >= _GAP
    sure = best.weight >= _LIKELY and clear and (neighbours.here or not best.learned) and not handshake.client_hello_incomplete
    # what a box on the way does to a name looks the same: without an alert nothing says that the server did it
    sure = sure and (refused.how == "alert" or (bool(best.learned) and not best.cause.startswith("sni-")))
    return _Weighed(best, sure, _notes(hello, suspects, neighbours, sure))


def _rests_on_absence(suspect: Suspect, hello: ClientHello) -> bool:
    """Whether it blames something that a hello lacks: of a hello captured in part the rest may have it."""
    if suspect.cause == "client-version-too-old":
        return not hello.supported_versions
    return suspect.cause in ("sni-missing", "ems-required", "no-common-sigalg", "no-common-group", "cert-key-type-mismatch")


def _notes(hello: ClientHello, suspects: list[Suspect], neighbours: Neighbours, sure: bool) -> tuple[tuple[bool, str], ...]:
    notes = []
    if not neighbours:
        notes.append((False, "no other handshake with this server in the capture shows what it takes"))
    elif not sure or not suspects[0].learned:
        nearest = min(neighbours.attempts, key=lambda a: len(differences(hello, a.hello)) if a.hello else 99)
        if nearest.hello is not None:
            found = differences(hello, nearest.hello)
            text = "; ".join(found[:5]) or "nothing that should matter"
            notes.append((False, f"against the nearest hello the server took (stream {nearest.stream}): {text}"))
    if not sure:
        others = [f"{suspect.cause} (it {suspect.says})" for suspect in suspects[1:5] if suspect.weight >= 12]
        if others:
            notes.append((True, f"also possible: {'; '.join(others)}"))
    return tuple(notes)


# ------------------------------------------------------------------ the parts


def _judge_versions(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    offered = versions_of(hello)
    low, high = min(offered), max(offered)
    says = f"offers {words.offered_versions_text(hello)}"
    if neighbours and neighbours.versions & offered:
        return None
    if neighbours and min(neighbours.versions) > high:
        seen = words.version_text(min(neighbours.versions))
        learned = f"{neighbours.count_text} got {seen} or newer"
        older = any(a.hello is not None and a.hello.max_version <= high for a in neighbours.attempts)
        weight = 0 if older else 88 if high <= 0x0302 else 55
        return Suspect("client-version-too-old", weight, says, learned) if weight else None
    if neighbours and max(neighbours.versions) < low:
        seen = words.version_text(max(neighbours.versions))
        proves = any(a.hello is not None and a.hello.max_version >= low for a in neighbours.attempts)
        learned = f"{neighbours.count_text} got no better than {seen}{', though newer was offered' if proves else ''}"
        return Suspect("client-version-too-new", 92 if proves else 62, says, learned)
    if high <= 0x0302:
        return Suspect("client-version-too-old", 58, says)
    if low >= 0x0304:
        return Suspect("client-version-too-new", 40, says)  # nearly everyone answers that with 70
    return None


def _judge_suites(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    suites = suites_of(hello)
    versions = versions_of(hello)
    if (
        neighbours
        and neighbours.here
        and any(
            a.server_hello is not None and a.server_hello.cipher_suite in suites and a.server_hello.selected_version in versions
            for a in neighbours.attempts
        )
    ):
        return None
    newer = [code for code in suites if code in NEW_SUITES] if 0x0304 in versions else []
    older = [code for code in suites if code >> 8 != 0x13]
    grades = [grade_suite(code) for code in older]
    sound = grades.count("sound") + len(newer)
    tolerated = grades.count("tolerated")
    says = f"offers only {words.suites_text(suites)}" if len(suites) <= 8 else f"offers {len(suites)} cipher suites"
    if grades and not newer and grades.count("psk") and not sound and not tolerated:
        weight = 40  # psk-failure says it better
    elif not sound and not tolerated:
        weight, says = 90, f"offers no cipher suite that servers of today take, only {words.suites_text(suites)}"
    elif max(versions) <= 0x0302:
        weight = 30 if tolerated > 1 else 55
    elif not sound:
        weight, says = 65, f"offers only cipher suites that many servers no longer take: {words.suites_text(suites)}"
    elif min(versions) >= 0x0304:
        weight = {1: 62, 2: 35}.get(len(newer), 20)
    else:
        few = {1: 60, 2: 50, 3: 40, 4: 40}.get(sound + tolerated, 14 if tolerated > 1 else 20)
        weight = few - 22 if few > 30 and set(older) & UNIVERSAL_SUITES else few
    learned = ""
    # the suites of TLS 1.3 and those before it are two lists at the server too: what it took of one tells nothing of the other
    got = {code for code in neighbours.suites if (0x0304 in versions if code >> 8 == 0x13 else min(versions) < 0x0304)}
    if got and not neighbours.suites & set(suites):
        learned = f"{neighbours.count_text} got {words.suites_text(sorted(got))}, which is not offered here"
        weight = min(95, max(weight + 25, 70)) if neighbours.here else min(90, max(weight + 10, 50))
    return Suspect("no-common-cipher", weight, says, learned)


def _judge_key_type(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    offered = versions_of(hello)
    room = usable_key_types(hello, max(offered & neighbours.versions or offered))
    if not room:
        return None
    says = f"leaves room only for certificates with {words.list_text(sorted(room))} keys"
    if neighbours.key_types:
        if neighbours.key_types & room:
            return None
        learned = f"{neighbours.count_text} show a certificate with {words.list_text(sorted(neighbours.key_types))} key"
        return Suspect("cert-key-type-mismatch", 92 if neighbours.here else 75, says, learned)
    usual = 0x0304 in versions_of(hello) or bool(UNIVERSAL_SUITES & set(suites_of(hello)))  # nothing wrong with the suites
    if not room & {"RSA", "RSA-PSS"}:
        weight = 70 if "ECDSA" in room else 80 if room & {"Ed25519", "Ed448"} else 60
        weight += 8 if weight == 70 and usual else 0
    elif not room & {"ECDSA", "Ed25519"}:
        weight = 42 if usual else 19
    else:
        return None
    return Suspect("cert-key-type-mismatch", weight, says)


def _judge_groups(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    versions = versions_of(hello)
    facts = [fact for code in suites_of(hello) if (fact := suite_facts(code)) is not None and not fact.tls13]
    if 0x0304 not in versions and not any(fact.key_exchange == "ECDHE" for fact in facts):
        return None
    groups = set(named_groups(hello))
    if not groups:
        return Suspect("no-common-group", 30, "names no group at all") if 0x0304 in versions else None
    if neighbours.groups & groups:
        return None
    says = f"offers only the groups {words.groups_text(named_groups(hello))}"
    common = groups & COMMON_GROUPS
    if not common:
        weight = 68 if groups & UNCOMMON_GROUPS else 80
    elif len(groups) == 1:
        weight = {0x0017: 35, 0x001D: 48, 0x0018: 52}[next(iter(common))]
    else:
        weight = 10
    if 0x0304 not in versions and any(f.key_exchange in ("RSA", "DHE") and grade_suite(f.code) == "tolerated" for f in facts):
        weight //= 2  # the server could do without a group
    learned = ""
    if neighbours.groups:
        learned = f"{neighbours.count_text} used {words.groups_text(sorted(neighbours.groups))}"
        weight = min(94, max(weight + 20, 66 if neighbours.here else 45))
    return Suspect("no-common-group", weight, says, learned) if weight >= 12 else None


def _judge_schemes(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    versions = versions_of(hello)
    if max(versions) < 0x0303:
        return None
    schemes = schemes_of(hello)
    new = 0x0304 in versions
    if not schemes:
        return Suspect("no-common-sigalg", 30, "names no signature scheme, which TLS 1.3 requires") if new else None
    if neighbours and 0x0304 not in neighbours.versions and neighbours.schemes & set(schemes):
        return None
    usable = schemes_of_tls13(hello) if new else schemes
    modern = [code for code in usable if not is_legacy_scheme(code)]
    kinds = {scheme_key_type(code) for code in modern}
    says = f"offers only the signature schemes {words.schemes_text(schemes)}"
    weight = 0
    if not modern:
        weight = 85 if new else 78
        if new and any(code >> 8 > 3 for code in schemes):
            says += ", none of which may sign a TLS 1.3 handshake"
    elif kinds == {"RSA-PSS"}:
        weight = 80
    elif len(modern) == 1:
        weight = 30 if modern[0] in _UNIVERSAL_SCHEMES else 55 if kinds == {"RSA"} else 45
    elif new and "RSA" not in kinds and any(scheme_key_type(code) == "RSA" for code in schemes):
        weight = 60
        says += ", and none with which an RSA key may sign a TLS 1.3 handshake"
    learned = ""
    if "RSA" in neighbours.key_types and len(neighbours.key_types) == 1 and new and "RSA" not in kinds and weight >= 60:
        weight, learned = 93, f"{neighbours.count_text} show a certificate with RSA key"
    elif neighbours and neighbours.schemes and not neighbours.schemes & set(schemes) and weight:
        weight = min(92, max(weight + 20, 60))
        learned = f"{neighbours.count_text} were signed with {words.schemes_text(sorted(neighbours.schemes))}"
    return Suspect("no-common-sigalg", weight, says, learned) if weight else None


def _judge_name(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    alike = any(a.server_hello is not None and a.server_hello.cipher_suite in hello.cipher_suites for a in neighbours.attempts)
    if not names_a_host(hello):
        if neighbours and any(a.hello is not None and not names_a_host(a.hello) for a in neighbours.attempts):
            return None
        says = f"names an IP address ({words.shown(hello.server_name)}), not a host" if hello.server_name else "names no host (SNI)"
        if neighbours and neighbours.here:
            served = words.list_text(sorted({a.server_name for a in neighbours.attempts if a.server_name}), 3)
            return Suspect("sni-missing", 82 if alike else 45, says, f"{neighbours.count_text} all named a host ({served})")
        return Suspect("sni-missing", 6 if neighbours.handshake.dialogue is not None else 32, says)
    says = f"asks for {words.shown(hello.server_name or '')}"
    if neighbours.here and neighbours.same_name:
        return None
    if neighbours and neighbours.here:
        names = [name for name in {a.server_name for a in neighbours.attempts} if name]
        if names:
            learned = f"{neighbours.count_text} asked for other names ({words.list_text(sorted(names), 3)})"
            return Suspect("sni-unrecognized", 78 if alike else 40, says, learned)
    return Suspect("sni-unrecognized", 15, says)


def _judge_keys(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    grades = [grade_suite(code) for code in suites_of(hello)]
    if "psk" in grades and not set(grades) - {"psk", "unwanted"}:
        return Suspect("psk-failure", 86, "offers only cipher suites with a pre-shared key")
    if hello.psk_identities and not looks_like_ticket(hello.psk_identity):
        return Suspect("psk-failure", 66, "offers a pre-shared key of a name of its own, no ticket")
    if hello.psk_identities or hello.session_ticket_length:
        client = neighbours.handshake.flow.client_address
        taken = [a for a in neighbours.attempts if a.hello and a.client_address == client and not _resumes(a.hello)]
        if taken and neighbours.here:
            return Suspect("ticket-rejected", 79, "brings a session ticket", "the same client was served without a ticket")
        return Suspect("ticket-rejected", 18, "brings a session ticket")
    return None


def _resumes(hello: ClientHello) -> bool:
    return bool(hello.psk_identities or hello.session_ticket_length)


def _judge_master_secret(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    if hello.extended_master_secret or max(versions_of(hello)) != 0x0303:
        return None
    if neighbours and neighbours.here:
        if any(a.hello is not None and not a.hello.extended_master_secret and a.hello.max_version <= 0x0303 for a in neighbours.attempts):
            return None
        learned = f"{neighbours.count_text} all had extended_master_secret or TLS 1.3"
        return Suspect("ems-required", 64, "has no extended_master_secret", learned)
    modern = any(grade_suite(code) == "sound" for code in suites_of(hello))
    return Suspect("ems-required", 16 if modern else 12, "has no extended_master_secret")


def _judge_alpn(hello: ClientHello, neighbours: Neighbours) -> Suspect | None:
    if not hello.alpn or neighbours.alpn & set(hello.alpn):
        return None
    says = f"offers only the application protocols {words.list_text(hello.alpn, 4)}"
    if neighbours and neighbours.alpn:
        return Suspect("alpn-mismatch", 55, says, f"{neighbours.count_text} agreed on {words.list_text(sorted(neighbours.alpn), 4)}")
    if not set(hello.alpn) & {"h2", "http/1.1", "http/1.0"}:
        return Suspect("alpn-mismatch", 17, says)
    return None


_JUDGES: tuple[Callable[[ClientHello, Neighbours], Suspect | None], ...] = (
    _judge_keys,
    _judge_key_type,
    _judge_schemes,
    _judge_groups,
    _judge_versions,
    _judge_suites,
    _judge_name,
    _judge_master_secret,
    _judge_alpn,
)
"""Narrowest part first: of two of the same weight the earlier wins."""

_LEAST: dict[int | None, int] = {40: 1, 10: 60, 71: 40, 80: 70, None: 78}
"""Alerts that leave the cause open, and the least weight to name one: the vaguer the answer, the more."""

_LEAST_OF: dict[tuple[int | None, str], int] = {(80, "sni-missing"): 30, (None, "client-version-too-old"): 58}
"""Go says internal_error for a name it has no certificate for, and for none. TLS 1.1 and older hardly a server takes today."""

_ALLOWED: dict[int | None, frozenset[str]] = {
    10: frozenset({"no-common-group"}),
    71: frozenset(
        {"client-version-too-old", "no-common-cipher", "no-common-group", "cert-key-type-mismatch", "no-common-sigalg", "ems-required"}
    ),
    80: frozenset({"sni-missing", "sni-unrecognized", "ticket-rejected"}),
    None: frozenset(
        {"client-version-too-old", "client-version-too-new", "no-common-cipher", "no-common-group", "no-common-sigalg",
         "cert-key-type-mismatch", "sni-missing", "sni-unrecognized"}
    ),
}  # fmt: skip
"""Causes for which stacks were seen to answer so (Schannel resets, gRPC closes and never sends its alert, Go says 80 for a name)."""
