"""``handshake causes``: the catalogue, a line a cause."""

from __future__ import annotations

import sys

from analyzer.cli.style import Style, say, wrap

__all__ = ["causes"]


def causes() -> None:
    """List every cause by family. 'handshake explain CAUSE' shows its page."""
    from analyzer.diagnosis import registry

    style, terminal = Style(), sys.stdout.isatty()  # a pipe gets a line a cause
    families: dict[str, list[list[str]]] = {}
    for cause in registry.load_rules():
        page = registry.read_page(cause)
        families.setdefault(page.family, []).append([cause, page.title])
    width = max((len(cause) for rows in families.values() for cause, _ in rows), default=0)
    for number, (family, rows) in enumerate(families.items()):
        if number:
            say()
        say(style.paint(family, "bold"))
        for cause, title in sorted(rows):
            line = f"{cause.ljust(width)}  {title}"
            for part in wrap(line, style.width, "  ", " " * (width + 4)) if terminal else [f"  {line}"]:
                say(part)
