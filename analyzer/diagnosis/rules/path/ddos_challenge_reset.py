"""A protection device tests the client with a reset and lets the next attempt pass.

Seen:
    The first connection of a client gets a SYN-ACK that acknowledges a number the client never sent (which the client must reset), or is
    reset at once by something that is not the server; the same client's next attempt, seconds later, succeeds.

Means:
    A mitigation against floods asks the client to prove that its address is real. Clients that do not try again fail, others lose time.

Remedy:
    Put known clients on the device's list, or choose another way of proving (SYN cookies that are answered transparently).
    Arbor and Netscout: TCP SYN authentication; FortiDDoS: SYN validation, ACK cookie mode; clouds: ask the provider.

Confirm:
    Ten attempts from an address that has not connected for a while; only the first fails:
    $ for n in 1 2 3 4 5 6 7 8 9 10; do nc -vz -w3 {address} {port}; done
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.resets import forged_reset, reset_class
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.path._path import same_path
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag

_SOON = 10 * 10**9
_SYN_ACK = TcpFlag.SYN | TcpFlag.ACK


class DdosChallengeReset(Rule):
    """A first attempt reset by a device, a second that passes."""

    cause = "ddos-challenge-reset"
    stages = stages_from(Stage.SYN, Stage.CONNECTED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake"})
    signs = Oddity.RESET
    explains = ("tcp-syn-refused", "tcp-syn-rst-middlebox", "middlebox-rst-injection", "tcp-syn-unanswered", "port-scan",
                "connect-close-probe", "client-never-speaks")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.syn_frame or flow.client_bytes or not (flow.client_rsts or flow.server_rsts):
            return None
        wrong = _wrong_syn_ack(handshake.segments)
        forged = forged_reset(handshake, context)
        if wrong is None and forged is None:
            return None
        around = list(same_path(handshake, context))
        later = next((a for a in around if 0 < a.time - flow.first_seen < _SOON and a.accepted), None)
        if later is None or any(a.time < flow.first_seen and a.accepted for a in around):
            return None
        evidence = []
        if wrong is not None:
            evidence.append(Evidence(wrong.frame, "a SYN-ACK that acknowledges a number the client never sent"))
        if forged is not None:
            evidence += forged.evidence
        evidence.append(
            Evidence(None, f"the same client got through {words.span_text(later.time - flow.first_seen)} later, in stream {later.stream}")
        )
        summary = f"A device before {words.server_text(handshake)} tested the client with a reset; its next attempt passed."
        sure: Confidence = "likely" if wrong is not None else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="middlebox", reset_class=reset_class(handshake))


def _wrong_syn_ack(segments: tuple[Segment, ...]) -> Segment | None:
    for s in segments:
        if not s.from_client and s.flags & _SYN_ACK == _SYN_ACK and s.acknowledgment not in (1, -1) and not s.duplicate:
            sent = max((o.sequence + o.length for o in segments if o.from_client and o.frame < s.frame), default=0)
            if not 1 <= s.acknowledgment <= sent + 1:
                return s
    return None
