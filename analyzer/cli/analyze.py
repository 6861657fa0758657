"""``handshake analyze``: captures in, rows or a summary out."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from analyzer.cli import parameters as given
from analyzer.cli.guard import FAIL_ON, complain
from analyzer.cli.heap import enlarge_heap
from analyzer.cli.style import Style, lay_out, say
from analyzer.errors import UsageError
from analyzer.export.writer import FORMATS, Row, TableWriters, Writer, format_of, is_url, open_tables, open_writer, select
from analyzer.schema import HANDSHAKES, AlikeRow

if TYPE_CHECKING:
    from analyzer.model.handshake import Handshake
    from analyzer.pipeline.distributed import DistributedRun
    from analyzer.pipeline.run import Run
    from analyzer.pipeline.selection import Selection

__all__ = ["analyze"]

_OF_HANDSHAKES = ("handshakes", "alerts", "records", "findings")
"""Tables whose rows belong to one handshake each."""

_Found = TypeVar("_Found", "Handshake", "Handshake | AlikeRow")


def analyze(
    captures: given.Captures,
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    failed: given.Failed = False,
    cause: given.Cause = None,
    server: given.Server = None,
    since: given.Since = None,
    until: given.Until = None,
    format_name: given.Format = None,
    output: given.OutputPath = None,
    fields: given.Fields = None,
    fail_on: given.FailOn = None,
    quiet: given.Quiet = False,
    reader: given.Reader = "native",
    workers: given.Workers = None,
    cluster: given.Cluster = None,
    export_to: given.ExportDecrypted = None,
) -> None:
    """Read captures and say which TLS handshakes failed, and why.

    \b
    handshake analyze trace.pcapng
    handshake analyze --failed --format jsonl captures/ | jq .cause
    handshake analyze trace.pcap -o rows.parquet --fields server_name,cause,summary
    handshake analyze monday.pcap tuesday.pcap -o week.sqlite
    handshake analyze trace.pcap --format zeek -o logs/
    tcpdump -i eth0 -w - port 443 | handshake analyze -
    handshake analyze trace.pcap --quiet --fail-on cert-expired

    Exit codes: 0 done, 1 could not be done, 2 usage, 3 --fail-on matched.
    """
    chosen = choose_format(format_name, output)
    columns = given.read_fields(fields)
    options = given.options_from(
        keylog=keylog,
        ca_file=ca_file,
        server_port=server_port,
        failed=failed,
        cause=cause,
        server=server,
        since=since,
        until=until,
        reader=reader,
        workers=workers if export_to is None else 1,  # the keys are wanted here
        cluster=cluster,
    )
    if chosen == "parquet" and output in (None, "-") and sys.stdout.isatty():
        raise UsageError("parquet is nothing to look at: add -o FILE")
    enlarge_heap()
    from analyzer.pipeline import open_run  # numpy and all below
    from analyzer.pipeline.selection import Selection

    selection = Selection(options, fail_on or ())
    select(HANDSHAKES, columns)
    if export_to is not None:
        from analyzer.cli.decrypted import check_export, export_decrypted

        check_export(map(is_stream, captures))
    options = replace(
        options,
        keeps_flows=_has_flows(chosen, output),
        completed=_ask_of_completed(chosen, output, columns, selection) if export_to is None else "handshakes",
    )
    run = open_run(captures, options)
    with contextlib.closing(run.source):
        watched = _Watched(run, selection, quiet, streaming=any(map(is_stream, captures)), exports=export_to is not None)
        if chosen == "table":
            _show(watched, columns, output)
        elif chosen == "html":
            _report(watched, columns, output)
        elif chosen in ("sqlite", "sql") or _is_folder(output, chosen):
            _fill_tables(watched, open_tables(output or "-", chosen, captures=captures, fields=columns))
        else:
            _fill(watched, columns, open_writer(output or "-", chosen, HANDSHAKES, fields=columns, captures=captures))
    from analyzer.diagnosis.words import count_text  # loaded by the run

    if export_to is not None:
        with_keys = export_decrypted(captures, export_to, watched.randoms, getattr(run, "keylog", None), reader)
        if not quiet:
            complain(f"{export_to}: the frames, and the secrets of {count_text(with_keys, 'connection')}")
    if watched.matched:
        if not quiet:
            complain(f"--fail-on: {count_text(watched.matched, 'handshake')}")
        raise SystemExit(FAIL_ON)


def choose_format(name: str | None, output: str | None) -> str:
    """The format asked for by ``name``, else by the output's suffix, else ``table``. Raises UsageError."""
    if name is not None and name not in FORMATS:
        raise UsageError(f"no format {name!r}: use one of {' '.join(FORMATS)}")
    if output is None or output == "-":
        return name or "table"
    if is_url(output):
        return "sql"
    return name or format_of(output)


