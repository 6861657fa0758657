"""What is odd about a completed handshake: the sieve that keeps ordinary ones from the rules.

Nearly every handshake completes, and hardly a rule has anything to say of one that did. So a rule that completed
handshakes may meet says which oddities it ``needs``, and the engine looks for all of them once: a handshake
without one meets none of these rules. An oddity may be found where a rule then finds nothing, never the other way
round (``tests/diagnosis/test_oddities.py`` holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable

from analyzer.diagnosis import departures
from analyzer.diagnosis.answers import looks_rejected, may_reject
from analyzer.diagnosis.closing import left_at_once
from analyzer.diagnosis.context import Context
from analyzer.model.handshake import Handshake

__all__ = ["Oddity", "find_oddities"]

_SLOW = 1_000_000_000
"""ns between the hellos."""
_NO_RENEGOTIATION = 100
_MOST = 16_384
_AGAIN = frozenset({"encrypted_handshake", "client_hello"})


class Oddity:
    """One bit each. Plain numbers: they are looked for in every handshake."""

    GAPS = 1
    """Bytes are missing from the capture."""
    COPIES = 1 << 1
    """Frames are in the capture twice."""
    TRUNCATED = 1 << 2
    """Frames were cut short."""
    TUNNEL = 1 << 3
    NO_HELLO = 1 << 4
    """The ClientHello was not captured."""
    KEYS = 1 << 5
    """A key log was tried on it."""
    TWIN = 1 << 6
    """Its ClientHello was seen between other addresses too."""
    PACKED = 1 << 7
    """A message is longer than a segment of its connection may be, and the run has longer ones."""
    DISORDER = 1 << 8
    """Frames are not in the order of their times."""
    SLOW = 1 << 9
    """The ServerHello came late."""
    UNANSWERED = 1 << 10
    """No data of the server, or no ServerHello, was seen."""
    UNCERTIFIED = 1 << 11
    """The server asked for a certificate, and its one answer may be a rejection."""
    HTTP2 = 1 << 12
    """The server chose HTTP/2 in the clear."""
    RENEGOTIATED = 1 << 13
    """Below TLS 1.3, an alert and something like another handshake after it was done."""
    REJECTED = 1 << 17
    """... and looks like one."""
    LEFT = 1 << 14
    """The client closed without data, at any time: ``closing.left_at_once``."""
    DEPARTED = 1 << 15
    """... right after the handshake: ``departures.find_departure``."""
    REFUSED = 1 << 16
    """... which looks like a refusal: ``departures.silent_refusal``."""


def find_oddities(handshake: Handshake, context: Context) -> int:
    """The oddities of a completed handshake already learned, as one number."""
    flow, hello, answer = handshake.flow, handshake.client_hello, handshake.server_hello
    odd = 0
    if flow.client_gaps or flow.server_gaps:
        odd = Oddity.GAPS
    if flow.duplicates:
        odd |= Oddity.COPIES
    if flow.truncated:
        odd |= Oddity.TRUNCATED
    if flow.tunnel:
        odd |= Oddity.TUNNEL
    if handshake.decryption:
        odd |= Oddity.KEYS
    if hello is None:
        odd |= Oddity.NO_HELLO
    elif context.has_twin(handshake):
        odd |= Oddity.TWIN
    mss = flow.client_mss or flow.server_mss
    if mss > flow.server_mss > 0:
        mss = flow.server_mss
    if mss and not 0 < context.longest_segment <= mss:
        odd |= _find_packed(handshake, mss)
    if not context.in_order:
        odd |= _find_disorder(handshake)
    if handshake.server_hello_time - handshake.client_hello_time >= _SLOW and handshake.client_hello_time:
        odd |= Oddity.SLOW
    if not handshake.server_application_records or answer is None:
        odd |= Oddity.UNANSWERED
    if handshake.client_certificate_requested and _is_so(may_reject, handshake, context):
        odd |= Oddity.UNCERTIFIED
        if handshake.dialogue is not None or _is_so(looks_rejected, handshake, context):
            odd |= Oddity.REJECTED
    if handshake.alpn == "h2":
        odd |= Oddity.HTTP2
    if handshake.alerts and not handshake.is_tls13 and _is_so(_begins_again, handshake, context):
        odd |= Oddity.RENEGOTIATED
    if handshake.client_application_records <= 1 and left_at_once(handshake):
        odd |= Oddity.LEFT
        if departures.departure_of(handshake, context) is not None:
            odd |= Oddity.DEPARTED
            if departures.silent_refusal(handshake, context) is not None:
                odd |= Oddity.REFUSED
    return odd


def _find_disorder(handshake: Handshake) -> int:
    frame = time = 0
    for message in handshake.messages:
        if message.frame < frame or message.timestamp < time:
            return Oddity.DISORDER
        frame, time = message.frame, message.timestamp
    return 0


def _find_packed(handshake: Handshake, mss: int) -> int:
    for message in handshake.messages:
        if message.length > mss:
            return Oddity.PACKED
    hello = handshake.client_hello
    return Oddity.PACKED if hello is not None and hello.length > mss else 0


def _is_so(look: Callable[[Handshake], bool], handshake: Handshake, context: Context) -> bool:
    """What ``look`` says of the messages, asked once for all handshakes alike: their kinds, lengths and order are the same."""
    alike = handshake.alike
    if not alike:
        return look(handshake)
    known = context.sifted.get((look, alike))
    if known is None:
        if len(context.sifted) >= _MOST:
            context.sifted.clear()
        known = context.sifted[look, alike] = look(handshake)
    return known


def _begins_again(handshake: Handshake) -> bool:
    if any(alert.description == _NO_RENEGOTIATION for alert in handshake.alerts):
        return True
    done = max(handshake.client_finished_frame, handshake.server_finished_frame)
    return any(message.kind in _AGAIN and message.frame > done and message.from_client for message in handshake.messages)
