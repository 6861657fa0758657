from __future__ import annotations

import html

import pytest
from export_helpers import ANY_TEXT, FORMULA, PAYLOADS, is_harmless
from hypothesis import given
from hypothesis import strategies as st

from analyzer.export.escape import for_csv, for_html, for_terminal, for_utf8


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_becomes_harmless(payload: str) -> None:
    assert is_harmless(for_terminal(payload))
    assert is_harmless(for_csv(payload))
    assert is_harmless(for_html(payload))


@given(ANY_TEXT)
def test_terminal_text_is_one_harmless_line_that_can_be_encoded(text: str) -> None:
    shown = for_terminal(text)
    assert is_harmless(shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert for_terminal(shown) == shown


@given(st.binary(max_size=40))
def test_bytes_are_read_as_utf8_and_the_rest_shown_as_hex(data: bytes) -> None:
    shown = for_terminal(data)
    assert is_harmless(shown)
    try:
        assert shown == for_terminal(data.decode())
    except UnicodeDecodeError:
        assert "\\x" in shown


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=40))
def test_letters_of_every_script_stay(text: str) -> None:
    invisible = "\u115f\u1160\u3164\uffa0"
    if not set(text) & set(invisible):
        assert for_terminal(text) == text


@given(st.sampled_from(FORMULA), ANY_TEXT)
def test_no_cell_is_a_formula(first: str, rest: str) -> None:
    assert for_csv(first + rest).startswith("'")


@given(ANY_TEXT)
def test_a_cell_never_starts_with_a_formula_sign(text: str) -> None:
    assert for_csv(text)[:1] not in tuple(FORMULA)


@given(ANY_TEXT)
def test_html_has_no_markup_and_reads_back(text: str) -> None:
    shown = for_html(text)
    assert not set(shown) & set("<>\"'")
    assert html.unescape(shown) == for_terminal(text)


@given(ANY_TEXT)
def test_utf8_text_changes_only_surrogates(text: str) -> None:
    encoded = for_utf8(text).encode("utf-8")
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert encoded == text.encode("utf-8")


def test_escapes_are_as_documented() -> None:
    assert for_terminal("\x1b[0m\u202e\udcff\U000e0041") == "\\x1b[0m\\u202e\\xff\\U000e0041"
    assert for_terminal(b"\xff\xc3\xa9") == "\\xff\u00e9"
    assert for_csv("\t=1") == "'\\x09=1"
    assert for_csv("") == ""
