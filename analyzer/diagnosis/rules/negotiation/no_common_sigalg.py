"""Client and server have no signature scheme in common.

Seen:
    handshake_failure (40) right after the ClientHello (Java in TLS 1.3: ServerHello, one encrypted record, then an encrypted
    alert), and signature_algorithms lacks what the server's key can do: only rsa_pkcs1 schemes in TLS 1.3, where RSA keys
    must sign with rsa_pss_rsae; only SHA-1; only one rare scheme.

Means:
    The server has a certificate, a suite and a group, and no way to sign that the client would check. Old hardware keys and some
    FIPS modes cannot do PSS; old clients know SHA-1 only.

Remedy:
    Let the client offer rsa_pss_rsae_sha256 and ecdsa_secp256r1_sha256, or update it.
    nginx: ssl_conf_command SignatureAlgorithms. Apache: SSLOpenSSLConfCmd SignatureAlgorithms. HAProxy 2.8: sigalgs.
    Envoy: signature_algorithms of the TLS context. OpenSSL: SignatureAlgorithms in openssl.cnf. Java:
    -Djdk.tls.server.SignatureSchemes and -Djdk.tls.client.SignatureSchemes. Go: not configurable. IIS: the key's provider must
    be a CNG one. A hardware key without PSS: hold this service at TLS 1.2.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} {sigalgs_flag} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | grep 'Peer signature type'
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.rule import stages_from
from analyzer.diagnosis.rules.negotiation._offer import is_legacy_scheme, schemes_of, schemes_of_tls13
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import encrypted_records
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.registries.signature_schemes import scheme_key_type

_JAVA_ALERT = 35


class NoCommonSigalg(OfferRule):
    """The signature schemes are the narrowest part of a refused offer; or Java refused after its EncryptedExtensions."""

    cause = "no-common-sigalg"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.SERVER_HELLO)
    proves_later = frozenset({None, 40})
    explains = OFFER_EXPLAINS

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, alert = handshake.client_hello, handshake.closing_alert
        if hello is None or alert is None or alert.from_client or not handshake.is_tls13 or handshake.stage != Stage.SERVER_HELLO:
            return None
        read = alert.description == 40
        lengths = encrypted_records(handshake, from_client=False)
        java = alert.description is None and len(lengths) == 2 and lengths[-1] == _JAVA_ALERT
        if not (read or java) or handshake.server_certificates:
            return None
        schemes = schemes_of(hello)
        usable = [code for code in schemes_of_tls13(hello) if not is_legacy_scheme(code)]
        kinds = {scheme_key_type(code) for code in usable}
        evidence = [
            hello_evidence(handshake, f"offers the signature schemes {words.schemes_text(schemes)}"),
            message_evidence(handshake, "server_hello", False, "the server agreed on version, suite and group, and sent no certificate"),
            *handshake.closing_evidence,
        ]
        who = words.server_text(handshake)
        summary = f"{who} found no signature scheme to use: the client offers {words.schemes_text(schemes)}."
        narrow = len(usable) <= 1 or "RSA" not in kinds or not kinds & {"ECDSA"}
        return self.found("likely" if narrow and read else "possible", summary, evidence)
