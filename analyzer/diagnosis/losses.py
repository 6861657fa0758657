"""What each side sent, what of it the other side acknowledged, and what was sent again in vain.

Sequence numbers are those of ``Segment``: relative, the first byte of data is 1. The acknowledgments of the other
side tell what arrived; bytes acknowledged but never captured are missing from the capture, not from the network;
bytes never captured and never acknowledged were lost before they came to where the capture was taken.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analyzer.model.handshake import Handshake, Segment
from analyzer.model.tcp import TcpFlag, TcpOption

if TYPE_CHECKING:
    from analyzer.diagnosis.context import Context

__all__ = [
    "TIMESTAMPS",
    "Delivery",
    "answers_hello",
    "clocks_disagree",
    "closed_before_reading",
    "closed_unheard",
    "data_after",
    "deliveries",
    "has_holes",
    "has_two_clocks",
    "is_orphan_reset",
    "path_mss",
    "read_delivery",
    "resets_what_it_has",
    "traces_route",
    "vantage_of",
]

_FIN, _SYN, _RST = TcpFlag.FIN, TcpFlag.SYN, TcpFlag.RST
_CONTROL = _SYN | _FIN
TIMESTAMPS = 12
"""Bytes that the timestamps option takes off each segment (RFC 7323 with padding)."""
_COUNTED = 32
"""TTL below which a packet was written to end on the way: systems begin with 64 or more, and the longest ways have some 30 hops."""
_NEAR = 8
"""A host answers this many times faster than the network between it and the other one."""


@dataclass(slots=True, eq=False, repr=False)
class Delivery:
    """One direction: what was sent and what arrived."""

    from_client: bool
    end: int = 0
    """After the last byte (or FIN) seen sent."""
    data_end: int = 1
    """After the last byte of payload seen sent."""
    acknowledged: int = -1
    """Highest acknowledgment of the other side; -1 when none was captured."""
    unseen: int = 0
    """Bytes below ``acknowledged`` that the capture never saw: they are missing from the capture."""
    reached: int = 0
    """Highest number the sender stood at, told by any of its segments: beyond ``data_end`` it sent what never came here."""
    hole: tuple[int, int] | None = None
    """First bytes (from, to) never captured and never acknowledged though later ones were captured: lost on the way here."""
    tries: list[Segment] = field(default_factory=list)
    """Transmissions of the first byte that was never acknowledged."""
    waiting: list[Segment] = field(default_factory=list)
    """Segments with payload that were not acknowledged whole, each counted once."""
    echoes: list[Segment] = field(default_factory=list)
    """Segments of the other side (no RST) after the first of ``tries``: it lives and has not got it."""

    @property
    def vanished(self) -> int:
        """Bytes that were sent, never came to where the capture was taken, and were never acknowledged."""
        known = max(self.acknowledged, 1)
        beyond = self.reached - max(self.data_end, known)
        return max(0, beyond) + (self.hole[1] - self.hole[0] if self.hole is not None else 0)

    @property
    def outstanding(self) -> bool:
        """Payload was sent that was never acknowledged."""
        return bool(self.waiting)

    @property
    def repeats(self) -> int:
        """Times the first unacknowledged byte was sent again."""
        return max(0, len(self.tries) - 1)

    @property
    def span(self) -> int:
        """ns from its first to its last transmission."""
        return self.tries[-1].timestamp - self.tries[0].timestamp if self.tries else 0

    @property
    def selective(self) -> bool:
        """The other side reported later bytes (SACK) while the first were missing."""
        return any(s.options & TcpOption.SACK for s in self.echoes)


def read_delivery(segments: tuple[Segment, ...], from_client: bool) -> Delivery:
    """Read one direction out of the segments of a flow. Many rules ask in turn about the same handshake: both directions of the
    one asked about last are remembered."""
    if _latest.segments is not segments:
        _latest.segments = segments
        _latest.read = {}
    delivery = _latest.read.get(from_client)
    if delivery is None:
        delivery = _latest.read[from_client] = _read(segments, from_client)
    return delivery


class _Latest:
    """The segments that were asked about last, and what was read out of them, by ``from_client``."""

    def __init__(self) -> None:
        self.segments: tuple[Segment, ...] = ()
        self.read: dict[bool, Delivery] = {}


_latest = _Latest()


def _read(segments: tuple[Segment, ...], from_client: bool) -> Delivery:
    d = Delivery(from_client)
    sent: list[tuple[int, int, Segment]] = []
    fins: list[tuple[int, int]] = []
    begin = _first_own(segments, not from_client)
    acknowledged, end, data_end, reached = d.acknowledged, d.end, d.data_end, d.reached
    for s in segments:
        frame, _, side, flags, sequence, acknowledgment, length = s[:7]
        if flags & _RST:
            continue
        if side != from_client:
            if acknowledgment > acknowledged and frame >= begin:  # else of an older connection on the same ports
                acknowledged = acknowledgment
            continue
        if sequence > reached:
            reached = sequence
        start = sequence + 1 if flags & _SYN else sequence  # data of a SYN (RFC 7413) comes after its number
        stop = start + length
        if length:
            data_end = max(data_end, stop)
            sent.append((start, stop, s))
        if flags & _FIN:
            fins.append((stop, stop + 1))
            stop += 1
        if stop > end:
            end = stop
    d.acknowledged, d.end, d.data_end, d.reached = acknowledged, end, data_end, reached
    known = max(acknowledged, 1)
    _find_holes(d, [(start, stop) for start, stop, _ in sent] + fins, known)
    waiting = [(start, stop, s) for start, stop, s in sent if stop > known and not s.duplicate]
    if not waiting:
        return d
    oldest = min(max(start, known) for start, _, _ in waiting)
    d.tries = [s for start, stop, s in waiting if start <= oldest < stop]
    counted: set[int] = set()
    for start, _, s in waiting:
        if start not in counted:
            counted.add(start)
            d.waiting.append(s)
    begun = d.tries[0].timestamp
    d.echoes = [
        s for s in segments
        if s.from_client != from_client and not s.duplicate and not s.flags & _RST and s.timestamp >= begun
    ]  # fmt: skip
    return d


def _first_own(segments: tuple[Segment, ...], from_client: bool) -> int:
    """Frame of a side's SYN or SYN-ACK: what it sent before is not of this connection; 0 where it was not captured."""
    return next((s.frame for s in segments if s.from_client == from_client and s.flags & TcpFlag.SYN), 0)


