"""A PROXY header was sent to a server that does not expect one, or left out before one that does.

Seen:
    The client's first bytes are "PROXY TCP4 ..." or the signature of version 2, then its ClientHello; the server treats them as any
    bytes that are not TLS: a page in clear (nginx), unexpected_message (GnuTLS, Java), a close or reset. Or the reverse: a bare ClientHello
    is closed on, where the same server answers those that come after a PROXY header. Before the balancer, where the header is not to be
    seen: a complaint about a bad request, in HTTP, that acknowledges not a byte of the ClientHello.

Means:
    The balancer in front and the server behind it do not agree on the PROXY protocol.

Remedy:
    Switch it on or off at both ends.
    nginx: listen 443 ssl proxy_protocol; HAProxy: accept-proxy on bind, send-proxy or send-proxy-v2 on the server line; Envoy: the
    proxy_protocol listener filter; Apache: RemoteIPProxyProtocol On; AWS NLB: the target group attribute proxy_protocol_v2.enabled; Java:
    Jetty ProxyConnectionFactory; Go: go-proxyproto; IIS and plain OpenSSL: none, switch it off in the balancer.

Confirm:
    $ curl -v --haproxy-protocol {resolve} {url}
    $ curl -v {resolve} {url}
    Which of the two goes through says what the server expects: ask the server itself, behind the balancer.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.losses import answers_hello
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._answers import answer_of
from analyzer.diagnosis.rules.application._closes import CLOSES_AFTER_HELLO, close_text, first_close, nothing_from_server
from analyzer.diagnosis.rules.application._plain import first_line, is_complaint, spoken_by
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_NOT_TLS_ALERTS = frozenset({10, 22, 50})
"""What stacks answer to bytes that are no TLS; other alerts show that the header was taken."""


class ProxyProtocolMismatch(Rule):
    """A header that was not taken."""

    cause = "proxy-protocol-mismatch"
    stages = frozenset(
        {Stage.CLIENT_NOT_TLS, Stage.DIALOGUE, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED, Stage.SERVER_NOT_TLS, Stage.SERVER_ALERT}
    )
    outcomes = frozenset({"failed"})
    explains = (
        *CLOSES_AFTER_HELLO, "tls-on-plaintext-port", "unexpected-message", "decode-error", "record-overflow", "non-tls-client-bytes",
        "lb-no-backend", "client-closed-mid-handshake",
    )  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None and handshake.client_hello is not None:
            if handshake.stage == Stage.SERVER_NOT_TLS:
                return self._out_of_sight(handshake, context)
            return self._missing(handshake, context)
        if dialogue is None or dialogue.via != "proxy-protocol":
            return None
        return self._unexpected(handshake, context)

    def _unexpected(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        alert = handshake.closing_alert
        if alert is not None and (alert.from_client or alert.description not in _NOT_TLS_ALERTS):
            return None
        if any(attempt.accepted and attempt.via == "proxy-protocol" for attempt in context.server(handshake).accepted):
            return None  # it takes headers
        answer = answer_of(handshake)
        close = first_close(handshake)
        if not answer or (handshake.server_bytes == b"" and alert is None and (close is None or close.from_client)):
            return None
        line = dialogue.lines[0] if dialogue is not None and dialogue.lines else (handshake.client_bytes_frame, True, "PROXY")
        evidence = [Evidence(line[0], f'the client\'s first line: "{words.shown(line[2])}"'), *answer]
        proved = alert is not None or spoken_by(handshake.server_bytes, False) == "http"
        summary = f"The client sent a PROXY header first, and {words.server_text(handshake)} does not expect one."
        return self.found("certain" if proved else "likely", summary, evidence, aborted_by="server")

    def _out_of_sight(self, handshake: Handshake, context: Context) -> Finding | None:
        """A balancer sent the header: nobody complains of a request who has not got one."""
        if handshake.aborted_by == "middlebox" or not is_complaint(handshake.server_bytes) or answers_hello(handshake):
            return None
        flow = handshake.flow
        if flow.server_gaps or not (flow.syn_frame and flow.syn_ack_frame):
            return None
        where = words.server_text(handshake)
        tls = [attempt for attempt in context.server(handshake).accepted if attempt.via is None]
        complaint = first_line(handshake.server_bytes)
        evidence = [
            Evidence(handshake.server_bytes_frame, f"the server sent {complaint} and had not got a byte of the client's"),
            hello_evidence(handshake, "the ClientHello"),
        ]
        if tls:
            evidence.append(Evidence(None, f"in stream {tls[-1].stream} the same port answered with TLS"))
        summary = f"{where} complained of a request before the client's first byte was there: what it read came from in front of it."
        return self.found("likely" if tls else "possible", summary, evidence, aborted_by="server")

    def _missing(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake) if handshake.stage != Stage.SERVER_ALERT else None
        if close is None or close.from_client or not nothing_from_server(handshake):
            return None
        accepted = context.server(handshake).accepted
        taken = [attempt for attempt in accepted if attempt.via == "proxy-protocol"]
        if not taken or len(taken) < len(accepted):
            return None
        evidence = [
            hello_evidence(handshake, "a ClientHello without a PROXY header"),
            close_text(close),
            Evidence(None, f"the {words.count_text(len(taken), 'hello', 'hellos')} that this server answered came after a PROXY header"),
        ]
        summary = f"{words.server_text(handshake)} expects a PROXY header before the ClientHello, and the client sent none."
        return self.found("likely", summary, evidence)
