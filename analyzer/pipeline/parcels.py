"""Handshakes on their way from one process to another.

A ``Handshake`` is numbers, texts and bytes, and ``marshal`` writes those at the speed of C: an object travels as the tuple of
its fields, at a tenth of what making the handshake cost. What many handshakes share (certificates, offers, the pattern of
their messages) travels once; what most are never asked for is put together when it is. Both ends are copies of one
process, so there is no version to agree on, and a field of a kind that is not known here fails loudly where it is packed.
"""

from __future__ import annotations

import itertools
import marshal
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from analyzer.handshakes.alike import make_messages
from analyzer.handshakes.segments import KEPT, Kept, KeptSegments, read_segments
from analyzer.model.batches import IcmpError
from analyzer.model.faults import Fault
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Dialogue, Flow, Handshake, Message, Segment
from analyzer.model.hello import Alert, Certificate, CertificateRequest, ClientHello, ServerHello, ServerKeyExchange

__all__ = ["Packer", "Parcel", "Unpacker", "pack_errors", "unpack_errors"]

Parcel = tuple[bool, list[Any], list[Any]]
"""(forget what was shared before, what is shared and was not sent yet, handshakes)"""

_Read = Callable[[Any], tuple[Any, ...]]
_SHARED = 8_192
"""Values that both ends remember before they begin anew."""


def _reader(kind: type, names: tuple[str, ...] | None = None) -> _Read:
    read: _Read = attrgetter(*(names or [field.name for field in fields(kind)]))
    return read


_OWN = ("length", "random", "session_id", "server_name", "key_shares", "psk_identities", "psk_identity", "psk_binder_length",
        "session_ticket_length", "padding_length")  # fmt: skip
"""What differs from one ClientHello of a client to the next. The rest is shared."""
_HELLO_NAMES = tuple(field.name for field in fields(ClientHello))
_COMMON = tuple(name for name in _HELLO_NAMES if name not in _OWN)
_read_own, _read_common = _reader(ClientHello, _OWN), _reader(ClientHello, _COMMON)
_PLACE_IN_BOTH = [(_OWN + _COMMON).index(name) for name in _HELLO_NAMES]

_PLACES = {field.name: place for place, field in enumerate(fields(Handshake))}
_OBJECTS: tuple[tuple[int, type, _Read], ...] = tuple(
    (_PLACES[name], kind, _reader(kind))
    for name, kind in (
        ("flow", Flow), ("second_client_hello", ClientHello), ("hello_retry", ServerHello), ("server_hello", ServerHello),
        ("server_key_exchange", ServerKeyExchange), ("certificate_request", CertificateRequest), ("dialogue", Dialogue),
    )
)  # fmt: skip
_HELLO, _ALERTS, _FAULTS = _PLACES["client_hello"], _PLACES["alerts"], _PLACES["faults"]
_READ_MESSAGES, _MESSAGES = _PLACES["read_messages"], _PLACES["known_messages"]
_ERRORS, _EVIDENCE, _CLOSING = _PLACES["icmp"], _PLACES["closing_evidence"], _PLACES["closing_alert"]
_SERVER_CHAIN, _CLIENT_CHAIN = _PLACES["server_certificates"], _PLACES["client_certificates"]
_READ_SEGMENTS, _SEGMENTS = _PLACES["read_segments"], _PLACES["known_segments"]

_read_handshake, _read_certificate, _read_alert, _read_error = map(_reader, (Handshake, Certificate, Alert, IcmpError))
_ALIKE = _PLACES["alike"]
_kins = itertools.count(1)
_new = tuple.__new__
_WIDTH = len(Message._fields)


