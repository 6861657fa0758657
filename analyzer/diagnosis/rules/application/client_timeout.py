"""The client stopped waiting.

Seen:
    FIN or RST by the client, without an alert, after a second or more without progress by the server; most often a round
    number of seconds after it connected, sent its ClientHello or heard the last byte. Or an answer, or even the SYN-ACK, that
    comes to a client that has gone, which its reset shows; captured at the server a FIN that acknowledges nothing of the answer.

Means:
    The client's own timer ran out: it says when the attempt ended, and seldom why. What the server did not do in that
    time is the reason; where that can be told it is the cause, and this stands beside it.

Remedy:
    First find out why the server was late. Then, if the time is simply too short, give it more:
    curl: --connect-timeout; Go: TLSHandshakeTimeout of http.Transport (10 s); Java: soTimeout, connectTimeout; nginx:
    proxy_connect_timeout; Apache: ProxyTimeout, connectiontimeout; HAProxy: timeout connect, timeout check; Envoy: connect_timeout (5 s);
    IIS ARR: time-out of the proxy settings; OpenSSL: s_client has none.

Confirm:
    $ time timeout 60 openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ curl -v --connect-timeout 60 {resolve} {url}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import closed_before_reading, is_orphan_reset
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.application._closes import AT_ONCE, CloseEvent, close_text, first_close, round_seconds, silence
from analyzer.diagnosis.rules.application._where import stopped_within_hello
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ClientTimeout(Rule):
    """A qualifier: the cause only where the server did answer, too late."""

    cause = "client-timeout"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_FLIGHT) | {Stage.SYN}
    outcomes = frozenset({"failed", "no-handshake"})
    alerts = frozenset({NO_ALERT})
    explains = ("client-closed-mid-handshake",)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake)
        if close is None or not close.from_client or handshake.closing_alert is not None:
            return None
        if handshake.aborted_by == "middlebox":
            return None
        if handshake.stage == Stage.SYN:
            return self._gone_before_connected(handshake, close)
        answer = handshake.server_hello_frame
        late = answer > close.frame or (answer > 0 and closed_before_reading(handshake, close.frame, answer))
        heard = [m for m in handshake.messages if not m.from_client and m.frame < close.frame]
        begin = max(handshake.client_hello_time, heard[-1].timestamp if heard else 0)
        waited = close.time - begin if late else silence(handshake, close.time)
        seconds = round_seconds(handshake, close.time)
        if not self._waits_for_server(handshake, late):
            return None
        if waited < AT_ONCE:
            if seconds is None or close.time - handshake.flow.syn_time < 0.9 * AT_ONCE:
                return None
            waited = close.time - handshake.flow.syn_time  # a time for all of it, from the SYN on
        where = words.server_text(handshake)
        evidence = [Evidence(None, f"{words.span_text(waited)} without progress"), close_text(close)]
        if seconds is not None:
            evidence.append(Evidence(None, f"the client had waited {words.count_text(seconds, 'second')}: a timeout"))
        if late:
            return self._late(handshake, close, waited, evidence)
        summary = f"The client gave up waiting for {where} after {words.span_text(waited)}."
        return self.found("possible", summary, evidence)

    def _gone_before_connected(self, handshake: Handshake, close: CloseEvent) -> Finding | None:
        """The SYN-ACK came to a host that waited for it no more, as its reset says."""
        flow = handshake.flow
        waited = flow.syn_ack_time - flow.syn_time
        if not flow.syn_frame or not flow.syn_ack_frame or flow.ack_frame or close.time < flow.syn_ack_time or waited < 0.9 * AT_ONCE:
            return None
        if not is_orphan_reset(handshake, True):
            return None
        where = words.server_text(handshake)
        evidence = [
            Evidence(flow.syn_ack_frame, f"the SYN-ACK, {words.span_text(waited)} after the first of {words.count_text(flow.syns, 'SYN')}"),
            Evidence(close.frame, "the client's host has no such connection any more"),
        ]
        summary = f"The client had given up on {where} when the SYN-ACK came, {words.span_text(waited)} after its first SYN."
        return self.found("likely", summary, evidence, outcome="failed", aborted_by="client")

    def _waits_for_server(self, handshake: Handshake, late: bool) -> bool:
        """Whether it was the server's turn: after the client's hello or second flight, or in the middle of its own."""
        if late or handshake.server_hello is None:
            return late or not stopped_within_hello(handshake)
        if handshake.stage == Stage.CLIENT_FLIGHT:
            return True
        return not any(m.kind == "server_hello_done" for m in handshake.messages) and not handshake.server_finished_frame

    def _late(self, handshake: Handshake, close: CloseEvent, waited: int, evidence: list[Evidence]) -> Finding:
        after = handshake.server_hello_time - close.time
        says = (
            f"the server's answer, {words.span_text(after)} after that" if after > 0 else "the server's answer, on its way when it closed"
        )
        evidence.append(Evidence(handshake.server_hello_frame, says))
        summary = f"The client gave up on {words.server_text(handshake)} after {words.span_text(waited)}; the answer came too late."
        return self.found("possible" if handshake.flow.retransmissions else "likely", summary, evidence)
