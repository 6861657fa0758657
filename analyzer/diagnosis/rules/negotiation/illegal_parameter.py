"""A value in a message is not allowed there.

Seen:
    illegal_parameter (47), and nothing in the two hellos that explains it: a key share of the wrong length, an echo of the session id that
    differs, contradictions between extensions, a certificate list beyond the limit (OpenSSL).

Means:
    One stack is faulty or very strict, or a middlebox changed a message.

Remedy:
    Compare both hellos field by field, at both ends when there is a proxy between them. Update the end that sent the odd value.
    nginx, Apache, HAProxy, OpenSSL: the log names the function. Envoy: connection trace log. IIS: event 36887 with code 47. Java:
    -Djavax.net.debug=ssl:handshake names the field. Go: the error of Dial or Handshake does.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -trace </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello
from analyzer.registries.named_groups import KEY_SHARE_LENGTHS


class IllegalParameter(AlertRule):
    """Alert 47."""

    cause = "illegal-parameter"
    alerts = frozenset({47})
    meaning = "a value it was sent is not allowed there"

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        alert, hello = handshake.closing_alert, handshake.second_client_hello or handshake.client_hello
        if alert is None or hello is None:
            return []
        if alert.from_client:
            return _wrong_in_answer(handshake, hello)
        frame = handshake.client_hello_frame or None
        return [
            Evidence(frame, f"the key share of {words.groups_text([group])} has {length} bytes instead of {KEY_SHARE_LENGTHS[group][0]}")
            for group, length in hello.key_shares
            if group in KEY_SHARE_LENGTHS and length != KEY_SHARE_LENGTHS[group][0]
        ][:3]


def _wrong_in_answer(handshake: Handshake, hello: ClientHello) -> list[Evidence]:
    """What the ServerHello of TLS 1.3 must repeat or measure exactly (RFC 8446 sections 4.1.3 and 4.2.8)."""
    answer = handshake.server_hello
    if answer is None or not handshake.is_tls13 or hello.sslv2:
        return []
    frame = handshake.server_hello_frame or None
    found = []
    if answer.session_id != hello.session_id:
        found.append(Evidence(frame, "the ServerHello does not repeat the client's session id"))
    group, length = answer.key_share_group, answer.key_share_length
    wanted = KEY_SHARE_LENGTHS.get(group) if group is not None else None
    if group is not None and wanted is not None and length not in (0, wanted[1]):
        found.append(Evidence(frame, f"the server's key share of {words.groups_text([group])} has {length} bytes instead of {wanted[1]}"))
    return found
