"""The server reset the connection right after the ClientHello.

Seen:
    An RST in answer to the ClientHello, without a byte or an alert before it, that looks like the server's other packets: the same TTL, the
    sequence number that was due, no sooner than a round trip takes.

Means:
    The server itself broke off. Most often Windows (Schannel and http.sys reset where others send an alert: no certificate bound to
    that name or address, no common version or suite; events 36874, 36888, 15021), a process that crashed or closed with
    unread bytes (an access rule, a PROXY header that was expected), a load balancer without a healthy target.

Remedy:
    The reason is in the server's log only.
    IIS: netsh http show sslcert, the System log (Schannel); F5: tm.rstcause.log; HAProxy: tcp-request reject and silent-drop rules, SC or
    PR in the log, accept-proxy; nginx: proxy_protocol on the listener, "broken header" in the error log; Envoy: RBAC and listener filters,
    response flags; Apache: RequestReadTimeout, AH00052 for a crash; Java: an exception before the first read; Go: a panic in
    GetCertificate, SetLinger(0); OpenSSL: a core dump.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -msg </dev/null
    From another host, best beside the server: when it works there, something on the path sends the reset.
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import AT_ONCE, close_text, closed_unread, first_close, left_unanswered, look_at_reset
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ServerRstAfterHello(Rule):
    """A reset as the first and only answer. What is not like the server's other packets is only called possible."""

    cause = "server-rst-after-hello"
    stages = frozenset({Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED})
    outcomes = frozenset({"failed"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake)
        if close is None or close.from_client or close.kind != "rst" or handshake.client_hello is None:
            return None
        if not left_unanswered(handshake):
            return None
        where = words.server_text(handshake)
        look = look_at_reset(handshake, context, close)
        evidence = [hello_evidence(handshake, "the ClientHello"), close_text(close)]
        if look.says:
            evidence.append(Evidence(close.frame, f"the reset: {look.says}"))
        if look.own is False:
            summary = f"A reset in the name of {where} answered the ClientHello; it does not look like the server's own packets."
            return self.found("possible", summary, evidence)
        if look.doubtful:
            summary = f"A reset in the name of {where} answered the ClientHello: the server's own, or that of a device on the path."
            return self.found("possible", summary, evidence, aborted_by="unknown")
        if closed_unread(handshake, close):
            summary = f"{where} reset the connection without having read a byte of the ClientHello: a limit, a rule, or nothing behind it."
            return self.found("possible", summary, evidence)
        answered = context.server(handshake).answered
        if answered:
            evidence.append(Evidence(None, f"the same server answered {words.count_text(answered, 'other hello')}"))
        waited = close.time - (handshake.client_hello_time or close.time)
        when = "right after the ClientHello" if waited < AT_ONCE else f"{words.span_text(waited)} after the ClientHello"
        summary = f"{where} reset the connection {when}, without an alert."
        return self.found("likely" if look.own else "possible", summary, evidence)
