from __future__ import annotations

import pytest

from analyzer.cli.parameters import options_from, read_fields
from analyzer.errors import UsageError


def test_fields_are_names_between_commas() -> None:
    assert read_fields("a, b,,c") == ["a", "b", "c"]
    assert read_fields(None) is None
    with pytest.raises(UsageError):
        read_fields(" , ")


def test_an_unknown_reader_is_refused() -> None:
    with pytest.raises(UsageError, match="native or tshark"):
        options_from(reader="dpkt")
