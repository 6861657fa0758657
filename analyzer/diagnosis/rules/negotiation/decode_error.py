"""One end could not parse what the other sent.

Seen:
    decode_error (50) (Go: unexpected_message (10)): a length inside a message or extension does not fit, or (rustls, BoringSSL) the
    bytes are not TLS. OpenSSL 3
    and Python also send it when the peer just closed: that is an effect and not counted.

Means:
    A faulty or very old stack, a hello built by hand, or a box that changes messages on the way. Old servers say it to a
    hello in SSLv2 format or of a size they do not expect.

Remedy:
    Find the message it answers (the one before the alert) and look at its lengths in Wireshark; update the end that sent it.
    nginx, Apache, HAProxy, OpenSSL: "length mismatch" or "bad extension" in the log. Envoy: trace log of the connection. IIS:
    event 36887 with code 50. Java: -Djavax.net.debug=ssl:handshake. Go: "error decoding message".

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -trace </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake


class DecodeError(AlertRule):
    """Alert 50."""

    cause = "decode-error"
    alerts = frozenset({10, 47, 50})
    explains = ("unexpected-message", "illegal-parameter")
    meaning = "it could not parse what it was sent"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is not None and alert.description != 50 and not self.details(handshake, context):
            return None  # Go and Java name a hello they cannot parse otherwise; without a defect it is something else
        return super().examine(handshake, context)

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        alert, hello, answer = handshake.closing_alert, handshake.client_hello, handshake.server_hello
        if alert is None:
            return []
        found = [
            Evidence(fault.frame, fault.says)
            for fault in handshake.faults
            if fault.kind == "defect" and fault.from_client != alert.from_client and "parse" in fault.says
        ]
        if not alert.from_client and hello is not None:
            found += [Evidence(handshake.client_hello_frame or None, f"the ClientHello: {says}") for says in hello.defects]
        elif alert.from_client and answer is not None:
            found += [Evidence(handshake.server_hello_frame or None, f"the ServerHello: {says}") for says in answer.defects]
        return found[:3]
