"""What handshakes of one kind share, and finding those that are of it: bytes compared for many flows at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.handshakes.alike import Model, Template, Unlike, read_unlike
from analyzer.handshakes.flight import Flight
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello, ServerHello
from analyzer.tls.messages import HELLO_RETRY_RANDOM
from analyzer.tls.templates import PLAIN
from analyzer.tls.wire import without_grease

__all__ = ["Hellos", "Kind"]

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_AT_ONCE = 2_048
"""Flows whose bytes are compared at once."""
_SHORT, _LONG = 8, 256
"""Bytes in a row below which they are gathered one by one, and from which on each flow's are compared by themselves: several hundred of
each flow side by side no longer fit into the processor's cache."""
_RANDOM, _SESSION_ID = 2, 3  # arguments of both hellos' constructors
_SERVER_NAME = ClientHello.__match_args__.index("server_name")
_SENTINEL = np.frombuffer(b"DOWNGRD", np.uint8)  # RFC 8446 section 4.1.3
_IS_PLAIN = np.isin(np.arange(256), np.frombuffer(PLAIN, np.uint8))
_HELLO_RETRY = np.frombuffer(HELLO_RETRY_RANDOM, np.uint8)

assert ClientHello.__match_args__[_RANDOM : _SESSION_ID + 1] == ServerHello.__match_args__[_RANDOM : _SESSION_ID + 1]


class _Places(NamedTuple):
    """Single bytes of a pattern: the segment each is in (the client's first), and where in it."""

    segment: I64
    offset: I64

    def gather(self, data: U8, begins: I64) -> U8:
        """These bytes of each flow, where ``begins`` (flow, segment) says where payloads begin in ``data``."""
        result: U8 = data[begins[:, self.segment] + self.offset]
        return result


class _Stretch(NamedTuple):
    """Bytes in a row: the segment they are in, where in it, and how many."""

    segment: int
    offset: int
    size: int

    def gather(self, data: U8, begins: I64) -> npt.NDArray[np.void]:
        """These bytes of each flow, in one item."""
        anywhere = np.ndarray((len(data) - self.size + 1,), f"V{self.size}", data, strides=(1,))
        return anywhere[begins[:, self.segment] + self.offset]

    def holds(self, wanted: bytes, data: U8, begins: I64) -> Bools:
        """Whether each flow has these bytes there."""
        if self.size < _LONG:
            same: Bools = self.gather(data, begins) == np.void(wanted)
            return same
        at = (begins[:, self.segment] + self.offset).tolist()
        return np.array([data[begin : begin + self.size].tobytes() == wanted for begin in at], np.bool_)

    def cut(self, data: U8, payloads: list[int]) -> bytes:
        """These bytes of the flow whose payloads begin there."""
        begin = payloads[self.segment] + self.offset
        return data[begin : begin + self.size].tobytes()


class Hellos(list[tuple[ClientHello, bytes]]):
    """ClientHellos of members that each have their own, with the bodies they were read from; nothing where it is not so."""


def _offer_of(hello: ClientHello) -> tuple[object, ...]:
    """What a client offers, in whatever order it names its extensions."""
    return (
        bool(hello.server_name), hello.legacy_version, without_grease(hello.supported_versions), without_grease(hello.cipher_suites),
        without_grease(hello.named_groups), hello.signature_schemes, hello.alpn, sorted(without_grease(hello.extension_types)),
    )  # fmt: skip


