"""Timestamps of any resolution as nanoseconds, clamped instead of overflowing."""

from __future__ import annotations

from typing import Final

import numpy as np

from analyzer.model.batches import I64, U64

__all__ = ["read_ticks"]

_LAST: Final = 2**63 - 1
_SECOND: Final = 1_000_000_000


def read_ticks(ticks: U64, resolution: int, offset: I64) -> tuple[I64, int]:
    """Return ``ticks`` as int64 ns since the epoch, and how many had to be clamped into 0 .. 2^63 - 1.

    ``resolution`` is if_tsresol (pcapng section 4.2): units of 10^-n s, or 2^-n s with the high bit
    set. ``offset`` is if_tsoffset, seconds to add.
    """
    power = resolution & 0x7F
    before = ticks >> np.uint64(63) != 0
    if before.any():
        # Unsigned on paper; in the field so large a number is a small negative one.
        ticks = np.where(before, np.uint64(0), ticks)
    nanoseconds, over = _from_binary(ticks, power) if resolution & 0x80 else _from_decimal(ticks, power)
    nanoseconds[over] = _LAST
    if not offset.any():
        return nanoseconds.astype(np.int64), int((over | before).sum())
    # Only seconds that int64 nanoseconds can hold are added; the sum is then looked at with its sign.
    edge = _LAST // _SECOND
    shift = np.clip(offset, -edge, edge) * _SECOND
    base = nanoseconds.astype(np.int64)
    late = over | (base > _LAST - np.maximum(shift, 0))
    total = np.where(late, _LAST, base + np.where(late, 0, shift))
    early = total < 0
    return np.where(early | before, 0, total), int((late | early | before).sum())


def _from_decimal(ticks: U64, power: int) -> tuple[U64, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    if power <= 9:
        factor = 10 ** (9 - power)
        return ticks * np.uint64(factor), ticks > np.uint64(_LAST // factor)
    divisor = 10 ** (power - 9)
    if divisor >= 2**64:
        return np.zeros_like(ticks), np.zeros(len(ticks), np.bool_)
    result = ticks // np.uint64(divisor)
    return result, result > np.uint64(_LAST)


def _from_binary(ticks: U64, power: int) -> tuple[U64, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    seconds = ticks >> np.uint64(power) if power < 64 else np.zeros_like(ticks)
    over = seconds > np.uint64(_LAST // _SECOND - 1)
    fraction = ticks & np.uint64(2**power - 1) if power < 64 else ticks
    # 34 bits of fraction times 10^9 is what 64 bits hold, and finer than a nanosecond.
    surplus = max(power - 34, 0)
    fraction = fraction >> np.uint64(surplus) if surplus < 64 else np.zeros_like(ticks)
    return seconds * np.uint64(_SECOND) + ((fraction * np.uint64(_SECOND)) >> np.uint64(power - surplus)), over
