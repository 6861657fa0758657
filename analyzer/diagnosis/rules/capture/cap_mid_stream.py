"""The capture starts in the middle of the connection.

Seen:
    No SYN and no ClientHello: the first packets captured belong to something already under way (a ServerHello, encrypted records).

Means:
    The recording began after the connection did. How the handshake went, or began, is not in the file.

Remedy:
    Start recording before the client connects, and reproduce. For what comes and goes keep a ring of files:
    dumpcap -i any -b filesize:100000 -b files:50 -w ring.pcapng

Confirm:
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream}' | head -3
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import EVERYTHING_GENERAL, as_note, is_proved
from analyzer.diagnosis.silence import missing_side
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake


class CapMidStream(Rule):
    """Neither SYN nor ClientHello."""

    cause = "cap-mid-stream"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    signs = needs = Oddity.NO_HELLO
    overturns = 0
    explains = (*EVERYTHING_GENERAL, "cap-ended-early", "cap-drops", "cap-snaplen", "unexpected-message", "middlebox-rst-injection",
                "http-on-tls-port", "middlebox-block-page", "cert-private-key-mismatch")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if flow.syn_frame or flow.syn_ack_frame or handshake.client_hello is not None or handshake.client_hello_incomplete:
            return None
        if missing_side(handshake) is not None or (handshake.dialogue is not None and handshake.dialogue.lines):
            return None
        if not (flow.client_bytes or flow.server_bytes):
            return None
        evidence = [Evidence(flow.first_frame, "the first packet captured, with neither a SYN nor a ClientHello before it")]
        first = handshake.messages[0] if handshake.messages else None
        if first is not None:
            evidence.append(Evidence(first.frame, f"the first record is {first.kind.replace('_', ' ')} of {words.side(first.from_client)}"))
        if handshake.outcome == "completed" or is_proved(handshake):
            return as_note(self.found("certain", "The capture starts in the middle of the handshake.", evidence))
        summary = f"The capture starts in the middle of a connection to {words.server_text(handshake)}: its handshake is not in it."
        return self.found("certain" if first is not None else "likely", summary, evidence, outcome="unfinished", aborted_by="unknown")
