r"""The server's certificate is valid for longer than the client accepts.

Seen:
    A public certificate whose validity exceeds 398 days; the client, mostly one of Apple's, refused.

Means:
    Public authorities may not issue for longer (200 days from March 2026, 100 from 2027, 47 from 2029), and clients check.

Remedy:
    Have a shorter certificate issued, and renew by ACME. A private root that the user installed is exempt up to 825 days.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -issuer -dates
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertLifetimePolicy(ChainRule):
    """A public certificate of too long a life."""

    cause = "cert-lifetime-policy"
