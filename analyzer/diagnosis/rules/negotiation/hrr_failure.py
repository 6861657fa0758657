"""The handshake did not survive the server's HelloRetryRequest.

Seen:
    The server asks for another key share (a ServerHello with the fixed random of RFC 8446 section 4.1.3), and then: the client
    aborts (illegal_parameter, unexpected_message, a close), or sends no second ClientHello, or one without the share or the
    cookie that was asked for, or the server asks again, refuses it or never answers it.

Means:
    One end's retry is broken, or the second hello reaches another server than the first (a load balancer without
    stickiness, with stateless retries), or a box on the way does not know the second hello.

Remedy:
    Make the retry needless: let the client send a share of a group the server takes (X25519 or P-256 first), or let the server
    take the client's first group.
    nginx: ssl_ecdh_curve X25519:prime256v1. Apache: SSLOpenSSLConfCmd Groups. HAProxy: curves. Envoy: ecdh_curves. Java:
    -Djdk.tls.namedGroups. Go: CurvePreferences. OpenSSL: -groups, Groups in openssl.cnf. IIS: Enable-TlsEccCurve.
    Behind a balancer: share the cookie key, or make it sticky by connection.

Confirm:
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -tls1_3 {groups_flag} -msg </dev/null
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -tls1_3 -groups P-256 </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import first_message, message_evidence
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, GENERAL_ALERTS, SILENT_ENDS
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.hello import ClientHello, ServerHello

_FOR_SUCH = frozenset({10, 40, 47, 50, 109})
"""Alerts for a message that breaks the rules of the retry (RFC 8446 sections 4.1.2 to 4.1.4)."""
_OFTEN = 2
_LONG = 2_000_000_000
"""ns between the first and the last retransmission of a hello that is lost for good, not once."""


class HrrFailure(Rule):
    """A HelloRetryRequest and no ServerHello after it."""

    cause = "hrr-failure"
    stages = stages_from(Stage.SERVER_HELLO, Stage.CLIENT_FLIGHT)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    signs = Oddity.RETRIED
    explains = (*GENERAL_ALERTS, *SILENT_ENDS, *AFTER_CLOSES, "client-timeout", "refused-encrypted")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        retry, hello = handshake.hello_retry, handshake.client_hello
        if retry is None or hello is None or handshake.server_hello is not None:
            return None
        group = words.groups_text([retry.key_share_group]) if retry.key_share_group is not None else "no group"
        evidence = [message_evidence(handshake, "hello_retry_request", False, f"the server asks for a share of {group}")]
        who = words.server_text(handshake)
        if handshake.outcome == "unfinished":
            return self._unanswered(handshake, who, group, evidence)
        fault = _fault(handshake, hello, retry)
        second = handshake.second_client_hello
        if second is not None:
            again = [m for m in handshake.messages if m.kind == "client_hello"][-1]
            evidence.append(Evidence(again.frame, f"the client's second hello has shares of {_shares(second)}"))
        evidence += handshake.closing_evidence
        if fault:
            culprit, says = fault
            evidence.insert(1, Evidence(None, f"{culprit} {says}"))
            closing = handshake.closing_alert
            sure = closing is not None and closing.from_client == (culprit == "the server") and closing.description in _FOR_SUCH
            return self.found("certain" if sure else "likely", f"After {who} asked for a share of {group}, {culprit} {says}.", evidence)
        if second is None:
            if handshake.aborted_by != "client":
                return None
            return self.found("likely", f"The client did not follow the HelloRetryRequest of {who} (a share of {group}).", evidence)
        if handshake.aborted_by == "server":
            says = f"{who} asked for a share of {group}, was sent one and then refused the second hello."
            return self.found("likely" if handshake.closing_alert is not None else "possible", says, evidence)
        if handshake.aborted_by == "client" and handshake.closing_alert is not None:
            return None
        sure = len(_sent_again(handshake)) >= _OFTEN
        summary = f"{who} asked for a share of {group} and never answered the second hello."
        return self.found("likely" if sure else "possible", summary, evidence)

    def _unanswered(self, handshake: Handshake, who: str, group: str, evidence: list[Evidence]) -> Finding | None:
        """Nobody closed: the second hello goes out again and again, longer than a round trip explains."""
        again = _sent_again(handshake)
        if handshake.second_client_hello is None or len(again) < _OFTEN or again[-1].timestamp - again[0].timestamp < _LONG:
            return None
        evidence.append(
            Evidence(again[0].frame, f"the client's second hello is sent {words.count_text(len(again), 'more time')}, unanswered")
        )
        summary = f"{who} asked for a share of {group}, and the second hello never got an answer."
        return self.found("likely", summary, evidence, outcome="failed", aborted_by="unknown")


def _sent_again(handshake: Handshake) -> list[Segment]:
    """Segments of the client that repeat what it sent after the HelloRetryRequest."""
    retry = first_message(handshake, "hello_retry_request")
    return [
        s for s in handshake.segments if s.from_client and s.length and s.retransmission and retry is not None and s.frame > retry.frame
    ]


def _fault(handshake: Handshake, hello: ClientHello, retry: ServerHello) -> tuple[str, str] | None:
    """What one side did against RFC 8446 sections 4.1.2 to 4.2.8: (who, what)."""
    group = retry.key_share_group
    if any("second HelloRetryRequest" in fault.says for fault in handshake.faults):
        return "the server", "asked a second time"
    if group is not None and any(share == group for share, _ in hello.key_shares):
        return "the server", "asked for a share that the first hello had brought"
    if group is None and not retry.cookie_length:
        return "the server", "asked for nothing that would change the hello"
    second = handshake.second_client_hello
    if second is None or first_message(handshake, "hello_retry_request") is None:
        return None
    if group is not None and [share for share, _ in second.key_shares] != [group]:
        return "the client", f"answered with shares of {_shares(second)}"
    if retry.cookie_length and second.cookie_length != retry.cookie_length:
        return "the client", "did not give back the server's cookie"
    return None


def _shares(hello: ClientHello) -> str:
    return words.groups_text([group for group, _ in hello.key_shares])
