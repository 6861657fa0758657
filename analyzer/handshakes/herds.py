"""Completed handshakes that are alike, kept as columns: one is read, of the others only what differs.

Where nobody asks for each completed handshake (``Options.completed``), most of them need not become Python objects. Of the
connections of a batch that came whole and in order, and closed or went on to data both ways, those whose segments form the same
pattern are laid beside each other; the first of them is read, and if it shows that its like completed, all those whose bytes are the
same but for the free ones (``alike``) are in its ``Herd``: a row of frames, of times and of the few free bytes that say something.
Whoever needs one after all (a late segment, a rule) has it made, the same as it would have been read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from analyzer.handshakes.alike import Unlike, make_alike, model_of
from analyzer.handshakes.assemble import read_whole
from analyzer.handshakes.facts import flows_of
from analyzer.handshakes.flight import Flight
from analyzer.handshakes.kinds import Hellos, Kind
from analyzer.handshakes.stage import stage_of
from analyzer.model.handshake import Flow, Handshake, Stage
from analyzer.model.hello import ClientHello

__all__ = ["Herd", "Herds", "Kind", "Part", "Sides"]

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_FEW = 4
"""With fewer of a pattern in a batch it is not worth to read one for the others."""
_TRIES = 4
"""Handshakes of a pattern that are read in a batch to find others like them."""
_IN_VAIN = 3
"""Tries of a pattern of which nothing came after which it is left alone."""
_WORTH, _CREDIT = 8, 2_048
"""Members that each handshake read has to bring, on the whole, once those read first have used up what was lent to them: where
no two are alike, reading some twice must not cost much."""
_KINDS, _KINDS_OF_PATTERN = 1_024, 8
"""Kinds remembered; then all are forgotten (those of whom some are held stay alive with them). Of one pattern the latest."""
_TLS12 = 0x0303
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))


class Sides(Protocol):
    """Columns of segments with payload, each flow's client first, then its server, each in the order they came (``whole``)."""

    counts: I64
    flow_begins: I64
    middle: I64
    offset: I64
    length: npt.NDArray[Any]
    frame: I64
    timestamp: I64
    by_server: Bools
    from_server: Bools
    run_ends: npt.NDArray[np.uint32]


@dataclass(slots=True, eq=False, repr=False)
class _Pen:
    """Those of one kind that came in one batch; rows are members."""

    kind: Kind
    frames: I64
    times: I64
    kept: U8
    hellos: Hellos
    left: int
    """Members that were not let out yet."""

    def cut(self, places: I64, part: slice | None) -> list[bytes]:
        """This part of what is kept, of each of these; nothing where there is none."""
        if part is None:
            return [b""] * len(places)
        size = part.stop - part.start
        joined = self.kept[places, part].tobytes()
        return [joined[begin * size : (begin + 1) * size] for begin in range(len(places))]


class Part(NamedTuple):
    """Members of a herd that are of one kind."""

    kind: Kind
    members: I64
    frames: I64
    """(member, segment), the client's segments first."""
    times: I64


