"""``handshake sniff``: the same as ``analyze``, live."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from analyzer.cli import parameters as given
from analyzer.cli.declare import Argument, Option
from analyzer.cli.guard import FAIL_ON, complain
from analyzer.cli.style import say
from analyzer.errors import AnalyzerError, UsageError
from analyzer.export.writer import format_of, select
from analyzer.schema.columns import HANDSHAKES

if TYPE_CHECKING:
    from analyzer.export.rotating import RotatingFile
    from analyzer.export.writer import Writer
    from analyzer.model.handshake import Handshake
    from analyzer.pipeline.live import LiveRun, Taken
    from analyzer.pipeline.selection import Selection

__all__ = ["read_seconds", "read_size", "sniff"]

_FORMATS = ("table", "jsonl", "csv", "zeek", "ecs")
_FLUSH = 0.2
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)i?[bB]?")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")
_STEPS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_LENGTHS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _names() -> Iterator[str]:
    """What can be watched."""
    import socket

    yield "any"
    yield from (name for _, name in socket.if_nameindex())


def sniff(
    interface: Annotated[str, Argument(metavar="[INTERFACE]", help="Interface to watch, or any.", show_default=False, values=_names)] = "",
    also_interface: Annotated[
        str | None, Option("--interface", "-i", metavar="NAME", help="The same as an option. Default: any.", values=_names)
    ] = None,
    bpf: Annotated[
        str | None, Option("--bpf", metavar="EXPR", help="Only frames that pass this filter of libpcap too, e.g. 'host 192.0.2.1'.")
    ] = None,
    duration: Annotated[str | None, Option(metavar="TIME", help="Stop after so long: 90, 90s, 10m, 8h.")] = None,
    count: Annotated[int | None, Option(min=1, metavar="N", help="Stop after so many handshakes.")] = None,
    snaplen: Annotated[int, Option(min=64, max=262_144, metavar="BYTES", help="Bytes to take of each frame.")] = 262_144,
    timeout: Annotated[float, Option(min=0.1, metavar="SECONDS", help="Silence after which an attempt is judged.")] = 10.0,
    wait: Annotated[bool, Option("--wait", help="Wait for an interface that is not there, or goes away.")] = False,
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    failed: given.Failed = False,
    cause: given.Cause = None,
    server: given.Server = None,
    since: Annotated[str | None, Option(metavar="TIME", help="Leave out what began before then; what follows is watched.")] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Stop then: ISO 8601 (UTC unless it says so) or epoch seconds.")] = None,
    format_name: Annotated[
        str | None,
        Option("--format", "-f", metavar="NAME", help=f"{', '.join(_FORMATS)}. Default: from -o, else table.", values=lambda: _FORMATS),
    ] = None,
    output: Annotated[str | None, Option("--output", "-o", metavar="FILE", help="Write rows here as they happen.")] = None,
    fields: given.Fields = None,
    rotate_size: Annotated[str | None, Option(metavar="SIZE", help="Begin another file after so many bytes: 100M.")] = None,
    rotate_time: Annotated[str | None, Option(metavar="TIME", help="Begin another file after so long: 1h.")] = None,
    keep: Annotated[int | None, Option(min=1, metavar="N", help="Keep so many full files, delete older ones of this run.")] = None,
    write: Annotated[str | None, Option("--write", "-w", metavar="PCAPNG", help="Keep the frames of failed handshakes.")] = None,
    write_all: Annotated[str | None, Option(metavar="PCAPNG", help="Keep every frame.")] = None,
    metrics: Annotated[
        str | None, Option(metavar="[ADDRESS]:PORT", help="Serve numbers to Prometheus, on every address when it names none.")
    ] = None,
    fail_on: given.FailOn = None,
    quiet: given.Quiet = False,
    user: Annotated[
        str | None, Option(metavar="NAME", help="Whom root becomes once it listens. Default: who called sudo, else nobody.")
    ] = None,
    portable: Annotated[bool, Option("--portable", help="Listen through scapy, without the kernel's ring.")] = False,
    promiscuous: Annotated[bool, Option("--promiscuous/--no-promiscuous", help="Take frames for other machines too.")] = True,
    ring_size: Annotated[int, Option(min=1, max=4096, metavar="MB", help="Room for frames that wait to be read.")] = 64,
    workers: Annotated[int | None, Option(metavar="N", min=1, help="Accepted as by analyze; an interface is read by one process.")] = None,
    cluster: Annotated[str | None, Option(metavar="ADDRESS", help="Accepted as by analyze; an interface is read where it is.")] = None,
) -> None:
    """Watch an interface and say which TLS handshakes fail, and why, when they do.

    \b
    handshake sniff eth0
    handshake sniff --bpf 'host 192.0.2.1' --format jsonl eth0 | jq .cause
    handshake sniff eth0 -o rows.jsonl --rotate-size 100M --write failed.pcapng --metrics :9464
    handshake sniff any --failed --duration 10m --fields first_seen,server_name,cause
    handshake sniff eth0 --until 2026-05-01T06:00+02:00 -o night.jsonl

    A line is printed the moment a handshake fails. Ctrl-C or SIGTERM end it: what is open is told, the rest is summed up.
    SIGHUP begins new files. Started as root it becomes --user once it listens.

    Exit codes: 0 done, 1 could not be done (the interface went away), 2 usage, 3 --fail-on matched.
    """
    if interface and also_interface and interface != also_interface:
        raise UsageError(f"{interface} and --interface {also_interface} cannot both be watched")
    name = interface or also_interface or "any"
    chosen = _choose_format(format_name, output)
    columns = given.read_fields(fields)
    select(HANDSHAKES, columns)
    seconds = read_seconds(duration, "--duration") if duration is not None else None
    size, period = read_size(rotate_size) if rotate_size else None, read_seconds(rotate_time, "--rotate-time") if rotate_time else None
    if (size or period) and not (output or write or write_all):
        raise UsageError("--rotate-size and --rotate-time need a file: add -o FILE")
    from dataclasses import replace

    options = given.options_from(
        keylog=keylog, ca_file=ca_file, server_port=server_port, failed=failed, cause=cause, server=server, since=since, until=until
    )  # fmt: skip
    options = replace(options, live=True, timeout=timeout)

    from analyzer.pipeline.live import LiveRun, check_end
    from analyzer.pipeline.selection import Selection
    from analyzer.sources.live import open_live
    from analyzer.sources.privileges import forbid_new_privileges, target_user

    selection = Selection(options, fail_on or ())
    check_end(options)
    if not quiet and (cluster is not None or (workers or 1) > 1):
        complain("an interface is read here, by one process: --workers and --cluster make no difference")
    who = target_user(user)
    source = open_live(
        name, bpf=bpf, snaplen=snaplen, portable=portable, promiscuous=promiscuous, wait=wait, ring_megabytes=ring_size
    )  # fmt: skip
    with contextlib.closing(source):
        if not quiet:
            source.said = complain
        run = LiveRun(source, options)
        watch = _Watch(run, selection, name, quiet)
        try:
            watch.open(chosen, output, columns, write, write_all, size, period, keep, who)
            forbid_new_privileges()
            address = watch.address(metrics)
            if address is not None and address[1] < 1024:
                watch.serve(address)  # only root can; in every other case its thread starts without a privilege
            watch.prepare()
            _load_all()
            run.warm_up()
            source.start()
            _become(who, watch.files)
            if address is not None and address[1] >= 1024:
                watch.serve(address)
            watch.go(seconds, count)
        finally:
            watch.close()
    if watch.matched:
        raise SystemExit(FAIL_ON)


def _choose_format(name: str | None, output: str | None) -> str:
    if name is None:
        name = "table" if output is None or output == "-" else format_of(output)
    if name not in _FORMATS:
        raise UsageError(f"live rows cannot be written as {name}: use {', '.join(_FORMATS[1:])}; or --write-all FILE, and analyze that")
    if name == "table" and output not in (None, "-"):
        raise UsageError("a file needs --format jsonl, csv, zeek or ecs")
    return name


def read_size(text: str) -> int:
    """``500k``, ``100M``, ``1G`` as bytes. Raises UsageError."""
    found = _SIZE.fullmatch(text.strip())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{text!r} is no size: write 100M")
    return max(1, int(float(found[1]) * _STEPS[found[2]]))


def read_seconds(text: str, option: str) -> float:
    """``90``, ``90s``, ``10m``, ``8h``, ``7d`` as seconds. Raises UsageError."""
    found = _TIME.fullmatch(text.strip())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{option} {text!r} is no length of time: write 90, 10m or 8h")
    return float(found[1]) * _LENGTHS[found[2]]


_LOADED_LATE = (
    "encodings.idna",
    "encodings.punycode",
    "numpy.ma",
    "ssl",
    "threading",
    "traceback",
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509.ocsp",
    "cryptography.x509.verification",
)
"""What is imported when the first frame asks for it, by us or by those we import."""


def _load_all() -> None:
    """Load now what a frame may ask for later: whom we become may not be able to read it."""
    import importlib
    import pkgutil

    for floor in ("registries", "decode", "flows", "reassembly", "tls", "dialogues", "handshakes", "diagnosis", "tables"):
        package = importlib.import_module(f"analyzer.{floor}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name != "analyzer.tables.frames":  # loads pandas
                importlib.import_module(found.name)
    for name in _LOADED_LATE:
        importlib.import_module(name)


def _become(who: tuple[str, int, int] | None, files: list[RotatingFile[Any]]) -> None:
    """Stop being root. Files opened so far go along; where more will be opened, that must be possible."""
    from analyzer.sources.privileges import drop_privileges

    for file in files:
        if who is not None:
            file.give_to(who[1], who[2])
    drop_privileges(who)
    for file in files:
        folder = file.path.absolute().parent
        if file.rotates and not os.access(folder, os.W_OK | os.X_OK):
            name = who[0] if who is not None else "this user"
            raise AnalyzerError(f"{folder}: {name} cannot begin new files there: give it the folder, or choose another --user")


class _Watch:
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
        steps = self._steps()
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

    def _steps(self) -> Iterator[list[Handshake]]:
        return self.run.steps()

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
        if self._out is not None or self._rows is not None:
            from analyzer.tables import handshake_row

            (self._rows.inner if self._rows is not None else self._out).write(handshake_row(handshake, self.run.captures))  # type: ignore[union-attr]
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
        if self._kept is not None and self._kept.left_out and not self._quiet:
            complain(f"warning: {self._kept.left_out:,} frames of open handshakes had no room and are not in {self._evidence.path}")  # type: ignore[union-attr]
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
