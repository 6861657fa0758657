r"""The server wants a client certificate after the handshake, and the client does not do that.

Seen:
    TLS 1.3, with keys: a CertificateRequest after the handshake to a client whose hello lacks post_handshake_auth; the client
    answers unexpected_message (10); or Apache, which sees that before it asks, answers 403 "Cannot perform Post-Handshake
    Authentication".

Means:
    The server asks for certificates per location, which TLS 1.3 does by post-handshake authentication only. HTTP/2
    forbids it, and browsers, Go, Java and rustls do not support it.

Remedy:
    Ask for the certificate in the initial handshake: Apache: SSLVerifyClient at the level of the virtual host; IIS:
    netsh http update sslcert ... clientcertnegotiation=enable; or give these paths a host name of their own.
    Clients with OpenSSL can enable it (Python: SSLContext.post_handshake_auth = True).

Confirm:
    $ (sleep 1; printf 'GET /PATH HTTP/1.0\r\nHost: {name}\r\n\r\n'; sleep 5) | \
        openssl s_client -connect {connect} {servername} {starttls} -tls1_3 -enable_pha \
        -cert CLIENT.pem -key CLIENT.key -cert_chain INTERMEDIATES.pem
    The same without -enable_pha fails.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_UNEXPECTED = 10
_APACHE = b"Cannot perform Post-Handshake Authentication"


class PostHandshakeAuthUnsupported(Rule):
    """A request that the key log opened, after the client's Finished."""

    cause = "post-handshake-auth-unsupported"
    stages = stages_from(Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "completed"})
    signs = needs = Oddity.KEYS
    explains = ("unexpected-message",)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if not handshake.decryption:
            return None
        hello = handshake.client_hello
        if not handshake.is_tls13 or hello is None or hello.post_handshake_auth or not handshake.client_finished_frame:
            return None
        if _APACHE in handshake.server_bytes:
            evidence = [Evidence(handshake.server_bytes_frame, "Apache's answer: 403, it cannot perform post-handshake authentication")]
            summary = (
                f"{words.server_text(handshake)} wants a certificate for this page, and this client cannot be asked after the handshake."
            )
            return self.found("certain", summary, evidence, outcome="failed", aborted_by="server")
        done = handshake.client_finished_frame
        asked = next(
            (m for m in handshake.messages if m.kind == "certificate_request" and not m.from_client and m.frame > done), None
        )  # fmt: skip
        if asked is None:
            return None
        evidence = [Evidence(asked.frame, "the server asked for a certificate after the handshake; the hello offers no way to answer")]
        summary = f"{words.server_text(handshake)} asked for a certificate after the handshake and this client cannot answer that."
        refused = any(a.from_client and a.description == _UNEXPECTED and a.frame > asked.frame for a in handshake.alerts)
        if handshake.outcome == "completed" and not refused:
            finding = self.found("possible", summary, evidence)
            finding.kind = "also"
            return finding
        return self.found("certain" if refused else "likely", summary, evidence, outcome="failed", aborted_by="client" if refused else None)
