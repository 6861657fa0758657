"""The client's clock is wrong.

Seen:
    The client says certificate_expired (45), or refuses a certificate issued within the last two days, though every date of
    the chain was right at the time of the capture. Or the clock that old stacks write into their ClientHello is far off.

Means:
    The client judges dates by a clock that is days or years off: a device without a battery after a power cut, a
    restored virtual machine, a container host without time service.

Remedy:
    Set the client's clock and keep it set (chrony, systemd-timesyncd, w32time). Devices without a clock should take the
    time from the network before their first TLS connection.

Confirm:
    On the client:
    $ date -u
    $ openssl s_client -connect {connect} {servername} {starttls} -verify_return_error </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain import FIRST_DAY
from analyzer.diagnosis.chain_rule import GENERAL
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.refusals import is_openssl
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello

_EXPIRED = 45
_BAD = 42
_GENERAL = frozenset({42, 46})
_DAY = 86_400 * 10**9
_FRESH = 2 * _DAY


class ClockSkew(Rule):
    """The dates are right; the client thinks otherwise."""

    cause = "clock-skew"
    stages = AFTER_SERVER_HELLO
    alerts = _GENERAL | {_EXPIRED}
    alert_from_client = True
    explains = (*GENERAL, "cert-expired", "cert-not-yet-valid", "cert-pinning")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refusal_of(handshake, context)
        if refusal is None or refusal.description not in _GENERAL | {_EXPIRED}:
            return None
        judged = context.chain(handshake)
        if judged is None:
            known = context.chains.elsewhere(handshake)
            judged = known[0] if known is not None else None
        if judged is None or judged.of("cert-expired") or judged.of("cert-not-yet-valid") or not judged.leaf.not_after:
            return None
        if judged.time < FIRST_DAY:
            return None  # the capture's own clock was never set
        offset = _clock_offset(handshake, context)
        if offset is not None:
            ahead = "ahead" if offset > 0 else "behind"
            says = f"the client's clock, as its hellos tell it, is {words.span_text(offset)} {ahead}"
            evidence = [hello_evidence(handshake, says), *refusal.evidence]
            return self.found("likely", f"The client's clock is {words.span_text(offset)} {ahead}; the dates are right.", evidence)
        if refusal.description == _EXPIRED:
            summary = f"The client calls the certificate of {words.server_text(handshake)} expired, and it is not: its clock is wrong."
            whole = judged.certificates[judged.path[-1]].self_issued if judged.path else False
            if whole and not is_openssl(handshake.client_hello):
                return self.found("likely", summary, refusal.evidence)
            else_says = Evidence(None, "the root in the client's own store may have expired; OpenSSL says the same of a revocation list")
            return self.found("possible", f"{summary[:-1]}, or what it checks the certificate with.", [*refusal.evidence, else_says])
        age = judged.time - judged.leaf.not_before
        if not 0 <= age < _FRESH or any(problem.hard for problem in judged.problems):
            return None
        evidence = [message_evidence(handshake, "certificate", False, f"the certificate is {words.span_text(age)} old"), *refusal.evidence]
        if refusal.description == _BAD and is_openssl(handshake.client_hello):
            summary = f"The certificate is {words.span_text(age)} old and not yet valid for the client: its clock is behind."
            return self.found("likely", summary, evidence)
        if judged.trusted or context.server(handshake).completed:
            summary = f"The certificate is {words.span_text(age)} old and right in all else: the client's clock may be behind."
            return self.found("possible", summary, evidence)
        return None


def _clock_offset(handshake: Handshake, context: Context) -> int | None:
    """How far the client's clock is ahead, ns, when two of its hellos tell the same (gmt_unix_time, RFC 5246 section 7.4.1.2)."""
    hello = handshake.client_hello
    if hello is None:
        return None
    mine = _offset(hello, handshake.client_hello_time or handshake.flow.first_seen)
    if mine is None or abs(mine) < _DAY:
        return None
    for other in context.attempts(handshake, 10 * _DAY, same_server=False):
        theirs = _offset(other.hello, other.time) if other.hello is not None else None
        if theirs is not None and abs(theirs - mine) < 10 * 10**9:
            return mine
    return None


def _offset(hello: ClientHello, now: int) -> int | None:
    if len(hello.random) != 32 or hello.max_version > 0x0303:
        return None
    return int.from_bytes(hello.random[:4], "big") * 10**9 - now
