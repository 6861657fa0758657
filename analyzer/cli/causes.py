"""``handshake causes``: the catalogue, a line a cause."""

from __future__ import annotations

from analyzer.cli.style import Style, lay_out, say

__all__ = ["causes"]


def causes() -> None:
    """List every cause by family. 'handshake explain CAUSE' shows its page."""
    from analyzer.diagnosis import registry

    style = Style()
    families: dict[str, list[list[str]]] = {}
    for cause in registry.load_rules():
        page = registry.read_page(cause)
        families.setdefault(page.family, []).append([cause, page.title])
    width = max((len(cause) for rows in families.values() for cause, _ in rows), default=0)
    for number, (family, rows) in enumerate(families.items()):
        if number:
            say()
        say(style.paint(family, "bold"))
        for line in lay_out([[cause.ljust(width), title] for cause, title in sorted(rows)]):
            say(line)
