"""A device on the path reset the connection in the name of one end.

Seen:
    An RST that its sender did not send: another TTL than all its other packets, above all one that no router has counted down; sooner
    than it could have answered, numbers that fit neither stream, several in steps, or packets of the same host that go on after it as
    if nothing had been. Never one of these weak signs alone.

Means:
    An intrusion prevention system, a next-generation firewall ("reset both"), a provider's filter or a load balancer that has forgotten
    the connection ended it. Neither end did; both may log that the other one reset.

Remedy:
    Find the device: capture at both ends (the reset arrives at both and is sent by neither), compare the TTL with the hops of a
    traceroute. Then read its log and its policy for these addresses and this name.
    Palo Alto: threat and URL logs, action reset-both; Fortinet: SSL inspection profile; Cisco Firepower: snort "drop with reset";
    Suricata in IPS mode: rules with reject; Symantec SSL Visibility spoofs resets to both ends.

Confirm:
    On both ends at once:
    $ tcpdump -ni any -vv 'host {address} and tcp port {port} and tcp[tcpflags] & tcp-rst != 0'
    $ traceroute -T -p {port} {address}
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.resets import forged_reset, judge_resets, reset_class
from analyzer.diagnosis.rule import NO_ALERT, Rule
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake


class MiddleboxRstInjection(Rule):
    """The general answer to a forged reset."""

    cause = "middlebox-rst-injection"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "no-handshake", "unfinished"})
    alerts = frozenset({NO_ALERT})
    signs = Oddity.RESET
    explains = (*CLOSES, *GUESSES, "tcp-syn-refused", "connect-close-probe", "client-never-speaks", "client-hello-unacked",
                "unclean-close", "cap-ended-early", "implicit-vs-starttls")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        reset = forged_reset(handshake, context)
        if reset is None:
            return None
        others = [other for other in judge_resets(handshake, context) if other is not reset and other.forged]
        evidence = list(reset.evidence)
        if any(other.segment.from_client != reset.segment.from_client for other in others):
            evidence.append(Evidence(others[0].segment.frame, "the other end was reset the same way"))
        elif others:
            evidence.append(Evidence(others[0].segment.frame, f"{words.count_text(len(others), 'more reset')} of the kind"))
        who = words.side(reset.segment.from_client)
        summary = f"A device on the path reset the connection to {words.server_text(handshake)} in the name of {who} ({reset.says})."
        kind = reset_class(handshake, reset.segment.frame)
        return self.found(reset.confidence, summary, evidence, outcome="failed", aborted_by="middlebox", reset_class=kind)
