"""Ordinary command lines, read without typer, which takes longer to load than a small capture to judge.

Only what leaves no question is read here: options by their full names, each with its value, no mistake. Whatever else
there is (help, completion, ``--``, joined short options, a number out of bounds, a word too few) gives None and is typer's
to read and to answer, so there is one voice for help and errors. What is read here, typer reads the same.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, get_args

from analyzer.cli.declare import Argument, Option

__all__ = ["read_plain"]

_Value = str | int | bool | list[str]


def read_plain(words: Sequence[str], command: Callable[..., None]) -> dict[str, _Value] | None:
    """What to call ``command`` with for the words after its name; None: typer shall read them."""
    places, options = _parameters_of(command)
    values: dict[str, _Value] = {}
    loose: list[str] = []
    coming = iter(words)
    for word in coming:
        if word == "-" or not word.startswith("-"):
            loose.append(word)
            continue
        name, equals, text = word.partition("=")
        if name not in options or (equals and not name.startswith("--")):
            return None
        option = options[name]
        if option.kind is bool:
            if equals:
                return None
            values[option.name] = True
        elif not option.put(text if equals else next(coming, ""), values):
            return None
    for place in places:
        taken = loose if place.kind is list else loose[:1]
        if not taken and place.required:
            return None
        if not all(place.put(word, values) for word in taken):
            return None
        del loose[: len(taken)]
    return None if loose else values


class _Parameter:
    """``kind``: str, int, bool or list (of str); another type is left to typer."""

    def __init__(self, name: str, kind: object, declared: Argument, required: bool) -> None:
        self.name, self.kind, self.required = name, kind, required
        self._min, self._max = declared.min, declared.max

    def put(self, text: str, values: dict[str, _Value]) -> bool:
        """Take one word; False when it leaves a question."""
        if not text or (text.startswith("-") and text != "-"):
            return False
        known = values.get(self.name)
        if self.kind is list:
            values[self.name] = [*known, text] if isinstance(known, list) else [text]
            return True
        if known is not None:
            return False
        if self.kind is str:
            values[self.name] = text
            return True
        if self.kind is not int or not (text.isascii() and text.isdigit() and len(text) < 10):
            return False
        number = values[self.name] = int(text)
        return (self._min is None or number >= self._min) and (self._max is None or number <= self._max)


def _parameters_of(command: Callable[..., None]) -> tuple[list[_Parameter], dict[str, _Parameter]]:
    """The places of a command in their order, and its options by name."""
    places: list[_Parameter] = []
    options: dict[str, _Parameter] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, declared = get_args(parameter.annotation)
        made = _Parameter(parameter.name, _plain_kind(kind), declared, parameter.default is parameter.empty)
        if isinstance(declared, Option):
            for name in declared.names or (f"--{parameter.name.replace('_', '-')}",):
                options[name] = made
        else:
            places.append(made)
    return places, options


def _plain_kind(kind: Any) -> object:
    """``str | None`` as str, ``list[str]`` as list."""
    if isinstance(kind, types.UnionType):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    return list if kind == list[str] else kind
