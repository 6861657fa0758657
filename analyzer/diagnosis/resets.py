"""Who really sent a reset: the host it names, or a device on the path that speaks in its name.

A reset is judged by signs that do not depend on each other, each against what the same sender sent in this
connection and elsewhere in the run. What hosts do on their own must not count: Linux answers for a socket it no
longer has with a bare RST (IP-ID 0, no timestamps, the sequence number the other side acknowledged), an application
that closes with unread data resets right after its last bytes, and both have the TTL of everything else it sends.
After Weaver, Sommer and Paxson, "Detecting Forged TCP Reset Packets" (NDSS 2009).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import clocks_disagree
from analyzer.model.finding import Confidence, Evidence
from analyzer.model.handshake import Flow, Handshake, Segment
from analyzer.model.tcp import TcpFlag, TcpOption

__all__ = ["Reset", "Sign", "ended_by_doubtful_reset", "forged_reset", "judge_resets", "judge_segments", "reset_class", "settle_resets"]

_MS = 1_000_000
_JUMP = 3
"""Hops: a change of route within a connection is shorter, nearly always none."""
_ELSEWHERE = 8
"""The same between connections, which may take ways of their own."""
_WEAK, _STRONG = 1, 2
_FORGED, _SURE = 2, 4
"""Score from which a reset is called forged, and called so without doubt."""
_HOPS = 24
"""More of them than lie between a proxy and its server."""
_DEVICE = 255
"""Initial TTL of network gear; servers begin with 64 or 128."""
_HOST_TTL = 128
_FRESH = frozenset({64, 128, 255})
"""TTLs of a packet that no router has passed on yet."""
_COUNTER = 256
"""Most a sender's IP-ID counter moves between two packets of one connection here."""
_FAR = 4_096
_TRAIN_NS = 1_000 * _MS
_JUDGED = 16
"""Resets of a connection that are judged, each against all its segments: a flood of them costs no more."""
_SEVERAL = _COPIES = 3
_SLOW_ENOUGH = 10 * _MS
"""Round trips below this are too short to tell who was faster."""


class Sign(NamedTuple):
    """One thing that speaks for (positive) or against (negative) a forgery."""

    weight: int
    says: str


class Reset(NamedTuple):
    """A reset and what its signs add up to."""

    segment: Segment
    signs: tuple[Sign, ...]

    @property
    def score(self) -> int:
        """Sum of the weights."""
        return sum(sign.weight for sign in self.signs)

    @property
    def forged(self) -> bool:
        """The host it names did not send it."""
        return self.score >= _FORGED

    @property
    def doubtful(self) -> bool:
        """It is not called forged, and something speaks for it all the same: whose it is cannot be told."""
        against = [sign for sign in self.signs if sign.weight > 0]
        return not self.forged and (len(against) > 1 or any(sign.weight >= _STRONG or sign.says.startswith("TTL") for sign in against))

    @property
    def confidence(self) -> Confidence:
        """How sure that is, when forged."""
        return "certain" if self.score >= _SURE else "likely"

    @property
    def says(self) -> str:
        """The signs for it: 'strong: TTL 51 → 118, ...; weak: ...'."""
        strong = [sign.says for sign in self.signs if sign.weight >= _STRONG]
        weak = [sign.says for sign in self.signs if sign.weight == _WEAK]
        return "; ".join(f"{kind}: {', '.join(found)}" for kind, found in (("strong", strong), ("weak", weak)) if found)

    @property
    def evidence(self) -> list[Evidence]:
        """The reset and its signs."""
        who = words.side(self.segment.from_client)
        return [Evidence(self.segment.frame, f"a reset in the name of {who}"), Evidence(self.segment.frame, self.says)]


def judge_resets(handshake: Handshake, context: Context) -> tuple[Reset, ...]:
    """Every reset of the flow (copies left out) with its signs; made once for all rules of the handshake at hand."""
    return context.once(_judge_resets, handshake)


def _judge_resets(handshake: Handshake, context: Context) -> tuple[Reset, ...]:
    flow = handshake.flow
    if not (flow.client_rsts or flow.server_rsts):
        return ()
    profile = context.server(handshake)
    return judge_segments(handshake.segments, flow, tuple(profile.ttls), profile.fastest_connect, profile.connects)


