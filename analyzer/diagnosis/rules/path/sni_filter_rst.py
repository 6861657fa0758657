"""A device on the path resets connections that ask for this name.

Seen:
    TCP is connected, the ClientHello goes out, and a reset comes back that the server did not send (another TTL, sooner than a round
    trip, several with other numbers, the server's own answer behind it). Other names to the same server pass, or this name is
    reset again and again.

Means:
    A filter reads the name in the ClientHello: a company's URL filter, a provider, a national firewall. It sits beside or on the path
    and often resets both ends.

Remedy:
    Ask who runs the network to allow the name; look for the block in the firewall's URL log.
    Encrypted Client Hello hides the name where both ends support it.

Confirm:
    The same server with its own name and with an innocent one:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ openssl s_client -connect {connect} -servername example.com {starttls} </dev/null
    $ openssl s_client -connect {connect} -noservername {starttls} </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.resets import forged_reset, reset_class
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.path._path import same_path
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_TELLS = 2_000_000
"""ns: from a shorter round trip nothing can be told."""


class SniFilterRst(Rule):
    """A forged reset in answer to a ClientHello with a name that is never served."""

    cause = "sni-filter-rst"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.SERVER_HELLO)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = frozenset({NO_ALERT})
    signs = Oddity.RESET
    explains = ("middlebox-rst-injection", "ddos-challenge-reset")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        name = hello.server_name if hello is not None else None
        reset = forged_reset(handshake, context)
        if reset is None or not name or context.name(handshake).answered > (handshake.server_hello is not None):
            return None
        before = [s for s in handshake.segments if s.frame < reset.segment.frame and not s.from_client and s.length]
        kind = reset_class(handshake, reset.segment.frame)
        if before or reset.segment.frame < handshake.client_hello_first_frame or kind not in ("post-psh", "later-data"):
            return None
        spoke = max((s.timestamp for s in handshake.segments if s.from_client and s.length and s.frame < reset.segment.frame), default=0)
        passed = [
            attempt for attempt in context.server(handshake).accepted
            if attempt.hello is not None and (attempt.server_name or "").lower() != name.lower()
        ]  # fmt: skip
        again = [attempt for attempt in context.name(handshake).refused if attempt.server_rsts]
        trip = handshake.flow.syn_ack_time - handshake.flow.syn_time
        answered = next((s for s in handshake.segments if not s.from_client and s.length and s.frame > reset.segment.frame), None)
        if not passed and len(again) < 2:
            if answered is not None:
                return None  # nothing says that it was the name
            if handshake.flow.syn_ack_time and trip > _TELLS and reset.segment.timestamp - spoke > trip // 2:
                return None  # so late it may answer what the server said
        if not passed and any(attempt.accepted for attempt in same_path(handshake, context)):
            return None  # the same client gets through with the same offer of a name
        evidence = [Evidence(handshake.client_hello_frame or None, f"the ClientHello asks for {words.shown(name)}"), *reset.evidence]
        for attempt in passed[:1]:
            asked = f"for {words.shown(attempt.server_name)}" if attempt.server_name else "without a name"
            evidence.append(Evidence(None, f"a ClientHello {asked} (stream {attempt.stream}) passed to the same server and was answered"))
        if len(again) > 1:
            evidence.append(Evidence(None, f"{len(again)} connections that asked for this name were reset, and none was answered"))
        if answered is not None:
            evidence.append(Evidence(answered.frame, "the server's own answer came after the reset"))
        summary = (
            f"A device on the path reset the connection when the client asked for {words.shown(name)} at "
            f"{handshake.flow.server_address}:{handshake.flow.server_port} ({reset.says})."
        )
        # without the SYN it cannot be told from a reset in answer to what the server said
        alone = reset.confidence == "certain" and handshake.flow.syn_frame > 0 and handshake.flow.syn_ack_frame > 0
        sure: Confidence = "likely" if passed or len(again) > 1 or alone else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="middlebox", reset_class=kind)
