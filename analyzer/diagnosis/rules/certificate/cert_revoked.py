r"""The server's certificate has been revoked.

Seen:
    The client sent certificate_revoked (44), or the OCSP response stapled to the handshake says revoked and the client
    refused. GnuTLS says bad_certificate (42) for it, Chrome certificate_unknown (46).

Means:
    The authority withdrew the certificate: the key leaked, the certificate was replaced, or the authority had to.

Remedy:
    Have a new certificate issued, with a new key if the old one may have leaked, and install it on every node.
    nginx: nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy. IIS: bind the new certificate.
    If it is not revoked in truth, the client uses an old revocation list: refresh that.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -status </dev/null
    $ openssl verify -crl_check -crl_download -untrusted INTERMEDIATES.pem LEAF.pem
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain_rule import RefusalRule
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import FITTING_ALERTS, Refusal
from analyzer.diagnosis.staple import is_about
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_REVOKED = 44
_BAD_STATUS = 113
"""What Java says of a certificate that the stapled response calls revoked."""


class CertRevoked(RefusalRule):
    """The client says so, or the staple does and the client refused."""

    cause = "cert-revoked"
    alert_from_client = True
    signs = Oddity.STAPLE

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        if refusal is None:
            return None
        staple = context.chains.staple(handshake)
        evidence = list(refusal.evidence)
        revoked = staple is not None and staple.status == "revoked" and is_about(staple, handshake.server_certificates)
        if staple is not None and revoked:
            says = f"the stapled OCSP response says revoked since {words.day_text(staple.revoked_at)}"
            evidence.insert(0, message_evidence(handshake, "certificate_status", False, says))
        summary = f"The certificate of {words.server_text(handshake)} has been revoked"
        if refusal.description == _REVOKED:
            return self.found("certain", f"{summary}: the client says so.", evidence)
        if not revoked:
            return None
        fits = refusal.how == "alert" and refusal.description in (*FITTING_ALERTS[self.cause], _BAD_STATUS)
        judged = context.chain(handshake)
        other = judged is not None and any(refusal.description in FITTING_ALERTS.get(problem.cause, ()) for problem in judged.problems)
        sure = fits and (refusal.description == _BAD_STATUS or not other)
        finding = self.found("certain" if sure else "likely", f"{summary}: its own stapled OCSP response says so.", evidence)
        if refusal.how == "alert" and not fits:
            finding.kind, finding.confidence = "also", "possible"
        return finding
