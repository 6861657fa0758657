"""One handshake's story, ready to be looked at where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from analyzer.model.handshake import Handshake

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from analyzer.export.ladder import Ladder

__all__ = ["Explanation"]


class Explanation:
    """``ladder`` is the model that is drawn; ``handshake`` what it tells of. Shows itself in a terminal, a notebook, or as text."""

    def __init__(self, handshake: Handshake, captures: Sequence[str]) -> None:
        from analyzer.export.ladder import build_ladder

        self.handshake = handshake
        self.ladder: Ladder = build_ladder(handshake, captures)

    def svg(self) -> str:
        """The picture alone, as a file of its own."""
        from analyzer.export.ladder import draw_svg

        return draw_svg(self.ladder, standalone=True)

    def __str__(self) -> str:
        return str(self.ladder)

    def __repr__(self) -> str:
        return str(self.ladder)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Any]:
        return self.ladder.__rich_console__(console, options)

    def _repr_html_(self) -> str:
        return self.ladder._repr_html_()
