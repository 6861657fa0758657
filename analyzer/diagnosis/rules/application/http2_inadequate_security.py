"""HTTP/2 was agreed on with a cipher suite that it forbids.

Seen:
    TLS 1.2, ALPN h2, and a suite of RFC 9113 appendix A (CBC, or RSA key exchange); the connection ends at once, after a few short
    records: a GOAWAY with INADEQUATE_SECURITY (0xc), which only keys can show.

Means:
    Server and client chose h2 and a suite that h2 does not allow. Browsers, nghttp2 and Go refuse it; curl does not mind.

Remedy:
    Put the suites that h2 needs first, ECDHE with AES-GCM or ChaCha20, or take h2 out of ALPN for old suites.
    nginx: ssl_prefer_server_ciphers on and ssl_ciphers ECDHE+AESGCM:...; Apache: SSLHonorCipherOrder on, H2ModernTLSOnly; HAProxy:
    ssl-default-bind-ciphers; Envoy: cipher_suites; IIS: the order of suites (Get-TlsCipherSuite), or EnableHttp2Tls 0; Java: Jetty
    HTTP2Cipher.COMPARATOR; Go: leave CipherSuites empty; OpenSSL based: SSL_OP_CIPHER_SERVER_PREFERENCE.

Confirm:
    $ openssl s_client -connect {connect} {servername} -tls1_2 -alpn h2 {cipher_flag} </dev/null
    $ nghttp -nv {url}
"""

from __future__ import annotations

from analyzer import registries
from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import AT_ONCE, close_text, first_close
from analyzer.model.finding import AbortedBy, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.registries.suite_facts import suite_facts

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_GOAWAY, _INADEQUATE_SECURITY = 7, 0xC

_SMALL = 300
"""Bytes of the server's data: SETTINGS and GOAWAY in their records; a response with headers and body is longer."""


class Http2InadequateSecurity(Rule):
    """Told from the suite and an end too early for an answer."""

    cause = "http2-inadequate-security"
    stages = frozenset({Stage.FINISHED, Stage.ESTABLISHED})
    outcomes = frozenset({"failed", "completed"})
    needs = Oddity.HTTP2
    explains = ("lb-no-backend",)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        answer = handshake.server_hello
        if handshake.alpn != "h2" or answer is None or handshake.selected_version != 0x0303:
            return None
        facts = suite_facts(answer.cipher_suite)
        if facts is None or (facts.is_aead and facts.is_forward_secret):
            return None
        close = first_close(handshake)
        told = self._goaway(handshake)
        if told is not None:
            from_client, frame = told
            name = registries.name_of_cipher_suite(answer.cipher_suite)
            who = words.side(from_client)
            evidence = [
                Evidence(handshake.server_hello_frame, f"the server chose h2 and {name}"),
                Evidence(frame, f"{who} sent GOAWAY with INADEQUATE_SECURITY (decrypted with the key log)"),
            ]
            summary = f"{who.capitalize()} refused HTTP/2 with {name}: RFC 9113 forbids that suite."
            side: AbortedBy = "client" if from_client else "server"
            return self.found("certain", summary, evidence, outcome="failed", aborted_by=side)
        if close is None or not handshake.messages or not (handshake.client_application_records or handshake.server_application_records):
            return None
        if handshake.server_application_bytes > _SMALL or close.time - handshake.messages[-1].timestamp > AT_ONCE:
            return None
        name = registries.name_of_cipher_suite(answer.cipher_suite)
        evidence = [Evidence(handshake.server_hello_frame, f"the server chose h2 and {name}, which RFC 9113 forbids"), close_text(close)]
        summary = f"{words.side(close.from_client).capitalize()} left at once: {words.server_text(handshake)} agreed on h2 with {name}."
        by: AbortedBy = "client" if close.from_client else "server"
        return self.found("possible", summary, evidence, outcome="failed", aborted_by=by)

    def _goaway(self, handshake: Handshake) -> tuple[bool, int] | None:
        """Who said GOAWAY with INADEQUATE_SECURITY, and where, in what the key log opened; None where nobody did."""
        for from_client, data, frame in (
            (True, handshake.client_bytes, handshake.client_bytes_frame),
            (False, handshake.server_bytes, handshake.server_bytes_frame),
        ):
            position = len(_PREFACE) if data.startswith(_PREFACE) else 0
            if from_client and not position:
                continue
            while position + 9 <= len(data):
                length, kind = int.from_bytes(data[position : position + 3], "big"), data[position + 3]
                body = data[position + 9 : position + 9 + length]
                if kind == _GOAWAY and len(body) >= 8 and int.from_bytes(body[4:8], "big") == _INADEQUATE_SECURITY:
                    return from_client, frame
                position += 9 + length
        return None
