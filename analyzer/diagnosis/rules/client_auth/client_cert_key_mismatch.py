r"""The client could not prove that it holds the key of its certificate.

Seen:
    The client sent a certificate and CertificateVerify, and the server answered decrypt_error (51); or the client gave up with
    internal_error (80) where its CertificateVerify should have come.

Means:
    Certificate and key of the client do not belong together, or the key cannot make the signature: smartcards, TPMs and
    old HSMs cannot do RSA-PSS, which TLS 1.3 demands.

Remedy:
    Configure the matching pair. For a key that cannot do PSS: limit the connection to TLS 1.2, update the driver (minidriver,
    PKCS#11 module, TPM firmware), or use an ECDSA key.

Confirm:
    $ openssl x509 -in CLIENT.pem -noout -pubkey
    $ openssl pkey -in CLIENT.key -pubout
    The two must be equal.
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} -tls1_2 \
        -cert CLIENT.pem -key CLIENT.key -cert_chain INTERMEDIATES.pem
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.client_chain import CLIENT_GENERAL, refused_text, sent_evidence, server_refusal
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import first_message
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_DECRYPT_ERROR = 51
_INTERNAL_ERROR = 80
_SAYS_AS_WELL = (
    "OpenSSL says so as well of a certificate that an authority of the right name signed with another key (it was made anew), "
    "and of a Finished that does not verify"
)


class ClientCertKeyMismatch(Rule):
    """The proof failed, or never came."""

    cause = "client-cert-key-mismatch"
    stages = stages_from(Stage.SERVER_HELLO)
    alerts = frozenset({_DECRYPT_ERROR, _INTERNAL_ERROR})
    explains = (*CLIENT_GENERAL, "internal-error")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None:
            return None
        if not alert.from_client:
            refusal = server_refusal(handshake)
            if refusal is None or alert.description != _DECRYPT_ERROR:
                return None
            evidence = [sent_evidence(handshake, "the client sent a certificate"), *refusal.evidence]
            summary = f"The client's signature does not fit its certificate: {refused_text(handshake, refusal)}."
            evidence.append(Evidence(None, _SAYS_AS_WELL))
            return self.found("likely", summary, evidence)
        asked = handshake.client_certificate_requested and handshake.client_certificate_sent is not False
        if alert.description != _INTERNAL_ERROR or not asked or first_message(handshake, "certificate_verify", True):
            return None
        summary = f"The client gave up ({words.alert_text(alert)}) when it had to sign for its certificate."
        return self.found("possible", summary, list(handshake.closing_evidence))
