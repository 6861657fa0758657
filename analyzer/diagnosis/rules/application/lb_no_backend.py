r"""A load balancer took the connection and has no server behind it.

Seen:
    The connection is accepted and closed at once, before or right after the ClientHello, for every client and every name,
    after the same short time; or a FIN that acknowledges not a byte of the ClientHello; or a close exactly three seconds after it
    (HAProxy tries a dead server four times, a second apart: only mentioned); or, where the balancer ends TLS, a whole handshake and a
    close in place of any answer.

Means:
    What answers the SYN is not the server: a TCP balancer or proxy accepts first and looks for a target afterwards. All
    targets are down, unhealthy, or not configured (a Kubernetes Service without endpoints). Who closes unheard may as well have
    a rule against the client: HAProxy tcp-request connection reject, nginx stream deny, a limit.

Remedy:
    Bring targets back, or correct the health check that took them out.
    HAProxy: the state of the backend (show servers state), NOSRV or SC in the log; nginx stream: "no live upstreams" in the error log;
    Envoy: UH in the access log, /clusters of the admin port; AWS: healthy targets of the target group; Kubernetes: endpoints of the
    Service; Apache mod_proxy: AH01114; IIS ARR: server farm health; stunnel: "connect: Connection refused". Java and Go servers: see
    that they listen on the port the balancer knows; OpenSSL: s_client against the target itself.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ curl -v {resolve} {url}
    $ kubectl get endpoints
    $ echo 'show stat' | socat stdio /run/haproxy/admin.sock | cut -d, -f1,2,18
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.losses import has_holes
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import (
    AT_ONCE,
    CLOSES_AFTER_HELLO,
    LONG_SILENCE,
    CloseEvent,
    close_text,
    closed_unread,
    first_close,
    nothing_from_server,
    saw_connect,
    silence,
)
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_RETRIES = 3_000_000_000
"""ns: HAProxy's default of three retries to a dead server, one second apart."""
_MARGIN = 60_000_000
_SEVERAL = 3


class LbNoBackend(Rule):
    """A server that accepts and closes, whoever asks for what."""

    cause = "lb-no-backend"
    stages = frozenset({Stage.CONNECTED, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO, Stage.FINISHED, Stage.ESTABLISHED})
    outcomes = frozenset({"failed", "no-handshake", "completed"})
    needs = Oddity.UNANSWERED
    explains = (*CLOSES_AFTER_HELLO, "client-never-speaks")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.server_hello is not None:
            return self._behind_tls(handshake)
        close = first_close(handshake)
        if close is None or close.from_client or (handshake.alerts and not handshake.alerts[0].from_client):
            return None
        if handshake.aborted_by == "middlebox" or handshake.dialogue is not None or not saw_connect(handshake):
            return None
        if not nothing_from_server(handshake):
            return None
        flow, profile = handshake.flow, context.server(handshake)
        if flow.client_bytes and handshake.client_hello is None:
            return None
        where = words.server_text(handshake)
        begun = handshake.client_hello_time if handshake.client_hello_time <= close.time else 0
        took = close.time - (begun or flow.syn_ack_time)
        since = "the ClientHello" if begun else "it was connected"
        evidence = [close_text(close), Evidence(None, f"{words.span_text(took)} after {since}, without a byte")]
        if took <= AT_ONCE:
            others = self._others(handshake, context)
            if profile.answered == 0 and len(others) >= _SEVERAL - 1 and close.kind == "fin" and _differ(others):
                alike = f"{words.count_text(len(others), 'other attempt')} at this server ended the same way, and none was answered"
                evidence.append(Evidence(None, alike))
                summary = f"{where} accepts every connection and closes it: what listens there has no server behind it."
                return self.found("likely", summary, evidence, outcome="failed", aborted_by="server")
            unheard = handshake.client_hello is None and not handshake.client_hello_incomplete
            if profile.answered == 0 and (unheard or closed_unread(handshake, close)):
                if not unheard:
                    evidence.append(hello_evidence(handshake, "the ClientHello, of which the server had no byte when it closed"))
                summary = (
                    f"{where} accepted the connection and closed it before the client could speak: "
                    "no server behind it, or a rule against the client."
                )
                return self.found("possible", summary, evidence, outcome="failed", aborted_by="server")
            return None
        if handshake.client_hello is not None and profile.answered == 0 and abs(took - _RETRIES) <= _MARGIN:
            evidence.append(Evidence(None, "three seconds are what HAProxy takes to give up a dead server"))
            summary = f"{where} took the ClientHello and closed after three seconds: a load balancer that could not reach a server."
            finding = self.found("possible", summary, evidence)
            finding.kind = "also"  # one such close proves nothing
            return finding
        return None

    def _others(self, handshake: Handshake, context: Context) -> list[Attempt]:
        """Other attempts at this server that it closed without a byte."""
        flow = handshake.flow
        return [
            attempt
            for attempt in context.server(handshake).refused
            if (attempt.stream != flow.stream or attempt.capture != flow.capture)
            and attempt.aborted_by == "server"
            and attempt.alert is None
            and attempt.stage in (Stage.CONNECTED, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED)
        ]

    def _behind_tls(self, handshake: Handshake) -> Finding | None:
        """TLS 1.2 completed, the client sent its request, and the server closed in place of any answer."""
        flow = handshake.flow
        if handshake.server_application_records or handshake.is_tls13 or not handshake.client_application_records:
            return None
        if not (flow.server_fin_frame or flow.server_rst_frame) or handshake.client_certificate_requested:
            return None
        close = first_close(handshake)
        if close is None or close.from_client or handshake.renegotiations or any(alert.description != 0 for alert in handshake.alerts):
            return None
        if flow.truncated or has_holes(handshake):
            return None  # the answer may be among what the capture lacks
        asked = next((m for m in handshake.messages if m.from_client and m.kind == "application_data"), None)
        if asked is None or (asked.timestamp, asked.frame) > (close.time, close.frame) or close.time - asked.timestamp > AT_ONCE:
            return None
        if silence(handshake, asked.timestamp - 1) > LONG_SILENCE:
            return None  # what had been idle may have been forgotten on the way, or timed out
        return self._closed_behind(handshake, close, asked.frame)

    def _closed_behind(self, handshake: Handshake, close: CloseEvent, asked: int) -> Finding:
        asking = Evidence(asked, "the client sent its first data")
        evidence = [asking, close_text(close), Evidence(None, "no data of the server before it")]
        where = words.server_text(handshake)
        summary = f"{where} completed TLS and closed at the client's first data: what is behind it cannot be reached."
        if close.kind == "rst":  # of a connection that completed its packets are not kept: whose it is cannot be told
            summary = f"TLS with {where} completed and was reset at the client's first data: no server behind it, or a device on the way."
        return self.found("possible", summary, evidence, outcome="failed", aborted_by="server")


def _differ(attempts: list[Attempt]) -> bool:
    """Whether they are of several clients, or asked for several names: a rule against one of them would not meet all."""
    return len({attempt.client_address for attempt in attempts}) > 1 or len({attempt.server_name for attempt in attempts}) > 1
