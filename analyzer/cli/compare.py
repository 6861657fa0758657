"""``handshake compare``: why it works from there and not from here."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from analyzer.cli import parameters as given
from analyzer.cli.declare import Argument
from analyzer.cli.guard import complain
from analyzer.cli.style import Style, say
from analyzer.cli.summary import server_of
from analyzer.errors import AnalyzerError
from analyzer.export.lines import cut, wrap

if TYPE_CHECKING:
    from analyzer.diagnosis.comparison import Comparison
    from analyzer.model.handshake import Handshake
    from analyzer.model.options import Options

__all__ = ["compare"]

_NAMED = "CAPTURE, or CAPTURE:STREAM with Wireshark's tcp.stream number."
_SHOWN = 120


def compare(
    good: Annotated[str, Argument(metavar="GOOD", help=f"What works: {_NAMED}", show_default=False)],
    bad: Annotated[str, Argument(metavar="BAD", help=f"What fails: {_NAMED}", show_default=False)],
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    quiet: given.Quiet = False,
    reader: given.Reader = "native",
) -> None:
    """Show what differs between a handshake that works and one that does not, best explanation first.

    \b
    handshake compare good.pcapng bad.pcapng
    handshake compare trace.pcapng:4 trace.pcapng:17

    Without a stream: of BAD the first that failed, of GOOD the first that completed, with the same server if there is one.
    """
    options = given.options_from(keylog=keylog, ca_file=ca_file, server_port=server_port, reader=reader)
    from analyzer.diagnosis.comparison import compare as compare_handshakes

    style = Style()
    seconds = _read(*split_stream(bad), options, quiet)
    second = _choose(seconds, "failed", None, bad)
    first = _choose(_read(*split_stream(good), options, quiet), "completed", second, good)
    for line in _lines(compare_handshakes(first, second), style):
        say(line)


def split_stream(text: str) -> tuple[str, int | None]:
    """``trace.pcap:17`` as path and stream; a file of that very name comes first."""
    found = re.fullmatch(r"(.+):(\d{1,9})", text)
    if found is None or Path(text).exists() or found[1].endswith(":/"):
        return text, None
    if "://" in text and "/" not in text.partition("://")[2].rpartition(":")[0]:
        return text, None  # the number is the port of a URL without a path
    return found[1], int(found[2])


def _read(path: str, stream: int | None, options: Options, quiet: bool) -> list[Handshake]:
    from analyzer.pipeline.run import Run

    run = Run([path], options)
    with contextlib.closing(run.source):
        found = [handshake for handshake in run.handshakes() if stream is None or handshake.flow.stream == stream]
    if not quiet:
        for warning in run.warnings:
            complain(f"warning: {warning}")
    if not found:
        raise AnalyzerError(
            f"{path}: no TLS handshake, and no attempt at one" + (f", in stream {stream}" if stream is not None else "")
        )  # fmt: skip
    return found


def _choose(found: list[Handshake], outcome: str, other: Handshake | None, named: str) -> Handshake:
    """The handshake that is meant: with that outcome if there is one, with the other one's server if there is one."""
    fitting = [h for h in found if h.outcome == outcome] or found
    if other is not None:
        flow = other.flow
        same = [h for h in fitting if (h.flow.server_address, h.flow.server_port) == (flow.server_address, flow.server_port)]
        fitting = [h for h in same or fitting if h is not other] or fitting
    if not fitting:
        raise AnalyzerError(f"{named}: nothing to compare with")
    return fitting[0]


def _lines(c: Comparison, style: Style) -> Iterator[str]:
    yield from _one("GOOD", c.good, style)
    yield from _one("BAD", c.bad, style)
    client = "the same client" if c.same_client else "different clients"
    yield f"      {client}, {'the same server' if c.same_server else 'different servers'}"
    if c.differences:
        yield ""
        yield style.paint("What differs", "bold") + style.paint(" (what explains the failure best comes first)", "dim")
    part = None
    for difference in c.differences:
        part = difference.part
        explains = difference is c.explanation
        title = f"{difference.name} ({part})"
        yield f"  {style.paint(title, 'bold', 'red') if explains else title}"
        yield from wrap(cut(difference.good, 4 * _SHOWN), style.width, "    good: ", "          ")
        yield from wrap(cut(difference.bad, 4 * _SHOWN), style.width, "    bad:  ", "          ")
    if c.same:
        yield ""
        yield from wrap("The same: " + ", ".join(c.same), style.width)
    yield ""
    yield from wrap(c.sentence, style.width)


def _one(title: str, h: Handshake, style: Style) -> Iterator[str]:
    look = {"completed": "green", "failed": "red"}.get(h.outcome, "yellow")
    verdict = h.outcome if h.finding is None else f"{h.outcome}: {h.finding.cause} ({h.finding.confidence})"
    where = f"stream {h.flow.stream}, {h.flow.client_address} to {server_of(h)}"
    yield f"{style.paint(f'{title:4}', 'bold')}  {where}: {style.paint(verdict, look)}"
