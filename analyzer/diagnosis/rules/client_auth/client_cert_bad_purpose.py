"""The client's certificate is not made for clients.

Seen:
    The extended key usage of the client's certificate lacks clientAuth, and the server refused: unsupported_certificate (43)
    from OpenSSL, bad_certificate (42) or certificate_unknown (46) from others.

Means:
    A server's certificate is used as a client's. Public authorities stopped adding clientAuth in 2025 and 2026, so
    clients that worked with a public certificate fail after its renewal.

Remedy:
    Issue client certificates from a private authority with extendedKeyUsage = clientAuth (Microsoft: template Workstation or
    User Authentication). Do not rely on public certificates for mutual TLS.

Confirm:
    $ openssl x509 -in CLIENT.pem -noout -purpose -ext extendedKeyUsage
    $ openssl verify -purpose sslclient -CAfile CA.pem -untrusted INTERMEDIATES.pem CLIENT.pem
"""

from __future__ import annotations

from analyzer.diagnosis.client_chain import CLIENT_GENERAL, client_faults, is_proved, refused_text, sent_evidence, server_refusal
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.refusals import VAGUE_ALERTS
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Confidence, Finding
from analyzer.model.handshake import Handshake, Stage

_UNSUPPORTED = 43
_FITTING = frozenset({_UNSUPPORTED, 42, 46})


class ClientCertBadPurpose(Rule):
    """Extended key usage without clientAuth."""

    cause = "client-cert-bad-purpose"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    alert_from_client = False
    explains = CLIENT_GENERAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = server_refusal(handshake)
        if refusal is None or (refusal.how == "alert" and refusal.description not in _FITTING | VAGUE_ALERTS):
            return None
        faults = client_faults(handshake)
        fault = next((fault for fault in faults if fault.cause == self.cause), None)
        if fault is None:
            if refusal.description != _UNSUPPORTED:
                return None
            evidence = [sent_evidence(handshake, "the client sent a certificate"), *refusal.evidence]
            summary = f"The client's certificate is not made for clients, says the server: {refused_text(handshake, refusal)}."
            return self.found("likely" if not handshake.client_certificates else "possible", summary, evidence)
        confidence: Confidence = "likely"
        if refusal.description == _UNSUPPORTED or (refusal.description in _FITTING and is_proved(fault, faults, handshake)):
            confidence = "certain"
        evidence = [sent_evidence(handshake, fault.says), *refusal.evidence]
        return self.found(confidence, f"{fault.says}; {refused_text(handshake, refusal)}.", evidence)
