"""Frames by hand for the tests of decode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.model.batches import FrameBatch

SECOND = 1_000_000_000


def frames_to_batch(
    frames: Sequence[bytes],
    link_type: int | Sequence[int] = 1,
    original_lengths: Sequence[int] | None = None,
    timestamps: Sequence[int] | None = None,
    first_number: int = 1,
) -> FrameBatch:
    """The frames as a batch; a second apart unless told, none cut unless told."""
    lengths = np.array([len(f) for f in frames], np.int64)
    count = len(frames)
    times = timestamps if timestamps is not None else [SECOND * n for n in range(count)]
    links = np.full(count, link_type, np.uint16) if isinstance(link_type, int) else np.array(link_type, np.uint16)
    return FrameBatch(
        data=np.frombuffer(b"".join(frames), np.uint8),
        offset=np.cumsum(lengths) - lengths,
        captured_length=lengths,
        original_length=lengths if original_lengths is None else np.array(original_lengths, np.int64),
        timestamp=np.array(times, np.int64),
        number=np.arange(first_number, first_number + count, dtype=np.int64),
        link_type=links,
        interface=np.zeros(count, np.uint16),
    )
