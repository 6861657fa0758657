"""One side requires the extended master secret and the other does not have it.

Seen:
    In TLS 1.2 the hello (or the answer) lacks extended_master_secret (23), and the other side refuses: handshake_failure (40),
    illegal_parameter (47) or insufficient_security (71), from OpenSSL and GnuTLS in FIPS mode (RHEL 9) and on resumed sessions.

Means:
    FIPS 140-3 allows TLS 1.2 only with RFC 7627. The peer is older than it (before 2015), or is an appliance. A session that was made
    with it must not be resumed without it.

Remedy:
    Update the peer, or use TLS 1.3, which needs no such extension.
    RHEL 9: update-crypto-policies --set FIPS:NO-ENFORCE-EMS lets such peers in. OpenSSL: tls1-prf-ems-check in fipsmodule.cnf;
    nginx, Apache and HAProxy follow OpenSSL. Java: -Djdk.tls.useExtendedMasterSecret must be true (default since 8u161), and
    -Djdk.tls.allowLegacyMasterSecret=true lets others in. Go has it from 1.21, Envoy always, IIS from Windows Server 2008.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null 2>/dev/null | grep 'Extended master secret'
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.refusals import is_openssl, refusal_by_server
from analyzer.diagnosis.rule import stages_from
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import refused_answer
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage

_FITTING = frozenset({40, 47, 71})


class EmsRequired(OfferRule):
    """No extended_master_secret on one side, and a refusal."""

    cause = "ems-required"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    proves_later = _FITTING | {80}
    explains = OFFER_EXPLAINS

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, answer = handshake.client_hello, handshake.server_hello
        if hello is None or answer is None or handshake.is_tls13 or answer.selected_version > 0x0303:
            return None
        if answer.extended_master_secret:
            return None
        refusal = refused_answer(handshake)
        if refusal is not None and hello.extended_master_secret and refusal.description in _FITTING:
            evidence = [
                hello_evidence(handshake, "the client offers extended_master_secret"),
                message_evidence(handshake, "server_hello", False, "the server does not take it up"),
                *refusal.evidence,
            ]
            who = words.server_text(handshake)
            resumed = handshake.resumption is not None
            # OpenSSL 3 refuses a server without renegotiation_info in just the same way, and far more often
            sure = resumed or (refusal.description == 71 and answer.renegotiation_info)
            if not sure and not answer.renegotiation_info and is_openssl(hello):
                return None
            summary = f"{who} does not support the extended master secret, which the client requires{' to resume' if resumed else ''}."
            return self.found("likely" if sure else "possible", summary, evidence)
        refusal = refusal_by_server(handshake)
        if refusal is None or hello.extended_master_secret or refusal.description not in _FITTING | {80}:
            return None
        if handshake.client_certificate_requested:
            return None
        evidence = [hello_evidence(handshake, "the client offers no extended_master_secret"), *refusal.evidence]
        summary = f"The client has no extended master secret, which {words.server_text(handshake)} may require (FIPS)."
        return self.found("possible", summary, evidence)
