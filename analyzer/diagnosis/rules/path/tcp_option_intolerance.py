"""A device on the path drops SYNs that carry something it does not know.

Seen:
    A SYN that offers ECN, TCP Fast Open or Multipath TCP goes unanswered, and a SYN without it, of the same attempt, is answered.

Means:
    An old firewall or load balancer drops flags and options it does not know. Most clients fall back after a second or three; those that
    do not wait so long fail.

Remedy:
    Update the device. Until then turn the option off where it hurts:
    ECN: sysctl net.ipv4.tcp_ecn=0; Fast Open: sysctl net.ipv4.tcp_fastopen=0; Multipath TCP: sysctl net.mptcp.enabled=0.

Confirm:
    $ sysctl net.ipv4.tcp_ecn net.ipv4.tcp_fastopen net.mptcp.enabled
    $ nping {family_flag} --tcp -p {port} --flags syn,ece,cwr -c 3 {address}
    $ nping {family_flag} --tcp -p {port} --flags syn -c 3 {address}
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.path._path import CLOSES
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag, TcpOption

_ECN = TcpFlag.ECE | TcpFlag.CWR


class TcpOptionIntolerance(Rule):
    """SYNs with an option dropped, one without it answered."""

    cause = "tcp-option-intolerance"
    stages = stages_from(Stage.SYN, Stage.CLIENT_HELLO)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake", "failed"})
    explains = ("tcp-syn-unanswered", "connect-close-probe", "client-never-speaks", *CLOSES)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if flow.syns < 2:
            return None
        syns = [s for s in handshake.segments if s.from_client and s.flags & (TcpFlag.SYN | TcpFlag.ACK) == TcpFlag.SYN and not s.duplicate]
        if len(syns) < 2:
            return None
        extras = _extras(syns[0])
        plain = next((s for s in syns[1:] if not _extras(s) & extras), None)
        if not extras or plain is None:
            return None
        answered = flow.syn_ack_frame > plain.frame
        if not answered or flow.syn_ack_time - plain.timestamp > plain.timestamp - syns[0].timestamp:
            return None
        if not self._gave_up(handshake):
            return None
        lost = plain.timestamp - flow.syn_time
        names = words.list_text(sorted(extras))
        evidence = [
            Evidence(syns[0].frame, f"a SYN that offers {names}, never answered"),
            Evidence(plain.frame, f"a SYN without it, {words.span_text(lost)} later"),
            Evidence(flow.syn_ack_frame, "answered at once"),
            *handshake.closing_evidence,
        ]
        where = words.server_text(handshake)
        summary = f"A device on the path to {where} drops SYNs that offer {names}; the client lost {words.span_text(lost)} and gave up."
        return self.found("likely", summary, evidence, outcome="failed")

    def _gave_up(self, handshake: Handshake) -> bool:
        """The client closed soon after it was connected at last: the time was up."""
        flow = handshake.flow
        closed = min((time for time in (flow.client_fin_time, flow.client_rst_time) if time), default=0)
        return bool(closed) and not flow.server_bytes and handshake.closing_alert is None


def _extras(syn: Segment) -> frozenset[str]:
    found = {
        "ECN": syn.flags & _ECN == _ECN,
        "TCP Fast Open": bool(syn.options & TcpOption.FAST_OPEN) or syn.length > 0,
        "Multipath TCP": bool(syn.options & TcpOption.MPTCP),
    }
    return frozenset(name for name, there in found.items() if there)
