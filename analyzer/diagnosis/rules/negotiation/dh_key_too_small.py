"""The server's Diffie-Hellman parameters are too small for the client.

Seen:
    ServerKeyExchange holds a prime of less than 2048 bits (less than 1024 for the lenient) and the client refuses right after
    the server's flight: handshake_failure (40) from OpenSSL ("dh key too small"), insufficient_security (71) from Java, GnuTLS
    and NSS, illegal_parameter (47), or a plain close. Go, rustls and BoringSSL offer no DHE at all.

Means:
    The server uses parameters that can be broken (Logjam). OpenSSL at security level 1 takes 1024 bits, at level 2, which Debian
    and Ubuntu set, it wants 2048.

Remedy:
    Make the server use ECDHE, or parameters of 2048 bits.
    nginx: ssl_dhparam with a file of openssl dhparam 2048, or no DHE suites. Apache 2.4.7 or newer takes them from the certificate's
    file. HAProxy: tune.ssl.default-dh-param 2048. Java server: -Djdk.tls.ephemeralDHKeySize=2048. IIS: ServerMinKeyBitLength under
    SCHANNEL\\KeyExchangeAlgorithms\\Diffie-Hellman. Exim, Postfix, Dovecot: their dh file. Envoy and Go have no DHE.
    Client side, for the time being: leave DHE suites out (OpenSSL: -cipher 'DEFAULT:!DHE').

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 -cipher DHE:@SECLEVEL=0 </dev/null 2>/dev/null | grep Temp
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 -cipher 'DEFAULT:!DHE' </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import first_message, message_evidence
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, refused_answer
from analyzer.diagnosis.rules.negotiation.unsafe_legacy_renegotiation import lacks_renegotiation_info
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_MODERN = 2048
_BROKEN = 1024
_HANDSHAKE_FAILURE = 40
_FITTING = frozenset({_HANDSHAKE_FAILURE, 47, 71})
_GENERAL = frozenset({42, 46})


class DhKeyTooSmall(Rule):
    """A short prime and a client that goes no further."""

    cause = "dh-key-too-small"
    stages = AFTER_SERVER_HELLO
    alerts = frozenset({NO_ALERT, 0, 50, 80, *_FITTING, *_GENERAL})
    alert_from_client = True
    explains = (*AFTER_CLOSES, "illegal-parameter", "insufficient-security", "internal-error", "decode-error", "cert-rejected")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        exchange, refusal = handshake.server_key_exchange, refused_answer(handshake)
        if exchange is None or refusal is None or not 0 < exchange.dh_prime_bits < _MODERN:
            return None
        bits = exchange.dh_prime_bits
        seen = first_message(handshake, "server_key_exchange", False)
        alert = handshake.closing_alert
        if seen is None or (alert is not None and alert.frame < seen.frame):
            return None  # said before it came
        evidence = [message_evidence(handshake, "server_key_exchange", False, f"a prime of {bits} bits"), *refusal.evidence]
        summary = f"{words.server_text(handshake)} uses Diffie-Hellman parameters of {bits} bits, too small for the client."
        if refusal.how == "alert":
            if refusal.description in _GENERAL:
                # GnuTLS names it so; a certificate that is in order leaves little else
                judged = context.chain(handshake)
                clean = judged is not None and not judged.problems
                return self.found("possible", summary, evidence) if clean else None
            if refusal.description not in (*_FITTING, 80, 50):
                return None
            if lacks_renegotiation_info(handshake) and refusal.description == 40:
                return self.found("likely" if bits < _BROKEN else "possible", summary, evidence)
            sure = refusal.description in _FITTING
            if refusal.description == _HANDSHAKE_FAILURE:
                # also what a check of the program's own says of a certificate; and most clients take 1024 bits and more
                judged = context.chain(handshake)
                sure = bits < _BROKEN or judged is None or not any(problem.hard for problem in judged.problems)
            return self.found("certain" if sure else "likely", summary, evidence)
        if refusal.how == "close" and not handshake.client_ccs_frame:
            return self.found("likely" if bits < _BROKEN else "possible", summary, evidence)
        return None
