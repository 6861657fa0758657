"""The proxy did not answer CONNECT, or said yes and closed when TLS began.

Seen:
    CONNECT host:port without an answer until one side gives up; or 200, the ClientHello, and FIN or RST in place of a ServerHello; or
    200 and a close before the ClientHello.

Means:
    The trouble is on the other leg, between the proxy and the server: a connection that is not answered, reset, or forbidden
    only once the name in the ClientHello is seen.

Remedy:
    Look at the proxy's log, and capture between the proxy and the server.
    Squid: connect_timeout, cache.log, TCP_TUNNEL lines; Envoy: UF and UH in the access log; Zscaler, Netskope: the web insights log;
    Apache: ProxyTimeout; HAProxy: timeout connect; nginx: proxy_connect_timeout; IIS ARR: time-out. Clients (Java, Go, curl, OpenSSL)
    can only wait longer or go around it with NO_PROXY.

Confirm:
    $ curl -v -m 60 -x http://{proxy} https://{target}/
    $ timeout 20 openssl s_client -connect {target} </dev/null
    Run the second on the proxy's host.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import CLOSES_AFTER_HELLO, close_text, first_close, left_early
from analyzer.diagnosis.rules.application._dialogue import DIALOGUE_STAGES, answered_line, asked_line
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Dialogue, Handshake, Stage


class ProxyConnectTimeout(Rule):
    """The proxy's other leg, told from what it did on this one."""

    cause = "proxy-connect-timeout"
    stages = DIALOGUE_STAGES
    outcomes = frozenset({"failed"})
    signs = Oddity.DIALOGUE
    explains = (*CLOSES_AFTER_HELLO, "client-closed-mid-handshake", "client-timeout", "lb-no-backend", "client-hello-unacked")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None or dialogue.via != "http-connect" or handshake.flow.one_way or handshake.flow.server_gaps:
            return None
        if dialogue.state == "asked" and handshake.client_hello is None:
            return self._unanswered(handshake, dialogue)
        if dialogue.state == "agreed":
            return self._closed(handshake, dialogue)
        return None

    def _unanswered(self, handshake: Handshake, dialogue: Dialogue) -> Finding:
        close = first_close(handshake)
        asked = asked_line(dialogue)
        evidence = [asked] if asked is not None else []
        evidence.append(close_text(close) if close is not None else Evidence(None, "nobody closed"))
        target = words.shown(dialogue.target or "the server", 60)
        summary = f"The proxy {words.address_text(handshake)} never answered the request for a tunnel to {target}."
        return self.found("possible" if close is not None and left_early(handshake, close) else "likely", summary, evidence)

    def _closed(self, handshake: Handshake, dialogue: Dialogue) -> Finding | None:
        close = first_close(handshake)
        answered_in_tls = handshake.server_bytes and handshake.stage == Stage.SERVER_NOT_TLS
        if answered_in_tls or any(not alert.from_client for alert in handshake.alerts):
            return None
        if close is None or (close.from_client and handshake.stage == Stage.DIALOGUE):
            return None
        evidence = [e for e in (asked_line(dialogue), answered_line(dialogue)) if e is not None]
        if handshake.client_hello is not None:
            evidence.append(Evidence(handshake.client_hello_frame, "the ClientHello"))
        evidence.append(close_text(close))
        target = words.shown(dialogue.target or "the server", 60)
        proxy = f"The proxy {words.address_text(handshake)}"
        if close.from_client:
            if left_early(handshake, close):
                return None  # it did not wait for an answer
            summary = f"{proxy} opened the tunnel to {target}, and no answer to the ClientHello came through it."
        else:
            when = "after the ClientHello" if handshake.client_hello is not None else "before any byte"
            summary = f"{proxy} opened the tunnel to {target} and closed it {when}: its connection to the server failed."
        return self.found("likely", summary, evidence)
