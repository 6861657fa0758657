"""What the rest of the run says about one handshake: its neighbours.

``Context`` learns from each handshake as it ends (so it works on a live capture too) and every
table in it is bounded; what was forgotten is counted in ``forgotten``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from analyzer.diagnosis.chain import ChainJudgement
from analyzer.diagnosis.chains import Chains
from analyzer.diagnosis.closing import left_at_once
from analyzer.diagnosis.profiles import RECENT, Answer, Attempt, ServerProfile, read_answer, shape_of
from analyzer.diagnosis.recent import Recent, make_room
from analyzer.diagnosis.trust import TrustStore
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello
from analyzer.model.options import Options
from analyzer.model.tcp import IcmpError

if TYPE_CHECKING:
    from analyzer.diagnosis.herding import Group, Learned

__all__ = ["HALF_SECOND", "STARTS", "Attempt", "CaptureFacts", "Context", "ServerProfile"]

_MOST = 32_768  # servers and names remembered: each weighs a kilobyte
_MOST_LIVE = 4_096  # ... in a run that lasts for weeks, whoever sends
_ATTEMPTS = 32_768  # attempts remembered, each counted once for its client, its server and its name: up to 600 bytes for each
_MOST_RANDOMS = 16_384  # ClientHellos known again: what comes twice comes within seconds, and each weighs a kilobyte
_MOST_ALIKE = 16_384
_TLS12 = 0x0303
_TWINS = 4
STARTS = 8
"""Attempts remembered of each half second: the first."""
HALF_SECOND = 500_000_000
TWIN_TIME = 200_000_000
"""ns: an address translator holds no packet longer; tools that always send the same random need longer to connect again."""

_new_attempt = tuple.__new__  # a third of the time of the constructor

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Found = TypeVar("_Found")


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
    drops: int = 0
    """Frames the capturing host says it lost."""
    in_order: bool = False
    """The source says that frames come in the order of their times; False where nobody looked."""
    icmp: deque[IcmpError] = field(default_factory=lambda: deque(maxlen=256))


class Context:
    """Neighbours of every handshake of a run."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._most = _MOST_LIVE if self.options.live else _MOST
        self.servers: dict[tuple[str, int], ServerProfile] = {}
        self.names: dict[str, ServerProfile] = {}
        self.recent = Recent(RECENT, _ATTEMPTS)
        """The latest attempts of each client, by its address, and of each profile."""
        self.captures: dict[int, CaptureFacts] = {}
        self.chains = Chains(TrustStore(self.options.ca_file))
        """Certificate chains: judged, and what the run showed of them elsewhere."""
        self.old_clients: dict[str, int] = {}
        """Clients that completed a handshake and offer nothing newer than TLS 1.1: address and best version."""
        self._starts = Recent(STARTS, _ATTEMPTS // 2, first=True)
        """Attempts by capture and half second of their start, the first few of each: who may have raced whom."""
        self._randoms: dict[bytes, list[Attempt | tuple[Learned, int]]] = {}
        """Attempts by the random of their ClientHello, the first few of each."""
        self.remembered: dict[object, tuple[Handshake, Any]] = {}
        """What ``once`` found, for the handshake at hand only."""
        self._answers: dict[tuple[object, ...], Answer] = {}
        self._answers_alike: dict[int, Answer] = {}
        """By ``Handshake.alike``."""
        self._alike: dict[tuple[object, int], bool] = {}
        """What ``is_so`` found, by ``Handshake.alike``."""
        self.in_order: bool | None = None
        """Whether the frames of every capture come in the order of their times; None where nobody looked."""
        self.longest_segment = 0
        """Most payload of a segment in any capture, bytes; 0 where nobody looked."""
        self.weighed: dict[tuple[object, ...], tuple[object, ...]] = {}
        """Refused offers already weighed against their neighbours: (state of the profiles, answer) by offer and server."""
        self._forgotten = 0
        self._empty = ServerProfile(self.recent)

    @property
    def forgotten(self) -> int:
        """How much of what was remembered had to go."""
        return self._forgotten + self.recent.forgotten + self._starts.forgotten

    def once(self, look: Callable[[Handshake, Context], _Found], handshake: Handshake) -> _Found:
        """``look(handshake, context)``, looked for once for all rules of the handshake at hand."""
        known = self.remembered.get(look)
        if known is None or known[0] is not handshake:
            known = self.remembered[look] = (handshake, look(handshake, self))
        found: _Found = known[1]
        return found

    def is_so(self, look: Callable[[Handshake], bool], handshake: Handshake) -> bool:
        """What ``look`` says of the messages, asked once for all handshakes alike: their kinds, lengths and order are the same."""
        alike = handshake.alike
        if not alike:
            return look(handshake)
        known = self._alike.get((look, alike))
        if known is None:
            if len(self._alike) >= _MOST_ALIKE:
                self._alike.clear()
            known = self._alike[look, alike] = look(handshake)
        return known

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
        for attempt in self.recent.get(flow.client_address):
            if attempt.stream == flow.stream and attempt.capture == flow.capture:
                continue
            if abs(attempt.time - flow.first_seen) > within:
                continue
            there = attempt.server_address == flow.server_address and attempt.server_port == flow.server_port
            if not same_server or there or (name and attempt.server_name == name):
                yield attempt

    def rival(self, handshake: Handshake, within: int) -> Attempt | None:
        """The one attempt over the other IP version, begun within ``within`` ns (at most half a second), that got a ServerHello on the
        same port: the addresses do not tell whether it is the same client's. None where there are several, or the capture is busy."""
        flow = handshake.flow
        six = ":" in flow.client_address
        slot = flow.first_seen // HALF_SECOND
        found = []
        for number in (slot - 1, slot, slot + 1):
            begun = self._starts.get((flow.capture, number))
            if len(begun) >= STARTS:
                return None
            found += [
                attempt
                for attempt in begun
                if (":" in attempt.client_address) != six and attempt.server_port == flow.server_port and attempt.accepted
                and abs(attempt.time - flow.first_seen) <= within
            ]  # fmt: skip
        return found[0] if len({attempt.client_address for attempt in found}) == 1 else None

    def twin(self, handshake: Handshake) -> Attempt | None:
        """An attempt between other addresses, begun at the same time (``TWIN_TIME``), with the very same ClientHello: the connection seen
        twice."""
        hello, flow = handshake.client_hello, handshake.flow
        if hello is None:
            return None
        for attempt in self._alike_in_random(hello.random):
            same_ends = attempt.client_address == flow.client_address and attempt.server_address == flow.server_address
            if not same_ends and abs(attempt.time - flow.first_seen) <= TWIN_TIME:
                return attempt
        return None

    def may_have_twin(self, random: bytes, began: int) -> bool:
        """Whether an attempt that was learned, with this random and begun then, may have a twin: a quick look."""
        if len(self._randoms.get(random, ())) < 2:
            return False
        return any(abs(attempt.time - began) <= TWIN_TIME for attempt in self._alike_in_random(random))

    def chain(self, handshake: Handshake) -> ChainJudgement | None:
        """Judgement of the server's certificates at the handshake's time; None where none could be read."""
        return self.once(_judge_chain, handshake)

    # -- learning -------------------------------------------------------------------------------

    def learn(self, handshake: Handshake) -> None:
        """Take in one handshake that has ended and whose outcome is settled."""
        flow = handshake.flow
        hello, alert, outcome = handshake.client_hello, handshake.closing_alert, handshake.outcome
        client = flow.client_address
        address = (flow.server_address, flow.server_port)
        attempt = _new_attempt(
            Attempt,
            (
                flow.first_seen, flow.capture, flow.stream, client, flow.server_address, flow.server_port,
                handshake.stage, outcome, handshake.aborted_by, alert.description if alert is not None else None,
                hello, handshake.server_hello, flow.server_rsts, flow.client_rsts, handshake.client_hello_segments,
                flow.client_frames + flow.server_frames, handshake.dialogue.via if handshake.dialogue is not None else None,
                flow.server_rst_time, outcome == "completed" and left_at_once(handshake),
                hello is None and bool(handshake.server_bytes),
            ),
        )  # fmt: skip
        self.remember_attempt(attempt)
        if outcome != "completed" or attempt.left_at_once:
            self._want(attempt)
        name = None
        if hello is not None:
            name = hello.server_name
            self.remember_random(hello.random, attempt)
        answer = self._answer(handshake)
        shape = shape_of(handshake, name, address, answer)
        connect = max(0, flow.syn_ack_time - flow.syn_time) if flow.syn_frame and flow.syn_ack_frame else -1
        requested = bool(handshake.client_certificate_requested)
        self._profile(self.servers, address).note(shape, attempt, connect, requested)
        if name:
            self._profile(self.names, name.lower()).note(shape, attempt, connect, requested)
        if answer.version is not None and answer.version < _TLS12 and hello is not None and outcome == "completed":
            self._note_old_client(client, hello)
        if handshake.server_certificates or handshake.client_certificates:
            self.chains.learn(handshake)
        self._note_flow(handshake)

    def remember_attempt(self, attempt: Attempt, *, answered: bool = False) -> None:
        """Among the latest of its client and the first of its half second; ``answered``: of its server and name too, which are known."""
        self.recent.add(attempt.client_address, attempt)
        self._starts.add((attempt.capture, attempt.time // HALF_SECOND), attempt)
        if answered:
            self._profile(self.servers, (attempt.server_address, attempt.server_port)).remember(attempt)
            if attempt.server_name:
                self._profile(self.names, attempt.server_name.lower()).remember(attempt)

    def _want(self, attempt: Attempt) -> None:
        """It will be judged when all have been seen: whoever is to be asked about then."""
        self.recent.want(attempt.client_address)
        slot = attempt.time // HALF_SECOND
        for near in (slot - 1, slot, slot + 1):
            self._starts.want((attempt.capture, near))
        self._profile(self.servers, (attempt.server_address, attempt.server_port)).want()
        if attempt.server_name:
            self._profile(self.names, attempt.server_name.lower()).want()

    def let_go(self) -> None:
        """All that was learned so far has been judged: what was put by for it goes."""
        self.recent.let_go()
        self._starts.let_go()

    def remember_random(self, random: bytes, attempt: Attempt) -> None:
        """Whose ClientHello has this random."""
        twins = self._randoms.get(random)
        if twins is None:
            alike: list[Attempt | tuple[Learned, int]] = [attempt]
            self._remember(self._randoms, random, alike, min(self._most, _MOST_RANDOMS))
        elif len(twins) < _TWINS:
            twins.append(attempt)

    def remember_randoms(self, randoms: Iterable[bytes], learned: Learned, first: int) -> None:
        """The same of a herd, from its member ``first`` on: who asks has the attempts made."""
        table = self._randoms
        for member, random in enumerate(randoms, first):
            twins = table.get(random)
            if twins is None:
                table[random] = [(learned, member)]
            elif len(twins) < _TWINS:
                twins.append((learned, member))
        self._forgotten += make_room(table, min(self._most, _MOST_RANDOMS), coming=0)

    def _alike_in_random(self, random: bytes) -> Iterator[Attempt]:
        twins = self._randoms.get(random, [])
        for place, twin in enumerate(twins):
            if not isinstance(twin, Attempt):
                learned, member = twin
                twin = twins[place] = learned.attempt(member)
            yield twin

    def _profile(self, table: dict[_Key, ServerProfile], key: _Key) -> ServerProfile:
        profile = table.get(key)
        if profile is None:
            return self._remember(table, key, ServerProfile(self.recent), self._most)
        if 2 * len(table) > self._most:  # soon some will have to go: those that were not seen for the longest time
            table[key] = table.pop(key)
        return profile

    def note_group(self, group: Group) -> None:
        """Take in handshakes alike at one server, but for what is remembered of single ones."""
        h, name = group.prototype, group.name
        hello, answer = h.client_hello, self._answer(h)
        shape = (name, h.outcome, answer, group.ttl, group.server)
        self._profile(self.servers, group.server).note_group(shape, group)
        if name:
            self._profile(self.names, name.lower()).note_group(shape, group)
        if answer.version is not None and answer.version < _TLS12 and hello is not None:
            for client in group.clients:
                self._note_old_client(client, hello)

    def _answer(self, handshake: Handshake) -> Answer:
        alike = handshake.alike
        answer = self._answers_alike.get(alike)
        if answer is None:
            answer = read_answer(handshake, self._answers)
            if alike:
                self._remember(self._answers_alike, alike, answer, self._most)
        return answer

    def note_capture(
        self,
        capture: int,
        *,
        first_seen: int = 0,
        last_seen: int = 0,
        drops: int = 0,
        in_order: bool | None = None,
        longest_segment: int = 0,
    ) -> None:
        """Take in what the source says of a capture: time of its first and last frame (ns), frames lost while capturing.

        ``in_order`` says of the frames between these times that they come in the order of their times, ``longest_segment``
        how many bytes of payload one of them has at the most.
        """
        facts = self.captures.setdefault(capture, CaptureFacts())
        if in_order is not None:
            facts.in_order = in_order and (not facts.last_seen or (facts.in_order and first_seen >= facts.last_seen))
            self.in_order = facts.in_order and self.in_order is not False
        facts.first_seen = min(filter(None, (facts.first_seen, first_seen)), default=0)
        facts.last_seen = max(facts.last_seen, last_seen)
        facts.drops = max(facts.drops, drops)
        self.longest_segment = max(self.longest_segment, longest_segment)

    def note_icmp(self, capture: int, error: IcmpError) -> None:
        """Take in an ICMP error, also one that matched no handshake."""
        self.captures.setdefault(capture, CaptureFacts()).icmp.append(error)

    def _remember(self, table: dict[_Key, _Value], key: _Key, value: _Value, most: int) -> _Value:
        self._forgotten += make_room(table, most)
        table[key] = value
        return value

    def _note_old_client(self, client_address: str, hello: ClientHello) -> None:
        best = hello.max_version
        if best < _TLS12 and (client_address in self.old_clients or len(self.old_clients) < self._most):
            self.old_clients[client_address] = best

    def _note_flow(self, handshake: Handshake) -> None:
        flow = handshake.flow
        facts = self.note_flows(flow.capture, flow.first_seen, flow.last_seen, 1, 1 if flow.syn_ack_frame else 0)
        if flow.client_frames == 0 or flow.server_frames == 0:
            facts.one_way += 1
        if handshake.icmp:
            facts.icmp.extend(handshake.icmp)

    def note_flows(self, capture: int, first_seen: int, last_seen: int, count: int, syn_acks: int) -> CaptureFacts:
        """Take in so many flows of a capture between these times, ``syn_acks`` of them with a SYN-ACK."""
        facts = self.captures.get(capture)
        if facts is None:
            facts = self.captures[capture] = CaptureFacts()
        if not facts.first_seen or first_seen < facts.first_seen:
            facts.first_seen = first_seen
        if last_seen > facts.last_seen:
            facts.last_seen = last_seen
        facts.flows += count
        facts.syn_acks += syn_acks
        return facts


def _judge_chain(handshake: Handshake, context: Context) -> ChainJudgement | None:
    return context.chains.judge(handshake)
