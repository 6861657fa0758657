"""The server choked on early data (0-RTT).

Seen:
    The ClientHello has early_data and application data follows it before any ServerHello; the server answers unexpected_message (10),
    bad_record_mac (20) or another alert instead of skipping what it does not want. A server that rejects early data in good
    order goes on with the handshake: that is no failure.

Means:
    The client was given a ticket for early data by another server or an older configuration, and this one (often without TLS 1.3)
    does not know how to step over it (RFC 8446 appendix D.3).

Remedy:
    Switch early data off where tickets are made, or roll it out on every node before any of them grants it.
    nginx: ssl_early_data off. HAProxy: no allow-0rtt. Envoy and Apache do not grant it. Go servers neither. Java: none. IIS: none.
    OpenSSL: SSL_CTX_set_max_early_data(0). Clients: after such a failure retry without early data, as browsers do.

Confirm:
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} -tls1_3 -sess_out SESSION.pem
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_3 -sess_in SESSION.pem -early_data REQUEST.txt </dev/null
    Look for "Early data was accepted" or "rejected"; it is "not sent" where the ticket grants none.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, GENERAL_ALERTS, SILENT_ENDS
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_FITTING = frozenset({10, 20, 22, 50, 51, 80})


class EarlyDataRejected(Rule):
    """Early data went out and the server failed over it."""

    cause = "early-data-rejected"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_FLIGHT)
    alerts = frozenset({NO_ALERT, None, *_FITTING})
    alert_from_client = False
    explains = (*GENERAL_ALERTS, *AFTER_CLOSES, *SILENT_ENDS, "refused-encrypted", "ticket-rejected")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or not hello.early_data or handshake.aborted_by != "server":
            return None
        early = [m for m in handshake.messages if m.from_client and m.kind == "application_data"]
        if not early:
            return None
        alert = handshake.closing_alert
        evidence = [
            hello_evidence(handshake, "the hello announces early data"),
            Evidence(early[0].frame, f"early data, {words.count_text(len(early), 'record')}"),
            *handshake.closing_evidence,
        ]
        summary = f"{words.server_text(handshake)} failed over the client's early data instead of skipping it."
        if alert is not None and alert.description in _FITTING:
            return self.found("likely", summary, evidence)
        if handshake.server_hello is None and alert is None:
            return self.found("possible", summary, evidence)
        if alert is not None and alert.description is None:
            return self.found("possible", summary, evidence)
        return None
