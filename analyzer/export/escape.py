r"""Text that came off the wire, made safe for the place where it is shown.

Whatever can move a cursor, start an escape sequence, reorder or hide text (C0, C1 and DEL,
bidirectional controls, zero-width characters, line and paragraph separators, tags, lone
surrogates, bytes that are not UTF-8) becomes ``\xNN`` or ``\uNNNN``: visible, one line, harmless.
Everything else, in any script, stays as it is.
"""

from __future__ import annotations

import re

__all__ = ["UNSAFE", "for_csv", "for_html", "for_terminal", "for_utf8"]

UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"  # soft hyphen, joiners and fillers that show nothing
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"  # zero width, bidi, separators
    "\ud800-\udfff"  # lone surrogates; U+DC80-DCFF stand for bytes that are not UTF-8
    "\ufdd0-\ufdef\ufffe\uffff"  # noncharacters
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # musical format controls, tags, variation selectors
    "]"
)
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
_HTML_UNSAFE = re.compile("[&<>\"']")
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: the byte it stands for
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def for_terminal(text: str | bytes) -> str:
    """``text`` as one printable line; bytes are read as UTF-8 first."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable():
        return text
    return UNSAFE.sub(_visible, text)


def for_csv(text: str) -> str:
    """``text`` as a spreadsheet cell: like ``for_terminal``, and never a formula.

    A cell that would start with ``= + - @`` (their fullwidth forms too), a tab or a line end gets
    a leading ``'``, which spreadsheets take as "this is text" (OWASP, CSV injection).
    """
    safe = for_terminal(text)
    return "'" + safe if text[:1] in _FORMULA and text else safe


def for_html(text: str | bytes) -> str:
    """``text`` as HTML text or a quoted attribute value."""
    return _HTML_UNSAFE.sub(lambda match: _HTML[match[0]], for_terminal(text))


def for_utf8(text: str) -> str:
    """``text`` with lone surrogates made visible, so that it can be encoded; nothing else changes."""
    return text if text.isascii() else _NOT_UTF8.sub(_visible, text)
