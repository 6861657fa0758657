"""The capture holds frames that were never on a wire.

Seen:
    Segments longer than the connection's MSS allows: the sender's network card splits them later (TSO, GSO), or the receiver's has
    put them together (GRO, LRO). Checksums of sent packets are not filled in yet.

Means:
    The recording was made on one of the two hosts. How many segments a hello came in, and whether each fitted the path, cannot be seen
    there, and a wrong checksum means nothing.

Remedy:
    Nothing, unless packet sizes matter: then record on the way, or turn it off for the time of the recording:
    ethtool -K eth0 tso off gso off gro off lro off

Confirm:
    $ ethtool -k eth0
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream} && tcp.len > 1460' -T fields -e frame.number -e tcp.len
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import as_note
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake


class CapOffload(Rule):
    """A note, never why a handshake failed."""

    cause = "cap-offload"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "completed"})
    signs = needs = Oddity.PACKED
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        allowed = min(flow.client_mss or flow.server_mss, flow.server_mss or flow.client_mss)
        if not allowed or 0 < context.longest_segment <= allowed:
            return None
        hello = handshake.client_hello
        if hello is not None and handshake.client_hello_segments == 1 and hello.length > allowed and handshake.dialogue is None:
            evidence = [
                Evidence(handshake.client_hello_frame, f"a ClientHello of {hello.length} bytes in one segment, where {allowed} are allowed")
            ]
            return as_note(self.found("certain", "Segments of the client were recorded before the network card split them.", evidence))
        packed = _packed(handshake, allowed)
        if packed is not None:
            return as_note(self.found("certain", "Segments of this connection were recorded before the network card split them.", [packed]))
        if handshake.outcome == "completed":
            return None  # no segments are kept of it
        longest = max(handshake.segments, key=lambda s: s.length, default=None)
        if longest is None or longest.length <= allowed:
            return None
        evidence = [Evidence(longest.frame, f"a segment of {longest.length} bytes where the two sides agreed on {allowed} at most")]
        who = words.side(longest.from_client)
        return as_note(self.found("certain", f"Segments of {who} were recorded before the network card split them.", evidence))


def _packed(handshake: Handshake, allowed: int) -> Evidence | None:
    """A message longer than all the frames it can have come in: those of its record, where several came in one."""
    begun: dict[bool, tuple[int, int]] = {}
    for message in handshake.messages:
        record, first = begun.get(message.from_client, (-1, 0))
        if record != message.offset:
            record, first = begun[message.from_client] = message.offset, message.first_frame
        if message.length <= allowed:
            continue
        # what comes out of order ends in an earlier frame than it begins in
        frames = max(message.frame, first) - min(message.frame, first) + 1
        if message.length > frames * allowed and message.kind != "not_tls":
            says = f"{message.length} bytes in {frames} frames or fewer, where the two sides agreed on {allowed} bytes a segment at most"
            return Evidence(message.frame, says)
    return None
