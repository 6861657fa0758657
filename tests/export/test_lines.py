from __future__ import annotations

import re

import pytest

from analyzer.diagnosis import registry
from analyzer.export.lines import paragraphs


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
