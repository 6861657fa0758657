"""Which fault of a certificate the client refused: the problems of the chain held against the refusal.

A fact of the bytes with the refusal that fits it is certain; a general refusal over several faults is likely for
the first and possible for the others; a fault beside a failure with another reason is no cause: it goes to ``also``.
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.diagnosis.chain import FIRST_DAY, ChainJudgement, Problem
from analyzer.diagnosis.completion import left_before_the_last
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.departures import AT_ONCE, is_node, scans, silent_refusal
from analyzer.diagnosis.evidence import first_message, quiet_before_close
from analyzer.diagnosis.refusals import FITTING_ALERTS, OWN_ALERTS, VAGUE_ALERTS, Refusal, is_openssl, judges_halfway, refusal_by_client
from analyzer.model.finding import Confidence, Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello

__all__ = ["TRUST", "Weighed", "refusal_of", "refusal_text", "weigh_chain"]


TRUST = frozenset({"tls-interception", "cert-unknown-ca", "cert-missing-intermediate"})
"""Soft problems that most clients refuse, and that say one thing: not trusted."""


_ANOTHER_WAY = frozenset({"cert-expired", "cert-not-yet-valid"})
"""Faults of an authority's certificate that another certificate of the same authority does not have. In a leaf's own every client
that looks minds them, whoever signed it."""

_PASSED_BY = frozenset({"cert-no-san", "cert-weak-signature", "cert-weak-key", "cert-malformed"})
"""Faults that many clients take: a general alert, which says no more than that something was wrong, does not prove them."""

_LOOKED_AT_LATER = frozenset({"cert-bad-purpose", "cert-critical-extension", "cert-chain-constraint"})
"""Faults that Go and Java come to when they have found a path to a root of theirs: of none they say the same. Whether the client has
the root no store but its own tells."""

_ADDRESS = "cert-name-mismatch"
"""Soft where the client asked by no name: it is the server's address then that the certificate does not cover."""
_NAMES = frozenset({"cert-name-mismatch", "cert-no-san"})
"""Faults of the name."""

_OPENSSL_WORDS: dict[str, frozenset[int]] = {
    "cert-expired": frozenset({45}),
    "cert-self-signed": frozenset({48}),
    "cert-bad-purpose": frozenset({43}),
    "cert-no-san": frozenset(),
    "cert-name-mismatch": frozenset({42}),
    "cert-not-yet-valid": frozenset({42}),
}
"""Where OpenSSL has one word for a fault, or passes it by: any other alert of it is for something else."""

_OPENSSL_STRENGTH = frozenset({"cert-weak-signature", "cert-weak-key"})
"""Faults that OpenSSL names by bad_certificate (42) at its security levels, as it does few others."""

_WITH_DANE = frozenset({"smtp-starttls", "lmtp-starttls", "xmpp-starttls"})
"""Dialogues whose clients may go by the key that the DNS names (RFC 7672, RFC 7673) and by no name in a certificate: OpenSSL says
bad_certificate (42) when it is another one."""

_BAD_CERTIFICATE, _CERTIFICATE_UNKNOWN, _DECODE_ERROR = 42, 46, 50


class Weighed(NamedTuple):
    """A problem of the chain and how sure it is that the client meant it."""

    problem: Problem
    confidence: Confidence
    is_cause: bool
    """False: a fact beside the failure, for ``also``."""
    evidence: list[Evidence]


def weigh_chain(handshake: Handshake, context: Context) -> dict[str, Weighed]:
    """Problems of the chain by cause; of a chain that is hidden, what the same server showed elsewhere."""
    judged = context.chain(handshake)
    source = None
    if judged is None:
        if not handshake.is_tls13 or handshake.resumption is not None:
            return {}
        known = context.chains.elsewhere(handshake)
        if known is None:
            return {}
        judged, source = known
    if not judged.problems:
        return {}
    refusal = refusal_of(handshake, context)
    weighed = _weigh(handshake, judged, refusal)
    if any(fault.kind == "overlap" and not fault.from_client for fault in handshake.faults):
        # two versions of the bytes: which did the client read?
        weighed = [(problem, "possible", is_cause) for problem, _, is_cause in weighed]
    if refusal is not None and refusal.how in ("close", "goodbye") and scans(handshake, context):
        weighed = [(problem, "possible", is_cause) for problem, _, is_cause in weighed]
    frame = None
    if source is None:
        message = first_message(handshake, "certificate", False)
        frame = message.frame if message else None
    answer = {}
    for problem, confidence, is_cause in weighed:
        named = refusal is not None and refusal.description in OWN_ALERTS.get(problem.cause, ())
        if confidence == "certain" and not named and not _whole(handshake):
            confidence = "likely"  # a certificate that was not captured may have the fault that was meant
        says = problem.says if source is None else f"{problem.says} (as seen in stream {source}; hidden here)"
        if source is not None and confidence == "certain":
            confidence = "likely"
        evidence = [Evidence(frame, says)]
        if is_cause and refusal is not None:
            evidence += refusal.evidence
        answer[problem.cause] = Weighed(problem, confidence, is_cause, evidence)
    return answer


