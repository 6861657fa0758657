r"""The server signs with a key that is not its certificate's.

Seen:
    TLS 1.2 and below: the signature in ServerKeyExchange does not verify with the key of the leaf, and the client answered
    decrypt_error (51), bad_certificate (42) or illegal_parameter (47), or closed.

Means:
    Certificate and private key do not belong together. Most servers refuse to start so; load balancers, key vaults and
    HSMs that hold the two apart do not. Rarely a device on the path exchanged the certificate.

Remedy:
    Deploy the pair anew, on every node.
    nginx: ssl_certificate and ssl_certificate_key; Apache: SSLCertificateFile and SSLCertificateKeyFile; HAProxy: one pem
    with both; Envoy: certificate_chain and private_key; Java: one alias of the key store;
    IIS: certutil -repairstore my.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} </dev/null
    $ openssl x509 -in CERTIFICATE.pem -noout -pubkey | openssl sha256; \
        openssl pkey -in KEY.pem -pubout | openssl sha256
    The two sums must be equal.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain_rule import GENERAL
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.signatures import signature_fits
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert

_DECRYPT_ERROR = 51
_OTHER_FAULTS = frozenset({43, 44, 45, 48, 70, 110, 112, 113, 116, 120})
"""Alerts that no stack sends because of a signature: they speak of the certificate itself, or of something else."""


class CertPrivateKeyMismatch(Rule):
    """Checked with the leaf's own key."""

    cause = "cert-private-key-mismatch"
    stages = AFTER_SERVER_HELLO
    explains = (*GENERAL, "decrypt-error", "illegal-parameter")

    def hears(self, alert: Alert | None) -> bool:
        return alert is None or (alert.from_client and alert.description not in _OTHER_FAULTS)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refusal_of(handshake, context)
        if refusal is None or refusal.description in _OTHER_FAULTS or any(fault.kind == "overlap" for fault in handshake.faults):
            return None
        fits = signature_fits(handshake)
        summary = f"{words.server_text(handshake)} signed with a key that is not its certificate's."
        if fits is False:
            says = "its signature does not verify with the key of the server's certificate"
            evidence = [message_evidence(handshake, "server_key_exchange", False, says), *refusal.evidence]
            return self.found("certain", summary, evidence)
        judged = context.chain(handshake)
        if fits or refusal.description != _DECRYPT_ERROR or judged is None or any(problem.hard for problem in judged.problems):
            return None
        says = "the server signed; the chain itself has no fault that this alert would name"
        return self.found("likely", summary, [message_evidence(handshake, "certificate_verify", False, says), *refusal.evidence])
