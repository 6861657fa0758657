"""The client offers no version of TLS that is still safe.

Seen:
    The handshake completed with SSL 3.0, TLS 1.0 or TLS 1.1, for the client offered nothing better.

Means:
    This client fails the day the server switches the old versions off (RFC 8996), as browsers and new servers already did.

Remedy:
    Update the client, or switch TLS 1.2 on in it: Java 7: -Djdk.tls.client.protocols=TLSv1.2; .NET before 4.7:
    SchUseStrongCrypto; Windows 7 and Server 2008: update KB3140245; OpenSSL before 1.0.1 and Android before 5 have none: replace them.

Confirm:
    Look for other clients of this kind in the same capture: filter on its JA3 or JA4.
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_TLS12 = 0x0303


class OldClient(Rule):
    """The client is the one that lags behind."""

    cause = "old-client"
    kind = "posture"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or hello.max_version >= _TLS12:
            return None
        return self.found("certain", f"The client offers {words.offered_versions_text(hello)}: it fails once that is switched off.")
