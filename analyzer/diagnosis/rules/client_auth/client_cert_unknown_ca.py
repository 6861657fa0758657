"""The server does not know the authority that issued the client's certificate.

Seen:
    The client sent a certificate and the server answered unknown_ca (48); Go says bad_certificate (42), Java
    certificate_unknown (46), Node closes without an alert.

Means:
    The issuing root is not in the server's list for clients, or the client sent its certificate without the intermediate
    that leads to it.

Remedy:
    Server: add root and intermediates to its list: nginx: ssl_client_certificate and ssl_verify_depth; Apache:
    SSLCACertificateFile and SSLVerifyDepth; HAProxy: ca-file; Envoy: trusted_ca of the validation context; Java: the trust
    store; Go: ClientCAs; IIS: root into the computer's store, intermediates into Intermediate.
    Client: send the intermediates along (put them behind the leaf in the file).

Confirm:
    $ openssl verify -purpose sslclient -CAfile CA.pem -untrusted INTERMEDIATES.pem CLIENT.pem
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} -cert CLIENT.pem -key CLIENT.key -cert_chain INTERMEDIATES.pem
    The output lists "Acceptable client certificate CA names".
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.client_chain import CLIENT_GENERAL, asked_for_issuer, client_faults, refused_text, sent_evidence, server_refusal
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_UNKNOWN_CA = 48
_GENERAL = frozenset({42, 46})
_SAYS_AS_WELL = "OpenSSL says so as well when it has no revocation list of that authority, or may not look so deep (verify depth)"


class ClientCertUnknownCa(Rule):
    """The server says so; or it gives a general refusal of a faultless certificate whose issuer it did not ask for."""

    cause = "client-cert-unknown-ca"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    alert_from_client = False
    explains = CLIENT_GENERAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = server_refusal(handshake)
        if refusal is None:
            return None
        certificates = handshake.client_certificates
        issuer = f" (issuer {words.shown(certificates[0].issuer)})" if certificates else ""
        evidence = [sent_evidence(handshake, f"the client sent a certificate{issuer}"), *refusal.evidence]
        summary = f"The issuer of the client's certificate{issuer} is not known to the server: {refused_text(handshake, refusal)}."
        asked = asked_for_issuer(handshake)
        if refusal.description == _UNKNOWN_CA:
            if asked is False:
                return self.found("certain", summary, evidence)
            evidence.append(Evidence(None, _SAYS_AS_WELL))
            return self.found("likely", summary, evidence)
        if not certificates or client_faults(handshake) or (refusal.how == "alert" and refusal.description not in _GENERAL):
            return None
        return self.found("likely" if asked is False else "possible", summary, evidence)
