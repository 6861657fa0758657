"""What herds teach: of many handshakes alike at once what ``Context.learn`` takes from one.

Counters take them by groups. What remembers single attempts (the latest of a client or a server, who began in the same half second,
whose ClientHello was seen before) is bounded, so of a herd only those are made attempts that would still be remembered at its end. All
are gone through in the order of their numbers, the handshakes of the same step among them, so that what is remembered is the
same as if each had been learned by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.diagnosis.closing import said_nothing, settle
from analyzer.diagnosis.context import HALF_SECOND, STARTS, Context
from analyzer.diagnosis.oddities import SLOW
from analyzer.diagnosis.profiles import RECENT, Attempt
from analyzer.handshakes.facts import name_address
from analyzer.handshakes.herds import Herd
from analyzer.model.handshake import Handshake

__all__ = ["find_odd_members", "learn_herds"]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Group(NamedTuple):
    """Members of one kind at one server, as its profile takes them in."""

    prototype: Handshake
    name: str | None
    """That they ask for, whatever the prototype asks for."""
    server: tuple[str, int]
    ttl: int
    size: int
    clients: list[str]
    connects: int
    """Of how many both SYNs were seen."""
    fastest: int
    """Their shortest SYN to SYN-ACK, ns; 0: none took any time."""


def learn_herds(context: Context, herds: Iterable[Herd], handshakes: Iterable[Handshake]) -> None:
    """Learn from herds, and from the handshakes that ended in the same step."""
    learned = [Learned(herd) for herd in herds]
    todo: list[tuple[int, Learned | None, Any]] = [(h.flow.number, None, h) for h in handshakes]
    for each in learned:
        for group in each.groups:
            context.note_group(group)
        each.note_captures(context)
        todo += each.single()
    todo.sort(key=itemgetter(0))
    numbers = [number for number, _, _ in todo]
    ends = [np.searchsorted(each.number, numbers, "right").tolist() for each in learned]
    for place, (_, of_herd, what) in enumerate(todo):
        if of_herd is not None:
            member, attempt = what
            context.remember_attempt(attempt, answered=True)
            of_herd.learn_chain(context, member)
            continue
        for each, before in zip(learned, ends, strict=True):
            if before[place] > each.told:
                each.remember_randoms(context, before[place])
        context.learn(what)
    for each in learned:
        each.remember_randoms(context, len(each.number))
        each.let_go()


def find_odd_members(herd: Herd, context: Context) -> Bools:
    """Which members of a herd already learned may have an oddity that their prototype lacks: what is told by their own times, counters
    and neighbours. What is told by messages is the same for all of a kind."""
    c = herd.columns
    odd = (c["duplicates"] > 0) | (c["truncated"] > 0) | (c["tunnel"] > 0) | herd.test_randoms(context.may_have_twin)
    if not context.in_order:
        odd[:] = True
    most = context.longest_segment
    for part in herd.parts(np.arange(len(herd))):
        members, prototype = part.members, part.kind.prototype
        asked, answered = (part.kind.model.segment_of(name) for name in ("client_hello_time", "server_hello_time"))
        if asked >= 0 and answered >= 0:
            odd[members] |= part.times[:, answered] - part.times[:, asked] >= SLOW
        client = c["client"][members]
        longest = max([message.length for message in prototype.messages] + [h.length for h in (prototype.client_hello,) if h is not None])
        mine, theirs = c["mss"][members, client].astype(np.int64), c["mss"][members, 1 - client].astype(np.int64)
        mss = np.where(mine > 0, mine, theirs)
        allowed = np.where((mss > theirs) & (theirs > 0), theirs, mss)  # as ``oddities`` has it
        odd[members] |= (allowed > 0) & (allowed < longest) & (allowed < most if most > 0 else np.True_)
    return odd


class Learned:
    """A herd as neighbours see it. It is held as long as one of its ClientHellos is remembered: as columns."""

    def __init__(self, herd: Herd) -> None:
        c = herd.columns
        client = c["client"].astype(np.int64)
        self.herd: Herd | None = herd
        self.number = c["number"]
        self._kind = herd.kind
        self._kinds = herd.kinds
        self._prototypes = [kind.prototype for kind in herd.kinds]
        self._name, self._names = herd.names()
        self._hellos = herd.hellos()
        self._left = _find_left(herd)
        self._clients = _Addresses(c, client == 0)
        self._servers = _Addresses(c, client != 0)
        self._port = np.where(client == 0, c["destination_port"], c["source_port"]).astype(np.int64)
        self._flow = {name: c[name] for name in ("first_seen", "last_seen", "capture", "stream", "syn_ack_frame")}
        self._frames = c["frames"].sum(axis=1)
        self._rsts, self._rst_time = c["rsts"], c["rst_time"]
        self._client = client
        self._randoms = herd.randoms()
        self.groups = list(self._group(c, np.arange(len(herd))))
        self._shows_chain = self._show_chains()
        self.told = 0
        """So many members' ClientHellos were remembered."""

    def attempt(self, member: int) -> Attempt:
        """What is remembered of one."""
        return next(self._attempts(np.array([member])))

    def _attempts(self, members: I64) -> Iterator[Attempt]:
        flow, client = self._flow, self._client[members]
        columns = (
            self._kind[members], self._name[members], flow["first_seen"][members], flow["capture"][members], flow["stream"][members],
            self._port[members], self._rsts[members, 1 - client], self._rsts[members, client], self._frames[members],
            self._rst_time[members, 1 - client], self._left[members],
        )  # fmt: skip
        ends = zip(self._clients.names(members), self._servers.names(members), strict=True)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for member, (mine, theirs), (
            kind,
            name,
            first_seen,
            capture,
            stream,
            port,
            server_rsts,
            client_rsts,
            frames,
            rst_time,
            left,
        ) in zip(members.tolist(), ends, rows, strict=True):
            h = self._prototypes[kind]
            hello = self._hellos.get(member) or self._kinds[kind].asking_for(self._names[name])
            yield Attempt(
                first_seen, capture, stream, mine, theirs, port, h.stage, h.outcome, h.aborted_by, None, hello, h.server_hello,
                server_rsts, client_rsts, h.client_hello_segments, frames, None, rst_time, left,
            )  # fmt: skip

    def note_captures(self, context: Context) -> None:
        """How many flows each capture has, and from when to when."""
        flow = self._flow
        for capture in sorted(set(flow["capture"].tolist())):  # np.unique would load numpy.ma for it
            here = flow["capture"] == capture
            context.note_flows(
                capture,
                int(flow["first_seen"][here].min()),
                int(flow["last_seen"][here].max()),
                int(np.count_nonzero(here)),
                int(np.count_nonzero(flow["syn_ack_frame"][here])),
            )

    def single(self) -> Iterator[tuple[int, Learned, tuple[int, Attempt]]]:
        """(number, itself, (member, what is remembered of it)) of those that are learned one by one: the latest of a client, server or
        name, the first of their half second, and those that may show a chain for the first time."""
        members = np.flatnonzero(self._want() | self._shows_chain)
        told = zip(members.tolist(), self._attempts(members), strict=True)
        return zip(self.number[members].tolist(), repeat(self), told, strict=False)

    def remember_randoms(self, context: Context, end: int) -> None:
        """Have the ClientHellos remembered of the members up to there."""
        context.remember_randoms(self._randoms[self.told : end], self, self.told)
        self.told = end

    def learn_chain(self, context: Context, member: int) -> None:
        """Let one teach its certificates, where it is the first of its kind."""
        if not self._shows_chain[member] or self.herd is None:
            return
        prototype = self._prototypes[self._kind[member]]
        if prototype.client_certificates or not context.chains.knows(prototype, self._names[self._name[member]]):
            made = self.herd.make(np.array([member]))[0]
            settle(made)
            context.chains.learn(made)

    def let_go(self) -> None:
        """Nothing more is learned: what is only needed for it goes."""
        self.herd, self._randoms, self.groups = None, [], []

    def _group(self, c: dict[str, npt.NDArray[Any]], at: I64) -> Iterator[Group]:
        other = 1 - self._client
        syn, syn_ack, reset = c["syn_frame"], c["syn_ack_frame"], c["rst_frame"][at, other]
        own = ~((reset > 0) & (reset < np.where(syn_ack > 0, syn_ack, c["last_frame"])))
        ttl = np.where(own, c["ttl"][at, other], 0).astype(np.int64)
        both = (syn > 0) & (syn_ack > 0)
        took = np.maximum(0, c["syn_ack_time"] - c["syn_time"])
        keys = (self._kind, self._name, self._servers.ids, self._port, ttl)
        order = np.lexsort(keys)
        new = np.ones(len(order), np.bool_)
        new[1:] = False
        for key in keys:
            new[1:] |= key[order][1:] != key[order][:-1]
        begins = np.flatnonzero(new)
        firsts = order[begins]
        connected = np.add.reduceat(both[order].astype(np.int64), begins)
        never = np.iinfo(np.int64).max
        fastest = np.minimum.reduceat(np.where(both & (took > 0), took, never)[order], begins)
        fastest[fastest == never] = 0
        ends = np.append(begins[1:], len(order))
        columns = (begins, ends, self._kind[firsts], self._name[firsts], self._port[firsts], ttl[firsts], connected, fastest)
        ends_of = zip(self._clients.names(firsts), self._servers.names(firsts), strict=True)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for (client, server), (begin, end, kind, name, port, hops, connects, least) in zip(ends_of, rows, strict=True):
            clients = [client] if end == begin + 1 else self._clients.different(order[begin:end])
            yield Group(self._prototypes[kind], self._names[name], (server, port), hops, end - begin, clients, connects, least)

    def _want(self) -> Bools:
        slot = self._flow["first_seen"] // HALF_SECOND
        server = self._servers.ids * 65_536 + self._port
        return _last(self._clients.ids, RECENT) | _last(server, RECENT) | _last(self._name, RECENT) | _first(slot, STARTS)

    def _show_chains(self) -> Bools:
        """The first of each kind and name with certificates, of those with the client's the first of each client."""
        server = np.array([bool(h.server_certificates or h.client_certificates) for h in self._prototypes], np.bool_)
        client = np.array([bool(h.client_certificates) for h in self._prototypes], np.bool_)
        keys = np.stack([self._kind, self._name, np.where(client[self._kind], 1 + self._clients.ids, 0)])
        order = np.lexsort(keys)
        first = np.ones(len(order), np.bool_)
        first[order[1:]] = (keys[:, order[1:]] != keys[:, order[:-1]]).any(axis=0)
        return first & server[self._kind]


