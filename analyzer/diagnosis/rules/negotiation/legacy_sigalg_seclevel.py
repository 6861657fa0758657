r"""OpenSSL 3 may not make or check the old signature (SHA-1, MD5) that TLS 1.0 and 1.1 need.

Seen:
    The hello offers, or the server chose, TLS 1.1 or older, and one end sends internal_error (80): an OpenSSL 3 server right
    after the ClientHello, an OpenSSL 3 client right after ServerHelloDone. Its log says "legacy sigalg disallowed or
    unsupported" or "no suitable signature algorithm".

Means:
    The version is switched on, but at security level 1 and above OpenSSL 3 refuses SHA-1 and MD5 signatures, and TLS 1.0 and 1.1
    know no others. It looks like a crash and is a policy.

Remedy:
    Use TLS 1.2 or newer at both ends. Only when that is impossible lower the level for this one service:
    nginx: ssl_ciphers DEFAULT@SECLEVEL=0; Apache: SSLCipherSuite DEFAULT@SECLEVEL=0; HAProxy: ciphers DEFAULT@SECLEVEL=0;
    OpenSSL: CipherString = DEFAULT@SECLEVEL=0 in openssl.cnf; Python: set_ciphers("DEFAULT@SECLEVEL=0"); Node: ciphers option or
    --tls-cipher-list; curl: --ciphers DEFAULT@SECLEVEL=0. RHEL 9: update-crypto-policies --set LEGACY.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} -cipher ALL:@SECLEVEL=0 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    Where the first goes through, the client is too strict; where it fails and the third goes through, the server is.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import alert_evidence, first_message, hello_evidence, message_evidence
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import refused_hello
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class LegacySigalgSeclevel(Rule):
    """Alert 80 around TLS 1.1 and older."""

    cause = "legacy-sigalg-seclevel"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_FLIGHT)
    alerts = frozenset({80})
    explains = ("internal-error", "client-version-too-old", "client-version-too-new", "sni-missing")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, alert = handshake.client_hello, handshake.closing_alert
        if hello is None or alert is None:
            return None
        if not alert.from_client:
            if refused_hello(handshake) is None or hello.max_version > 0x0302:
                return None
            offered = hello_evidence(handshake, f"offers {words.offered_versions_text(hello)}")
            summary = (
                f"{words.server_text(handshake)} may not sign as {words.version_text(hello.max_version)} needs it "
                "(SHA-1 or MD5), as OpenSSL 3 does by default."
            )
            older = any(version <= 0x0302 for version in context.server(handshake).versions)
            return self.found("possible" if older else "likely", summary, [offered, *alert_evidence(handshake)])
        selected = handshake.selected_version
        if selected is None or selected > 0x0302 or handshake.aborted_by != "client":
            return None
        signed = first_message(handshake, "server_key_exchange", False) is not None
        evidence = [
            message_evidence(handshake, "server_hello", False, f"the server chose {words.version_text(selected)}"),
            *alert_evidence(handshake),
        ]
        summary = (
            f"The client may not check the signature that {words.version_text(selected)} uses (SHA-1 or MD5), as OpenSSL 3 does by default."
        )
        return self.found("likely" if signed else "possible", summary, evidence)
