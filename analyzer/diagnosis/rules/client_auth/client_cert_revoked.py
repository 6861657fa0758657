"""The client's certificate has been revoked.

Seen:
    The client sent a certificate and the server answered certificate_revoked (44).

Means:
    The certificate is on the server's revocation list. If every client is refused at once, the list itself is out of
    date: a server with an expired list refuses all (certificate_expired from OpenSSL; unknown_ca where it has none).

Remedy:
    Give the client a new certificate. Keep the server's list fresh: nginx: ssl_crl; Apache: SSLCARevocationFile with
    SSLCARevocationCheck chain; HAProxy: crl-file; Envoy: crl of the validation context; reload after every update.

Confirm:
    $ openssl crl -in LIST.pem -noout -lastupdate -nextupdate
    $ openssl verify -crl_check -CAfile CA.pem -CRLfile LIST.pem -untrusted INTERMEDIATES.pem CLIENT.pem
"""

from __future__ import annotations

from analyzer.diagnosis.client_chain import CLIENT_GENERAL, refused_text, sent_evidence, server_refusal
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class ClientCertRevoked(Rule):
    """The server's own word."""

    cause = "client-cert-revoked"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    alerts = frozenset({44})
    alert_from_client = False
    explains = CLIENT_GENERAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = server_refusal(handshake)
        if refusal is None:
            return None
        evidence = [sent_evidence(handshake, "the client sent a certificate"), *refusal.evidence]
        return self.found("certain", f"The client's certificate has been revoked: {refused_text(handshake, refusal)}.", evidence)
