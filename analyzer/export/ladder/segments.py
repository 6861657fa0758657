"""The TCP side of the story: opening, closing, what was sent again, what never arrived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.export.ladder import said
from analyzer.export.ladder.model import Mark, Step
from analyzer.model.handshake import Flow, Handshake, Segment, Stage
from analyzer.model.tcp import TcpFlag

__all__ = ["tcp_steps"]

_HOLES = 16
_EARLY = (Stage.CONNECTED, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_NOT_TLS)


def tcp_steps(h: Handshake, cited: set[int]) -> Iterator[Step]:
    """TCP events worth an arrow. ``cited``: frames that the evidence names, drawn whatever they are."""
    segments = h.segments
    if segments:
        yield from _of_segments(h, segments, cited)
        yield from _holes(h.flow, segments)
    else:
        yield from _of_flow(h.flow)


def _of_flow(flow: Flow) -> Iterator[Step]:
    """What the flow itself remembers."""
    start = flow.first_seen
    for title, from_client, frame, time in (
        ("SYN", True, flow.syn_frame, flow.syn_time),
        ("SYN, ACK", False, flow.syn_ack_frame, flow.syn_ack_time),
        ("FIN", True, flow.client_fin_frame, flow.client_fin_time),
        ("FIN", False, flow.server_fin_frame, flow.server_fin_time),
        ("RST", True, flow.client_rst_frame, flow.client_rst_time),
        ("RST", False, flow.server_rst_frame, flow.server_rst_time),
    ):
        if frame:
            yield Step(frame, time - start if time else None, from_client, "tcp", title)


def _of_segments(h: Handshake, segments: tuple[Segment, ...], cited: set[int]) -> Iterator[Step]:
    carried = _Carried(h)
    acknowledged = _acknowledged(segments)
    answers = _Answers(h, segments)
    closed: set[tuple[bool, int]] = set()
    stalled: set[bool] = set()
    drawn = {m.frame for m in h.messages} | {line[0] for line in h.dialogue.lines} if h.dialogue else {m.frame for m in h.messages}
    for s in segments:
        if s.duplicate:
            continue
        title, details, size, repeats = "", [], "", 0
        marks: list[Mark] = []
        flags = s.flags
        if flags & TcpFlag.RST:
            title = "RST"
            usual = h.flow.client_ttl if s.from_client else h.flow.server_ttl
            if usual and s.ttl != usual and s.ttl:
                details.append(f"TTL {s.ttl}, others of {words.side(s.from_client)} have {usual}")
        elif flags & TcpFlag.SYN:
            title = "SYN, ACK" if flags & TcpFlag.ACK else "SYN"
            if s.mss and not s.retransmission:
                size = f"MSS {s.mss}, TTL {s.ttl}"
        elif flags & TcpFlag.FIN:
            title = "FIN"
        elif s.retransmission and s.length:
            title = carried.name(s) or "data"
        elif s.window == 0 and s.from_client not in stalled:
            stalled.add(s.from_client)
            title = "window of 0 bytes: no room for more"
        elif s.length == 0 and s is answers.first:
            title = "ACK"
            details.append("the hello has arrived" if h.client_hello is not None else "connected")
        elif s.frame in cited and s.frame not in drawn:
            title = "ACK" if not s.length else carried.name(s) or "data"
        if not title:
            continue
        if s.length and not flags & TcpFlag.FIN:
            size = f"{size}, " * bool(size) + words.count_text(s.length, "byte")
        if s.retransmission:
            marks.append("sent again")
            original = carried.original(s)
            if original is not None:
                repeats = original.frame
                details = [f"first sent in frame {original.frame}, {words.span_text(s.timestamp - original.timestamp)} before"]
            end = s.sequence + s.length + bool(flags & (TcpFlag.SYN | TcpFlag.FIN))
            if end > acknowledged[not s.from_client] and not (h.flow.one_way and h.stage != Stage.SYN):
                marks.append("lost")
        carried.note(s)
        closed.add((s.from_client, flags & (TcpFlag.FIN | TcpFlag.RST)))
        yield Step(
            frame=s.frame, at=s.timestamp - h.flow.first_seen, from_client=s.from_client, kind="tcp", title=title, size=size,
            details=tuple(details), marks=tuple(marks), repeats=repeats,
        )  # fmt: skip


class _Carried:
    """Which message a segment carried, and where its bytes were sent first."""

    def __init__(self, h: Handshake) -> None:
        self._first: dict[tuple[bool, int], Segment] = {}
        for s in h.segments:
            if s.length or s.flags & (TcpFlag.SYN | TcpFlag.FIN):
                self._first.setdefault((s.from_client, s.sequence), s)
        self._frames: dict[tuple[bool, int], str] = {}
        for m in h.messages:
            title = said.title_of(m.kind)
            for frame in range(m.first_frame, min(m.frame, m.first_frame + 64) + 1):
                self._frames.setdefault((m.from_client, frame), title)

    def original(self, s: Segment) -> Segment | None:
        """The segment that carried the same bytes first; None when it is ``s`` itself or unknown."""
        first = self._first.get((s.from_client, s.sequence))
        return first if first is not None and first.frame < s.frame else None

    def name(self, s: Segment) -> str:
        """'ClientHello', '' when unknown."""
        first = self._first.get((s.from_client, s.sequence), s)
        return self._frames.get((s.from_client, first.frame), "")

    def note(self, s: Segment) -> None:
        """Remember a segment's bytes as sent."""
        if s.length:
            self._first.setdefault((s.from_client, s.sequence), s)


