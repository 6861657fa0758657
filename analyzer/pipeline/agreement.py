"""Our reading of a capture beside tshark's, message by message.

Compared, stream by stream: which tcp.stream a connection is; every handshake message, alert and ChangeCipherSpec
with its frame and its sender; the server name, the version and the suite chosen. Not compared, because only one of the
two looks at it: what follows a completed handshake beyond where we stop reading. What each program does differently
on purpose is in ``docs/differences.md``; each such case is counted under ``explained``, none is dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from analyzer import registries
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run
from analyzer.registries.handshake_types import HANDSHAKE_TYPES
from analyzer.sources.dissection import DissectedFrame
from analyzer.sources.tshark import read_dissection

__all__ = ["Agreement", "Disagreement", "compare_readings", "verify"]

_NAMES = frozenset(HANDSHAKE_TYPES.values())


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that the two readings say differently. ``frame`` is None for what no single frame shows."""

    stream: int
    frame: int | None
    what: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        where = f"stream {self.stream}" + (f", frame {self.frame}" if self.frame is not None else "")
        return f"{where}: {self.what}: here {self.ours}; tshark {self.theirs}"


@dataclass(slots=True)
class Agreement:
    """What was compared in one capture, and what differs."""

    capture: str
    connections: int = 0
    handshakes: int = 0
    messages: int = 0
    """Handshake messages, alerts and ChangeCipherSpecs that both read the same."""
    explained: Counter[str] = field(default_factory=Counter)
    """Differences whose reason is known, by reason."""
    disagreements: list[Disagreement] = field(default_factory=list)


_Key = tuple[int, bool]
"""(frame, from the client)"""
_Told = dict[_Key, Counter[str]]
"""What ended in a frame, by side."""

UNREAD = "handshake record (encrypted)"
CLOSED_ALERT = "alert (encrypted)"

CUT = "frames cut by the snaplen: tshark reads no record that reaches beyond one"
MOVED = "segments out of order or sent again: we name the frame with the last byte, tshark the one that closed the gap"
OPENED = "opened with the key log here, not by tshark"
BEHIND_A_HOLE = "bytes that were not captured: tshark waits for them, we read on behind them"
MALFORMED = "bytes that break the protocol, which we note as a fault: each reader makes of them what it can"
LONG = "a message beyond 64 kB: tshark takes its records for encrypted ones"
MID_STREAM = "a connection whose begin was not captured: tshark does not look for TLS in it"
FAST_OPEN = "data in a SYN that was sent again: tshark counts the sequence numbers otherwise"
NOT_OPENED = "records that tshark opens, of a suite that we say we do not open (decryption_note), or that encrypts nothing"
PLAIN = "a connection that speaks another protocol too: tshark leaves all of it to that one"
RESUMED = "tshark opens a resumed session with the keys of the one before"
WRAPPED = "TLS inside a protocol in which tshark does not look for it"
WENT_ON = "after a completed handshake we stop reading"


def verify(path: str, options: Options | None = None) -> Agreement:
    """Read a file here and with tshark, and compare. Raises SourceError."""
    options = options or Options()
    run = Run([path], replace(options, failed_only=False, cause=None, server=None))
    handshakes = list(run.handshakes())
    flows = {row["stream"]: row["first_frame"] for row in run.flow_rows(set())}
    return compare_readings(run.captures[0], handshakes, flows, read_dissection(path, options.keylog))


def compare_readings(capture: str, handshakes: Iterable[Handshake], flows: dict[int, int], frames: Iterable[DissectedFrame]) -> Agreement:
    """``flows``: the first frame of each tcp.stream, as counted here; ``frames``: tshark's, in order."""
    agreement = Agreement(capture)
    theirs: dict[int, list[DissectedFrame]] = {}
    stream_of: dict[int, int] = {}
    for frame in frames:
        theirs.setdefault(frame.stream, []).append(frame)
        stream_of[frame.number] = frame.stream
    for stream, first in flows.items():
        if first in stream_of:
            agreement.connections += 1
            if stream_of[first] != stream:
                agreement.disagreements.append(Disagreement(stream, first, "number of the stream", str(stream), str(stream_of[first])))
    seen = set()
    for handshake in handshakes:
        agreement.handshakes += 1
        seen.add(handshake.flow.stream)
        _compare(handshake, theirs.get(handshake.flow.stream, []), agreement)
    for stream, found in theirs.items():
        if stream not in seen:
            ended = [(frame.number, told) for frame in found if (told := _told(frame))]
            if ended:
                agreement.disagreements.append(Disagreement(stream, ended[0][0], "TLS", "none", _words(ended[0][1])))
    return agreement