def _find_holes(d: Delivery, ranges: list[tuple[int, int]], known: int) -> None:
    """Bytes never captured: below the acknowledgment they are the capture's fault, above it they were lost."""
    at = 1
    for start, stop in sorted(ranges):
        if start > at:
            if at < known:
                d.unseen += min(start, known) - at
            if start > known and d.hole is None:
                d.hole = (max(at, known), start)
        at = max(at, stop)
    # a FIN takes one number, and is acknowledged like a byte
    if known > at:
        d.unseen += known - at


def deliveries(handshake: Handshake, context: Context) -> tuple[Delivery, Delivery]:  # noqa: ARG001 - rules hand on what they are given
    """What the client and what the server sent."""
    segments = handshake.segments
    return read_delivery(segments, True), read_delivery(segments, False)


def path_mss(handshake: Handshake) -> int:
    """Payload of a full segment between the two ends, bytes, as their SYNs agreed; 0 when unknown."""
    flow = handshake.flow
    both = [mss for mss in (flow.client_mss, flow.server_mss) if mss]
    if not both:
        return 0
    stamped = any(s.options & TcpOption.TIMESTAMPS and not s.flags & _CONTROL for s in handshake.segments)
    return min(both) - (TIMESTAMPS if stamped else 0)


def data_after(segments: tuple[Segment, ...], frame: int, from_client: bool) -> list[Segment]:
    """Segments of a side after a frame, without copies and resets."""
    return [s for s in segments if s.frame > frame and s.from_client == from_client and not s.duplicate and not s.flags & TcpFlag.RST]


def answers_hello(handshake: Handshake) -> bool:
    """Whether bytes of the server that are no TLS came in answer to the ClientHello: they acknowledge it, wherever in the file they are."""
    frame = handshake.server_bytes_frame
    said = next((s for s in handshake.segments if s.frame == frame and not s.from_client), None)
    return said.acknowledgment > 1 if said is not None else frame > handshake.client_hello_first_frame


def closed_before_reading(handshake: Handshake, frame: int, of: int) -> bool:
    """Whether the client's FIN or RST in ``frame`` shows that frame ``of`` of the server, captured before it, had not reached it yet."""
    close = next((s for s in handshake.segments if s.frame == frame and s.from_client), None)
    said = next((s for s in handshake.segments if s.frame == of and not s.from_client), None)
    if close is None or said is None or not said.length or not close.flags & TcpFlag.ACK:
        return False
    return close.acknowledgment <= said.sequence


def closed_unheard(handshake: Handshake, frame: int) -> bool:
    """Whether the server's FIN or RST in ``frame`` came before a byte of the client was sent, or acknowledges none: no answer to any."""
    close = next((s for s in handshake.segments if s.frame == frame and not s.from_client), None)
    first = next((s for s in handshake.segments if s.from_client and s.length), None)
    if close is None or first is None:
        return False
    if close.timestamp < first.timestamp:
        return True
    heard = any(not s.from_client and s.acknowledgment > 1 and s.timestamp <= close.timestamp for s in handshake.segments)
    return bool(close.flags & TcpFlag.ACK) and close.acknowledgment == 1 and not heard


