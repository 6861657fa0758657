"""One end demands stronger cryptography than the other offers.

Seen:
    insufficient_security (71): from servers with a strict policy (F5, NSS, Java) in place of handshake_failure (40), from clients over
    weak Diffie-Hellman parameters or keys.

Means:
    There would have been something in common, but the policy forbids it.

Remedy:
    Raise the weaker end: AES-GCM with ECDHE, keys of 2048 bits, parameters of 2048 bits.
    nginx: ssl_ciphers, ssl_dhparam. Apache: SSLCipherSuite. HAProxy: ssl-default-bind-ciphers, tune.ssl.default-dh-param. Envoy:
    cipher_suites. IIS: Enable-TlsCipherSuite. OpenSSL: SECLEVEL. Java: jdk.tls.disabledAlgorithms. Go: CipherSuites.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | grep -E 'Protocol|Cipher|Temp Key'
"""

from __future__ import annotations

from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule


class InsufficientSecurity(AlertRule):
    """Alert 71."""

    cause = "insufficient-security"
    alerts = frozenset({71})
    meaning = "what is offered is too weak for its policy"
