"""What is odd about a handshake: the sieve that keeps it from the rules that it does not concern.

Nearly every handshake completes, and hardly a rule has anything to say of one that did; of those that failed most fail in one
of a few ways, and most rules are about another. So a rule says which oddities it ``needs`` of a completed handshake, and which
are its ``signs`` in another one, and the engine looks for all of them once: a handshake without one never meets the rule. An
oddity may be found where a rule then finds nothing, never the other way round (``tests/diagnosis/test_oddities.py`` and
``test_signs.py`` hold them together).
"""

from __future__ import annotations

from analyzer.diagnosis import departures
from analyzer.diagnosis.answers import looks_rejected, may_reject
from analyzer.diagnosis.closing import left_at_once
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import has_two_clocks
from analyzer.model.handshake import Handshake

__all__ = ["SLOW", "Oddity", "find_oddities", "find_signs"]

SLOW = 1_000_000_000
"""ns between the hellos."""
_HANDSHAKE_FAILURE, _UNEXPECTED, _NO_RENEGOTIATION = 40, 10, 100
_OF_REVOCATION = frozenset({44, 113})
"""certificate_revoked, bad_certificate_status_response."""
_AGAIN = frozenset({"encrypted_handshake", "client_hello", "hello_request"})


class Oddity:
    """One bit each. Plain numbers: they are looked for in every handshake."""

    GAPS = 1
    """Bytes are missing from the capture; of one that did not complete, what is kept of it does not plainly show that none are."""
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
    """Its ClientHello was seen between other addresses too, at the same time."""
    PACKED = 1 << 7
    """The run has longer segments than its connection may have; of a completed one, a message is longer than that."""
    DISORDER = 1 << 8
    """Frames are not in the order of their times; of one that did not complete, those of the run, or its two
    directions have clocks that disagree."""
    SLOW = 1 << 9
    """The ServerHello came late."""
    UNANSWERED = 1 << 10
    """No data of the server, or no ServerHello, was seen."""
    UNCERTIFIED = 1 << 11
    """The server asked for a certificate, and its one answer may be a rejection."""
    HTTP2 = 1 << 12
    """The server chose HTTP/2 in the clear."""
    RENEGOTIATED = 1 << 13
    """Below TLS 1.3, an alert and something like another handshake after it was done; of one that did not complete, an alert that may
    be about that."""
    REJECTED = 1 << 17
    """The answer after UNCERTIFIED looks like a rejection."""
    LEFT = 1 << 14
    """The client closed without data, at any time: ``closing.left_at_once``."""
    DEPARTED = 1 << 15
    """... right after the handshake: ``departures.find_departure``."""
    REFUSED = 1 << 16
    """... which looks like a refusal: ``departures.silent_refusal``."""
    # of handshakes that did not complete
    ONE_WAY = 1 << 18
    """Only one side's packets were captured."""
    RESET = 1 << 19
    """One side reset, or somebody in its name."""
    DIALOGUE = 1 << 20
    """TLS was asked for in clear, or a proxy for the way."""
    RETRIED = 1 << 21
    """HelloRetryRequest."""
    FAULTY = 1 << 22
    """Something of it breaks the protocol, or came in two versions."""
    SPLIT = 1 << 23
    """The ClientHello came in several segments, or not whole."""
    STAPLE = 1 << 24
    """A stapled OCSP response, a certificate that demands one, or an alert about revocation."""
    HEARTBEAT = 1 << 25

    OF_ITSELF = COPIES | TRUNCATED | TUNNEL | TWIN | PACKED | DISORDER | SLOW
    """What is not the same for all completed handshakes of a kind: ``herding.find_odd_members``."""


def find_oddities(handshake: Handshake, context: Context) -> int:
    """The oddities of a completed handshake already learned, as one number."""
    flow, answer = handshake.flow, handshake.server_hello
    odd = _find_common(handshake, context)
    if flow.client_gaps or flow.server_gaps:
        odd |= Oddity.GAPS
    if odd & Oddity.PACKED and not _is_packed(handshake):
        odd ^= Oddity.PACKED
    if odd & Oddity.DISORDER and not _is_disordered(handshake):
        odd ^= Oddity.DISORDER
    if not handshake.server_application_records or answer is None:
        odd |= Oddity.UNANSWERED
    if handshake.client_certificate_requested and context.is_so(may_reject, handshake):
        odd |= Oddity.UNCERTIFIED
        if handshake.dialogue is not None or context.is_so(looks_rejected, handshake):
            odd |= Oddity.REJECTED
    if handshake.alpn == "h2":
        odd |= Oddity.HTTP2
    if handshake.alerts and not handshake.is_tls13 and context.is_so(_begins_again, handshake):
        odd |= Oddity.RENEGOTIATED
    if handshake.client_application_records <= 1 and left_at_once(handshake):
        odd |= Oddity.LEFT
        if departures.departure_of(handshake, context) is not None:
            odd |= Oddity.DEPARTED
            if departures.silent_refusal(handshake, context) is not None:
                odd |= Oddity.REFUSED
    return odd


