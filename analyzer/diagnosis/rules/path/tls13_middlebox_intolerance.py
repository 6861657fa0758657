"""A device on the path does not let TLS 1.3 through.

Seen:
    A ClientHello that offers TLS 1.3 is answered by nothing that arrives, or by a reset that is not the server's, while the same client
    gets its ServerHello from the same server as soon as it offers TLS 1.2 only.

Means:
    A firewall or an inspection device follows TLS up to 1.2 and drops or resets what it does not understand: a ServerHello with
    supported_versions, or records that are encrypted too early. (A server that cannot stand the offer itself resets or closes with
    its own packets: that is version-intolerance.)

Remedy:
    Update the device, or exempt the server from inspection: old Cisco Firepower, Palo Alto before 8, Blue Coat ProxySG, some bank and
    school filters. Until then offer TLS 1.2 to that path only:
    curl --tls-max 1.2; OpenSSL MaxProtocol = TLSv1.2; Java -Djdk.tls.client.protocols=TLSv1.2; Go tls.Config.MaxVersion.

Confirm:
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -tls1_3 </dev/null
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
    Both once more from another network: when TLS 1.3 works there, it is the path.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.losses import deliveries
from analyzer.diagnosis.resets import forged_reset, reset_class
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES, same_path
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_TLS13 = 0x0304
_WAITED = 900_000_000


class Tls13MiddleboxIntolerance(Rule):
    """Silence or a forged reset for TLS 1.3, an answer for TLS 1.2."""

    cause = "tls13-middlebox-intolerance"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.SERVER_HELLO)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = frozenset({NO_ALERT})
    explains = ("middlebox-rst-injection", "sni-filter-rst", "pmtu-blackhole-server-flight", "client-hello-unacked", "sni-filter-drop",
                "loss-slow-handshake", *CLOSES, *GUESSES)  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or hello.max_version < _TLS13 or handshake.closing_alert is not None or handshake.aborted_by == "server":
            return None
        if any(version == _TLS13 for version in context.server(handshake).versions) and handshake.server_hello is None:
            return None  # TLS 1.3 passes
        sent, received = deliveries(handshake, context)
        if handshake.server_hello is not None and received.acknowledged > 1:
            return None  # the client has got of it what such a device minds
        older = None
        for attempt in same_path(handshake, context):
            if attempt.hello is None or attempt.server_name != hello.server_name:
                continue
            if attempt.accepted and attempt.hello.max_version < _TLS13 and _passed(attempt):
                older = attempt
        if older is None or older.hello is None:
            return None
        evidence = [hello_evidence(handshake, f"offers {words.offered_versions_text(hello)} in {words.count_text(hello.length, 'byte')}")]
        reset = forged_reset(handshake, context)
        if reset is not None:
            evidence += reset.evidence
        else:
            if handshake.server_hello is not None or handshake.flow.server_bytes or self._waited(handshake, context) < _WAITED:
                return None
            acknowledged = sent.acknowledged >= handshake.client_hello_end
            evidence.append(Evidence(None, f"{'acknowledged, ' if acknowledged else ''}and not one byte of an answer came"))
            if received.vanished:
                evidence.append(Evidence(None, f"the server had sent {received.vanished} bytes that never arrived"))
        later = "afterwards" if older.time > handshake.flow.first_seen else "before"
        evidence.append(
            Evidence(
                None,
                f"{later}, in stream {older.stream}, it offered {words.offered_versions_text(older.hello)} and got a ServerHello",
            )
        )
        summary = f"TLS 1.3 to {words.server_text(handshake)} does not pass a device on the path; TLS 1.2 does."
        if reset is not None:
            kind = reset_class(handshake, reset.segment.frame)
            return self.found("likely", summary, evidence, outcome="failed", aborted_by="middlebox", reset_class=kind)
        sure: Confidence = "likely" if received.vanished or later == "afterwards" else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="unknown")

    def _waited(self, handshake: Handshake, context: Context) -> int:
        flow = handshake.flow
        closed = min((time for time in (flow.client_fin_time, flow.client_rst_time, flow.server_fin_time) if time), default=0)
        return (closed or context.capture(handshake).last_seen) - handshake.client_hello_time


def _passed(attempt: Attempt) -> bool:
    """Whether the ServerHello of TLS 1.2 reached the client: the server's alone may have met the same device."""
    return attempt.outcome == "completed" or attempt.alert is not None or not (attempt.client_rsts or attempt.server_rsts)
