"""``handshake report``: captures in, one HTML file out."""

from __future__ import annotations

from typing import Annotated

from analyzer.cli import parameters as given
from analyzer.cli.analyze import analyze
from analyzer.cli.declare import Option
from analyzer.cli.guard import complain

__all__ = ["report"]


def report(
    captures: given.Captures,
    output: Annotated[
        str, Option("--output", "-o", metavar="PATH", help="Write the page here; - for standard output.")
    ] = "handshake-report.html",
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    failed: given.Failed = False,
    cause: given.Cause = None,
    server: given.Server = None,
    since: given.Since = None,
    until: given.Until = None,
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
    """
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
        output=output,
        fail_on=fail_on,
        quiet=quiet,
        reader=reader,
        workers=workers,
        cluster=cluster,
    )
    if output != "-" and not quiet:
        complain(f"wrote {output}")
