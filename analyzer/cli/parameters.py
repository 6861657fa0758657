"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from analyzer.cli.declare import Argument, Option
from analyzer.errors import UsageError
from analyzer.model.options import Options
from analyzer.model.wanted import read_ports, read_time

__all__ = [
    "CaFile", "Captures", "Cause", "Cluster", "ExportDecrypted", "FailOn", "Failed", "Fields", "Format", "Keylog", "OutputPath",
    "Quiet", "Reader", "Server", "ServerPort", "Since", "Until", "Workers", "list_columns", "options_from", "read_fields",
]  # fmt: skip


def list_causes() -> Iterable[str]:
    """Ids of the catalogue."""
    from analyzer.diagnosis import registry

    return registry.list_causes()


def list_columns() -> Iterable[str]:
    """Names of the columns of a handshake."""
    from analyzer.schema.columns import HANDSHAKES

    return (column.name for column in HANDSHAKES)


def list_formats() -> Iterable[str]:
    """Names that ``--format`` knows."""
    from analyzer.export.writer import FORMATS

    return FORMATS


Captures = Annotated[
    list[str],
    Argument(metavar="CAPTURE...", help="File, folder (what is below it too), glob, - for standard input, or URL.", show_default=False),
]
Keylog = Annotated[
    str | None,
    Option(metavar="FILE", help="Key log (SSLKEYLOGFILE) to decrypt with. Keys inside pcapng are used without asking."),
]
CaFile = Annotated[str | None, Option(metavar="PEM", help="Trust store to judge chains by. Default: the system's.")]
ServerPort = Annotated[
    list[str] | None,
    Option(metavar="PORT", help="A port, or LOW-HIGH, where TLS is expected. Repeatable.", show_default=False),
]
Reader = Annotated[
    str, Option(metavar="NAME", help="native, or tshark for containers that only tshark reads.", values=lambda: ("native", "tshark"))
]
Workers = Annotated[
    int | None,
    Option(
        metavar="N",
        min=1,
        help="Processes that read at once; the result is the same. Default: as many as pay, at most 4. Pipes and URLs are read by 1.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    Option(metavar="ADDRESS", help="Scheduler of a Dask cluster (tcp://host:8786): each capture is read by a worker."),
]
Failed = Annotated[bool, Option("--failed", help="Only what failed.")]
Cause = Annotated[str | None, Option(metavar="ID", help="Only this cause; a pattern such as 'cert-*' too.", values=list_causes)]
Server = Annotated[str | None, Option(metavar="NAME", help="Only this server name or address; a pattern such as '*.example.com' too.")]
Since = Annotated[
    str | None,
    Option(metavar="TIME", help="Only what began then or later: ISO 8601 (UTC unless it says so) or epoch seconds."),
]
Until = Annotated[str | None, Option(metavar="TIME", help="Only what began before then.")]
Format = Annotated[
    str | None,
    Option(
        "--format",
        "-f",
        metavar="NAME",
        help="table, csv, jsonl, parquet, sqlite, zeek, ecs, html. Default: by -o, else table.",
        values=list_formats,
    ),
]
OutputPath = Annotated[
    str | None,
    Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Write here: a file (format from its suffix), a folder (one file a table), or a database URL.",
    ),
]
Fields = Annotated[str | None, Option(metavar="A,B,C", help="Only these columns, in this order.", values=list_columns)]
FailOn = Annotated[
    list[str] | None,
    Option(
        metavar="CAUSE",
        help="Exit with 3 when a handshake failed of this cause; 'any' for all. Repeatable.",
        show_default=False,
        values=lambda: ("any", *list_causes()),
    ),
]
ExportDecrypted = Annotated[
    str | None,
    Option("--export-decrypted", metavar="PCAPNG", help="Write the capture again with its secrets inside: Wireshark opens it decrypted."),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="No warnings and no progress on standard error.")]


def read_fields(text: str | None) -> list[str] | None:
    """``a,b,c`` as a list; None stays None. Raises UsageError when nothing is named."""
    if text is None:
        return None
    fields = [name.strip() for name in text.split(",") if name.strip()]
    if not fields:
        raise UsageError("--fields names no column")
    return fields


def options_from(
    *,
    keylog: str | None = None,
    ca_file: str | None = None,
    server_port: Sequence[str] | None = None,
    failed: bool = False,
    cause: str | None = None,
    server: str | None = None,
    since: str | None = None,
    until: str | None = None,
    reader: str = "native",
    workers: int | None = 1,
    cluster: str | None = None,
) -> Options:
    """The command line's words as Options. Raises UsageError."""
    if reader not in ("native", "tshark"):
        raise UsageError(f"no reader {reader!r}: native or tshark")
    return Options(
        keylog=keylog,
        ca_file=ca_file,
        server_ports=read_ports(server_port or ()),
        failed_only=failed,
        cause=cause,
        server=server,
        since=None if since is None else read_time(since),
        until=None if until is None else read_time(until),
        reader=reader,
        workers=workers or 0,
        cluster=cluster,
    )
