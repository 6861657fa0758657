"""The capture cut its packets short.

Seen:
    Packets were recorded shorter than they were on the wire: the rest of a hello, a certificate or an alert is not there.

Means:
    The recording had a snapshot length (tcpdump -s 96, an old default; a setting of the mirror or of the flow probe). Record headers may
    still be there, what is in them is not.

Remedy:
    Record whole packets: tcpdump -s 0, dumpcap without -s.

Confirm:
    $ capinfos -l CAPTURE
    $ tcpdump -ni any -s 0 -w whole.pcap 'host {address} and tcp port {port}'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import EVERYTHING_GENERAL, as_note, is_proved
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_TCP_ONLY = frozenset({Stage.SYN, Stage.REFUSED})


class CapSnaplen(Rule):
    """Cut packets that hide the handshake."""

    cause = "cap-snaplen"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake", "completed"})
    signs = needs = Oddity.TRUNCATED
    overturns = 0
    explains = (*EVERYTHING_GENERAL, "cap-ended-early", "decode-error", "unexpected-message", "illegal-parameter", "http-on-tls-port",
                "cert-malformed", "record-overflow", "server-params-illegal")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.truncated:
            return None
        evidence = [Evidence(None, f"{words.count_text(flow.truncated, 'packet')} of the connection cut short")]
        cut = next((s for s in handshake.segments if s.captured < s.length), None)
        if cut is not None:
            evidence.append(Evidence(cut.frame, f"the first of them: {cut.captured} of {cut.length} bytes of payload"))
        if handshake.outcome == "completed" or is_proved(handshake) or handshake.stage in _TCP_ONLY:
            return as_note(self.found("certain", "The capture cut the connection's packets short.", evidence))
        if handshake.segments and cut is None:
            return None
        summary = (
            f"The packets of the handshake with {words.server_text(handshake)} were recorded only in part: how it went cannot be told."
        )
        return self.found("certain", summary, evidence, outcome="unfinished", aborted_by="unknown")