class Packer:
    """The sending end. ``add`` handshakes that are settled and not yet judged; ``take`` gives them as one parcel."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._alive: list[object] = []
        """What is known by its identity: nothing else may get the same."""
        self._forget = False
        self._shared: list[Any] = []
        self._handshakes: list[Any] = []

    def add(self, h: Handshake) -> None:
        """Pack one handshake."""
        values = list(_read_handshake(h))
        for place, _, read in _OBJECTS:
            value = values[place]
            if value is not None:
                values[place] = read(value)
        if h.client_hello is not None:
            common = _read_common(h.client_hello)
            values[_HELLO] = (self._share(common, common), *_read_own(h.client_hello))
        self._add_messages(h, values)
        if h.alerts:
            values[_ALERTS] = [*map(_read_alert, h.alerts)]
        if h.faults:
            values[_FAULTS] = [*map(tuple, h.faults)]
        if h.icmp:
            values[_ERRORS] = pack_errors(h.icmp)
        if h.closing_evidence:
            values[_EVIDENCE] = [*map(tuple, h.closing_evidence)]
        if h.closing_alert is not None:
            values[_CLOSING] = next(place for place, alert in enumerate(h.alerts) if alert is h.closing_alert)
        if h.server_certificates:
            values[_SERVER_CHAIN] = [self._share_certificate(certificate) for certificate in h.server_certificates]
        if h.client_certificates:
            values[_CLIENT_CHAIN] = [self._share_certificate(certificate) for certificate in h.client_certificates]
        if h.read_segments is not None:
            parts, client, limit = h.read_segments.args  # type: ignore[attr-defined]  # a partial of KeptSegments
            values[_READ_SEGMENTS] = (parts.rows(limit).tobytes(), parts.whole, client, limit)
            values[_SEGMENTS] = ()
        elif h.known_segments:
            values[_SEGMENTS] = [*map(tuple, h.known_segments)]
        self._handshakes.append(values)

    def _add_messages(self, h: Handshake, values: list[Any]) -> None:
        read = h.read_messages
        if isinstance(read, partial) and read.func is make_messages:
            pattern, frames, times = read.args
            key = id(pattern)
            number = self._numbers.get(key)
            if number is None:
                self._alive.append(pattern)
                number = self._share(key, pattern)
            values[_READ_MESSAGES] = (number, frames, times)
        else:
            values[_READ_MESSAGES] = None
            values[_MESSAGES] = marshal.dumps([*chain.from_iterable(h.messages)], 2)

    def _share(self, key: object, value: object) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers)
            self._shared.append(value)
        return number

    def _share_certificate(self, certificate: Certificate) -> int:
        number = self._numbers.get(certificate.sha256)
        return self._share(certificate.sha256, [_read_certificate(certificate)]) if number is None else number

    def take(self) -> Parcel:
        """What was added since."""
        parcel = self._forget, self._shared, self._handshakes
        self._shared, self._handshakes = [], []
        self._forget = len(self._numbers) > _SHARED
        if self._forget:
            self._numbers.clear()
            self._alive.clear()
        return parcel


class Unpacker:
    """The receiving end of one ``Packer``."""

    def __init__(self) -> None:
        self._shared: list[Any] = []
        self._kin = next(_kins) << 48
        """Each process numbers handshakes alike for itself."""

    def open(self, parcel: Parcel) -> Iterator[Handshake]:
        """The handshakes of a parcel, in the order they were added."""
        forget, shared, handshakes = parcel
        if forget:
            self._shared.clear()
        self._shared += [Certificate(*value[0]) if isinstance(value, list) else value for value in shared]
        for values in handshakes:
            yield self._open(values)

    def _open(self, values: list[Any]) -> Handshake:
        shared = self._shared
        for place, kind, _ in _OBJECTS:
            value = values[place]
            if value is not None:
                values[place] = kind(*value)
        hello = values[_HELLO]
        if hello is not None:
            both = hello[1:] + shared[hello[0]]
            values[_HELLO] = ClientHello(*[both[place] for place in _PLACE_IN_BOTH])
        if values[_ALIKE]:
            values[_ALIKE] += self._kin
        if values[_READ_MESSAGES] is not None:
            pattern, frames, times = values[_READ_MESSAGES]
            values[_READ_MESSAGES] = partial(make_messages, shared[pattern], frames, times)
        else:
            values[_READ_MESSAGES] = partial(_open_messages, values[_MESSAGES])
            values[_MESSAGES] = []
        if values[_ALERTS]:
            alerts = values[_ALERTS] = [Alert(*each) for each in values[_ALERTS]]
            if values[_CLOSING] is not None:
                values[_CLOSING] = alerts[values[_CLOSING]]
        if values[_FAULTS]:
            values[_FAULTS] = [_new(Fault, each) for each in values[_FAULTS]]
        if values[_ERRORS]:
            values[_ERRORS] = unpack_errors(values[_ERRORS])
        if values[_EVIDENCE]:
            values[_EVIDENCE] = [_new(Evidence, each) for each in values[_EVIDENCE]]
        for place in (_SERVER_CHAIN, _CLIENT_CHAIN):
            if values[place]:
                values[place] = tuple([shared[number] for number in values[place]])
        if values[_READ_SEGMENTS] is not None:
            rows, whole, client, limit = values[_READ_SEGMENTS]
            values[_READ_SEGMENTS] = KeptSegments(read_segments, Kept((np.frombuffer(rows, KEPT),), whole), client, limit)
        elif values[_SEGMENTS]:
            values[_SEGMENTS] = tuple([_new(Segment, each) for each in values[_SEGMENTS]])
        return Handshake(*values)


def _open_messages(packed: bytes) -> list[Message]:
    values = iter(marshal.loads(packed))  # noqa: S302 - written by a copy of this process
    return [_new(Message, each) for each in zip(*[values] * _WIDTH, strict=True)]


def pack_errors(errors: list[IcmpError]) -> list[tuple[Any, ...]]:
    """ICMP errors as tuples."""
    return [*map(_read_error, errors)]


def unpack_errors(errors: list[tuple[Any, ...]]) -> list[IcmpError]:
    """The other way round."""
    return [IcmpError(*values) for values in errors]
