"""Lines of text that came off the wire: their width in a terminal, cut or wrapped to fit."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from analyzer.export.escape import for_terminal
from analyzer.export.values import iso_time

__all__ = ["cut", "display_width", "fill", "paragraphs", "show", "wrap"]

_BROKEN_SENTENCE = r"(?<=[^.:;!?\n])\n(?=[^\n])"
_BROKEN_LABEL = r"(?<=[;.] )((?:\S+ )?\S+:)\n(?=[^\n])"
"""A name at the end of a line whose text is on the next, as in ``nginx: error_log; Java:``."""


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


def show(value: Any, dtype: str, limit: int) -> str:
    """The value of a column of this dtype (see ``schema``) as one printable line for people; ``-`` where it is not known."""
    if value is None:
        return "-"
    if dtype == "timestamp":
        return iso_time(value)
    if dtype == "float64":
        return f"{value:.3f}"
    if dtype == "bool":
        return "true" if value else "false"
    if dtype == "evidence":
        value = "; ".join(says if frame is None else f"frame {frame}: {says}" for frame, says in value)
    elif dtype.startswith("list"):
        value = " ".join(map(str, value))
    return cut(value, limit)


def paragraphs(text: str) -> list[str]:
    """The lines of ``text``; those that break in the middle of a sentence are joined."""
    return re.sub(_BROKEN_SENTENCE, " ", re.sub(_BROKEN_LABEL, r"\1 ", text)).split("\n")


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """``text`` in lines of at most ``width``; what is not printable is escaped, long words are left whole.

    Lines that break in the middle of a sentence are joined before they are broken anew.
    """
    import textwrap

    lines: list[str] = []
    for paragraph in paragraphs(text):
        lines += textwrap.wrap(
            for_terminal(paragraph),
            width,
            initial_indent=indent,
            subsequent_indent=indent if hanging is None else hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return lines


def fill(text: str, width: int, hanging: str = "") -> list[str]:
    """Printable ``text`` in lines of at most ``width`` columns, none wider: words too long for a line are broken.

    Lines after the first begin with ``hanging``.
    """
    lines: list[str] = []
    line, used = "", 0
    for word in text.split():
        size = display_width(word)
        if line.strip() and used + 1 + size <= width:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line.strip():
            lines.append(line)
            line, used = hanging, len(hanging)
        signs = list(word) if used + size > width else [word]
        for place, sign in enumerate(signs):
            step = display_width(sign)
            last = display_width(signs[-1]) if place == len(signs) - 2 and line.strip() else 0  # a comma does not stand alone
            if used + step + last > width:
                lines.append(line)
                line, used = hanging, len(hanging)
            line, used = line + sign, used + step
    return [*lines, line] if line.strip() else lines
