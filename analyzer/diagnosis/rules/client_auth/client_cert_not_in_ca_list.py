"""The client has a certificate, but not from an authority the server asked for, and sent none.

Seen:
    The server's CertificateRequest lists authorities; the client answered with an empty Certificate, though it sends one from
    another issuer elsewhere in the capture; the server refused.

Means:
    Java, Windows and browsers send a certificate only when its issuer is on the server's list. The list lacks this client's
    issuer, or was cut (Schannel stops at 16 KB).

Remedy:
    Add the issuer (root and intermediate) to the server's list: nginx: ssl_client_certificate; Apache: SSLCADNRequestFile or
    SSLCACertificateFile; HAProxy: ca-file; Envoy: trusted_ca; Java: the trust store; IIS: SendTrustedIssuerList = 0, or a
    short ClientAuthIssuer store. Or send no list at all: clients then choose freely.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} </dev/null
    Look at "Acceptable client certificate CA names".
    $ openssl x509 -in CLIENT.pem -noout -issuer
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.client_chain import CLIENT_GENERAL, sent_evidence
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.refusals import is_openssl, refusal_by_server
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class ClientCertNotInCaList(Rule):
    """The client is known to have a certificate from an issuer that is not on the list."""

    cause = "client-cert-not-in-ca-list"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    alert_from_client = False
    explains = (*CLIENT_GENERAL, "client-cert-missing")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refusal_by_server(handshake)
        request = handshake.certificate_request
        if refusal is None or request is None or not request.certificate_authorities or handshake.client_certificate_sent is not False:
            return None
        if is_openssl(handshake.client_hello):
            return None  # it sends the one certificate it was given, whatever the list
        issuers = context.chains.client_issuers(handshake.flow.client_address)
        if not issuers or issuers & set(request.certificate_authorities):
            return None
        listed = words.count_text(len(request.certificate_authorities), "authority", "authorities")
        evidence = [
            message_evidence(handshake, "certificate_request", False, f"the server lists {listed}"),
            sent_evidence(handshake, "the client sent an empty certificate, and one of another issuer elsewhere"),
            *refusal.evidence,
        ]
        summary = f"The client sent no certificate: its issuer is not among the {listed} {words.server_text(handshake)} asked for."
        return self.found("likely", summary, evidence)
