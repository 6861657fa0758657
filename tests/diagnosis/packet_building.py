"""One connection written packet by packet, as the tap sees it, and judged by the whole engine."""

from __future__ import annotations

from typing import Any

from analyzer.diagnosis.engine import Diagnosis
from analyzer.handshakes.stage import stage_of
from analyzer.model.batches import IcmpError
from analyzer.model.finding import Finding
from analyzer.model.handshake import Flow, Handshake, Message, Segment
from analyzer.model.hello import Alert, ClientHello, ServerHello

BEGIN = 1_700_000_000_000_000_000
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "E": 64, "W": 128}
OPTIONS = 0x10  # timestamps
SYN_OPTIONS = 0x17
MS = 1_000_000


class Talk:
    """Write with ``client`` and ``server`` (seconds since the last packet, flags, length), then ``handshake()``."""

    def __init__(
        self, *, mss: int = 1460, client_ttl: int = 64, server_ttl: int = 52, rtt: float = 0.040, frame: int = 1, **ends: Any
    ) -> None:
        self.now, self.frame, self.mss, self.rtt = BEGIN + int(ends.pop("begin", 0) * 1e9), frame, mss, rtt
        self.segments: list[Segment] = []
        self.next = {True: 0, False: 0}
        self.top = {True: -1, False: -1}
        self.ttl = {True: client_ttl, False: server_ttl}
        self.ip_id = {True: 100, False: 0}
        self.ends = {"client": "192.0.2.1", "client_port": 40000, "server": "198.51.100.2", "server_port": 443, "stream": 0, **ends}
        self.icmp: list[IcmpError] = []
        self.hello: ClientHello | None = None
        self.hello_frames: list[int] = []
        self.hello_end = 0
        self.fields: dict[str, Any] = {}

    def say(self, from_client: bool, after: float = 0.0, flags: str = "A", length: int = 0, **other: Any) -> Segment:
        """One segment. Numbers follow from what was said before unless they are given."""
        self.now += int(after * 1e9)
        bits = sum(FLAGS[letter] for letter in flags)
        sequence = other.pop("sequence", self.next[from_client])
        acknowledgment = other.pop("acknowledgment", self.next[not from_client] if "A" in flags else -1)
        options = other.pop("options", SYN_OPTIONS if "S" in flags else OPTIONS)
        ip_id = other.pop("ip_id", None)
        if ip_id is None:
            self.ip_id[from_client] += 1
            ip_id = 0 if "S" in flags and "A" in flags else self.ip_id[from_client]
        takes = length + ("S" in flags) + ("F" in flags)
        again = takes > 0 and sequence + takes <= self.top[from_client]
        segment = Segment(
            self.frame, self.now, from_client, bits, sequence, acknowledgment, length, other.pop("captured", length), other.pop("window", 500),
            other.pop("ttl", self.ttl[from_client]), ip_id, other.pop("dont_fragment", True), options, 1 if options & OPTIONS else 0,
            other.pop("retransmission", again), other.pop("duplicate", False), self.mss if "S" in flags else 0,
        )  # fmt: skip
        assert not other, other
        if "R" not in flags:
            self.top[from_client] = max(self.top[from_client], sequence + takes)
            self.next[from_client] = max(self.next[from_client], sequence + takes)
        self.frame += 1
        self.segments.append(segment)
        return segment

    def client(self, after: float = 0.0, flags: str = "A", length: int = 0, **other: Any) -> Segment:
        return self.say(True, after, flags, length, **other)

    def server(self, after: float = 0.0, flags: str = "A", length: int = 0, **other: Any) -> Segment:
        return self.say(False, after, flags, length, **other)

    def connect(self) -> Talk:
        """SYN, SYN-ACK, ACK: seen at the client."""
        self.client(flags="S")
        self.server(self.rtt, "SA")
        self.client(0.0001)
        return self

    def greet(
        self, name: str | None = "server.example", length: int = 517, *, versions: tuple[int, ...] = (0x0304, 0x0303), parts: int = 1
    ) -> Talk:
        """The ClientHello."""
        self.hello = ClientHello(
            length - 9, 0x0303, bytes([len(self.segments)]) * 32, b"", (0x1301, 0xC02B), server_name=name, supported_versions=versions
        )
        left = length
        for part in range(parts):
            size = left if part == parts - 1 else min(left, self.mss - 12)
            self.hello_frames.append(self.client(0.001 if not part else 0, "PA" if part == parts - 1 else "A", size).frame)
            left -= size
        self.hello_end = 1 + length
        return self

    def repeat(self, segment: Segment, *pauses: float) -> Talk:
        """The same data again and again."""
        for pause in pauses:
            self.say(segment.from_client, pause, "PA", segment.length, sequence=segment.sequence)
        return self

    def hello_segment(self) -> Segment:
        return next(s for s in self.segments if s.frame == self.hello_frames[0])

    def unreachable(self, code: int, reporter: str = "203.0.113.9", kind: int = 3, after: float = 0.0, quotes_server: bool = False) -> Talk:
        self.now += int(after * 1e9)
        ports = (self.ends["client_port"], self.ends["server_port"])
        ports = ports[::-1] if quotes_server else ports
        self.icmp.append(IcmpError(self.frame, self.now, reporter, 4, kind, code, 0, (0, 0), (0, 0), *ports, 0))
        self.frame += 1
        return self

    def handshake(self, **fields: Any) -> Handshake:
        """The attempt, with the facts of its flow counted from the packets."""
        real = [s for s in self.segments if not s.duplicate]
        by = {side: [s for s in real if s.from_client == side] for side in (True, False)}
        end = self.ends
        flow = Flow(
            end["stream"], end["stream"], end.get("capture", 0), end["client"], end["client_port"], end["server"], end["server_port"],
            self.segments[0].frame, self.segments[-1].frame, self.segments[0].timestamp, self.segments[-1].timestamp, "syn",
        )  # fmt: skip

        def first(side: bool, yes: int, no: int = 0) -> tuple[int, int]:
            return next(((s.frame, s.timestamp) for s in by[side] if s.flags & yes == yes and not s.flags & no), (0, 0))

        flow.syn_frame, flow.syn_time = first(True, 2, 16)
        flow.syn_ack_frame, flow.syn_ack_time = first(False, 18)
        flow.syns = sum(s.flags & 18 == 2 for s in by[True])
        flow.syn_acks = sum(s.flags & 18 == 18 for s in by[False])
        flow.ack_frame = next((s.frame for s in by[True] if s.flags & 22 == 16 and flow.syn_ack_frame and s.frame > flow.syn_ack_frame), 0)
        flow.client_frames, flow.server_frames = len(by[True]), len(by[False])
        flow.client_bytes, flow.server_bytes = (sum(s.length for s in by[side]) for side in (True, False))
        flow.client_fin_frame, flow.client_fin_time = first(True, 1)
        flow.server_fin_frame, flow.server_fin_time = first(False, 1)
        flow.client_rst_frame, flow.client_rst_time = first(True, 4)
        flow.server_rst_frame, flow.server_rst_time = first(False, 4)
        flow.client_rsts, flow.server_rsts = (sum(bool(s.flags & 4) for s in by[side]) for side in (True, False))
        flow.retransmissions = sum(s.retransmission for s in real)
        flow.duplicates = len(self.segments) - len(real)
        flow.client_mss = flow.server_mss = self.mss if flow.syn_frame else 0
        flow.client_ttl, flow.server_ttl = (by[side][0].ttl if by[side] else 0 for side in (True, False))
        h = Handshake(flow)
        h.known_segments = tuple(self.segments)
        h.icmp = self.icmp
        if self.hello is not None and any(s.frame == self.hello_frames[-1] for s in self.segments):
            frame = self.hello_frames[-1]
            time = next(s.timestamp for s in self.segments if s.frame == frame)
            h.client_hello, h.client_hello_frame, h.client_hello_time = self.hello, frame, time
            h.client_hello_first_frame, h.client_hello_segments, h.client_hello_end = (
                self.hello_frames[0],
                len(self.hello_frames),
                self.hello_end,
            )
            h.messages.append(Message(frame, time, True, "client_hello", self.hello.length, self.hello_frames[0]))
        for key, value in {**self.fields, **fields}.items():
            setattr(flow if hasattr(flow, key) and not isinstance(value, bytes) else h, key, value)
        acked = None
        if h.client_hello_end and by[False]:
            acked = any(s.acknowledgment >= h.client_hello_end for s in by[False] if not s.flags & 4)
        h.stage = fields.get("stage") or stage_of(h, False, lambda: acked)
        return h

    def answer(self, after: float = 0.040, length: int = 1200, version: int = 0x0303) -> Talk:
        """A ServerHello, and what follows it."""
        segment = self.server(after, "PA", length)
        self.fields["server_hello"] = ServerHello(80, 0x0303, b"\2" * 32, b"", 0xC02B, selected_version=version)
        self.fields["server_hello_frame"], self.fields["server_hello_time"] = segment.frame, segment.timestamp
        return self

    def completed(self) -> Handshake:
        """A neighbour that went well."""
        self.answer()
        return self.handshake(stage="established", client_application_records=3, server_application_records=5, client_application_bytes=99)

    def alert(self, description: int, after: float = 0.040, from_client: bool = False) -> Alert:
        segment = self.say(from_client, after, "PA", 7)
        return Alert(segment.frame, segment.timestamp, from_client, 2, description, False, position=1)


def judge(*handshakes: Handshake, seconds_more: float = 0.0) -> Handshake:
    """Judge the first one, beside the others, in a capture that goes on for ``seconds_more`` after the last packet."""
    diagnosis = Diagnosis()
    for number, handshake in enumerate(handshakes):
        handshake.flow.stream = handshake.flow.number = number
    end = max(handshake.flow.last_seen for handshake in handshakes)
    diagnosis.context.note_capture(0, first_seen=BEGIN, last_seen=end + int(seconds_more * 1e9))
    diagnosis.judge_all(handshakes)
    assert not diagnosis.bugs, diagnosis.bugs[0].traceback
    return handshakes[0]


def cause(handshake: Handshake) -> str | None:
    return handshake.finding.cause if handshake.finding is not None else None


def verdict(handshake: Handshake) -> tuple[str | None, str, str]:
    return cause(handshake), handshake.outcome, handshake.aborted_by


def noted(handshake: Handshake) -> set[str]:
    return {finding.cause for finding in handshake.also}


def found(handshake: Handshake) -> Finding:
    assert handshake.finding is not None
    return handshake.finding
