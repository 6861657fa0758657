"""How objects show themselves in a notebook, without this floor knowing any markup.

``analyzer.notebook.display`` puts a drawing for each class into ``DRAWINGS``; until then there is none, and a notebook
falls back on ``repr``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["DRAWINGS", "Shown"]

DRAWINGS: dict[type, Callable[[Any], str]] = {}
"""HTML of an object by its class, escaped."""


class Shown:
    """Mixin: ``_repr_html_`` by the class's entry in ``DRAWINGS``."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        draw = DRAWINGS.get(type(self))
        return draw(self) if draw is not None else None
