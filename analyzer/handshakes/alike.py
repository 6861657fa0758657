"""Handshakes that differ only in random bytes are read once.

The same client asks the same server again and again: health checks, pools of connections, clients that fail and retry.
All that differs then are randoms, session ids, keys, signatures, the name asked for and what is encrypted. None of it decides how the
rest is read; lengths, types and their order do. So the first such handshake leaves behind what it gave and *where* the
free bytes were (``Model``); the next of the same pattern whose other bytes are the same is that handshake again, with
its own frames, times and free bytes filled in.

The pattern (``Flight.pattern``) is the sender and the end of each segment, in order. Only patterns seen a second time are
looked at, those of which nothing is recalled no longer, and everything is forgotten when it weighs too much.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

from analyzer.handshakes.flight import Flight, reads_as_hello
from analyzer.model.handshake import Flow, Handshake, Message, Stage
from analyzer.model.hello import Alert, ClientHello, ServerHello, ServerKeyExchange
from analyzer.tls import messages as tls
from analyzer.tls.templates import Filling, Traced, fill_in

__all__ = ["Alikes", "Fixed", "Model", "Template", "Unlike", "make_alike", "make_messages", "model_of", "read_unlike"]

_NAMES = tuple(field.name for field in fields(Handshake))
_PLACE = {name: index for index, name in enumerate(_NAMES)}
_MADE_ANEW = (
    _FLOW, _CLIENT_HELLO, _SERVER_HELLO, _EXCHANGE, _ALERTS, _FAULTS, _ICMP, _READ_MESSAGES, _MESSAGES, _ALSO, _CLOSING, _READ_SEGMENTS,
) = tuple(
    _PLACE[name]
    for name in (
        "flow", "client_hello", "server_hello", "server_key_exchange", "alerts", "faults", "icmp", "read_messages", "known_messages",
        "also", "closing_evidence", "read_segments",
    )
)  # fmt: skip
_KNOWN_SEGMENTS = _PLACE["known_segments"]
_FRAMES = tuple(name for name in _NAMES if name.endswith("_frame"))
_TIMES = tuple((name, name.replace("_time", "_frame")) for name in _NAMES if name.endswith("_time"))
_RECORD_VERSION = tuple(field.name for field in fields(ClientHello)).index("record_version")

_ONLY_LENGTHS = frozenset({"new_session_ticket", "certificate_verify", "client_key_exchange"})
"""Messages in the clear of which only the place and the length count."""

_HEADER = 5  # of a record
_MESSAGE_HEADER = 4
_PLAIN_ALERT = 2
_LAYOUTS = 4  # of one pattern
_SEEN = 16_384  # patterns remembered as seen
_TRIES = 16  # models of one pattern that are made without any of them being recalled; the latter half for any ClientHello
_CAPACITY = 8_000_000  # bytes that all models may weigh

_new_message = tuple.__new__
_numbers = itertools.count(1)
"""Of ``Handshake.alike``: never one twice."""


class _Free(NamedTuple):
    """Stretches of both directions that may hold anything."""

    client: list[slice]
    server: list[slice]


class Template(NamedTuple):
    """How to make a hello again: what its constructor takes, and the places in the direction's bytes that fill in the rest."""

    values: tuple[Any, ...]
    filled: tuple[Filling, ...]


class Unlike(NamedTuple):
    """A ClientHello that is another each time (GREASE, shuffled extensions): it is read, and must say the same where it decides."""

    body: slice
    record_version: int
    decides: tuple[object, ...]


class _Exchange(NamedTuple):
    values: tuple[int | None, int, int, int | None]
    signature: slice
    params: slice


_Messages = tuple[tuple[int, int, tuple[Any, ...], tuple[Any, ...]], ...]
"""(segment of the last byte, of the first byte, the values between the two in a ``Message``, those after)."""


Fixed = tuple[tuple[slice, ...], tuple[slice, ...]]
"""The bytes of both directions that may not be others."""


