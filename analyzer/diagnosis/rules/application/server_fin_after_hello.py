"""The server closed right after the ClientHello, without an alert.

Seen:
    FIN in answer to the ClientHello, with no byte of TLS before it. The client may answer that close with an alert (OpenSSL
    and rustls decode_error, GnuTLS unexpected_message, Java handshake_failure): an effect, not counted.

Means:
    What listens there did not want this connection, or is not TLS: a TCP proxy whose upstream refused, an access rule
    (stunnel, xinetd, tcpwrappers), a listener that expects a PROXY header, a program that speaks another protocol; mbedTLS 3 closes
    so when no group is common in TLS 1.3.

Remedy:
    Look at the log of what listens on that port.
    nginx: stream with proxy_pass to a dead upstream, "broken header" with proxy_protocol; HAProxy: NOSRV, SC, PR in the log, accept-proxy;
    Envoy: UF or NR in the access log (no filter chain matches the name); Apache: Require rules do not do this, mod_reqtimeout does;
    IIS: port bound by another service; stunnel: connect and tcpwrappers lines; Java: an exception in the acceptor; Go: a raw listener;
    OpenSSL: s_server with -naccept. AWS NLB: healthy targets.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -msg -state </dev/null
    $ printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} {port} | head -c 200
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import AT_ONCE, close_text, closed_unread, first_close, left_unanswered
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ServerFinAfterHello(Rule):
    """A FIN as the first and only answer."""

    cause = "server-fin-after-hello"
    stages = frozenset({Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED})
    outcomes = frozenset({"failed"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake)
        if close is None or close.from_client or close.kind != "fin" or handshake.client_hello is None:
            return None
        if not left_unanswered(handshake):
            return None
        evidence = [hello_evidence(handshake, "the ClientHello"), close_text(close)]
        evidence += [
            Evidence(alert.frame, f"the client answered the close with {words.alert_text(alert)}: an effect")
            for alert in handshake.alerts
            if alert.from_client and alert.frame >= close.frame
        ][:1]
        answered = context.server(handshake).answered
        if answered:
            evidence.append(Evidence(None, f"the same server answered {words.count_text(answered, 'other hello')}"))
        if closed_unread(handshake, close):
            where = words.server_text(handshake)
            summary = f"{where} closed without having read a byte of the ClientHello: a limit, a rule, or nothing behind it."
            return self.found("possible", summary, evidence)
        waited = close.time - (handshake.client_hello_time or close.time)
        when = "right after the ClientHello" if waited < AT_ONCE else f"{words.span_text(waited)} after the ClientHello"
        summary = f"{words.server_text(handshake)} closed {when}, without an alert."
        return self.found("likely", summary, evidence)
