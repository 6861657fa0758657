"""What one server, or one name, was seen to accept and refuse.

Most handshakes to a server look alike. So a profile only counts how often it saw each *shape* (name, outcome and
``Answer`` at once) and takes the shapes apart when a rule asks.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from analyzer.diagnosis.record_lengths import signing_key_type
from analyzer.model.finding import AbortedBy, Outcome
from analyzer.model.handshake import Flow, Handshake, Stage
from analyzer.model.hello import ClientHello, ServerHello

if TYPE_CHECKING:
    from analyzer.diagnosis.herding import Group
    from analyzer.diagnosis.recent import Recent

__all__ = ["RECENT", "Attempt", "ServerProfile", "read_answer", "shape_of"]

_CLIENTS = 256
_SHAPES = 1_024
_ANSWERS = 65_536
RECENT = 32
"""Attempts remembered of a server, a name, a client: the latest."""


class Answer:
    """What a handshake shows of the server's side: the same object for the same answer (``read_answer``)."""

    __slots__ = ("alpn", "cipher_suite", "ja3s", "key_type", "leaf", "named_group", "nothing", "signature_scheme", "version")

    def __init__(
        self,
        version: int | None,
        cipher_suite: int | None,
        named_group: int | None,
        alpn: str | None,
        ja3s: str | None,
        leaf: str | None,
        key_type: str | None,
        signature_scheme: int | None,
    ) -> None:
        self.version, self.cipher_suite, self.named_group, self.alpn = version, cipher_suite, named_group, alpn
        self.ja3s, self.leaf, self.key_type, self.signature_scheme = ja3s, leaf, key_type, signature_scheme
        shown = (version, cipher_suite, named_group, alpn, ja3s, leaf, key_type, signature_scheme)
        self.nothing = all(value is None for value in shown)
        """The server showed nothing at all."""


Shape = tuple[str | None, Outcome, Answer, int, tuple[str, int]]
"""(name asked for, outcome, answer, TTL of the server, where)."""
_NAME, _DONE, _ANSWER, _TTL, _ADDRESS = range(5)


class Attempt(NamedTuple):
    """One earlier or later attempt, as far as neighbours need it."""

    time: int
    capture: int
    stream: int
    client_address: str
    server_address: str
    server_port: int
    stage: str
    outcome: Outcome
    aborted_by: AbortedBy
    alert: int | None
    """Description of the closing alert."""
    hello: ClientHello | None
    server_hello: ServerHello | None
    server_rsts: int
    client_rsts: int
    hello_segments: int
    flow_frames: int
    via: str | None = None
    """How TLS began, where a dialogue led to it."""
    server_rst_time: int = 0
    left_at_once: bool = False
    """Completed, and its client closed without a byte of data: it may have been refused after all."""
    in_clear: bool = False
    """No ClientHello, and the server spoke something that is not TLS."""

    @property
    def server_name(self) -> str | None:
        """Name the client asked for."""
        return self.hello.server_name if self.hello is not None else None

    @property
    def accepted(self) -> bool:
        """The server answered with a ServerHello."""
        return self.server_hello is not None


def _answered_itself(flow: Flow) -> bool:
    """The server's first packet was no reset: that may be a device's."""
    reset = flow.server_rst_frame
    return bool(flow.syn_ack_frame or flow.server_bytes) and not (reset and reset < (flow.syn_ack_frame or flow.last_frame))


def read_answer(handshake: Handshake, known: dict[tuple[object, ...], Answer]) -> Answer:
    """What a handshake shows of the server; ``known`` keeps those seen (emptied when there are too many)."""
    answer, exchange, certificates = handshake.server_hello, handshake.server_key_exchange, handshake.server_certificates
    leaf = certificates[0] if certificates else None
    shown = (
        answer.selected_version if answer is not None else None,
        answer.cipher_suite if answer is not None else None,
        handshake.named_group if answer is not None else None,
        handshake.alpn if answer is not None else None,
        answer.ja3s if answer is not None else None,
        leaf.sha256 if leaf is not None else None,
        leaf.key_type if leaf is not None else signing_key_type(handshake),
        exchange.signature_scheme if exchange is not None else None,
    )
    found = known.get(shown)
    if found is None:
        if len(known) >= _ANSWERS:
            known.clear()
        found = known[shown] = Answer(*shown)
    return found


