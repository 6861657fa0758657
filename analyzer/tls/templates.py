"""Hellos that differ only in random bytes are parsed once.

A stack sends the same hello again and again but for the random, the session id, the public keys, the
tickets, the binders and the name asked for. None of those bytes decides how the rest is read: all lengths and types stand
outside of them. So a parse leaves behind *where* the free bytes were (a layout); a message of the same
size whose other bytes are the same gives the same values, with the free bytes filled in anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["PLAIN", "Filling", "FreeBytes", "Templates", "Traced", "fill_in", "plain_text"]

PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
"""Letters of host names."""

Hello = TypeVar("Hello")


class FreeBytes(NamedTuple):
    """A stretch of the message that may hold anything."""

    start: int
    stop: int
    argument: int = -1
    """Which argument of the hello's constructor it fills; -1: none, only its length counts."""
    kept: int = 65_536
    """Bytes of it that the argument takes."""
    is_text: bool = False
    """The argument is a text, and only ``plain_text`` may fill it."""


class Filling(NamedTuple):
    """Bytes that fill in an argument of a hello's constructor."""

    argument: int
    part: slice
    is_text: bool


class Traced(NamedTuple):
    """A hello that is remembered: how another one like it is made."""

    values: tuple[Any, ...]
    """What its constructor takes."""
    filled: tuple[Filling, ...]
    free: tuple[slice, ...]
    """All bytes of the message that may be others."""


def plain_text(data: bytes) -> str | None:
    """The text of bytes that are nothing but letters of host names; else None."""
    return None if data.translate(None, PLAIN) else data.decode("ascii")


def fill_in(values: Sequence[Any], filled: Iterable[Filling], data: bytes) -> list[Any] | None:
    """The constructor's ``values`` with what these bytes fill in; None where a text is not plain."""
    arguments = list(values)
    for argument, part, is_text in filled:
        value: bytes | str | None = data[part]
        if is_text:
            value = plain_text(data[part])
            if value is None:
                return None
        arguments[argument] = value
    return arguments


class _Layout(NamedTuple):
    fixed: tuple[slice, ...]
    filled: tuple[Filling, ...]
    values: dict[bytes, tuple[Any, ...]]


class Templates(Generic[Hello]):
    """Memo of parsed hellos; forgets everything when it holds ``capacity`` bytes."""

    def __init__(self, build: Callable[..., Hello], capacity: int = 2_000_000) -> None:
        self._build = build
        self._capacity = capacity
        self._held = 0
        self._layouts: dict[Hashable, list[_Layout]] = {}

    def recall(self, shape: Hashable, message: bytes) -> Hello | None:
        """Give the hello when one like it was read before; ``shape`` is anything cheap that tells layouts apart."""
        for layout in self._layouts.get(shape, ()):
            values = layout.values.get(b"".join([message[part] for part in layout.fixed]))
            arguments = None if values is None else fill_in(values, layout.filled, message)
            if arguments is not None:
                return self._build(*arguments)
        return None

    def trace(self, shape: Hashable, message: bytes) -> Traced | None:
        """How the hello of ``message`` is made again; None when it is not remembered."""
        for layout in self._layouts.get(shape, ()):
            values = layout.values.get(b"".join([message[part] for part in layout.fixed]))
            if values is not None:
                free = tuple(slice(part.stop, after.start) for part, after in pairwise(layout.fixed) if after.start > part.stop)
                return Traced(values, layout.filled, free)
        return None

    def remember(self, shape: Hashable, message: bytes, values: tuple[Any, ...], free: list[FreeBytes]) -> None:
        """Keep the constructor's ``values`` of a hello that was read; ``free`` in wire order."""
        if len(message) > 4096:
            return
        self._held += 6 * len(message)  # the values weigh about five times the bytes
        if self._held > self._capacity:
            self._layouts.clear()
            self._held = 6 * len(message)
        fixed, at = [], 0
        for part in free:
            fixed.append(slice(at, part.start))
            at = part.stop
        fixed.append(slice(at, None))
        filled = tuple(Filling(p.argument, slice(p.start, min(p.stop, p.start + p.kept)), p.is_text) for p in free if p.argument >= 0)
        layouts = self._layouts.setdefault(shape, [])
        for layout in layouts:
            if layout.fixed == tuple(fixed):
                break
        else:
            layout = _Layout(tuple(fixed), filled, {})
            layouts.insert(0, layout)
            del layouts[2:]  # a client that shuffles its extensions would leave a trail of them
        layout.values[b"".join([message[part] for part in layout.fixed])] = values
