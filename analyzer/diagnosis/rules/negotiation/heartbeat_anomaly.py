"""A heartbeat in the middle of the handshake: a probe for Heartbleed.

Seen:
    A record of type heartbeat (24) from the client after the server's flight, where its key exchange should come; then silence, a close,
    or an answer longer than it should be. No client of today sends heartbeats in a handshake (RFC 6520 section 2 forbids it).

Means:
    Someone tests the server, or attacks it (CVE-2014-0160). A long answer is leaked memory of the server.

Remedy:
    Find who sent it: a scanner of your own, or not. If the server answered, treat its keys as known: update OpenSSL to 1.0.1g or
    newer, replace keys and certificates, end sessions.
    nginx, Apache, HAProxy, Envoy: the OpenSSL they are built with counts. IIS, Java and Go were never affected.

Confirm:
    $ nmap {family_flag} -Pn -p {port} --script ssl-heartbleed {nmap_name} {address}
    It prints VULNERABLE, or nothing.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, GENERAL_ALERTS
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class HeartbeatAnomaly(Rule):
    """A heartbeat from the client before its second flight."""

    cause = "heartbeat-anomaly"
    stages = stages_from(Stage.CLIENT_HELLO, Stage.CLIENT_FLIGHT)
    signs = Oddity.HEARTBEAT
    explains = (*AFTER_CLOSES, *GENERAL_ALERTS, "client-timeout", "server-slow")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.client_ccs_frame or handshake.outcome != "failed":
            return None
        beats = [m for m in handshake.messages if m.kind == "heartbeat" and not m.encrypted]
        asked = next((m for m in beats if m.from_client), None)
        if asked is None:
            return None
        answer = next((m for m in beats if not m.from_client), None)
        evidence = [Evidence(asked.frame, f"a heartbeat of {words.count_text(asked.length, 'byte')} in the middle of the handshake")]
        summary = f"The client sent a heartbeat to {words.server_text(handshake)} in place of its key exchange: a probe for Heartbleed."
        if answer is not None:
            evidence.append(Evidence(answer.frame, f"the server answered with {words.count_text(answer.length, 'byte')}"))
            summary = summary[:-1] + ", and it was answered."
        return self.found("likely", summary, [*evidence, *handshake.closing_evidence])