def is_stream(capture: str) -> bool:
    """The capture is a pipe: what it says is shown as it comes."""
    if capture == "-":
        return True
    try:
        return stat.S_ISFIFO(Path(capture).stat().st_mode)
    except OSError:
        return False


def _is_folder(output: str | None, kind: str) -> bool:
    """The output is a folder, there already or named as one; Zeek's logs are files of fixed names in one."""
    if output is None or output == "-":
        return False
    return output.endswith(os.sep) or Path(output).is_dir() or (kind == "zeek" and not Path(output).suffix)


def _has_flows(chosen: str, output: str | None) -> bool:
    """The output may have room for a table of flows; without, memory does not grow with the capture."""
    return chosen not in ("table", "csv", "jsonl", "parquet", "ecs") or _is_folder(output, chosen)


def _ask_of_completed(
    chosen: str, output: str | None, columns: list[str] | None, selection: Selection
) -> Literal["handshakes", "rows", "counts"]:
    """What completed handshakes are needed for: several tables, a report and filters look at each."""
    if chosen in ("html", "sqlite", "sql") or _is_folder(output, chosen) or selection.shows_completed:
        return "handshakes"
    return "rows" if selection.everything and (chosen != "table" or columns is not None) else "counts"


class _Watched:
    """A run with its filters, its warnings, its progress bar and the count for ``--fail-on``."""

    def __init__(self, run: Run | DistributedRun, selection: Selection, quiet: bool, streaming: bool, *, exports: bool) -> None:
        self.run, self.streaming, self._exports = run, streaming, exports
        self.matched = 0
        self.tls_flows: set[int] = set()
        """Flows that carried TLS, shown or not; empty where no table of flows will be made."""
        self.randoms: set[bytes] = set()
        """Client randoms, by which a key log names connections; empty where none will be written."""
        self._selection, self._quiet = selection, quiet
        self._said: set[str] = set()
        self.filtered = not selection.everything

    def handshakes(self) -> Iterator[Handshake]:
        """The handshakes that the filters let through."""
        return self._shown(self.run.handshakes(), draws=True)

    def rows(self, fields: list[str] | None, draws: bool) -> Iterator[Row]:
        """Their rows, with these columns at least. ``draws``: standard output is still free for a bar."""
        from analyzer.tables import handshake_row

        captures = self.run.captures
        for found in self._shown(self.run.found(fields), draws):
            yield found if isinstance(found, AlikeRow) else handshake_row(found, captures)

    def _shown(self, found: Iterable[_Found], draws: bool) -> Iterator[_Found]:
        from analyzer.cli.progress import Progress

        run, accepts, fails = self.run, self._selection.accepts, self._selection.fails
        wanted = not self._quiet and not self.streaming and (draws or not sys.stdout.isatty())
        with Progress(lambda: run.source.position, run.source.size, wanted):
            for handshake in found:
                if self.streaming:
                    self.warn(run.source.warnings)
                if isinstance(handshake, AlikeRow):  # completed, where no filter asks for more
                    yield handshake
                    continue
                if self._exports and handshake.client_hello is not None:
                    self.randoms.add(handshake.client_hello.random)
                if run.options.keeps_flows and handshake.messages:
                    self.tls_flows.add(handshake.flow.number)
                if accepts(handshake):
                    self.matched += bool(fails(handshake))
                    yield handshake
        self.warn(run.warnings)

    def warn(self, warnings: Iterable[str]) -> None:
        """Say those that were not said yet."""
        for warning in warnings:
            if warning not in self._said:
                self._said.add(warning)
                if not self._quiet:
                    complain(f"warning: {warning}")


