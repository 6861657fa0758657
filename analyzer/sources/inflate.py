"""Compressed captures, told by their first bytes and inflated a piece at a time.

Whatever is damaged, cut or a bomb ends the stream with a fault; what came before it stays readable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, Final, cast

from analyzer.errors import MissingExtra
from analyzer.sources.streams import ByteStream

__all__ = ["COMPRESSIONS", "Inflated", "compression_of"]

COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}
"""Leading bytes and the compression they stand for."""

_LONGEST_MAGIC: Final = max(map(len, COMPRESSIONS))

_PIECE: Final = 1 << 16
_ROOM: Final = 1 << 20
_ZSTD_WINDOW: Final = 1 << 27
"""What the highest level of zstd asks for, and no more."""

_HARMLESS: Final = 256 << 20
"""Bytes out below which no ratio is suspicious: a capture of one frame over and over may shrink like a bomb."""

_MEMORY: Final = 160 << 20
"""What xz may take for its window: its highest preset wants 65 MB."""


def compression_of(head: bytes) -> str | None:
    """Name the compression that ``head``, the first bytes of a file, starts."""
    return next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), None)


class _Gzip:
    """zlib's decompressor with the face the other modules agree on."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _decompressor(kind: str) -> Callable[[], Any]:
    if kind == "gzip":
        return _Gzip
    if kind == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(memlimit=_MEMORY)
    if kind == "bzip2":
        import bz2

        return bz2.BZ2Decompressor
    try:
        import lz4.frame
    except ImportError:
        raise MissingExtra("reading lz4", "compressed") from None
    return lz4.frame.LZ4FrameDecompressor  # type: ignore[no-any-return]  # it has no types


class _Pieces:
    """The compressed side: ``read`` returns what is there, at most a piece."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._piece = bytearray(_PIECE)

    def read(self, count: int = _PIECE) -> bytes:
        got = self._stream.readinto(memoryview(self._piece)[:count])
        return bytes(self._piece[:got])


class _Zstd:
    """zstandard's reader, which wants a file and asks it for more while it still has something to give.

    So it is given room for all that one piece usually holds, and what was not wanted yet is kept here.
    """

    def __init__(self, pieces: _Pieces) -> None:
        try:
            import zstandard
        except ImportError:
            raise MissingExtra("reading zstd", "compressed") from None
        inner = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._reader: Any = inner.stream_reader(cast("IO[bytes]", pieces), read_size=_PIECE, read_across_frames=True)
        self._room = bytearray(_ROOM)
        self._left = memoryview(b"")

    def readinto(self, target: memoryview) -> int:
        if not self._left:
            self._left = memoryview(self._room)[: self._reader.readinto1(self._room)]
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    @property
    def pending(self) -> bool:
        return bool(self._left)


class _Members:
    """Members of gzip, xz, bzip2 or lz4 one after another."""

    def __init__(self, kind: str, pieces: _Pieces) -> None:
        self._kind = kind
        self._pieces = pieces
        self._new = _decompressor(kind)
        self._inner = self._new()

    def readinto(self, target: memoryview) -> int:
        limit = min(len(target), _ROOM)
        while True:
            piece = b""
            if self._inner.eof:
                piece = self._next_member()
                if not piece:
                    return 0
                self._inner = self._new()
            elif self._inner.needs_input:
                piece = self._pieces.read()
                if not piece:
                    raise _EarlyEndError("is cut short")
            out = self._inner.decompress(piece, limit)
            if out:
                target[: len(out)] = out
                return len(out)

    def _next_member(self) -> bytes:
        """Bytes of the member behind the one that ended; none at the end. Zeros in between are padding."""
        piece: bytes = (self._inner.unused_data or b"").lstrip(b"\0")
        while len(piece) < _LONGEST_MAGIC:
            more = self._pieces.read()
            if not more:
                break
            piece = (piece + more).lstrip(b"\0")
        if piece and compression_of(piece) != self._kind:
            raise _EarlyEndError("is followed by something else")
        return piece

    @property
    def pending(self) -> bool:
        return not self._inner.needs_input and not self._inner.eof


class _EarlyEndError(Exception):
    """The compressed data ends where it should not, undamaged so far."""


class Inflated:
    """The bytes inside a compressed stream; several members one after another are one stream.

    ``ratio`` is how many bytes may come out for each that goes in, once more than 256 MB came out.
    """

    def __init__(self, stream: ByteStream, kind: str, ratio: int) -> None:
        self._stream = stream
        self._kind = kind
        self._ratio = ratio
        self._out = 0
        self._own_fault: str | None = None
        self._done = False
        self.size = stream.size
        self.is_file = stream.is_file
        pieces = _Pieces(stream)
        self._inner = _Zstd(pieces) if kind == "zstd" else _Members(kind, pieces)

    @property
    def position(self) -> int:
        """Compressed bytes taken so far."""
        return self._stream.position

    @property
    def fault(self) -> str | None:
        """Why the end came early; None while all is well."""
        return self._own_fault or self._stream.fault

    def readinto(self, target: memoryview) -> int:
        """See ``ByteStream.readinto``."""
        if self._done:
            return 0
        try:
            count = self._inner.readinto(target)
        except _EarlyEndError as end:
            return self._end(f"its {self._kind} data {end}")
        except Exception as error:  # each module has its own exceptions for damage
            return self._end(f"its {self._kind} data is damaged after {self._out} bytes ({' '.join(str(error).split())})")
        self._out += count
        if self._out > _HARMLESS and self._out > self._ratio * self.position:
            return self._end(f"its {self._kind} data swells more than {self._ratio} times, as a bomb does")
        self._done = not count
        return count

    def _end(self, fault: str) -> int:
        self._own_fault = fault
        self._done = True
        return 0

    def ready(self) -> bool:
        """See ``ByteStream.ready``."""
        return self._inner.pending or self._stream.ready()

    def close(self) -> None:
        """See ``ByteStream.close``."""
        self._stream.close()
