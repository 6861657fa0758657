"""What writers make of rows that are alike: of what they share once, of the rest row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from analyzer.export.writer import Row
from analyzer.schema import AlikeRow, Pattern

__all__ = ["CellForms", "Forms"]

_FORMS = 1_024
"""Patterns of which is remembered what a writer made of them; then all are forgotten."""

_Form = TypeVar("_Form")


class Forms(Generic[_Form]):
    """What a writer made of the patterns that rows share (``AlikeRow``): once for each, some at a time."""

    def __init__(self, make: Callable[[Pattern], _Form]) -> None:
        self._make = make
        self._forms: dict[Pattern, _Form] = {}

    def of(self, pattern: Pattern) -> _Form:
        """The form of a pattern."""
        form = self._forms.get(pattern)
        if form is None:
            if len(self._forms) >= _FORMS:
                self._forms.clear()
            form = self._forms[pattern] = self._make(pattern)
        return form


class CellForms:
    """The same where a row is a list of cells, one for each column, and None where nothing is known."""

    def __init__(self, cells: Sequence[tuple[str, Callable[..., object]]]) -> None:
        self._cells = cells
        self._forms = Forms(self._form)

    def fill(self, row: Row) -> list[object]:
        """The cells of a row."""
        if not isinstance(row, AlikeRow):
            find = row.get
            return [None if (value := find(name)) is None else cell(value) for name, cell in self._cells]
        shared, differing = self._forms.of(row.pattern)
        cells, values = shared.copy(), row.own
        for column, place, cell in differing:
            value = row.list_value if place < 0 else values[place]
            if value is not None:
                cells[column] = cell(value)
        return cells

    def _form(self, pattern: Pattern) -> tuple[list[object], list[tuple[int, int, Callable[..., object]]]]:
        """The cells that rows share, None for the others; of these (column, place among the values, -1 for the list, what makes it)."""
        places = {name: place for place, name in enumerate(pattern.differs)}
        if pattern.listed:
            places[pattern.listed] = -1
        shared: list[object] = []
        differing = []
        for column, (name, cell) in enumerate(self._cells):
            value = None if name in places else pattern.shared.get(name)
            shared.append(None if value is None else cell(value))
            if name in places:
                differing.append((column, places[name], cell))
        return shared, differing
