r"""The server's certificate holds a critical extension the client does not know.

Seen:
    An extension marked critical that RFC 5280 does not define; the client refused: certificate_unknown (46) from OpenSSL,
    rustls and Java, bad_certificate (42) from GnuTLS, Go, NSS and mbedTLS, a reset without alert from wolfSSL.

Means:
    A client must refuse what it is told is critical and does not understand (RFC 5280 section 4.2).

Remedy:
    Reissue the certificate without the extension, or with it not critical.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -text
    OpenSSL reports error 34, "unhandled critical extension".
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertCriticalExtension(ChainRule):
    """A critical extension outside RFC 5280."""

    cause = "cert-critical-extension"
