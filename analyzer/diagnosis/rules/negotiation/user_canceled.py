"""One end called the handshake off for a reason outside TLS.

Seen:
    user_canceled (90) before the handshake was done, then a close. Java from 11 on sends it before every close_notify of TLS 1.3: after a
    handshake that is harmless and not counted.

Means:
    The application gave up: a dialogue was cancelled, a deadline passed, a pool was shut down.

Remedy:
    Look at the application of the end that sent it. Java: -Djavax.net.debug=ssl:handshake shows who called close; a read timeout or
    an interrupted thread are usual. nginx, Apache, HAProxy, Envoy, IIS, OpenSSL and Go do not send it by themselves.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} </dev/null
    It must go through: then the server is not the reason.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, SILENT_ENDS
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class UserCanceled(Rule):
    """Alert 90 in a handshake that did not complete and has no fatal alert."""

    cause = "user-canceled"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    alerts = frozenset({NO_ALERT, 90})
    explains = (*AFTER_CLOSES, *SILENT_ENDS)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = next((a for a in handshake.alerts if a.description == 90), None)
        if alert is None or handshake.outcome != "failed":
            return None
        if handshake.closing_alert is not None and handshake.closing_alert.description != 90:
            return None
        who = words.side(alert.from_client)
        evidence = [Evidence(alert.frame, f"{who} sent {words.alert_text(alert)}")]
        evidence += [other for other in handshake.closing_evidence if other != evidence[0]]
        return self.found(
            "likely",
            f"{who.capitalize()} called the handshake off with user_canceled (90).",
            evidence,
            aborted_by="client" if alert.from_client else "server",
        )
