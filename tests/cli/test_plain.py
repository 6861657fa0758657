"""Ordinary command lines are read without typer, and as typer reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from analyzer.cli.app import app
from analyzer.cli.entry import COMMANDS, load_command
from analyzer.cli.plain import read_plain

GROUP: Any = typer.main.get_command(app)


def by_typer(name: str, words: list[str]) -> dict[str, object] | None:
    """What typer would call the command with; None where it answers with help or an error."""
    command = GROUP.commands[name]
    try:
        context = command.make_context(name, list(words))
    except BaseException:  # click's exceptions and exits
        return None
    return {parameter: list(value) if isinstance(value, tuple) else value for parameter, value in context.params.items()}


def names_of(command: str) -> Iterator[str]:
    for parameter in GROUP.commands[command].params:
        yield from parameter.opts


WORDS = st.one_of(
    st.sampled_from(["a.pcap", "-", "17", "0", "-1", "99999999999", "x=y", "", "--", "-q", "-qf", "-fjsonl", "-f=csv", "--no-such", "--quiet=1"]),
    st.sampled_from(sorted({name for command in COMMANDS for name in names_of(command)})),
    st.sampled_from(["--format=csv", "--keylog=", "--output=-", "--fields=a,b", "--fail-on=any", "--count=3", "--count=0", "--snaplen=63", "--timeout=1.5"]),
    st.text("-=a1 ", max_size=5),
)  # fmt: skip


@given(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=7))
def test_what_is_read_without_typer_is_read_as_typer_reads_it(name: str, words: list[str]) -> None:
    plain = read_plain(words, load_command(name))
    if plain is None:
        return
    known = by_typer(name, words)
    assert known is not None, words
    defaults = by_typer(name, ["a"] * sum(parameter.required for parameter in GROUP.commands[name].params))
    assert defaults is not None
    assert {**{key: value for key, value in defaults.items() if value != "a" and value != ["a"]}, **plain} == known


@pytest.mark.parametrize(
    ("name", "line", "values"),
    [
        ("analyze", "a.pcap", {"captures": ["a.pcap"]}),
        ("analyze", "--format jsonl --quiet a.pcap -", {"format_name": "jsonl", "quiet": True, "captures": ["a.pcap", "-"]}),
        ("analyze", "a -o=x", None),
        ("analyze", "a -o x --fail-on=a --fail-on b", {"captures": ["a"], "output": "x", "fail_on": ["a", "b"]}),
        ("explain", "a.pcap 17", {"what": "a.pcap", "stream": 17}),
        ("explain", "cert-expired", {"what": "cert-expired"}),
        ("compare", "a b", {"good": "a", "bad": "b"}),
        ("causes", "", {}),
    ],
)
def test_ordinary_lines(name: str, line: str, values: dict[str, object] | None) -> None:
    assert read_plain(line.split(), load_command(name)) == values


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("analyze", ""), ("analyze", "-h"), ("analyze", "a --help"), ("analyze", "-- a"), ("analyze", "a --quit"), ("analyze", "a -o"),
        ("analyze", "a -qf csv"), ("analyze", "a --format csv --format csv"), ("analyze", "a --keylog --quiet"), ("analyze", "a --quiet=1"),
        ("explain", "a x"), ("explain", "a -1"), ("explain", "a 1 2"), ("compare", "a"), ("sniff", "--snaplen 1"), ("sniff", "--timeout 2"),
        ("causes", "x"),
    ],
)  # fmt: skip
def test_questions_are_left_to_typer(name: str, line: str) -> None:
    assert read_plain(line.split(), load_command(name)) is None


def test_every_command_is_a_function_of_its_module() -> None:
    for name in COMMANDS:
        assert load_command(name).__name__ == name
    assert list(GROUP.commands) == list(COMMANDS)
