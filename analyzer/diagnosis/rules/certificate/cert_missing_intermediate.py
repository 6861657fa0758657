"""The server does not send the intermediate certificate.

Seen:
    The Certificate message holds the leaf, and not the certificate that signed it, which no trust store holds either.
    Browsers, which remember or fetch intermediates, go through; OpenSSL, curl, Java, Go, Python refuse: unknown_ca (48),
    bad_certificate (42) or certificate_unknown (46).

Means:
    The server was given the leaf alone instead of the whole chain. The client cannot get from the leaf to its root.

Remedy:
    Give the server leaf and intermediates in one file, leaf first (fullchain.pem of an ACME client).
    nginx: ssl_certificate fullchain.pem. Apache 2.4.8 and newer: SSLCertificateFile fullchain.pem. HAProxy: leaf, intermediates
    and key in the pem of crt. Envoy: certificate_chain. IIS: import the intermediate into the computer's Intermediate
    store and restart. Java: keytool -importcert the whole reply into the key's alias. Go: the file of LoadX509KeyPair.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null
    Count the certificates; "unable to get local issuer certificate" (20) and verify code 21 say the same.
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertMissingIntermediate(ChainRule):
    """The issuer of the last certificate sent is an intermediate."""

    cause = "cert-missing-intermediate"