def _whole(handshake: Handshake) -> bool:
    return handshake.server_certificates_complete or not handshake.server_certificates


_Weights = list[tuple[Problem, Confidence, bool]]
"""Problems, how sure it is that the client meant each, and whether it may be the cause."""


def _weigh(handshake: Handshake, judged: ChainJudgement, refusal: Refusal | None) -> _Weights:
    hard = [problem for problem in judged.problems if problem.hard]
    if refusal is None:
        return [(problem, "possible", False) for problem in hard]
    if refusal.how != "alert":
        return _weigh_silence(handshake, judged, refusal, hard)
    description = refusal.description
    owners = [problem for problem in judged.problems if description in OWN_ALERTS.get(problem.cause, ())]
    if owners:
        return _weigh_named(judged, owners)
    fitting = [problem for problem in judged.problems if description in FITTING_ALERTS.get(problem.cause, ())]
    if is_openssl(handshake.client_hello):
        fitting = [problem for problem in fitting if problem.cause not in TRUST]  # it has a word of its own for those
    if any(problem.hard for problem in fitting):
        return _weigh_fitting(handshake, judged, description, fitting)
    if description in VAGUE_ALERTS and handshake.resumption is None:
        # what a check of the program's own refuses has no alert of its own: Erlang says 40 of a name, OpenSSL 40 or 80
        return [(problem, "likely" if len(hard) == 1 else "possible", True) for problem in hard]
    soft = [problem for problem in fitting if not problem.hard]
    # an expired root beside an unknown one is the smaller thing; those who say 42 of an unknown issuer take an authority's for a server's
    last = {"cert-expired"} | ({"cert-chain-constraint"} if description == _BAD_CERTIFICATE else set())
    # who asks by address is refused whoever signed: that it did, and for this one, is no more than likely
    soft.sort(key=lambda problem: (problem.cause != _ADDRESS, problem.cause in last))
    answer: _Weights = [(problem, "possible", False) for problem in hard]
    # without the hello nobody knows what name was asked for, and without a clock what the dates are held against
    whole = handshake.client_hello is not None and not handshake.client_hello_incomplete and judged.time >= FIRST_DAY
    alone = not any(problem.cause in TRUST for problem in soft)
    sure = {problem.cause for problem in soft[:1] if whole and (problem.cause in TRUST or (problem.cause == _ADDRESS and alone))}
    return answer + [(problem, "likely" if problem.cause in sure else "possible", True) for problem in soft]


def _weigh_silence(handshake: Handshake, judged: ChainJudgement, refusal: Refusal, hard: list[Problem]) -> _Weights:
    """The client left without an alert."""
    if refusal.how == "close" and quiet_before_close(handshake) > AT_ONCE:
        return [(problem, "possible", False) for problem in hard]
    unasked = [problem for problem in judged.problems if problem.cause == _ADDRESS and not problem.hard]
    if refusal.how == "goodbye" and not hard:
        return [(problem, "possible", True) for problem in unasked]
    # in TLS 1.2 who judges on its own and sends no alert finishes the handshake first, but for a few
    halfway = refusal.how == "close" and handshake.outcome != "completed" and not handshake.is_tls13
    halfway = halfway and not judges_halfway(handshake.client_hello)
    ranked = hard or unasked + [problem for problem in judged.problems if problem.cause in TRUST and not halfway]
    hello = handshake.client_hello
    if hello is not None and is_openssl(hello) and not is_node(hello):
        # OpenSSL judges inside the handshake, with an alert; what its programs still look at afterwards is the name
        ranked = sorted(ranked, key=lambda problem: problem.cause not in _NAMES)
    return [(problem, "likely" if problem is ranked[0] and problem.hard else "possible", True) for problem in ranked]


