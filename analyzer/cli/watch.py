"""A live run on the command line: what it is written to, and the loop that does it as handshakes end."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from analyzer.cli.guard import complain
from analyzer.cli.style import say
from analyzer.errors import AnalyzerError
from analyzer.schema.columns import HANDSHAKES

if TYPE_CHECKING:
    from analyzer.export.rotating import RotatingFile
    from analyzer.export.writer import Writer
    from analyzer.model.handshake import Handshake
    from analyzer.pipeline.live import LiveRun, Taken
    from analyzer.pipeline.selection import Selection

__all__ = ["Watch"]

_FLUSH = 0.2


class Watch:
    """A run with what it writes to, and the loop."""

    def __init__(self, run: LiveRun, selection: Selection, name: str, quiet: bool) -> None:
        from analyzer.cli.tally import Tally

        self.run, self.matched, self.files = run, 0, list[Any]()
        self._selection, self._name, self._quiet = selection, name, quiet
        self._tally = Tally(filtered=not selection.everything)
        self._rows: RotatingFile[Writer] | None = None
        self._out: Writer | None = None
        self._evidence: RotatingFile[Any] | None = None
        self._all: RotatingFile[Any] | None = None
        self._metrics: Any = None
        self._server: Any = None
        self._view: Any = None
        self._kept: Any = None
        self._hung_up = False
        self._table = False
        self._said: set[str] = set()

    # -- opening

    def open(
        self, chosen: str, output: str | None, columns: list[str] | None, write: str | None, write_all: str | None,
        size: int | None, period: float | None, keep: int | None, who: tuple[str, int, int] | None,
    ) -> None:  # fmt: skip
        """Open what is written to. Raises AnalyzerError."""
        from analyzer.export.writer import open_writer

        if chosen == "table" and columns is not None:
            from analyzer.cli.rows import RowLines

            self._out = RowLines(columns)
        elif chosen == "table":
            self._table = True
        elif output is None or output == "-":
            self._out = open_writer("-", chosen, HANDSHAKES, fields=columns, captures=self.run.captures)
        else:
            self._rows = self._file(output, lambda stream: open_writer(stream, chosen, HANDSHAKES, fields=columns), size, period, keep)
            self._table = True
        if write is not None or write_all is not None:
            from analyzer.export.pcapng import PcapngWriter
            from analyzer.pipeline.kept_frames import KeptFrames

            if write is not None:
                self._evidence = self._file(write, PcapngWriter, size, period, keep, 0o600)
                self._kept = KeptFrames(self.run.tracker)
            if write_all is not None:
                self._all = self._file(write_all, PcapngWriter, size, period, keep, 0o600)
            self.run.taken = self._take

    def _file(self, path: str, make: Any, size: int | None, period: float | None, keep: int | None, mode: int = 0o644) -> Any:
        from analyzer.export.rotating import RotatingFile

        file: RotatingFile[Any] = RotatingFile(path, make, size=size, seconds=period, keep=keep, mode=mode)
        self.files.append(file)
        return file

    def address(self, metrics: str | None) -> tuple[str, int] | None:
        """Where to answer Prometheus; what that needs is loaded. Raises UsageError, MissingExtra."""
        if metrics is None:
            return None
        from analyzer.pipeline.metrics import load_client, read_address

        address = read_address(metrics)
        load_client()
        return address

    def serve(self, address: tuple[str, int]) -> None:
        """Answer Prometheus."""
        from analyzer.pipeline.metrics import serve_metrics

        self._metrics, self._server = serve_metrics(self.run, address)

    def prepare(self) -> None:
        """Make the view, on a terminal."""
        if self._table and sys.stdout.isatty() and not self._quiet and os.environ.get("TERM") != "dumb":
            from analyzer.cli.view import View

            self._view = View(self.run, self._tally, self._name)

    # -- running

    def go(self, seconds: float | None, count: int | None) -> None:
        """Until it is stopped, or the interface goes away (SourceError, after everything was told)."""
        run = self.run
        self._listen_to_signals()
        if self._view is not None:
            self._view.start()
        elif not self._quiet:
            complain(f"watching {self._name} ({'ring' if run.live.kind == 'ring' else 'through scapy'}); Ctrl-C ends it")
        gc.collect()
        gc.freeze()  # what is loaded now stays
        gc.set_threshold(20_000, 20, 50)
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        flushed = tidied = time.monotonic()
        error: AnalyzerError | None = None
        shown = 0
        steps = run.steps()
        while True:
            try:
                handshakes = next(steps, None)
            except AnalyzerError as gone:
                handshakes, error = run.rest(), gone
            if handshakes is None:
                break
            for handshake in handshakes:
                if count is None or shown < count:
                    shown += self._tell(handshake)
            now = time.monotonic()
            if handshakes or now - flushed >= _FLUSH:
                flushed = now
                self._flush()
            if now - tidied >= 1.0:
                tidied = now
                if self._kept is not None:
                    self._kept.forget_past()
                self._warn()
            if self._hung_up:
                self._rotate()
            if self._view is not None:
                self._view.update()
            if error is not None:
                break
            if now >= end or (count is not None and shown >= count):
                run.stop()
        self._finish()
        if error is not None:
            raise error

    def _tell(self, handshake: Handshake) -> bool:
        """Count, print, write one handshake; whether the filters let it through."""
        if self._metrics is not None:
            self._metrics.count(handshake)
        frames = self._kept.give(handshake) if self._kept is not None else None
        if not self._selection.accepts(handshake):
            return False
        self.matched += bool(self._selection.fails(handshake))
        line = self._tally.add(handshake)
        if line is not None and self._table:
            if self._view is not None:
                self._view.show(line)
            else:
                say(line)
        rows = self._rows.inner if self._rows is not None else self._out
        if rows is not None:
            from analyzer.tables import handshake_row

            rows.write(handshake_row(handshake, self.run.captures))
        if frames and handshake.outcome == "failed" and self._evidence is not None:
            for frame in frames:
                self._write(self._evidence.inner, frame)
        return True

    def _write(self, writer: Any, frame: Any) -> None:
        name = self.run.live.interfaces[frame.interface].name
        writer.write_frame(frame.timestamp, frame.link_type, name, frame.data, frame.original_length)

    def _take(self, taken: Taken) -> None:
        """Every batch passes here: frames that may be evidence are kept, and all are written where that was asked for."""
        if self._kept is not None:
            self._kept.take(taken.frames, taken.segments)
        if self._all is not None:
            from analyzer.pipeline.kept_frames import frames_of

            writer = self._all.inner
            for frame in frames_of(taken.frames):
                self._write(writer, frame)

    def _flush(self) -> None:
        if self._out is not None:
            self._out.flush()
        for file in self.files:
            file.flush()
        if self._table and self._view is None:
            sys.stdout.flush()

    def _rotate(self) -> None:
        self._hung_up = False
        for file in self.files:
            try:
                file.rotate()
            except AnalyzerError as error:
                raise AnalyzerError(f"SIGHUP: {error}") from error

    def _warn(self) -> None:
        if self._quiet or self._view is not None:
            return
        if self.run.drops and "drops" not in self._said:
            self._said.add("drops")
            complain("warning: frames are being lost: give --ring-size more, or a narrower --bpf")
        for warning in self.run.warnings:
            kind = warning.lstrip("0123456789 x")
            if kind not in self._said:
                self._said.add(kind)
                complain(f"warning: {warning}")

    def _listen_to_signals(self) -> None:
        def stop(_number: int, _frame: object) -> None:
            self.run.stop()
            signal.signal(signal.SIGINT, signal.default_int_handler)  # who asks twice does not want to wait

        def hang_up(number: int, frame: object) -> None:
            if self.files:
                self._hung_up = True
            else:
                stop(number, frame)

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, hang_up)

    # -- ending

    def _finish(self) -> None:
        self._flush()
        if self._view is not None:
            self._view.stop()
            self._view = None
        lines = self._tally.lines(self.run, self._name)
        if self._table:
            for line in lines:
                say(line)
            sys.stdout.flush()
        elif not self._quiet:
            for line in lines:
                if not line:
                    break
                complain(line)
        if self._kept is not None and self._evidence is not None and self._kept.left_out and not self._quiet:
            complain(f"warning: {self._kept.left_out:,} frames of open handshakes had no room and are not in {self._evidence.path}")
        if not self._quiet:
            self._view = None
            self._warn()

    def close(self) -> None:
        """Give back what was opened, also after an error."""
        if self._view is not None:
            self._view.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._out is not None:
            self._out.close()
        for file in self.files:
            with contextlib.suppress(AnalyzerError):
                file.close()
