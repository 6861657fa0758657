r"""The server's certificate cannot be parsed.

Seen:
    The DER of a certificate is broken or breaks a rule (negative serial number, bad time, an extension twice); the client
    answered bad_certificate (42), decode_error (50) or certificate_unknown (46), or just closed.

Means:
    The certificate was made by faulty software. Lenient clients may still take it; Go since 1.23, rustls and BoringSSL do not.

Remedy:
    Reissue the certificate with sound software; a serial number must be positive.
    nginx: nginx -t and nginx -s reload. Apache: apachectl graceful. HAProxy: systemctl reload haproxy, or set ssl cert
    over its socket. Envoy: with SDS the new file is taken up by itself, else restart. IIS: bind the new certificate to
    the site. Java: replace the entry in the key store and restart. Go: restart, or load it in GetCertificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -outform DER | openssl asn1parse -inform DER
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertMalformed(ChainRule):
    """The bytes are no sound certificate."""

    cause = "cert-malformed"
