r"""TLS was sent to a port that does not speak it.

Seen:
    The answer to the ClientHello is plain text or another protocol: "HTTP/1.1 400", an SSH banner, a Redis error, the ClientHello itself.
    Or there is none, of a server that speaks with other clients in the clear (Redis waits for the end of a line).
    Clients then say "wrong version number", "first record does not look like a TLS handshake" or "packet length too long"; BoringSSL
    sends protocol_version, GnuTLS and Java unexpected_message, NSS and wolfSSL record_overflow, rustls decode_error, others nothing.

Means:
    The port is wrong, or TLS is switched off on the listener: "listen 443" without "ssl", a certificate that could not be loaded, a
    backend that speaks plain HTTP behind a proxy that was told otherwise. A complaint alone (400 Bad Request) may also be that of a TLS
    port to which a balancer said something else first, such as a PROXY header.

Remedy:
    nginx: listen 443 ssl; and for upstreams proxy_pass http://; Apache: SSLEngine on in that virtual host, Listen 443 https; HAProxy:
    bind ... ssl crt, and no "ssl" on the server line of a plain backend; Envoy: a transport_socket on the listener, none on the
    cluster; IIS: an https binding; Java: server.ssl.* (Spring), SSLEnabled="true" (Tomcat); Go: ListenAndServeTLS;
    OpenSSL based: the port that has TLS; Redis: tls-port.

Confirm:
    $ printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 3 {address} {port} | head -c 200
    $ openssl s_client -connect {connect} {servername} </dev/null
    An answer of 400 to the first, a whole request, too: it is not this port that speaks HTTP, see what stands before it.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.evidence import first_message, hello_evidence
from analyzer.diagnosis.losses import answers_hello
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import nothing_from_server
from analyzer.diagnosis.rules.application._plain import first_line, is_complaint, protocol_text, spoken_by
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_GENERAL = ("record-overflow", "unexpected-message", "decode-error", "client-version-too-new", "refused-encrypted")


class TlsOnPlaintextPort(Rule):
    """Bytes of the server that are no TLS, in answer to a ClientHello."""

    cause = "tls-on-plaintext-port"
    stages = frozenset({Stage.SERVER_NOT_TLS, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED, Stage.SERVER_ALERT})
    outcomes = frozenset({"failed", "unfinished"})
    explains = (*_GENERAL, "client-closed-mid-handshake", "server-closed-mid-handshake", "client-timeout", "server-fin-after-hello",
                "server-rst-after-hello", "client-hello-no-answer", "lb-no-backend")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.stage != Stage.SERVER_NOT_TLS and not context.is_so(_is_echoed, handshake):
            return self._as_others(handshake, context)
        where = words.server_text(handshake)
        hello = hello_evidence(handshake, "the ClientHello")
        if handshake.stage != Stage.SERVER_NOT_TLS:
            echo = first_message(handshake, "client_hello", False)
            if handshake.client_hello is None or echo is None:
                return None
            evidence = [hello, Evidence(echo.frame, "the server sent a ClientHello back")]
            summary = f"{where} only sent the ClientHello back: an echo, not TLS."
            return self.found("certain", summary, evidence, outcome="failed", aborted_by="server")
        if handshake.flow.server_gaps or not (handshake.flow.syn_frame or handshake.flow.syn_ack_frame):
            return None  # what looks foreign may be the middle of something
        protocol = spoken_by(handshake.server_bytes, False)
        line = first_line(handshake.server_bytes)
        sure = protocol is not None or line.startswith('"')
        how = "in answer" if answers_hello(handshake) else "before the ClientHello arrived"
        evidence = [hello, Evidence(handshake.server_bytes_frame, f"the server sent {line} {how}")]
        spoken = protocol_text(protocol) if protocol is not None else "plain text" if sure else protocol_text(None)
        profile = context.server(handshake)
        tls = [attempt for attempt in profile.accepted if attempt.via is None]
        confidence: Confidence = "certain" if sure else "likely"
        summary = f"The client began TLS on a port where {where} speaks {spoken}."
        if not sure:
            summary = f"{where} answered the ClientHello with bytes that are not TLS."
        if tls:
            confidence = "possible"
            evidence.append(Evidence(None, f"in stream {tls[-1].stream} the same port answered with TLS"))
            summary = f"{where} answered this ClientHello in {spoken} and others in TLS: one of several behind it may be without TLS."
        elif is_complaint(handshake.server_bytes) and not any(
            attempt.in_clear for attempt in profile.refused if not _is(attempt, handshake)
        ):
            confidence = "likely"
            evidence.append(Evidence(None, "a TLS port complains in the same words when something on the way spoke before the client"))
        return self.found(confidence, summary, evidence, outcome="failed", aborted_by="server")

    def _as_others(self, handshake: Handshake, context: Context) -> Finding | None:
        """No answer, from a server that others spoke to in the clear."""
        if handshake.alerts or handshake.client_hello is None or handshake.dialogue is not None:
            return None
        profile = context.server(handshake)
        clear = [attempt for attempt in profile.refused if attempt.in_clear]
        if not clear or profile.answered or not nothing_from_server(handshake):
            return None
        if handshake.aborted_by == "middlebox" or handshake.stage != Stage.CLIENT_HELLO:
            return None
        where = words.server_text(handshake)
        evidence = [
            hello_evidence(handshake, "the ClientHello, without an answer in TLS"),
            Evidence(None, f"in stream {clear[-1].stream} the same server spoke in the clear, and in no stream TLS"),
            *handshake.closing_evidence[:1],
        ]
        summary = f"The client began TLS with {where}, which speaks with others in the clear and answered no ClientHello."
        return self.found("likely", summary, evidence, outcome="failed")


def _is(attempt: Attempt, handshake: Handshake) -> bool:
    """Whether it is the handshake's own."""
    return attempt.stream == handshake.flow.stream and attempt.capture == handshake.flow.capture


def _is_echoed(handshake: Handshake) -> bool:
    """A ClientHello from either side: of one alone, where the SYN was not captured, it may be the client's."""
    return all(first_message(handshake, "client_hello", side) is not None for side in (True, False))
