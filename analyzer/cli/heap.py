"""Memory in larger pieces, for a process whose work is arrays of a few hundred kilobytes by the thousand.

The C library asks the kernel for each such array and gives it back, so that the same pages are cleared again and again, 4 kB a time.
Here its heap keeps what was freed, and the kernel is told that the heap may lie in large pages (2 MB): half of the page faults go.
What is not used is not taken. Only the command does so; whoever uses the library decides about a process of their own.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Final

__all__ = ["enlarge_heap"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt(3)
_MADV_HUGEPAGE: Final = 14  # madvise(2)
_PAGE: Final = 2 << 20
_ROOM: Final = 128 << 20
"""Addresses taken at once: more than most runs fill."""


def enlarge_heap() -> None:
    """Do so where the C library is one that can (glibc); elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # numpy brings it along

    libc = ctypes.CDLL(None)
    with contextlib.suppress(AttributeError):  # another C library
        mallopt, sbrk, malloc, free, madvise = libc.mallopt, libc.sbrk, libc.malloc, libc.free, libc.madvise
        sbrk.restype = malloc.restype = ctypes.c_void_p
        mallopt(_MMAP_THRESHOLD, _ROOM // 2)
        mallopt(_TRIM_THRESHOLD, 2 * _ROOM)
        begin = sbrk(0)
        mallopt(_TOP_PAD, _ROOM)
        free(ctypes.c_void_p(malloc(1 << 20)))  # more than is free now: the heap grows, by the padding too
        mallopt(_TOP_PAD, 1 << 20)
        begin = -(-begin // _PAGE) * _PAGE
        madvise(ctypes.c_void_p(begin), ctypes.c_size_t(max(sbrk(0) - begin, 0)), _MADV_HUGEPAGE)
