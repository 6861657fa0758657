"""Plain text for people: widths, colours, tables. No rich: most output goes into a pipe."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence

from analyzer.export.escape import for_terminal

__all__ = ["Style", "cut", "display_width", "lay_out", "say", "wrap"]

_BROKEN_SENTENCE = re.compile(r"(?<=[^.:;!?\n])\n(?=[^\n])")
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def say(line: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(line + "\n")


class Style:
    """How to write to standard output (or a file): its width, and whether it takes colours (a terminal, no NO_COLOR)."""

    def __init__(self, *, file: bool = False) -> None:
        terminal = not file and sys.stdout.isatty()
        self.colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.width = max(min(shutil.get_terminal_size((80, 24)).columns, 120), 40) if terminal else 80

    def paint(self, text: str, *looks: str) -> str:
        """``text`` in these looks: bold, dim, red, green, yellow, cyan."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[look] for look in looks)}m{text}\x1b[0m"


def display_width(text: str) -> int:
    """Columns that ``text`` takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def cut(text: object, limit: int = 100) -> str:
    """Text off the wire as one printable line of at most ``limit`` columns."""
    shown = for_terminal(str(text))
    if display_width(shown) <= limit:
        return shown
    while shown and display_width(shown) >= limit:
        shown = shown[: max(len(shown) - max((display_width(shown) - limit) // 2, 1), 0)]
    return shown + "…"


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """``text`` in lines of at most ``width``; what is not printable is escaped, long words are left whole.

    Lines that break in the middle of a sentence are joined before they are broken anew.
    """
    lines: list[str] = []
    for paragraph in _BROKEN_SENTENCE.sub(" ", text).split("\n"):
        lines += textwrap.wrap(
            for_terminal(paragraph),
            width,
            initial_indent=indent,
            subsequent_indent=indent if hanging is None else hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return lines


def lay_out(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset(), gap: str = "  ", indent: str = "  ") -> list[str]:
    """Rows as aligned lines; columns in ``right`` are set to the right. Cells must be escaped already."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - display_width(cell))
            cells.append(room + cell if index in right else cell + room)
        lines.append((indent + gap.join(cells)).rstrip())
    return lines
