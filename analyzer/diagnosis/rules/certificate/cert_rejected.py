r"""The client refused the server's certificate, and the capture does not show why.

Seen:
    Right after the server's flight, in place of its own Finished, the client sends an alert that names no
    reason (encrypted in TLS 1.3, or a general one), or an alert about certificates while the chain cannot be read.

Means:
    The client did not accept who the server said it was: expired, unknown issuer, wrong name, a missing
    intermediate, or a proxy in between. Many clients name every one of these by the same alert.

Remedy:
    Look at what the server sends and judge it as the client does, with the client's own trust store.
    Client side: the log of the client names the reason. Java: -Djavax.net.debug=ssl:handshake. Node: NODE_DEBUG=tls.
    GnuTLS: GNUTLS_DEBUG_LEVEL=4. Go: print the error of Dial. SSL_DEBUG=1 does nothing in OpenSSL.
    For next time: record the client's keys (SSLKEYLOGFILE) and read the capture again with --keylog.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -showcerts -verify_return_error </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -issuer -dates -ext subjectAltName
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS, is_openssl
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, SERVER_UNSEEN, Rule
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_SURE = CERTIFICATE_ALERTS - {41, 49, 51}
"""Those that a client says of the server's certificate: no_certificate (41) is of its own."""
_INTERNAL_ERROR = 80


class CertRejected(Rule):
    """The honest general answer of this family."""

    cause = "cert-rejected"
    stages = AFTER_SERVER_HELLO | SERVER_UNSEEN
    alerts = frozenset({None, _INTERNAL_ERROR, *_SURE})
    alert_from_client = True
    explains = ("client-closed-mid-handshake", "refused-encrypted", "internal-error")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refusal_of(handshake, context)
        if refusal is None or refusal.how == "close" or handshake.resumption is not None:
            return None
        where = f"the certificate of {words.server_text(handshake)}"
        if refusal.description in _SURE and handshake.closing_alert is not None:
            return self.found(
                "certain",
                f"The client refused {where}: {words.alert_text(handshake.closing_alert)}.",
                refusal.evidence,
            )
        had_it = handshake.server_finished_frame > 0 or bool(handshake.server_certificates)
        if refusal.description == _INTERNAL_ERROR and had_it and is_openssl(handshake.client_hello):
            return self.found(
                "possible",
                f"The client refused the server's flight of {words.server_text(handshake)} with {words.alert_name(_INTERNAL_ERROR)}, as "
                "OpenSSL does when a check of the program's own says no to the certificate.",
                refusal.evidence,
            )
        if refusal.how == "encrypted":
            return self.found(
                "likely",
                f"The client refused the server's flight of {words.server_text(handshake)} with an encrypted alert, "
                "most often over its certificate.",
                refusal.evidence,
            )
        return None
