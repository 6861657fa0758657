"""The client closed in the middle of the handshake, without an alert.

Seen:
    FIN, RST or close_notify of the client's own, in the middle of the handshake, with no alert that says why and without the
    silence of a timeout. Where it stopped is in the evidence. Or (only possible) a reset without ACK and no FIN before it: the client's
    host has no such connection any more, and something else had ended it there.

Means:
    The client, or the person in front of it, did not want to go on: a program ended, a page was left, a port was only
    looked at, or the client checks certificates in its own code and closes without a word.

Remedy:
    The reason is in the client's log. Java: -Djavax.net.debug=ssl:handshake; Node: NODE_DEBUG=tls; GnuTLS: GNUTLS_DEBUG_LEVEL=4; Go:
    print the error of Dial; OpenSSL: s_client -msg -state (SSL_DEBUG=1 does nothing); curl: -v. As a client nginx, Apache, HAProxy
    and Envoy name it in the error log; IIS (ARR) in the Schannel events.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} </dev/null
    $ curl -v {resolve} {url}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import is_orphan_reset
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.application._closes import first_close
from analyzer.diagnosis.rules.application._where import stage_text
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ClientClosedMidHandshake(Rule):
    """The honest general answer; it gives way to every other."""

    cause = "client-closed-mid-handshake"
    stages = stages_from(Stage.DIALOGUE, Stage.FINISHED) - {Stage.SERVER_NOT_TLS}
    outcomes = frozenset({"failed"})
    alerts = frozenset({NO_ALERT, 0})
    alert_from_client = True

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if handshake.aborted_by != "client" or (alert is not None and alert.description != 0):
            return None
        dialogue = handshake.dialogue
        if handshake.stage == Stage.DIALOGUE and (dialogue is None or dialogue.state != "agreed"):
            return None
        close = first_close(handshake)
        if alert is None and (close is None or not close.from_client):
            return None
        where = stage_text(handshake)
        if alert is None and handshake.stage != Stage.DIALOGUE and is_orphan_reset(handshake, True):
            return self._orphan(handshake, where)
        how = "said goodbye (close_notify)" if alert is not None else "reset" if close is not None and close.kind == "rst" else "closed"
        summary = f"The client {how} in the middle of the handshake with {words.server_text(handshake)}, {where}."
        return self.found("likely", summary, [*handshake.closing_evidence[:2], Evidence(None, f"it stopped {where}")])

    def _orphan(self, handshake: Handshake, where: str) -> Finding:
        """The client's host answers for a connection that it no longer has: it did not end it here, or not in what was captured."""
        says = "a reset without ACK and no FIN before it: the client's host has no such connection any more"
        evidence = [*handshake.closing_evidence[:2], Evidence(handshake.flow.client_rst_frame, says), Evidence(None, f"it stopped {where}")]
        summary = (
            f"The client's host no longer knew the connection to {words.server_text(handshake)}, {where}: a device on the path had reset "
            "it there, or a translator between forgot it."
        )
        return self.found("possible", summary, evidence, aborted_by="unknown")