class _Addresses:
    """One end of each member: ``ids`` are equal where addresses are."""

    def __init__(self, c: dict[str, npt.NDArray[Any]], is_source: Bools) -> None:
        self._high = np.where(is_source, c["source_high"], c["destination_high"])
        self._low = np.where(is_source, c["source_low"], c["destination_low"])
        self._version = c["ip_version"]
        if (self._version == 4).all():
            ids = self._low
        else:
            halves = np.stack([self._high, self._low, self._version.astype(np.uint64)], axis=1)
            ids = np.unique(halves, axis=0, return_inverse=True)[1]
        self.ids: I64 = ids.reshape(-1).astype(np.int64)

    def names(self, members: I64) -> list[str]:
        """The addresses of these members."""
        high, low, version = (column[members].tolist() for column in (self._high, self._low, self._version))
        return list(map(name_address, high, low, version))

    def different(self, members: I64) -> list[str]:
        """The same, each once, in the order they come."""
        ids = self.ids[members].tolist()
        first = dict(zip(reversed(ids), reversed(range(len(ids))), strict=True))
        return self.names(members[[first[each] for each in dict.fromkeys(ids)]])


def _find_left(herd: Herd) -> Bools:
    """Whose client closed and had sent no data, as ``closing.left_at_once``."""
    c, members = herd.columns, np.arange(len(herd))
    closed = (c["fin_frame"][members, c["client"]] > 0) | (c["rst_frame"][members, c["client"]] > 0)
    result: Bools = np.array([said_nothing(kind.prototype) for kind in herd.kinds], np.bool_)[herd.kind] & closed
    return result


def _rank(keys: I64) -> tuple[I64, I64]:
    """Of each its place among those with the same key, and how many there are."""
    order = np.argsort(keys, kind="stable")
    new = np.ones(len(keys), np.bool_)
    new[1:] = keys[order][1:] != keys[order][:-1]
    begins = np.flatnonzero(new)
    sizes = np.diff(np.append(begins, len(keys)))
    rank, count = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys)) - np.repeat(begins, sizes)
    count[order] = np.repeat(sizes, sizes)
    return rank, count


def _first(keys: I64, most: int) -> Bools:
    """The first ``most`` of each key."""
    return _rank(keys)[0] < most


def _last(keys: I64, most: int) -> Bools:
    """The last ``most`` of each key."""
    rank, count = _rank(keys)
    return rank >= count - most