def _fill(watched: _Watched, columns: list[str] | None, writer: Writer) -> None:
    """Rows of handshakes into one writer."""
    done = False
    try:
        for row in watched.rows(columns, draws=False):
            writer.write(row)
            if watched.streaming:
                writer.flush()
        done = True
    finally:
        writer.close(done)


def _fill_tables(watched: _Watched, tables: TableWriters) -> None:
    """Rows of every table that the output has room for. Flows are all of the capture's, whatever the filters."""
    from analyzer.tables import rows_of
    from analyzer.tables.collect import CertificateTable, ServerTable

    run = watched.run
    certificates, servers = CertificateTable(), ServerTable()
    done = False
    try:
        writers = [(name, tables.writer(name)) for name in _OF_HANDSHAKES if name in tables.tables]
        for handshake in watched.handshakes():
            certificates.add(handshake)
            servers.add(handshake)
            for name, writer in writers:
                writer.write_all(rows_of((handshake,), name, run.captures))
        for name, found in (
            ("certificates", certificates.rows()),
            ("servers", servers.rows()),
            ("flows", run.flow_rows(watched.tls_flows)),
        ):
            if name in tables.tables:
                tables.writer(name).write_all(found)
        done = True
    finally:
        tables.close(done)


def _show(watched: _Watched, columns: list[str] | None, output: str | None) -> None:
    """The summary (or the columns asked for, aligned) on standard output or into a file."""
    if output is None or output == "-":
        for line in _text(watched, columns, Style(), sys.stdout.isatty()):
            say(line)
            if watched.streaming:
                sys.stdout.flush()
        return
    from analyzer.export.files import StagedFile

    staged = StagedFile(output)
    done = False
    try:
        with staged.open() as file:
            for line in _text(watched, columns, Style(file=True), False):
                file.write(line.encode("utf-8", "backslashreplace") + b"\n")
        done = True
    finally:
        staged.commit() if done else staged.discard()


def _report(watched: _Watched, columns: list[str] | None, output: str | None) -> None:
    """The report as one page."""
    from analyzer.export import html
    from analyzer.export.report import Report

    html.check_parts()  # before the captures are read, which may take long
    run = watched.run
    report = Report(run.captures, fields=columns)
    for handshake in watched.handshakes():
        report.add(handshake)
    html.write_report(output or "-", report, run.totals, prevention=run.prevention(), warnings=run.warnings, filtered=watched.filtered)


def _text(watched: _Watched, columns: list[str] | None, style: Style, terminal: bool) -> Iterator[str]:
    if columns is not None:
        yield from _aligned(watched, columns, terminal)
        return
    from analyzer.cli.summary import Summary

    run = watched.run
    summary = Summary(run.captures, style, filtered=watched.filtered)
    for handshake in watched.handshakes():
        summary.add(handshake)
        if watched.streaming and (line := summary.line_of(handshake)) is not None:
            yield line
    yield from summary.lines(run.totals, run.prevention(), failures=not watched.streaming)


def _aligned(watched: _Watched, columns: list[str], terminal: bool) -> Iterator[str]:
    """The chosen columns of every row, for people."""
    from analyzer.export.lines import show

    kinds = {column.name: column.dtype for column in select(HANDSHAKES, columns)}
    limit = 60 if terminal else 400
    table = [list(kinds)]
    for row in watched.rows(columns, draws=True):
        table.append([show(row.get(name), dtype, limit) for name, dtype in kinds.items()])
    numbers = frozenset(index for index, kind in enumerate(kinds.values()) if kind in ("int64", "float64"))
    yield from lay_out(table, right=numbers, indent="")
