"""The way in: an ordinary command line goes straight to its command, anything else through typer."""

from __future__ import annotations

import atexit
import codecs
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["COMMANDS", "console", "load_command", "main", "show_version"]

COMMANDS = ("analyze", "report", "sniff", "explain", "compare", "causes", "verify", "interfaces")
"""In the order of the help. Each is a function in the module of its name."""


def load_command(name: str) -> Callable[..., None]:
    """One command; the others' modules are left alone."""
    command: Callable[..., None] = getattr(importlib.import_module(f"analyzer.cli.{name}"), name)
    return command


def show_version() -> None:
    """The name and the version, as ``--version`` says them."""
    from analyzer.cli.style import say
    from analyzer.export.values import package_version

    say(f"handshake {package_version()}")


def console() -> None:
    """``main`` in a process of its own, which ends without taking down all that was loaded: up to a fiftieth of a short run."""
    try:
        main()
        status: Any = 0
    except SystemExit as end:
        status = end.code or 0
    threads = sys.modules["threading"].enumerate() if "threading" in sys.modules else []
    if not isinstance(status, int) or sum(not thread.daemon for thread in threads) > 1:
        sys.exit(status)  # there is something to say, or somebody to wait for
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(status)
    os._exit(status)


def main() -> None:
    """Run the command line and exit."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads for linear algebra, which nobody needs here
    # handshakes hold no circles and go when nobody holds them: a look at all that are held finds nothing
    gc.set_threshold(1_000_000, 20, 10)
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _stop)
    sys.argv[0] = "handshake"
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by who started us (``>&-``): what would go there is not wanted
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the rest of the process
        _let_any_text_through(getattr(sys, stream))
    try:
        if not _run_plain(sys.argv[1:]):
            from analyzer.cli.app import app

            app(prog_name="handshake")
    finally:
        # On its way out the interpreter would look through every object of every module for circles, several times: 30 ms.
        gc.freeze()


_SIGNS = {"→": "->", "…": "...", "─": "-", "│": "|", "├": "+", "└": "+", "✗": "x", "·": "-"}


def _let_any_text_through(stream: Any) -> None:
    """Where an output takes fewer signs than there are (an old locale), ours have others that stand for them; the rest is escaped."""
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        codecs.register_error("handshake", _stand_in)
        stream.reconfigure(errors="handshake")


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    return _SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode(), error.start + 1


def _run_plain(words: list[str]) -> bool:
    """Run what can be read without typer; False when there is a question in it."""
    if words in (["--version"], ["-V"]):
        from analyzer.cli.guard import guarded

        guarded(show_version)()
        return True
    if not words or words[0] not in COMMANDS:
        return False
    from analyzer.cli.guard import guarded
    from analyzer.cli.plain import read_plain

    command = load_command(words[0])
    values = read_plain(words[1:], command)
    if values is None:
        return False
    guarded(command)(**values)
    return True


def _stop(number: int, _frame: object) -> NoReturn:
    """End by signal as any error does, so that unfinished files are removed."""
    raise SystemExit(128 + number)
