"""The client's suites or signature schemes leave no room for the kind of key in the server's certificate.

Seen:
    The client offers only ECDHE-ECDSA suites, or only ecdsa and ed25519 signature schemes, and the server's certificate holds an
    RSA key; or the reverse. handshake_failure (40) right after the ClientHello. The server's kind of key is known from other
    handshakes: its certificate or the suite it chose (TLS 1.2).

Means:
    The server has suites and schemes in common with the client, but none it can sign for.

Remedy:
    Serve certificates of both kinds, or let the client take the other kind.
    nginx: two pairs of ssl_certificate and ssl_certificate_key. Apache: SSLCertificateFile twice. HAProxy: NAME.pem.rsa and
    NAME.pem.ecdsa side by side. Envoy: two tls_certificates. IIS: one certificate per binding, so choose RSA. Java: two aliases in
    the key store. Go: two tls.Config.Certificates. OpenSSL clients: -sigalgs, SignatureAlgorithms in openssl.cnf.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} {sigalgs_flag} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | openssl x509 -noout -text | grep 'Public Key'
    $ openssl s_client -connect {connect} {servername} {starttls} -sigalgs ECDSA+SHA256 </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO
from analyzer.diagnosis.rules.negotiation._offer import usable_key_types
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage

_TLS13 = 0x0304


class CertKeyTypeMismatch(OfferRule):
    """Suites and schemes together exclude the server's key; some servers say so only after their ServerHello."""

    cause = "cert-key-type-mismatch"
    stages = BEFORE_SERVER_HELLO | {Stage.SERVER_HELLO}
    proves_later = frozenset({40})
    explains = (*OFFER_EXPLAINS, "no-common-sigalg")

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, alert = handshake.client_hello, handshake.closing_alert
        if hello is None or alert is None or alert.from_client or alert.description != 40 or not handshake.is_tls13:
            return None
        if handshake.stage != Stage.SERVER_HELLO or handshake.server_certificates:
            return None
        room = usable_key_types(hello, _TLS13)
        if not room or room & {"RSA", "RSA-PSS"}:
            return None
        kinds = words.list_text(sorted(room))
        evidence = [
            hello_evidence(handshake, f"leaves room only for certificates with {kinds} keys"),
            message_evidence(handshake, "server_hello", False, "the server agreed on version, suite and group, and sent no certificate"),
            *handshake.closing_evidence,
        ]
        who = words.server_text(handshake)
        return self.found(
            "likely", f"{who} has no certificate with a key the client takes: the hello leaves room only for {kinds}.", evidence
        )
