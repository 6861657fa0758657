r"""The server's certificate names its host in the common name only.

Seen:
    The leaf has no subjectAltName; its common name would match. Go since 1.15, Chrome, rustls and Python refuse.

Means:
    The certificate was made the old way. Names are looked for in subjectAltName only (RFC 9525).

Remedy:
    Reissue with subjectAltName: openssl req -addext "subjectAltName=DNS:name", or the san section of your authority.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -ext subjectAltName
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import GENERAL, ChainRule


class CertNoSan(ChainRule):
    """Only the common name would match."""

    cause = "cert-no-san"
    explains = (*GENERAL, "cert-name-mismatch")