def _compare(h: Handshake, frames: list[DissectedFrame], agreement: Agreement) -> None:
    ours, opened = _read_here(h)
    theirs = _read_there(h, frames)
    until = max((m.frame for m in h.messages), default=0) if h.outcome == "completed" else None
    only_here: _Told = {}
    only_there: _Told = {}
    for key in ours.keys() | theirs.keys():
        here, there = ours.get(key, Counter()), theirs.get(key, Counter())
        agreement.messages += (here & there).total()
        if here == there:
            continue
        if until is not None and key[0] > until:
            agreement.explained[WENT_ON] += there.total()
            continue
        only_here[key], only_there[key] = here - there, there - here
    if only_here or only_there:
        _explain(h, only_here, only_there, opened, bool(theirs), agreement.explained)
    for key in sorted(only_here.keys() | only_there.keys()):
        here, there = +only_here.get(key, Counter()), +only_there.get(key, Counter())
        if here or there:
            side = "client" if key[1] else "server"
            agreement.disagreements.append(Disagreement(h.flow.stream, key[0], f"messages of the {side}", _words(here), _words(there)))
    _compare_facts(h, frames, agreement)


def _explain(h: Handshake, only_here: _Told, only_there: _Told, opened: _Told, read: bool, explained: Counter[str]) -> None:
    """Take out of both what a known difference accounts for."""
    flow = h.flow
    if h.dialogue is not None and not read:
        explained[WRAPPED] += _take(only_here)
    if flow.out_of_order or flow.retransmissions:
        explained[MOVED] += _cancel(only_here, only_there)
    for key in list(only_here):
        closed = only_here[key] & opened.get(key, Counter())
        only_here[key] -= closed
        only_there[key] -= Counter({UNREAD: closed.total(), CLOSED_ALERT: closed.total()})
        explained[OPENED] += closed.total()
        if h.resumption is not None:
            explained[RESUMED] += _match_closed(only_here[key], only_there[key])
        if h.decryption_note or (h.server_hello is not None and "_NULL_" in registries.name_of_cipher_suite(h.server_hello.cipher_suite)):
            explained[NOT_OPENED] += _match_closed(only_here[key], only_there[key])
    if not flow.syn_frame and not flow.syn_ack_frame and not read:
        explained[MID_STREAM] += _take(only_here)
    if flow.syn_frame and h.client_hello_first_frame == flow.syn_frame:
        explained[FAST_OPEN] += _take(only_here)
    if h.client_bytes or h.server_bytes:
        explained[PLAIN] += _take(only_here)
    for message in h.messages:
        if message.length > 0xFFFF:
            explained[LONG] += sum(_take(told, message.from_client, message.first_frame) for told in (only_here, only_there))
    for fault in h.faults:
        if fault.kind in ("defect", "cap", "overlap"):
            begin = fault.frame if fault.kind == "defect" else 0
            explained[MALFORMED] += sum(_take(told, fault.from_client, begin) for told in (only_here, only_there))
    if flow.truncated:
        explained[CUT] += _take(only_here)
    if flow.client_gaps or flow.server_gaps:
        explained[BEHIND_A_HOLE] += _take(only_here)


def _match_closed(here: Counter[str], there: Counter[str]) -> int:
    """Take out what is closed here and read there, one for one."""
    matched = 0
    for word in list(there):
        unread = CLOSED_ALERT if word.startswith("alert") else UNREAD
        same = min(there[word], here[unread])
        there[word] -= same
        here[unread] -= same
        matched += same
    return matched


