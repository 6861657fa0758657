"""The ladder as lines of text: two lifelines, an arrow a step, the verdict beneath. 80 columns, or what is asked for.

A line is a list of (text, look); ``plain`` joins it, ``rich_line`` makes it a rich Text. Looks: '', 'bold', 'dim', 'bad', 'good',
'warn', 'command'. Nothing is said by colour or by the form of a line alone: marks stand beside the title as words too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from analyzer.export.ladder.model import MARKS, Ladder, Mark, Step, Verdict
from analyzer.export.lines import cut, display_width, fill, wrap

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Line", "draw_text", "plain", "rich_line"]

Line = list[tuple[str, str]]

_STYLES = {"": "", "bold": "bold", "dim": "dim", "bad": "bold red", "good": "green", "warn": "yellow", "command": "cyan"}
_ORDER: tuple[Mark, ...] = ("forged", "lost", "sent again", "inferred", "encrypted", "decrypted")


class _Signs(NamedTuple):
    line: str
    strokes: dict[str, str]
    """Stroke of an arrow by its most telling mark; '' for what is in the clear."""
    cross: str
    left: str
    right: str
    dash: str


_UNICODE = _Signs(
    "│", {"": "─", "encrypted": "╌", "decrypted": "═", "inferred": "┈", "sent again": "┄", "lost": "┄", "forged": "~"}, "✗", "├", "┤", "─"
)
_ASCII = _Signs(
    "|", {"": "-", "encrypted": "=", "decrypted": "=", "inferred": ".", "sent again": "-", "lost": "-", "forged": "~"}, "X", "+", "+", "-"
)


def draw_text(ladder: Ladder, width: int = 80, *, ascii_only: bool = False) -> Iterator[Line]:
    """The whole picture in lines of at most ``width`` columns (60 at least); commands and names of captures stay whole."""
    width = max(width, 60)
    yield [("Stream ", "bold"), (str(ladder.stream), "bold"), (f" of {ladder.capture}" if ladder.capture else "", "bold")]
    yield from _facts(ladder, width)
    yield []
    yield from _Drawing(ladder, width, _ASCII if ascii_only else _UNICODE).lines()
    yield []
    yield from _verdict(ladder.verdict, width)


def plain(line: Line) -> str:
    """The line without looks."""
    return "".join(text for text, _ in line).rstrip()


def rich_line(line: Line) -> Text:
    """The line for rich."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ignore", end="\n")
    for part, look in line:
        text.append(part, _STYLES[look])
    text.rstrip()
    return text


def _facts(ladder: Ladder, width: int) -> Iterator[Line]:
    first, last = ladder.frames
    facts = [
        ("client", ladder.client),
        ("server", f"{ladder.server}{f', asked for {ladder.server_name}' if ladder.server_name else ''}"),
        ("began", f"{ladder.began}, frames {first} to {last}"),
        *ladder.facts,
    ]
    room = max(len(name) for name, _ in facts)
    for name, value in facts:
        lines = wrap(value, width, " " * (room + 4))
        for index, line in enumerate(lines):
            yield [(f"  {name:<{room}}  ", "dim"), (line[room + 4 :], "")] if index == 0 else [(line, "")]


