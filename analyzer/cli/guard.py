"""Errors become one line on standard error and an exit code; nobody sees a traceback.

0 done · 1 could not be done · 2 usage · 3 ``--fail-on`` matched · 130 interrupted. A reader that
has seen enough (``| head``) ends the run quietly.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

from analyzer.errors import AnalyzerError, UsageError
from analyzer.export.escape import for_terminal

__all__ = ["FAILED", "FAIL_ON", "INTERRUPTED", "USAGE", "complain", "guarded"]

FAILED, USAGE, FAIL_ON, INTERRUPTED = 1, 2, 3, 130


def complain(text: str) -> None:
    """One line on standard error, after the command's name."""
    try:
        sys.stderr.write(f"handshake: {for_terminal(text)}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody is listening, and there is no other place to say it


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with its errors turned into exit codes. ``HANDSHAKE_DEBUG=1`` lets them through."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except SystemExit:
            raise
        except BrokenPipeError:
            _close_stdout()
            raise SystemExit(0) from None
        except KeyboardInterrupt:
            complain("interrupted")
            raise SystemExit(INTERRUPTED) from None
        except Exception as error:
            if os.environ.get("HANDSHAKE_DEBUG"):
                raise
            complain(_one_line(error))
            raise SystemExit(USAGE if isinstance(error, UsageError) else FAILED) from None

    return run


def _one_line(error: Exception) -> str:
    if isinstance(error, AnalyzerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "out of memory"
    text = str(error).partition("\n")[0]
    return f"internal error: {type(error).__name__}: {text} (please report it; HANDSHAKE_DEBUG=1 shows where)"


def _close_stdout() -> None:
    """Let what is still buffered go nowhere: the interpreter would complain about it at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # not a real file: nothing will be flushed to it
