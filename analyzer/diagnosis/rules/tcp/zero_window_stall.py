"""One side stopped reading, and the handshake stood still.

Seen:
    A side announces a window of zero in the middle of the handshake and never opens it again, while the other has more to send
    or probes with single bytes.

Means:
    The program does not read its socket: it hangs, waits for something else, is stopped in a debugger, or its machine is out of memory.

Remedy:
    Look at the program that does not read, not at the network: its stack (gdb, jstack, py-spy, pprof), its memory, its event loop.

Confirm:
    On the side that does not read, a Recv-Q that stays full:
    $ ss -tnmi 'sport = :{port} or dport = :{port}'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag

_QUIET = TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST
_CLOSES = TcpFlag.FIN | TcpFlag.RST
_LONG = 1_000_000_000


class ZeroWindowStall(Rule):
    """A window that closed and did not open again."""

    cause = "zero-window-stall"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    alerts = frozenset({NO_ALERT})
    explains = ("client-timeout", "client-closed-mid-handshake", "server-closed-mid-handshake", "client-hello-no-answer", "server-slow",
                "client-hello-unacked", "loss-slow-handshake", "pmtu-blackhole-server-flight", "client-silent-reject", "cert-pinning",
                "large-cert-flight-rejected")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.closing_alert is not None:
            return None
        for from_client in (True, False):
            shut = _closed_window(handshake, from_client)
            if shut is None:
                continue
            last = max(s.timestamp for s in handshake.segments)
            probes = sum(
                s.from_client != from_client and s.timestamp > shut.timestamp and s.length <= 1 and not s.flags & _QUIET and not s.duplicate
                for s in handshake.segments
            )
            stood = last - shut.timestamp
            if stood < _LONG or not probes:
                continue
            who = words.side(from_client)
            evidence = [
                Evidence(shut.frame, f"{who} announced a window of zero and never opened it again"),
                Evidence(None, f"{words.peer_of(from_client)} probed {words.count_text(probes, 'time')} in {words.span_text(stood)}"),
                *handshake.closing_evidence,
            ]
            summary = f"{who.capitalize()} stopped reading in the middle of the handshake with {words.server_text(handshake)}."
            return self.found("certain" if probes > 1 else "likely", summary, evidence, outcome="failed")
        return None


def _closed_window(handshake: Handshake, from_client: bool) -> Segment | None:
    """The segment with which a side shut its window for good."""
    shut = None
    for s in handshake.segments:
        if s.flags & _CLOSES:
            break  # who has closed, or was told so, may as well shut its window
        if s.from_client != from_client or s.duplicate or s.flags & _QUIET or not s.flags & TcpFlag.ACK:
            continue
        if s.window:
            shut = None
        elif shut is None:
            shut = s
    return shut
