"""Bytes as they become available: files, pipes and binary objects behind one small face."""

from __future__ import annotations

import contextlib
import io
import os
import select
import stat
from typing import Any, Final, Protocol

__all__ = ["ByteStream", "FileStream", "ObjectStream", "Peeked"]

_PIPE_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 16


class ByteStream(Protocol):
    """Where a reader takes its bytes from."""

    size: int | None
    """Bytes on disk, None when nobody knows."""
    is_file: bool
    """A file on disk that nobody else reads from: another thread may read on."""

    @property
    def position(self) -> int:
        """Bytes taken from disk so far."""

    @property
    def fault(self) -> str | None:
        """Why the end came early; None while all is well."""

    def readinto(self, target: memoryview) -> int:
        """Fill ``target`` as far as one read does; 0 at the end. Waits for the first byte only."""

    def ready(self) -> bool:
        """Whether another read would return at once."""

    def close(self) -> None:
        """Let go of what is held; closing twice does nothing."""


class FileStream:
    """A file, pipe or device by path or descriptor, without Python's buffering in between; its first ``most`` bytes where that is given."""

    def __init__(self, file: str | int, most: int | None = None) -> None:
        self._file = io.FileIO(file, "r", closefd=not isinstance(file, int))
        status = os.fstat(self._file.fileno())
        self.is_file = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if self.is_file else None
        self._most = most
        if stat.S_ISFIFO(status.st_mode):
            _widen(self._file.fileno())
        self.position = 0
        self.fault: str | None = None

    def readinto(self, target: memoryview) -> int:
        """See ``ByteStream.readinto``."""
        if self._most is not None:
            target = target[: self._most - self.position]
        try:
            count = self._file.readinto(target) or 0
        except OSError as error:
            self.fault = f"reading failed after {self.position} bytes: {error.strerror or error}"
            return 0
        self.position += count
        return count

    def ready(self) -> bool:
        """See ``ByteStream.ready``."""
        if self.is_file:
            return True
        try:
            return bool(select.select([self._file], [], [], 0)[0])
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """See ``ByteStream.close``."""
        self._file.close()


def _widen(descriptor: int) -> None:
    """Let a pipe hold more, so that its writer goes on while a batch is decoded (Linux only)."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class ObjectStream:
    """Any binary object with ``read``; ``owned`` ones are closed with the stream. ``size``: bytes to come, where it does not know."""

    def __init__(self, file: Any, *, owned: bool, size: int | None = None) -> None:
        self._file = file
        self._owned = owned
        self._promised = size
        self._seekable = bool(getattr(file, "seekable", bool)())
        # What can be sought in is there, and read to the full. Of a pipe only what has arrived is wanted: read1
        # gives that, while readinto1 of a buffered pipe waits for more although it has something.
        self._readinto = getattr(file, "readinto", None) if self._seekable or isinstance(file, io.RawIOBase) else None
        self._read = file.read if self._seekable else getattr(file, "read1", file.read)
        size = getattr(file, "size", size)
        self.size = size if isinstance(size, int) else None
        self.is_file = False
        self.position = 0
        self.fault: str | None = None

    def readinto(self, target: memoryview) -> int:
        """See ``ByteStream.readinto``."""
        try:
            if self._readinto is not None:
                count = int(self._readinto(target) or 0)
            else:
                chunk = self._read(min(len(target), _CHUNK)) or b""
                count = len(chunk)
                target[:count] = chunk
        except Exception as error:  # a file system or a caller's object fails in its own way
            self.fault = f"reading failed after {self.position} bytes: {' '.join(str(error).split()) or type(error).__name__}"
            return 0
        self.position += count
        if not count and self._promised is not None and self.position < self._promised and len(target):
            self.fault = f"reading ended after {self.position} of {self._promised} bytes"
        return count

    def ready(self) -> bool:
        """See ``ByteStream.ready``: what can be sought in is there; of anything else nothing is known."""
        return self._seekable

    def close(self) -> None:
        """See ``ByteStream.close``."""
        if self._owned:
            self._file.close()


class Peeked:
    """A stream whose first bytes can be looked at before they are read."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._head = b""
        self.size = stream.size
        self.is_file = stream.is_file

    @property
    def position(self) -> int:
        """Bytes taken from disk so far."""
        return self._stream.position

    @property
    def fault(self) -> str | None:
        """Why the end came early; None while all is well."""
        return self._stream.fault

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer only at the end, without taking them."""
        while len(self._head) < count:
            chunk = bytearray(count - len(self._head))
            got = self._stream.readinto(memoryview(chunk))
            if not got:
                break
            self._head += chunk[:got]
        return self._head[:count]

    def readinto(self, target: memoryview) -> int:
        """See ``ByteStream.readinto``."""
        if self._head:
            count = min(len(target), len(self._head))
            target[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return self._stream.readinto(target)

    def ready(self) -> bool:
        """See ``ByteStream.ready``."""
        return bool(self._head) or self._stream.ready()

    def close(self) -> None:
        """See ``ByteStream.close``."""
        self._stream.close()
