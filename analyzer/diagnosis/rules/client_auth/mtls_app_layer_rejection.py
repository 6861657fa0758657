"""The handshake completed and the application refused the client's certificate, or its absence.

Seen:
    The server asked for a certificate, the client sent none (or one the server did not like), the handshake completed; then one
    short answer and a close by the server: nginx's HTTP 400 "No required SSL certificate was sent", IIS 403.7, Apache 403.

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
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_SHORT = 2_048


class MtlsAppLayerRejection(Rule):
    """Mentioned beside a completed handshake, never its cause."""

    cause = "mtls-app-layer-rejection"
    stages = frozenset({Stage.FINISHED, Stage.ESTABLISHED})
    outcomes = frozenset({"completed"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if not handshake.client_certificate_requested or handshake.client_certificate_sent is not False:
            return None
        flow = handshake.flow
        closed = flow.server_fin_frame and (not flow.client_fin_frame or flow.server_fin_frame < flow.client_fin_frame)
        if not closed or not handshake.client_application_records or not 0 < handshake.server_application_bytes <= _SHORT:
            return None
        says = f"{handshake.server_application_bytes} bytes of answer, then the server closed"
        summary = f"{words.server_text(handshake)} asked for a client certificate, got none, and closed after one short answer."
        finding = self.found("possible", summary, [Evidence(flow.server_fin_frame, says)])
        finding.kind = "also"
        return finding
