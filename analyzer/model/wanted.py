"""What callers write, as the fields of Options hold it: times, ports, paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from analyzer.errors import UsageError
from analyzer.model.options import Options

__all__ = ["choose_options", "read_ports", "read_time"]

_EPOCH = r"(-?\d{1,12})(?:\.(\d{1,9})\d*)?"
_MONTH = r"\d{4}(?:-\d\d)?"
_FRACTION = r"(:\d\d)[.,](\d{1,9})\d*"
_PORTS = r"(\d{1,5})(?:-(\d{1,5}))?"


def read_time(text: str) -> int:
    """ISO 8601 (UTC where it names no zone; a year or month means its beginning) or epoch seconds, as ns since 1970. Raises UsageError."""
    if re.fullmatch(_MONTH, text):  # fewer than 10,000 seconds since 1970 is not what a year means
        text += "-01" if "-" in text else "-01-01"
    epoch = re.fullmatch(_EPOCH, text)
    if epoch is not None and not re.fullmatch(r"\d{8}", text):  # 20240501 is a day
        fraction = int((epoch[2] or "").ljust(9, "0"))
        return int(epoch[1]) * 1_000_000_000 + (-fraction if text.startswith("-") else fraction)
    fraction = 0
    found = re.search(_FRACTION, text)
    if found is not None:
        fraction = int(found[2].ljust(9, "0"))
    try:
        moment = datetime.fromisoformat(re.sub(_FRACTION, r"\1", text, count=1))
    except ValueError:
        raise UsageError(f"{text!r} is no time: write 2024-05-01T12:00:00Z or seconds since 1970") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + fraction


def read_ports(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """``443`` and ``8000-8100`` as inclusive ranges. Raises UsageError."""
    ranges = []
    for text in texts:
        found = re.fullmatch(_PORTS, text)
        low = int(found[1]) if found else 0
        high = int(found[2] or low) if found else 0
        if not 0 < low <= high <= 65_535:
            raise UsageError(f"{text!r} is no port or range of ports: write 8443 or 8000-8100")
        ranges.append((low, high))
    return tuple(ranges)


def choose_options(function: str, options: Options | None, wanted: Mapping[str, Any]) -> Options:
    """``options`` with the fields that a Python caller names, in what form they come. Raises UsageError."""
    chosen = options or Options()
    for name in wanted:
        if name not in Options.__slots__:
            import difflib  # only to help with a typing error

            near = difflib.get_close_matches(name, Options.__slots__, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(f"{function}() knows no option {name}{hint}")
    return replace(chosen, **{name: _read(name, value) for name, value in wanted.items()})


def _read(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in ("keylog", "ca_file"):
        return os.fspath(value)
    if name in ("since", "until"):
        return _nanoseconds(value)
    if name == "server_ports":
        return tuple(_range(each) for each in ([value] if isinstance(value, (int, str)) else value))
    return value


def _nanoseconds(value: Any) -> int:
    """Of text, of a datetime (UTC where it has no zone), or of a number of them."""
    if isinstance(value, str):
        return read_time(value)
    if isinstance(value, datetime):
        return read_time(value.isoformat())
    return int(value)


def _range(value: Any) -> tuple[int, int]:
    """A port, a text such as 8000-8100, or a pair."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        low, high = value
        return read_ports([f"{low}-{high}"])[0]
    return read_ports([str(value)])[0]
