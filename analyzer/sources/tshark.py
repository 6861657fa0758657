"""The same frames through an installed tshark, for containers that are not read here.

tshark converts to pcapng on its standard output, which is then read like any other; its frame
numbers stay. pyshark serves to find the program, as it would for its own captures.
"""

from __future__ import annotations

import subprocess
import tempfile

from analyzer.errors import SourceError
from analyzer.sources.origins import Origin

__all__ = ["TsharkStream", "find_tshark", "open_with_tshark"]


def find_tshark() -> str:
    """Return the path of tshark. Raises SourceError when none is installed."""
    from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path

    try:
        return str(get_process_path())
    except TSharkNotFoundException:
        raise SourceError("tshark is not installed (Debian: apt install tshark)") from None


def open_with_tshark(origin: Origin) -> TsharkStream:
    """Start tshark on a file or standard input. Raises SourceError."""
    if origin.file is not None or "://" in origin.path:
        raise SourceError(f"{origin.name}: --reader tshark reads files and standard input only")
    if origin.path != "-":
        # Its own words for a file that cannot be opened are better than tshark's.
        origin.open().close()
    # An absolute or dotted path cannot be taken for an option.
    path = f"./{origin.path}" if origin.path.startswith("-") and origin.path != "-" else origin.path
    return TsharkStream([find_tshark(), "-n", "-r", path, "-F", "pcapng", "-w", "-"])


class TsharkStream:
    """Standard output of a tshark, as a ``ByteStream``."""

    def __init__(self, command: list[str]) -> None:
        self.size: int | None = None
        self.position = 0
        self.fault: str | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - close() does
        # No shell, a program found by name and a path that cannot pass for an option.
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._said, bufsize=0)  # noqa: S603

    def readinto(self, target: memoryview) -> int:
        """See ``ByteStream.readinto``."""
        output = self._process.stdout
        if output is None or output.closed:
            return 0
        count = output.readinto(target) or 0  # type: ignore[attr-defined]
        self.position += count
        if not count and self._process.wait() and self.fault is None:
            self._said.seek(0)
            lines = self._said.read(4096).decode("utf-8", "replace").splitlines()
            said = [line for line in lines if line.startswith("tshark: ")] or lines or ["it failed"]
            self.fault = "tshark says: " + said[0].removeprefix("tshark: ")
        return int(count)

    def ready(self) -> bool:
        """See ``ByteStream.ready``: a file is being converted, waiting for more of it is short."""
        return True

    def close(self) -> None:
        """End tshark if it still runs."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()
