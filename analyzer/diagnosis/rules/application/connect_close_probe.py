r"""The client connected and closed again without sending a byte: a health check, or a connection opened in advance.

Seen:
    The TCP handshake, then FIN or RST by the client within two seconds, and not one byte from it. Some servers answer that close
    with a fatal alert: decode_error (50) from OpenSSL and Python, unexpected_message (10) from GnuTLS, handshake_failure
    (40) from Java. That alert is an effect and not counted.

Means:
    Nobody tried TLS. Load balancers and orchestrators check ports this way (AWS NLB and ELB, HAProxy check, keepalived,
    Kubernetes tcpSocket probes), browsers open connections they may not need. Server logs call it "TLS handshake error: EOF".

Remedy:
    Nothing is broken. To keep it out of error rates, check with a whole handshake: HAProxy: check-ssl or option ssl-hello-chk;
    AWS: HTTPS health checks on the target group; Kubernetes: httpGet with scheme HTTPS; Envoy: transport_socket_match_criteria
    of the health check; nginx: health_check with proxy_pass https (Plus). IIS behind ARR: a health test URL with https.
    Or leave the checker's addresses out of the alarm. Apache, Java and Go log these on the level of errors: filter "EOF" there.

Confirm:
    Compare the interval of these connections with the interval of the load balancer's health check.
    $ tshark -r CAPTURE -Y '{ip}.addr == {client} && tcp.flags.syn == 1 && tcp.flags.ack == 0' -T fields -e frame.time -e tcp.dstport
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import resets_what_it_has
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import LONG_SILENCE, close_text, first_close, saw_connect
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ConnectCloseProbe(Rule):
    """No byte from the client, and its close came first and soon."""

    cause = "connect-close-probe"
    stages = frozenset({Stage.SYN, Stage.CONNECTED})
    outcomes = frozenset({"failed", "no-handshake"})
    explains = ("decode-error", "unexpected-message")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        close = first_close(handshake)
        if close is None or not close.from_client or flow.client_bytes or not saw_connect(handshake):
            return None
        if handshake.aborted_by == "middlebox":
            return None  # a reset in the client's name
        if handshake.stage == Stage.SYN and not resets_what_it_has(handshake):
            return None
        if any(s.frame == close.frame and s.sequence > 1 for s in handshake.segments):
            return None  # bytes of the client were lost to the capture
        stayed = close.time - (flow.syn_ack_time or flow.first_seen)
        if stayed >= LONG_SILENCE:
            return None
        evidence = [close_text(close), Evidence(None, f"{words.span_text(stayed)} after the SYN-ACK, without a byte before it")]
        evidence += [
            Evidence(alert.frame, f"the server answered the close with {words.alert_text(alert)}: an effect")
            for alert in handshake.alerts
            if not alert.from_client
        ][:1]
        same = sum(
            attempt.stage == handshake.stage and (attempt.stage == Stage.CONNECTED or attempt.client_rsts > 0)
            for attempt in context.attempts(handshake, 3_600_000_000_000)
        )
        if same:
            evidence.append(Evidence(None, f"this client did the same {words.count_text(same, 'more time')} within an hour"))
        where = words.server_text(handshake)
        summary = f"The client connected to {where} and closed without a byte: a health check, or not needed after all."
        return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by="client")