class _Answers:
    """The acknowledgement that is all the server said, where that is the story."""

    def __init__(self, h: Handshake, segments: tuple[Segment, ...]) -> None:
        self.first: Segment | None = None
        if h.stage not in _EARLY:
            return
        if h.stage == Stage.CONNECTED:
            self.first = next((s for s in segments if s.from_client and s.flags & TcpFlag.ACK and not s.flags & TcpFlag.SYN), None)
            return
        end = h.client_hello_end or 2
        self.first = next((s for s in segments if not s.from_client and not s.flags & TcpFlag.SYN and s.acknowledgment >= end), None)


def _acknowledged(segments: tuple[Segment, ...]) -> dict[bool, int]:
    """Highest acknowledgement that each side sent, by ``from_client``."""
    highest = {True: -1, False: -1}
    for s in segments:
        if s.flags & TcpFlag.ACK and not s.flags & TcpFlag.RST:
            highest[s.from_client] = max(highest[s.from_client], s.acknowledgment)
    return highest


class _Hole(NamedTuple):
    begin: int
    end: int
    segment: Segment
    """The one that showed it."""


def _holes(flow: Flow, segments: tuple[Segment, ...]) -> Iterator[Step]:
    """Bytes that were sent and are in no frame."""
    if flow.segments_capped:
        return
    acknowledged = _acknowledged(segments)
    for from_client in (True, False):
        for hole in _holes_of(segments, from_client):
            missing = hole.end - hole.begin
            taken = acknowledged[not from_client] >= hole.end
            why = "the other side acknowledged them: the capture lacks them" if taken else "the other side never acknowledged them"
            yield Step(
                frame=hole.segment.frame,
                at=hole.segment.timestamp - flow.first_seen,
                from_client=from_client,
                kind="tcp",
                title=f"{words.count_text(missing, 'byte')} missing before this frame",
                details=(why,),
                marks=("lost",),
            )


def _holes_of(segments: tuple[Segment, ...], from_client: bool) -> list[_Hole]:
    top: int | None = None
    holes: list[_Hole] = []
    for s in segments:
        if s.from_client != from_client or s.flags & TcpFlag.RST:
            continue
        begin, end = s.sequence, s.sequence + s.length + bool(s.flags & TcpFlag.SYN) + bool(s.flags & TcpFlag.FIN)
        if top is not None and begin > top and len(holes) < _HOLES:
            holes.append(_Hole(top, begin, s))
        elif top is not None and end > begin:
            holes = [part for hole in holes for part in _without(hole, begin, end)]
        top = end if top is None else max(top, end)
    return holes


def _without(hole: _Hole, begin: int, end: int) -> list[_Hole]:
    """What is left of a hole when begin..end came after all."""
    if end <= hole.begin or begin >= hole.end:
        return [hole]
    parts = [_Hole(hole.begin, begin, hole.segment), _Hole(end, hole.end, hole.segment)]
    return [part for part in parts if part.end > part.begin]
