r"""The certificate was valid, and its holder is not allowed in.

Seen:
    The alert access_denied (49), mostly from the server after the client's certificate.

Means:
    By the book the chain was accepted and a policy said no: the name in the certificate is not on the list (mbedTLS callbacks, Java,
    MQTT brokers, databases), or a filter on the way denies the connection. Some servers say it of a certificate that did not verify;
    those on rustls, right after the ClientHello, when they have no certificate for the name.

Remedy:
    Look at the access rules of the side that sent it, with the subject of the certificate. Envoy: match_typed_subject_alt_names
    and RBAC; Apache: Require expr; HAProxy: acl with ssl_c_s_dn; nginx: map $ssl_client_s_dn; MQTT: the broker's ACL; databases:
    the user mapped to the certificate.

Confirm:
    $ openssl x509 -in CLIENT.pem -noout -subject -ext subjectAltName
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} {version_flag} \
        -cert CLIENT.pem -key CLIENT.key -cert_chain INTERMEDIATES.pem
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake


class AccessDenied(Rule):
    """The alert has a meaning of its own."""

    cause = "access-denied"
    alerts = frozenset({49})
    explains = ("client-cert-rejected", "cert-rejected")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None:
            return None
        who = words.side(alert.from_client)
        at = "" if alert.from_client else f" ({words.server_text(handshake)})"
        summary = f"{who.capitalize()}{at} denied access: {words.alert_text(alert)}."
        evidence = list(handshake.closing_evidence)
        if not alert.from_client and handshake.client_certificate_sent:
            evidence.append(Evidence(None, "some servers say so of a certificate that does not verify (lighttpd on GnuTLS)"))
            return self.found("likely", summary, evidence)
        if not alert.from_client and handshake.client_hello is not None and handshake.server_hello is None:
            evidence.append(Evidence(None, "rustls says so when it has no certificate for the name, or none with a key the client takes"))
            return self.found("likely", summary, evidence)
        return self.found("certain", summary, evidence)
