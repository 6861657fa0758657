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
    $ psql -w "host={address} port={port} sslmode=require sslcert=CLIENT.pem sslkey=CLIENT.key" -c 'select 1'
    $ curl -v {resolve} --cert CLIENT.pem --key CLIENT.key {url}
    $ curl -v {resolve} {url}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.answers import SHORT, read_answer
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class MtlsAppLayerRejection(Rule):
    """By the lengths of nginx's answers, or as PostgreSQL refuses; any other short answer before a close is only mentioned."""

    cause = "mtls-app-layer-rejection"
    stages = frozenset({Stage.FINISHED, Stage.ESTABLISHED})
    outcomes = frozenset({"completed"})
    needs = Oddity.UNCERTIFIED
    overturns = Oddity.REJECTED

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if not handshake.client_certificate_requested or not handshake.client_application_records:
            return None
        sent = handshake.client_certificate_sent
        answer = read_answer(handshake)
        if answer is None:
            return None
        length = answer.length
        where = words.server_text(handshake)
        evidence = [Evidence(answer.frame, f"one answer of {length} bytes, and the end of the connection")]
        if answer.is_nginx:
            how = "did not accept the client's certificate" if sent else "asked for a client certificate, got none"
            summary = f"{where} {how}, and said so in HTTP after the handshake: the answer has the length of nginx's refusal."
            return self.found("possible" if sent else "likely", summary, evidence, outcome="failed", aborted_by="server")
        in_session = handshake.dialogue is not None and handshake.dialogue.via == "postgresql"
        if sent is not False or length > SHORT or not (answer.closed or (in_session and handshake.client_application_records <= 2)):
            return None
        summary = f"{where} asked for a client certificate, got none, and closed after one short answer."
        if in_session:
            return self.found("possible", summary, evidence, outcome="failed", aborted_by="server")
        finding = self.found("possible", summary, evidence)
        finding.kind = "also"
        return finding
