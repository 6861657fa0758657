"""A key log that grows while an interface is watched."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from analyzer.errors import SourceError
from analyzer.tls.keylog import KeyLog

__all__ = ["FollowedKeyLog"]

_AT_ONCE = 1 << 20
_MOST = 100_000  # connections; of those that went by nobody will ask again


class FollowedKeyLog:
    """Reads what is appended to a file; begins anew when it is replaced or cut. Secrets stay in memory.

    A file that is not there yet may come later. Raises SourceError when it is there and cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.keylog = KeyLog()
        self._path = path
        self._file: BinaryIO | None = None
        self._identity: tuple[int, int] | None = None
        try:
            self._open()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SourceError(f"cannot read the key log {path}: {error.strerror}") from error
        self.read_on()

    def _open(self) -> None:
        file = open(self._path, "rb")  # noqa: SIM115  read on for as long as the run lasts
        if self._file is not None:
            self._file.close()
        status = os.fstat(file.fileno())
        self._file, self._identity = file, (status.st_dev, status.st_ino)

    def read_on(self) -> None:
        """Take in what was written since. Never raises: a key log that cannot be read any more is one that does not grow."""
        with contextlib.suppress(OSError):
            status = Path(self._path).stat()
            size = self._file.tell() if self._file is not None else 0
            if self._identity != (status.st_dev, status.st_ino) or status.st_size < size:
                self._open()
            elif status.st_size == size:
                return
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            while chunk := self._file.read(_AT_ONCE):
                self.keylog.feed(chunk, self._path)
                if len(self.keylog) > _MOST:
                    self.keylog.forget_oldest(_MOST // 2)
