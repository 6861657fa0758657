"""The server was restarted or crashed in the middle of the handshake.

Seen:
    The server resets (or closes) in the middle of a handshake; in the same instant it resets other connections, or right after it new
    connections to it are refused.

Means:
    The process ended. Its kernel resets what was open and refuses what comes until it listens again.

Remedy:
    Let it finish what it has before it goes.
    nginx: nginx -s reload, never restart; Apache: apachectl graceful; HAProxy: a reload with -sf and expose-fd listeners; Envoy: hot
    restart, drain time; IIS: overlapped recycling; Java: a shutdown hook, server.shutdown=graceful; Go: http.Server.Shutdown; Kubernetes: a
    preStop pause and readiness. OpenSSL based and after a crash: the core dump, dmesg (out of memory).

Confirm:
    $ journalctl -u SERVICE --since TIME
    $ dmesg -T | grep -i -e oom -e segfault
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.application._closes import CLOSES_AFTER_HELLO, close_text, first_close, look_at_reset
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_INSTANT = 20_000_000
_WHILE = 30_000_000_000


class ServerRestartMidHandshake(Rule):
    """Other connections of the same server tell."""

    cause = "server-restart-mid-handshake"
    stages = stages_from(Stage.CONNECTED, Stage.FINISHED) - {Stage.CLIENT_NOT_TLS, Stage.SERVER_ALERT}
    outcomes = frozenset({"failed", "no-handshake"})
    alerts = frozenset({NO_ALERT})
    explains = (*CLOSES_AFTER_HELLO, "lb-no-backend", "rate-limit-close", "client-never-speaks")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake)
        if close is None or close.from_client or handshake.closing_alert is not None:
            return None
        if handshake.stage == Stage.CONNECTED and close.kind != "rst":
            return None
        profile = context.server(handshake)
        others = [a for a in (*profile.refused, *profile.accepted) if not _is_same(a, handshake)]
        refused = [a for a in others if a.stage == Stage.REFUSED and 0 <= a.time - close.time <= _WHILE]
        if refused and any(a.accepted and close.time < a.time < max(r.time for r in refused) for a in others):
            refused = []  # it serves others meanwhile: a ban or a limit
        fallen = [a for a in others if a.server_rst_time and close.kind == "rst" and abs(a.server_rst_time - close.time) <= _INSTANT]
        fallen = [a for a in fallen if a.time < close.time - _INSTANT and a.stage != Stage.REFUSED]
        begun = min([a.time for a in fallen], default=close.time)
        spread = close.time - min(begun, handshake.flow.first_seen) > 4 * _INSTANT  # connections of different ages end together
        if not refused and not (fallen and spread):
            return None
        if close.kind == "rst" and look_at_reset(handshake, context, close).own is False:
            return None
        evidence = [close_text(close)]
        if fallen:
            evidence.append(Evidence(None, f"in the same instant the server reset {words.count_text(len(fallen), 'other connection')}"))
        if refused:
            after = words.span_text(min(a.time for a in refused) - close.time)
            evidence.append(Evidence(None, f"{words.count_text(len(refused), 'later attempt')} refused, the first {after} after it"))
        summary = f"{words.server_text(handshake)} went away in the middle of the handshake: restarted or crashed."
        likely = bool(refused) or len(fallen) > 1
        return self.found("likely" if likely else "possible", summary, evidence, outcome="failed", aborted_by="server")


def _is_same(attempt: Attempt, handshake: Handshake) -> bool:
    return attempt.stream == handshake.flow.stream and attempt.capture == handshake.flow.capture
