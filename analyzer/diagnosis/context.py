"""What the rest of the run says about one handshake: its neighbours.

``Context`` learns from each handshake as it ends (so it works on a live capture too) and every
table in it is bounded; what was forgotten is counted in ``forgotten``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from analyzer.diagnosis.chain import ChainJudgement
from analyzer.diagnosis.chains import Chains
from analyzer.diagnosis.trust import TrustStore
from analyzer.model.batches import IcmpError
from analyzer.model.finding import AbortedBy, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import ClientHello, ServerHello
from analyzer.model.options import Options

__all__ = ["Attempt", "CaptureFacts", "Context", "ServerProfile"]

_PROFILES = 65_536
_CLIENTS = 65_536
_VALUES = 256
_RECENT = 32

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


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

    @property
    def server_name(self) -> str | None:
        """Name the client asked for."""
        return self.hello.server_name if self.hello is not None else None

    @property
    def accepted(self) -> bool:
        """The server answered with a ServerHello."""
        return self.server_hello is not None


@dataclass(slots=True)
class ServerProfile:
    """What one server (address and port), or one name, was seen to accept and refuse.

    Counters count handshakes in which the server chose the value. ``accepted`` and ``refused`` hold
    the latest attempts with and without a ServerHello, with their whole offers.
    """

    attempts: int = 0
    completed: int = 0
    failed: int = 0
    answered: int = 0
    """Attempts with a ServerHello."""
    versions: Counter[int] = field(default_factory=Counter)
    cipher_suites: Counter[int] = field(default_factory=Counter)
    named_groups: Counter[int] = field(default_factory=Counter)
    signature_schemes: Counter[int] = field(default_factory=Counter)
    """Of ServerKeyExchange (TLS 1.2)."""
    alpn: Counter[str] = field(default_factory=Counter)
    key_types: Counter[str] = field(default_factory=Counter)
    """Key types of leaf certificates."""
    names_served: Counter[str] = field(default_factory=Counter)
    """Names asked for where a handshake completed."""
    names_failed: Counter[str] = field(default_factory=Counter)
    leaves: Counter[str] = field(default_factory=Counter)
    """SHA-256 of leaf certificates."""
    addresses: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Of a name: where it was served."""
    clients: set[str] = field(default_factory=set)
    """Clients that completed a handshake (at most 256)."""
    without_name_completed: int = 0
    certificate_requests: int = 0
    largest_hello: int = 0
    """Longest ClientHello that was answered with a ServerHello, bytes."""
    most_segments: int = 0
    """Most segments of a ClientHello that was answered."""
    ttls: Counter[int] = field(default_factory=Counter)
    """TTL of the first segment of the server."""
    fastest_connect: int = 0
    """Shortest SYN to SYN-ACK, ns; 0 when never seen."""
    syn_unanswered: int = 0
    refused_connects: int = 0
    ja3s: Counter[str] = field(default_factory=Counter)
    accepted: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_RECENT))
    refused: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def best_version(self) -> int:
        """Highest version it chose, 0 when none."""
        return max(self.versions, default=0)


@dataclass(slots=True)
class CaptureFacts:
    """Facts of one capture file or interface."""

    first_seen: int = 0
    last_seen: int = 0
    """Of its last frame, whatever it was: set by the pipeline, else of the last flow learned."""
    flows: int = 0
    one_way: int = 0
    syn_acks: int = 0
    """Flows with a SYN-ACK."""
    without_syn: int = 0
    truncated: int = 0
    """Flows with frames cut by the snaplen."""
    with_gaps: int = 0
    with_duplicates: int = 0
    drops: int = 0
    """Frames the capturing host says it lost."""
    smallest_mss: int = 0
    largest_segment: int = 0
    icmp: deque[IcmpError] = field(default_factory=lambda: deque(maxlen=256))