def _weigh_named(judged: ChainJudgement, owners: list[Problem]) -> _Weights:
    """The client's alert is the one for some of the problems, the ``owners``."""
    first = next((problem for problem in owners if problem.cause in TRUST), owners[0])
    first = next((problem for problem in owners if problem.hard), first)
    first = next((problem for problem in owners if problem.cause == "tls-interception"), first)
    # the chain is looked for before it is judged: who has no root for it says the same, and got no further
    unknown = [problem for problem in owners if problem.cause in TRUST and problem is not first]
    best: Confidence = "certain" if first.hard and not unknown else "likely"
    return [
        (problem, best if problem is first else "possible", problem in (first, *unknown))
        for problem in judged.problems
        if problem is first or problem.hard or problem in unknown
    ]


def _weigh_fitting(handshake: Handshake, judged: ChainJudgement, description: int | None, fitting: list[Problem]) -> _Weights:
    """The client's alert is a general one that may be for each of ``fitting``, a hard one among them."""
    meant = [problem for problem in fitting if problem.hard]
    unknown = [problem for problem in fitting if problem.cause in TRUST and not problem.hard]
    asked = [problem for problem in fitting if problem.cause == _ADDRESS and not problem.hard]
    sure = len(meant) == 1 and not asked and _proves(judged, meant[0], description, unknown, handshake.client_hello)
    if handshake.dialogue is not None and handshake.dialogue.via in _WITH_DANE:
        sure = sure and meant[0].cause in _ANOTHER_WAY
    best: Confidence = "certain" if sure else "likely"
    answer: _Weights = [
        (problem, best if problem is meant[0] else "possible", problem in meant) for problem in judged.problems if problem.hard
    ]
    return answer if sure else answer + [(problem, "possible", True) for problem in (*unknown, *asked)]


def _proves(judged: ChainJudgement, fault: Problem, description: int | None, unknown: list[Problem], hello: ClientHello | None) -> bool:
    """Whether a general alert (bad_certificate, certificate_unknown) can only be for the one hard fault that it fits.

    ``unknown`` are the faults that say "not trusted" and that the alert fits as well: a client that lacks the root says so first.
    """
    openssl = is_openssl(hello)
    is_browser = hello is not None and hello.grease
    if openssl:
        if description not in _OPENSSL_WORDS.get(fault.cause, (description,)):
            return False
        if fault.cause in _OPENSSL_STRENGTH:
            return description == _BAD_CERTIFICATE
    if fault.cause in _ANOTHER_WAY:
        if description == _CERTIFICATE_UNKNOWN and not is_browser:
            return False  # Java says so of a root it has not got, and of dates only in TLS 1.3
        return fault.place == 0  # a client that holds a newer authority of that name does not look at this one
    if fault.cause == "cert-malformed":
        return description == _DECODE_ERROR or not judged.path
    if fault.cause in _PASSED_BY or unknown or (fault.cause in _LOOKED_AT_LATER and not openssl):
        return False
    if fault.cause != "cert-name-mismatch":
        return True
    if description == _CERTIFICATE_UNKNOWN and not is_browser:
        return False  # a Java program that compares no names, as drivers and brokers do, says so of whatever else it minds
    # a certificate that names no host is made for clients that look for another identity in it
    return bool(judged.leaf.names) or not judged.leaf.has_san


def refusal_of(handshake: Handshake, context: Context) -> Refusal | None:
    """The client's refusal: in the handshake, or of a handshake that TLS completed."""
    return context.once(_find_refusal, handshake)


def _find_refusal(handshake: Handshake, context: Context) -> Refusal | None:
    if handshake.outcome == "completed":
        return silent_refusal(handshake, context)
    refusal = refusal_by_client(handshake)
    if refusal is not None and refusal.how == "close" and left_before_the_last(handshake):
        return None  # it had sent its own Finished, and waited for the other: it had judged
    return refusal


def refusal_text(refusal: Refusal) -> str:
    """'with fatal unknown_ca (48)', 'by closing'."""
    if refusal.how == "alert" and refusal.description is not None:
        return f"with {words.alert_name(refusal.description)}"
    return "with an encrypted alert" if refusal.how == "encrypted" else "by closing"
