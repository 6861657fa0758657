"""The capture ends, or stops showing the connection, before the handshake does.

Seen:
    Nobody closed, nothing was repeated in vain, and the file ends sooner than anybody gives up; or the last bytes were never
    acknowledged and never sent again, which no TCP does: later packets of this connection are not in the file.

Means:
    The recording was stopped, or cut to the first packets of each connection. The handshake may have gone well.

Remedy:
    Record longer: at least until the client reports its error, and past its timeout. Do not limit packets for each connection.

Confirm:
    The time of the connection's last packet beside the end of the file:
    $ capinfos -a -e CAPTURE
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields -e frame.number -e frame.time
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.silence import CAUTION
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage


class CapEndedEarly(Rule):
    """Nothing that ended it."""

    cause = "cap-ended-early"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"unfinished", "no-handshake"})
    explains = ("client-hello-no-answer", "client-hello-unacked", "client-never-speaks", "tcp-syn-unanswered", "server-slow", "port-scan")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        closed = flow.client_fin_frame or flow.server_fin_frame or flow.client_rst_frame or flow.server_rst_frame
        if closed or (flow.one_way and handshake.stage != Stage.SYN):
            return None
        dialogue = handshake.dialogue
        spoke = handshake.stage == Stage.SERVER_NOT_TLS or (handshake.stage == Stage.CLIENT_NOT_TLS and not flow.client_gaps)
        if spoke or (dialogue is not None and dialogue.state == "refused"):
            return None  # what was said in clear decides, whatever came after
        end = context.capture(handshake).last_seen
        quiet = max(0, end - flow.last_seen)
        patience = int(context.options.timeout * 1e9)
        sent, received = deliveries(handshake, context)
        unrepeated = any(d.outstanding and not d.repeats for d in (sent, received))
        if handshake.outcome == "no-handshake":
            if handshake.stage == Stage.SYN and (flow.syns > 1 or flow.syn_acks > 1 or quiet >= CAUTION):
                return None
            if handshake.stage not in (Stage.SYN, Stage.CONNECTED) or quiet >= patience or not flow.syn_frame:
                return None
        evidence = [Evidence(flow.last_frame, "the last packet of the connection")]
        if quiet < patience:
            evidence.append(Evidence(None, f"the capture ends {words.span_text(quiet)} later" if quiet else "the capture ends with it"))
        else:
            evidence.append(Evidence(None, f"the capture goes on for {words.span_text(quiet)}"))
        if unrepeated and quiet >= CAUTION:
            evidence.append(Evidence(None, "its last bytes were neither acknowledged nor sent again: later packets are not in the file"))
        summary = f"The capture does not show how the handshake with {words.server_text(handshake)} ended."
        return self.found(
            "certain" if quiet < patience or unrepeated else "likely", summary, evidence, outcome="unfinished", aborted_by="unknown"
        )
