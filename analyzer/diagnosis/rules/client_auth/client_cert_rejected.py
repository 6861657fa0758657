r"""The server refused the client's certificate, and the capture does not show why.

Seen:
    The client's flight held a certificate; then the server sent an alert that names no reason (encrypted in TLS 1.3, or
    bad_certificate, certificate_unknown), or closed at once (Node). Or, below TLS 1.3, all that in a second handshake, which
    the server asked for when it had seen what the client wants.

Means:
    The server does not know the issuer, the certificate has expired or is revoked, an intermediate was not sent with it, or it
    is not made for clients. In TLS 1.3 the client believes the handshake succeeded and learns of it at its first read.

Remedy:
    Read the server's log, which names the reason. nginx: error_log ... debug; Apache: LogLevel ssl:debug; HAProxy: log
    %[ssl_c_verify] and %[ssl_c_err]; Envoy: the access log's DOWNSTREAM_TRANSPORT_FAILURE_REASON; Java:
    -Djavax.net.debug=ssl:handshake; Go: ErrorLog of http.Server; IIS: Schannel events 36874 to 36888.
    Check that the server's list of authorities holds the issuer of the client's certificate, with its intermediates.

Confirm:
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} {version_flag} \
        -cert CLIENT.pem -key CLIENT.key -cert_chain INTERMEDIATES.pem
    The pause is for TLS 1.3, which reports the refusal at the first read only.
    $ openssl verify -purpose sslclient -CAfile CA.pem -untrusted INTERMEDIATES.pem CLIENT.pem
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.client_chain import later_evidence, refused_later, refused_text, sent_evidence, server_refusal
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_BLURRED = frozenset({40, 80})


class ClientCertRejected(Rule):
    """The honest general answer of this family."""

    cause = "client-cert-rejected"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    needs = overturns = Oddity.RENEGOTIATED
    alert_from_client = False
    explains = ("refused-encrypted", "server-closed-mid-handshake")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.outcome == "completed":
            return self._asked_later(handshake)
        refusal = server_refusal(handshake)
        if refusal is None:
            return None
        evidence = [sent_evidence(handshake, "the client sent a certificate"), *refusal.evidence]
        summary = f"The client sent a certificate and {refused_text(handshake, refusal)}."
        if refusal.how == "alert":
            if refusal.description in CERTIFICATE_ALERTS:
                return self.found("certain", summary, evidence)
            return self.found("possible", summary, evidence) if refusal.description in _BLURRED else None
        return self.found("likely", summary, evidence)

    def _asked_later(self, handshake: Handshake) -> Finding | None:
        second = refused_later(handshake)
        if second is None or not second.certificate_sent or second.alert.description not in (None, *_BLURRED, *CERTIFICATE_ALERTS):
            return None
        where, named = words.server_text(handshake), words.alert_text(second.alert)
        summary = f"{where} asked for a client certificate when it saw what was wanted, and refused the client's with {named}."
        evidence = later_evidence(second, "the client began another handshake and sent a certificate in it")
        return self.found("likely", summary, evidence, outcome="failed", aborted_by="server")
