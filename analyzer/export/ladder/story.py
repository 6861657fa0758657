"""What happened, in order: messages, the TCP events that matter, what others on the way said, what is missing.

Messages come from the handshake; SYN, FIN, RST, what was sent again or never arrived from its segments. Of a handshake whose
segments were not kept (it completed) the flow's own facts stand in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from analyzer.diagnosis import registry, words
from analyzer.errors import UsageError
from analyzer.export.escape import for_terminal
from analyzer.export.ladder import broken, fold, said
from analyzer.export.ladder.model import Ladder, Mark, Step, Verdict
from analyzer.export.ladder.segments import tcp_steps
from analyzer.export.lines import cut, paragraphs
from analyzer.export.values import iso_time
from analyzer.model.handshake import Handshake, Message
from analyzer.model.hello import Alert

__all__ = ["build_ladder"]

_SILENCE = 1_000_000_000
_FAULTS = 8
_ICMP = 8


def build_ladder(handshake: Handshake, captures: Sequence[str], *, most: int | None = fold.MOST) -> Ladder:
    """The ladder of a judged handshake. ``captures``: names, as ``Flow.capture`` indexes them.

    ``most``: steps that are drawn one by one, the others are folded with a word; None: all of them.
    """
    h, flow = handshake, handshake.flow
    cited = {frame for frame, _ in h.finding.evidence if frame is not None} if h.finding is not None else set()
    steps = _merge_records(_steps(h, cited))
    _mark_lost(steps)
    for step in steps:
        step.evidence = bool(cited) and any(frame in cited for frame in range(step.first_frame or step.frame, step.frame + 1))
    steps = _mark_silence(steps)
    broken.mark(h, steps)
    folded = 0
    if most is not None:
        steps, folded = fold.fold(steps, most)
    name = h.client_hello.server_name if h.client_hello is not None else None
    return Ladder(
        capture=for_terminal(captures[flow.capture]) if flow.capture < len(captures) else "",
        stream=flow.stream,
        client=_endpoint(flow.client_address, flow.client_port),
        server=_endpoint(flow.server_address, flow.server_port),
        server_name=cut(name, 100) if name else "",
        began=iso_time(flow.first_seen),
        frames=(flow.first_frame, flow.last_frame),
        facts=tuple(_facts(h)),
        verdict=_verdict(h),
        steps=steps,
        folded=folded,
    )


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class _Placed(NamedTuple):
    frame: int
    order: int
    step: Step


def _steps(h: Handshake, cited: set[int]) -> list[Step]:
    """Everything, in the order of the capture; within a frame what was said comes before what TCP did."""
    placed = [_Placed(step.frame, 0, step) for step in _dialogue_steps(h)]
    placed += [_Placed(step.frame, 1, step) for step in _message_steps(h)]
    placed += [_Placed(step.frame, 2, step) for step in tcp_steps(h, cited)]
    placed += [_Placed(step.frame, 3, step) for step in _icmp_steps(h)]
    placed += [_Placed(step.frame, 4, step) for step in _fault_steps(h)]
    placed.sort(key=lambda item: (item.frame, item.order))
    return [item.step for item in placed]


def _dialogue_steps(h: Handshake) -> Iterator[Step]:
    """Lines said before TLS, and bytes that are nothing known."""
    start = h.flow.first_seen
    times = {segment.frame: segment.timestamp for segment in h.segments}
    if h.dialogue is not None:
        for frame, from_client, text in h.dialogue.lines:
            at = times[frame] - start if frame in times else None
            yield Step(frame, at, from_client, "dialogue", f'"{cut(text, 60)}"')
        return
    shown = {m.from_client for m in h.messages if m.kind == "not_tls"}
    for from_client, data, frame in ((True, h.client_bytes, h.client_bytes_frame), (False, h.server_bytes, h.server_bytes_frame)):
        if data and frame and from_client not in shown:
            line = said.first_line(data)
            at = times[frame] - start if frame in times else None
            yield Step(frame, at, from_client, "plain", said.title_of("not_tls"), details=(line,) if line else ())


def _message_steps(h: Handshake) -> Iterator[Step]:
    alerts = {alert.position: alert for alert in h.alerts}
    seen: dict[str, int] = {}
    began = {True: False, False: False}  # the client's encrypted flight ends the server's
    for position, m in enumerate(h.messages):
        alert = alerts.get(position)
        if alert is not None and (alert.frame, alert.from_client) == (m.frame, m.from_client):
            yield _alert_step(h, m, alert)
            continue
        details: tuple[str, ...] = said.details_of(h, m, seen)
        seen[f"{m.kind}{m.from_client}"] = seen.get(f"{m.kind}{m.from_client}", 0) + 1
        title = said.title_of(m.kind)
        marks: list[Mark] = []
        size = m.length
        if m.decrypted:
            marks.append("decrypted")
        elif m.encrypted:
            marks.append("encrypted")
            if m.kind == "application_data" and _is_flight(h, m, began[True]):
                title, marks = "encrypted handshake", ["inferred"]
            elif m.kind == "encrypted_handshake" and m.frame == (h.client_finished_frame if m.from_client else h.server_finished_frame):
                title, marks = "Finished", ["inferred"]
        began[m.from_client] |= m.encrypted
        if m.kind == "not_tls":
            line = said.first_line(h.client_bytes if m.from_client else h.server_bytes)
            details = (line,) if line else ()
        yield Step(
            frame=m.frame,
            at=m.timestamp - h.flow.first_seen,
            from_client=m.from_client,
            kind="plain" if m.kind == "not_tls" else "tls",
            title=title,
            size=words.count_text(size, "byte"),
            details=details,
            marks=tuple(marks),
            first_frame=m.first_frame,
        )


def _is_flight(h: Handshake, m: Message, client_began: bool) -> bool:
    """TLS 1.3: whether an unreadable record carries the handshake, told from its place."""
    if not h.is_tls13:
        return False
    finished = h.client_finished_frame if m.from_client else h.server_finished_frame
    if finished:
        return m.frame <= finished
    return not m.from_client and not client_began


def _alert_step(h: Handshake, m: Message, alert: Alert) -> Step:
    marks: dict[str, Mark] = {"decrypted": "decrypted", "inferred": "inferred"}
    mark = marks.get(alert.how, "encrypted" if alert.encrypted else None)
    return Step(
        frame=m.frame,
        at=m.timestamp - h.flow.first_seen,
        from_client=m.from_client,
        kind="tls",
        title=said.alert_title(alert),
        size=words.count_text(m.length, "byte"),
        marks=(mark,) if mark is not None else (),
        first_frame=m.first_frame,
    )


_ICMP_WORDS = {
    (4, 3, 0): "network unreachable", (4, 3, 1): "host unreachable", (4, 3, 2): "protocol unreachable", (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed", (4, 3, 9): "network prohibited", (4, 3, 10): "host prohibited", (4, 3, 13): "prohibited by a filter",
    (4, 11, 0): "time to live exceeded", (6, 1, 0): "no route", (6, 1, 1): "prohibited by a filter", (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable", (6, 2, 0): "packet too big", (6, 3, 0): "hop limit exceeded",
}  # fmt: skip


def _icmp_steps(h: Handshake) -> Iterator[Step]:
    for error in h.icmp[:_ICMP]:
        what = _ICMP_WORDS.get((error.version, error.type, error.code), f"type {error.type}, code {error.code}")
        name = "ICMPv6" if error.version == 6 else "ICMP"
        room = f", no more than {error.mtu:,} bytes" if error.mtu else ""
        yield Step(error.frame, error.timestamp - h.flow.first_seen, None, "icmp", f"{name} from {error.reporter}: {what}{room}")


def _fault_steps(h: Handshake) -> Iterator[Step]:
    for fault in h.faults[:_FAULTS]:
        if fault.kind != "gap":
            yield Step(fault.frame, None, None, "note", f"{words.side(fault.from_client)}: {cut(fault.says, 120)}")


def _merge_records(steps: Iterable[Step]) -> list[Step]:
    """Records of one side in a row, of which nothing but the length is known, become one step with their lengths."""
    merged: list[Step] = []
    lengths: list[str] = []
    for step in steps:
        last = merged[-1] if merged else None
        alike = (
            last is not None
            and step.kind == "tls"
            and step.title in ("encrypted handshake", "application data", "encrypted handshake message")
            and (step.title, step.from_client, step.marks, step.kind) == (last.title, last.from_client, last.marks, last.kind)
        )
        if not alike or last is None:
            merged.append(step)
            lengths = [step.size.split(" ")[0]]
            continue
        lengths.append(step.size.split(" ")[0])
        last.first_frame = last.first_frame or last.frame
        last.frame = max(last.frame, step.frame)
        last.times += 1
        last.size = _lengths(lengths)
    return merged


def _lengths(lengths: list[str]) -> str:
    """'42 + 1,856 bytes'; past six the sum: '12 records, 14,480 bytes'."""
    if len(lengths) <= 6:
        return f"{' + '.join(lengths)} bytes"
    total = sum(int(length.replace(",", "")) for length in lengths)
    return f"{len(lengths):,} records, {total:,} bytes"


def _mark_lost(steps: list[Step]) -> None:
    """What was sent again and still never acknowledged had not arrived the first time either."""
    gone = {(step.from_client, step.repeats) for step in steps if step.repeats and "lost" in step.marks}
    for step in steps:
        if (step.from_client, step.frame) in gone and not step.repeats and "lost" not in step.marks:
            step.marks = (*step.marks, "lost")


def _mark_silence(steps: list[Step]) -> list[Step]:
    """Say where nothing happened for a second or longer."""
    result: list[Step] = []
    last: int | None = None
    for step in steps:
        if step.at is not None:
            if last is not None and step.at - last >= _SILENCE:
                result.append(Step(0, None, None, "silence", f"silence for {words.span_text(step.at - last)}"))
            last = max(last or 0, step.at)
        result.append(step)
    return result


def _facts(h: Handshake) -> Iterator[tuple[str, str]]:
    flow, answer = h.flow, h.server_hello
    if h.dialogue is not None:
        target = f" to {cut(h.dialogue.target, 80)}" if h.dialogue.target else ""
        yield "TLS by", f"{h.dialogue.via}{target}"
    if answer is not None and (text := said.agreed_text(answer)):
        yield "agreed", text
    if h.alpn is not None:
        yield "protocol", cut(h.alpn, 64)
    if flow.syn_time and flow.syn_ack_time >= flow.syn_time and flow.syn_ack_time:
        yield "round trip", f"{(flow.syn_ack_time - flow.syn_time) / 1e6:.3f} ms from SYN to SYN-ACK"
    if h.decryption:
        note = f": {cut(h.decryption_note, 100)}" if h.decryption_note else ""
        yield "key log", f"{h.decryption}{note}"
    if flow.retransmissions:
        yield "sent again", words.count_text(flow.retransmissions, "segment")
    if flow.out_of_order:
        yield "overtaken", f"{words.count_text(flow.out_of_order, 'segment')} came after a later one"
    if flow.duplicates:
        yield "copies", f"{words.count_text(flow.duplicates, 'frame')} recorded twice"
    if flow.one_way:
        yield "note", f"only {words.side(flow.server_frames == 0)}'s packets were captured"


def _verdict(h: Handshake) -> Verdict:
    finding = h.finding
    ended = {"client": "the client", "server": "the server", "middlebox": "a device between them"}.get(h.aborted_by, "")
    shown = f"tcp.stream == {h.flow.stream}"
    also = tuple(other.cause for other in h.also)
    if finding is None:
        return Verdict(h.outcome, ended_by=ended, also=also, filter=shown)
    try:
        title = registry.read_page(finding.cause).title
    except (UsageError, ValueError):  # a page that is still to be written
        title = ""
    return Verdict(
        h.outcome,
        cause=finding.cause,
        title=title,
        confidence=finding.confidence,
        ended_by=ended,
        summary=for_terminal(" ".join(paragraphs(finding.summary))),
        evidence=tuple((frame, for_terminal(says)) for frame, says in finding.evidence),
        remedy=tuple(for_terminal(text) for text in paragraphs(finding.remedy) if text.strip()),
        confirm=tuple(for_terminal(command) for command in finding.confirm),
        also=also,
        filter=shown,
    )
