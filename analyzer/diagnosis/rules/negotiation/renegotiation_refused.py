"""One side asked to renegotiate and the other refused.

Seen:
    In TLS 1.2 or older, after a handshake: a HelloRequest or a second ClientHello, and no_renegotiation (100), then a close,
    or handshake_failure (40) from OpenSSL, nginx and HAProxy, unexpected_message (10) from Go. The alerts are encrypted: their
    type and length show, their meaning only with keys. Where the client does renegotiate and the server then refuses it over
    its certificate, that is client-cert-missing or client-cert-rejected.

Means:
    The server wants a client certificate for one path only (IIS, Apache), or the client renegotiates by habit; TLS 1.3, HTTP/2,
    Go and rustls know no renegotiation, and most servers forbid it to clients.

Remedy:
    Ask for the client certificate in the first handshake.
    Apache: SSLVerifyClient at server level, not in a Location. IIS: netsh http update sslcert ... clientcertnegotiation=enable.
    nginx and HAProxy: ssl_verify_client and verify are always of the first handshake. Java client:
    -Djdk.tls.rejectClientInitiatedRenegotiation concerns servers; Go client: tls.Config.Renegotiation = RenegotiateOnceAsClient.
    OpenSSL: SSL_OP_NO_RENEGOTIATION and SSL_OP_ALLOW_CLIENT_RENEGOTIATION. Envoy: allow_renegotiation of the upstream context.

Confirm:
    $ (sleep 1; echo R; sleep 2) | openssl s_client -connect {connect} {servername} {starttls} -tls1_2
    The R asks for it: an error after RENEGOTIATING is the refusal.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import first_message
from analyzer.diagnosis.losses import has_holes
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.renegotiations import find_renegotiation
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, GENERAL_ALERTS
from analyzer.model.finding import AbortedBy, Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Message, Stage
from analyzer.model.hello import Alert


class RenegotiationRefused(Rule):
    """no_renegotiation, or a refused second hello or HelloRequest."""

    cause = "renegotiation-refused"
    stages = stages_from(Stage.SERVER_HELLO)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "completed"})
    signs = needs = Oddity.RENEGOTIATED
    explains = (*GENERAL_ALERTS, *AFTER_CLOSES, "refused-encrypted")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if not handshake.alerts or handshake.is_tls13:
            return None
        alert = next((a for a in handshake.alerts if a.description == 100), None)
        request = first_message(handshake, "hello_request", False)
        if alert is not None:
            who, other = words.side(alert.from_client), words.peer_of(alert.from_client)
            evidence = [Evidence(alert.frame, f"{who} sent {words.alert_text(alert)}"), *handshake.closing_evidence]
            side: AbortedBy = "client" if alert.from_client else "server"
            summary = f"{other.capitalize()} asked to renegotiate and {who} refused."
            if handshake.outcome == "completed" and _went_on(handshake, alert):
                finding = self.found("certain", f"{summary[:-1]}; the connection went on.", evidence)
                finding.kind = "also"
                return finding
            return self.found("certain", summary, evidence, outcome="failed", aborted_by=side)
        if has_holes(handshake):
            return None  # without the ChangeCipherSpec before it an encrypted Finished looks like a second handshake
        if handshake.outcome == "completed":
            return self._after_handshake(handshake)
        closing = handshake.closing_alert
        if closing is None or closing.description not in (10, 40):
            return None
        if request is not None and closing.from_client:
            evidence = [Evidence(request.frame, "HelloRequest from the server"), *handshake.closing_evidence]
            return self.found("likely", "The server asked to renegotiate and the client refused.", evidence)
        if handshake.renegotiations and not closing.from_client:
            return self.found("likely", "The client began to renegotiate and the server refused.", handshake.closing_evidence)
        return None

    def _after_handshake(self, handshake: Handshake) -> Finding | None:
        """A handshake message of the client inside the established connection, and an alert in answer to it."""
        asked, answer = _renegotiation(handshake)
        if asked is None:
            return self._server_asked(handshake)
        if answer is None or answer.description == 0 or _went_on(handshake, answer):
            return None
        evidence = [
            Evidence(asked.frame, "a handshake message of the client in the established connection: it begins to renegotiate"),
            Evidence(answer.frame, f"the server sent {words.alert_text(answer)}"),
        ]
        summary = "After the handshake the client began to renegotiate and the server refused."
        confidence: Confidence = "likely" if answer.description is None else "certain"
        return self.found(confidence, summary, evidence, outcome="failed", aborted_by="server")

    def _server_asked(self, handshake: Handshake) -> Finding | None:
        """A HelloRequest inside the established connection, and the client's alert in answer to it."""
        second = find_renegotiation(handshake)
        if second is None or second.begun or second.alert.description == 0 or _went_on(handshake, second.alert):
            return None
        evidence = [
            Evidence(second.asked.frame, "a message of the server in the established connection, as short as only HelloRequest is"),
            Evidence(second.alert.frame, f"the client sent {words.alert_text(second.alert)}"),
        ]
        summary = f"After the handshake {words.server_text(handshake)} asked to renegotiate and the client refused."
        return self.found("likely", summary, evidence, outcome="failed", aborted_by="client")


def _went_on(handshake: Handshake, refusal: Alert) -> bool:
    """Whether the refused side sent data after the refusal: as a warning it ends nothing (RFC 5246 section 7.2.2)."""
    later = handshake.messages[refusal.position + 1 :]
    return any(m.kind == "application_data" and m.from_client != refusal.from_client and m.timestamp > refusal.timestamp for m in later)


def _renegotiation(handshake: Handshake) -> tuple[Message | None, Alert | None]:
    """The client's message after both Finished, and the alert that is the server's next word about it; None for what is missing."""
    finished = handshake.client_finished_frame, handshake.server_finished_frame
    # in another capture frames begin anew: they alone do not tell what came later
    begun = max((place for place, message in enumerate(handshake.messages) if message.frame in finished), default=-1)
    asked: Message | None = None
    for message in handshake.messages[begun + 1 :]:
        if not any(finished) or message.frame <= max(finished) or message.kind == "application_data":
            continue  # data may be on its way when the other side asks
        if asked is None:
            if message.from_client:
                if message.kind not in ("encrypted_handshake", "client_hello"):
                    return None, None  # a hello comes first; what follows a ChangeCipherSpec is none
                asked = message
        elif not message.from_client:
            if message.kind != "alert":
                return asked, None
            return asked, next((a for a in handshake.alerts if a.frame == message.frame and not a.from_client), None)
    return asked, None
