"""Tables that forget: what a run remembers must not grow with what it reads.

The oldest go a sixteenth at a time. One by one, each would be looked for behind the places of all that went before it: a dict
finds its first key by going through them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.diagnosis.profiles import Attempt

__all__ = ["Recent", "make_room"]

_SHARE = 16


def make_room(table: dict[Any, Any], most: int, coming: int = 1) -> int:
    """Let the oldest keys go where so many more would make it more than ``most``. Gives how many went."""
    beyond = len(table) + coming - most
    if beyond <= 0:
        return 0
    oldest = list(islice(table, max(beyond, most // _SHARE)))
    for key in oldest:
        del table[key]
    return len(oldest)


class Recent:
    """Attempts by key: of each the latest ``each``, or with ``first`` the first; no more than ``most`` of all together.

    Beyond that the keys go that got none for the longest time (with ``first`` those made first). What somebody is going to ask for is put
    by then, up to as many again. ``forgotten`` counts the attempts that are gone for good.
    """

    __slots__ = ("_count", "_each", "_first", "_kept", "_most", "_put_by", "_put_count", "_wanted", "forgotten")

    def __init__(self, each: int, most: int, *, first: bool = False) -> None:
        self._each, self._most, self._first = each, most, first
        self._kept: dict[Hashable, list[Attempt]] = {}
        self._count = 0
        self._wanted: dict[Hashable, None] = {}
        self._put_by: dict[Hashable, list[Attempt]] = {}
        self._put_count = 0
        self.forgotten = 0

    def __len__(self) -> int:
        """How many attempts are remembered."""
        return self._count + self._put_count

    def get(self, key: Hashable) -> Sequence[Attempt]:
        """Those of a key, oldest first."""
        kept, before = self._kept.get(key, ()), self._put_by.get(key)
        if before is None:
            return kept
        both = [*before, *kept]
        return both[: self._each] if self._first else both[-self._each :]

    def want(self, key: Hashable) -> None:
        """Somebody is going to ask for this key."""
        if key not in self._wanted:
            make_room(self._wanted, self._most)
            self._wanted[key] = None

    def let_go(self) -> None:
        """Everybody has asked: nothing needs to be put by any more."""
        self.forgotten += self._put_count
        self._put_count = 0
        self._wanted.clear()
        self._put_by.clear()

    def add(self, key: Hashable, attempt: Attempt) -> None:
        """Remember one more."""
        kept = self._kept
        attempts = kept.get(key)
        if attempts is None:
            kept[key] = [attempt]
        elif len(attempts) < self._each:
            attempts.append(attempt)
            if not self._first:
                kept[key] = kept.pop(key)
        elif self._first:
            return
        else:
            del attempts[0]
            attempts.append(attempt)
            kept[key] = kept.pop(key)
            return
        self._count += 1
        if self._count > self._most:
            self._forget()

    def _forget(self) -> None:
        goal = self._most - self._most // _SHARE
        for key in _oldest(self._kept, self._count - goal):
            if self._count <= goal:
                break
            attempts = self._kept.pop(key)
            self._count -= len(attempts)
            if key in self._wanted:
                self._put_by.setdefault(key, []).extend(attempts)
                self._put_count += len(attempts)
            else:
                self.forgotten += len(attempts)
        if self._put_count > self._most:
            for key in _oldest(self._put_by, self._put_count - goal):
                if self._put_count <= goal:
                    break
                gone = len(self._put_by.pop(key))
                self._put_count -= gone
                self.forgotten += gone


def _oldest(table: dict[Hashable, Any], beyond: int) -> list[Hashable]:
    """Keys enough to let go of so many attempts: each has one at least."""
    return list(islice(table, beyond))
