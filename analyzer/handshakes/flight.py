"""A handshake read in one go: what nearly every one looks like.

Most connections come whole and in order, hold TLS from the first byte on and nothing that is out of the ordinary. Such
a connection is set aside as the bytes of its two directions (``Flight``) and read when it is over, in one pass
over its records. ``read_flight`` knows only the ordinary: at the first thing it does not know (a message over several
records, HelloRetryRequest, renegotiation, bytes that do not parse ...) it gives up, and a ``Follower`` reads the same
bytes record by record. What both read, both read alike.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from analyzer.model.handshake import Dialogue, Handshake, Message
from analyzer.model.hello import Alert, Certificate
from analyzer.tls import messages as tls

__all__ = ["Before", "Flight", "Run", "looks_like_tls", "read_flight", "reads_as_hello"]

Run = tuple[bytes, int, list[int], list[int], list[int]]
"""In-order bytes of a direction: (data, sequence number of its first byte, where each segment ends in it, frames, times)."""

_LONGEST = 18_432  # bytes of a record (RFC 5246 section 6.2.3)
_LONGEST_PLAIN = 16_384
_LONGEST_CHAIN = 16_384  # bytes of a Certificate message that is remembered
_MOST = 256  # messages
_SHORTEST_HELLO = 39

_OF_SERVER = {0: "hello_request", 4: "new_session_ticket", 14: "server_hello_done"}
_OF_CLIENT = {15: "certificate_verify", 16: "client_key_exchange"}
"""Messages of which only the place and the length count."""

_new_message = tuple.__new__
_when = itemgetter(1, 0)  # time of a message, and its frame where times are equal


class Before(NamedTuple):
    """What both directions said in the clear before TLS began."""

    dialogue: Dialogue
    client: bytes
    server: bytes


class Flight(NamedTuple):
    """All that both directions sent, each from its first byte of TLS on, in order and not yet read."""

    client: Run
    server: Run
    pattern: bytes = b""
    """Who sent each segment and where it ends in its direction, in the order they came; where that is not the order of their bytes
    (``arrivals``), how many the client sent, and of each its place among all. b"" where it is not known."""
    before: Before | None = None
    """None: TLS began with the first byte."""
    arrivals: tuple[list[int], list[int]] | None = None
    """When the segments of each direction came (places in the flow), where that was not in the order of their bytes."""

    @property
    def is_tls(self) -> bool:
        """It was looked at when it was set aside."""
        return True

    @property
    def tls_offsets(self) -> tuple[int, int]:
        """Where TLS begins in each stream."""
        return (0, 0) if self.before is None else (len(self.before.client), len(self.before.server))


def looks_like_tls(data: bytes) -> bool:
    """Whether a direction that sent ``data`` begins as TLS does: with a record of a handshake or an alert, or with nothing."""
    return not data or (len(data) >= 3 and data[0] in (22, 21) and data[1] == 3 and data[2] <= 4)


def reads_as_hello(data: bytes, at: int, length: int) -> bool:
    """Whether a handshake record sent after ChangeCipherSpec, with a body of ``length`` bytes at ``at``, is one hello in the clear all the
    same: of a server that never switched, or after a ChangeCipherSpec for the sake of old devices (RFC 8446 appendix D.4)."""
    if length < _SHORTEST_HELLO or data[at] not in (1, 2) or data[at + 4] != 3:
        return False
    return int.from_bytes(data[at + 1 : at + 4], "big") == length - 4


def read_flight(h: Handshake, flight: Flight) -> bool:
    """Fill in what the messages say. False when something is not as usual: ``h`` must then be made anew."""
    messages: list[Message] = []
    # the server first: what its version is decides how the client's records are read
    if not (_read_side(h, messages, flight.server, False) and _read_side(h, messages, flight.client, True)):
        return False
    # each direction is in the order of its stream already, and time does not run backwards in one
    if flight.arrivals is None:
        messages.sort(key=_when)
    else:
        _sort_by_arrival(messages, flight)
    h.messages = messages
    if h.alerts:
        _place_alerts(h)
    return True


def _sort_by_arrival(messages: list[Message], flight: Flight) -> None:
    """Each direction in the order of its stream: a message is there when all bytes up to its last one have come."""
    there: dict[tuple[bool, int], int] = {}
    for run, arrivals, from_client in zip((flight.client, flight.server), flight.arrivals or (), (True, False), strict=True):
        for frame, arrival in zip(run[3], accumulate(arrivals, max), strict=True):
            there[from_client, frame] = arrival
    messages.sort(key=lambda m: there[m[2], m[0]])


def _read_side(h: Handshake, messages: list[Message], run: Run, from_client: bool) -> bool:
    data, _, ends, frames, times = run
    size = len(data)
    position = at = 0
    tls13, encrypted = h.is_tls13, False
    add = messages.append
    while position < size:
        if size - position < 5 or data[position + 1] != 3:
            return False
        kind = data[position]
        length = data[position + 3] << 8 | data[position + 4]
        end = position + 5 + length
        if end > size or length > _LONGEST:
            return False
        while ends[at] <= position:
            at += 1
        first = at
        while ends[at] < end:
            at += 1
        first_frame, frame, time = frames[first], frames[at], times[at]
        if kind == 23:
            name = "application_data"
            hidden = True
        elif kind == 22:
            if not encrypted:
                known = h.client_hello if from_client else h.server_hello
                if length > _LONGEST_PLAIN or (tls13 and known is not None):
                    return False
                if not _read_messages(h, messages, run, position, end, first, at, from_client):
                    return False
                tls13 = h.is_tls13
                position = end
                continue
            if reads_as_hello(data, position + 5, length):
                return False  # in the clear after ChangeCipherSpec
            name = "encrypted_handshake"
            hidden = True
        elif kind == 20:
            name = "change_cipher_spec"
            hidden = False
            if h.server_hello is not None:
                encrypted = not tls13
            elif not from_client or h.client_hello is None:
                return False
        elif kind == 21:
            name = "alert"
            hidden = not (length == 2 and data[position + 5] in (1, 2))
            if hidden:
                if not encrypted:
                    return False
                h.alerts.append(Alert(frame, time, from_client, None, None, True, "inferred", position, length))
            else:
                level, description = data[position + 5], data[position + 6]
                h.alerts.append(Alert(frame, time, from_client, level, description, False, "plaintext", position, 2))
        else:
            return False
        add(_new_message(Message, (frame, time, from_client, name, length, first_frame, hidden, False, position)))
        position = end
    return len(messages) <= _MOST


def _read_messages(h: Handshake, messages: list[Message], run: Run, begin: int, end: int, first: int, last: int, from_client: bool) -> bool:
    """The whole messages of one record in the clear."""
    data, _, _, frames, times = run
    frame, time, first_frame = frames[last], times[last], frames[first]
    position = begin + 5
    while position < end:
        kind = data[position]
        start = position + 4
        position = start + (data[start - 3] << 16 | data[start - 2] << 8 | data[start - 1] if start <= end else end)
        if position > end:
            return False
        name = (_OF_CLIENT if from_client else _OF_SERVER).get(kind)
        if name is None:
            body = data[start:position]
            try:
                name = _read_client_message(h, kind, body) if from_client else _read_server_message(h, kind, body)
            except tls.Malformed:
                return False
            if name is None:
                return False
            if kind == 1:
                if h.client_hello is None:
                    return False
                h.client_hello.record_version = data[begin + 1] << 8 | data[begin + 2]
                h.client_hello_frame, h.client_hello_time, h.client_hello_first_frame = frame, time, first_frame
                h.client_hello_segments = last - first + 1
                h.client_hello_end = 1 + end
            elif kind == 2:
                h.server_hello_frame, h.server_hello_time = frame, time
        messages.append(_new_message(Message, (frame, time, from_client, name, position - start, first_frame, False, False, begin)))
        first_frame = frame
    return True


def _read_client_message(h: Handshake, kind: int, body: bytes) -> str | None:
    if kind == 1 and h.client_hello is None:
        h.client_hello = tls.read_client_hello(body)
        return None if h.client_hello.defects else "client_hello"
    if kind == 11 and h.server_hello is not None and not h.is_tls13 and h.server_hello.selected_version:
        h.client_certificates, staple = _read_chain(body)
        return None if staple is not None else "certificate"
    return None


def _read_server_message(h: Handshake, kind: int, body: bytes) -> str | None:
    hello = h.server_hello
    if hello is None:
        if kind != 2:
            return None
        h.server_hello = hello = tls.read_server_hello(body)
        h.alpn = hello.alpn
        return None if hello.defects or hello.hello_retry_request or not hello.selected_version else "server_hello"
    if h.is_tls13:
        return None
    if kind == 11 and not h.server_certificate_bytes and len(body) <= _LONGEST_CHAIN:
        h.server_certificates, staple = _read_chain(body)
        h.server_certificates_complete = True
        h.server_certificate_bytes = len(body)
        return None if staple is not None or not h.server_certificates else "certificate"
    if kind == 12:
        h.server_key_exchange = tls.read_server_key_exchange(body, hello.cipher_suite, hello.selected_version)
        return "server_key_exchange"
    if kind == 13:
        h.certificate_request = tls.read_certificate_request(body, hello.selected_version)
        return "certificate_request"
    if kind == 22:
        h.ocsp_response = tls.read_certificate_status(body)
        return "certificate_status"
    return None


@lru_cache(maxsize=512)
def _read_chain(body: bytes) -> tuple[tuple[Certificate, ...], bytes | None]:
    """The certificates of a Certificate message up to TLS 1.2, the same ones for the same bytes. Raises Malformed."""
    ders, staple, truncated = tls.read_certificate_list(body, tls13=False)
    if truncated:
        raise tls.Malformed("more certificates than are kept")
    return tuple(map(tls.read_certificate, ders)), staple


def _place_alerts(h: Handshake) -> None:
    """Give each alert its index among the messages."""
    places = {(m[2], m[8]): index for index, m in enumerate(h.messages) if m[3] == "alert"}
    for alert in h.alerts:
        alert.position = places[alert.from_client, alert.position]
    h.alerts.sort(key=_position)


def _position(alert: Alert) -> int:
    return alert.position
