"""``handshake explain``: one handshake, message by message; or the page of a cause."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from analyzer.cli import parameters as given
from analyzer.cli.declare import Argument, Option
from analyzer.cli.guard import complain
from analyzer.cli.style import Style, say, wrap
from analyzer.errors import AnalyzerError

if TYPE_CHECKING:
    from analyzer.export.ladder import Ladder
    from analyzer.model.handshake import Handshake

__all__ = ["explain"]


def explain(
    what: Annotated[str, Argument(metavar="CAPTURE|CAUSE", help="A capture, or the id of a cause.", show_default=False)],
    stream: Annotated[
        int | None,
        Argument(metavar="STREAM", min=0, help="Wireshark's tcp.stream number of the handshake.", show_default=False),
    ] = None,
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    full: Annotated[bool, Option("--full", help="Draw every step, however many.")] = False,
    quiet: given.Quiet = False,
    reader: given.Reader = "native",
) -> None:
    """Draw one handshake as a ladder, with its cause, evidence and remedy; or show the page of a cause.

    \b
    handshake explain trace.pcapng 17
    handshake explain trace.pcapng
    handshake explain cert-expired

    Without a stream: the first handshake that failed, else the first.
    """
    style = Style()
    if stream is None and not _is_capture(what):
        for line in _page(what, style):
            say(line)
        return
    options = given.options_from(keylog=keylog, ca_file=ca_file, server_port=server_port, reader=reader)
    from analyzer.export.ladder import build_ladder
    from analyzer.export.ladder.fold import MOST
    from analyzer.pipeline.run import Run

    run = Run([what], options)
    with contextlib.closing(run.source):
        if stream is None:
            found, chosen = _first(run.handshakes())
        else:
            found, chosen = [handshake for handshake in run.handshakes() if handshake.flow.stream == stream], ""
    if not quiet:
        for warning in run.warnings:
            complain(f"warning: {warning}")
    if not found:
        which = (
            f"stream {stream} is no TLS handshake, and no attempt at one" if stream is not None else "no TLS in it, and no attempt at it"
        )
        raise AnalyzerError(f"{what}: {which}")
    if chosen and not quiet:
        complain(f"{chosen}; 'handshake analyze {shlex.quote(what)}' lists them" if what != "-" else chosen)
    for number, handshake in enumerate(found):
        if number:
            say()
        _draw(build_ladder(handshake, run.captures, most=None if full else MOST), style)


def _is_capture(what: str) -> bool:
    """It is a capture that is named, and not a cause."""
    if what == "-" or re.search(r"[/\\.]", what):
        return True
    from analyzer.diagnosis import registry

    return what not in registry.list_causes() and what not in registry.RENAMED and Path(what).exists()


def _first(handshakes: Iterator[Handshake]) -> tuple[list[Handshake], str]:
    """The first that failed, else the first; and which of how many it is, where there are others."""
    first: Handshake | None = None
    total = failed = 0
    for handshake in handshakes:
        total += 1
        failed += handshake.outcome == "failed"
        if first is None or (handshake.outcome == "failed" and failed == 1):
            first = handshake
    if first is None:
        return [], ""
    if failed:
        return [first], f"the first of {failed:,} that failed" if failed > 1 else ""
    return [first], f"none failed; the first of {total:,}" if total > 1 else ""


def _draw(ladder: Ladder, style: Style) -> None:
    """With rich on a terminal, as plain text elsewhere; in ASCII where the output knows no more."""
    from analyzer.export.ladder.text import draw_text, plain, rich_line

    ascii_only = not (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    lines = draw_text(ladder, min(style.width, 100), ascii_only=ascii_only)
    if not style.colour or ascii_only:
        for line in lines:
            say(plain(line))
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(rich_line(line))


_PLACEHOLDERS = {
    "connect": "HOST:PORT",
    "name_connect": "NAME:PORT",
    "url": "https://NAME:PORT/",
    "starttls_url": "smtp://NAME:PORT/",
    "servername": "-servername NAME",
    "starttls": "",
    "version_flag": "",
    "version_alone": "",
    "resolve": "",
    "cipher_flag": "-cipher SUITES",
    "groups_flag": "-groups GROUPS",
    "sigalgs_flag": "-sigalgs SCHEMES",
    "alpn_flag": "-alpn PROTOCOLS",
    "nmap_name": "",
    "family_flag": "",
    "ping_size": "1472",
    "ip": "ip",
}


def _generic(text: str) -> str:
    """A page's commands as they read without a handshake to fill them in."""
    from analyzer.diagnosis.commands import PLACEHOLDERS

    return re.sub(rf" ?\{{({'|'.join(PLACEHOLDERS)})\}}", lambda found: _placeholder(found[0].startswith(" "), found[1]), text)


def _placeholder(spaced: bool, name: str) -> str:
    shown = _PLACEHOLDERS.get(name, name.upper())
    return f" {shown}" if spaced and shown else shown


def _page(cause: str, style: Style) -> Iterator[str]:
    from analyzer.diagnosis import registry
    from analyzer.pipeline.selection import check_cause

    page = registry.read_page(check_cause(cause))
    yield f"{style.paint(page.cause, 'bold')}  ({page.family})"
    yield from wrap(page.title, style.width)
    for heading, text in (("Seen", page.seen), ("Means", page.means), ("Remedy", page.remedy)):
        yield ""
        yield style.paint(heading, "bold")
        yield from wrap(text, style.width, "  ", "    ")
    yield ""
    yield style.paint("Confirm", "bold")
    for line in _generic(page.confirm).split("\n"):
        # a command stays whole, however long: it is to be copied
        yield from [f"  {line}"] if line.startswith("$") else wrap(line, style.width, "  ")
