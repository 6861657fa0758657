"""A second handshake that the server asks for in an established connection, below TLS 1.3, and how it ended.

Servers that want a certificate for some pages only (Apache in a Location, IIS) ask when they have read what is wanted. All of it is
encrypted; types, lengths and the order of records remain, and they tell it: no message is as short as HelloRequest.
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.model.handshake import Handshake, Message
from analyzer.model.hello import Alert
from analyzer.registries.suite_facts import suite_facts

__all__ = ["Renegotiation", "find_renegotiation"]

_HANDSHAKE = frozenset({
    "encrypted_handshake", "client_hello", "server_hello", "certificate", "certificate_request", "server_key_exchange", "server_hello_done",
    "client_key_exchange", "certificate_verify", "certificate_status", "new_session_ticket",
})  # fmt: skip
_FINISHED = frozenset({"encrypted_handshake", "finished"})
_SMALLEST_CERTIFICATE = 250
_ROUNDING = 16
"""Bytes that a block cipher's padding may make of a difference."""
_EMPTY = 7
"""Bytes of a Certificate message that holds none (RFC 5246 section 7.4.6)."""


class Renegotiation(NamedTuple):
    """One that the server asked for and that did not succeed."""

    asked: Message
    """The HelloRequest."""
    begun: bool
    """The client began another handshake; else it answered with the alert."""
    alert: Alert
    """What ended it."""
    certificate_sent: bool | None
    """Whether the client sent a certificate in it; None where there was no such message, or it cannot be told."""


def find_renegotiation(handshake: Handshake) -> Renegotiation | None:
    """The renegotiation that the server asked for, when an alert ended it; None for all else. Nothing may be missing of the capture."""
    done = _last_finished(handshake)
    if not done or handshake.is_tls13:
        return None
    asked = hello = None
    flight = renewed = False
    reply: list[Message] = []
    for message in handshake.messages[done + 1 :]:
        kind, by_client = message.kind, message.from_client
        if kind == "application_data" and (by_client or asked is None):
            continue  # what the client wants was on its way
        if asked is None:
            if by_client or not _is_hello_request(handshake, message):
                return None
            asked = message
        elif kind == "alert":
            if by_client == (hello is not None):
                return None  # it gave up a handshake it had begun, or the server did not wait for an answer
            alert = next((a for a in handshake.alerts if a.frame == message.frame and a.from_client == by_client), None)
            return None if alert is None else Renegotiation(asked, hello is not None, alert, _certificate_sent(handshake, asked, reply))
        elif by_client:
            if kind == "change_cipher_spec":
                renewed = True
            elif kind not in _HANDSHAKE:
                if not renewed:
                    return None
            elif hello is None:
                hello = message
            elif flight and not renewed:
                reply.append(message)
        elif hello is None or kind not in _HANDSHAKE:
            return None  # data, or a ChangeCipherSpec: the server is content
        else:
            flight = True
    return None


def _last_finished(handshake: Handshake) -> int:
    """Place of the second Finished among the messages; 0 where one is missing."""
    places = []
    for by_client, frame in ((True, handshake.client_finished_frame), (False, handshake.server_finished_frame)):
        mine = [
            place for place, m in enumerate(handshake.messages) if m.frame == frame and m.from_client == by_client and m.kind in _FINISHED
        ]
        if not mine:
            return 0
        places.append(mine[0])
    return max(places)


def _is_hello_request(handshake: Handshake, message: Message) -> bool:
    if message.kind != "encrypted_handshake":
        return message.kind == "hello_request"
    finished = [
        m for m in handshake.messages if m.frame == handshake.server_finished_frame and m.kind == message.kind and not m.from_client
    ]
    return bool(finished) and message.length < finished[0].length


def _certificate_sent(handshake: Handshake, asked: Message, reply: list[Message]) -> bool | None:
    """Told from the message itself where the keys opened it, else from the room there is beside the ClientKeyExchange."""
    opened = next((message for message in reply if message.kind == "certificate"), None)
    if opened is not None:
        return opened.length > 3
    exchange = next((m for m in handshake.messages if m.kind == "client_key_exchange" and not m.encrypted), None)
    if exchange is None or not reply or any(message.decrypted for message in reply):
        return None
    size = sum(message.length for message in reply)
    if size - exchange.length >= _SMALLEST_CERTIFICATE:
        return True
    if len(reply) > 1 or reply[0].length + _ROUNDING < asked.length + exchange.length:
        return False  # a record of its own before the ClientKeyExchange, which need not have come
    facts = suite_facts(handshake.server_hello.cipher_suite) if handshake.server_hello is not None else None
    # in one record with it, which an AEAD cipher makes longer by as much as it makes the four bytes of HelloRequest
    both = asked.length + exchange.length + _EMPTY
    return False if facts is not None and facts.is_aead and size == both else None