def _take(told: _Told, side: bool | None = None, begin: int = 0) -> int:
    """Take out everything: of one side, and from a frame on, where these are given."""
    keys = [key for key in told if side in (None, key[1]) and key[0] >= begin]
    return sum(told.pop(key).total() for key in keys)


def _cancel(only_here: _Told, only_there: _Told) -> int:
    """Take out what both have on the same side in different frames."""
    moved = 0
    for side in (True, False):
        here = sum((words for key, words in only_here.items() if key[1] == side), Counter())
        there = sum((words for key, words in only_there.items() if key[1] == side), Counter())
        for told, common in ((only_here, here & there), (only_there, here & there)):
            for key, words in told.items():
                if key[1] == side:
                    told[key] = words - common
                    common = common - words
        moved += (here & there).total()
    return moved


def _words(told: Counter[str]) -> str:
    return ", ".join(f"{count} x {word}" if count > 1 else word for word, count in told.items()) or "nothing more"


def _compare_facts(h: Handshake, frames: list[DissectedFrame], agreement: Agreement) -> None:
    """Names and numbers that both read; of a hello with a fault each reads as far as it can."""

    def differ(frame: int, what: str, here: str | None, there: str | None) -> None:
        if (here or None) != (there or None):
            agreement.disagreements.append(Disagreement(h.flow.stream, frame, what, here or "none", there or "none"))

    hello, answer = h.client_hello, h.server_hello or h.hello_retry
    broken = {(fault.frame, fault.from_client) for fault in h.faults if fault.kind == "defect"}
    for frame in frames:
        if hello is not None and frame.number == h.client_hello_frame and 1 in frame.handshake_types and (frame.number, True) not in broken:
            differ(frame.number, "server name", hello.server_name, frame.server_names[0] if frame.server_names else None)
        answered = answer is not None and frame.number == h.server_hello_frame and (frame.number, False) not in broken
        if answer is not None and answered and frame.version is not None and frame.cipher_suite is not None:
            differ(frame.number, "version", registries.name_of_version(answer.selected_version), registries.name_of_version(frame.version))
            differ(
                frame.number,
                "cipher suite",
                registries.name_of_cipher_suite(answer.cipher_suite),
                registries.name_of_cipher_suite(frame.cipher_suite),
            )


def _read_here(h: Handshake) -> tuple[_Told, _Told]:
    """What ended in each frame, and of that what only the key log opened."""
    alerts = {alert.position: alert for alert in h.alerts}
    found: _Told = {}
    opened: _Told = {}
    for position, message in enumerate(h.messages):
        if message.kind == "alert":
            alert = alerts.get(position)
            known = alert is not None and alert.how != "inferred"
            word = _alert(alert.level, alert.description) if known and alert is not None else CLOSED_ALERT
        elif message.kind == "encrypted_handshake":
            word = UNREAD
        elif message.kind == "change_cipher_spec" or message.kind in _NAMES:
            word = "server_hello" if message.kind == "hello_retry_request" else message.kind
        else:
            continue  # records that say nothing to a reader of messages
        key = message.frame, message.from_client
        found.setdefault(key, Counter())[word] += 1
        if message.decrypted:
            opened.setdefault(key, Counter())[word] += 1
    return found, opened


def _told(frame: DissectedFrame) -> Counter[str]:
    told = Counter({UNREAD: frame.unread, "change_cipher_spec": frame.change_cipher_specs})
    told.update("server_hello" if number == 6 else registries.name_of_handshake_type(number) for number in frame.handshake_types)
    told.update(_alert(level, description) for level, description in frame.alerts)
    return +told


def _alert(level: int | None, description: int | None) -> str:
    return CLOSED_ALERT if level is None or description is None else f"alert {registries.name_of_alert(description)} (level {level})"


def _read_there(h: Handshake, frames: list[DissectedFrame]) -> _Told:
    flow = h.flow
    found = {}
    for frame in frames:
        told = _told(frame)
        if told:
            same = flow.client_port == flow.server_port
            from_client = frame.source == flow.client_address if same else frame.source_port == flow.client_port
            found[frame.number, from_client] = told
    return found