class Herd:
    """Handshakes that are over and alike to others, in the order of their first packets. Every column has one value a member."""

    def __init__(self, columns: dict[str, npt.NDArray[Any]], kinds: list[Kind], kind: I64, pens: list[_Pen], pen: I64, place: I64) -> None:
        self.columns = columns
        """Of the table of flows."""
        self.kinds, self.kind = kinds, kind
        """What kinds there are, and which of them each is."""
        self._pens, self._pen, self._place = pens, pen, place

    def __len__(self) -> int:
        return len(self.kind)

    def randoms(self) -> list[bytes]:
        """Of each member's ClientHello."""
        result: list[bytes] = [b""] * len(self)
        for pen, members, places in self._by_pen():
            if pen.hellos:
                found = [pen.hellos[place][0].random for place in places.tolist()]
            else:
                found = pen.cut(places, pen.kind.client_random)
            for member, random in zip(members.tolist(), found, strict=True):
                result[member] = random
        return result

    def hellos(self) -> dict[int, ClientHello]:
        """ClientHellos, by member, of those that each have their own."""
        result: dict[int, ClientHello] = {}
        for pen, members, places in self._by_pen():
            if pen.hellos:
                result.update((member, pen.hellos[place][0]) for member, place in zip(members.tolist(), places.tolist(), strict=True))
        return result

    def names(self) -> tuple[I64, list[str | None]]:
        """Of each member which of these names its ClientHello asks for."""
        which = np.zeros(len(self), np.int64)
        known: dict[str | None, int] = {}
        for pen, members, places in self._by_pen():
            at, hello = pen.kind.name, pen.kind.prototype.client_hello
            if pen.hellos:
                which[members] = [known.setdefault(pen.hellos[place][0].server_name, len(known)) for place in places.tolist()]
            elif at is None:
                which[members] = known.setdefault(hello.server_name if hello is not None else None, len(known))
            else:
                which[members] = [known.setdefault(name.decode("ascii"), len(known)) for name in pen.cut(places, at)]
        return which, list(known)

    def _by_pen(self) -> Iterator[tuple[_Pen, I64, I64]]:
        """Each pen, its members, and their places in it."""
        for number, pen in enumerate(self._pens):
            members = np.flatnonzero(self._pen == number)
            yield pen, members, self._place[members]

    def test_randoms(self, test: Callable[[bytes, int], bool]) -> Bools:
        """Of each member what ``test`` says of its ClientHello's random, and the time of its first packet."""
        return np.fromiter(map(test, self.randoms(), self.columns["first_seen"].tolist()), np.bool_, len(self))

    def parts(self, members: I64) -> Iterator[Part]:
        """These members, those of one kind that came together at a time."""
        pens = self._pen[members]
        for number in dict.fromkeys(pens.tolist()):
            pen = self._pens[number]
            of_pen = members[pens == number]
            place = self._place[of_pen]
            yield Part(pen.kind, of_pen, pen.frames[place], pen.times[place])

    def make(self, members: I64) -> list[Handshake]:
        """These members as they would have been read."""
        flows = flows_of({name: column[members] for name, column in self.columns.items()})
        return [
            _make(self._pens[pen], place, flow)
            for pen, place, flow in zip(self._pen[members].tolist(), self._place[members].tolist(), flows, strict=True)
        ]


def _make(pen: _Pen, place: int, flow: Flow) -> Handshake:
    kind = pen.kind
    hello, body = pen.hellos[place] if pen.hellos else (None, b"")
    client, server = kind.streams(pen.kept[place], body)
    made = make_alike(kind.model, flow, client, server, pen.frames[place].tolist(), pen.times[place].tolist(), [], hello)
    if made is None:
        raise AssertionError("what was found alike cannot be made")
    return made


