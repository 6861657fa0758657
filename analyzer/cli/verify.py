"""``handshake verify``: our reading beside tshark's, message by message."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from analyzer.cli import parameters as given
from analyzer.cli.declare import Argument
from analyzer.cli.guard import FAILED, complain
from analyzer.cli.style import Style, cut, say, wrap
from analyzer.errors import SourceError
from analyzer.export.escape import for_terminal

__all__ = ["verify"]

_SHOWN = 20
"""Disagreements shown for one capture."""

Captures = Annotated[list[str], Argument(metavar="CAPTURE...", help="File, folder or glob.", show_default=False)]


def verify(captures: Captures, keylog: given.Keylog = None, server_port: given.ServerPort = None, quiet: given.Quiet = False) -> None:
    """Compare with what tshark reads: streams, messages, alerts, names, versions, suites.

    \b
    handshake verify trace.pcapng
    handshake verify --keylog keys.log captures/

    Exit codes: 0 both read the same, 1 they do not, or it could not be done.
    """
    options = given.options_from(keylog=keylog, server_port=server_port)
    from analyzer.diagnosis.words import count_text
    from analyzer.pipeline.agreement import verify as compare
    from analyzer.sources.origins import find_origins
    from analyzer.sources.tshark import tshark_version

    version = tshark_version()
    style = Style()
    files = messages = handshakes = differing = 0
    explained: Counter[str] = Counter()
    broken = False
    for origin in find_origins(captures):
        try:
            agreement = compare(origin.path or origin.name, options)
        except SourceError as error:
            if origin.chosen:
                raise
            complain(str(error))  # one file of a folder must not end the rest
            broken = True
            continue
        files += 1
        messages += agreement.messages
        handshakes += agreement.handshakes
        explained.update(agreement.explained)
        found = agreement.disagreements
        differing += len(found)
        if found:
            say(style.paint(for_terminal(agreement.capture), "bold"))
            for disagreement in found[:_SHOWN]:
                for line in wrap(cut(disagreement, 600), style.width, "  ", "      "):
                    say(line)
            if len(found) > _SHOWN:
                say(f"  ... and {len(found) - _SHOWN:,} more")
    if not quiet:
        for reason, count in sorted((+explained).items()):
            say(f"not counted, {count:,} x {reason}")
    verdict = "they agree" if not differing else count_text(differing, "disagreement")
    look = "red" if differing else "green"
    say(
        f"{count_text(files, 'capture')}, {count_text(handshakes, 'attempt')}, {count_text(messages, 'message')} "
        f"read the same as by tshark {version}: {style.paint(verdict, look)}"
    )
    if differing or broken:
        raise SystemExit(FAILED)
