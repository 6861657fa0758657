r"""The server's certificate is not made for servers.

Seen:
    The extended key usage lacks serverAuth, or the key usage lacks what the key exchange needs (digitalSignature, or
    keyEncipherment for RSA key exchange); the client refused: unsupported_certificate (43) from OpenSSL and rustls,
    certificate_unknown (46) from NSS and Java, bad_certificate (42) from Go, GnuTLS, mbedTLS, wolfSSL.

Means:
    A certificate made for clients, mail or signing was installed on a server, or its template lacks the purpose.

Remedy:
    Reissue with extendedKeyUsage = serverAuth and keyUsage = digitalSignature (and keyEncipherment for RSA suites of TLS 1.2).
    Microsoft authorities: use the template Web Server. Then load it.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -purpose -ext keyUsage,extendedKeyUsage
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertBadPurpose(ChainRule):
    """Key usage or extended key usage forbids it."""

    cause = "cert-bad-purpose"
