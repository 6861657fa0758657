"""A message came that had no place there.

Seen:
    unexpected_message (10): a handshake message out of order, a second ChangeCipherSpec, application data in the handshake, a
    renegotiation (Go). GnuTLS sends it also when its peer has just closed: that is an effect and not counted.

Means:
    One of the two stacks is faulty, or bytes were lost or added on the way by a proxy.

Remedy:
    Update both ends; take inspecting devices out of the way to see whether it goes.
    nginx, Apache, HAProxy, OpenSSL: the error log names the state ("unexpected message"), more of it with s_client -msg -state.
    Envoy: connection trace log. IIS: event 36887 with code 10. Java: -Djavax.net.debug=ssl:handshake names both messages.
    Go: the error names the type it wanted.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -msg -state </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake


class UnexpectedMessage(AlertRule):
    """Alert 10."""

    cause = "unexpected-message"
    alerts = frozenset({10})
    meaning = "a message came that has no place there"

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        alert = handshake.closing_alert
        return [
            Evidence(fault.frame, f"the other side: {fault.says}")
            for fault in handshake.faults
            if fault.kind == "misbehaviour" and alert is not None and fault.from_client != alert.from_client
        ][:3]
