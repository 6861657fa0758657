"""Alerts in the clear: RFC 8446 section 6, RFC 5246 section 7.2."""

from __future__ import annotations

from analyzer.registries.alerts import ALERT_DESCRIPTIONS

__all__ = ["read_alerts"]


def read_alerts(body: bytes) -> tuple[tuple[int, int], ...]:
    """Read the body of an alert record in the clear: (level, description) of each.

    Empty when it can be no such thing: an encrypted alert, or noise. One record may hold several.
    """
    if len(body) == 2:
        level, description = body
        return ((level, description),) if level in (1, 2) and description in ALERT_DESCRIPTIONS else ()
    if len(body) not in (4, 6, 8):
        return ()
    pairs = tuple(zip(body[::2], body[1::2], strict=True))
    return pairs if all(level in (1, 2) and description in ALERT_DESCRIPTIONS for level, description in pairs) else ()
