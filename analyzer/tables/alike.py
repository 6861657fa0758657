"""Rows of handshakes that stayed columns: of each kind one is made a row, of the others the columns that differ.

What decides a row is the same for all of a kind (``handshakes.herds``), but for addresses, frames, times and counters; and notes on
certificates depend on the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.handshakes.facts import find_ends
from analyzer.handshakes.herds import Herd, Kind, Part
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello
from analyzer.schema import HANDSHAKES, AlikeRow, Pattern
from analyzer.tables.rows import community_id, handshake_row, last_of_handshake, offer_columns

__all__ = ["AlikeRows"]

I64 = npt.NDArray[np.int64]

_DAY = 86_400_000_000_000
_PATTERNS = 1_024
"""Patterns remembered; then all are forgotten."""

_MESSAGES = "messages"

_Key = tuple[Kind, int, int]
"""Kind, day, capture."""


class AlikeRows:
    """Makes them. ``fields``: the columns that are wanted; None: all. ``judge`` gives a handshake its notes."""

    def __init__(self, captures: list[str], fields: Sequence[str] | None, judge: Callable[[list[Handshake]], list[Handshake]]) -> None:
        self._captures, self._judge = captures, judge
        wanted = {column.name for column in HANDSHAKES} if fields is None else set(fields)
        self._differs = [name for name in _COLUMNS if name in wanted]
        self._lists = _MESSAGES in wanted
        self._patterns: dict[_Key, tuple[Pattern, int]] = {}

    def rows(self, herd: Herd, members: I64) -> Iterator[AlikeRow]:
        """Of these members, none of which is anything but completed."""
        c = herd.columns
        which, names = herd.names()
        hellos = herd.hellos()
        for part in herd.parts(members):
            of = part.members
            keys = np.stack([c["first_seen"][of] // _DAY, c["capture"][of]])
            order = np.lexsort(keys)
            begins = np.flatnonzero((keys[:, order[1:]] != keys[:, order[:-1]]).any(axis=0)) + 1
            for here in np.split(order, begins):
                chosen = Part(part.kind, of[here], part.frames[here], part.times[here])
                asked = [names[name] for name in which[of[here]].tolist()]
                own = [hellos[member] for member in of[here].tolist()] if part.kind.unlike is not None else []
                day, capture = keys[:, here[0]].tolist()
                yield from self._rows(herd, chosen, _Asked(asked, own), (part.kind, day, capture))

    def _rows(self, herd: Herd, part: Part, asked: _Asked, key: _Key) -> Iterator[AlikeRow]:
        pattern, last = self._pattern(herd, part, key)
        columns = _Columns(herd, part, asked, last)
        values = [_COLUMNS[name](columns) for name in pattern.differs]
        if self._lists:
            values += columns.message_frames()
        number = herd.columns["number"][part.members].tolist()
        return map(AlikeRow, [pattern] * len(number), number, zip(*values, strict=True) if values else [()] * len(number))

    def _pattern(self, herd: Herd, part: Part, key: _Key) -> tuple[Pattern, int]:
        """What the rows of these share, and the place of the message that ended their handshakes."""
        known = self._patterns.get(key)
        if known is None:
            if len(self._patterns) >= _PATTERNS:
                self._patterns.clear()
            (handshake,) = self._judge(herd.make(part.members[:1]))
            row = handshake_row(handshake, self._captures)
            texts = [text.rpartition("@")[0] + "@" for text in row[_MESSAGES]]
            same = _OFFER if part.kind.unlike is None else ()
            differs = [name for name in self._differs if name not in same or (name == "server_name" and part.kind.name is not None)]
            pattern = Pattern(row, differs, *((_MESSAGES, texts) if self._lists else ()))
            known = self._patterns[key] = pattern, last_of_handshake(handshake)
        return known


class _Asked(NamedTuple):
    """What the members of a part asked for."""

    names: list[str | None]
    hellos: list[ClientHello]
    """Empty where they differ in no more than names and random bytes."""


class _Columns:
    """The values that differ, as lists with one for each member."""

    def __init__(self, herd: Herd, part: Part, asked: _Asked, last: int) -> None:
        self._names, segments = asked.names, part.kind.prototype.client_hello_segments
        self._offers = [offer_columns(hello, hello, segments) for hello in asked.hellos]
        self._columns, self._part, self._model = herd.columns, part, part.kind.model
        self._last = last
        self._ends: tuple[list[Any], ...] | None = None

    def fact(self, name: str) -> list[Any]:
        """A column of the table of flows."""
        result: list[Any] = self._columns[name][self._part.members].tolist()
        return result

    def end(self, which: int) -> list[Any]:
        """Client's address and port, server's address and port."""
        if self._ends is None:
            c, members = self._columns, self._part.members
            client = c["client"][members].astype(np.int64)
            taken = {name: c[name][members] for name in ("source_high", "source_low", "source_port", "ip_version")}
            taken |= {name: c[name][members] for name in ("destination_high", "destination_low", "destination_port")}
            self._ends = (*find_ends(taken, client == 0), *find_ends(taken, client != 0))
        return self._ends[which]

    def offer(self, name: str) -> list[Any]:
        """A column of what was offered."""
        return [offer[name] for offer in self._offers] if self._offers else self._names

    def community_ids(self) -> list[str]:
        return list(map(community_id, *map(self.end, range(4))))

    def filters(self) -> list[str]:
        return [f"tcp.stream == {stream}" for stream in self.fact("stream")]

    def connect(self) -> list[float | None]:
        c, members = self._columns, self._part.members
        return _milliseconds(c["syn_time"][members], c["syn_ack_time"][members])

    def until(self, segment: int) -> list[float | None]:
        """From the ClientHello to this segment."""
        begin = self._model.segment_of("client_hello_time")
        if begin < 0 or segment < 0:
            return [None] * len(self._part.members)
        return _milliseconds(self._part.times[:, begin], self._part.times[:, segment])

    def hello(self) -> list[float | None]:
        return self.until(self._model.segment_of("server_hello_time"))

    def handshake(self) -> list[float | None]:
        return self.until(self._model.messages[self._last][0] if self._last >= 0 else -1)

    def message_frames(self) -> list[list[int]]:
        """Of each message the frames in which it ended."""
        return [self._part.frames[:, segment].tolist() for segment, *_ in self._model.messages]


def _milliseconds(begin: I64, end: I64) -> list[float | None]:
    """As ``rows`` has them; None where one of the two was not seen."""
    took: list[float | None] = ((end - begin) / 1e6).tolist()
    unknown = (begin == 0) | (end == 0) | (end < begin)
    for place in np.flatnonzero(unknown).tolist():
        took[place] = None
    return took


def _fact(name: str) -> Callable[[_Columns], list[Any]]:
    return lambda columns: columns.fact(name)


def _end(which: int) -> Callable[[_Columns], list[Any]]:
    return lambda columns: columns.end(which)


def _offer(name: str) -> Callable[[_Columns], list[Any]]:
    return lambda columns: columns.offer(name)


_OFFER = ("server_name", "supported_versions", "cipher_suites", "named_groups", "key_shares", "ja3", "ja4")
"""What a client that draws GREASE anew and shuffles its extensions offers otherwise each time."""

_COLUMNS: dict[str, Callable[[_Columns], list[Any]]] = {
    "flow_id": _fact("number"),
    "stream": _fact("stream"),
    "first_frame": _fact("first_frame"),
    "last_frame": _fact("last_frame"),
    "first_seen": _fact("first_seen"),
    "last_seen": _fact("last_seen"),
    "client_address": _end(0),
    "client_port": _end(1),
    "server_address": _end(2),
    "server_port": _end(3),
    **{name: _offer(name) for name in _OFFER},
    "community_id": _Columns.community_ids,
    "wireshark_filter": _Columns.filters,
    "connect_ms": _Columns.connect,
    "hello_ms": _Columns.hello,
    "handshake_ms": _Columns.handshake,
    "retransmissions": _fact("retransmissions"),
    "out_of_order": _fact("out_of_order"),
}
"""Every column that may differ between handshakes of a kind, but for the messages."""
