"""What the rules of this family share: what they explain, and how other attempts on the same path fared."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.losses import TIMESTAMPS, Delivery, path_mss
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.tcp import IcmpError, TcpOption

__all__ = [
    "CLOSES", "GUESSES", "POST_QUANTUM", "full_segment", "heeds_too_big", "is_post_quantum", "large_flights_pass", "lost_evidence",
    "packet_length", "same_path", "too_big_evidence",
]  # fmt: skip

CLOSES = (
    "server-rst-after-hello", "server-fin-after-hello", "server-closed-mid-handshake", "client-closed-mid-handshake",
    "client-hello-no-answer", "client-timeout", "server-slow", "lb-no-backend",
)  # fmt: skip
"""Causes that say no more than who closed, or that nobody did."""

GUESSES = (
    "sni-unrecognized", "sni-missing", "version-intolerance", "grease-intolerance", "client-version-too-old", "client-version-too-new",
    "no-common-cipher", "no-common-group", "no-common-sigalg", "client-silent-reject", "large-cert-flight-rejected", "rate-limit-close",
    "server-restart-mid-handshake", "proxy-protocol-mismatch",
)  # fmt: skip
"""Causes told from a close, which they take for the closing host's own."""

POST_QUANTUM = frozenset({0x11EB, 0x11EC, 0x11ED, 0x6399, 0x639A, 0xFE30, 0xFE31})
"""Hybrid groups whose key shares do not fit into one segment with the rest of a hello."""

_LARGE = 1_200
"""Payload above which a packet may be too big for a tunnel: below it every path of today carries it (RFC 8200 asks for 1280)."""


def full_segment(handshake: Handshake, length: int) -> bool:
    """Whether a payload is as long as the path is said to carry, or long enough not to fit through a tunnel."""
    mss = path_mss(handshake)
    return length >= _LARGE or bool(mss and length >= mss - 40 and length >= 900)


def packet_length(handshake: Handshake, payload: int) -> int:
    """Bytes of the IP packet that carries so much payload: with TCP's header, its timestamps where they are used, and IP's."""
    stamped = any(s.length and s.options & TcpOption.TIMESTAMPS for s in handshake.segments)
    return payload + (60 if ":" in handshake.flow.server_address else 40) + (TIMESTAMPS if stamped else 0)


def is_post_quantum(handshake: Handshake) -> bool:
    """The hello offers a post-quantum key share."""
    hello = handshake.client_hello
    return hello is not None and any(group in POST_QUANTUM for group in (*hello.key_shares, *hello.named_groups))


def same_path(handshake: Handshake, context: Context, within: int = 600 * 10**9) -> Iterator[Attempt]:
    """Other attempts of the same client at the same server and port."""
    flow = handshake.flow
    for attempt in context.attempts(handshake, within):
        if attempt.server_address == flow.server_address and attempt.server_port == flow.server_port:
            yield attempt


def large_flights_pass(handshake: Handshake, context: Context) -> Attempt | None:
    """An attempt on the same path whose whole server flight arrived: full packets pass there."""
    for attempt in same_path(handshake, context):
        if attempt.outcome == "completed" and attempt.server_hello is not None and attempt.server_hello.pre_shared_key is None:
            return attempt
    return None


def _too_big(handshake: Handshake, from_client: bool) -> list[IcmpError]:
    """ICMP errors that say a packet of one side was too big (RFC 792 code 4, RFC 4443 type 2)."""
    flow = handshake.flow
    other = flow.server_port if from_client else flow.client_port
    return [
        error for error in handshake.icmp
        if ((error.version == 4 and (error.type, error.code) == (3, 4)) or (error.version == 6 and error.type == 2))
        and (error.source_port != other or flow.client_port == flow.server_port)
    ]  # fmt: skip


def too_big_evidence(handshake: Handshake, from_client: bool) -> list[Evidence]:
    """What ICMP says about the packets of one side that were too big."""
    return [
        Evidence(error.frame, f"{error.reporter} says that a packet is too big" + (f" for its {error.mtu} bytes" if error.mtu else ""))
        for error in _too_big(handshake, from_client)
    ]


def heeds_too_big(handshake: Handshake, delivery: Delivery) -> bool | None:
    """Whether the sender sent the lost bytes in smaller packets once ICMP had said that they were too big: True as it should be, and
    nothing is wrong with the path; False when it went on with the large ones; None where it sent neither, or nobody said so.

    A segment longer than the connection allows is cut later by the sender's network card: it tells nothing.
    """
    errors = _too_big(handshake, delivery.from_client)
    if not errors or not delivery.tries:
        return None
    largest, said = packet_length(handshake, delivery.tries[0].length), errors[0].timestamp
    allowed = min((error.mtu for error in errors if error.mtu), default=largest - 1)
    again = [s.length for s in delivery.tries[1:] if s.timestamp >= said]
    if any(packet_length(handshake, length) <= allowed for length in again):
        return True
    mss = path_mss(handshake)
    return False if any(not mss or length <= mss for length in again) else None


def lost_evidence(frame: int | None, what: str, times: int, span: int) -> Evidence:
    """'... was sent 5 times in 3.3 s and never acknowledged'."""
    return Evidence(frame, f"{what} was sent {words.count_text(times, 'time')} in {words.span_text(span)} and never acknowledged")
