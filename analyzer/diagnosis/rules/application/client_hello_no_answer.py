"""The server took the ClientHello and never answered.

Seen:
    The ClientHello is acknowledged and not one byte comes back, for seconds: until the client gives up, the server or a balancer
    closes (often after a round 5, 30, 60 or 75 seconds), or the capture has seen ten seconds of silence.

Means:
    The server's kernel took the hello, its program did not react: worker processes stuck or exhausted, waiting for a key in an HSM, for
    OCSP, DNS or entropy; a TCP proxy whose upstream does not answer; or a program that is not TLS and waits for more bytes.

Remedy:
    Look at the server while it happens: ss -ltn (a full accept queue), busy workers, a blocked thread.
    nginx: worker_connections and blocking modules; Apache: mod_status, MaxRequestWorkers; HAProxy: maxconn, timeout connect; Envoy:
    upstream_cx_connect_timeout; IIS: application pool queue, CAPI2 log; Java: jstack, the size of the accept pool; Go: GetCertificate or
    GetConfigForClient that blocks; OpenSSL: engines and providers, the entropy of a virtual machine.

Confirm:
    $ time timeout 60 openssl s_client -connect {connect} {servername} {starttls} </dev/null
    Once more on the server itself, against 127.0.0.1: when that is slow too, the network is not the reason.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, round_trip
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import (
    AT_ONCE,
    close_text,
    closed_unread,
    first_close,
    left_unanswered,
    round_seconds,
    silence,
)
from analyzer.diagnosis.rules.application._where import stopped_within_hello
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_SERVER_TIMEOUT = 4_500_000_000
"""ns: timers of servers and balancers are five seconds and longer; who closes sooner has answered by closing."""


class ClientHelloNoAnswer(Rule):
    """Silence after an acknowledged hello."""

    cause = "client-hello-no-answer"
    stages = frozenset({Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED})
    outcomes = frozenset({"failed"})
    explains = ("server-fin-after-hello", "server-rst-after-hello", "client-closed-mid-handshake", "server-closed-mid-handshake")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.closing_alert is not None and not handshake.closing_alert.from_client:
            return None
        close = first_close(handshake)
        if handshake.aborted_by == "middlebox":
            return None
        acknowledged = handshake.stage == Stage.CLIENT_HELLO or _sent_again(handshake) == 0
        if not left_unanswered(handshake) or not acknowledged:
            return None
        if close is not None and stopped_within_hello(handshake):
            return None  # nobody could answer what never became whole
        if close is not None and closed_unread(handshake, close):
            return None  # it closed a connection that was idle, and the hello crossed that
        end = close.time if close is not None else context.capture(handshake).last_seen
        quiet = silence(handshake, end)
        trip = round_trip(handshake) or 0
        if quiet < max(4 * trip, AT_ONCE if close is None or close.from_client else _SERVER_TIMEOUT):
            return None
        where = words.server_text(handshake)
        whole = not handshake.client_hello_incomplete
        said = "the ClientHello, which was acknowledged" if whole else "a ClientHello that never became whole"
        evidence = [hello_evidence(handshake, said)]
        if close is not None:
            evidence += [Evidence(None, f"{words.span_text(quiet)} of silence"), close_text(close)]
            seconds = round_seconds(handshake, end)
            who = words.side(close.from_client)
            if seconds is not None:
                evidence.append(Evidence(None, f"{who} waited {words.count_text(seconds, 'second')}: a timeout"))
            ending = f"{who} closed after {words.span_text(quiet)}"
        else:
            evidence.append(Evidence(None, f"silence for {words.span_text(quiet)} until the capture ends"))
            ending = f"silence for {words.span_text(quiet)}"
        summary = f"{where} took the ClientHello and never answered: {ending}."
        return self.found("likely", summary, evidence)


def _sent_again(handshake: Handshake) -> int:
    """How often the client repeated bytes; 0 means that the acknowledgment is only missing from what was captured."""
    return sum(1 for s in handshake.segments if s.from_client and s.length and s.retransmission)