def vantage_of(handshake: Handshake) -> str:
    """Where the capture was taken, told from who answered at once in TCP's handshake: 'client', 'server' or ''."""
    flow = handshake.flow
    if flow.syns != 1 or flow.syn_acks != 1 or not flow.ack_frame:
        return ""
    acked = next((s.timestamp for s in handshake.segments if s.frame == flow.ack_frame), 0)
    there, back = flow.syn_ack_time - flow.syn_time, acked - flow.syn_ack_time
    if not acked or there < 0 or back < 0:
        return ""
    if back * _NEAR < there:
        return "client"
    return "server" if there * _NEAR < back else ""


def is_orphan_reset(handshake: Handshake, from_client: bool) -> bool:
    """Whether a side's host answered with a reset for a connection that it no longer had, without having closed it.

    A host that gives up a connection it still holds resets with ACK. One that has none resets without, and its sequence number is what
    the other side acknowledged (RFC 9293 section 3.5.2): where no FIN came before, something else had ended the connection there.
    """
    flow = handshake.flow
    frame = flow.client_rst_frame if from_client else flow.server_rst_frame
    fin = flow.client_fin_frame if from_client else flow.server_fin_frame
    if not frame or (fin and fin < frame):
        return False
    return any(s.frame == frame and not s.flags & TcpFlag.ACK for s in handshake.segments)


def resets_what_it_has(handshake: Handshake) -> bool:
    """Whether the client's reset is that of a host which holds the connection: such a one acknowledges the SYN-ACK, and where the
    program closes at once (HAProxy's check does) it is the only packet that does. A host that knows nothing of the connection
    resets without an acknowledgment (RFC 9293 section 3.5.2): a scanner's, which wrote the SYN itself."""
    frame = handshake.flow.client_rst_frame
    return any(s.frame == frame and s.flags & TcpFlag.ACK and s.acknowledgment == 1 for s in handshake.segments)


def traces_route(handshake: Handshake) -> bool:
    """Whether the client counts hops (traceroute -T, tcptraceroute): its packets ended on the way, and began with a TTL of no system."""
    expired = any((error.version, error.type, error.code) in ((4, 11, 0), (6, 3, 0)) for error in handshake.icmp)
    begun = max((s.ttl for s in handshake.segments if s.from_client), default=0)
    return expired and 0 < begun < _COUNTED


def has_two_clocks(handshake: Handshake) -> bool:
    """``clocks_disagree`` of its segments, which nobody makes where the kept rows show that all came in order."""
    return not handshake.is_whole and clocks_disagree(handshake.segments)


def clocks_disagree(segments: tuple[Segment, ...]) -> bool:
    """Whether the times of the two directions do not fit together: packets acknowledge what, by its time, was sent after them.

    Each direction was recorded with a clock of its own (two ports of a tap, two hosts). One shift of one of them then puts all in
    order; a byte that came late for another reason (its first copy was not captured) does not let itself be explained that way.
    """
    early = {True: 0, False: 0}
    most = dict.fromkeys((True, False), -(1 << 62))  # ns by which a side's packets came before what they acknowledge; negative: after
    for side in (True, False):
        ends: list[int] = []
        times: list[int] = []
        for s in sorted((s for s in segments if s.from_client != side and not s.flags & _RST), key=lambda s: s.timestamp):
            end = s.sequence + s.length + bool(s.flags & _SYN) + bool(s.flags & _FIN)
            if not ends or end > ends[-1]:
                ends.append(end)
                times.append(s.timestamp)
        for s in segments:
            if s.from_client != side or s.duplicate or s.acknowledgment < 1 or s.flags & _RST:
                continue
            at = bisect.bisect_left(ends, s.acknowledgment)
            if at < len(ends):
                lead = times[at] - s.timestamp
                early[side] += lead > 0
                most[side] = max(most[side], lead)
    return any(early[side] > 1 and most[side] > 0 and most[side] + most[not side] <= 0 for side in (True, False))


def has_holes(handshake: Handshake) -> bool:
    """Whether the capture lacks bytes that one side sent: a Finished or an alert may have been among them.

    Bytes that nobody acknowledged were lost on their way, and are not the capture's fault.
    """
    if handshake.is_whole:
        return False
    segments = handshake.segments
    if not segments:
        return handshake.flow.client_gaps > 0 or handshake.flow.server_gaps > 0
    return any(read_delivery(segments, side).unseen for side in (True, False))
