"""A record is longer than TLS allows.

Seen:
    record_overflow (22) from nearly every stack, illegal_parameter (47) from Java; or a record header that announces more than
    2^14 bytes and 2048 (TLS 1.2) or 256 (TLS 1.3).

Means:
    In a handshake the bytes are most often not TLS at all (plain HTTP, a banner, a proxy's answer) and only read as a
    length: 48 54 54 50, "HTTP", is a record of 20527 bytes. Otherwise a faulty stack, or a stream out of step after a middlebox.

Remedy:
    Look at the first bytes that side sent: text means a wrong port or a missing "ssl" on the listener.
    nginx: listen 443 ssl; and proxy_pass https://. Apache: SSLEngine on. HAProxy: bind ... ssl; server ... ssl. Envoy: a
    transport_socket on listener or cluster. IIS: an https binding. Java and Go: a TLS socket on that port. OpenSSL: -starttls where
    the protocol has one.

Confirm:
    $ printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} {port} | head -c 200
    $ openssl s_client -connect {connect} {servername} {starttls} -msg </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import ALL_STAGES, NO_ALERT
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, SILENT_ENDS
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_TLS13_RECORD = 16_384 + 256


class RecordOverflow(AlertRule):
    """Alert 22, or an oversized record that was refused otherwise."""

    cause = "record-overflow"
    stages = ALL_STAGES
    alerts = frozenset({NO_ALERT, None, 10, 22, 47, 50})
    explains = (*AFTER_CLOSES, *SILENT_ENDS, "illegal-parameter", "decode-error", "unexpected-message", "non-tls-client-bytes")
    meaning = "a record was longer than TLS allows, or bytes that are not TLS were read as one"

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        found = [Evidence(f.frame, f"a {f.says}") for f in handshake.faults if f.kind == "defect" and f.says.startswith("record of")]
        if handshake.is_tls13:
            found += [
                Evidence(m.frame, f"a record of {m.length} bytes, more than the {_TLS13_RECORD} of TLS 1.3")
                for m in handshake.messages
                if m.kind == "application_data" and m.encrypted and not m.decrypted and m.length > _TLS13_RECORD
            ]
        return found[:3]

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is not None and alert.description == 22:
            finding = super().examine(handshake, context)
            plain = handshake.stage not in AlertRule.stages
            if finding is None or (plain and finding.confidence != "certain"):
                return None
            return finding
        details = self.details(handshake, context)
        if not details or handshake.outcome != "failed" or (alert is not None and alert.description not in (10, 47, 50, None)):
            return None
        oversized_by_client = any(f.from_client for f in handshake.faults if f.says.startswith("record of"))
        if handshake.aborted_by != ("server" if oversized_by_client else "client"):
            return None
        who, other = ("client", "server") if oversized_by_client else ("server", "client")
        summary = f"The {who} sent a record longer than TLS allows, and the {other} ended the connection."
        return self.found("likely", summary, [*details, *handshake.closing_evidence])
