"""The ClientHello never arrived.

Seen:
    TCP is connected, the client sends its ClientHello again and again with growing pauses, and no acknowledgment covers it.
    Nothing else of the connection says why. Captured behind the place where it is lost: only the client's FIN, whose number says that
    bytes came before it.

Means:
    Something on the way drops it, though it let the SYN pass: a filter that looks into the first data, a firewall that has lost the
    connection, a path that broke in that moment. Or the server's own firewall.

Remedy:
    Find out what the packets that pass have and this one has not: try another name, a smaller hello, another version, another network.
    Then look for the device: traceroute with the same port, and a capture on both sides of each firewall.

Confirm:
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} </dev/null
    Without the name, and with a short hello; when one of these works, that is what the device looks at:
    $ timeout 20 openssl s_client -connect {connect} -noservername {starttls} </dev/null
    $ curl -sv -m 20 --tls-max 1.2 {resolve} {url} -o /dev/null
    $ traceroute -T -p {port} {address}
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import Delivery, deliveries
from analyzer.diagnosis.rule import NO_ALERT, Rule
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES, lost_evidence
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_TRIES, _SPAN = 2, 900_000_000


class ClientHelloUnacked(Rule):
    """A hello sent in vain: the general answer of this family."""

    cause = "client-hello-unacked"
    stages = frozenset({Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO, Stage.CONNECTED})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "no-handshake"})
    alerts = frozenset({NO_ALERT})
    explains = (*CLOSES, *GUESSES)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        sent, received = deliveries(handshake, context)
        if handshake.closing_alert is not None or handshake.aborted_by in ("server", "middlebox"):
            return None
        if handshake.stage == Stage.CONNECTED:
            return self._never_seen(handshake, sent)
        if (
            sent.acknowledged >= handshake.client_hello_end
            or not sent.outstanding
            or not sent.repeats
            or (sent.repeats < _TRIES and sent.span < _SPAN)
        ):
            return None
        first = sent.tries[0]
        evidence = [
            lost_evidence(first.frame, "the ClientHello", len(sent.tries), sent.span),
            *(Evidence(s.frame, "sent again") for s in sent.tries[1:][-1:]),
        ]
        if sent.echoes:
            evidence.append(Evidence(sent.echoes[-1].frame, "the server still sends, and has not got it"))
        if received.vanished:
            evidence.append(Evidence(None, f"{received.vanished} bytes of the server were lost too"))
        evidence += handshake.closing_evidence
        summary = f"The ClientHello never reached {words.server_text(handshake)}: it was sent {len(sent.tries)} times and not acknowledged."
        return self.found("likely", summary, evidence, outcome="failed", aborted_by="unknown")

    def _never_seen(self, handshake: Handshake, sent: Delivery) -> Finding | None:
        """Captured behind the place where it is lost: the client's FIN tells how much it had sent."""
        flow = handshake.flow
        if not flow.syn_frame or not flow.syn_ack_frame or not flow.client_fin_frame or flow.client_bytes or flow.one_way:
            return None
        lost = sent.vanished
        if not lost or sent.acknowledged > 1:
            return None
        evidence = [
            Evidence(flow.client_fin_frame, f"the client's FIN, behind {words.count_text(lost, 'byte')} that never came here"),
            Evidence(None, "the server acknowledges none of them"),
        ]
        summary = f"What the client said to {words.server_text(handshake)}, a ClientHello most likely, was lost on the way here."
        return self.found("possible", summary, evidence, outcome="failed", aborted_by="unknown")
