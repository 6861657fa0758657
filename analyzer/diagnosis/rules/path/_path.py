"""What the rules of this family share: what they explain, and how other attempts on the same path fared."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.losses import TIMESTAMPS, path_mss
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.tcp import TcpOption

__all__ = [
    "CLOSES", "GUESSES", "POST_QUANTUM", "full_segment", "is_post_quantum", "large_flights_pass", "lost_evidence", "packet_length",
    "same_path", "too_big_evidence",
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


def too_big_evidence(handshake: Handshake) -> list[Evidence]:
    """ICMP errors that say a packet of this connection was too big (RFC 792 code 4, RFC 4443 type 2)."""
    return [
        Evidence(error.frame, f"{error.reporter} says that a packet is too big" + (f" for its {error.mtu} bytes" if error.mtu else ""))
        for error in handshake.icmp
        if (error.version == 4 and (error.type, error.code) == (3, 4)) or (error.version == 6 and error.type == 2)
    ]


def lost_evidence(frame: int | None, what: str, times: int, span: int) -> Evidence:
    """'... was sent 5 times in 3.3 s and never acknowledged'."""
    return Evidence(frame, f"{what} was sent {words.count_text(times, 'time')} in {words.span_text(span)} and never acknowledged")
