"""The handshake completed and the application refused the client's certificate, or its absence.

Seen:
    The server asked for a certificate, the client sent none (or one the server did not like), the handshake completed; then one
    short answer and a close by the server: nginx's HTTP 400 "No required SSL certificate was sent" (known by its length), IIS
    403.7, Apache 403.

Means:
    These servers decide about the client's certificate after the handshake, in HTTP. For TLS all went well.

Remedy:
    Client: configure its certificate and key (curl --cert and --key).
    Server: nginx: ssl_verify_client and ssl_client_certificate; Apache: SSLVerifyClient; IIS: SSL settings.
    The HTTP status and the server's log name the reason: nginx logs $ssl_client_verify.

Confirm:
    $ curl -v {resolve} --cert CLIENT.pem --key CLIENT.key https://{name_connect}/
    $ curl -v {resolve} https://{name_connect}/
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.closing import is_alert_sized
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Message, Stage

_SHORT = 2_048
_NGINX_NONE = range(375, 400)
_NGINX_BAD = range(353, 375)
"""Bytes of nginx's two answers, head and page, with its version in it or not: the one says that no certificate came,
the other that it was not accepted."""


class MtlsAppLayerRejection(Rule):
    """By the lengths of nginx's answers, or as PostgreSQL refuses; any other short answer before a close is only mentioned."""

    cause = "mtls-app-layer-rejection"
    stages = frozenset({Stage.FINISHED, Stage.ESTABLISHED})
    outcomes = frozenset({"completed"})
    needs = Oddity.UNCERTIFIED

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if not handshake.client_certificate_requested or not handshake.client_application_records:
            return None
        sent = handshake.client_certificate_sent
        answer, closed = _only_answer(handshake)
        if answer is None:
            return None
        overhead = 17 if handshake.is_tls13 else 24
        length = answer.length - overhead
        where = words.server_text(handshake)
        evidence = [Evidence(answer.frame, f"one answer of {length} bytes, and the end of the connection")]
        if length in (_NGINX_BAD if sent else _NGINX_NONE):
            how = "did not accept the client's certificate" if sent else "asked for a client certificate, got none"
            summary = f"{where} {how}, and said so in HTTP after the handshake: the answer has the length of nginx's refusal."
            return self.found("possible" if sent else "likely", summary, evidence, outcome="failed", aborted_by="server")
        in_session = handshake.dialogue is not None and handshake.dialogue.via == "postgresql"
        if sent is not False or length > _SHORT or not (closed or (in_session and handshake.client_application_records <= 2)):
            return None
        summary = f"{where} asked for a client certificate, got none, and closed after one short answer."
        if in_session:
            return self.found("possible", summary, evidence, outcome="failed", aborted_by="server")
        finding = self.found("possible", summary, evidence)
        finding.kind = "also"
        return finding


def _only_answer(handshake: Handshake) -> tuple[Message | None, bool]:
    """The last record of data after the tickets, when nothing but goodbyes follows; whether the server said goodbye first."""
    done, answer, closed = handshake.client_finished_frame, None, False
    for message in handshake.messages:
        if message.frame <= done:
            continue
        goodbye = message.kind == "alert" or is_alert_sized(message)
        if message.from_client:
            if goodbye:
                return answer, closed
            if answer is not None and not handshake.is_tls13:
                return None, False
        elif goodbye:
            closed = True
        elif message.kind == "application_data":
            answer = message
    return answer, closed
