"""The server takes some connections of this client and closes the further ones: a limit.

Seen:
    The first connections of a client are answered, the next ones closed or reset at once or refused with access_denied (49) or
    internal_error (80), with the same ClientHello, and none is answered after that within a minute.

Means:
    A limit for each address, or a web application firewall, that shuts out who comes too often. Where nobody else was served meanwhile
    it may as well be that the server behind a balancer has gone.

Remedy:
    Raise the limit for that client, let it keep connections open, or spread it over addresses.
    HAProxy: stick-table with conn_rate and tcp-request connection reject; nginx: limit_conn, limit_req; Apache: mod_qos, mod_evasive;
    Envoy: local_ratelimit, connection_limit; IIS: Dynamic IP Restrictions; fail2ban: fail2ban-client status; iptables: hashlimit,
    connlimit; Cloudflare and AWS WAF: rate limiting rules. Java, Go and OpenSSL based clients:
    reuse connections (keep-alive, a pool) and sessions.

Confirm:
    $ for i in $(seq 20); do openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>&1 | grep -c 'Cipher is [^(]'; done
    Run it from another address too.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.rule import NO_ALERT, Rule
from analyzer.diagnosis.rules.application._closes import (
    AT_ONCE,
    CLOSES_AFTER_HELLO,
    close_text,
    first_close,
    look_at_reset,
    nothing_from_server,
)
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_MINUTE = 60_000_000_000
_CLOSED_AT = frozenset({Stage.CONNECTED, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED, Stage.SERVER_ALERT})
_LIMIT_ALERTS = frozenset({49, 80})


class RateLimitClose(Rule):
    """Answered, answered, closed, closed: and the same hello throughout."""

    cause = "rate-limit-close"
    stages = _CLOSED_AT
    outcomes = frozenset({"failed", "no-handshake"})
    alerts = frozenset({NO_ALERT, *_LIMIT_ALERTS})
    alert_from_client = False
    explains = (*CLOSES_AFTER_HELLO, "lb-no-backend", "access-denied", "internal-error", "connect-close-probe")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.aborted_by != "server" or not self._was_shut_out(handshake, context):
            return None
        flow = handshake.flow
        server = (flow.server_address, flow.server_port)
        others = [a for a in context.attempts(handshake, _MINUTE) if (a.server_address, a.server_port) == server]
        before = [a for a in others if a.time < flow.first_seen and a.accepted and _is_like(a, handshake)]
        shut = [a for a in others if not a.accepted and a.aborted_by == "server" and a.stage in _CLOSED_AT]
        first_shut = min([a.time for a in shut], default=flow.first_seen)
        since = min(first_shut, flow.first_seen)
        if len(before) < 2 or not shut or any(a.accepted and a.time > since for a in others):
            return None
        elsewhere = self._served_others(handshake, context, since)
        if elsewhere is False:
            return None  # nobody is served any more: no limit for this client
        evidence = [
            Evidence(
                None, f"{words.count_text(len(before), 'connection')} of this client answered in the minute before, for the same hello"
            ),
            Evidence(None, f"{words.count_text(len(shut) + 1, 'connection')} since then closed by the server, none answered"),
        ]
        close = first_close(handshake)
        if close is not None:
            evidence.append(close_text(close))
        if elsewhere:
            evidence.append(Evidence(None, "other clients are still answered"))
        where = words.server_text(handshake)
        summary = f"{where} answered this client's first {len(before)} connections and closes the further ones: a limit."
        if not elsewhere:
            summary = (
                f"{where} answered this client's first {len(before)} connections and closes the further ones: a limit, or what it "
                "needs for an answer has gone."
            )
        return self.found("likely" if elsewhere else "possible", summary, evidence, outcome="failed", aborted_by="server")

    def _was_shut_out(self, handshake: Handshake, context: Context) -> bool:
        alert = handshake.closing_alert
        if alert is not None:
            return alert.description in _LIMIT_ALERTS and not alert.from_client
        close = first_close(handshake)
        if close is None or close.from_client or not nothing_from_server(handshake):
            return False
        if close.kind == "rst" and look_at_reset(handshake, context, close).own is False:
            return False
        return close.time - (handshake.client_hello_time or handshake.flow.syn_ack_time) <= AT_ONCE

    def _served_others(self, handshake: Handshake, context: Context, since: int) -> bool | None:
        """Whether other clients got an answer since then; None when none tried."""
        profile = context.server(handshake)
        mine = handshake.flow.client_address
        if any(a.client_address != mine and a.time > since for a in profile.accepted):
            return True
        tried = any(a.client_address != mine and a.time > since and a.aborted_by == "server" for a in profile.refused)
        return False if tried else None


def _is_like(attempt: Attempt, handshake: Handshake) -> bool:
    """Whether an earlier hello asked for the same."""
    hello, other = handshake.client_hello, attempt.hello
    if hello is None or other is None:
        return True
    return hello.cipher_suites == other.cipher_suites and hello.server_name == other.server_name and hello.max_version == other.max_version
