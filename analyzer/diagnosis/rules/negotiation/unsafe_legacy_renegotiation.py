"""The server knows nothing of secure renegotiation, and an OpenSSL 3 client insists on it.

Seen:
    The ServerHello (TLS 1.2 or older) has no renegotiation_info although the client sent it (or TLS_EMPTY_RENEGOTIATION_INFO_SCSV),
    and the client sends handshake_failure (40) right after the server's flight. Clients on OpenSSL 3 do so (curl, Python, Node,
    Ruby, PHP, "unsafe legacy renegotiation disabled"); Go, Java, BoringSSL, GnuTLS, NSS, rustls, wolfSSL and mbedTLS go on.

Means:
    The server, or an appliance in front of it, lacks RFC 5746 (2010), and is open to an old attack.

Remedy:
    Update the server or appliance: OpenSSL 0.9.8m and newer, Java 6u22, Windows update MS10-049 have it.
    Until then, for this one client: Options = UnsafeLegacyServerConnect in openssl.cnf (OPENSSL_CONF points to a copy);
    OpenSSL: s_client -legacy_server_connect; Python: context.options |= ssl.OP_LEGACY_SERVER_CONNECT; Node:
    secureOptions: crypto.constants.SSL_OP_LEGACY_SERVER_CONNECT; nginx as client: proxy_ssl_conf_command Options
    UnsafeLegacyServerConnect. curl has no option of its own.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 -legacy_server_connect </dev/null 2>/dev/null | grep Secure
    The second must go through and say "Secure Renegotiation IS NOT supported".
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import ClientHello

_SCSV = 0x00FF
_ENCRYPT_THEN_MAC, _POINT_FORMATS = 22, (0, 1, 2)


class UnsafeLegacyRenegotiation(Rule):
    """No renegotiation_info in the answer, and 40 from the client."""

    cause = "unsafe-legacy-renegotiation"
    stages = frozenset({Stage.SERVER_HELLO})
    alerts = frozenset({40})
    alert_from_client = True

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or not lacks_renegotiation_info(handshake):
            return None
        like_openssl = is_like_openssl(hello)
        exchange = handshake.server_key_exchange
        small = exchange is not None and 0 < exchange.dh_prime_bits < 1024
        evidence = [
            hello_evidence(handshake, "the client supports secure renegotiation (RFC 5746)"),
            message_evidence(handshake, "server_hello", False, "no renegotiation_info in the answer"),
            *handshake.closing_evidence,
        ]
        if like_openssl:
            evidence.append(hello_evidence(handshake, "the hello is built as OpenSSL builds it"))
        summary = f"{words.server_text(handshake)} does not support secure renegotiation, and the client refuses to go on without it."
        return self.found("likely" if like_openssl and not small else "possible", summary, evidence)


def lacks_renegotiation_info(handshake: Handshake) -> bool:
    """Whether the client offered RFC 5746 and the ServerHello (TLS 1.2 or older) does not answer it."""
    hello, answer = handshake.client_hello, handshake.server_hello
    if hello is None or answer is None or handshake.is_tls13 or answer.selected_version > 0x0303:
        return False
    return hello.renegotiation_info and not answer.renegotiation_info


def is_like_openssl(hello: ClientHello) -> bool:
    """Whether the hello has the marks of OpenSSL 1.1 and 3: the SCSV, encrypt_then_mac and its three point formats."""
    if _SCSV not in hello.cipher_suites or _ENCRYPT_THEN_MAC not in hello.extension_types:
        return False
    return not hello.ec_point_formats or hello.ec_point_formats == _POINT_FORMATS
