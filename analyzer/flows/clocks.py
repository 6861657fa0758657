"""A clock that was set back while a connection went on: the numbers of TCP contradict its times.

Frames out of the order of their times were written out of turn, as a rule (merged interfaces, several queues): the times are
right. Where packets would, by time, acknowledge what was sent after them, and by their place in the file would not, the times
are wrong: a clock was corrected, or a virtual machine was moved.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from analyzer.flows.grouping import group_by_key, key_segments
from analyzer.model.batches import SegmentBatch, TcpFlag

__all__ = ["mend_clock"]

I64 = npt.NDArray[np.int64]

_ROW_COLUMNS = tuple(field.name for field in fields(SegmentBatch) if field.name not in ("data", "capture", "icmp"))
_LIFT = np.int64(1) << np.int64(34)
"""More than any relative number: lifts the running maximum of each group above that of the group before."""


def mend_clock(s: SegmentBatch) -> tuple[SegmentBatch, int]:
    """The batch, by time, with the clock of those connections going on that it was set back in, and their number. For batches whose
    frames are not in the order of their times."""
    swapped, keys = key_segments(s)
    _, _, group, order = group_by_key(keys)
    grouped, frames = group[order], s.frame[order]
    late = (frames[1:] < frames[:-1]) & (grouped[1:] == grouped[:-1])
    if not late.any():
        return s, 0  # within the connections all came in turn
    odd = np.zeros(int(grouped[-1]) + 1, np.bool_)
    odd[grouped[1:][late]] = True
    timed = order[odd[grouped]]
    owner = np.cumsum(np.diff(group[timed], prepend=-1) > 0) - 1
    place = np.lexsort((s.frame[timed], owner))
    filed = timed[place]
    wrong = _contradictions(s, swapped, filed, owner) < _contradictions(s, swapped, timed, owner)
    if not wrong.any():
        return s, 0
    chosen = wrong[owner]
    at, owner = filed[chosen], owner[chosen]
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    back = (-np.diff(s.timestamp[at], prepend=0)).clip(0)
    back[begins] = 0
    lost = np.cumsum(back)  # ns by which the clock is behind: of a connection, less what was lost in those before it
    times = s.timestamp.copy()
    times[at] += lost - np.repeat(lost[begins], np.diff(begins, append=len(at)))
    order = np.lexsort((s.frame, times))
    columns = {name: getattr(s, name)[order] for name in _ROW_COLUMNS}
    columns["timestamp"] = times[order]
    return replace(s, **columns), int(wrong.sum())


def _contradictions(s: SegmentBatch, swapped: npt.NDArray[np.bool_], rows: I64, owner: I64) -> I64:
    """By connection: segments that, in the order of ``rows``, acknowledge what is not sent yet or begin before what their side has sent."""
    flags, side = s.flags[rows], swapped[rows].astype(np.int64)
    takes = s.wire_length[rows] + ((flags & TcpFlag.SYN) != 0) + ((flags & TcpFlag.FIN) != 0)
    count = int(owner[-1]) + 1
    sides, first = np.unique(owner * 2 + side, return_index=True)
    base, has = np.zeros(count * 2, np.uint32), np.zeros(count * 2, np.bool_)
    base[sides], has[sides] = s.sequence[rows][first], True
    begin = (s.sequence[rows] - base[owner * 2 + side]).view(np.int32).astype(np.int64)
    told = (s.acknowledgment[rows] - base[owner * 2 + 1 - side]).view(np.int32).astype(np.int64)
    plain = (flags & TcpFlag.RST) == 0
    odd = np.zeros(len(rows), np.bool_)
    for this in (0, 1):
        sent = np.where((side == this) & plain, begin + takes, 0) + owner * _LIFT
        top = np.maximum.accumulate(sent) - owner * _LIFT
        before = np.append(0, top[:-1])
        before[np.append(True, owner[1:] != owner[:-1])] = 0
        odd |= plain & (side == this) & (takes > 0) & (begin < before)
        odd |= plain & (side != this) & ((flags & TcpFlag.ACK) != 0) & has[owner * 2 + this] & (told > top)
    return np.bincount(owner, odd, count).astype(np.int64)
