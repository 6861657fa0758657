"""The one answer of an application after the handshake, which may be its refusal of the client."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.diagnosis.record_lengths import is_alert_sized
from analyzer.model.handshake import Handshake, Message

__all__ = ["SHORT", "LastAnswer", "looks_rejected", "may_reject", "read_answer"]

SHORT = 2_048
"""Bytes of plain text: a longer answer is a page."""

_NGINX_NONE = range(375, 400)
_NGINX_BAD = range(353, 375)
"""Bytes of nginx's two answers, head and page, with its version in it or not: the one says that no certificate came,
the other that it was not accepted."""
_OVERHEAD, _OVERHEAD_TLS13 = 24, 17
_IN_SESSION = 2
"""Records of a client whose refusal ends a session that began in the clear (PostgreSQL)."""


class LastAnswer(NamedTuple):
    """The server's only record of data, with nothing but goodbyes behind it."""

    frame: int
    length: int
    """Bytes of plain text, from the length of the record."""
    closed: bool
    """The server said goodbye first."""
    is_nginx: bool
    """It has the length of nginx's answer to a client without a certificate, or to one whose certificate it does not take."""


def read_answer(handshake: Handshake) -> LastAnswer | None:
    """The answer, where there is just one. Kinds, lengths and order of the messages decide."""
    message, closed = _only_answer(handshake)
    if message is None:
        return None
    length = message.length - (_OVERHEAD_TLS13 if handshake.is_tls13 else _OVERHEAD)
    return LastAnswer(message.frame, length, closed, length in (_NGINX_BAD if handshake.client_certificate_sent else _NGINX_NONE))


def may_reject(handshake: Handshake) -> bool:
    """Whether the answer to a client that was asked for a certificate may be its refusal."""
    answer = read_answer(handshake) if handshake.client_application_records else None
    if answer is None:
        return False
    ends = answer.closed or handshake.client_application_records <= _IN_SESSION
    return answer.is_nginx or (handshake.client_certificate_sent is False and answer.length <= SHORT and ends)


def looks_rejected(handshake: Handshake) -> bool:
    """Whether it has the length of a known refusal."""
    answer = read_answer(handshake)
    return answer is not None and answer.is_nginx


def _only_answer(handshake: Handshake) -> tuple[Message | None, bool]:
    """The last record of data after the tickets, when nothing but goodbyes follows; whether the server said goodbye first."""
    done, answer, closed = handshake.client_finished_frame, None, False
    for message in handshake.messages:
        if message.frame <= done:
            continue
        goodbye = message.kind == "alert" or is_alert_sized(message, handshake)
        if message.from_client:
            if goodbye:
                return answer, closed
            if answer is not None and not handshake.is_tls13:
                return None, False
        elif goodbye:
            closed = True
        elif message.kind == "application_data":
            answer = message
    return answer, closed
