"""An authority in the server's chain was not allowed to sign this certificate.

Seen:
    An issuer without CA:TRUE or keyCertSign, more authorities below one than its path length allows, or a name outside its
    name constraints; the client refused: unknown_ca (48), certificate_unknown (46) or bad_certificate (42).

Means:
    The chain was built from certificates that may not be used so: a leaf that signed another, or a constrained authority.

Remedy:
    Have the certificate issued by an authority that may: basicConstraints CA:TRUE, keyUsage keyCertSign, a path length that
    allows the depth, and name constraints that include the name.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null
    $ openssl verify -show_chain -CAfile ROOT.pem -untrusted INTERMEDIATES.pem LEAF.pem
    Errors 24 (invalid CA), 25 (path length), 47 (name constraints) say which.
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertChainConstraint(ChainRule):
    """CA flag, path length or name constraints are violated."""

    cause = "cert-chain-constraint"
