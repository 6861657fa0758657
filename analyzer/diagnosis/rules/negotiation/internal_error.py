"""One end failed inside, for a reason of its own.

Seen:
    internal_error (80). From a server right after the ClientHello: no certificate for the name (Go, Traefik, old Apache), a key it
    cannot use, memory, a broken upstream of a CDN. As a client's very first record: it has no version left to offer (OpenSSL,
    "no protocols available"). Or handshake_failure (40) to an offer of which the server took every part from others.

Means:
    The capture cannot show it: only that end's log can. With TLS 1.1 or older see also legacy-sigalg-seclevel.

Remedy:
    Read the log of the end that sent it, at the time of the alert.
    nginx: error_log ... debug. Apache: LogLevel ssl:trace3. HAProxy: the error in the log line, option dontlog-normal off. Envoy:
    connection trace. IIS: Schannel events 36874 to 36888. OpenSSL: s_client or s_server -state. Java:
    -Djavax.net.debug=ssl:handshake. Go: http.Server.ErrorLog, "GetCertificate". Client without versions: MinProtocol and MaxProtocol
    in openssl.cnf leave nothing between them.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ openssl s_client -connect {connect} -noservername {starttls} </dev/null
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.diagnosis.rules.negotiation._suspects import INSIDE, blamed, weigh_offer
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert


class InternalError(AlertRule):
    """Alert 80."""

    cause = "internal-error"
    alerts = frozenset({40, 80})
    meaning = "it failed inside, and only its own log says why"

    def candidates(self, stage: str, alert: Alert | None) -> Callable[[Handshake, Context], Collection[str]] | None:
        return blamed if alert is not None and alert.description == 40 else None

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None or alert.description == 80:
            return super().examine(handshake, context)
        verdict = weigh_offer(handshake, context)
        if verdict is None or verdict.cause != INSIDE:
            return None
        summary = (
            f"{words.server_text(handshake)} refused the ClientHello with {words.alert_name(alert.description or 0)} although it took "
            "every part of it from others: one of several nodes, a limit, or its certificate may be the reason."
        )
        return self.found(verdict.confidence, summary, verdict.evidence)
