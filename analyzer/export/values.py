"""Times and numbers as text, the same in every format."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["INT64_MAX", "INT64_MIN", "finite", "iso_time", "package_version", "remembered"]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # years 1 and 9999
_seconds: dict[int, str] = {}


def iso_time(ns: int) -> str:
    """``ns`` since the epoch as ISO 8601 UTC with nanoseconds: ``2024-05-01T12:00:00.000000000Z``.

    Times outside the years 1 to 9999 are shown as the nearest one inside.
    """
    second, fraction = divmod(int(ns), 1_000_000_000)
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) > 4096:
            _seconds.clear()
        inside = min(max(second, _FIRST_SECOND), _LAST_SECOND)
        text = _seconds[second] = (_EPOCH + timedelta(seconds=inside)).isoformat()[:19]
    return f"{text}.{fraction:09d}Z"


def finite(value: float) -> float | None:
    """None in place of NaN and the infinities, which neither JSON nor SQL has."""
    return value if value - value == 0 else None


def package_version() -> str:
    """Version of the installed distribution; ``0`` when run from a bare tree."""
    from importlib import metadata  # costs milliseconds that only a few runs need

    try:
        return metadata.version("handshake-analyzer")
    except metadata.PackageNotFoundError:
        return "0"


def remembered(make: Callable[..., str], entries: int = 2048, longest: int = 4096) -> Callable[[object], str]:
    """``make``, with the texts it made for the latest values kept: most clients offer what the last one offered.

    Bounded in entries and in the length of each; values that cannot be hashed are made anew.
    """
    made: dict[object, str] = {}

    def text_of(value: object) -> str:
        try:
            text = made.get(value)
        except TypeError:
            return make(value)
        if text is None:
            text = make(value)
            if len(text) <= longest:
                if len(made) >= entries:
                    made.clear()
                made[value] = text
        return text

    return text_of
