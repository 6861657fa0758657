"""All that was named, as one stream of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from analyzer.errors import CaptureFormatError, MissingExtra, SourceError, UsageError
from analyzer.model.batches import FrameBatch
from analyzer.model.options import Limits
from analyzer.sources.merge import LAST, Part, merge_parts
from analyzer.sources.origins import Origin, find_origins
from analyzer.sources.reader import CaptureReader
from analyzer.sources.streams import ByteStream
from analyzer.sources.walker import Interface, Walker

__all__ = ["BATCH_BYTES", "LARGE_BATCH_BYTES", "Source", "open_source"]

BATCH_BYTES, LARGE_BATCH_BYTES = 8 << 20, 16 << 20
"""Bytes of a batch: small enough to be still in the processor's cache when it is decoded. The larger cut fewer connections in two."""

_PROBE_BYTES: Final = 1 << 16
_MOST_CAPTURES: Final = 1 << 16


def open_source(
    paths: Sequence[Any] | Any,
    *,
    reader: str = "native",
    batch_bytes: int = BATCH_BYTES,
    inflate_ratio: int = Limits().inflate_ratio,
) -> Source:
    """Open captures: a path, URL, glob, folder, ``-``, binary object, or a list of such.

    ``reader`` 'native' reads pcap and pcapng; 'tshark' reads whatever an installed tshark does.
    Raises SourceError (CaptureFormatError when it is no capture), MissingExtra, UsageError.
    """
    if reader not in ("native", "tshark"):
        raise UsageError(f"there is no reader {reader!r}: native or tshark")
    if batch_bytes <= 0:
        raise UsageError(f"a batch of {batch_bytes} bytes holds nothing")
    return Source(find_origins(paths), reader, batch_bytes, inflate_ratio)


class Source:
    """Frames of one or several captures in time order, to be iterated once. Also a context manager.

    ``captures`` names of the captures; ``FrameBatch.capture`` indexes it. ``secrets`` TLS key logs
    found inside captures (grows while reading). ``warnings`` one plain line each (grows too).
    """

    def __init__(self, origins: list[Origin], reader: str, batch_bytes: int, inflate_ratio: int) -> None:
        self.captures: list[str] = []
        self.secrets: list[bytes] = []
        self.warnings: list[str] = []
        self.size: int | None = None
        self._origins = origins
        self._tshark = reader == "tshark"
        self._batch_bytes = batch_bytes
        self._inflate_ratio = inflate_ratio
        self._readers: list[CaptureReader] = []
        self._finished = 0
        self._walkers: list[Walker] = []
        try:
            self._parts = self._open(origins)
        except BaseException:
            self.close()
            raise

    def _open(self, origins: list[Origin]) -> list[Part]:
        if len(origins) == 1:
            reader = self._start(origins[0], 0, self._batch_bytes)
            self.captures.append(origins[0].name)
            self.size = reader.size
            return [Part(0, lambda _: self._run(reader))]
        if len(origins) > _MOST_CAPTURES:
            raise UsageError(f"{len(origins)} captures at once are more than the {_MOST_CAPTURES} that can be told apart")
        parts: list[Part] = []
        sizes: list[int | None] = []
        for origin in origins:
            try:
                parts.append(self._probe(origin, sizes))
            except (SourceError, MissingExtra) as fault:
                if origin.chosen:
                    raise
                self.warnings.append(f"{fault}; left out")
        if not parts:
            raise CaptureFormatError(f"none of the {len(origins)} files is a capture")
        self.size = None if None in sizes else sum(size or 0 for size in sizes)
        return parts

    def _probe(self, origin: Origin, sizes: list[int | None]) -> Part:
        """Look at the time of the first frame; what can be opened again is closed until its time comes."""
        capture = len(self.captures)
        reader = self._start(origin, capture, _PROBE_BYTES, probe=origin.reopens)
        first = reader.peek_time()
        sizes.append(reader.size)
        self.captures.append(origin.name)
        if not origin.reopens:
            return Part(LAST if first is None else first, lambda _: self._run(reader))
        reader.close()

        def reopen(share: int) -> Iterator[FrameBatch]:
            try:
                again = self._start(origin, capture, share)
            except SourceError as fault:
                self.warnings.append(f"{fault}; left out")
                return iter(())
            return self._run(again)

        return Part(LAST if first is None else first, reopen)

    def _start(self, origin: Origin, capture: int, batch_bytes: int, *, probe: bool = False) -> CaptureReader:
        if self._tshark:
            from analyzer.sources.tshark import open_with_tshark

            stream: ByteStream = open_with_tshark(origin)
        else:
            stream = origin.open()
        try:
            reader = CaptureReader(
                stream,
                origin.name,
                capture=capture,
                batch_bytes=batch_bytes,
                inflate_ratio=self._inflate_ratio,
                secrets=[] if probe else self.secrets,
                warnings=[] if probe else self.warnings,
            )
        except BaseException:
            stream.close()
            raise
        if not probe:
            self._readers.append(reader)
            self._walkers.append(reader.walker)
        return reader

    def _run(self, reader: CaptureReader) -> Iterator[FrameBatch]:
        yield from reader
        self._finish(reader)

    def _finish(self, reader: CaptureReader) -> None:
        self._finished += reader.position
        self._readers.remove(reader)
        reader.close()

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``."""
        return self._finished + sum(reader.position for reader in self._readers)

    @property
    def interfaces(self) -> list[Interface]:
        """Every interface described so far, with its link type, snaplen, name and drops."""
        return [interface for walker in self._walkers for interface in walker.interfaces]

    @property
    def link_types(self) -> list[int]:
        """LINKTYPE_ values that were seen, in ascending order."""
        return sorted({interface.link_type for interface in self.interfaces})

    @property
    def drops(self) -> int | None:
        """Frames that the captures themselves say were lost; None when they do not say."""
        counts = [interface.drops for interface in self.interfaces if interface.drops is not None]
        return sum(counts) if counts else None

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yield the frames; ``data`` of a batch is valid until the next is asked for."""
        parts, self._parts = self._parts, []
        if len(parts) == 1:
            return parts[0].open(self._batch_bytes)
        return merge_parts(parts, self._batch_bytes)

    @property
    def is_shareable(self) -> bool:
        """Whether several processes can read it at once at no more cost than the reading: files on this machine, read natively."""
        return not self._tshark and all(origin.is_file for origin in self._origins)

    def opener(self) -> Callable[[], Source]:
        """What opens the same captures from their start, in any process and as often as it is called. What is added to a file from now
        on is left out, so that all who open it read the same. It raises SourceError."""
        return partial(Source, [origin.as_it_is() for origin in self._origins], "native", self._batch_bytes, self._inflate_ratio)

    def close(self) -> None:
        """Close what is still open; closing twice does nothing."""
        while self._readers:
            self._finish(self._readers[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Source({', '.join(self.captures)})"
