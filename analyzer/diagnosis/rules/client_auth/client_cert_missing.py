r"""The server requires a client certificate and the client sent none.

Seen:
    The server asked (CertificateRequest), the client answered with an empty Certificate, the server refused:
    handshake_failure (40), bad_certificate (42), decode_error (50) or certificate_required (116), by stack.
    In TLS 1.3 without keys: the client's flight holds a record of 25 bytes (an empty Certificate), then the
    server sends a record of an alert's length and closes. Or, below TLS 1.3, the server asks in a second handshake, when
    it has seen what the client wants.

Means:
    The server's policy is mutual TLS, and this client has no certificate configured, or none that fits the
    server's list of authorities. In TLS 1.3 the client believes the handshake succeeded and learns of it at its first read.

Remedy:
    Client: configure a certificate and its key. curl: --cert and --key; Java: -Djavax.net.ssl.keyStore; Go:
    tls.Config.Certificates; Envoy: tls_certificates of the upstream context; nginx: proxy_ssl_certificate; Apache:
    SSLProxyMachineCertificateFile; HAProxy: crt on the server line; Windows: a certificate with its key in the store.
    Server, if the certificate is meant to be optional: nginx: ssl_verify_client optional; Apache: SSLVerifyClient optional;
    HAProxy: verify optional; Envoy: require_client_certificate: false; IIS: SSL settings, client certificates: accept.

Confirm:
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} {version_flag}
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} {version_flag} \
        -cert CLIENT.pem -key CLIENT.key -cert_chain INTERMEDIATES.pem
    The pause is for TLS 1.3, which reports the refusal at the first read only.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.client_chain import CLIENT_GENERAL, later_evidence, refused_later, sent_evidence
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import is_openssl, refusal_by_server
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_NO_CERTIFICATE, _REQUIRED = 41, 116
_FITTING = frozenset({40, 41, 42, 46, 50, _REQUIRED})


class ClientCertMissing(Rule):
    """Asked for, not sent, refused."""

    cause = "client-cert-missing"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    needs = overturns = Oddity.RENEGOTIATED
    alert_from_client = False
    explains = (*CLIENT_GENERAL, "decode-error", "unexpected-message")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.outcome == "completed":
            return self._asked_later(handshake)
        refusal = refusal_by_server(handshake)
        if refusal is None:
            return None
        summary = f"{words.server_text(handshake)} requires a client certificate and the client sent none."
        request = handshake.certificate_request
        listed = len(request.certificate_authorities) if request is not None else 0
        chooses = listed > 0 and not is_openssl(handshake.client_hello)  # it may have one of an authority that is not on the list
        if refusal.description == _REQUIRED and not handshake.client_certificate_sent and not chooses:
            return self.found("certain", summary, refusal.evidence)
        none_sent = handshake.client_certificate_sent is False or _says_none(handshake)
        if not handshake.client_certificate_requested or not none_sent:
            return None
        evidence = [sent_evidence(handshake, "asked for a certificate, the client sent an empty one"), *refusal.evidence]
        if listed:
            number = words.count_text(listed, "authority", "authorities")
            says = f"it accepts certificates of {number}: a client that has one of another may send none"
            evidence.insert(0, message_evidence(handshake, "certificate_request", False, says))
        if refusal.how == "alert":
            if refusal.description not in _FITTING:
                return None
            sure = not handshake.client_certificate_inferred and not chooses
            return self.found("certain" if sure else "likely", summary, evidence)
        return self.found("likely", summary, evidence)

    def _asked_later(self, handshake: Handshake) -> Finding | None:
        second = refused_later(handshake)
        if second is None or second.certificate_sent is not False or second.alert.description not in (None, *_FITTING):
            return None
        summary = f"{words.server_text(handshake)} asked for a client certificate when it saw what was wanted, and the client sent none."
        told = "told from record lengths" if second.alert.description is None else "decrypted with the key log"
        evidence = later_evidence(second, f"the client began another handshake and sent an empty certificate in it ({told})")
        sure = second.alert.description is not None
        return self.found("certain" if sure else "likely", summary, evidence, outcome="failed", aborted_by="server")


def _says_none(handshake: Handshake) -> bool:
    """Whether the client said so with an alert, as in SSL 3.0."""
    return any(alert.from_client and alert.description == _NO_CERTIFICATE for alert in handshake.alerts)