class Herds:
    """Takes in the connections of a batch that are alike, and lets them out when they are over.

    ``settled_by`` tells of a handshake the frame by which it shows that it completed, and that all those alike did whose client had not
    closed by then; 0 where they did whatever became of their connections, None where it is not as simple.
    """

    def __init__(self, settled_by: Callable[[Handshake], int | None]) -> None:
        self._settled_by = settled_by
        self._kinds: dict[bytes, list[Kind]] = {}
        self._remembered = 0
        self._in_vain: dict[bytes, int] = {}
        self._read_so_far = self._gained = 0
        self._pens: dict[int, _Pen] = {}
        self._next = 0

    def take_in(self, sides: Sides, flows: I64, columns: dict[str, npt.NDArray[Any]], rows: I64, closed: Bools, data: U8) -> I64:
        """Of these flows (indices in ``rows``; ``closed``: those that are) the ones that are held from now on; their columns ``herd`` and
        ``place`` say where."""
        taken = [np.zeros(0, np.int64)]
        if len(flows) >= _FEW:
            for members in _same_pattern(sides, flows):
                taken += self._sort_out(sides, members, columns, rows, closed, data)
        return np.concatenate(taken)

    def restore(self, columns: dict[str, npt.NDArray[Any]], row: int) -> Flight:
        """The flow of this row is to be followed after all: what it sent, as far as it says something."""
        pen = self._pens[int(columns["herd"][row])]
        place = int(columns["place"][row])
        self._let_out(columns, np.array([row]))
        client, server = pen.kind.streams(pen.kept[place], pen.hellos[place][1] if pen.hellos else b"")
        before = pen.kind.flight
        frames, times = pen.frames[place].tolist(), pen.times[place].tolist()
        middle = len(before.client[2])
        who = int(columns["client"][row])
        asked, answered = ((int(columns["base"][row, side]) + 1) & 0xFFFFFFFF for side in (who, 1 - who))
        return Flight(
            (client, asked, before.client[2], frames[:middle], times[:middle]),
            (server, answered, before.server[2], frames[middle:], times[middle:]),
            before.pattern,
        )

    def release(self, columns: dict[str, npt.NDArray[Any]], rows: I64) -> Herd | None:
        """Let out the flows of these rows, all of which are held; None where there are none. They come in the order of their numbers."""
        if not len(rows):
            return None
        rows = rows[np.argsort(columns["number"][rows], kind="stable")]
        names, pen = np.unique(columns["herd"][rows], return_inverse=True)
        pens = [self._pens[name] for name in names.tolist()]
        kinds = list(dict.fromkeys(each.kind for each in pens))
        kind = np.array([kinds.index(each.kind) for each in pens], np.int64)[pen]
        herd = Herd({name: column[rows] for name, column in columns.items()}, kinds, kind, pens, pen, columns["place"][rows].copy())
        self._let_out(columns, rows)
        return herd

    def _let_out(self, columns: dict[str, npt.NDArray[Any]], rows: I64) -> None:
        for name, count in zip(*(part.tolist() for part in np.unique(columns["herd"][rows], return_counts=True)), strict=True):
            self._pens[name].left -= count
            if not self._pens[name].left:
                del self._pens[name]
        columns["herd"][rows] = -1

    def _sort_out(self, sides: Sides, members: I64, columns: dict[str, npt.NDArray[Any]], rows: I64, closed: Bools, data: U8) -> list[I64]:
        """Put members of one pattern into pens by their kinds. Gives those put away."""
        at = sides.flow_begins[members][:, None] + np.arange(sides.counts[members[0]])
        begins = sides.offset[at]
        pattern = sides.from_server[at[0]].tobytes() + sides.run_ends[at[0]].tobytes()
        tries = min(_TRIES, _IN_VAIN - self._in_vain.get(pattern, 0))
        known = list(self._kinds.get(pattern, ()))
        taken: list[I64] = []
        while len(members) >= _FEW and (known or tries > 0):
            if known:
                kind = known.pop()
            elif self._read_so_far * _WORTH > self._gained + _CREDIT:
                break
            else:
                tries -= 1
                read = self._read(sides, members[0], at[0], pattern, columns, rows, data)
                if read is None:
                    members, at, begins = members[1:], at[1:], begins[1:]
                    continue
                kind = read
            like, kept = kind.find_like(data, begins)
            if not kind.went_on:
                like &= closed[members]
            if kind.settled_by >= 0:
                like &= sides.frame[at[:, kind.settled_by]] < _client_closed(columns, rows[members])
            hellos = kind.read_hellos(data, begins, like, kept)
            count = int(np.count_nonzero(like))
            if count < 2:
                members, at, begins = members[~like], at[~like], begins[~like]
                continue
            self._in_vain.pop(pattern, None)
            self._gained += count
            of_table = rows[members[like]]
            columns["herd"][of_table], columns["place"][of_table] = self._next, np.arange(count)
            self._pens[self._next] = _Pen(kind, sides.frame[at[like]], sides.timestamp[at[like]], kept[like], hellos, count)
            self._next += 1
            taken.append(members[like])
            members, at, begins = members[~like], at[~like], begins[~like]
        return taken

    def _read(
        self, sides: Sides, index: int, at: I64, pattern: bytes, columns: dict[str, npt.NDArray[Any]], rows: I64, data: U8
    ) -> Kind | None:
        """The kind of one flow; None where its like may be anything."""
        self._read_so_far += 1
        if len(self._in_vain) >= _KINDS:
            self._in_vain.clear()
        self._in_vain[pattern] = self._in_vain.get(pattern, 0) + 1
        flight = _flight_of(sides, index, at, pattern, data)
        row = rows[index : index + 1]
        flow = flows_of({name: column[row] for name, column in columns.items()})[0]
        whole = read_whole(flow, flight)
        if whole is None:
            return None  # where its messages are, and what in them is free, is told of ordinary ones only
        handshake, went_on = whole
        handshake.stage = stage_of(handshake, went_on, lambda: None)
        made = model_of(handshake, flight, any_hello=self._in_vain[pattern] > 1)
        settled = self._settled_by(handshake)
        if made is None or settled is None:
            return None
        if isinstance(made[2].client_hello, Unlike) and (handshake.selected_version or 0) < _TLS12:
            return None  # whether the client could do better is told by what it offered
        (client, server), opaque, model = made
        kind = Kind(handshake, flight, model, client, server)
        kind.watch(opaque)
        kind.went_on = _went_on(handshake)
        if settled:
            kind.settled_by = (flight.client[3] + flight.server[3]).index(settled)
        if self._remembered >= _KINDS:
            self._kinds.clear()
            self._remembered = 0
        kinds = self._kinds.setdefault(pattern, [])
        kinds.append(kind)
        del kinds[:-_KINDS_OF_PATTERN]
        self._remembered += 1
        return kind


