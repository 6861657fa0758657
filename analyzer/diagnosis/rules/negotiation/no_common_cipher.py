r"""Client and server have no cipher suite in common.

Seen:
    handshake_failure (40) right after the ClientHello from every stack, in TLS 1.2 and 1.3 alike; rarely
    insufficient_security (71); a reset from Schannel (IIS). The suites offered have nothing in common with those that the
    server chose for others, or hold only what servers of today have switched off (RC4, 3DES, export, NULL, anonymous, DSS).

Means:
    One end is much older than the other, or one has been restricted by hand or by policy (FIPS, crypto-policies).
    The same alert stands for a missing group, signature scheme, certificate or name: see what the evidence excludes.

Remedy:
    Give both ends one suite in common, ECDHE with AES-GCM where possible.
    nginx: ssl_ciphers and, for TLS 1.3, ssl_conf_command Ciphersuites. Apache: SSLCipherSuite. HAProxy: ssl-default-bind-ciphers
    and ssl-default-bind-ciphersuites. Envoy: cipher_suites. IIS: Get-TlsCipherSuite, Enable-TlsCipherSuite. OpenSSL: CipherString
    in openssl.cnf. Java: jdk.tls.disabledAlgorithms. Go: tls.Config.CipherSuites, GODEBUG=tlsrsakex=1 for RSA key exchange.
    A server without a usable certificate answers the same: look at its log, "no shared cipher".

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} -cipher ALL:@SECLEVEL=0 </dev/null 2>/dev/null \
        | grep -E 'Protocol|Cipher'
    $ nmap {family_flag} -Pn -p {port} --script ssl-enum-ciphers {nmap_name} {address}
"""

from __future__ import annotations

from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO
from analyzer.diagnosis.rules.negotiation._offer_rule import OfferRule


class NoCommonCipher(OfferRule):
    """The suites are the narrowest part of a refused offer."""

    cause = "no-common-cipher"
    stages = BEFORE_SERVER_HELLO
