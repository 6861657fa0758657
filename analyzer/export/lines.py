"""Lines of text that came off the wire: their width in a terminal, cut or wrapped to fit."""

from __future__ import annotations

import re
import textwrap
import unicodedata

from analyzer.export.escape import for_terminal

__all__ = ["cut", "display_width", "paragraphs", "wrap"]

_BROKEN_SENTENCE = re.compile(r"(?<=[^.:;!?\n])\n(?=[^\n])")


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


def paragraphs(text: str) -> list[str]:
    """The lines of ``text``; those that break in the middle of a sentence are joined."""
    return _BROKEN_SENTENCE.sub(" ", text).split("\n")


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """``text`` in lines of at most ``width``; what is not printable is escaped, long words are left whole.

    Lines that break in the middle of a sentence are joined before they are broken anew.
    """
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
