"""Text that an attacker can put into a name, and rows to put it into."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from hypothesis import strategies as st

from analyzer.schema import HANDSHAKES

PAYLOADS = (
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[1;1Hclean",
    "\x9b31mred",
    "\x1bP$q\x1b\\",
    "a\rb",
    "a\nfake line: completed",
    "a\r\nb",
    "tab\there",
    "nul\0here",
    "\x7fdel",
    "evil\u202egnp.exe",
    "\u2066isolate\u2069",
    "\u200fmark",
    "zero\u200bwidth\ufeff",
    "line\u2028separator\u2029",
    "\ud800lone",
    "bytes\udcff\udc80",
    "tag\U000e0041",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\uff1d1+1",
    '"quoted",comma;semicolon',
    "'; DROP TABLE handshakes; --",
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\" onmouseover='x'",
    "{{7*7}}${7*7}",
    "[link](javascript:alert(1)) | `code` |",
    "$(reboot)",
    "`id`",
    "-",
    "(empty)",
    "\\x09",
    "NaN",
    "null",
    "münchen.example",
    "日本語.example",
    "x" * 5000,
)

ANY_TEXT = st.text(st.characters(), max_size=40)  # lone surrogates included
FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def is_harmless(text: str) -> bool:
    """No control, format, surrogate or separator character that moves, hides or reorders text."""
    return not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(sign) in (
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") for sign in text) and not set(text) & set(
        "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u061c")  # fmt: skip


def a_row(text: str = "example.com") -> dict[str, object]:
    """A handshake with every column filled, and ``text`` in every one that holds text."""
    filled: dict[str, object] = {
        "string": text,
        "int64": 7,
        "float64": 1.5,
        "bool": True,
        "timestamp": 1_714_564_800_123_456_789,
        "list[string]": (text, "h2"),
        "evidence": [(4, text), (None, text)],
    }
    return {column.name: filled[column.dtype] for column in HANDSHAKES}


def names_in(folder: Path) -> list[str]:
    """Names of what is in ``folder``."""
    return sorted(path.name for path in folder.iterdir())
