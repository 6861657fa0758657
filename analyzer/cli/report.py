"""``handshake report``: captures in, one HTML file out."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

from analyzer.cli import parameters as given
from analyzer.cli.analyze import analyze, choose_format
from analyzer.cli.declare import Option
from analyzer.cli.guard import FAIL_ON, complain
from analyzer.errors import UsageError
from analyzer.export.writer import format_of, is_url

__all__ = ["report"]

_NAME = "handshake-report.html"


def report(
    captures: given.Captures,
    output: Annotated[
        str, Option("--output", "-o", metavar="PATH", help="Write the page here: a file or a folder; - for standard output.")
    ] = _NAME,
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    failed: given.Failed = False,
    cause: given.Cause = None,
    server: given.Server = None,
    since: given.Since = None,
    until: given.Until = None,
    format_name: Annotated[
        str | None,
        Option(
            "--format",
            "-f",
            metavar="NAME",
            help="html; rows in other formats are what 'handshake analyze' writes.",
            values=lambda: ("html",),
        ),
    ] = None,
    fields: Annotated[
        str | None,
        Option(
            metavar="A,B,C",
            help="Columns of its table of handshakes, in this order, in place of the usual ones.",
            values=given.list_columns,
        ),
    ] = None,
    fail_on: given.FailOn = None,
    quiet: given.Quiet = False,
    reader: given.Reader = "native",
    workers: given.Workers = None,
    cluster: given.Cluster = None,
) -> None:
    """Write one HTML file that says what failed and why, and draws each failure. It opens without a network.

    \b
    handshake report trace.pcapng
    handshake report monday.pcap tuesday.pcap -o week.html
    handshake report trace.pcapng --failed --fields server_name,cause,summary,ja4
    """
    page = _page(format_name, output)
    ended: SystemExit | None = None
    try:
        analyze(
            captures,
            keylog=keylog,
            ca_file=ca_file,
            server_port=server_port,
            failed=failed,
            cause=cause,
            server=server,
            since=since,
            until=until,
            format_name="html",
            output=page,
            fields=fields,
            fail_on=fail_on,
            quiet=quiet,
            reader=reader,
            workers=workers,
            cluster=cluster,
        )
    except SystemExit as end:
        if end.code != FAIL_ON:
            raise
        ended = end  # the page was written all the same
    if page != "-" and not quiet:
        complain(f"wrote {page}")
    if ended is not None:
        raise ended


def _page(format_name: str | None, output: str) -> str:
    """Where the page goes. Raises UsageError for what is no place for a page: rows are for ``analyze`` to write."""
    if format_name not in (None, "html"):
        choose_format(format_name, None)
        raise UsageError(f"a report is html; for rows: handshake analyze --format {format_name}")
    if is_url(output):
        raise UsageError(f"a report is a file; for rows in a database: handshake analyze -o {shlex.quote(output)}")
    if output == "-":
        return output
    if output.endswith(os.sep) or Path(output).is_dir():
        return os.path.join(output, _NAME)  # noqa: PTH118 - said as it was asked for
    if format_name is None and _format_of(output) != "html":
        raise UsageError(f"a report is html; for rows: handshake analyze -o {shlex.quote(output)} (the report there: --format html)")
    return output


def _format_of(output: str) -> str:
    """The format that the suffix asks for; html where it asks for none."""
    try:
        return format_of(output)
    except UsageError:
        return "html"
