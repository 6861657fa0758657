"""What ``analyzer.sniff`` hands out: an iterator over handshakes as they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from analyzer.diagnosis.words import count_text
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.live import LiveRun, check_end
from analyzer.pipeline.run import Totals
from analyzer.pipeline.selection import Selection
from analyzer.sources.live import open_live

__all__ = ["Sniffer"]


class Sniffer:
    """Iterate it; leave the loop, ``close`` it or use it as a context manager to stop listening.

    ``totals`` what was seen so far, ``drops`` frames lost so far. Raises SourceError when the interface goes away.
    """

    def __init__(
        self,
        interface: str,
        options: Options,
        *,
        bpf: str | None,
        duration: float | None,
        count: int | None,
        snaplen: int,
        wait: bool,
        portable: bool,
    ) -> None:
        self._accepts = Selection(options).accepts
        check_end(options)
        source = open_live(interface, bpf=bpf, snaplen=snaplen, wait=wait, portable=portable)
        try:
            self._run = LiveRun(source, options)
            source.start()
        except BaseException:
            source.close()
            raise
        self.interface = interface
        self._handshakes = self._all(duration, count)

    def _all(self, duration: float | None, count: int | None) -> Iterator[Handshake]:
        end = None if duration is None else time.monotonic() + duration
        left = count
        try:
            for handshakes in self._run.steps():
                for handshake in handshakes:
                    if left == 0:
                        return
                    if not self._accepts(handshake):
                        continue
                    yield handshake
                    if left is not None:
                        left -= 1
                if left == 0:
                    return
                if end is not None and time.monotonic() >= end:
                    self._run.stop()
        finally:
            self._run.live.close()

    @property
    def totals(self) -> Totals:
        """Counts so far."""
        return self._run.totals

    @property
    def drops(self) -> int:
        """Frames lost so far."""
        return self._run.drops

    @property
    def warnings(self) -> list[str]:
        """What was cut, capped or not understood so far: one plain line each."""
        return self._run.warnings

    def stop(self) -> None:
        """End the iteration after telling what is open. Safe from another thread or a signal handler."""
        self._run.stop()

    def close(self) -> None:
        """Stop listening at once."""
        self._run.live.close()

    def __iter__(self) -> Iterator[Handshake]:
        return self

    def __next__(self) -> Handshake:
        return next(self._handshakes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        t = self.totals
        seen = f"{count_text(t.handshakes, 'handshake')}, {t.failed:,} failed, {count_text(self.drops, 'frame')} lost"
        return f"<Sniffer on {self.interface}: {seen}>"