class _Drawing:
    """Lifelines and arrows. ``lane`` columns lie between the lifelines."""

    def __init__(self, ladder: Ladder, width: int, signs: _Signs) -> None:
        self._steps, self._signs, self._ladder = ladder.steps, signs, ladder
        self._frame_width = min(max([5, *(len(step.frames) for step in ladder.steps)]), 13)
        self._time_width = max([7, *(len(_moment(step)) for step in ladder.steps)])
        self._margin = self._frame_width + self._time_width + 5
        self.lane = width - self._margin - 2

    def lines(self) -> Iterator[Line]:
        """Everything between the facts and the verdict."""
        head = f"{'frame':>{self._frame_width}}  {'ms':>{self._time_width}}   "
        gap = " " * max(self.lane + 2 - len("client") - len("server"), 1)
        yield [(head, "dim"), (f"client{gap}server", "bold")]
        if not self._steps:
            yield [("  no frame of it was kept", "dim")]
        for step in self._steps:
            yield from self._draw(step)
        yield from self._legend()

    def _left(self, step: Step | None) -> Line:
        if step is None:
            return [(" " * self._margin, "")]
        sign = "*" if step.evidence else " "
        return [
            (f"{step.frames:>{self._frame_width}}", ""),
            (sign, "warn"),
            (f" {_moment(step):>{self._time_width}}   ", "dim"),
        ]

    def _between(self, text: str, look: str, step: Step | None = None) -> Line:
        room = " " * max(self.lane - display_width(text), 0)
        return [*self._left(step), (self._signs.line, "dim"), (text, look), (room, ""), (self._signs.line, "dim")]

    def _draw(self, step: Step) -> Iterator[Line]:
        if step.from_client is None:
            yield from self._remark(step)
        else:
            yield self._arrow(step)
            for line in self._details(step):
                yield self._between(line, "dim")
        if step.broke:
            yield self._broke(step.broke)

    def _remark(self, step: Step) -> Iterator[Line]:
        if step.broke == step.title:
            return  # the mark says it
        look = "warn" if step.kind in ("icmp", "note") else "dim"
        lines = fill(step.title, self.lane - 4)
        for index, line in enumerate(lines):
            yield self._between(" " * ((self.lane - display_width(line)) // 2) + line, look, step if index == 0 else None)

    def _arrow(self, step: Step) -> Line:
        telling = next((mark for mark in _ORDER if mark in step.marks), "")
        stroke = self._signs.strokes[telling]
        lost = "lost" in step.marks
        label, room = step.label, self.lane - (12 if lost else 8)
        if display_width(label) > room:  # the size and the marks stay
            rest = label.removeprefix(step.title)
            label = cut(cut(step.title, max(room - display_width(rest), 8)) + rest, room)
        rest = stroke * (self.lane - display_width(label) - 5)
        if step.from_client:
            end = f"{rest[:-6]}  {self._signs.cross}    " if lost else f"{rest}>"
            body = [(f"{stroke * 2} ", ""), (label, _look(step)), (f" {end}", "")]
        else:
            end = f"    {self._signs.cross}  {rest[:-6]}" if lost else f"<{rest}"
            body = [(f"{end} ", ""), (label, _look(step)), (f" {stroke * 2}", "")]
        side = (self._signs.line, "dim")
        return [*self._left(step), side, *body, side]

    def _details(self, step: Step) -> list[str]:
        lines = [line for text in step.details for line in fill(text, self.lane - 8, "  ")]
        if not lines:
            return []
        if step.from_client:
            return [f"    {line}" for line in lines]
        indent = " " * max(self.lane - 4 - max(map(display_width, lines)), 0)
        return [f"{indent}{line}" for line in lines]

    def _broke(self, says: str) -> Line:
        text = f" {self._signs.cross} broke here: {says} "
        text = cut(text, self.lane - 2)
        spare = self.lane - display_width(text)
        dashes = self._signs.dash * (spare // 2), self._signs.dash * (spare - spare // 2)
        return [*self._left(None), (f"{self._signs.left}{dashes[0]}{text}{dashes[1]}{self._signs.right}", "bad")]

    def _legend(self) -> Iterator[Line]:
        marks = self._ladder.marks
        if any(step.evidence for step in self._steps):
            yield [(f"{' ' * self._frame_width}* a frame that the evidence names", "dim")]
        for mark in marks:
            yield [(f"{' ' * self._frame_width}{self._signs.strokes[mark] * 3} {mark}: {MARKS[mark]}", "dim")]
        if self._ladder.folded:
            yield [(f"{' ' * self._frame_width}{self._ladder.folded:,} steps are folded; --full draws them", "dim")]


def _moment(step: Step) -> str:
    return f"{step.at / 1e6:.3f}" if step.at is not None else ""


def _look(step: Step) -> str:
    if step.broke:
        return "bad"
    return "warn" if {"forged", "lost", "sent again"} & set(step.marks) else "bold" if step.kind in ("tls", "plain", "dialogue") else ""


def _verdict(verdict: Verdict, width: int) -> Iterator[Line]:
    look = {"completed": "good", "failed": "bad"}.get(verdict.outcome, "warn")
    yield [(verdict.head, look)]
    for line in wrap(verdict.summary, width, "  ") if verdict.summary else []:
        yield [(line, "")]
    yield from _section("Evidence", [says if frame is None else f"frame {frame}: {says}" for frame, says in verdict.evidence], width, 4)
    yield from _section("Remedy", verdict.remedy, width, 2)
    if verdict.confirm:
        yield []
        yield [("Confirm", "bold")]
        for command in verdict.confirm:
            yield [(f"  {command}", "command")]
    if verdict.also:
        yield []
        first, *more = wrap(f"Also: {', '.join(verdict.also)}", width, "", "  ")
        yield [("Also", "bold"), (first.removeprefix("Also"), "")]
        for line in more:
            yield [(line, "")]
    if verdict.filter:
        yield []
        yield [("Wireshark", "bold"), (f": {verdict.filter}", "")]


def _section(title: str, texts: Sequence[str], width: int, hanging: int) -> Iterator[Line]:
    if not texts:
        return
    yield []
    yield [(title, "bold")]
    for text in texts:
        for line in wrap(text, width, "  ", " " * (2 + hanging)):
            yield [(line, "")]
