r"""A device on the path opens TLS and signs with its own authority, which the client does not trust.

Seen:
    The certificate's issuer names a product that inspects TLS (Zscaler, Netskope, FortiGate, Palo Alto, mitmproxy, ...), or one
    private authority signed for many unrelated names; the client refused: unknown_ca (48), bad_certificate (42) or
    certificate_unknown (46).

Means:
    Between client and server a proxy answers in the server's place. The company's root is missing in this client's trust
    store: runtimes like Java, Node, Python and Go in containers keep stores of their own. Or the client pins its server.

Remedy:
    Install the proxy's root where this very client looks: Java: keytool -importcert -cacerts; Node: NODE_EXTRA_CA_CERTS;
    Python: REQUESTS_CA_BUNDLE; Go, OpenSSL: SSL_CERT_FILE; curl: --cacert; containers: update-ca-certificates in the image;
    Windows: by group policy. Or exempt the destination from inspection, as pinned applications need.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -issuer -startdate
    Compare the issuer with what another network shows.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain import ChainJudgement
from analyzer.diagnosis.chain_rule import GENERAL, ChainRule
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.refusals import FITTING_ALERTS, Refusal
from analyzer.diagnosis.weighing import TRUST
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_MANY = 3


def _is_faulty(judged: ChainJudgement) -> bool:
    """Whether the chain has a fault of its own, beside the issuer nobody trusts."""
    return any(problem.hard and problem.cause not in TRUST for problem in judged.problems)


class TlsInterception(ChainRule):
    """Known by the issuer's name, or by how many sites one private issuer signs for."""

    cause = "tls-interception"
    looks_further = FITTING_ALERTS["tls-interception"]
    explains = (*GENERAL, "cert-unknown-ca", "cert-missing-intermediate", "cert-pinning")

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        named = super().examine_refusal(handshake, context, refusal)
        if named is not None:
            return named
        judged = context.chain(handshake)
        if refusal is None or judged is None or judged.trusted or _is_faulty(judged):
            return None
        sites = context.chains.sites_of_issuer(judged.leaf)
        if sites < _MANY or refusal.description not in self.looks_further:
            return None
        issuer = words.shown(judged.leaf.issuer)
        evidence = [message_evidence(handshake, "certificate", False, f"{issuer} signed for {sites} unrelated sites in this capture")]
        summary = f"A proxy on the path seems to sign in the servers' place: one private issuer signed for {sites} unrelated sites."
        return self.found("likely", summary, [*evidence, *refusal.evidence])
