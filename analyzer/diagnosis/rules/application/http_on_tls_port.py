r"""Plain HTTP was sent to a TLS port.

Seen:
    The client's first bytes are an HTTP request (GET, POST, CONNECT, PRI * HTTP/2.0 ...). The server answers with a page that says so
    (nginx and Apache 400, Go "Client sent an HTTP request to an HTTPS server"), with an alert (GnuTLS and Java unexpected_message),
    by closing (OpenSSL, HAProxy, Node, Go) or resetting (Python, stunnel), or not at all (NSS).

Means:
    The client uses http:// where https:// is served, or a proxy in front speaks plain HTTP to its TLS backend.

Remedy:
    Client: use https://. A proxy in front: nginx: proxy_pass https://...; Apache: ProxyPass https:// with SSLProxyEngine on; HAProxy:
    "ssl" on the server line; Envoy: a transport_socket on the cluster; IIS ARR: do not offload to a TLS farm; Java: https in the URL; Go:
    ListenAndServeTLS on that port and https in the client; Kubernetes ingress: backend-protocol: "HTTPS"; OpenSSL based: TLS on.
    Server, to be kind: nginx: error_page 497 https://$host$request_uri; HAProxy: two binds and a redirect.

Confirm:
    $ curl -v http://{name_connect}/
    $ curl -v {resolve} {url}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import read_delivery
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._answers import answer_of, first_words, speaks_in_clear
from analyzer.diagnosis.rules.application._plain import is_complaint, spoken_by, tells_of_tls
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_REDIRECTS = (b" 301 ", b" 302 ", b" 307 ", b" 308 ")


class HttpOnTlsPort(Rule):
    """An HTTP request where a ClientHello belongs. Where both sides go on in plain HTTP, no TLS was wanted."""

    cause = "http-on-tls-port"
    stages = frozenset({Stage.CLIENT_NOT_TLS, Stage.DIALOGUE})
    outcomes = frozenset({"failed", "unfinished"})
    explains = ("non-tls-client-bytes", "proxy-connect-refused", "proxy-connect-timeout")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is not None:
            if dialogue.via != "http-connect" or dialogue.state == "agreed" or not tells_of_tls(handshake) or handshake.flow.server_gaps:
                return None  # a CONNECT to a proxy, which agreed, or may have in what is missing
        elif spoken_by(handshake.client_bytes, True) not in ("http", "http2"):
            return None
        asked = first_words(handshake)
        answer = answer_of(handshake)
        where = words.server_text(handshake)
        head = handshake.server_bytes[:15]
        spoke_http = speaks_in_clear(handshake, "http") and not tells_of_tls(handshake)
        if spoke_http and any(code in head for code in _REDIRECTS) and b"https://" in handshake.server_bytes:
            spoke_http = False  # it sends the client to the right place
        if spoke_http and head[8:13] in (b" 400 ", b" 426 ", b" 497 ") and not _serves_in_clear(handshake, context):
            spoke_http = False  # it complains, and does not say of what
        if spoke_http:
            if context.server(handshake).answered:
                return None  # a server of both: the request was served
            summary = f"{where} answers plain HTTP with plain HTTP: nobody spoke TLS on this port."
            return self.found("possible", summary, [asked, *answer], outcome="no-handshake", aborted_by="none")
        summary = f"The client sent plain HTTP to the TLS port of {where}."
        by = handshake.aborted_by if not answer else "server"
        sent = read_delivery(handshake.segments, True)
        if not answer and sent.repeats and sent.acknowledged <= 1 and not context.server(handshake).answered:
            evidence = [asked, Evidence(None, f"sent {words.count_text(len(sent.tries), 'time')} and never acknowledged")]
            return self.found("likely", f"{summary[:-1]}, and it never arrived.", evidence, outcome="failed", aborted_by=by)
        sure = self._confidence(handshake, context)
        if sure == "possible" and is_complaint(handshake.server_bytes):
            summary = f"{where} complained of the client's plain HTTP: this is a port of TLS, or the request was bad."
        return self.found(sure, summary, [asked, *answer], outcome="failed", aborted_by=by)

    def _confidence(self, handshake: Handshake, context: Context) -> Confidence:
        """What shows that the port is one of TLS: the server says so, or did TLS with others. Its number, a close or a complaint do not:
        a server of plain HTTP closes and complains too."""
        if context.server(handshake).answered or tells_of_tls(handshake):
            return "certain"
        if is_complaint(handshake.server_bytes):
            return "possible"
        if handshake.server_bytes and not handshake.server_bytes.startswith(b"HTTP/"):
            return "possible"  # it speaks in clear itself, and something else
        return "likely"


def _serves_in_clear(handshake: Handshake, context: Context) -> bool:
    """Whether the same server spoke in clear with others, and TLS with nobody."""
    flow, profile = handshake.flow, context.server(handshake)
    others = (attempt for attempt in profile.refused if (attempt.stream, attempt.capture) != (flow.stream, flow.capture))
    return not profile.answered and any(attempt.in_clear and attempt.alert is None for attempt in others)
