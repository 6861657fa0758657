from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.cli.style import Style, cut, display_width, lay_out, wrap
from analyzer.export.escape import UNSAFE

WORDS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12).filter(lambda word: not UNSAFE.search(word))


@given(st.text(max_size=80), st.integers(1, 60))
def test_cut_text_fits_and_is_one_line(text: str, limit: int) -> None:
    shown = cut(text, limit)
    assert display_width(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown


@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_columns_start_at_the_same_place(rows: list[list[str]]) -> None:
    lines = lay_out(rows, right=frozenset({0}))
    starts = {display_width(line[: len(line) - len(row[2])]) for line, row in zip(lines, rows, strict=True)}
    assert len(starts) == 1


@given(st.lists(WORDS, min_size=1, max_size=40))
def test_wrapped_lines_fit_and_lose_nothing(words: list[str]) -> None:
    lines = wrap(" ".join(words), 40, "  ", "    ")
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(lines).split() == words


def test_wrapping_keeps_paragraphs_and_joins_broken_sentences() -> None:
    assert wrap("One line that\nwas broken.\nnginx: reload.", 60) == ["One line that was broken.", "nginx: reload."]


def test_wrapping_escapes() -> None:
    assert wrap("a\x1b[2Jb", 40) == ["a\\x1b[2Jb"]


def test_no_colour_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    style = Style()
    assert style.paint("text", "red", "bold") == "text"
    assert style.width == 80
