"""The losing one of two connections that a client opened to race each other.

Seen:
    A connection closed with no byte (or a SYN-ACK that comes when nobody wants it any more), or right after its ClientHello, or a
    SYN that nobody answers and that is not sent again, while another attempt of the same client, begun within half a second to
    another address (IPv6 and IPv4, or two addresses of one name), went on.

Means:
    Nothing failed: browsers, curl, Go, .NET and Java open connections to several addresses and keep the first (RFC 8305).

Remedy:
    None is needed. If the same family always loses, look at the path of that family: its delay is more than 250 ms worse.
    curl: --happy-eyeballs-timeout-ms; Go: Dialer.FallbackDelay; Java: -Djava.net.preferIPv6Addresses=system; nginx, Apache, HAProxy,
    Envoy (additional_addresses) and OpenSSL as clients race little or not at all.

Confirm:
    $ curl -4 -so /dev/null -w '%{time_connect}\\n' https://{name}:{port}/
    $ curl -6 -so /dev/null -w '%{time_connect}\\n' https://{name}:{port}/
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import LONG_SILENCE, close_text, first_close, saw_connect
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_SENT_AGAIN = 2_500_000_000
"""ns after which a SYN has been sent again: one second by RFC 6298, with room for an older kernel's timer, and a capture that ends."""
_RACE = 500_000_000
"""ns between the starts of two racers: 250 ms by RFC 8305, 300 in Chrome, with room for a third address."""


class HappyEyeballsLoser(Rule):
    """The rival went on."""

    cause = "happy-eyeballs-loser"
    stages = frozenset({Stage.SYN, Stage.CONNECTED, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO})
    outcomes = frozenset({"failed", "no-handshake"})
    explains = ("tcp-syn-unanswered", "connect-close-probe", "client-never-speaks", "client-closed-mid-handshake", "client-timeout")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake)
        if close is None and handshake.stage == Stage.SYN:
            return self._given_up(handshake, context)
        if close is None or not close.from_client or not saw_connect(handshake) or handshake.dialogue is not None:
            return None
        if handshake.aborted_by == "middlebox" or close.time - handshake.flow.first_seen >= LONG_SILENCE:
            return None
        rival = self._find_rival(handshake, context)
        if rival is None:
            return None
        evidence = [close_text(close), self._rival_evidence(handshake, rival)]
        where = words.server_text(handshake)
        summary = f"The client raced two connections and kept the one to {rival.server_address}: this one, to {where}, lost."
        return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by="client")

    def _given_up(self, handshake: Handshake, context: Context) -> Finding | None:
        """A SYN that its host did not send again, which it does unless the program has given it up."""
        flow = handshake.flow
        waited = context.capture(handshake).last_seen - flow.first_seen
        if flow.syns != 1 or flow.server_frames or handshake.icmp or waited < _SENT_AGAIN:
            return None
        rival = self._find_rival(handshake, context)
        if rival is None:
            return None
        evidence = [
            Evidence(flow.syn_frame, f"a SYN without an answer, and not sent again in {words.span_text(waited)}"),
            self._rival_evidence(handshake, rival),
        ]
        summary = f"The client tried {words.server_text(handshake)} too, heard nothing, and took the connection to {rival.server_address}."
        return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by="client")

    def _rival_evidence(self, handshake: Handshake, rival: Attempt) -> Evidence:
        family = "IPv6" if ":" in rival.server_address else "IPv4"
        apart = words.span_text(rival.time - handshake.flow.first_seen)
        return Evidence(None, f"{apart} apart a client began stream {rival.stream} to {rival.server_address} ({family}), which went on")

    def _find_rival(self, handshake: Handshake, context: Context) -> Attempt | None:
        flow = handshake.flow
        hello = handshake.client_hello
        for attempt in context.attempts(handshake, _RACE, same_server=False):
            same_name = hello is None or attempt.server_name == hello.server_name
            elsewhere = attempt.server_address != flow.server_address and attempt.server_port == flow.server_port
            if elsewhere and same_name and attempt.accepted:
                return attempt
        if hello is not None:
            return None  # with a hello the name must tell, and the other family's address may be anybody's
        return context.rival(handshake, _RACE)
