r"""The server's certificate is self-signed.

Seen:
    One certificate whose issuer is its own subject and whose signature verifies with its own key; the client refused:
    unknown_ca (48) from OpenSSL, NSS and mbedTLS, bad_certificate (42) from Go, GnuTLS and wolfSSL,
    certificate_unknown (46) from Java, rustls and Chrome.

Means:
    Nobody vouches for this certificate but itself. Typical of appliances, of the default certificate of a proxy or an
    ingress, and of test systems.

Remedy:
    Best: have a certificate issued by a public or the company's own authority and install it on the server.
    Else trust this very certificate in the client: update-ca-certificates or update-ca-trust; Java: keytool -importcert;
    Node: NODE_EXTRA_CA_CERTS; Python requests: REQUESTS_CA_BUNDLE; Go and OpenSSL: SSL_CERT_FILE; curl: --cacert;
    Envoy: trusted_ca; nginx: proxy_ssl_trusted_certificate; HAProxy: ca-file on the server line; Windows: Root store.
    A client with rustls also wants it not to be marked as an authority (CA:TRUE).

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -verify_return_error </dev/null
    Look for "self-signed certificate" (verify code 18).
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -issuer -dates
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertSelfSigned(ChainRule):
    """The leaf vouches for itself."""

    cause = "cert-self-signed"
