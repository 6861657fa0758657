"""A message came that had no place there.

Seen:
    unexpected_message (10): a handshake message out of order, a second ChangeCipherSpec, application data in the handshake, a
    renegotiation (Go). Older Go says it also of a ServerKeyExchange whose signature does not verify. GnuTLS sends it also when
    its peer has just closed: that is an effect and not counted.

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

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert

_UNEXPECTED = 10
_OTHER_WORDS = frozenset({40, 47, 50, 80})
"""What else is said of it: Haskell's tls says handshake_failure."""


class UnexpectedMessage(AlertRule):
    """Alert 10, or another end of a conversation that the client began with a message that is no ClientHello."""

    cause = "unexpected-message"
    meaning = "a message came that has no place there"
    explains = ("illegal-parameter", "internal-error")

    def hears(self, alert: Alert | None) -> bool:
        return alert is None or alert.description == _UNEXPECTED or (alert.description in _OTHER_WORDS and not alert.from_client)

    def means(self, handshake: Handshake) -> str:
        alert = handshake.closing_alert
        of_server = any(fault.kind == "misbehaviour" and not fault.from_client for fault in handshake.faults)
        if alert is None or not alert.from_client or of_server or handshake.server_key_exchange is None:
            return self.meaning
        return "each message has its place, so it did not take what one says (older Go says so of a signature that does not verify)"

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        alert = handshake.closing_alert
        return [
            Evidence(fault.frame, f"the other side: {fault.says}")
            for fault in handshake.faults
            if fault.kind == "misbehaviour" and alert is not None and fault.from_client != alert.from_client
        ][:3]

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is not None and alert.description == _UNEXPECTED:
            return super().examine(handshake, context)
        if handshake.client_hello is not None or handshake.aborted_by != "server" or handshake.flow.client_gaps:
            return None
        wrong = [fault for fault in handshake.faults if fault.kind == "misbehaviour" and fault.from_client]
        if not wrong or any(not message.from_client and message.kind != "alert" for message in handshake.messages):
            return None
        summary = f"The client began with a message that has no place there, and {words.server_text(handshake)} ended it."
        evidence = [Evidence(wrong[0].frame, f"the client: {wrong[0].says}"), *handshake.closing_evidence]
        return self.found("likely", summary, evidence)
