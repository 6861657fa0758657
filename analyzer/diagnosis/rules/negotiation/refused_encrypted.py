r"""One end refused with an encrypted alert, at a place that does not tell why.

Seen:
    A record of an alert's length (19 bytes in TLS 1.3, 35 from Java; an encrypted alert record in TLS 1.2) and a close, where neither a
    refused server certificate nor a refused client certificate fits: right after the ServerHello, in a resumed session, or in answer to the
    client's Finished when no certificate was asked for.

Means:
    The alert is a refusal, and its reason is hidden: parameters, application protocol, a Finished that does not verify, policy.

Remedy:
    Read the log of the end that sent it, or record the keys and look again.
    curl, Python, Node (--tls-keylog), Go (KeyLogWriter), browsers: SSLKEYLOGFILE. OpenSSL: s_client -keylogfile, -msg -state. Java:
    -Djavax.net.debug=ssl:handshake. nginx: error_log ... debug. Apache: LogLevel ssl:trace3. HAProxy: show errors, tune.ssl.keylog.
    Envoy: key_log of the TLS context. IIS: Schannel events. SSL_DEBUG=1 does nothing in OpenSSL.

Confirm:
    A new attempt with the offer of this one, recorded together with its keys:
    $ tcpdump -U -ni any -w NEW.pcap 'host {address} and tcp port {port}' & sleep 1; \
        openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} {groups_flag} {sigalgs_flag} \
        {alpn_flag} -keylogfile KEYS.log </dev/null; sleep 1; kill $!
    $ handshake explain NEW.pcap 0 --keylog KEYS.log
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class RefusedEncrypted(Rule):
    """An encrypted alert decided, and it is nobody's certificate."""

    cause = "refused-encrypted"
    stages = stages_from(Stage.CLIENT_HELLO) - {Stage.SERVER_NOT_TLS}
    alerts = frozenset({None})
    explains = AFTER_CLOSES

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert = handshake.closing_alert
        if alert is None or alert.description is not None:
            return None
        flow = handshake.flow
        if flow.one_way or flow.client_gaps or flow.server_gaps or flow.truncated:
            return None  # the reason may be among what was not captured
        who = words.side(alert.from_client)
        place = _place(handshake, from_client=alert.from_client)
        if place is None:
            return None
        summary = f"{who.capitalize()} refused with an encrypted alert {place}; its reason is hidden."
        # a server without tickets that takes leave at once looks the same in TLS 1.3
        goodbye = handshake.is_tls13 and not alert.from_client and handshake.client_finished_frame > 0
        return self.found("possible" if goodbye else "likely", summary, handshake.closing_evidence)


def _place(handshake: Handshake, *, from_client: bool) -> str | None:
    """Where it stands; None where a refused certificate is the better reading."""
    if from_client:
        if handshake.server_hello is None:
            return "before the ServerHello"
        return "in a resumed session" if handshake.resumption is not None else None
    if handshake.stage in (Stage.CLIENT_HELLO, Stage.SERVER_ALERT):
        return "in answer to the ClientHello"
    if handshake.stage == Stage.SERVER_HELLO:
        return "right after its ServerHello"
    if handshake.client_certificate_requested:
        return None
    return "in answer to the client's second flight"