class Context:
    """Neighbours of every handshake of a run."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.servers: dict[tuple[str, int], ServerProfile] = {}
        self.names: dict[str, ServerProfile] = {}
        self.clients: dict[str, deque[Attempt]] = {}
        self.captures: dict[int, CaptureFacts] = {}
        self.chains = Chains(TrustStore(self.options.ca_file))
        """Certificate chains: judged, and what the run showed of them elsewhere."""
        self.old_clients: dict[str, int] = {}
        """Clients that completed a handshake and offer nothing newer than TLS 1.1: address and best version."""
        self.remembered: dict[str, tuple[Handshake, object]] = {}
        """Work that several rules share, by name, for the handshake at hand only."""
        self.forgotten = 0
        self._empty = ServerProfile()

    # -- questions ------------------------------------------------------------------------------

    def server(self, handshake: Handshake) -> ServerProfile:
        """What the handshake's server (address, port) was seen to do, this handshake included; empty when never learned."""
        return self.servers.get((handshake.flow.server_address, handshake.flow.server_port), self._empty)

    def name(self, handshake: Handshake) -> ServerProfile:
        """The same for the name asked for, wherever it is served; empty without a name."""
        hello = handshake.client_hello
        name = hello.server_name if hello is not None else None
        return self.names.get(name.lower(), self._empty) if name else self._empty

    def capture(self, handshake: Handshake) -> CaptureFacts:
        """Facts of the capture the handshake came from."""
        return self.captures.get(handshake.flow.capture) or CaptureFacts(
            first_seen=handshake.flow.first_seen, last_seen=handshake.flow.last_seen
        )

    def attempts(self, handshake: Handshake, within: int = 60_000_000_000, *, same_server: bool = True) -> Iterator[Attempt]:
        """Other attempts of the same client within ``within`` ns, oldest first; to the same server or name unless told."""
        flow = handshake.flow
        hello = handshake.client_hello
        name = hello.server_name if hello is not None else None
        for attempt in self.clients.get(flow.client_address, ()):
            if attempt.stream == flow.stream and attempt.capture == flow.capture:
                continue
            if abs(attempt.time - flow.first_seen) > within:
                continue
            there = attempt.server_address == flow.server_address and attempt.server_port == flow.server_port
            if not same_server or there or (name and attempt.server_name == name):
                yield attempt

    def chain(self, handshake: Handshake) -> ChainJudgement | None:
        """Judgement of the server's certificates at the handshake's time; None where none could be read."""
        return self.chains.judge(handshake)

    # -- learning -------------------------------------------------------------------------------

    def learn(self, handshake: Handshake) -> None:
        """Take in one handshake that has ended and whose outcome is settled."""
        flow = handshake.flow
        hello, answer = handshake.client_hello, handshake.server_hello
        name = hello.server_name if hello is not None else None
        attempt = Attempt(
            flow.first_seen, flow.capture, flow.stream, flow.client_address, flow.server_address, flow.server_port,
            handshake.stage, handshake.outcome, handshake.aborted_by,
            handshake.closing_alert.description if handshake.closing_alert is not None else None,
            hello, answer, flow.server_rsts, flow.client_rsts, handshake.client_hello_segments,
            flow.client_frames + flow.server_frames,
        )  # fmt: skip
        recent = self.clients.get(flow.client_address)
        if recent is None:
            recent = self._remember(self.clients, flow.client_address, deque(maxlen=_RECENT), _CLIENTS)
        recent.append(attempt)
        key = (flow.server_address, flow.server_port)
        profile = self.servers.get(key)
        if profile is None:
            profile = self._remember(self.servers, key, ServerProfile(), _PROFILES)
        self._note(profile, attempt, handshake, name)
        if name:
            lower = name.lower()
            named = self.names.get(lower)
            if named is None:
                named = self._remember(self.names, lower, ServerProfile(), _PROFILES)
            self._note(named, attempt, handshake, name)
            _add(named.addresses, key)
        self.chains.learn(handshake)
        self._note_capture(handshake)

    def note_capture(self, capture: int, *, first_seen: int = 0, last_seen: int = 0, drops: int = 0) -> None:
        """Take in what the source says of a capture: time of its first and last frame (ns), frames lost while capturing."""
        facts = self.captures.setdefault(capture, CaptureFacts())
        facts.first_seen = min(filter(None, (facts.first_seen, first_seen)), default=0)
        facts.last_seen = max(facts.last_seen, last_seen)
        facts.drops = max(facts.drops, drops)

    def note_icmp(self, capture: int, error: IcmpError) -> None:
        """Take in an ICMP error, also one that matched no handshake."""
        self.captures.setdefault(capture, CaptureFacts()).icmp.append(error)

    def _remember(self, table: dict[_Key, _Value], key: _Key, value: _Value, most: int) -> _Value:
        if len(table) >= most:
            del table[next(iter(table))]
            self.forgotten += 1
        table[key] = value
        return value

    def _note(self, profile: ServerProfile, attempt: Attempt, handshake: Handshake, name: str | None) -> None:
        flow, answer = handshake.flow, handshake.server_hello
        profile.attempts += 1
        if attempt.outcome == "completed":
            profile.completed += 1
            if attempt.hello is not None and answer is not None and answer.selected_version < 0x0303:
                self._note_old_client(attempt.client_address, attempt.hello)
            if len(profile.clients) < _VALUES:
                profile.clients.add(flow.client_address)
            if name:
                _add(profile.names_served, name)
            else:
                profile.without_name_completed += 1
        elif attempt.outcome == "failed":
            profile.failed += 1
            if name:
                _add(profile.names_failed, name)
        if answer is not None:
            self._note_answer(profile, attempt, handshake, answer)
        else:
            profile.refused.append(attempt)
            if handshake.stage == Stage.SYN:
                profile.syn_unanswered += 1
            elif handshake.stage == Stage.REFUSED:
                profile.refused_connects += 1
        if flow.server_ttl:
            _add(profile.ttls, flow.server_ttl)
        if flow.syn_frame and flow.syn_ack_frame:
            connect = flow.syn_ack_time - flow.syn_time
            if connect > 0 and (not profile.fastest_connect or connect < profile.fastest_connect):
                profile.fastest_connect = connect

    def _note_old_client(self, client_address: str, hello: ClientHello) -> None:
        best = hello.max_version
        if best < 0x0303 and (client_address in self.old_clients or len(self.old_clients) < _CLIENTS):
            self.old_clients[client_address] = best

    def _note_answer(self, profile: ServerProfile, attempt: Attempt, handshake: Handshake, answer: ServerHello) -> None:
        profile.answered += 1
        profile.accepted.append(attempt)
        _add(profile.versions, answer.selected_version)
        _add(profile.cipher_suites, answer.cipher_suite)
        if handshake.named_group is not None:
            _add(profile.named_groups, handshake.named_group)
        if handshake.alpn is not None:
            _add(profile.alpn, handshake.alpn)
        if answer.ja3s:
            _add(profile.ja3s, answer.ja3s)
        if handshake.server_certificates:
            leaf = handshake.server_certificates[0]
            _add(profile.leaves, leaf.sha256)
            if leaf.key_type:
                _add(profile.key_types, leaf.key_type)
        exchange = handshake.server_key_exchange
        if exchange is not None and exchange.signature_scheme is not None:
            _add(profile.signature_schemes, exchange.signature_scheme)
        if handshake.client_certificate_requested:
            profile.certificate_requests += 1
        if attempt.hello is not None and attempt.hello.length > profile.largest_hello:
            profile.largest_hello = attempt.hello.length
        if attempt.hello_segments > profile.most_segments:
            profile.most_segments = attempt.hello_segments

    def _note_capture(self, handshake: Handshake) -> None:
        flow = handshake.flow
        facts = self.captures.get(flow.capture)
        if facts is None:
            facts = self.captures[flow.capture] = CaptureFacts()
        if not facts.first_seen or flow.first_seen < facts.first_seen:
            facts.first_seen = flow.first_seen
        if flow.last_seen > facts.last_seen:
            facts.last_seen = flow.last_seen
        facts.flows += 1
        facts.one_way += flow.one_way
        facts.syn_acks += flow.syn_ack_frame > 0
        facts.without_syn += flow.syn_frame == 0
        facts.truncated += flow.truncated > 0
        facts.with_gaps += flow.client_gaps > 0 or flow.server_gaps > 0
        facts.with_duplicates += flow.duplicates > 0
        for mss in (flow.client_mss, flow.server_mss):
            if mss and (not facts.smallest_mss or mss < facts.smallest_mss):
                facts.smallest_mss = mss
        facts.icmp.extend(handshake.icmp)


def _add(counter: Counter[_Key], value: _Key) -> None:
    """Count a value unless the counter is full of other ones."""
    if value in counter:
        counter[value] += 1
    elif len(counter) < _VALUES:
        counter[value] = 1
