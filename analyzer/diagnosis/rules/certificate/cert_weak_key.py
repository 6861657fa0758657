r"""A key in the server's chain is too short.

Seen:
    RSA or DSA below 2048 bits, or an elliptic curve below 224; the client refused: bad_certificate (42) from OpenSSL
    ("EE key too small"), unsupported_certificate (43) from mbedTLS, decrypt_error (51) from rustls.

Means:
    The key can be broken, so strict clients (OpenSSL at security level 2, as Debian and Ubuntu ship it) reject it.

Remedy:
    Make a new key of 2048 bits or more, or P-256, and have it certified.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.
    For the time being only: OpenSSL clients accept it with CipherString = DEFAULT@SECLEVEL=1 or 0.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -text
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertWeakKey(ChainRule):
    """A key below what strict clients accept."""

    cause = "cert-weak-key"
