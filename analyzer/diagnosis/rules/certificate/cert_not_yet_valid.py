r"""The server's certificate is not valid yet.

Seen:
    A certificate of the server's chain begins after the time of the capture, and the client refused: bad_certificate (42)
    from OpenSSL, Go and GnuTLS, certificate_expired (45) from NSS, wolfSSL and rustls, certificate_unknown (46) from mbedTLS.

Means:
    The certificate was put in service too early, or the clock of the authority that made it (often a private one, inside
    a virtual machine) runs ahead. If the certificate is fresh and only one client refuses, that client's clock runs behind.

Remedy:
    Wait, or reissue with a notBefore in the past; set the clocks of the authority and of the server by NTP.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -issuer -dates
    $ date -u
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertNotYetValid(ChainRule):
    """A certificate of the chain begins after the capture."""

    cause = "cert-not-yet-valid"
