"""The server fails on values it does not know (GREASE).

Seen:
    Hellos with GREASE values (0x0A0A, 0x1A1A ... RFC 8701), as Chrome and other BoringSSL clients send, are refused or not answered, while
    hellos without them, that offer what the server then chose just the same, get a ServerHello.

Means:
    The server, or a box before it, does not skip unknown suites, groups or extensions, as it must (RFC 8446 section 9.3). The next
    extension anyone invents will break it too.

Remedy:
    Update the server or the appliance before it. There is no switch in browsers; as a stopgap use another client.
    nginx, Apache, HAProxy, Envoy, IIS, Java and Go skip unknown values: look for a balancer, firewall or inspection device before
    them, or code that parses hellos by hand.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    It goes through, for OpenSSL sends no GREASE; a Chromium browser to the same address does not.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.negotiation._refused import GENERAL_ALERTS, SILENT_ENDS
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_VAGUE = frozenset({None, 10, 20, 40, 47, 50, 70, 80})
_ENOUGH = 2


class GreaseIntolerance(Rule):
    """Only hellos with GREASE fail at this server."""

    cause = "grease-intolerance"
    stages = BEFORE_SERVER_HELLO
    alerts = _VAGUE | {NO_ALERT}
    explains = (*SILENT_ENDS, *(cause for cause in GENERAL_ALERTS if cause != "insufficient-security"))

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, alert = handshake.client_hello, handshake.closing_alert
        if hello is None or not hello.grease or handshake.outcome != "failed" or handshake.aborted_by in ("client", "middlebox"):
            return None
        if (alert.description if alert is not None else None) not in _VAGUE:
            return None
        profile = context.server(handshake)
        taken = [a for a in profile.accepted if a.hello is not None and a.server_hello is not None]
        if len(taken) < _ENOUGH or any(a.hello is not None and a.hello.grease for a in taken):
            return None
        refused = [a for a in profile.refused if a.hello is not None]
        if any(a.hello is not None and not a.hello.grease for a in refused) or len(refused) < _ENOUGH:
            return None
        alike = [
            a
            for a in taken
            if a.server_hello is not None
            and a.server_hello.cipher_suite in hello.cipher_suites
            and a.hello is not None
            and a.hello.max_version == hello.max_version
        ]
        if not alike:
            return None
        evidence = [
            hello_evidence(handshake, "the hello holds GREASE values"),
            *handshake.closing_evidence,
            Evidence(
                None,
                f"{words.count_text(len(taken), 'hello')} without them got a ServerHello, "
                f"{words.count_text(len(refused), 'hello')} with them got none",
            ),
        ]
        return self.found("possible", f"{words.server_text(handshake)} fails on hellos with GREASE values, and only on those.", evidence)
