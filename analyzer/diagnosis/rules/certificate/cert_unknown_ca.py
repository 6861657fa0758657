"""The client does not know the authority that issued the server's certificate.

Seen:
    The chain leads to an issuer that the trust store does not hold; the client refused: unknown_ca (48) from OpenSSL,
    NSS, mbedTLS, wolfSSL and rustls, bad_certificate (42) from Go and GnuTLS, certificate_unknown (46) from Java and Chrome.

Means:
    A private or new authority that this client was never told to trust, a trust store that is too old, or a container
    image without one. Other clients that have the root go through.

Remedy:
    Install the issuing root in the client's own store, which is often not the system's:
    Debian, Alpine: update-ca-certificates; Red Hat: update-ca-trust; Java: keytool -importcert -cacerts;
    Node: NODE_EXTRA_CA_CERTS; Python: REQUESTS_CA_BUNDLE or SSL_CERT_FILE; Go, OpenSSL: SSL_CERT_FILE;
    Windows and IIS: certutil -addstore Root; nginx as client: proxy_ssl_trusted_certificate;
    Apache: SSLProxyCACertificateFile; HAProxy: ca-file; Envoy: trusted_ca.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -CAfile ROOT.pem -verify_return_error </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertUnknownCa(ChainRule):
    """The chain ends outside the store."""

    cause = "cert-unknown-ca"
    named_by = (48, "likely")
    named_says = "The client does not know the issuer of the server's certificate"
    named_if_lost = "possible"
    says_as_well = "clients say the same when an intermediate was not sent, of a self-signed certificate and of a broken constraint"
