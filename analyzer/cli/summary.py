"""What ``handshake analyze`` prints for people: totals, causes, each failed handshake, what will fail next."""

from __future__ import annotations

import shlex
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from analyzer.cli.style import Style, cut, display_width, lay_out, wrap
from analyzer.diagnosis.words import count_text
from analyzer.export.escape import for_terminal
from analyzer.export.values import iso_time

if TYPE_CHECKING:
    from analyzer.model.finding import Finding
    from analyzer.model.handshake import Handshake

__all__ = ["Summary", "Totals", "explain_command", "server_of"]

_DETAILED = 20
"""With more failures than this each gets one line, without its sentence."""
_HEADER = ("stream", "cause", "confidence", "gave up", "server")
_MOST_ENDS = 100_000
"""Servers and clients of a cause that are told apart; with more there is a plus sign."""
_SHOWN_NEXT = 10
_SHOWN_EXAMPLES = 5
_UNKNOWN = "unknown"


class Totals(Protocol):
    """Counts of a run."""

    frames: int
    bytes: int
    flows: int
    handshakes: int
    completed: int
    failed: int
    unfinished: int
    no_handshake: int
    counters: dict[str, int]


class _Failure(NamedTuple):
    """What a failure is told with, but for its stream: there are few different ones."""

    capture: int
    server: str
    cause: str
    confidence: str
    gave_up: str


@dataclass(slots=True)
class _Cause:
    capture: int
    """Of the first of them, and its stream."""
    stream: int
    count: int = 0
    servers: set[tuple[str, int]] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    first_seen: int = 0


def _failure_of(handshake: Handshake) -> _Failure:
    finding, gave_up = handshake.finding, handshake.aborted_by
    return _Failure(
        handshake.flow.capture,
        server_of(handshake),
        finding.cause if finding is not None else _UNKNOWN,
        finding.confidence if finding is not None else "-",
        "nobody" if gave_up == "none" else gave_up,
    )


def _number_of(ends: set[str] | set[tuple[str, int]]) -> str:
    return f"{len(ends):,}{'+' if len(ends) >= _MOST_ENDS else ''}"


def server_of(handshake: Handshake) -> str:
    """The name asked for, else what a proxy was asked for, else the address; the port unless it is 443. Escaped."""
    flow, hello = handshake.flow, handshake.client_hello
    name = hello.server_name if hello is not None else None
    target = handshake.dialogue.target if handshake.dialogue is not None else None
    host, _, port = (target or "").rpartition(":")
    if not port.isdigit():
        host, port = "", str(flow.server_port)
    address = f"[{flow.server_address}]" if ":" in flow.server_address else flow.server_address
    known = name or host
    return cut(known or address) + ("" if known and port == "443" else f":{cut(port, 5)}")


def explain_command(capture: str, stream: int | str) -> str | None:
    """The command that shows one handshake; None where the capture cannot be read again."""
    if capture in ("-", "<stdin>", "stdin"):
        return None
    return for_terminal(f"handshake explain {shlex.quote(capture)} {stream}")


