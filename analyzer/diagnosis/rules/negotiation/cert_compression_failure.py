"""The client could not unpack the server's compressed certificate.

Seen:
    The client offers compress_certificate (27), the server sends CompressedCertificate, and the client ends with bad_certificate (42),
    decode_error (50) or illegal_parameter (47). All of it is encrypted in TLS 1.3: it shows with keys only.

Means:
    The two ends disagree over an algorithm (zlib, brotli, zstd), or the announced length is wrong, or the certificate is longer
    unpacked than the client allows (RFC 8879 section 4).

Remedy:
    Switch compression off on the server and update it.
    OpenSSL 3.2 and newer: Options = -TxCertificateCompression,-RxCertificateCompression, or SSL_OP_NO_TX_CERTIFICATE_COMPRESSION; nginx
    1.29: ssl_certificate_compression off. HAProxy and Apache follow OpenSSL. Envoy and other users of BoringSSL: it is set in code.
    Go and Java: none. IIS: none.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_3 -trace </dev/null
    OpenSSL offers compression from 3.2: look for CompressedCertificate, and add -no_rx_cert_comp to compare. An older one offers none:
    where it goes through, compression is the reason.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import first_message
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_FITTING = frozenset({42, 47, 50, 80})


class CertCompressionFailure(Rule):
    """CompressedCertificate, and a refusal that fits."""

    cause = "cert-compression-failure"
    stages = AFTER_SERVER_HELLO
    alerts = _FITTING
    alert_from_client = True
    explains = (*AFTER_CLOSES, "cert-rejected", "decode-error", "illegal-parameter", "internal-error", "cert-malformed")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        packed = first_message(handshake, "compressed_certificate", False)
        refusal = refusal_of(handshake, context)
        if packed is None or refusal is None or refusal.description not in _FITTING:
            return None
        broken = [f for f in handshake.faults if f.kind == "defect" and f.says.startswith("compressed_certificate")]
        if refusal.description == 42 and not broken:
            return None  # a certificate that was unpacked and found bad
        evidence = [
            Evidence(packed.frame, f"CompressedCertificate of {words.count_text(packed.length, 'byte')}"),
            *(Evidence(fault.frame, fault.says) for fault in broken[:2]),
            *refusal.evidence,
        ]
        summary = f"The client could not unpack the compressed certificate of {words.server_text(handshake)}."
        return self.found("certain" if broken else "likely", summary, evidence)
