"""The server answered with an extension the client had not sent.

Seen:
    unsupported_extension (110) (Java: unexpected_message (10)) from the client after ServerHello or EncryptedExtensions (those
    are readable with keys only). A server may answer only what was offered (RFC 8446 section 4.2).

Means:
    The server is faulty, or a box on the way took the extension out of the ClientHello.

Remedy:
    Update the server's TLS library, or the inspecting device; compare the ClientHello at both ends.
    nginx, Apache, HAProxy, OpenSSL: custom extensions (SSL_CTX_add_custom_ext) of modules are the usual source. Envoy and Go: an
    update. Java: third-party providers such as Bouncy Castle. IIS: Windows Update.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -tlsextdebug -msg </dev/null
"""

from __future__ import annotations

from analyzer import registries
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert

_UNSUPPORTED = 110
_NAMED = frozenset({_UNSUPPORTED, 47, 10})
"""Alerts for an extension that was not asked for (RFC 8446 section 4.2; Java says unexpected_message)."""
_ANSWERED_UNASKED = frozenset({0xFF01, 44})


class UnsupportedExtension(AlertRule):
    """Alert 110."""

    cause = "unsupported-extension"
    alerts = frozenset({10, 40, 47, 50, 80, 110})
    meaning = "the answer holds an extension that was not offered"
    explains = ("illegal-parameter", "unexpected-message", "decode-error", "internal-error")

    def hears(self, alert: Alert | None) -> bool:
        return super().hears(alert) and alert is not None and (alert.from_client or alert.description == 110)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is not None and alert.description != _UNSUPPORTED and not self.details(handshake, context):
            return None
        finding = super().examine(handshake, context)
        if finding is not None and alert is not None and alert.description not in _NAMED:
            finding.confidence = "likely"  # a client may pass the extension by and mean something else
        return finding

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        alert, hello, answer = handshake.closing_alert, handshake.client_hello, handshake.server_hello or handshake.hello_retry
        if alert is None or not alert.from_client or hello is None or answer is None or hello.defects or handshake.client_hello_incomplete:
            return []
        unasked = [e for e in answer.extension_types if e not in hello.extension_types and e not in _ANSWERED_UNASKED]
        frame = handshake.server_hello_frame or None
        return [Evidence(frame, f"the server answered {registries.name_of_extension(e)}, which was not offered") for e in unasked[:3]]
