"""Plain text for people: widths, colours, tables. No rich: most output goes into a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from analyzer.export.lines import cut, display_width, wrap

__all__ = ["Style", "cut", "display_width", "lay_out", "say", "wrap"]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def say(line: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(line + "\n")


class Style:
    """How to write to standard output (or a file): its width, and whether it takes colours (a terminal, no NO_COLOR)."""

    def __init__(self, *, file: bool = False) -> None:
        terminal = not file and sys.stdout.isatty()
        self.colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.width = _terminal_width() if terminal else 80

    def paint(self, text: str, *looks: str) -> str:
        """``text`` in these looks: bold, dim, red, green, yellow, cyan."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[look] for look in looks)}m{text}\x1b[0m"


def _terminal_width() -> int:
    import shutil  # with its archivers: a pipe needs none of it

    return max(min(shutil.get_terminal_size((80, 24)).columns, 120), 40)


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
