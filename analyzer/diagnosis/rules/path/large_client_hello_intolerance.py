"""The server, or a device before it, cannot read a ClientHello that comes in several segments.

Seen:
    A ClientHello longer than one segment, most often for its post-quantum key share, is acknowledged in part or whole and answered
    by a reset, a close, an alert (decode_error, unexpected_message) or silence, often after the first segment already, while shorter
    hellos to the same server are answered.

Means:
    Its program, or a device that looks for the name, reads once and takes what it got for the whole message. That worked as long
    as every hello fitted into one packet (see tldr.fail).

Remedy:
    Update the server or the device: it has to read until the record is complete. Until then send smaller hellos to it:
    OpenSSL Groups = X25519:P-256; Go GODEBUG=tlsmlkem=0; Chrome PostQuantumKeyAgreementEnabled=false; Firefox
    security.tls.enable_kyber=false; Java -Djdk.tls.namedGroups=x25519,secp256r1; nginx as a proxy: proxy_ssl_conf_command Groups
    X25519:P-256.

Confirm:
    A hello with 1500 bytes of protocols nobody has, and an ordinary one (with OpenSSL 3.5 -groups X25519MLKEM768 is long, too):
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} -alpn http/1.1,$(seq -s, 1000 1299) </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -groups X25519 </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.losses import deliveries
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.resets import reset_class
from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES, is_post_quantum
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake

_VAGUE = frozenset({10, 20, 22, 40, 47, 50, 80})


_PATIENT = 2_000_000_000
_AT_ONCE = 1_000_000_000
_LARGE = 1_200
"""Bytes of a hello that may not fit into one segment."""


class LargeClientHelloIntolerance(Rule):
    """A split hello taken for a broken one."""

    cause = "large-client-hello-intolerance"
    stages = BEFORE_SERVER_HELLO
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = frozenset({NO_ALERT, *_VAGUE})
    alert_from_client = False
    signs = Oddity.SPLIT
    explains = (*CLOSES, *GUESSES, "decode-error", "unexpected-message", "illegal-parameter", "internal-error", "record-overflow",
                "bad-record-mac", "client-hello-unacked", "insufficient-security", "implicit-vs-starttls")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        parts = handshake.client_hello_segments
        alert = handshake.closing_alert
        if handshake.client_hello_incomplete and parts < 2:
            return self._not_awaited(handshake, context)
        if handshake.client_hello_incomplete and handshake.client_hello is None:
            return None
        if handshake.flow.truncated or handshake.flow.client_gaps:
            return None  # what the hello was is not known
        if parts < 2 or handshake.aborted_by == "middlebox" or (alert is not None and alert.from_client):
            return None
        if alert is not None and alert.description not in _VAGUE:
            return None
        profile = context.server(handshake)
        first = [s for s in handshake.segments if s.from_client and s.length and not s.retransmission and not s.duplicate][:parts]
        sent, _ = deliveries(handshake, context)
        if len(first) < 2 or sent.acknowledged < first[0].sequence + first[0].length:
            return None  # the first part has not arrived: that is the path
        flow, whole = handshake.flow, handshake.client_hello_end
        close = min((f for f in (flow.server_rst_frame, flow.server_fin_frame, alert.frame if alert is not None else 0) if f), default=0)
        silent = handshake.aborted_by == "client" and alert is None and not flow.server_bytes
        if silent:
            close = 0  # the server's answers the client's
        if not close and handshake.aborted_by == "client" and flow.last_seen - handshake.client_hello_time < 10**9:
            return None  # the client did not wait
        answer = next((s for s in handshake.segments if s.frame == close), None)
        early = answer is not None and 0 < answer.acknowledgment < whole
        read_others = profile.most_segments >= parts
        if read_others and not early:
            return None  # the server reads such hellos
        smaller = next(
            (a for a in reversed(profile.accepted) if a.hello is not None and a.hello_segments == 1 and a.hello.length < (whole - 1)), None
        )
        evidence = [hello_evidence(handshake, f"the ClientHello, {whole - 1} bytes in {parts} segments")]
        if is_post_quantum(handshake):
            evidence.append(hello_evidence(handshake, "it carries a post-quantum key share"))
        if early:
            evidence.append(Evidence(close, "the server gave up when it had the first part only"))
        evidence += handshake.closing_evidence
        if read_others:
            evidence.append(Evidence(None, "others like it were read: it depends on how the segments come in"))
        if smaller is not None and smaller.hello is not None:
            evidence.append(
                Evidence(None, f"a ClientHello of {smaller.hello.length} bytes in one segment (stream {smaller.stream}) was answered")
            )
        if not early and (smaller is None or (handshake.aborted_by == "client" and close)):
            return None  # nothing says that it was the length
        if silent and not self._waited(handshake):
            return None  # the client did not wait
        summary = f"{words.server_text(handshake)} does not stand a ClientHello that comes in {parts} segments."
        sure: Confidence = "likely" if not read_others and (early or smaller is not None) and close else "possible"
        if silent and smaller is not None and smaller.time > flow.first_seen:
            sure = "likely"  # it answers others all the while
        finding = self.found(sure, summary, evidence, outcome="failed", reset_class=reset_class(handshake))
        if not early and smaller is None and alert is None:
            finding.kind = "also"  # a close after the whole hello, and nothing to compare it with: any reason may be behind it
        return finding

    def _waited(self, handshake: Handshake) -> bool:
        """Whether a client that closed had waited for an answer to all of its hello."""
        flow = handshake.flow
        closed = min((time for time in (flow.client_fin_time, flow.client_rst_time) if time), default=flow.last_seen)
        return closed - handshake.client_hello_time >= _PATIENT

    def _not_awaited(self, handshake: Handshake, context: Context) -> Finding | None:
        """The server refused at the first segment, so soon that the client did not send the second."""
        flow, alert, announced = handshake.flow, handshake.closing_alert, handshake.client_hello_incomplete
        if handshake.aborted_by != "server" or announced < _LARGE or flow.truncated or flow.client_gaps or flow.server_gaps:
            return None
        if alert is not None and (alert.from_client or alert.description not in _VAGUE):
            return None
        sent, _ = deliveries(handshake, context)
        ends = [(f, t) for f, t in ((flow.server_fin_frame, flow.server_fin_time), (flow.server_rst_frame, flow.server_rst_time)) if f]
        frame, time = min([*ends, *([(alert.frame, alert.timestamp)] if alert is not None else [])], default=(0, 0))
        begun = [s for s in handshake.segments if s.from_client and s.length and s.timestamp < time]
        if (
            not begun
            or sent.outstanding
            or sent.unseen
            or time - begun[-1].timestamp > _AT_ONCE
            or begun[-1].sequence + begun[-1].length >= announced
        ):
            return None
        had = begun[-1].sequence + begun[-1].length - 1
        evidence = [
            Evidence(begun[0].frame, f"the ClientHello begins: {words.count_text(announced, 'byte')} are announced, {had} were sent"),
            Evidence(frame, "the server gave up when it had the first part only"),
            *handshake.closing_evidence,
        ]
        summary = f"{words.server_text(handshake)} does not wait for the rest of a ClientHello that does not fit into one segment."
        return self.found("likely", summary, evidence, outcome="failed", reset_class=reset_class(handshake))
