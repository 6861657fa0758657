r"""The certificate demands a stapled OCSP response and the server sends none.

Seen:
    The leaf holds the TLS feature status_request (Must-Staple), the client asked for a staple, none came, and the client
    refused: bad_certificate (42) from GnuTLS, 42 or bad_certificate_status_response (113) from Firefox. Others do not check.

Means:
    The certificate was ordered with Must-Staple, and the server does not staple: off, or the responder is out of its
    reach. nginx sends no staple in its first handshakes after a start.

Remedy:
    Switch stapling on and let the server reach its authority's OCSP responder, or reissue without Must-Staple.
    nginx: ssl_stapling on; ssl_stapling_verify on; resolver ADDRESS; Apache: SSLUseStapling on and SSLStaplingCache;
    HAProxy: ocsp-update on (2.8); IIS: staples by itself. Let's Encrypt no longer issues Must-Staple.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -status </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -ext tlsfeature
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain_rule import GENERAL, RefusalRule
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import FITTING_ALERTS, Refusal
from analyzer.model.finding import Confidence, Finding
from analyzer.model.handshake import Handshake


class OcspMustStapleMissing(RefusalRule):
    """Demanded by the leaf, asked for by the client, not there."""

    cause = "ocsp-must-staple-missing"
    alert_from_client = True
    signs = Oddity.STAPLE
    explains = (*GENERAL, "cert-unknown-ca", "cert-missing-intermediate")

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        hello = handshake.client_hello
        if refusal is None or hello is None or not hello.status_request or handshake.ocsp_response is not None:
            return None
        certificates = handshake.server_certificates
        if not certificates or not certificates[0].must_staple:
            return None
        if refusal.how == "alert" and refusal.description not in FITTING_ALERTS[self.cause]:
            return None
        judged = context.chain(handshake)
        else_wrong = judged is not None and any(problem.hard for problem in judged.problems)
        confidence: Confidence = "possible" if else_wrong else "likely"
        evidence = [message_evidence(handshake, "certificate", False, "the leaf demands a stapled OCSP response, none was sent")]
        summary = f"The certificate of {words.server_text(handshake)} demands a stapled OCSP response and the server sent none."
        return self.found(confidence, summary, [*evidence, *refusal.evidence])
