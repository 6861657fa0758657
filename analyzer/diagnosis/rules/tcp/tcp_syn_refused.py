"""The connection was refused.

Seen:
    The SYN is answered by RST and ACK, about one round trip later, with the TTL of the server's other packets where there are any.

Means:
    The host is there and nobody listens on the port: the service is down, listens on another port or address (127.0.0.1 only),
    or a firewall on the host itself rejects with a reset.

Remedy:
    Start the service, or correct the port.
    nginx: listen 443 ssl; Apache: Listen 443; HAProxy: bind :443 ssl; Envoy: the listener's address; IIS: the site's https binding;
    containers: publish the port, and listen on 0.0.0.0 inside; Kubernetes: a Service whose targetPort nobody serves refuses too.

Confirm:
    $ nc -vz -w3 {address} {port}
    On the server:
    $ ss -ltnp 'sport = :{port}'
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.resets import judge_resets, reset_class
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import AbortedBy, Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage


class TcpSynRefused(Rule):
    """An RST for a SYN that nothing shows to be a device's."""

    cause = "tcp-syn-refused"
    stages = frozenset({Stage.REFUSED})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"no-handshake"})

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        resets = [reset for reset in judge_resets(handshake, context) if not reset.segment.from_client]
        if not resets or not flow.syn_frame or resets[0].forged:
            return None
        reset = resets[0].segment
        evidence = [
            Evidence(flow.syn_frame, "the SYN"),
            Evidence(reset.frame, f"RST {words.span_text(reset.timestamp - flow.syn_time)} later"),
        ]
        if len(resets) > 1:
            evidence.append(Evidence(None, f"{words.count_text(len(resets), 'SYN')} refused in this attempt"))
        own = any(sign.weight < 0 for sign in resets[0].signs)
        if own:
            evidence.append(Evidence(reset.frame, f"its TTL {reset.ttl} is that of the server's other packets"))
        took = context.server(handshake).connects
        if took:
            evidence.append(Evidence(None, f"the same server took {words.count_text(took, 'other connection')}"))
        where = words.server_text(handshake)
        summary = f"{where} refused the connection: nobody listens there, or a firewall rejects it."
        if took:
            summary = f"{where} refused this connection and took others: it was stopped, or a firewall or a limit rejects it."
        sure: Confidence = "certain" if own else "likely"
        by: AbortedBy = "server"
        if resets[0].doubtful:
            sure = "possible"
            evidence.append(Evidence(reset.frame, f"but {resets[0].says}"))
        if any(sign.weight > 1 for sign in resets[0].signs):
            by = "unknown"
            summary = f"A reset in the name of {where} answered the SYN: the server's own, or that of a device on the path."
        return self.found(sure, summary, evidence, outcome="failed", aborted_by=by, reset_class=reset_class(handshake))
