"""A certificate of the server ends within thirty days, or has ended.

Seen:
    The leaf or an intermediate of a chain that a client accepted ends within thirty days of the capture, or before it.

Means:
    Unless it is renewed in time, every client that verifies will fail on that day. If it has ended already, the clients that
    went through do not verify.

Remedy:
    Renew it and load it on every node; better, let ACME do it, and watch the days left of what is served, not of the file.
    nginx: nginx -s reload; Apache: apachectl graceful; HAProxy: reload; IIS: bind the new one; Java and Go: restart.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | openssl x509 -noout -dates
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_DAY = 86_400 * 10**9
_SOON = 30


class CertificateEndsSoon(Rule):
    """By whole days."""

    cause = "certificate-ends-soon"
    kind = "posture"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        today = handshake.flow.first_seen // _DAY
        for place, certificate in enumerate(handshake.server_certificates):
            days = certificate.not_after // _DAY - today
            if not certificate.not_after or days > _SOON or (place and certificate.self_issued):
                continue
            which = "The server's certificate" if place == 0 else "An intermediate of the server's certificate"
            when = words.day_text(certificate.not_after)
            left = f"ends in {words.count_text(days, 'day')}" if days >= 0 else f"ended {words.count_text(-days, 'day')} ago"
            return self.found("certain", f"{which} ({words.shown(certificate.common_name, 60)}) {left}, on {when}.")
        return None
