"""Files that are written for weeks: under their own name while they grow, renamed when they are full.

``rows.jsonl`` is always the one being written; a full one becomes ``rows-20240501T120000Z.jsonl`` (UTC, when it
was closed). Whoever renames the file and sends SIGHUP (logrotate) gets a new one under the old name.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from analyzer.export.files import cannot_write

__all__ = ["RotatingFile"]

T = TypeVar("T")


class RotatingFile(Generic[T]):
    """A file and what writes into it (``inner``, made anew for each file by ``make``).

    Raises AnalyzerError where a file cannot be opened. A file that is there already is renamed first: nothing is lost.
    """

    def __init__(
        self,
        path: str,
        make: Callable[[BinaryIO], T],
        *,
        size: int | None = None,
        seconds: float | None = None,
        keep: int | None = None,
        mode: int = 0o644,
    ) -> None:
        self.path = Path(path)
        self._make, self._size, self._seconds, self._keep, self._mode = make, size, seconds, keep, mode
        self._made: list[Path] = []
        if self.path.is_file() and self.path.stat().st_size:
            self._rename()
        self._open()

    @property
    def rotates(self) -> bool:
        """It will be renamed without being asked."""
        return self._size is not None or self._seconds is not None

    def _open(self) -> None:
        try:
            number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), self._mode)
            self._file: BinaryIO = os.fdopen(number, "wb", buffering=1 << 16)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._opened = time.monotonic()
        self.inner = self._make(self._file)

    def give_to(self, uid: int, gid: int) -> None:
        """Make another account its owner, who will write on."""
        with contextlib.suppress(OSError):
            os.fchown(self._file.fileno(), uid, gid)

    def flush(self) -> None:
        """Hand on what was written; rename when it is full or old."""
        try:
            self._file.flush()
            full = self._size is not None and self._file.tell() >= self._size
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if full or (self._seconds is not None and time.monotonic() - self._opened >= self._seconds):
            self.rotate()

    def rotate(self) -> None:
        """Close this file and go on in a new one under the same name."""
        self._file.flush()
        with contextlib.suppress(OSError):
            if os.path.samestat(self.path.stat(), os.fstat(self._file.fileno())):
                self._rename()
        self._close()
        self._open()

    def _rename(self) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for number in range(1000):
            target = self.path.with_name(f"{self.path.stem}-{stamp}{f'-{number}' if number else ''}{self.path.suffix}")
            if not target.exists():
                break
        try:
            self.path.rename(target)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._made.append(target)
        while self._keep is not None and len(self._made) > self._keep:
            with contextlib.suppress(OSError):
                self._made.pop(0).unlink()

    def _close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """End the file; it keeps its name."""
        self._close()