class Kind:
    """What all of a herd share."""

    def __init__(self, prototype: Handshake, flight: Flight, model: Model, client: tuple[slice, ...], server: tuple[slice, ...]) -> None:
        self.prototype = prototype
        self.flight = flight
        self.model = model
        self._ends = (flight.client[2], flight.server[2])
        self._streams = (flight.client[0], flight.server[0])
        filled = [
            (side, argument, part)
            for side, hello in enumerate((model.client_hello, model.server_hello))
            if isinstance(hello, Template)
            for argument, part, _ in hello.filled
        ]
        if model.exchange is not None:
            filled += [(1, -1, model.exchange.signature), (1, -1, model.exchange.params)]
        self._kept = [self._stretch(side, piece) for side, _, part in filled for piece in self._cut(side, part) if piece.stop > piece.start]
        """Free bytes that say something, of the client's direction first."""
        self._filled = filled
        at = 0
        self.columns: dict[tuple[int, int], slice] = {}
        """Where the bytes of (direction, argument of its hello) are in what is kept."""
        for side, argument, part in filled:
            self.columns[side, argument] = slice(at, at + part.stop - part.start)
            at += part.stop - part.start
        self.unlike = model.client_hello if isinstance(model.client_hello, Unlike) else None
        """Each has a ClientHello of its own; None: but for what is kept it is the prototype's."""
        self._body = [self._stretch(0, piece) for piece in self._cut(0, self.unlike.body)] if self.unlike is not None else []
        self._offer = _offer_of(prototype.client_hello) if prototype.client_hello is not None else ()
        self._stretches: list[tuple[_Stretch, bytes]] = []
        short: list[tuple[int, slice]] = []
        for side, parts in enumerate((client, server)):
            for part in parts:
                for piece in self._cut(side, part):
                    if piece.stop - piece.start < _SHORT:
                        short.append((side, piece))
                    else:
                        self._stretches.append((self._stretch(side, piece), self._streams[side][piece]))
        self._short = self._places(short)
        self._short_bytes = np.frombuffer(b"".join([self._streams[side][part] for side, part in short]), np.uint8)
        self._watched: _Places | None = None
        self.went_on = False
        """With data both ways: those whose connections are still open are over for us too."""
        self.settled_by = -1
        """The segment by which it shows that they completed, if the client did not close before; -1: they did anyhow."""

    @property
    def name(self) -> slice | None:
        """Where the name asked for is in what is kept; None where it is the prototype's."""
        return self.columns.get((0, _SERVER_NAME))

    def asking_for(self, name: str | None) -> ClientHello | None:
        """The prototype's ClientHello, or the same of a client that asked for another name."""
        hello, how = self.prototype.client_hello, self.model.client_hello
        if hello is None or hello.server_name == name or not isinstance(how, Template):
            return hello
        values = list(how.values)
        values[_SERVER_NAME] = name
        return ClientHello(*values)

    @property
    def client_random(self) -> slice | None:
        """Where the ClientHello's random is in what is kept."""
        return self.columns.get((0, _RANDOM))

    def watch(self, opaque: tuple[tuple[int, int, int], ...]) -> None:
        """Note (direction, place, length) of encrypted records that would be read otherwise if they began as a hello does."""
        if opaque:
            self._watched = self._places([(side, slice(at + 4, at + 5)) for side, at, length in opaque if length > 4])

    def read_hellos(self, data: U8, begins: I64, like: Bools, kept: U8) -> Hellos:
        """The ClientHellos of those that are ``like``, each with its body; who offers something else is it no longer."""
        how, result = self.unlike, Hellos()
        if how is None:
            return result
        answered = self.columns.get((1, _SESSION_ID))
        flows = np.flatnonzero(like)
        for flow, payloads in zip(flows.tolist(), begins[flows].tolist(), strict=True):
            body = b"".join([piece.cut(data, payloads) for piece in self._body])
            hello = read_unlike(body, how)
            session = kept[flow, answered].tobytes() if answered is not None else b""
            if hello is None or _offer_of(hello) != self._offer or (hello.session_id == session) != self.model.same_session:
                like[flow] = False
            else:
                result.append((hello, body))
        return result

    def find_like(self, data: U8, begins: I64) -> tuple[Bools, U8]:
        """Which flows of its pattern are of this kind, and of all of them the bytes that are kept; ClientHellos of their own still have to
        be read."""
        parts = [self._find_like(data, begins[at : at + _AT_ONCE]) for at in range(0, len(begins), _AT_ONCE)]
        return np.concatenate([like for like, _ in parts]), np.concatenate([kept for _, kept in parts])

    def _find_like(self, data: U8, begins: I64) -> tuple[Bools, U8]:
        like: Bools = (self._short.gather(data, begins) == self._short_bytes).all(axis=1)
        for stretch, wanted in self._stretches:
            like &= stretch.holds(wanted, data, begins)
        if self._watched is not None:
            like &= (self._watched.gather(data, begins) != 3).all(axis=1)  # the first byte of its version
        pieces = [piece.gather(data, begins).view(np.uint8).reshape(len(begins), -1) for piece in self._kept]
        kept = np.concatenate([np.zeros((len(begins), 0), np.uint8), *pieces], axis=1)
        random = self.columns.get((1, _RANDOM))
        if random is not None:
            like &= (kept[:, random] != _HELLO_RETRY).any(axis=1)
            like &= self._same_sentinel(kept[:, random])
        if self.name is not None:
            like &= _IS_PLAIN[kept[:, self.name]].all(axis=1)
        if self.unlike is None:
            like &= self._same_session(kept) == self.model.same_session
        return like, kept

    def _same_session(self, kept: U8) -> Bools:
        asked, answered = self.columns.get((0, _SESSION_ID)), self.columns.get((1, _SESSION_ID))
        same = self.model.same_session
        if asked is None or answered is None:
            return np.full(len(kept), same if asked is None and answered is None else not same)
        if asked.stop - asked.start != answered.stop - answered.start:
            return np.full(len(kept), False)
        result: Bools = (kept[:, asked] == kept[:, answered]).all(axis=1)
        return result

    def _same_sentinel(self, randoms: U8) -> Bools:
        """A server that could do better says so in its random."""
        answer = self.prototype.server_hello
        if answer is None or answer.downgrade_sentinel is None:
            without: Bools = (randoms[:, 24:31] != _SENTINEL).any(axis=1)
            return without
        same: Bools = (randoms[:, 24:] == np.frombuffer(answer.random[24:], np.uint8)).all(axis=1)
        return same

    def streams(self, kept: U8, body: bytes = b"") -> tuple[bytes, bytes]:
        """Both directions with these kept bytes, and the body of the ClientHello where each has its own. What is free and says nothing is
        that of the prototype."""
        streams = [bytearray(stream) for stream in self._streams]
        if self.unlike is not None:
            streams[0][self.unlike.body] = body
        at = 0
        for side, _, part in self._filled:
            size = part.stop - part.start
            streams[side][part] = kept[at : at + size].tobytes()
            at += size
        return bytes(streams[0]), bytes(streams[1])

    def _place(self, side: int, at: int) -> tuple[int, int]:
        ends = self._ends[side]
        index = next(index for index, end in enumerate(ends) if at < end)
        return (len(self._ends[0]) if side else 0) + index, at - (ends[index - 1] if index else 0)

    def _cut(self, side: int, part: slice) -> Iterator[slice]:
        """A part of a direction, cut where its segments end."""
        cuts = [part.start, *(end for end in self._ends[side] if part.start < end < part.stop), part.stop]
        for begin, end in pairwise(cuts):
            yield slice(begin, end)

    def _stretch(self, side: int, piece: slice) -> _Stretch:
        """A piece that lies in one segment."""
        return _Stretch(*self._place(side, piece.start), piece.stop - piece.start)

    def _places(self, parts: list[tuple[int, slice]]) -> _Places:
        segments, offsets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for side, part in parts:
            for piece in self._cut(side, part):
                size = piece.stop - piece.start
                segment, offset = self._place(side, piece.start) if size else (0, 0)
                segments.append(np.full(size, segment, np.int64))
                offsets.append(np.arange(offset, offset + size))
        return _Places(np.concatenate(segments), np.concatenate(offsets))
