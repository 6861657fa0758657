"""How many processes are to read the captures."""

from __future__ import annotations

import contextlib
import os
import sys

import numpy as np

from analyzer.decode.decoder import Decoder
from analyzer.model.options import Options
from analyzer.sources import Source

__all__ = ["choose_workers"]

_MOST, _MOST_UNASKED = 64, 4
_FEWEST_CORES = 3
"""What each worker reads again is won back by more than two only."""
_LARGE, _MANY = 16_000_000, 4_000
"""Bytes and handshakes from which several processes pay: until they are started one has made as many."""
_HELLO_KIND, _HANDSHAKE, _CLIENT_HELLO = 5, 22, 1


def choose_workers(source: Source, options: Options) -> int:
    """How many processes are to read: ``options.workers`` where several can, and for 0 as many as pay."""
    if options.workers == 1 or options.live or _is_daemon() or not source.is_shareable:
        return 1
    if options.workers:
        return min(options.workers, _MOST)
    if options.completed != "handshakes":
        return 1  # most of them need no object, and no process more to make it
    cores = _idle_cores()
    if (source.size or 0) < _LARGE or cores < _FEWEST_CORES:
        return 1
    return min(cores, _MOST_UNASKED) if _expect_handshakes(source, options) >= _MANY else 1


def _is_daemon() -> bool:
    """A worker of somebody else's pool, which may start none itself."""
    process = sys.modules.get("multiprocessing.process")  # costs 5 ms where nobody needs it
    return process is not None and bool(process.current_process().daemon)


def _idle_cores() -> int:
    """How many processors nobody else is using: on a busy machine one process ends sooner."""
    try:
        cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    except (AttributeError, OSError):  # not on Linux
        return os.cpu_count() or 1
    return cores - round(load)


def _expect_handshakes(source: Source, options: Options) -> float:
    """How many handshakes there will be if all is like the beginning: bulk data is read as fast by one process."""
    with contextlib.closing(source.opener()()) as again:
        batch = next(iter(again), None)
        if batch is None or not again.position:
            return 0
        s = Decoder(options.limits).decode(batch)
        at = s.payload_offset[s.payload_length > _HELLO_KIND]
        hellos = int(np.count_nonzero((s.data[at] == _HANDSHAKE) & (s.data[at + _HELLO_KIND] == _CLIENT_HELLO)))
        return hellos * (source.size or 0) / again.position
