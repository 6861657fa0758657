"""A device on the path drops connections that ask for this name.

Seen:
    The ClientHello is sent again and again and never acknowledged, while hellos with other names, or none, to the same server are.
    Or every copy of a short hello vanishes while other packets of the same connection pass.

Means:
    A filter reads the name in the ClientHello and drops what it does not like, often everything of that connection from then on
    (even its FIN), for a minute or more.

Remedy:
    Ask who runs the network: it is a rule of a firewall, a proxy or a provider. Allow the name there.
    Encrypted Client Hello hides the name where both ends support it.

Confirm:
    The same server with its own name and with an innocent one:
    $ timeout 20 openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ timeout 20 openssl s_client -connect {connect} -servername example.com {starttls} </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import Delivery, deliveries
from analyzer.diagnosis.rule import NO_ALERT, Rule
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES, lost_evidence, same_path
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_SHORT = 1_000
"""Bytes of a hello whose length cannot be the reason."""


_SOON = 500_000_000
_NEAR = 10 * 10**9
"""ns: what passed further away in time may have met another path."""


class SniFilterDrop(Rule):
    """A hello lost for its name: other names pass."""

    cause = "sni-filter-drop"
    stages = frozenset({Stage.CLIENT_HELLO_UNACKED})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = frozenset({NO_ALERT})
    explains = ("client-hello-unacked", *CLOSES, *GUESSES)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        name = hello.server_name if hello is not None else None
        sent, _ = deliveries(handshake, context)
        if hello is None or not name or handshake.closing_alert is not None or handshake.aborted_by in ("server", "middlebox"):
            return None
        if sent.repeats < 2 or context.name(handshake).answered:
            return None
        lost = lost_evidence(sent.tries[0].frame, f"the ClientHello for {words.shown(name)}", len(sent.tries), sent.span)
        passed = self._passed(handshake, context, name, hello.length)
        if passed is not None:
            others = len([a for a in context.name(handshake).refused if a.stage == Stage.CLIENT_HELLO_UNACKED])
            evidence = [lost, passed]
            if others > 1:
                evidence.append(Evidence(None, f"{others} hellos for this name were lost, and none was answered"))
            summary = (
                f"A device on the path to {words.server_text(handshake)} drops hellos that ask for {words.shown(name)}: other names pass."
            )
            # one hello lost alone, with none that passed about the same time, may have met a path that was down for everyone
            sure: Confidence = "likely" if others > 1 or _about_then(handshake, context, sent, name) else "possible"
            return self.found(sure, summary, evidence, outcome="failed", aborted_by="unknown")
        through = _others_pass(handshake, sent)
        if through is not None and hello.length < _SHORT and sent.repeats > 2:
            summary = (
                f"Something on the path to {words.server_text(handshake)} drops the ClientHello and nothing else, most likely for its name."
            )
            return self.found("possible", summary, [lost, through], outcome="failed", aborted_by="unknown")
        return None

    def _passed(self, handshake: Handshake, context: Context, name: str, length: int) -> Evidence | None:
        """Another hello to the same server that was answered, and was not much shorter than this one."""
        for attempt in context.server(handshake).accepted:
            other = attempt.hello
            if other is None or (other.server_name or "").lower() == name.lower():
                continue
            if length > _SHORT and other.length < length * 3 // 4:
                continue
            asked = f"for {words.shown(other.server_name)}" if other.server_name else "without a name"
            return Evidence(None, f"a ClientHello {asked} (stream {attempt.stream}) reached the same server and was answered")
        return None


def _about_then(handshake: Handshake, context: Context, sent: Delivery, name: str) -> bool:
    """Whether another name passed to the same server while this hello was sent in vain, or just before or after it."""
    begin, end = sent.tries[0].timestamp - _NEAR, sent.tries[-1].timestamp + _NEAR
    return any(
        attempt.accepted and begin <= attempt.time <= end and (attempt.server_name or "").lower() != name.lower()
        for attempt in same_path(handshake, context)
    )


def _others_pass(handshake: Handshake, sent: Delivery) -> Evidence | None:
    """A packet of the client that came after the lost hello and that the server answered."""
    begun = sent.tries[0]
    for s in handshake.segments:
        if s.from_client and not s.duplicate and not s.length and s.timestamp > sent.tries[1].timestamp and s.sequence >= begun.sequence:
            answer = next((e for e in sent.echoes if 0 < e.timestamp - s.timestamp < _SOON and not e.length), None)
            if answer is not None:
                return Evidence(answer.frame, f"the server answers the client's packet {s.frame}, which came after the lost ones")
    return None