def shape_of(handshake: Handshake, name: str | None, address: tuple[str, int], answer: Answer) -> Shape:
    """What a profile keeps of a handshake, as one value."""
    flow = handshake.flow
    return name, handshake.outcome, answer, flow.server_ttl if _answered_itself(flow) else 0, address


@dataclass(slots=True, eq=False, repr=False)
class ServerProfile:
    """Of one server (address and port) or of one name, wherever it is served.

    Counters count handshakes in which the server chose the value, the most frequent first. ``recent`` is what remembers its latest
    attempts.
    """

    recent: Recent
    attempts: int = 0
    completed: int = 0
    failed: int = 0
    answered: int = 0
    """Attempts with a ServerHello."""
    clients: set[str] = field(default_factory=set)
    """Clients that completed a handshake (at most 256)."""
    without_name_completed: int = 0
    certificate_requests: int = 0
    largest_hello: int = 0
    """Longest ClientHello that was answered with a ServerHello, bytes."""
    most_segments: int = 0
    """Most segments of a ClientHello that was answered."""
    fastest_connect: int = 0
    """Shortest SYN to SYN-ACK, ns; 0 when never seen."""
    connects: int = 0
    """Attempts in which both were seen."""
    syn_unanswered: int = 0
    refused_connects: int = 0
    shown: int = 0
    """Attempts that showed something of what the server takes or has."""
    serial: int = field(default_factory=itertools.count(1).__next__)
    """Tells this profile from another one of the same server, made after this one was forgotten."""
    _shapes: dict[Shape, int] = field(default_factory=dict)
    _counters: dict[object, Counter[Any]] = field(default_factory=dict)

    @property
    def accepted(self) -> Sequence[Attempt]:
        """The latest attempts with a ServerHello, with their whole offers."""
        return self.recent.get(2 * self.serial)

    @property
    def refused(self) -> Sequence[Attempt]:
        """The latest without one."""
        return self.recent.get(2 * self.serial + 1)

    def remember(self, attempt: Attempt) -> None:
        """Among the latest."""
        self.recent.add(2 * self.serial + (attempt.server_hello is None), attempt)

    def want(self) -> None:
        """Its latest attempts are going to be asked for."""
        self.recent.want(2 * self.serial)
        self.recent.want(2 * self.serial + 1)

    @property
    def versions(self) -> Counter[int]:
        """Versions chosen."""
        return self._count_answers("version")

    @property
    def cipher_suites(self) -> Counter[int]:
        """Suites chosen."""
        return self._count_answers("cipher_suite")

    @property
    def named_groups(self) -> Counter[int]:
        """Groups chosen."""
        return self._count_answers("named_group")

    @property
    def signature_schemes(self) -> Counter[int]:
        """Schemes of ServerKeyExchange (TLS 1.2)."""
        return self._count_answers("signature_scheme")

    @property
    def alpn(self) -> Counter[str]:
        """Application protocols chosen."""
        return self._count_answers("alpn")

    @property
    def key_types(self) -> Counter[str]:
        """Key types of leaf certificates; in TLS 1.3 told from the length of CertificateVerify."""
        return self._count_answers("key_type")

    @property
    def leaves(self) -> Counter[str]:
        """SHA-256 of leaf certificates."""
        return self._count_answers("leaf")

    @property
    def ja3s(self) -> Counter[str]:
        """JA3S of its ServerHellos."""
        return self._count_answers("ja3s")

    @property
    def ttls(self) -> Counter[int]:
        """TTL of the first segment of the server."""
        return self._count(_TTL)

    @property
    def addresses(self) -> Counter[tuple[str, int]]:
        """Where a name was served."""
        return self._count(_ADDRESS)

    @property
    def names_served(self) -> Counter[str]:
        """Names asked for where a handshake completed."""
        return self._count(_NAME, "completed")

    @property
    def names_failed(self) -> Counter[str]:
        """Names asked for where one failed."""
        return self._count(_NAME, "failed")

    @property
    def best_version(self) -> int:
        """Highest version it chose, 0 when none."""
        return max(self.versions, default=0)

    def note(self, shape: Shape, attempt: Attempt, connect: int, certificate_requested: bool) -> None:
        """Take in one attempt. ``connect``: its SYN to SYN-ACK, ns; -1 where either was not seen."""
        self._note_shape(shape, 1)
        name, outcome, answer, _, _ = shape
        if outcome == "completed":
            self.completed += 1
            if len(self.clients) < _CLIENTS:
                self.clients.add(attempt.client_address)
            if name is None:
                self.without_name_completed += 1
        elif outcome == "failed":
            self.failed += 1
        if not answer.nothing:
            self.shown += 1
        self.remember(attempt)
        if attempt.server_hello is not None:
            self.answered += 1
            if certificate_requested:
                self.certificate_requests += 1
            hello = attempt.hello
            if hello is not None and hello.length > self.largest_hello:
                self.largest_hello = hello.length
            if attempt.hello_segments > self.most_segments:
                self.most_segments = attempt.hello_segments
        else:
            if attempt.stage == Stage.SYN:
                self.syn_unanswered += 1
            elif attempt.stage == Stage.REFUSED:
                self.refused_connects += 1
        if connect >= 0:
            self.connects += 1
            if connect and (connect < self.fastest_connect or not self.fastest_connect):
                self.fastest_connect = connect

    def note_group(self, shape: Shape, group: Group) -> None:
        """Take in attempts alike that completed, but for ``recent``."""
        h, hello = group.prototype, group.prototype.client_hello
        self._note_shape(shape, group.size)
        self.completed += group.size
        self.answered += group.size
        for client in group.clients:
            if len(self.clients) < _CLIENTS:
                self.clients.add(client)
        name, _, answer, _, _ = shape
        if name is None:
            self.without_name_completed += group.size
        if not answer.nothing:
            self.shown += group.size
        if h.client_certificate_requested:
            self.certificate_requests += group.size
        self.largest_hello = max(self.largest_hello, hello.length if hello is not None else 0)
        self.most_segments = max(self.most_segments, h.client_hello_segments)
        self.connects += group.connects
        if group.fastest and (group.fastest < self.fastest_connect or not self.fastest_connect):
            self.fastest_connect = group.fastest

    def _note_shape(self, shape: Shape, count: int) -> None:
        self.attempts += count
        shapes = self._shapes
        times = shapes.get(shape)
        if times is not None:
            shapes[shape] = times + count
        elif len(shapes) < _SHAPES:
            shapes[shape] = count
        if self._counters:
            self._counters.clear()

    def _count_answers(self, part: str) -> Counter[Any]:
        counted = self._counters.get(part)
        if counted is None:
            counted = self._counters[part] = Counter()
            for shape, times in self._shapes.items():
                value = getattr(shape[_ANSWER], part)
                if value not in (None, "", 0):
                    counted[value] += times
            counted = self._counters[part] = _ranked(counted)
        return counted

    def _count(self, part: int, outcome: str | None = None) -> Counter[Any]:
        key = (part, outcome)
        counted = self._counters.get(key)
        if counted is None:
            counted = self._counters[key] = Counter()
            for shape, times in self._shapes.items():
                value = shape[part]
                if value not in (None, "", 0) and (outcome is None or shape[_DONE] == outcome):
                    counted[value] += times
            counted = self._counters[key] = _ranked(counted)
        return counted


def _ranked(counted: Counter[Any]) -> Counter[Any]:
    """The most frequent first; of equals the least: which was learned first depends on how the capture was read."""
    return Counter(dict(sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))))
