"""The commands put together, and the way in."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from analyzer.cli.analyze import analyze
from analyzer.cli.causes import causes
from analyzer.cli.compare import compare
from analyzer.cli.explain import explain
from analyzer.cli.guard import guarded
from analyzer.cli.interfaces import interfaces
from analyzer.cli.report import report
from analyzer.cli.sniff import sniff
from analyzer.cli.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    name="handshake",
    no_args_is_help=True,
    rich_markup_mode=None,  # keeps rich out of --help and of errors
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from analyzer.cli.style import say
        from analyzer.export.values import package_version

        say(f"handshake {package_version()}")
        raise typer.Exit


def handshake(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Say why a TLS handshake failed, from a packet capture.

    \b
    handshake analyze trace.pcapng          what failed, and why
    handshake sniff eth0                    the same, live
    handshake explain trace.pcapng 17       one handshake, message by message
    handshake report trace.pcapng           all of it as one page of HTML
    handshake explain cert-expired          what a cause means and what to do
    """


app.callback()(handshake)
for _command in (analyze, report, sniff, explain, compare, causes, verify, interfaces):
    app.command()(guarded(_command))


def _stop(number: int, _frame: object) -> NoReturn:
    """End by signal as any error does, so that unfinished files are removed."""
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line and exit."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads for linear algebra, which nobody needs here
    # handshakes hold no circles and go when nobody holds them: the collector need not look at each every few hundred objects
    gc.set_threshold(100_000, 20, 10)
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _stop)
    sys.argv[0] = "handshake"
    app(prog_name="handshake")
