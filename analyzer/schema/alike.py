"""Rows that are alike: what they share is kept once, and each holds only its own values.

To whoever reads it, such a row is a mapping like any other. A writer that turns values into text can do that once for what is
shared (``Pattern``), and is then several times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

__all__ = ["AlikeRow", "Pattern"]


class Pattern:
    """What rows have in common."""

    __slots__ = ("differs", "listed", "shared", "texts")

    def __init__(self, shared: Mapping[str, object], differs: Sequence[str], listed: str = "", texts: Sequence[str] = ()) -> None:
        self.shared = shared
        """Values by column; those of the columns that differ mean nothing."""
        self.differs = tuple(differs)
        """Columns of which each row has its own value."""
        self.listed, self.texts = listed, tuple(texts)
        """A column that holds a list of texts, each of which ends in a number of the row's own, and the texts; '' for none."""


class AlikeRow(Mapping[str, object]):
    """One row. ``own``: a value for each column of ``pattern.differs``, then a number for each of ``pattern.texts``."""

    __slots__ = ("_row", "number", "own", "pattern")

    def __init__(self, pattern: Pattern, number: int, own: tuple[object, ...]) -> None:
        self.pattern = pattern
        self.number = number
        """By which rows of a run are ordered: the column ``flow_id``."""
        self.own = own
        self._row: dict[str, object] | None = None

    @property
    def list_value(self) -> tuple[str, ...]:
        """The value of ``pattern.listed``."""
        pattern = self.pattern
        return tuple([f"{text}{number}" for text, number in zip(pattern.texts, self.own[len(pattern.differs) :], strict=True)])

    def _all(self) -> dict[str, object]:
        if self._row is None:
            pattern = self.pattern
            self._row = {**pattern.shared, **dict(zip(pattern.differs, self.own, strict=False))}
            if pattern.listed:
                self._row[pattern.listed] = self.list_value
        return self._row

    def __getitem__(self, name: str) -> object:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self.pattern.shared)