def forged_reset(handshake: Handshake, context: Context) -> Reset | None:
    """The forged reset that ended the attempt: nothing but resets came before it; None when a host ended it."""
    if not (handshake.flow.client_rsts or handshake.flow.server_rsts):
        return None
    flow = handshake.flow
    if handshake.closing_alert is not None:
        return None
    closed = min((frame for frame in (flow.client_fin_frame, flow.server_fin_frame) if frame), default=0)
    for reset in judge_resets(handshake, context):
        if closed and reset.segment.frame > closed:
            return None
        if reset.forged:
            return reset
        return _partner(reset, judge_resets(handshake, context))
    return None


def ended_by_doubtful_reset(handshake: Handshake, context: Context) -> bool:
    """Whether a reset in the server's name ended it of which it cannot be told whose it is: it answers no offer for sure."""
    flow = handshake.flow
    if not flow.server_rst_frame or handshake.closing_alert is not None or 0 < flow.server_fin_frame < flow.server_rst_frame:
        return False
    first = next((reset for reset in judge_resets(handshake, context) if not reset.segment.from_client), None)
    return first is not None and first.doubtful


def _partner(first: Reset, resets: Sequence[Reset]) -> Reset | None:
    """The first reset shows nothing of itself, but others of its volley do."""
    for reset in resets[1:]:
        near = reset.segment.timestamp - first.segment.timestamp <= 5 * _MS
        if near and reset.forged and first.score >= 0:
            return reset
    return None


def settle_resets(handshake: Handshake, context: Context) -> None:
    """Say who ended an attempt that a device on the path reset: not the side in whose name it did."""
    if forged_reset(handshake, context) is not None:
        handshake.aborted_by = "middlebox"


def judge_segments(
    segments: tuple[Segment, ...], flow: Flow, elsewhere: tuple[int, ...] = (), fastest: int = 0, connects: int = 0
) -> tuple[Reset, ...]:
    """The signs of the first resets. ``elsewhere``: TTLs of the server in the run; ``fastest``: its shortest of ``connects``
    connects, ns."""
    judged: list[Reset] = []
    timed: bool | None = None  # whether what the two sides sent can be put in order
    for at, s in enumerate(segments):
        if s.flags & TcpFlag.RST and not s.duplicate:
            own = [o for o in segments if o.from_client == s.from_client and not o.flags & TcpFlag.RST and not o.duplicate]
            foreign = s.from_client and _is_half_open(s, own)  # the SYN was made by hand: its TTL and IP-ID tell nothing of the host
            timed = not clocks_disagree(segments) if timed is None else timed
            signs = [
                *(() if foreign else _ttl_signs(s, own, () if s.from_client else elsewhere, flow, segments)),
                *(() if foreign else _header_signs(s, own)),
                *(_time_signs(s, segments[:at], flow, fastest, connects) if timed else ()),
                *_alive_signs(s, segments[:at], segments[at + 1 :], own),
                *(_number_signs(s, segments, at, flow) if timed else ()),
                *_option_signs(s, own, segments),
                *_copy_signs(s, own, segments, flow),
            ]
            judged.append(Reset(s, tuple(signs)))
            if len(judged) == _JUDGED:
                break
    return tuple(judged)


def _is_half_open(r: Segment, own: Sequence[Segment]) -> bool:
    """A host's answer to a SYN-ACK it knows nothing of: a scanner sent the SYN past the host's own TCP, and never more than that."""
    return not r.flags & TcpFlag.ACK and r.sequence == 1 and bool(own) and all(s.flags & TcpFlag.SYN for s in own)


def _ttl_signs(r: Segment, own: Sequence[Segment], elsewhere: tuple[int, ...], flow: Flow, segments: Sequence[Segment]) -> list[Sign]:
    known = sorted({s.ttl for s in own} or set(elsewhere))
    if not known or not r.ttl:
        return _link_signs(r, flow, segments)
    nearest = min(known, key=lambda ttl: abs(ttl - r.ttl))
    jump = abs(nearest - r.ttl)
    if 0 < nearest - r.ttl < _HOPS and _only_syns(own):
        return []  # a SYN proxy stands before the server: the one sent the SYN-ACK, the other, behind it, the reset
    twice = flow.duplicates > 0 and _at_two_places(r.from_client, own, segments)
    if jump == 1 and twice:
        return []  # recorded on both sides of a router: each packet has two
    if not jump and r.ttl in _FRESH and any(s.duplicate and s.from_client == r.from_client and s.ttl == r.ttl - 1 for s in segments):
        return []  # ... and what the router makes itself begins with the TTL that it counts down from
    if not jump and not own and len(known) > 1:
        return []  # recorded at several places, or come on several ways, the server's packets have more than one
    if not jump or (r.ttl in elsewhere and own):
        return [Sign(-1, f"its TTL {r.ttl} is the sender's own")]
    says = f"TTL {nearest} → {r.ttl}"
    # a sender behind a load balancer or a SYN proxy has two TTLs of its own; one that is only known by such a SYN-ACK may
    gear = known[-1] > _HOST_TTL and (_only_syns(own) or not own)
    settled = known[-1] - known[0] < _JUMP and not gear
    if r.ttl in _FRESH and len(known) == 1 and own and known[0] not in _FRESH and not twice:
        return [Sign(_STRONG, f"{says}: no router passed it on, as the sender's other packets were")]
    far = _JUMP if own else _ELSEWHERE
    return [Sign(_STRONG if jump >= far and settled else _WEAK, says)]


