"""The client's certificate has expired.

Seen:
    The client's certificate ended before the capture (or begins after it), and the server refused: certificate_expired (45)
    from OpenSSL, HAProxy, NSS and Python, bad_certificate (42) from Go, certificate_unknown (46) from Java, a close from Node.

Means:
    The certificate was not renewed, or was renewed and the running client still holds the old one. If the dates are
    right, the server's clock is not.

Remedy:
    Renew the client's certificate, put it in place and let the client load it: most read it at start only (Java, Go, curl-based
    daemons); nginx: reload; HAProxy: reload or set ssl cert; Envoy: takes it up by SDS.
    The agents of a service mesh rotate by themselves: look at why this one did not.

Confirm:
    $ openssl x509 -in CLIENT.pem -noout -subject -dates
    On the server:
    $ date -u
"""

from __future__ import annotations

from analyzer.diagnosis.client_chain import CLIENT_GENERAL, client_faults, is_proved, refused_text, sent_evidence, server_refusal
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.refusals import VAGUE_ALERTS
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_EXPIRED = 45
_ACCESS_DENIED = 49
"""What lighttpd on GnuTLS says of any certificate that does not verify."""
_FITTING = frozenset({_EXPIRED, 42, 46})
_LIST_EXPIRED = (
    "a server whose clock is ahead says the same, and OpenSSL when its revocation list has expired: both then refuse every client"
)


class ClientCertExpired(Rule):
    """The dates in the client's certificate, or the server's own word."""

    cause = "client-cert-expired"
    stages = stages_from(Stage.CLIENT_FLIGHT)
    alert_from_client = False
    explains = (*CLIENT_GENERAL, "access-denied")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = server_refusal(handshake)
        if refusal is None:
            return None
        faults = client_faults(handshake)
        fault = next((fault for fault in faults if fault.cause == self.cause), None)
        if fault is None:
            if refusal.description != _EXPIRED:
                return None
            evidence = [sent_evidence(handshake, "the client sent a certificate"), *refusal.evidence]
            evidence.append(Evidence(None, _LIST_EXPIRED))
            hidden = not handshake.client_certificates
            summary = f"The client's certificate has expired, says the server: {refused_text(handshake, refusal)}."
            return self.found("likely" if hidden else "possible", summary, evidence)
        evidence = [sent_evidence(handshake, fault.says), *refusal.evidence]
        if refusal.how == "alert":
            finding = self.found("certain", f"{fault.says}; {refused_text(handshake, refusal)}.", evidence)
            if refusal.description in VAGUE_ALERTS or refusal.description == _ACCESS_DENIED:
                finding.confidence = "likely"
                return finding
            if refusal.description not in _FITTING:
                finding.kind, finding.confidence = "also", "possible"
            elif refusal.description != _EXPIRED and not is_proved(fault, faults, handshake):
                finding.confidence = "likely"
            return finding
        return self.found("likely", f"{fault.says}; {refused_text(handshake, refusal)}.", evidence)
