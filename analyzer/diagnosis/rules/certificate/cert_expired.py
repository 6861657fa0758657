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

from analyzer.diagnosis.chain_rule import ChainRule


class CertExpired(ChainRule):
    """The end of a certificate of the chain lies before the capture."""

    cause = "cert-expired"
    named_by = (45, "likely")
    named_says = "The server's certificate has expired"
    says_as_well = (
        "NSS, wolfSSL and rustls say the same of a certificate that is not valid yet, OpenSSL of a revocation list that has expired, and "
        "any client when its own clock is ahead"
    )
