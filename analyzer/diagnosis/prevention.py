"""What will fail next, told from everything a run showed: a short list after the failures.

Of equals the first in the alphabet comes first: which was learned first depends on how the capture was read.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer import registries
from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context, ServerProfile
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Stage
from analyzer.registries.suite_facts import suite_facts

__all__ = ["find_prevention"]

_DAY = 86_400 * 10**9
_SOON = 30
_TLS12 = 0x0303
_LARGE = 1_400
"""Bytes: a ClientHello with a post-quantum key share is longer, and no longer fits one segment."""
_MOST = 200


def find_prevention(context: Context) -> list[Finding]:
    """Findings of kind 'prevention', the most urgent first."""
    found = [*_ending_certificates(context), *_old_servers(context), *_old_clients(context), *_hello_breakers(context)]
    return found[:_MOST]


def _prevention(cause: str, summary: str, evidence: list[Evidence], confidence: str = "certain") -> Finding:
    return Finding(cause, "certain" if confidence == "certain" else "likely", summary, evidence, kind="prevention")


def _ending_certificates(context: Context) -> list[Finding]:
    """Certificates that end within thirty days of the end of the capture that shows them last, the first to end first."""
    ending: dict[str, tuple[int, str, list[str]]] = {}
    for server, port, name, served in context.chains.served():
        now = context.captures[served.capture].last_seen
        for certificate in served.certificates:
            days = certificate.not_after // _DAY - now // _DAY
            if not certificate.not_after or days > _SOON or (certificate.self_issued and certificate.is_ca):
                continue
            if days < 0 and served.outcome != "completed":
                continue  # it fails already, and is said so
            _, _, where = ending.setdefault(certificate.sha256, (days, certificate.common_name or certificate.subject, []))
            where.append(f"{name or server}:{port}")
    answer = []
    for days, subject, where in sorted((days, subject, sorted(where)) for days, subject, where in ending.values()):
        left = f"ends in {words.count_text(days, 'day')}" if days >= 0 else f"ended {words.count_text(-days, 'day')} ago"
        summary = f"The certificate {words.shown(subject, 60)} {left}; it is served at {words.list_text(where, 3)}."
        answer.append(_prevention("certificate-ends-soon", summary, []))
    return answer


def _servers(context: Context) -> Iterator[tuple[str, ServerProfile]]:
    for address, port in sorted(context.servers):
        profile = context.servers[address, port]
        name = next(iter(profile.names_served), None)
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        yield f"{words.shown(name, 60)} ({where})" if name else where, profile


def _old_servers(context: Context) -> Iterator[Finding]:
    for where, profile in _servers(context):
        offered = [attempt for attempt in profile.accepted if attempt.hello is not None and attempt.hello.max_version >= _TLS12]
        if profile.versions and profile.best_version < _TLS12 and offered:
            evidence = [Evidence(None, f"it chose that in stream {offered[-1].stream}, where the client offered better")]
            best = words.version_text(profile.best_version)
            yield _prevention("weak-version", f"{where} speaks nothing newer than {best}: new clients will refuse it.", evidence)
        weak = [code for code in profile.cipher_suites if (facts := suite_facts(code)) is not None and facts.is_weak]
        if weak:
            times = words.count_text(sum(profile.cipher_suites[code] for code in weak), "handshake")
            summary = f"{where} still chooses {registries.name_of_cipher_suite(weak[0])} ({times})."
            yield _prevention("weak-cipher-suite", summary, [])


def _old_clients(context: Context) -> Iterator[Finding]:
    if context.old_clients:
        named = words.list_text(sorted(context.old_clients), 5)
        summary = f"{words.count_text(len(context.old_clients), 'client')} would fail if TLS 1.0 and 1.1 were switched off: {named}."
        yield _prevention("old-client", summary, [])


def _hello_breakers(context: Context) -> Iterator[Finding]:
    """Servers that answered short hellos and let long ones go unanswered."""
    for where, profile in _servers(context):
        if not profile.answered or profile.largest_hello >= _LARGE:
            continue
        broken = [
            attempt
            for attempt in profile.refused
            if attempt.hello is not None
            and attempt.hello.length >= _LARGE
            and attempt.alert is None
            and attempt.stage in (Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED)
        ]
        if broken:
            evidence = [
                Evidence(None, f"a hello of {a.hello.length} bytes went unanswered in stream {a.stream}") for a in broken[:3] if a.hello
            ]
            summary = f"{where} answers short ClientHellos and not long ones: clients with post-quantum key shares will fail."
            yield _prevention("large-client-hello-intolerance", summary, evidence, "likely")
