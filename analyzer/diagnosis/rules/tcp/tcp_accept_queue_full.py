"""The server's queue of connections to be accepted is full.

Seen:
    The client has acknowledged the SYN-ACK and has sent its ClientHello, and the server sends the SYN-ACK again and
    acknowledges nothing. (With tcp_abort_on_overflow=1 it resets instead.)

Means:
    Linux drops the acknowledgment that completes a connection when the program does not accept fast enough: the server is
    overloaded, blocked, or its backlog is too short. Seen from the client, a path that lets only SYNs through looks the same.

Remedy:
    Find out why the program does not accept: stuck or too few workers. Then lengthen the queue: net.core.somaxconn and
    nginx: listen ... backlog=; Apache: ListenBacklog; HAProxy: backlog; Java: the second argument of ServerSocket; Go: somaxconn.

Confirm:
    On the server, a Recv-Q as long as Send-Q, and a counter that grows:
    $ ss -ltn 'sport = :{port}'
    $ nstat -az TcpExtListenOverflows TcpExtListenDrops
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.tcp import TcpFlag
from analyzer.registries.ports import GREETS

_SYN_ACK = TcpFlag.SYN | TcpFlag.ACK
_AT_ONCE = 10 * 10**9
_NOT_HEARD = frozenset({Stage.SYN, Stage.REFUSED, Stage.CONNECTED, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_NOT_TLS, Stage.DIALOGUE})


class TcpAcceptQueueFull(Rule):
    """SYN-ACKs after the client had acknowledged one."""

    cause = "tcp-accept-queue-full"
    stages = frozenset({Stage.CONNECTED, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_NOT_TLS})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake", "failed", "unfinished"})
    explains = ("client-hello-unacked", "client-timeout", "client-closed-mid-handshake", "client-hello-no-answer", "client-never-speaks",
                "connect-close-probe", "cap-ended-early", "sni-filter-drop")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        if not flow.ack_frame or not flow.syn_ack_frame or flow.server_bytes:
            return None
        acked = next((s.timestamp for s in handshake.segments if s.frame == flow.ack_frame), 0)
        again = [
            s for s in handshake.segments
            if not s.from_client and s.flags & _SYN_ACK == _SYN_ACK and not s.duplicate and s.timestamp > acked + 100_000_000
        ]  # fmt: skip
        # a last SYN-ACK may cross the acknowledgment; more, and no other packet of the server, may not
        others = [s for s in handshake.segments if not s.from_client and not s.flags & (TcpFlag.SYN | TcpFlag.RST) and not s.duplicate]
        if others or not acked:
            return None
        if not again:
            return self._beside_others(handshake, context)
        evidence = [
            Evidence(flow.ack_frame, "the client acknowledged the SYN-ACK"),
            Evidence(again[-1].frame, f"the server sent it {words.count_text(len(again), 'more time')}, acknowledging nothing else"),
        ]
        if flow.client_bytes:
            evidence.append(Evidence(handshake.client_hello_first_frame or None, f"the client sent {flow.client_bytes} bytes in vain"))
        elif flow.server_port not in GREETS:
            return None  # Linux with TCP_DEFER_ACCEPT repeats its SYN-ACK to a client that says nothing
        passed = self._passed(handshake, context)
        if passed is not None:
            evidence.append(passed)
        summary = f"{words.server_text(handshake)} does not accept: it repeats its SYN-ACK although the client has acknowledged it."
        # a filter before the server that lets no more than SYNs pass, the host's own included, looks the same
        sure: Confidence = "likely" if passed is not None else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="unknown")

    def _passed(self, handshake: Handshake, context: Context) -> Evidence | None:
        """What shows that it is not the path: other data of the client that the server took, or SYNs that a full queue dropped."""
        for attempt in context.attempts(handshake, _AT_ONCE):
            if attempt.server_port == handshake.flow.server_port and attempt.stage not in _NOT_HEARD:
                return Evidence(None, f"in stream {attempt.stream} the server took what the same client said, so the path carries it")
        unanswered = context.server(handshake).syn_unanswered
        if unanswered:
            return Evidence(None, f"{words.count_text(unanswered, 'SYN')} of other connections unanswered: a full queue drops them too")
        return None

    def _beside_others(self, handshake: Handshake, context: Context) -> Finding | None:
        """The same hello of the same client was taken by the kernel a moment before, and never answered by the program."""
        hello = handshake.client_hello
        sent, _ = deliveries(handshake, context)
        if hello is None or sent.repeats < 2:
            return None
        for attempt in context.attempts(handshake, _AT_ONCE):
            other = attempt.hello
            same = other is not None and other.server_name == hello.server_name and other.length >= hello.length
            if not same or attempt.stage != Stage.CLIENT_HELLO or attempt.server_port != handshake.flow.server_port:
                continue
            evidence = [
                Evidence(
                    sent.tries[0].frame,
                    f"the ClientHello was sent {len(sent.tries)} times and not acknowledged, though the SYN was answered",
                ),
                Evidence(
                    None, f"the same hello in stream {attempt.stream} was acknowledged, so the path carries it, and was never answered"
                ),
            ]
            summary = (
                f"{words.server_text(handshake)} takes connections and its program does not: what comes after a full queue is dropped."
            )
            return self.found("likely", summary, evidence, outcome="failed", aborted_by="unknown")
        return None
