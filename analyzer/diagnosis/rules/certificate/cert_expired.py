"""The server's certificate has expired.

Seen:
    A certificate of the server's chain ended before the time of the capture, and the client refused:
    certificate_expired (45) from OpenSSL, NSS, mbedTLS, wolfSSL and rustls; bad_certificate (42) from Go and GnuTLS;
    certificate_unknown (46) from Java in TLS 1.3 and Chrome; a close without a word from Node and .NET.

Means:
    The certificate was not renewed, or was renewed and not loaded, or one node of several still has the old one.
    An expired intermediate has the same effect as an expired leaf.

Remedy:
    Renew the certificate, put it in place on every node and load it.
    nginx: nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert over the socket.
    Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to the site.
    Java: replace the key store and restart. Go: restart, or use GetCertificate to load it anew.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | openssl x509 -noout -subject -dates
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.refusals import FITTING_ALERTS, refusal_by_client
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake


class CertExpired(Rule):
    """The end of a certificate of the chain lies before the capture."""

    cause = "cert-expired"
    stages = AFTER_SERVER_HELLO
    explains = ("cert-rejected", "client-silent-reject", "refused-encrypted", "client-closed-mid-handshake")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refusal_by_client(handshake)
        if refusal is None:
            return None
        now = handshake.server_hello_time or handshake.flow.first_seen
        for place, certificate in enumerate(handshake.server_certificates):
            if certificate.fault or certificate.not_after >= now:
                continue
            what = "The certificate" if place == 0 else "An intermediate certificate"
            ago = words.span_text(now - certificate.not_after)
            evidence = [
                message_evidence(
                    handshake, "certificate", False,
                    f"{words.shown(certificate.subject)} ended on {words.day_text(certificate.not_after)}",
                ),
                *refusal.evidence,
            ]  # fmt: skip
            summary = f"{what} of {words.server_text(handshake)} had expired {ago} before."
            if refusal.how == "alert":
                fits = refusal.description in FITTING_ALERTS[self.cause]
                return self.found("certain" if fits else "possible", summary, evidence)
            return self.found("likely", summary, evidence)
        return None