def _at_two_places(from_client: bool, own: Sequence[Segment], segments: Sequence[Segment]) -> bool:
    """Whether copies of what a side sent came over another number of hops: at one place, each frame twice, they have the TTL it has."""
    return not {s.ttl for s in segments if s.duplicate and s.from_client == from_client} <= {s.ttl for s in own}


def _only_syns(own: Sequence[Segment]) -> bool:
    return bool(own) and all(s.flags & TcpFlag.SYN for s in own)


def _link_signs(r: Segment, flow: Flow, segments: Sequence[Segment]) -> list[Sign]:
    """Nothing to compare with: only a reset that no router has passed on, from a server that must be behind one."""
    if r.from_client or r.ttl != _DEVICE or not any(s.from_client and s.ttl in _FRESH for s in segments):
        return []
    client, server = flow.client_address, flow.server_address
    between = ":" if ":" in server else "."
    near = 3 if between == ":" else 2  # within one /48 or /16 they may be neighbours
    if client.split(between)[:near] == server.split(between)[:near]:
        return []
    return [Sign(_STRONG, f"TTL {r.ttl}: no router lies between its sender and the client, and the server is in another network")]


def _header_signs(r: Segment, own: Sequence[Segment]) -> list[Sign]:
    """IP-ID against the sender's own counter. 0 says nothing: Linux writes it where it has no socket any more."""
    if r.ip_id <= 0 or r.ttl == 0:
        return []
    numbers = [s.ip_id for s in own if s.frame < r.frame]
    counted = [n for n in numbers if n > 0]
    if counted:
        steps = [(b - a) % 65_536 for a, b in itertools.pairwise(counted)]
        forward = (r.ip_id - counted[-1]) % 65_536
        if 0 < forward <= _COUNTER:
            return [Sign(-_WEAK, f"its IP-ID {r.ip_id} goes on from the sender's {counted[-1]}")]
        if steps and all(0 < step <= _COUNTER for step in steps) and _FAR < forward < 65_536 - _FAR:
            return [Sign(_WEAK, f"IP-ID {counted[-1]} → {r.ip_id} while the sender counts by ones")]
        return []
    if len(numbers) >= 2 and all(s.dont_fragment for s in own):
        return [Sign(_WEAK, f"IP-ID {r.ip_id} while the sender always writes 0")]
    return []


