"""Which rules there are, found by walking the package; their pages, read from their docstrings.

Nothing is imported before the first question. A page is parsed only when it is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from analyzer.diagnosis.rule import Rule
from analyzer.errors import UsageError

__all__ = ["HEADINGS", "RENAMED", "Page", "find_rule", "load_rules", "more_specific", "read_page"]

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
def _load_modules() -> dict[str, ModuleType]:
    """Module of each rule by id, in the order family, file name."""
    from analyzer.diagnosis import rules

    modules = {}
    for family in pkgutil.iter_modules(rules.__path__):
        if not family.ispkg:
            continue
        package = importlib.import_module(f"{rules.__name__}.{family.name}")
        for found in pkgutil.iter_modules(package.__path__):
            if not found.name.startswith("_"):
                modules[found.name.replace("_", "-")] = importlib.import_module(f"{package.__name__}.{found.name}")
    return modules


@cache
def load_rules() -> dict[str, Rule]:
    """Every rule by id.

    Raises TypeError when a module holds no rule, or one whose id is not the file's name: a mistake
    of the author, caught by the first test that runs.
    """
    rules = {}
    for cause, module in _load_modules().items():
        own = [
            thing
            for thing in vars(module).values()
            if isinstance(thing, type) and issubclass(thing, Rule) and thing.__module__ == module.__name__
        ]
        if len(own) != 1 or own[0].cause != cause:
            raise TypeError(f"{module.__name__} must hold one Rule whose cause is {cause!r}")
        rules[cause] = own[0]()
    return rules


def find_rule(cause: str) -> Rule:
    """The rule of an id, following renamed ids. Raises UsageError when there is none."""
    rule = load_rules().get(RENAMED.get(cause, cause))
    if rule is None:
        raise UsageError(f"no cause is called {cause!r}; 'handshake causes' lists them")
    return rule


@cache
def more_specific() -> dict[str, frozenset[str]]:
    """For each id all ids that it explains away, followed to the end."""
    direct = {cause: rule.explains for cause, rule in load_rules().items()}
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
    module = _load_modules()[cause]
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
