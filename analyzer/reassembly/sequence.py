"""Arithmetic on TCP sequence numbers (RFC 9293 section 3.4): modulo 2**32, nearest way round."""

from __future__ import annotations

__all__ = ["distance"]


def distance(a: int, b: int) -> int:
    """How far ``b`` is after ``a``, in bytes: -2**31 to 2**31 - 1, negative when ``b`` is before ``a``.

    Both are sequence numbers; any integers do, for only their remainder modulo 2**32 counts. The
    two points exactly opposite each other count as before.
    """
    return (b - a + 2**31) % 2**32 - 2**31
