"""Equality and ``repr`` of shapes with many fields, written once.

``dataclasses`` would write and compile both for each class: a third of the time that this package takes to load.
"""

from __future__ import annotations

from dataclasses import fields

__all__ = ["Record"]


class Record:
    """Mixin for ``@dataclass(slots=True, eq=False, repr=False)``: compares and shows field by field, as those would."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self) if f.compare)  # type: ignore[arg-type]  # of a dataclass

    __hash__ = None  # type: ignore[assignment]  # what compares by values that change has none

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)  # type: ignore[arg-type]  # as above
        return f"{type(self).__qualname__}({shown})"
