"""Segments sorted by flow: the key of a connection, the same both ways, and orders that cost little.

Radix sorts of 16 bits are what makes it cheap: NumPy has them for numbers of that size alone.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from analyzer.model.batches import SegmentBatch

__all__ = ["group_by_key", "key_ends", "key_segments", "note_first", "order_by_group"]

I64 = npt.NDArray[np.int64]

_MULTIPLIERS = [np.uint64(int.from_bytes(os.urandom(8), "big") | 1) for _ in range(5)]  # keyed: nobody can aim at a collision


def key_segments(s: SegmentBatch) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint64]]:
    """Of each segment whether its source is the greater end, and the key of its connection."""
    return key_ends(s.source_high, s.source_low, s.destination_high, s.destination_low, s.source_port, s.destination_port)


def key_ends(
    ah: npt.NDArray[np.uint64],
    al: npt.NDArray[np.uint64],
    bh: npt.NDArray[np.uint64],
    bl: npt.NDArray[np.uint64],
    ap: npt.NDArray[np.uint16],
    bp: npt.NDArray[np.uint16],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint64]]:
    """The same of ends (high and low half of the address, port): the key is a keyed hash of 64 bits, equal both ways."""
    source_port = ap.astype(np.uint64)
    destination_port = bp.astype(np.uint64)
    with np.errstate(over="ignore"):
        a = _scramble(al * _MULTIPLIERS[0] + source_port * _MULTIPLIERS[1] + ah * _MULTIPLIERS[2])
        b = _scramble(bl * _MULTIPLIERS[0] + destination_port * _MULTIPLIERS[1] + bh * _MULTIPLIERS[2])
        # the hash of an end decides which is "the greater": any order will do if it is the same both ways
        swapped = a > b
        low: npt.NDArray[np.uint64] = np.minimum(a, b)
        high: npt.NDArray[np.uint64] = np.maximum(a, b)
        return swapped, _scramble(low * _MULTIPLIERS[3] + high * _MULTIPLIERS[4])


def _scramble(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x ^ (x >> np.uint64(32))
    x *= np.uint64(0xD6E8FEB86659FD93)
    x ^= x >> np.uint64(29)
    return x


def group_by_key(keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], I64, I64, I64]:
    """Each key once, where it comes first, which of them each is, and indices by that, stable.

    Two radix sorts by 16 bits put the same keys beside each other, unless two differ in none of these 32 bits: then by all of them.
    """
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    order = order[np.argsort((keys[order] >> np.uint64(16)).astype(np.uint16), kind="stable")]
    ordered = keys[order]
    if ((ordered[1:] != ordered[:-1]) != (ordered[1:].astype(np.uint32) != ordered[:-1].astype(np.uint32))).any():
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
    begins = np.ones(len(keys), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    local = np.empty(len(keys), np.int64)
    local[order] = np.cumsum(begins) - 1
    return ordered[begins], order[begins], local, order


def note_first(first: I64, groups: I64) -> None:
    """Write into ``first[g]`` the least index at which ``groups`` is g."""
    # assignment keeps the last write: write backwards
    first[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)


def order_by_group(groups: I64, count: int) -> I64:
    """Indices sorted by group, stable; a radix sort where the groups fit 16 bits."""
    if count < 65_536:
        return np.argsort(groups.astype(np.uint16), kind="stable")
    return np.argsort(groups, kind="stable")
