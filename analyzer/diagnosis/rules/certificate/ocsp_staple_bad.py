"""The OCSP response stapled to the handshake is bad or out of date.

Seen:
    A stapled OCSP response that cannot be used, is older than its nextUpdate or newer than the capture; the client
    answered bad_certificate_status_response (113), bad_certificate (42) or just closed.

Means:
    The server cannot reach its authority's OCSP responder (firewall, DNS, no resolver configured), keeps an old
    response, or its clock is wrong.

Remedy:
    Let the server refresh its staple. nginx: ssl_stapling on; ssl_stapling_verify on; resolver ADDRESS;
    Apache: SSLUseStapling on, SSLStaplingReturnResponderErrors off;
    HAProxy: ocsp-update on (2.8) or a fresh .ocsp file and set ssl ocsp-response;
    IIS staples by itself and needs the way out to the responder.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -status </dev/null
    Look at This Update, Next Update and the status.
"""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.diagnosis import words
from analyzer.diagnosis.chain import FIRST_DAY
from analyzer.diagnosis.chain_rule import GENERAL, RefusalRule
from analyzer.diagnosis.chains import time_of
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import FITTING_ALERTS, Refusal
from analyzer.diagnosis.staple import Staple, is_about
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Certificate

_BAD_STATUS = 113


class OcspStapleBad(RefusalRule):
    """Judged at the time of the capture."""

    cause = "ocsp-staple-bad"
    alert_from_client = True
    signs = Oddity.STAPLE
    explains = (*GENERAL, "cert-unknown-ca", "cert-missing-intermediate")

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        if refusal is None:
            return None
        staple = context.chains.staple(handshake)
        fault = _fault(staple, time_of(handshake), handshake.server_certificates) if staple is not None else None
        evidence = list(refusal.evidence)
        if fault is not None:
            evidence.insert(0, message_evidence(handshake, "certificate_status", False, f"the stapled OCSP response {fault}"))
        if refusal.description == _BAD_STATUS:
            if fault is None and staple is not None and staple.status == "revoked":
                return None  # Java says so of what the response says
            who = words.server_text(handshake)
            if staple is None:
                lacks = f"{who} stapled none" if handshake.server_certificates else "it is hidden whether there was one"
                summary = f"The client wants a good OCSP response from {who}, says its alert: {lacks}."
                return self.found("likely", summary, evidence)
            why = f"it {fault}" if fault else "the client says so"
            return self.found("certain", f"The OCSP response stapled by {who} is bad: {why}.", evidence)
        if fault is None:
            return None
        summary = f"The OCSP response stapled by {words.server_text(handshake)} {fault}."
        if refusal.how == "alert" and refusal.description not in FITTING_ALERTS[self.cause]:
            finding = self.found("possible", summary, evidence)
            finding.kind = "also"
            return finding
        return self.found("likely", summary, evidence)


def _fault(staple: Staple, now: int, chain: Sequence[Certificate]) -> str | None:
    if staple.status == "not usable":
        return f"cannot be used: {staple.fault}"
    if not is_about(staple, chain):
        return "is for another certificate"
    dated = now >= FIRST_DAY  # else the capture's clock was never set
    if dated and staple.next_update and staple.next_update < now:
        return f"ended on {words.day_text(staple.next_update)}, {words.span_text(now - staple.next_update)} before"
    if dated and staple.this_update > now:
        return f"begins on {words.day_text(staple.this_update)}, after this handshake"
    return "does not know the certificate" if staple.status == "unknown" else None
