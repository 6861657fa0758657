r"""A certificate of the server's chain is signed with SHA-1 or MD5.

Seen:
    The signature algorithm of the leaf or an intermediate (not of the root) uses SHA-1 or MD5; the client refused:
    bad_certificate (42) from OpenSSL 3, GnuTLS and Go, certificate_unknown (46) from mbedTLS, decrypt_error (51) from rustls.

Means:
    The hash can be forged, so modern clients reject it whatever else is right.

Remedy:
    Reissue the certificate, and the intermediate if it is the one, with SHA-256. A private authority: set default_md = sha256.
    For the time being only: OpenSSL clients accept it with CipherString = DEFAULT@SECLEVEL=0; Java with an edited
    jdk.certpath.disabledAlgorithms.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -text
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertWeakSignature(ChainRule):
    """A signature below the root uses a broken hash."""

    cause = "cert-weak-signature"
