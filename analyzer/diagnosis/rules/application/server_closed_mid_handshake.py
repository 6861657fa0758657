"""The server closed in the middle of the handshake, without an alert.

Seen:
    FIN or RST of the server's own after its ServerHello (or in the middle of a ClientHello, or after it had agreed to TLS), with no
    alert that says why. Where it stopped is in the evidence. An alert of the client after that is an effect.

Means:
    The server's program gave up or died: a crash, a restart, a time limit, a refusal by a stack that sends no alerts (Node refuses
    client certificates so), a proxy whose upstream broke off.

Remedy:
    The reason is in the server's log at that time.
    nginx: error_log ... debug; Apache: LogLevel ssl:trace4; HAProxy: the termination state and "SSL handshake failure"; Envoy:
    connection trace log; IIS: Schannel events, the WER reports of w3wp; Java: -Djavax.net.debug=ssl:handshake; Node: the event
    tlsClientError; Go: http.Server.ErrorLog; OpenSSL: s_server -msg -state.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -msg -state </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.application._closes import first_close, left_unanswered, look_at_reset
from analyzer.diagnosis.rules.application._where import stage_text
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ServerClosedMidHandshake(Rule):
    """The honest general answer; it gives way to every other."""

    cause = "server-closed-mid-handshake"
    stages = stages_from(Stage.DIALOGUE, Stage.FINISHED) - {Stage.SERVER_NOT_TLS}
    outcomes = frozenset({"failed"})
    alerts = frozenset({NO_ALERT, 0})
    alert_from_client = False

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if handshake.aborted_by != "server" or (alert is not None and alert.description != 0):
            return None
        stage, dialogue = handshake.stage, handshake.dialogue
        if stage == Stage.DIALOGUE and (dialogue is None or dialogue.state != "agreed"):
            return None
        before = stage in (Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED)
        if before and handshake.client_hello is not None and left_unanswered(handshake):
            return None  # server-fin-after-hello and server-rst-after-hello say it better
        close = first_close(handshake)
        if alert is None and (close is None or close.from_client):
            return None
        where = stage_text(handshake)
        evidence = [*handshake.closing_evidence[:2], Evidence(None, f"it stopped {where}")]
        if close is not None and close.kind == "rst":
            look = look_at_reset(handshake, context, close)
            if look.says:
                evidence.append(Evidence(close.frame, f"the reset: {look.says}"))
            if look.own is False:
                who = words.server_text(handshake)
                summary = f"A reset in the name of {who} ended the handshake, {where}; it does not look like the server's own."
                return self.found("possible", summary, evidence)
            if look.doubtful:
                summary = f"A reset in the name of {words.server_text(handshake)} ended the handshake, {where}: its own, or a device's."
                return self.found("possible", summary, evidence, aborted_by="unknown")
        how = "reset" if close is not None and close.kind == "rst" else "closed"
        if alert is not None:
            how = "said goodbye (close_notify)"
        summary = f"{words.server_text(handshake)} {how} in the middle of the handshake, {where}."
        # in TLS 1.3 both have spoken their last word then: a server without tickets may as well have been content
        sure: Confidence = "possible" if handshake.is_tls13 and stage == Stage.FINISHED else "likely"
        return self.found(sure, summary, evidence)
