"""A progress bar on standard error: only on a terminal, and only for what takes over a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Progress"]

_PATIENCE, _STEP = 1.0, 0.2


class Progress:
    """Shows ``done()`` of ``total`` bytes while the block runs, from a thread of its own.

    ``total`` None: a bar without an end. rich is loaded when the bar appears, not before.
    """

    def __init__(self, done: Callable[[], int], total: int | None, wanted: bool = True) -> None:
        self._done, self._total = done, total
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True) if wanted and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        if self._ended.wait(_PATIENCE):
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        with bar:
            task = bar.add_task("reading", total=self._total, completed=self._done())
            while not self._ended.wait(_STEP):
                done = self._done()
                read = self._total is not None and done >= self._total
                bar.update(
                    task,
                    completed=done if self._total is None else min(done, self._total),
                    description="judging" if read else "reading",
                    refresh=True,
                )
