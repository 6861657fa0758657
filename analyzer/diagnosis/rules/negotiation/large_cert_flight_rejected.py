r"""The certificate chain is too large for the other end.

Seen:
    The Certificate message is longer than 16 kB (one record), up to more than 100 kB, and the client ends right after it: illegal_parameter
    (47) from OpenSSL ("excessive message size"), decode_error (50), internal_error (80), record_overflow (22), or a plain close from
    small devices (mbedTLS and wolfSSL with buffers of 4 to 16 kB). In TLS 1.3 only the length of the records shows.
    The same happens to the chain of a client.

Means:
    The server sends too many certificates (a whole bundle as chain), or the client's buffer is small.

Remedy:
    Send the leaf and its intermediates only, no roots, no duplicates, no bundle.
    nginx: ssl_certificate. Apache: SSLCertificateFile with the chain. HAProxy: the pem. Envoy: certificate_chain. IIS: the
    intermediate store. Java: keytool -importcert of the chain only. Go: the file given to LoadX509KeyPair. OpenSSL client:
    SSL_set_max_cert_list. Small devices: max_fragment_length, MBEDTLS_SSL_IN_CONTENT_LEN, ECDSA certificates.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -showcerts </dev/null 2>&1 | \
        grep -E 'BEGIN CERTIFICATE|excessive message size|handshake has read'
"""

from __future__ import annotations

import re

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.refusals import refusal_by_server
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, encrypted_records, refused_answer
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_CLAIM = re.compile(r"handshake message of type 11 that claims (\d{1,8}) bytes")
_LARGE = 16_384
_HUGE = 100 * 1024
"""OpenSSL's own limit (SSL_MAX_CERT_LIST_DEFAULT)."""
_FITTING = frozenset({10, 22, 40, 42, 47, 50, 80})


class LargeCertFlightRejected(Rule):
    """A long Certificate message, and the client ends it."""

    cause = "large-cert-flight-rejected"
    stages = AFTER_SERVER_HELLO
    alerts = frozenset({NO_ALERT, 0, None, *_FITTING})
    explains = (
        *AFTER_CLOSES, "illegal-parameter", "unexpected-message", "decode-error", "internal-error", "record-overflow", "cert-rejected",
        "client-silent-reject",
    )  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        refusal = refused_answer(handshake)
        if refusal is None:
            return self._of_client(handshake)
        size, seen = handshake.server_certificate_bytes, True
        if not size and handshake.is_tls13:
            size, seen = sum(encrypted_records(handshake, from_client=False)), False
        if size <= _LARGE or (refusal.how == "alert" and refusal.description not in _FITTING):
            return None
        begun = seen and not any(message.kind == "certificate" and not message.from_client for message in handshake.messages)
        if begun and size <= _HUGE and refusal.how != "alert":
            return None  # who leaves in the middle of it may have any reason
        text = words.count_text(size, "byte")
        if begun:
            evidence = [Evidence(None, f"the server began a Certificate message of {text}; not all of it had come")]
        elif seen:
            evidence = [message_evidence(handshake, "certificate", False, f"a Certificate message of {text}")]
        else:
            evidence = [Evidence(handshake.server_hello_frame or None, f"the server's encrypted flight has {text}")]
        summary = f"The certificate chain of {words.server_text(handshake)} is {text} long, too long for the client."
        if refusal.how == "alert" and refusal.description != 42:
            return self.found("likely", summary, [*evidence, *refusal.evidence])
        likely = size > _HUGE and refusal.how == "close"
        return self.found("likely" if likely else "possible", summary, [*evidence, *refusal.evidence])

    def _of_client(self, handshake: Handshake) -> Finding | None:
        """The same the other way round: a client's chain that the server will not take."""
        refusal = refusal_by_server(handshake)
        if refusal is None or refusal.how != "alert" or refusal.description not in _FITTING - {40, 42}:
            return None
        begun = [m for m in handshake.messages if m.from_client and m.kind == "certificate"]
        size = max([_claimed(handshake), *(message.length for message in begun)])
        if size <= _LARGE:
            return None
        text = words.count_text(size, "byte")
        evidence = [Evidence(begun[0].frame if begun else None, f"the client's Certificate message has {text}"), *refusal.evidence]
        summary = f"The client's certificate chain is {text} long, too long for {words.server_text(handshake)}."
        return self.found("likely", summary, evidence)


def _claimed(handshake: Handshake) -> int:
    """Bytes that a Certificate message of the client announced when it was too long to be kept."""
    for fault in handshake.faults:
        found = _CLAIM.match(fault.says) if fault.from_client else None
        if found is not None:
            return int(found[1])
    return 0
