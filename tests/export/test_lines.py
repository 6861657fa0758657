from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.diagnosis import registry
from analyzer.export.lines import display_width, fill, paragraphs, show


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("One sentence\nin two lines.\nAnother.", ["One sentence in two lines.", "Another."]),
        (
            "Read its log:\nnginx: error_log; Java:\n-Djavax.net.debug. Go:\nErrorLog.",
            ["Read its log:", "nginx: error_log; Java: -Djavax.net.debug. Go: ErrorLog."],
        ),
        ("HAProxy: maxconn; MySQL server:\nssl_ca", ["HAProxy: maxconn; MySQL server: ssl_ca"]),
        ("It is old. Switch the version on:\nnginx: ssl_protocols", ["It is old. Switch the version on:", "nginx: ssl_protocols"]),
        ("", [""]),
    ],
)
def test_lines_that_break_in_a_sentence_are_joined(text: str, lines: list[str]) -> None:
    assert paragraphs(text) == lines


def test_no_line_of_a_remedy_is_an_option_torn_from_its_name() -> None:
    for cause in registry.load_rules():
        page = registry.read_page(cause)
        for text in (page.seen, page.means, page.remedy):
            assert not any(re.match(r"-\w", line) for line in paragraphs(text)), cause


@given(st.text("ab,中 ", max_size=60), st.integers(6, 30))
def test_filled_lines_hold_every_sign_and_are_no_wider_than_asked(text: str, width: int) -> None:
    lines = fill(text, width, "  ")
    assert all(display_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_comma_does_not_stand_alone() -> None:
    assert fill("suites TLS_RSA_WITH_AES_128_CBC_SHA, more", 30, "  ") == ["suites", "  TLS_RSA_WITH_AES_128_CBC_SH", "  A, more"]
    assert fill("abcdefghij,", 10, "") == ["abcdefghi", "j,"]


def test_values_of_every_kind_are_a_line_for_people() -> None:
    assert show(None, "string", 9) == "-"
    assert show(False, "bool", 9) == "false"
    assert show(1.0, "float64", 9) == "1.000"
    assert show(1_700_000_000_000_000_000, "timestamp", 9) == "2023-11-14T22:13:20.000000000Z"
    assert show(["a", "b\n"], "list[string]", 9) == "a b\\x0a"
    assert show([(8, "ended"), (None, "late")], "evidence", 40) == "frame 8: ended; late"
    assert show("0123456789", "string", 6) == "01234…"
