"""Client and server have no group for the key exchange in common.

Seen:
    handshake_failure (40) right after the ClientHello, no HelloRetryRequest, and the groups offered are not those the server used
    with others, or are rare ones only (brainpool, sect, X448, P-521, finite fields). Java answers unexpected_message (10) in
    TLS 1.3, mbedTLS 3 closes without a byte.

Means:
    A TLS 1.3 server that has any of the client's groups asks for it by HelloRetryRequest: a refusal means it has none.
    In TLS 1.2 a server could do without a group when RSA or DHE key exchange is allowed on both sides.

Remedy:
    Allow X25519 and P-256 on both ends.
    nginx: ssl_ecdh_curve X25519:prime256v1:secp384r1. Apache: SSLOpenSSLConfCmd Groups X25519:P-256. HAProxy: curves X25519:P-256.
    Envoy: ecdh_curves. IIS: Enable-TlsEccCurve. OpenSSL: Groups in openssl.cnf. Java: -Djdk.tls.namedGroups. Go:
    tls.Config.CurvePreferences. FIPS modes leave X25519 out on one end: offer P-256 on the other.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} {groups_flag} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | grep 'Temp Key'
    OpenSSL refuses to start with groups it does not know: X25519MLKEM768 and its like need 3.5.
"""

from __future__ import annotations

from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule


class NoCommonGroup(OfferRule):
    """The groups are the narrowest part of a refused offer."""

    cause = "no-common-group"
    explains = (*OFFER_EXPLAINS, "unexpected-message")
    stages = BEFORE_SERVER_HELLO