def find_signs(handshake: Handshake, context: Context) -> int:
    """The oddities of a handshake already learned that did not complete, as one number."""
    flow, alert = handshake.flow, handshake.closing_alert
    odd = _find_common(handshake, context)
    if not handshake.is_whole:
        odd |= Oddity.GAPS
    if not flow.client_frames or not flow.server_frames:
        odd |= Oddity.ONE_WAY
    if flow.client_rsts or flow.server_rsts:
        odd |= Oddity.RESET
    if handshake.outcome == "unfinished" and has_two_clocks(handshake):
        odd |= Oddity.DISORDER
    if handshake.dialogue is not None:
        odd |= Oddity.DIALOGUE
    if handshake.hello_retry is not None:
        odd |= Oddity.RETRIED
    if handshake.faults:
        odd |= Oddity.FAULTY
    if handshake.client_hello_segments > 1 or handshake.client_hello_incomplete:
        odd |= Oddity.SPLIT
    if handshake.alerts and _may_renegotiate(handshake):
        odd |= Oddity.RENEGOTIATED
    chain = handshake.server_certificates
    about_it = alert is not None and alert.description in _OF_REVOCATION
    if about_it or handshake.ocsp_response is not None or (chain and chain[0].must_staple):
        odd |= Oddity.STAPLE
    if context.is_so(_beats, handshake):
        odd |= Oddity.HEARTBEAT
    return odd


def _find_common(handshake: Handshake, context: Context) -> int:
    """What is looked for in the same way whatever became of it."""
    flow, hello = handshake.flow, handshake.client_hello
    odd = 0
    if flow.duplicates:
        odd = Oddity.COPIES
    if flow.truncated:
        odd |= Oddity.TRUNCATED
    if flow.tunnel:
        odd |= Oddity.TUNNEL
    if handshake.decryption:
        odd |= Oddity.KEYS
    if hello is None:
        odd |= Oddity.NO_HELLO
    elif context.twin(handshake) is not None:
        odd |= Oddity.TWIN
    allowed = _allowed(handshake)
    if allowed and not 0 < context.longest_segment <= allowed:
        odd |= Oddity.PACKED
    if not context.in_order:
        odd |= Oddity.DISORDER
    if handshake.server_hello_time - handshake.client_hello_time >= SLOW and handshake.client_hello_time:
        odd |= Oddity.SLOW
    return odd


def _allowed(handshake: Handshake) -> int:
    """Bytes of payload that a segment may have, as the two sides agreed; 0 where none is known."""
    flow = handshake.flow
    mss = flow.client_mss or flow.server_mss
    return flow.server_mss if mss > flow.server_mss > 0 else mss


def _is_disordered(handshake: Handshake) -> bool:
    frame = time = 0
    for message in handshake.messages:
        if message.frame < frame or message.timestamp < time:
            return True
        frame, time = message.frame, message.timestamp
    return False


def _is_packed(handshake: Handshake) -> bool:
    hello, allowed = handshake.client_hello, _allowed(handshake)
    return any(message.length > allowed for message in handshake.messages) or (hello is not None and hello.length > allowed)


def _may_renegotiate(handshake: Handshake) -> bool:
    alert = handshake.closing_alert
    refused = alert is not None and alert.description in (_HANDSHAKE_FAILURE, _UNEXPECTED)
    return refused or any(alert.description == _NO_RENEGOTIATION for alert in handshake.alerts)


def _beats(handshake: Handshake) -> bool:
    return any(message.kind == "heartbeat" for message in handshake.messages)


def _begins_again(handshake: Handshake) -> bool:
    if any(alert.description == _NO_RENEGOTIATION for alert in handshake.alerts):
        return True
    done = max(handshake.client_finished_frame, handshake.server_finished_frame)
    return any(message.kind in _AGAIN and message.frame > done for message in handshake.messages)
