"""A signature, a Finished or a binder did not verify.

Seen:
    decrypt_error (51). From the client after the server's flight: the signature of ServerKeyExchange or CertificateVerify does not
    fit the certificate's key. From the server: the client's CertificateVerify or Finished is wrong. rustls sends it for
    signatures it finds too weak as well. An old server may say handshake_failure (40) over a bad Finished.

Means:
    Private key and certificate do not belong together, the two ends saw different messages (a middlebox changed one), or a
    hardware key signs wrongly.

Remedy:
    Check that key and certificate belong together on every node, then look for a device that rewrites hellos.
    nginx: ssl_certificate_key. Apache: SSLCertificateKeyFile. HAProxy: the pem holds both. Envoy: private_key. IIS: certutil
    -repairstore. Java: the alias's key entry. Go: tls.X509KeyPair checks it. Hardware keys: the provider's PSS support.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | openssl x509 -noout -pubkey
    On the server the same from the key: openssl pkey -in KEY.pem -pubout
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class DecryptError(AlertRule):
    """Alert 51; or 40 over the client's second flight where no certificate was asked for."""

    cause = "decrypt-error"
    alerts = frozenset({51, 40})
    meaning = "a signature, Finished or binder did not verify"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None or alert.description == 51:
            return super().examine(handshake, context)
        if alert.from_client or handshake.server_hello is None or handshake.client_certificate_requested:
            return None
        if handshake.stage not in (Stage.CLIENT_FLIGHT, Stage.FINISHED):
            return None
        summary = f"{words.server_text(handshake)} refused the client's key exchange or Finished with handshake_failure (40)."
        return self.found("possible", summary, handshake.closing_evidence)