def _size(value: int) -> str:
    size = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class Summary:
    """Gathers handshakes one by one, then gives lines. Holds two numbers a failure and a row a cause."""

    def __init__(self, captures: Sequence[str], style: Style, *, filtered: bool = False) -> None:
        self._captures, self._style, self._filtered = captures, style, filtered
        self._streams = array("q")
        """Of each failure, and which it is of ``_failures``."""
        self._which = array("L")
        self._failures: dict[_Failure, int] = {}
        self._says: list[str] = []
        """Of the first ones."""
        self._causes: dict[tuple[str, str], _Cause] = {}
        self._shown = 0

    def add(self, handshake: Handshake) -> None:
        """Count one handshake that the filters let through."""
        self._shown += 1
        outcome, flow = handshake.outcome, handshake.flow
        if outcome == "completed":
            return
        cause = handshake.finding.cause if handshake.finding is not None else _UNKNOWN
        entry = self._causes.get((outcome, cause))
        if entry is None:
            entry = self._causes[outcome, cause] = _Cause(flow.capture, flow.stream, first_seen=flow.first_seen)
        entry.count += 1
        if len(entry.servers) < _MOST_ENDS:
            entry.servers.add((flow.server_address, flow.server_port))
        if len(entry.clients) < _MOST_ENDS:
            entry.clients.add(flow.client_address)
        entry.first_seen = min(entry.first_seen, flow.first_seen)
        if outcome == "failed":
            self._streams.append(flow.stream)
            self._which.append(self._failures.setdefault(_failure_of(handshake), len(self._failures)))
            if len(self._streams) <= _DETAILED:
                self._says.append(cut(handshake.finding.summary, 400) if handshake.finding is not None else "")

    def line_of(self, handshake: Handshake) -> str | None:
        """One line for a handshake that has just failed, None for others: what a stream shows as it goes."""
        if handshake.outcome != "failed":
            return None
        failure = _failure_of(handshake)
        moment = iso_time(handshake.flow.last_seen)[11:19]
        return f"{moment}  stream {handshake.flow.stream}  {failure.server}  {self._verdict(failure)}"

    def _verdict(self, failure: _Failure) -> str:
        gave_up = "" if failure.gave_up in ("unknown", "nobody") else f", {failure.gave_up} gave up"
        return f"{self._style.paint(failure.cause, 'red')} ({failure.confidence}{gave_up})"

    def lines(self, totals: Totals, next_to_fail: Iterable[Finding] = (), *, failures: bool = True) -> Iterator[str]:
        """The whole summary, line by line. ``failures=False`` leaves out the list (it was shown as it went)."""
        yield from self._totals(totals)
        yield from self._cause_table("Why they failed", ["failed"])
        yield from self._cause_table("Not counted as failures", ["unfinished", "no-handshake"])
        if failures and not self._failures:
            yield from self._examples()
        if failures and self._failures:
            yield from self._failure_list()
        yield from self._next(next_to_fail)

    def _totals(self, totals: Totals) -> Iterator[str]:
        parts = [f"{totals.completed:,} completed", f"{totals.failed:,} failed"]
        if totals.unfinished:
            parts.append(f"{totals.unfinished:,} unfinished")
        if totals.no_handshake:
            parts.append(f"{totals.no_handshake:,} without a handshake")
        ends = f"{count_text(totals.handshakes, 'TLS attempt')}: {', '.join(parts)}"
        read = f"  ({count_text(totals.frames, 'frame')}, {_size(totals.bytes)}, {count_text(totals.flows, 'connection')})"
        fits = display_width(ends + read) <= self._style.width
        bold = self._style.paint(ends, "bold")
        yield from [bold + read] if fits else [bold, read]
        if self._filtered:
            yield f"Shown: {self._shown:,} of {totals.handshakes:,}."
        if totals.frames and not totals.handshakes:
            reasons = sorted(totals.counters.items(), key=lambda item: -item[1])[:5]
            seen = "; ".join(f"{for_terminal(reason)}: {count:,}" for reason, count in reasons if count)
            yield from wrap("No TLS in this capture, and no attempt at a port of TLS." + (f" Frames by kind: {seen}." if seen else ""), 80)

    def _cause_table(self, title: str, outcomes: list[str]) -> Iterator[str]:
        chosen = [(cause, entry) for (outcome, cause), entry in self._causes.items() if outcome in outcomes]
        if not chosen:
            return
        chosen.sort(key=lambda item: (-item[1].count, item[0]))
        rows = [["count", "cause", "servers", "clients", "first seen (UTC)"]]
        for cause, entry in chosen:
            moment = iso_time(entry.first_seen)[:19].replace("T", " ")
            rows.append([f"{entry.count:,}", cause, _number_of(entry.servers), _number_of(entry.clients), moment])
        yield ""
        yield self._style.paint(title, "bold")
        header, *body = lay_out(rows, right=frozenset({0, 2, 3}))
        yield self._style.paint(header, "dim")
        yield from body

    def _examples(self) -> Iterator[str]:
        """Where nothing failed: how to see one handshake of each cause."""
        shown = sorted(self._causes.items(), key=lambda item: (-item[1].count, item[0][1]))[:_SHOWN_EXAMPLES]
        for (_, cause), entry in shown:
            command = explain_command(self._capture(entry.capture), entry.stream)
            if command is not None:
                yield f"  {self._style.paint(command, 'cyan')}" + (f"  # {cause}" if len(shown) > 1 else "")

    def _failure_list(self) -> Iterator[str]:
        yield ""
        yield self._style.paint("Failed handshakes", "bold")
        failures = list(self._failures)
        if len(self._streams) <= _DETAILED:
            for stream, which, says in zip(self._streams, self._which, self._says, strict=True):
                failure = failures[which]
                yield f"  stream {stream}  {failure.server}  {self._verdict(failure)}"
                if says:
                    yield from wrap(says, self._style.width, "      ")
                command = explain_command(self._capture(failure.capture), stream)
                if command is not None:
                    yield "      " + self._style.paint(command, "cyan")
            return
        header, *rests = lay_out([_HEADER[1:], *([f.cause, f.confidence, f.gave_up, f.server] for f in failures)])
        width = max(len(_HEADER[0]), len(str(max(self._streams))))
        yield self._style.paint(f"  {_HEADER[0]:>{width}}{header}", "dim")
        order: Iterable[int] = range(len(self._streams))
        if len({failure.capture for failure in failures}) > 1:
            order = sorted(order, key=lambda place: failures[self._which[place]].capture)  # stable: in time within each
        shown = None
        for place in order:
            which = self._which[place]
            if failures[which].capture != shown:
                shown = failures[which].capture
                command = explain_command(self._capture(shown), "STREAM")
                if command is not None:
                    yield f"  {self._style.paint(command, 'cyan')}"
            yield f"  {self._streams[place]:>{width}}{rests[which]}"

    def _capture(self, number: int) -> str:
        return self._captures[number] if number < len(self._captures) else "-"

    def _next(self, findings: Iterable[Finding]) -> Iterator[str]:
        warnings = list(dict.fromkeys((finding.cause, cut(finding.summary, 300)) for finding in findings))
        if not warnings:
            return
        yield ""
        yield self._style.paint("What will fail next", "bold")
        for cause, says in warnings[:_SHOWN_NEXT]:
            yield from wrap(f"{cause}: {says}", self._style.width, "  ", "      ")
        if len(warnings) > _SHOWN_NEXT:
            yield f"  ... and {len(warnings) - _SHOWN_NEXT:,} more (table 'findings')"
