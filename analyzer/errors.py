"""Every exception this package raises for its caller.

Faults in the traffic are data (see ``analyzer.model.faults``), never exceptions.

    AnalyzerError
    ├── SourceError              a capture or an interface could not be opened or read
    │   └── CaptureFormatError   the bytes are no capture, or a container we do not read
    ├── MissingExtra             an optional dependency is not installed
    └── UsageError               the call or command line contradicts itself

The message of each is one plain line, fit to be shown to a person after ``handshake: ``.
"""

from __future__ import annotations

__all__ = ["AnalyzerError", "CaptureFormatError", "MissingExtra", "SourceError", "UsageError"]


class AnalyzerError(Exception):
    """Base of everything raised on purpose; its text is one line without a traceback."""


class SourceError(AnalyzerError):
    """A capture, URL or interface cannot be opened or read."""


class CaptureFormatError(SourceError):
    """What was opened is not a capture in a format we read."""


class MissingExtra(AnalyzerError):  # noqa: N818  what is missing is its name
    """A feature needs an optional dependency; the text says the ``pip install`` that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional part: pip install 'handshake-analyzer[{extra}]'")
        self.feature = feature
        self.extra = extra


class UsageError(AnalyzerError):
    """Arguments that cannot be meant together, or a name that does not exist."""
