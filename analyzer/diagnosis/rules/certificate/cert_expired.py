r"""The server's certificate has expired.

Seen:
    A certificate of the server's chain ended before the time of the capture, and the client refused:
    certificate_expired (45) from OpenSSL, NSS, mbedTLS, wolfSSL and rustls; bad_certificate (42) from Go and GnuTLS;
    certificate_unknown (46) from Java in TLS 1.3 and Chrome; a close without a word from Node and .NET.

Means:
    The certificate was not renewed, or was renewed and not loaded, or one node of several still serves the old one.
    An expired intermediate has the same effect as an expired leaf. If the dates are right, the client's clock is not.

Remedy:
    Renew the certificate, put it in place on every node and load it.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -issuer -dates
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.chain_rule import ChainRule
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.weighing import weigh_chain
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_EXPIRED = 45


class CertExpired(ChainRule):
    """The end of a certificate of the chain lies before the capture."""

    cause = "cert-expired"
    named_by = (45, "likely")
    named_says = "The server's certificate has expired"
    says_as_well = (
        "NSS, wolfSSL and rustls say the same of a certificate that is not valid yet, OpenSSL of a revocation list that has expired, and "
        "any client when its own clock is ahead"
    )

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        finding = super().examine(handshake, context)
        if finding is None or finding.confidence != "likely" or context.once(weigh_chain, handshake).get(self.cause) is not None:
            return finding  # its dates are known
        taken = _taken_by_others(handshake, context)
        if taken is not None:
            finding.confidence = "possible"
            finding.summary = (
                f"The client calls the certificate of {words.server_text(handshake)} expired, which is hidden, and no other does."
            )
            says = (
                f"in stream {taken.stream} another client took the server's certificate, and none but this one refused it: "
                "its clock may be ahead"
            )
            finding.evidence.append(Evidence(None, says))
        return finding


def _taken_by_others(handshake: Handshake, context: Context) -> Attempt | None:
    """A handshake that another client completed for the same name, where nobody but this client says that the certificate expired, and
    this one always does: a server of several nodes would have shown it the other certificate once."""
    flow, hello = handshake.flow, handshake.client_hello
    name = hello.server_name if hello is not None else None
    taken = None
    for attempt in context.server(handshake).accepted:
        if attempt.server_name != name:
            continue
        mine = attempt.client_address == flow.client_address
        if attempt.outcome == "completed" and not attempt.left_at_once:
            if mine:
                return None
            taken = attempt
        elif attempt.alert == _EXPIRED and not mine:
            return None
    return taken
