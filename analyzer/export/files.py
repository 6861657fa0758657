"""Files written beside their final name and renamed when complete.

A run that dies leaves no half file under the name that was asked for. What is not a regular file
(a pipe, ``/dev/stdout``) is written straight through: it has no name to keep clean.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from analyzer.errors import AnalyzerError

__all__ = ["StagedFile", "cannot_write"]


def cannot_write(path: str | os.PathLike[str], error: BaseException) -> AnalyzerError:
    """The error to raise for an output that cannot be written."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
    return AnalyzerError(f"cannot write {os.fspath(path)}: {reason}")


_unfinished: set[StagedFile] = set()


@atexit.register
def _discard_unfinished() -> None:
    """A run that ends by an exception or a signal, wherever that came, leaves nothing behind."""
    for staged in list(_unfinished):
        staged.discard()


class StagedFile:
    """A file that comes to its name with ``commit`` and leaves nothing with ``discard``.

    ``path`` is where to write until then. A symbolic link is followed, so that its target is
    replaced and not the link. An existing file keeps its permissions.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self.target = Path(os.path.realpath(target))
        self.asked = os.fspath(target)
        try:
            mode: int | None = self.target.stat().st_mode
        except OSError:
            mode = None
        if self.asked.endswith(os.sep) or (mode is not None and stat.S_ISDIR(mode)):
            raise cannot_write(self.asked, IsADirectoryError(0, "is a directory"))
        self.existed = mode is not None
        self.staged = mode is None or stat.S_ISREG(mode)
        self.path = self.target
        if self.staged:
            self.path = self.target.with_name(f".{self.target.name[:200]}.{os.urandom(4).hex()}.part")
            self._process = os.getpid()  # a forked child must not remove its parent's file
            _unfinished.add(self)
            try:
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
                if mode is not None:
                    self.path.chmod(stat.S_IMODE(mode))
            except OSError as error:
                self.discard()
                raise cannot_write(self.asked, error) from error

    def open(self) -> BinaryIO:
        """The file, for writing bytes."""
        try:
            return open(self.path, "wb", buffering=1 << 18)
        except OSError as error:
            self.discard()
            raise cannot_write(self.asked, error) from error

    def commit(self) -> None:
        """Give the file its name. Close it first."""
        if self.staged:
            try:
                self.path.replace(self.target)
            except OSError as error:
                self.discard()
                raise cannot_write(self.asked, error) from error
            _unfinished.discard(self)

    def discard(self) -> None:
        """Remove what was written."""
        if self.staged and self._process == os.getpid():
            _unfinished.discard(self)
            with contextlib.suppress(OSError):
                self.path.unlink()
