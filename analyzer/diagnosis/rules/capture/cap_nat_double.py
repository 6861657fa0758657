"""The same connection was captured twice, before and after an address translator.

Seen:
    Two connections with other addresses carry the same ClientHello, random for random, at the same time.

Means:
    The recording was made on a firewall, a router or a load balancer that changes addresses, on both of its sides. It is one TLS
    session: what happened to it happened once. (A proxy that ends TLS would show another random.)

Remedy:
    Count it once: look at one side. Where the two sides differ (a packet that came in and did not go out) is where it died.

Confirm:
    The same random in both:
    $ tshark -r CAPTURE -Y 'tls.handshake.type == 1' -T fields -e tcp.stream -e {ip}.src -e {ip}.dst -e tls.handshake.random
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import as_note
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake

_TUNNELS = frozenset({"http-connect", "socks4", "socks5", "proxy-protocol"})
"""Dialogues with one that makes another connection and hands on what it gets."""


class CapNatDouble(Rule):
    """A note, never why a handshake failed."""

    cause = "cap-nat-double"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "completed"})
    signs = needs = Oddity.TWIN
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        twin = context.twin(handshake)
        if twin is None:
            return None
        evidence = [
            Evidence(
                handshake.client_hello_frame or None,
                f"the same ClientHello as in stream {twin.stream} ({twin.client_address} to {twin.server_address}:{twin.server_port})",
            )
        ]
        through = handshake.dialogue.via if handshake.dialogue is not None else twin.via or ""
        device = "a proxy" if through in _TUNNELS else "an address translator"
        return as_note(self.found("certain", f"This connection is also stream {twin.stream}, on the other side of {device}.", evidence))
