"""``handshake explain``: one handshake, message by message; or the page of a cause."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from analyzer.cli import parameters as given
from analyzer.cli.guard import complain
from analyzer.cli.style import Style, cut, lay_out, say, wrap
from analyzer.cli.summary import server_of
from analyzer.errors import AnalyzerError, UsageError
from analyzer.export.escape import for_terminal
from analyzer.export.values import iso_time

if TYPE_CHECKING:
    from analyzer.model.handshake import Handshake

__all__ = ["explain"]


def explain(
    what: Annotated[str, typer.Argument(metavar="CAPTURE|CAUSE", help="A capture, or the id of a cause.", show_default=False)],
    stream: Annotated[
        int | None,
        typer.Argument(metavar="STREAM", min=0, help="Wireshark's tcp.stream number of the handshake.", show_default=False),
    ] = None,
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    quiet: given.Quiet = False,
    reader: given.Reader = "native",
) -> None:
    """Show one handshake in full, or the page of a cause.

    \b
    handshake explain trace.pcapng 17
    handshake explain cert-expired
    """
    style = Style()
    if stream is None:
        lines = _page(what, style)
    else:
        options = given.options_from(keylog=keylog, ca_file=ca_file, server_port=server_port, reader=reader)
        from analyzer.pipeline.run import Run
        from analyzer.tables import handshake_row

        run = Run([what], options)
        with contextlib.closing(run.source):
            found = [handshake for handshake in run.handshakes() if handshake.flow.stream == stream]
        if not quiet:
            for warning in run.warnings:
                complain(f"warning: {warning}")
        if not found:
            raise AnalyzerError(f"{what}: stream {stream} is no TLS handshake, and no attempt at one")
        lines = (
            line
            for number, handshake in enumerate(found)
            for line in [*([""] if number else []), *_handshake(handshake, handshake_row(handshake, run.captures), style)]
        )
    for line in lines:
        say(line)


_PLACEHOLDERS = {
    "connect": "HOST:PORT",
    "name_connect": "NAME:PORT",
    "servername": "-servername NAME",
    "starttls": "",
    "version_flag": "",
    "curl_version": "",
    "resolve": "",
}


def _generic(text: str) -> str:
    """A page's commands as they read without a handshake to fill them in."""
    return re.sub(r" ?\{([a-z_]+)\}", lambda found: _placeholder(found[0].startswith(" "), found[1]), text)


def _placeholder(spaced: bool, name: str) -> str:
    shown = _PLACEHOLDERS.get(name, name.upper())
    return f" {shown}" if spaced and shown else shown


def _page(cause: str, style: Style) -> Iterator[str]:
    from analyzer.cli.selection import check_cause
    from analyzer.diagnosis import registry

    if re.search(r"[/\\.]", cause):
        raise UsageError(f"{cause}: which stream? 'handshake analyze {cause}' lists them")
    page = registry.read_page(check_cause(cause))
    yield f"{style.paint(page.cause, 'bold')}  ({page.family})"
    yield page.title
    for heading, text in (("Seen", page.seen), ("Means", page.means), ("Remedy", page.remedy), ("Confirm", _generic(page.confirm))):
        yield ""
        yield style.paint(heading, "bold")
        for line in text.split("\n"):
            yield f"  {line}".rstrip()


def _handshake(handshake: Handshake, row: Mapping[str, object], style: Style) -> Iterator[str]:
    flow = handshake.flow
    yield style.paint(f"Stream {flow.stream} of {for_terminal(str(row['capture']))}", "bold")
    named = server_of(handshake)
    facts = [
        ["client", f"{flow.client_address} port {flow.client_port}"],
        ["server", f"{flow.server_address} port {flow.server_port}{f', asked for {named}' if flow.server_address not in named else ''}"],
        ["began", f"{iso_time(flow.first_seen)}, frames {flow.first_frame} to {flow.last_frame}"],
    ]
    for name, title in (("via", "TLS by"), ("selected_version", "version"), ("cipher_suite", "suite"), ("alpn", "protocol")):
        if row.get(name) is not None:
            facts.append([title, cut(row[name])])
    yield from lay_out(facts)
    yield ""
    yield from _messages(handshake, style)
    yield ""
    yield from _verdict(handshake, row, style)


def _messages(handshake: Handshake, style: Style) -> Iterator[str]:
    rows = [["frame", "ms", "", "message", "bytes"]]
    start = handshake.flow.first_seen
    for message in handshake.messages:
        arrow = "client -> server" if message.from_client else "server -> client"
        closed = message.encrypted and not message.decrypted
        kind = message.kind + (" (encrypted)" if closed and not message.kind.startswith("encrypted") else "")
        moment = f"{(message.timestamp - start) / 1e6:.3f}"
        rows.append([str(message.frame), moment, arrow, for_terminal(kind), str(message.length)])
    if len(rows) == 1:
        yield "  no message of TLS was seen"
        return
    header, *body = lay_out(rows, right=frozenset({0, 1, 4}))
    yield style.paint(header, "dim")
    yield from body


def _verdict(handshake: Handshake, row: Mapping[str, object], style: Style) -> Iterator[str]:
    finding = handshake.finding
    look = {"completed": "green", "failed": "red"}.get(handshake.outcome, "yellow")
    head = style.paint(handshake.outcome, "bold", look)
    if finding is not None:
        head += f": {style.paint(finding.cause, look)} ({finding.confidence})"
    if handshake.aborted_by != "none":
        head += f", ended by: {handshake.aborted_by}"
    yield head
    summary = row.get("summary")
    if isinstance(summary, str) and summary:
        yield from wrap(summary, style.width, "  ")
    evidence = row.get("evidence")
    if isinstance(evidence, (list, tuple)) and evidence:
        yield ""
        yield style.paint("Evidence", "bold")
        for frame, says in evidence:
            yield from wrap(says if frame is None else f"frame {frame}: {says}", style.width, "  ", "      ")
    remedy = row.get("remedy")
    if isinstance(remedy, str) and remedy:
        yield ""
        yield style.paint("Remedy", "bold")
        yield from wrap(remedy, style.width, "  ", "    ")
    confirm = row.get("confirm")
    if isinstance(confirm, (list, tuple)) and confirm:
        yield ""
        yield style.paint("Confirm", "bold")
        for command in confirm:
            yield "  " + for_terminal(str(command))
    also = row.get("also")
    if isinstance(also, (list, tuple)) and also:
        yield ""
        yield f"{style.paint('Also', 'bold')}: {', '.join(map(str, also))}"
    if row.get("wireshark_filter"):
        yield ""
        yield f"{style.paint('Wireshark', 'bold')}: {for_terminal(str(row['wireshark_filter']))}"
