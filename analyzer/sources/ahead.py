"""Reading ahead: the next bytes of a file come while those before are worked on.

The copy out of the page cache, the disk and decompression take no turn of the interpreter. For whoever walks over bulk data they are a
quarter of the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Ahead"]


class Ahead:
    """Fills one buffer at a time in a thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._buffer = memoryview(b"")
        self._got = 0
        self._error: Exception | None = None

    @property
    def is_busy(self) -> bool:
        """There is a buffer to be taken."""
        return self._thread is not None

    def begin(self, fill: Callable[[memoryview], int], buffer: memoryview, start: int, stop: int) -> None:
        """Have ``buffer[start:stop]`` filled by ``fill``, which is called with room for bytes and says how many came. Nobody else may
        touch it, or what it is filled from, until it is taken."""
        room = buffer[start:stop]
        self._buffer, self._got, self._error = buffer, 0, None
        self._thread = threading.Thread(target=self._run, args=(fill, room), name="read ahead", daemon=True)
        self._thread.start()

    def take(self) -> tuple[memoryview, int]:
        """The buffer, and how many bytes came. Raises what ``fill`` raised."""
        self.stop()
        if self._error is not None:
            raise self._error
        return self._buffer, self._got

    def stop(self) -> None:
        """Wait until nothing is read any more."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, fill: Callable[[memoryview], int], room: memoryview) -> None:
        try:
            self._got = fill(room)
        except Exception as error:  # told to whoever takes the buffer
            self._error = error