def _time_signs(r: Segment, before: Sequence[Segment], flow: Flow, fastest: int, connects: int) -> list[Sign]:
    """Faster than the round trip to its sender, as measured where the capture was taken."""
    if not flow.syn_acks and flow.syn_frame and not r.from_client and fastest >= _SLOW_ENOUGH:
        after = r.timestamp - max((s.timestamp for s in before if s.from_client), default=r.timestamp)
        if 0 < after < fastest * 2 // 3:
            says = (
                f"RST {words.span_text(after)} after the SYN while the server answers others after {words.span_text(fastest)} at the least"
            )
            return [Sign(_STRONG if after < fastest // 3 else _WEAK, says)]
    if flow.syns != 1 or flow.syn_acks != 1 or not flow.syn_ack_frame or not flow.ack_frame:
        return []
    acked = next((s.timestamp for s in before if s.frame == flow.ack_frame), 0)
    if not acked:
        return []
    if r.from_client:
        trip = acked - flow.syn_ack_time
        since = max((s.timestamp for s in before if not s.from_client and s.length), default=0)
        cause = "the server's last bytes"
    else:
        trip = flow.syn_ack_time - flow.syn_time
        if fastest:
            trip = min(trip, fastest)
        data = [s for s in before if s.from_client and s.length and s.timestamp >= acked]
        # answering the connection itself it could be here a round trip after that, whatever was sent meanwhile
        proves = any(r.acknowledgment > s.sequence for s in data if not s.retransmission)
        since = next((s.timestamp for s in reversed(data) if r.acknowledgment > s.sequence), 0) if proves else acked
        cause = "what it acknowledges" if proves else "the connection was there"
    if not since or trip < _SLOW_ENOUGH:
        return []
    after = r.timestamp - since
    if trip // 3 <= after < trip * 2 // 3:
        return [Sign(_WEAK, f"RST {words.span_text(after)} after {cause} where a round trip takes {words.span_text(trip)} at the least")]
    if not 0 <= after < trip // 3:
        return []
    says = f"RST {words.span_text(after)} after {cause} where a round trip takes {words.span_text(trip)} at the least"
    # the SYN alone may have waited, for a radio to wake or an address to be resolved: the shortest of several did not
    return [Sign(_STRONG + (connects >= _SEVERAL and cause == "what it acknowledges"), says)]


def _alive_signs(r: Segment, before: Sequence[Segment], after: Sequence[Segment], own: Sequence[Segment]) -> list[Sign]:
    """The sender goes on as if nothing had been: a host that resets has forgotten the connection.

    What lies behind its reset in the stream it had sent before: it only comes later in the file.
    """
    data = acks = 0
    frame = 0
    clock = max((s.timestamp_value for s in (*before, r) if s.from_client == r.from_client), default=0)
    for s in after:
        if s.from_client != r.from_client:
            if s.flags & TcpFlag.SYN and not s.flags & TcpFlag.ACK:
                break  # a new attempt on the same ports
            continue
        if s.duplicate or s.flags & TcpFlag.RST or s.timestamp - r.timestamp < _MS:
            continue
        if s.flags & TcpFlag.SYN and not s.flags & TcpFlag.ACK:
            break
        if s.sequence + s.length < r.sequence + (s.length > 0) and not s.timestamp_value > clock:
            continue
        frame = frame or s.frame
        if s.length or s.flags & (TcpFlag.SYN | TcpFlag.FIN):
            data += 1
        else:
            acks += 1
    if data:
        # of several hosts behind one address another one may have answered that has no such connection (a changed route)
        orphan = not r.flags & TcpFlag.ACK and not r.ip_id and any(s.ttl == r.ttl for s in own)
        return [Sign(_STRONG + (data > 1 and not orphan), f"the sender went on sending after it (frame {frame})")]
    if acks:
        return [Sign(_STRONG if acks > 1 else _WEAK, f"the sender still acknowledged after it (frame {frame})")]
    return []


def _number_signs(r: Segment, segments: Sequence[Segment], at: int, flow: Flow) -> list[Sign]:
    """Sequence and acknowledgment against both streams: hosts reset where they stand, or where they are told they stand."""
    # an acknowledgment of an older connection on the same ports lies anywhere, before the beginning of this one too
    told = {s.acknowledgment for s in segments[:at] if s.from_client != r.from_client and s.flags & TcpFlag.ACK}
    mine = [s for s in segments[:at] if s.from_client == r.from_client and not s.flags & TcpFlag.RST]
    other_end = max((_end(s) for s in segments[:at] if s.from_client != r.from_client and not s.flags & TcpFlag.RST), default=0)
    signs: list[Sign] = []
    if not mine:
        if r.acknowledgment >= 0 and other_end and r.acknowledgment > other_end:
            signs.append(Sign(_STRONG, "it acknowledges what was never sent"))
        return signs
    top = max(_end(s) for s in mine)
    other_end = max(other_end, *(s.acknowledgment for s in mine))  # what its other packets acknowledge was sent, captured or not
    gaps = flow.client_gaps or flow.server_gaps or _only_begins_and_ends(segments, flow)
    natural = told | {top, *[s.sequence for s in mine if s.flags & TcpFlag.FIN]}
    volley = 0
    sequences: set[int] = set()
    unasked: set[int] = set()
    answered: set[int] = set()
    for s in segments:
        if s.from_client != r.from_client:
            answered.add(s.acknowledgment)  # what a host without the connection numbers its next reset by
        elif s.flags & TcpFlag.RST and not s.duplicate and abs(s.timestamp - r.timestamp) <= _TRAIN_NS:
            volley += 1
            sequences.add(s.sequence)
            if s.sequence not in answered:
                unasked.add(s.sequence)
    odd = sorted(unasked - natural)
    if odd and len(sequences) > 1 and not gaps:
        steps = sorted(sequences)
        step = {b - a for a, b in itertools.pairwise(steps)}
        even = len(step) == 1
        by = f" in steps of {step.pop()}" if even else ""
        signs.append(Sign(_STRONG + (even and len(odd) > 1), f"{volley} resets with other sequence numbers{by}"))
    elif r.sequence not in natural and not gaps:
        if r.sequence < top:
            signs.append(Sign(_STRONG, f"its sequence number lies {top - r.sequence} bytes behind what the sender had sent"))
        else:
            signs.append(Sign(_WEAK, f"its sequence number lies {r.sequence - top} bytes beyond what the sender had sent"))
    if r.flags & TcpFlag.ACK and r.acknowledgment > other_end and not gaps:
        signs.append(Sign(_STRONG, "it acknowledges what was never sent"))
    return signs


def _only_begins_and_ends(segments: Sequence[Segment], flow: Flow) -> bool:
    """Whether a filter on flags let nothing pass but SYN, FIN and RST: not even the ACK of the SYN-ACK. What was sent is not known."""
    return flow.syn_ack_frame > 0 and all(s.flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST) for s in segments)


def _option_signs(r: Segment, own: Sequence[Segment], segments: Sequence[Segment]) -> list[Sign]:
    """No timestamps though both sides use them: normal for an answer without a socket (a bare RST), not for RST with ACK."""
    if not r.flags & TcpFlag.ACK or r.options & TcpOption.TIMESTAMPS:
        return []
    if _only_syns(own) and r.ttl < min(s.ttl for s in own):
        return []
    used = {s.from_client for s in segments if s.options & TcpOption.TIMESTAMPS and not s.flags & TcpFlag.RST}
    if len(used) == 2 and all(s.options & TcpOption.TIMESTAMPS for s in own):
        return [Sign(_WEAK, "no timestamps although both sides use them")]
    return []


def _copy_signs(r: Segment, own: Sequence[Segment], segments: Sequence[Segment], flow: Flow) -> list[Sign]:
    """Recorded on all interfaces of a router, what passes through is there twice, and what it makes itself once."""
    if not flow.duplicates:
        return []
    passed_on = {(s.from_client, s.ttl - 1) for s in segments if not s.duplicate}
    copies = [s for s in segments if s.duplicate and (s.from_client, s.ttl) in passed_on]
    mine = [s for s in copies if s.from_client == r.from_client]
    if len(copies) < _COPIES or not own or len(mine) < len(own):
        return []
    # a reset without an IP-ID is not known for a copy
    if any(s.flags & TcpFlag.RST and s.from_client == r.from_client and s.sequence == r.sequence and s.frame != r.frame for s in segments):
        return []
    return [Sign(_STRONG, "it was recorded once and all else of its sender twice, as what is made where the capture was taken")]


def _end(s: Segment) -> int:
    return s.sequence + s.length + bool(s.flags & TcpFlag.SYN) + bool(s.flags & TcpFlag.FIN)


def reset_class(handshake: Handshake, frame: int | None = None) -> str | None:
    """Class of the tampering signatures that a reset belongs to: 'post-syn', 'post-ack', 'post-psh' or 'later-data'.

    The stage at which the reset came, whoever sent it (Sundara Raman et al., "Global, Passive Detection of Connection
    Tampering", SIGCOMM 2023). None without a reset; ``frame`` names one, else the first counts.
    """
    flow = handshake.flow
    first = frame or min((f for f in (flow.client_rst_frame, flow.server_rst_frame) if f), default=0)
    if not first:
        return None
    from_client = from_server = acked = 0
    for s in handshake.segments:
        if s.frame >= first:
            break
        if s.duplicate or s.retransmission:
            continue
        if s.length:
            from_client += s.from_client
            from_server += not s.from_client
        elif s.from_client and s.flags & TcpFlag.ACK:
            acked += 1
    if not from_client and not from_server:
        if flow.syn_ack_frame and any(s.frame == first and s.acknowledgment > 1 for s in handshake.segments):
            return "later-data"  # it acknowledges data, which the capture lacks
        return "post-ack" if acked else "post-syn"
    hello = handshake.client_hello_segments or 1
    return "post-psh" if not from_server and from_client <= max(1, hello) else "later-data"
