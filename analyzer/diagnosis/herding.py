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

from analyzer.diagnosis.context import HALF_SECOND, STARTS, Context
from analyzer.diagnosis.profiles import RECENT, Attempt
from analyzer.handshakes.facts import name_address
from analyzer.handshakes.herds import Herd
from analyzer.model.handshake import Handshake

__all__ = ["learn_herds"]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Group(NamedTuple):
    """Members of one kind at one server, as its profile takes them in."""

    prototype: Handshake
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
        for each, before in zip(learned, ends, strict=True):
            each.remember_randoms(context, before[place])
        if of_herd is None:
            context.learn(what)
            continue
        context.remember_attempt(of_herd.attempt(what), answered=True)
        of_herd.learn_chain(context, what)
    for each in learned:
        each.remember_randoms(context, len(each.number))
        each.let_go()


class Learned:
    """A herd as neighbours see it. It is held as long as one of its ClientHellos is remembered: as columns."""

    def __init__(self, herd: Herd) -> None:
        c = herd.columns
        client = c["client"].astype(np.int64)
        at = np.arange(len(herd))
        self.herd: Herd | None = herd
        self.number = c["number"]
        self._kind = herd.kind
        self._prototypes = [kind.prototype for kind in herd.kinds]
        self._clients = _Addresses(c, client == 0)
        self._servers = _Addresses(c, client != 0)
        self._port = np.where(client == 0, c["destination_port"], c["source_port"]).astype(np.int64)
        self._flow = {name: c[name] for name in ("first_seen", "last_seen", "capture", "stream", "syn_ack_frame")}
        self._frames = c["frames"].sum(axis=1)
        self._rsts, self._rst_time = c["rsts"], c["rst_time"]
        self._client = client
        self._randoms = herd.randoms()
        self.groups = list(self._group(c, at))
        self._shows_chain = self._show_chains()
        self._told = 0
        """So many members' ClientHellos were remembered."""

    def attempt(self, member: int) -> Attempt:
        """What is remembered of one."""
        h, flow, client = self._prototypes[self._kind[member]], self._flow, int(self._client[member])
        return Attempt(
            int(flow["first_seen"][member]), int(flow["capture"][member]), int(flow["stream"][member]),
            self._clients.name(member), self._servers.name(member), int(self._port[member]), h.stage, h.outcome, h.aborted_by, None,
            h.client_hello, h.server_hello, int(self._rsts[member, 1 - client]), int(self._rsts[member, client]),
            h.client_hello_segments, int(self._frames[member]), None, int(self._rst_time[member, 1 - client]),
        )  # fmt: skip

    def note_captures(self, context: Context) -> None:
        """How many flows each capture has, and from when to when."""
        flow = self._flow
        for capture in np.unique(flow["capture"]).tolist():
            here = flow["capture"] == capture
            context.note_flows(
                capture,
                int(flow["first_seen"][here].min()),
                int(flow["last_seen"][here].max()),
                int(np.count_nonzero(here)),
                int(np.count_nonzero(flow["syn_ack_frame"][here])),
            )

    def single(self) -> Iterator[tuple[int, Learned, int]]:
        """(number, itself, member) of those that are learned one by one: the latest of a client, server or name, the first of their half
        second, and those that may show a chain for the first time."""
        members = np.flatnonzero(self._want() | self._shows_chain)
        return zip(self.number[members].tolist(), repeat(self), members.tolist(), strict=False)

    def remember_randoms(self, context: Context, end: int) -> None:
        """Have the ClientHellos remembered of the members up to there."""
        if end > self._told:
            context.remember_randoms(self._randoms[self._told : end], self, self._told)
            self._told = end

    def learn_chain(self, context: Context, member: int) -> None:
        """Let one teach its certificates, where it is the first of its kind."""
        if not self._shows_chain[member] or self.herd is None:
            return
        prototype = self._prototypes[self._kind[member]]
        if prototype.client_certificates or not context.chains.knows(prototype):
            context.chains.learn(self.herd.make(np.array([member]))[0])

    def let_go(self) -> None:
        """Nothing more is learned: what is only needed for it goes."""
        self.herd, self._randoms, self.groups = None, [], []

    def _group(self, c: dict[str, npt.NDArray[Any]], at: I64) -> Iterator[Group]:
        client = self._client
        syn, syn_ack, reset = c["syn_frame"], c["syn_ack_frame"], c["rst_frame"][at, 1 - client]
        own = ~((reset > 0) & (reset < np.where(syn_ack > 0, syn_ack, c["last_frame"])))
        ttl = np.where(own, c["ttl"][at, 1 - client], 0).astype(np.int64)
        both = (syn > 0) & (syn_ack > 0)
        took = np.maximum(0, c["syn_ack_time"] - c["syn_time"])
        keys = (self._kind, self._servers.ids, self._port, ttl)
        order = np.lexsort(keys)
        new = np.zeros(len(order), np.bool_)
        for key in keys:
            new[1:] |= key[order][1:] != key[order][:-1]
        for members in np.split(order, np.flatnonzero(new)):
            first = members[0]
            spans = took[members][both[members]]
            spans = spans[spans > 0]
            yield Group(
                self._prototypes[self._kind[first]],
                (self._servers.name(first), int(self._port[first])),
                int(ttl[first]),
                len(members),
                self._clients.different(members),
                int(np.count_nonzero(both[members])),
                int(spans.min(initial=0)) if not len(spans) else int(spans.min()),
            )

    def _want(self) -> Bools:
        names = [h.client_hello.server_name if h.client_hello is not None else None for h in self._prototypes]
        places = {name: index for index, name in enumerate(dict.fromkeys(names))}
        name = np.array([places[each] for each in names], np.int64)[self._kind]
        slot = self._flow["first_seen"] // HALF_SECOND
        server = self._servers.ids * 65_536 + self._port
        return _last(self._clients.ids, RECENT) | _last(server, RECENT) | _last(name, RECENT) | _first(slot, STARTS)

    def _show_chains(self) -> Bools:
        """The first of each kind with certificates, of those with the client's the first of each client."""
        server = np.array([bool(h.server_certificates or h.client_certificates) for h in self._prototypes], np.bool_)
        client = np.array([bool(h.client_certificates) for h in self._prototypes], np.bool_)
        key = self._kind * (1 << 32) + np.where(client[self._kind], 1 + self._clients.ids, 0)
        return _first(key, 1) & server[self._kind]


class _Addresses:
    """One end of each member: ``ids`` are equal where addresses are."""

    def __init__(self, c: dict[str, npt.NDArray[Any]], is_source: Bools) -> None:
        self._high = np.where(is_source, c["source_high"], c["destination_high"])
        self._low = np.where(is_source, c["source_low"], c["destination_low"])
        self._version = c["ip_version"]
        if not self._high.any() and (self._version == self._version[0]).all():
            ids = np.unique(self._low, return_inverse=True)[1]
        else:
            halves = np.stack([self._high, self._low, self._version.astype(np.uint64)], axis=1)
            ids = np.unique(halves, axis=0, return_inverse=True)[1]
        self.ids: I64 = ids.reshape(-1).astype(np.int64)

    def name(self, member: int) -> str:
        return name_address(int(self._high[member]), int(self._low[member]), int(self._version[member]))

    def different(self, members: I64) -> list[str]:
        """The addresses of these members, each once, in the order they come."""
        _, first = np.unique(self.ids[members], return_index=True)
        return [self.name(member) for member in members[np.sort(first)].tolist()]


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
