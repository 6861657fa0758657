"""A device on the path reset the connection at its SYN.

Seen:
    The SYN is answered by a reset that is not the server's: another TTL than the server's packets, much faster than the server answers
    others, or followed by the server's own SYN-ACK all the same.

Means:
    A firewall, an intrusion prevention system or a provider refuses the connection by its addresses and port, before TLS.

Remedy:
    Allow the flow on that device. To find it, probe with growing TTL: the hop at which resets begin is where it sits.

Confirm:
    $ traceroute -T -p {port} {address}
    $ nmap {family_flag} -Pn -p {port} --traceroute --reason {address}
    A capture on both ends: the client gets a reset that the server never sent.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.resets import forged_reset, reset_class
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage


class TcpSynRstMiddlebox(Rule):
    """A forged answer to a SYN."""

    cause = "tcp-syn-rst-middlebox"
    stages = stages_from(Stage.SYN, Stage.CONNECTED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake", "failed"})
    alerts = frozenset({NO_ALERT})
    signs = Oddity.RESET
    explains = ("tcp-syn-refused", "middlebox-rst-injection", "port-scan", "connect-close-probe", "client-never-speaks")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        reset = forged_reset(handshake, context)
        if reset is None or reset.segment.from_client or reset_class(handshake, reset.segment.frame) != "post-syn":
            return None
        syn = handshake.flow.syn_frame
        evidence = [Evidence(syn or None, "the SYN"), *reset.evidence]
        if handshake.flow.syn_ack_frame > reset.segment.frame:
            evidence.append(Evidence(handshake.flow.syn_ack_frame, "the server's own SYN-ACK came after it"))
        summary = f"A device on the path reset the connection to {words.server_text(handshake)} at its SYN ({reset.says})."
        return self.found(reset.confidence, summary, evidence, outcome="failed", aborted_by="middlebox", reset_class="post-syn")
