r"""The client sent something that is not TLS to a TLS port.

Seen:
    The client's first byte begins no TLS record (0x16) and no hello of SSLv2: an SSH banner, RDP, MQTT, SMB, a database protocol or
    bytes nobody knows. The server answers as it answers plain HTTP: an alert, a page, a close, a reset, or silence.

Means:
    A client without TLS, or of another service, on this port; a scanner; or a tunnel that only uses the port because firewalls
    let it through.

Remedy:
    Switch TLS on in that client, or correct its port. MQTT: mqtts:// (8883); RDP and SSH: their own ports; databases: sslmode.
    To serve several protocols on one port: sslh, HAProxy with tcp-request inspect-delay and req.ssl_hello_type, nginx stream with
    ssl_preread, Envoy's tls_inspector. Apache, IIS, Java and Go cannot.

Confirm:
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream} && tcp.len > 0' -x | head -20
    $ openssl s_client -connect {connect} {servername} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._answers import answer_of, first_words, speaks_in_clear
from analyzer.diagnosis.rules.application._plain import dialogue_text, first_line, protocol_text, spoken_by, tells_of_tls
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Dialogue, Handshake, Stage
from analyzer.registries.ports import TLS_PORTS


class NonTlsClientBytes(Rule):
    """Named where the protocol can be told. Where both sides speak it, no TLS was wanted."""

    cause = "non-tls-client-bytes"
    explains = ("server-closed-mid-handshake", "client-closed-mid-handshake")
    stages = frozenset({Stage.CLIENT_NOT_TLS, Stage.CONNECTED, Stage.DIALOGUE})
    outcomes = frozenset({"failed", "unfinished"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.syn_frame or flow.client_gaps:
            return None  # what looks foreign may be the middle of something
        if handshake.stage == Stage.CONNECTED:
            return self._records_only(handshake)
        if handshake.dialogue is not None:
            return self._dialogue(handshake, handshake.dialogue)
        if not handshake.client_bytes:
            return None
        protocol = spoken_by(handshake.client_bytes, True)
        if protocol in ("http", "http2", "tls"):
            return None
        first = Evidence(handshake.client_bytes_frame, f"the client's first bytes: {first_line(handshake.client_bytes)}")
        answer = answer_of(handshake)
        where = words.server_text(handshake)
        spoken = protocol_text(protocol)
        server_spoke_first = handshake.server_bytes and handshake.server_bytes_frame < handshake.client_bytes_frame
        if speaks_in_clear(handshake, protocol) or server_spoke_first or _talks_on(handshake):
            summary = f"Both sides spoke {spoken} on {where}: nobody spoke TLS on this port."
            return self.found("likely", summary, [first, *answer], outcome="no-handshake", aborted_by="none")
        summary = f"The client sent {spoken} to the TLS port of {where}."
        by = "server" if answer else handshake.aborted_by
        # the number of a port, and that it closes, prove no TLS there: a server of that protocol may have turned the client away
        proved = protocol is not None and (tells_of_tls(handshake) or context.server(handshake).answered > 0)
        return self.found("certain" if proved else "likely", summary, [first, *answer], outcome="failed", aborted_by=by)

    def _dialogue(self, handshake: Handshake, dialogue: Dialogue) -> Finding | None:
        """A protocol that asks for TLS, on a port where TLS begins at once: the server speaks TLS, or nothing."""
        if dialogue.via in ("http-connect", "proxy-protocol") or dialogue.via.startswith("socks"):
            return None
        if dialogue.state == "agreed" and handshake.client_bytes:
            return self._in_clear_after_all(handshake, dialogue)
        if any(not from_client for _, from_client, _ in dialogue.lines):
            return self._unasked(handshake, dialogue)
        answer = answer_of(handshake)
        alerted = any(not alert.from_client for alert in handshake.alerts)
        if not alerted and (handshake.flow.server_port not in TLS_PORTS or not answer):
            return None
        spoken = dialogue_text(dialogue.via)
        summary = f"The client spoke {spoken} in the clear to the TLS port of {words.server_text(handshake)}."
        evidence = [first_words(handshake), *answer]
        return self.found("certain" if alerted else "likely", summary, evidence, outcome="failed", aborted_by="server")

    def _in_clear_after_all(self, handshake: Handshake, dialogue: Dialogue) -> Finding | None:
        """TLS was asked for and agreed to, and the client went on in the clear."""
        if handshake.client_hello is not None or any(message.from_client and message.kind != "not_tls" for message in handshake.messages):
            return None
        line = first_line(handshake.client_bytes)
        evidence = [
            Evidence(dialogue.answer_frame or None, "the server agreed to begin TLS"),
            Evidence(handshake.client_bytes_frame, f"the client went on with {line}"),
            *handshake.closing_evidence,
        ]
        spoken = dialogue_text(dialogue.via)
        summary = f"The client asked {words.server_text(handshake)} for TLS, was told to begin, and went on in the clear with {spoken}."
        if not line.startswith('"'):
            summary = f"The client asked {words.server_text(handshake)} for TLS, was told to begin, and sent bytes that are not TLS."
        return self.found("certain" if line.startswith('"') else "likely", summary, evidence, outcome="failed")

    def _unasked(self, handshake: Handshake, dialogue: Dialogue) -> Finding | None:
        """A conversation in clear in which TLS was not asked for, on a port where others did TLS."""
        if dialogue.state != "not-asked" or handshake.client_hello is not None or handshake.alerts:
            return None
        line = next(line for line in dialogue.lines if not line[1])
        spoken = dialogue_text(dialogue.via)
        summary = f"Both sides spoke {spoken} on {words.server_text(handshake)}, and nobody asked for TLS."
        if not any(from_client for _, from_client, _ in dialogue.lines):
            summary = f"{words.server_text(handshake)} spoke {spoken}, and the client said nothing and asked for no TLS."
        evidence = [Evidence(line[0], f'the server said: "{words.shown(line[2], 60)}"')]
        return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by="none")

    def _records_only(self, handshake: Handshake) -> Finding | None:
        """It begins like TLS records, but with data: no handshake comes before it."""
        first = next((m for m in handshake.messages if m.from_client), None)
        if first is None or first.kind not in ("application_data", "change_cipher_spec", "encrypted_handshake", "heartbeat"):
            return None
        evidence = [Evidence(first.first_frame, "the client's first bytes look like a TLS record of data"), *answer_of(handshake)]
        summary = f"The client of {words.server_text(handshake)} began with what looks like TLS data, without any handshake: not TLS."
        return self.found("possible", summary, evidence)


def _talks_on(handshake: Handshake) -> bool:
    """Whether a conversation in an unknown protocol went on: the client answered what the server said."""
    if not handshake.server_bytes or handshake.server_bytes.startswith(b"HTTP/"):
        return False
    turns = 0
    from_client = None
    for segment in handshake.segments:
        if segment.length and segment.from_client != from_client:
            turns += 1
            from_client = segment.from_client
    return turns >= 4
