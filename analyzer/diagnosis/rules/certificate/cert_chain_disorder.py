"""The server sends its chain in the wrong order, or with certificates that do not belong to it.

Seen:
    Certificates that are not in the order of issue (each signed by the next), a certificate twice, or one that has
    nothing to do with the leaf; a strict client (old GnuTLS, mbedTLS, TLS 1.2 and below by the letter) refused.

Means:
    The bundle was put together by hand. RFC 5246 demands the order; RFC 8446 asks clients to cope, and most do.

Remedy:
    Rebuild the bundle: leaf, then its issuer, then that one's issuer; leave the root out.
    nginx: ssl_certificate. Apache: SSLCertificateFile. HAProxy: crt. Envoy: certificate_chain. IIS builds the chain from its
    stores: remove stale intermediates there. Java: keytool -importcert the chain again.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertChainDisorder(ChainRule):
    """What was sent is not one path from the leaf upwards."""

    cause = "cert-chain-disorder"