class Model(NamedTuple):
    """How to make the handshake again."""

    values: tuple[Any, ...]
    """Of the ``Handshake``, in the order of its fields; frames as places in the flight's segments (the client's first), or -1."""
    frames: tuple[tuple[int, int], ...]
    """(field, segment)."""
    times: tuple[tuple[int, int], ...]
    client_hello: Template | Unlike
    server_hello: Template | None
    exchange: _Exchange | None
    same_session: bool
    """The server took up the client's session id."""
    messages: _Messages
    alerts: tuple[tuple[int, tuple[Any, ...]], ...]

    def segment_of(self, time: str) -> int:
        """The segment whose time this field of the ``Handshake`` has; -1 where it has none."""
        return dict(self.times).get(_PLACE[time], -1)


class _Layout(NamedTuple):
    """Where the bytes that count are, in both directions."""

    client: tuple[slice, ...]
    server: tuple[slice, ...]
    opaque: tuple[tuple[int, int, int], ...]
    """(direction, place, length) of encrypted handshake records that would be read otherwise if they began as a hello does."""
    models: dict[bytes, Model]


class Alikes:
    """Memo of handshakes by pattern and bytes."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._held = 0
        self._tries: dict[bytes, int] = {}
        """How often more may be remembered of a pattern: what is recalled adds to it."""
        self._layouts: dict[bytes, list[_Layout]] = {}

    def recall(self, flow: Flow, flight: Flight, icmp: list[Any]) -> Handshake | None:
        """The handshake of ``flight``, when one like it was read before."""
        client, server = flight.client, flight.server
        client_data, server_data = client[0], server[0]
        for layout in self._layouts.get(flight.pattern, ()):
            parts = [client_data[part] for part in layout.client]
            parts += [server_data[part] for part in layout.server]
            model = layout.models.get(b"".join(parts))
            if model is None:
                continue
            for direction, place, length in layout.opaque:
                if reads_as_hello(server_data if direction else client_data, place, length):
                    return None
            self._tries[flight.pattern] = _TRIES
            return make_alike(model, flow, client_data, server_data, client[3] + server[3], client[4] + server[4], icmp)
        return None

    def remember(self, h: Handshake, flight: Flight) -> None:
        """Keep what ``flight`` gave, if its pattern was seen before and all that it gave can be made again."""
        pattern = flight.pattern
        if not pattern:
            return
        tries = self._tries.get(pattern)
        if tries is None:
            if len(self._tries) >= _SEEN:
                self._tries.clear()
            self._tries[pattern] = _TRIES
            return
        if not tries:
            return  # others of this pattern never came again
        self._tries[pattern] = tries - 1
        made = model_of(h, flight, any_hello=tries <= _TRIES // 2)
        if made is None:
            return
        (client, server), opaque, model = made
        key = b"".join([flight.client[0][part] for part in client] + [flight.server[0][part] for part in server])
        self._held += 4 * len(key) + 2_000
        if self._held > self._capacity:
            self._layouts.clear()
            self._held = 4 * len(key) + 2_000
        layouts = self._layouts.setdefault(pattern, [])
        for layout in layouts:
            if layout.client == client and layout.server == server:
                break
        else:
            layout = _Layout(client, server, opaque, {})
            layouts.insert(0, layout)
            del layouts[_LAYOUTS:]
        layout.models[key] = model


def make_alike(
    model: Model,
    flow: Flow,
    client: bytes,
    server: bytes,
    frames: Sequence[int],
    times: Sequence[int],
    icmp: list[Any],
    hello: ClientHello | None = None,
) -> Handshake | None:
    """The handshake of these bytes, which are those of the model but for the free ones; None where it would be read otherwise.
    ``hello``: where it was read already."""
    values = list(model.values)
    how = model.client_hello
    if isinstance(how, Unlike):
        hello = hello or read_unlike(client[how.body], how)
        if hello is None:
            return None
    else:
        arguments = fill_in(how.values, how.filled, client)
        if arguments is None:
            return None
        hello = ClientHello(*arguments)
    if model.server_hello is not None:
        answers = fill_in(model.server_hello.values, model.server_hello.filled, server)
        if answers is None:
            return None
        answer = ServerHello(*answers)
        if (answer.session_id == hello.session_id) != model.same_session or answer.random == tls.HELLO_RETRY_RANDOM:
            return None
        values[_SERVER_HELLO] = answer
        tls.note_downgrade(answer)
    values[_CLIENT_HELLO] = hello
    if model.exchange is not None:
        exchange = model.exchange
        values[_EXCHANGE] = ServerKeyExchange(*exchange.values, server[exchange.signature], server[exchange.params])
    for place, segment in model.frames:
        values[place] = frames[segment]
    for place, segment in model.times:
        values[place] = times[segment]
    values[_FLOW] = flow
    values[_ICMP] = icmp
    values[_ALERTS] = [Alert(frames[segment], times[segment], *rest) for segment, rest in model.alerts]
    values[_FAULTS], values[_MESSAGES], values[_ALSO], values[_CLOSING] = [], [], [], []
    values[_READ_MESSAGES] = partial(make_messages, model.messages, frames, times)
    return Handshake(*values)


def read_unlike(body: bytes, how: Unlike) -> ClientHello | None:
    """The ClientHello of this body; None where the handshake would be read otherwise with it."""
    try:
        hello = tls.read_client_hello(body, record_version=how.record_version)
    except tls.Malformed:
        return None
    return None if hello.defects or _decides(hello) != how.decides else hello


def _decides(hello: ClientHello) -> tuple[object, ...]:
    """What of a ClientHello decides how the rest of the handshake is read."""
    return hello.early_data, bool(hello.session_ticket_length), hello.length


def make_messages(messages: _Messages, frames: Sequence[int], times: Sequence[int]) -> list[Message]:
    """The messages of a handshake that is like another, from its own frames and times."""
    return [_new_message(Message, (frames[last], times[last], *between, frames[first], *after)) for last, first, between, after in messages]


def model_of(h: Handshake, flight: Flight, *, any_hello: bool = False) -> tuple[Fixed, tuple[tuple[int, int, int], ...], Model] | None:
    """(the bytes that count, places to look at, model); None where not all of it can be told again. ``any_hello``: as if its ClientHello
    were another each time."""
    h.alike = next(_numbers)
    hello, answer = h.client_hello, h.server_hello
    if hello is None or h.faults or h.stage in (Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED):
        return None
    if answer is not None and answer.hello_retry_request:
        return None
    segment_of = {frame: index for index, frame in enumerate(flight.client[3] + flight.server[3])}
    times = flight.client[4] + flight.server[4]
    if len(segment_of) < len(times) or any(alert.extra for alert in h.alerts):
        return None
    free = _Free([], [])
    opaque = _note_opaque(h, free)
    said = _note_plain(h, flight, free, any_hello)
    if said is None:
        return None
    values: list[Any] = [getattr(h, name) for name in _NAMES]
    frames_at, times_at = [], []
    for name in _FRAMES:
        frame = getattr(h, name)
        if frame:
            if frame not in segment_of:
                return None
            frames_at.append((_PLACE[name], segment_of[frame]))
    for name, of in _TIMES:
        if getattr(h, of):
            if times[segment_of[getattr(h, of)]] != getattr(h, name):
                return None
            times_at.append((_PLACE[name], segment_of[getattr(h, of)]))
    for place in _MADE_ANEW:
        values[place] = None
    values[_KNOWN_SEGMENTS] = ()
    model = Model(
        tuple(values), tuple(frames_at), tuple(times_at), *said, answer is not None and answer.session_id == hello.session_id,
        tuple((segment_of[m.frame], segment_of[m.first_frame], (m[2], m[3], m[4]), m[6:]) for m in h.messages),
        tuple((segment_of[a.frame], (a.from_client, a.level, a.description, a.encrypted, a.how, a.position, a.length)) for a in h.alerts),
    )  # fmt: skip
    return (_between(free.client, len(flight.client[0])), _between(free.server, len(flight.server[0]))), opaque, model


def _note_opaque(h: Handshake, free: _Free) -> tuple[tuple[int, int, int], ...]:
    """Note what is encrypted as free. Gives (direction, place, length) of the records that must not read as a hello."""
    watched = []
    for message in h.messages:
        if message.encrypted:
            begin = message.offset + _HEADER
            if message.length > _PLAIN_ALERT:
                free[1 - message.from_client].append(slice(begin, begin + message.length))
            if message.kind == "encrypted_handshake":
                watched.append((1 - message.from_client, begin, message.length))
    return tuple(watched)


def _note_plain(
    h: Handshake, flight: Flight, free: _Free, any_hello: bool
) -> tuple[Template | Unlike, Template | None, _Exchange | None] | None:
    """Note what is free in the messages in the clear. Gives how to make hellos and key exchange again; None where that is not known."""
    client_hello: Template | Unlike | None = None
    server_hello: Template | None = None
    exchange: _Exchange | None = None
    ends: dict[tuple[bool, int], int] = {}
    for message in sorted(h.messages, key=lambda m: m.offset):
        if message.encrypted or message.kind in ("change_cipher_spec", "alert"):
            continue
        record = message.from_client, message.offset
        start = ends.get(record, message.offset + _HEADER) + _MESSAGE_HEADER
        ends[record] = stop = start + message.length
        index = 1 - message.from_client
        body = (flight.client if message.from_client else flight.server)[0][start:stop]
        if message.kind in _ONLY_LENGTHS:
            free[index].append(slice(start, stop))
        elif message.kind == "client_hello" and h.client_hello is not None:
            version = h.client_hello.record_version
            traced = None if any_hello else _trace(tls.trace_client_hello(body), start, free.client)
            if traced is not None:
                values = list(traced.values)
                values[_RECORD_VERSION] = version
                client_hello = traced._replace(values=tuple(values))
            else:
                free.client.append(slice(start, stop))
                client_hello = Unlike(slice(start, stop), version, _decides(h.client_hello))
        elif message.kind == "server_hello":
            server_hello = _trace(tls.trace_server_hello(body), start, free.server)
        elif message.kind == "server_key_exchange" and h.server_key_exchange is not None:
            exchange = _trace_exchange(h.server_key_exchange, body, start, free.server)
            if exchange is None:
                return None
    if client_hello is None or (server_hello is None) != (h.server_hello is None) or (exchange is None) != (h.server_key_exchange is None):
        return None
    return client_hello, server_hello, exchange


def _trace(traced: Traced | None, start: int, free: list[slice]) -> Template | None:
    """The same in places of the direction's bytes, where the message's body is at ``start``."""
    if traced is None:
        return None
    free.extend(slice(part.start + start, part.stop + start) for part in traced.free)
    filled = [each._replace(part=slice(each.part.start + start, each.part.stop + start)) for each in traced.filled]
    return Template(traced.values, tuple(filled))


def _trace_exchange(exchange: ServerKeyExchange, body: bytes, start: int, free: list[slice]) -> _Exchange | None:
    """Public key and signature are free."""
    params, signature, public = len(exchange.params), len(exchange.signature), exchange.public_length
    if body[:params] != exchange.params or not body.endswith(exchange.signature):
        return None  # behind the hint of a pre-shared key
    if public:
        free.append(slice(start + params - public, start + params))
    signed = slice(start + len(body) - signature, start + len(body))
    if signature:
        free.append(signed)
    values = exchange.named_group, exchange.dh_prime_bits, public, exchange.signature_scheme
    return _Exchange(values, signed, slice(start, start + params))


def _between(free: list[slice], size: int) -> tuple[slice, ...]:
    """What is not free of ``size`` bytes."""
    at, fixed = 0, []
    for part in sorted(free, key=lambda part: int(part.start)):
        if part.start > at:
            fixed.append(slice(at, part.start))
        at = part.stop
    if at < size:
        fixed.append(slice(at, size))
    return tuple(fixed)