def _went_on(handshake: Handshake) -> bool:
    """Whether both sides sent data: nothing that may come later is about the handshake."""
    return handshake.stage == Stage.ESTABLISHED and min(handshake.client_application_records, handshake.server_application_records) > 0


def _client_closed(columns: dict[str, npt.NDArray[Any]], rows: I64) -> I64:
    """Frame in which each flow's client closed, or somebody did in its name; beyond all where none did."""
    ends = np.stack([columns["fin_frame"][rows, columns["client"][rows]], columns["rst_frame"][rows, columns["client"][rows]]])
    result: I64 = np.where(ends > 0, ends, np.iinfo(np.int64).max).min(axis=0)
    return result


def _same_pattern(sides: Sides, flows: I64) -> Iterator[I64]:
    """Those of ``flows`` that sent segments of the same lengths in the same order, at least a few."""
    tokens = sides.run_ends.astype(np.uint64) << np.uint64(2)
    tokens |= sides.by_server.astype(np.uint64) << np.uint64(1)
    tokens |= sides.from_server
    rank = (np.arange(len(tokens)) - np.repeat(sides.flow_begins, sides.counts)).astype(np.uint64)
    mixed = (tokens + (rank + np.uint64(1)) * _MIX[0]) * _MIX[1]
    mixed ^= mixed >> np.uint64(29)
    sums = np.add.reduceat(mixed, sides.flow_begins)[flows]
    order = np.argsort(sums, kind="stable")
    flows, sums = flows[order], sums[order]
    cuts = np.flatnonzero(np.concatenate([[True], sums[1:] != sums[:-1], [True]]))
    many = np.flatnonzero(np.diff(cuts) >= _FEW)
    for begin, end in zip(cuts[many].tolist(), cuts[many + 1].tolist(), strict=True):
        members = flows[begin:end]
        members = members[sides.counts[members] == sides.counts[members[0]]]
        at = sides.flow_begins[members][:, None] + np.arange(sides.counts[members[0]])
        yield members[(tokens[at] == tokens[at[0]]).all(axis=1)]


def _flight_of(sides: Sides, index: int, at: I64, pattern: bytes, data: U8) -> Flight:
    middle = int(sides.middle[index] - sides.flow_begins[index])
    runs = []
    for part in (at[:middle], at[middle:]):
        ends = sides.run_ends[part].tolist()
        begins = sides.offset[part].tolist()
        sizes = [end - before for before, end in pairwise([0, *ends])]
        joined = b"".join([data[begin : begin + size].tobytes() for begin, size in zip(begins, sizes, strict=True)])
        runs.append((joined, 0, ends, sides.frame[part].tolist(), sides.timestamp[part].tolist()))
    return Flight(runs[0], runs[1], pattern)
