"""The server took more than a second to answer the ClientHello.

Seen:
    The ClientHello is acknowledged at once; the ServerHello follows a second or more later (the round trip taken off), and no
    retransmission accounts for it. Or the rest of the server's flight comes as late after its ServerHello.

Means:
    The server computes, or waits: an overloaded processor, a private key in an HSM or at a remote signer, OCSP or a name lookup in
    the middle of the handshake, a backend that wakes up. Clients with short timeouts fail.

Remedy:
    Find what it waits for, and keep resumption on so that it happens seldom.
    nginx: ssl_session_tickets, ssl_stapling with a reachable resolver, more workers; Apache: SSLStaplingCache, SSLSessionCache; HAProxy:
    nbthread, tune.ssl.cachesize, ECDSA in place of RSA 4096; Envoy: private key providers; IIS: CAPI2 log, CRL retrieval; Java:
    -Djavax.net.debug=ssl:handshake shows times, SecureRandom; Go: GetCertificate (autocert asks the CA); OpenSSL: openssl speed rsa.

Confirm:
    $ time openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ curl -kso /dev/null {resolve} -w '%{time_connect} %{time_appconnect}\\n' {url}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import round_trip
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_SLOW = 1_000_000_000


class ServerSlow(Rule):
    """Time between the two hellos. On a handshake that completed it is only mentioned."""

    cause = "server-slow"
    stages = stages_from(Stage.SERVER_HELLO)
    outcomes = frozenset({"failed", "completed"})
    signs = needs = Oddity.SLOW
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        asked, answered = handshake.client_hello_time, handshake.server_hello_time
        if not asked or not answered or handshake.hello_retry is not None or answered - asked < _SLOW:
            return None
        waited = answered - asked - (round_trip(handshake) or 0)
        if waited < _SLOW or _was_lost(handshake, asked, answered):
            return None
        evidence = [
            Evidence(handshake.client_hello_frame, "the ClientHello"),
            Evidence(handshake.server_hello_frame, f"the ServerHello, {words.span_text(answered - asked)} later"),
        ]
        summary = f"{words.server_text(handshake)} took {words.span_text(waited)} to answer the ClientHello."
        finding = self.found("possible", summary, evidence)
        if handshake.outcome == "completed":
            finding.confidence, finding.kind = "likely", "also"
        return finding


def _was_lost(handshake: Handshake, begin: int, end: int) -> bool:
    """Whether something was sent again between the hellos: then it was the path, not the server."""
    if handshake.flow.retransmissions == 0:
        return False
    again = [s for s in handshake.segments if s.retransmission and s.length and begin <= s.timestamp <= end]
    return bool(again) or not handshake.segments
