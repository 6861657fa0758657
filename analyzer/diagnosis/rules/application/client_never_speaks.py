"""The client connected and never began TLS.

Seen:
    The TCP handshake, then nothing from the client for seconds, until one side closes or the capture has seen ten seconds of
    silence.

Means:
    Not a failed handshake: none was begun. The client waits for the server to speak first, is stuck, keeps a connection
    in reserve, or means to hold the server's connections open. The server's timer ends it (HAProxy timeout client, nginx
    client_header_timeout, Go ReadHeaderTimeout).

Remedy:
    Look at the client at that address: which program holds the connection, and for which protocol. If it waits for a greeting,
    it speaks a protocol that begins in the clear: correct its port or switch on implicit TLS.
    Keep the server's timers short: HAProxy: timeout client-hs (timeout client where it knows none) and http-request; nginx:
    client_header_timeout; Apache: RequestReadTimeout handshake=; Envoy: transport_socket_connect_timeout; Go: ReadHeaderTimeout;
    IIS: connectionTimeout.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    Run it on the client's host: when it goes through, the path and the server are sound.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import AT_ONCE, LONG_SILENCE, close_text, first_close, saw_connect
from analyzer.model.finding import AbortedBy, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage


class ClientNeverSpeaks(Rule):
    """Silence of the client, for longer than a probe takes."""

    cause = "client-never-speaks"
    stages = frozenset({Stage.CONNECTED})
    outcomes = frozenset({"failed", "no-handshake"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if handshake.aborted_by == "middlebox" or flow.client_bytes or not saw_connect(handshake) or not flow.ack_frame:
            return None
        close = first_close(handshake)
        if close is None:
            quiet = context.capture(handshake).last_seen - flow.syn_ack_time
            if quiet < context.options.timeout * 1e9:
                return None  # the capture ends too soon to say
            evidence = [Evidence(flow.ack_frame, f"connected, and silent for {words.span_text(quiet)} until the capture ends")]
        else:
            quiet = close.time - flow.syn_ack_time
            if quiet < (LONG_SILENCE if close.from_client else AT_ONCE):
                return None
            if any(s.frame == close.frame and s.from_client and s.sequence > 1 for s in handshake.segments):
                return None
            evidence = [Evidence(flow.ack_frame, f"connected, and silent for {words.span_text(quiet)}"), close_text(close)]
        summary = f"The client connected to {words.server_text(handshake)} and sent nothing for {words.span_text(quiet)}."
        by: AbortedBy = "none" if close is None else "client" if close.from_client else "server"
        return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by=by)
