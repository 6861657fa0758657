"""Which rules there are, found by walking the package; their pages, read from their docstrings.

Nothing is imported before the first question. A page is parsed only when it is asked for. ``rule_index`` says which
handshakes a rule can meet, so that a run over handshakes that all completed loads a third of the rules; a rule that it
does not know is loaded and asked itself.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rule_index import EXPLAINS, INDEX
from analyzer.errors import UsageError
from analyzer.model.handshake import Stage

__all__ = [
    "HEADINGS",
    "RENAMED",
    "Page",
    "find_rule",
    "list_causes",
    "load_causes",
    "load_postures",
    "load_rules",
    "more_specific",
    "read_page",
]

HEADINGS = ("Seen", "Means", "Remedy", "Confirm")

RENAMED: dict[str, str] = {}
"""Ids that were public once and what they are called now. Ids are never reused."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a rule's docstring says. ``commands`` are the lines of Confirm that begin with a dollar, as templates."""

    cause: str
    family: str
    title: str
    seen: str
    means: str
    remedy: str
    confirm: str
    commands: tuple[str, ...]


@cache
def _find_modules() -> dict[str, str]:
    """Name of the module of each rule by id, in the order family, file name. None of them is loaded."""
    from analyzer.diagnosis import rules

    names = {}
    folder = rules.__path__[0]
    for family in sorted(os.listdir(folder)):  # noqa: PTH208 - pkgutil takes four times as long for the same, and pathlib three times
        if not family.isidentifier() or family.startswith("_"):
            continue
        for file in sorted(os.listdir(f"{folder}/{family}")):  # noqa: PTH208 - as above
            name, _, kind = file.partition(".")
            if kind == "py" and not name.startswith("_"):
                names[name.replace("_", "-")] = f"{rules.__name__}.{family}.{name}"
    return names


@cache
def _load_rule(cause: str) -> Rule:
    module = importlib.import_module(_find_modules()[cause])
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Rule) and thing.__module__ == module.__name__
    ]
    if len(own) != 1 or own[0].cause != cause:
        raise TypeError(f"{module.__name__} must hold one Rule whose cause is {cause!r}")
    return own[0]()


@cache
def load_rules() -> dict[str, Rule]:
    """Every rule by id.

    Raises TypeError when a module holds no rule, or one whose id is not the file's name: a mistake
    of the author, caught by the first test that runs.
    """
    return {cause: _load_rule(cause) for cause in _find_modules()}


@cache
def load_postures() -> tuple[Rule, ...]:
    """The rules of kind 'posture'."""
    return _load_those(lambda kind, *_: kind == "posture", lambda rule: rule.kind == "posture")


@lru_cache(maxsize=4096)
def load_causes(stage: str, outcome: str, oddities: int = -1, alert: int = -1, *, only_verdicts: bool = False) -> tuple[Rule, ...]:
    """The rules of kind 'cause' that can apply to handshakes of this stage and outcome with these oddities; with ``only_verdicts`` to a
    completed one those alone that may say that it failed after all. With a closing alert (``bit_of_alert``) those that never hear it
    are left out where the index knows them: of the others each has to be asked."""
    bit, letter, completed = 1 << Stage.RANK[stage], outcome[0], outcome == "completed"

    def may(kind: str, stages: int, outcomes: str, alerts: int, signs: int, needs: int, overturns: int) -> bool:
        if kind != "cause" or not stages & bit or letter not in outcomes:
            return False
        if not completed:
            return (not signs or bool(signs & oddities)) and (alert < 0 or bool(alerts >> alert & 1))
        return (not needs or bool(needs & oddities)) and (not only_verdicts or overturns < 0 or bool(overturns & oddities))

    return _load_those(may, lambda rule: rule.meets(stage, outcome, oddities, only_verdicts=only_verdicts))


def _load_those(may: Callable[[str, int, str, int, int, int, int], bool], does: Callable[[Rule], bool]) -> tuple[Rule, ...]:
    chosen = (cause for cause in _find_modules() if cause not in INDEX or may(*INDEX[cause][1:]))
    return tuple(rule for rule in map(_load_rule, chosen) if does(rule))


def list_causes() -> tuple[str, ...]:
    """The ids of all rules, none of which is loaded."""
    return tuple(_find_modules())


def find_rule(cause: str) -> Rule:
    """The rule of an id, following renamed ids. Raises UsageError when there is none."""
    known = RENAMED.get(cause, cause)
    if known not in _find_modules():
        raise UsageError(f"no cause is called {cause!r}; 'handshake causes' lists them")
    return _load_rule(known)


@cache
def more_specific() -> dict[str, frozenset[str]]:
    """For each id all ids that it explains away, followed to the end."""
    direct = {cause: EXPLAINS.get(cause, "").split() if cause in INDEX else _load_rule(cause).explains for cause in _find_modules()}
    closed: dict[str, frozenset[str]] = {}
    for cause in direct:
        reached: set[str] = set()
        todo = list(direct[cause])
        while todo:
            general = todo.pop()
            if general not in reached:
                reached.add(general)
                todo.extend(direct.get(general, ()))
        closed[cause] = frozenset(reached)
    return closed


@cache
def read_page(cause: str) -> Page:
    """The page of an id (renamed ids redirect). Raises UsageError for an unknown id, ValueError for a page without a heading."""
    cause = find_rule(cause).cause
    module = importlib.import_module(_find_modules()[cause])
    title, sections = _split_docstring(module.__doc__ or "")
    missing = [heading for heading in HEADINGS if not sections.get(heading)]
    if missing or not title:
        raise ValueError(f"the page of {cause} lacks {', '.join(missing) or 'its title'}")
    confirm = re.sub(r" *\\\n *", " ", sections["Confirm"])
    commands = tuple(line.removeprefix("$ ") for line in confirm.split("\n") if line.startswith("$ "))
    return Page(
        cause=cause,
        family=module.__name__.rsplit(".", 2)[-2].replace("_", " "),
        title=title,
        seen=sections["Seen"],
        means=sections["Means"],
        remedy=sections["Remedy"],
        confirm=confirm,
        commands=commands,
    )


def _split_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Title and sections of a docstring; the indentation of each section is taken off."""
    lines = docstring.strip().split("\n")
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines[1:]:
        if line.rstrip(":") in HEADINGS and line.endswith(":"):
            current = sections.setdefault(line[:-1], [])
        elif current is not None:
            current.append(line.removeprefix("    "))
    return lines[0].strip(), {heading: "\n".join(text).strip() for heading, text in sections.items()}
