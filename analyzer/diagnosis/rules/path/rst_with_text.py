"""A reset that says why, in words.

Seen:
    An RST whose payload is readable text (RFC 9293 section 3.5.2 allows it). F5 BIG-IP writes one when tm.rstcause.pkt is on:
    "BIG-IP: [0x2b6d2b6:5678] No local listener", "SSL handshake timeout exceeded", "Policy action".

Means:
    What the text says, said by the device that reset: a load balancer or a firewall, in front of the server or as the server.

Remedy:
    Follow the text. F5: "No local listener" no virtual server for the address and port; "SSL handshake timeout exceeded" the handshake-
    timeout of the SSL profile; "No pool member available" all members down; "handshake failed" see /var/log/ltm with log.ssl at debug.

Confirm:
    On an F5 BIG-IP:
    $ tmsh modify sys db tm.rstcause.log value enable
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream} && tcp.flags.reset == 1' -T fields -e frame.number -e tcp.reset_cause
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.resets import judge_resets, reset_class
from analyzer.diagnosis.rule import NO_ALERT, Rule
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES
from analyzer.model.finding import AbortedBy, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake

_READABLE = 0.9
_SHORTEST = 4


class RstWithText(Rule):
    """Text in a reset. It names its cause itself."""

    cause = "rst-with-text"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "no-handshake", "unfinished"})
    alerts = frozenset({NO_ALERT})
    explains = ("middlebox-rst-injection", "sni-filter-rst", "tcp-syn-rst-middlebox", "tcp-syn-refused", "ddos-challenge-reset",
                "idle-timeout-reset", "large-client-hello-intolerance", *CLOSES, *GUESSES, "client-hello-unacked", "connect-close-probe",
                "client-never-speaks")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        text = _read(handshake.reset_text)
        if not text or handshake.closing_alert is not None:
            return None
        frame = handshake.reset_text_frame
        judged = next((reset for reset in judge_resets(handshake, context) if reset.segment.frame == frame), None)
        closed = [f for f in (handshake.flow.client_fin_frame, handshake.flow.server_fin_frame) if f and f < frame]
        if closed:
            return None
        evidence = [Evidence(frame, f"the reset carries the text {words.shown(text, 200)!r}")]
        device = (judged is not None and judged.forged) or "BIG-IP" in text
        if judged is not None and judged.forged:
            evidence += judged.evidence[1:]
        who = "A device on the path" if device else words.side(handshake.reset_text_from_client).capitalize()
        summary = f"{who} reset the connection to {words.server_text(handshake)} and says why: {words.shown(text, 120)}"
        aborted: AbortedBy = "middlebox" if device else "client" if handshake.reset_text_from_client else "server"
        kind = reset_class(handshake, frame)
        return self.found("certain", summary, evidence, outcome="failed", aborted_by=aborted, reset_class=kind)


def _read(raw: bytes) -> str:
    """The text, or '' when it is none."""
    text = raw.rstrip(b"\0").decode("utf-8", "replace").strip()
    readable = sum(character.isprintable() for character in text)
    return text if len(text) >= _SHORTEST and readable >= _READABLE * len(text) and any(c.isalpha() for c in text) else ""
