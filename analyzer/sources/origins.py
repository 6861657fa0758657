"""From what the caller names to what is opened: files, folders, globs, URLs, ``-`` and binary objects."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from analyzer.errors import SourceError
from analyzer.sources.inflate import compression_of
from analyzer.sources.pcap import MAGICS
from analyzer.sources.pcapng import SECTION_HEADER
from analyzer.sources.streams import ByteStream, FileStream, ObjectStream

__all__ = ["Origin", "find_origins"]

_SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".dmp", ".ntar", ".pcapn")
_COMPRESSED: Final = (".gz", ".zst", ".lz4", ".xz", ".bz2")
_WEB_TIMEOUT: Final = 60.0
"""Seconds of silence after which a server of the web is given up."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One thing to open. ``chosen`` ones were named by the caller, the others found in a folder or by a glob."""

    name: str
    path: str = ""
    file: Any = None
    chosen: bool = True
    most: int | None = None
    """Bytes of a file that count: a file that somebody writes to has another size for each who opens it."""

    @property
    def reopens(self) -> bool:
        """Whether it can be opened a second time from its start."""
        return self.file is None and self.path != "-" and ("://" in self.path or Path(self.path).is_file())

    @property
    def is_file(self) -> bool:
        """Whether it is a file on this machine."""
        return self.reopens and "://" not in self.path

    def as_it_is(self) -> Origin:
        """The same, without what will be added to it. What cannot be looked at stays as it is: opening it says why."""
        try:
            return replace(self, most=Path(self.path).stat().st_size)
        except OSError:
            return self

    def open(self) -> ByteStream:
        """Open the bytes. Raises SourceError."""
        if self.file is not None:
            return ObjectStream(self.file, owned=False)
        if self.path == "-":
            return _open_standard_input()
        if "://" in self.path:
            return _open_url(self.path)
        try:
            return FileStream(self.path, self.most)
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.name}: {_reason(error)}") from None


def find_origins(paths: Any) -> list[Origin]:
    """List what ``paths`` names, in the order given, folders and globs sorted. Raises SourceError."""
    several = isinstance(paths, Iterable) and not isinstance(paths, (str, bytes)) and not hasattr(paths, "read")
    origins: list[Origin] = []
    for path in paths if several else [paths]:
        if hasattr(path, "read"):
            origins.append(Origin(_plain(str(getattr(path, "name", "stream"))), file=path))
            continue
        text = os.fsdecode(path)
        if text == "-":
            origins.append(Origin("-", "-"))
        elif "://" in text:
            origins += [Origin(_plain(url), url) for url in _expand_url(text)]
        elif Path(text).is_dir():
            origins += _list_folder(text)
        elif glob.has_magic(text) and not os.path.lexists(text):
            origins += _expand_glob(text)
        else:
            origins.append(Origin(_plain(text), text))
    if not origins:
        raise SourceError("no capture was named")
    return origins


def _list_folder(folder: str) -> list[Origin]:
    """The captures of a folder and of the folders in it; what is hidden and links to folders are left alone."""
    paths: list[Path] = []
    try:
        os.scandir(folder).close()  # os.walk says nothing of a folder that cannot be read
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            paths += [Path(place, name) for name in names if not name.startswith(".")]
    except OSError as error:
        raise SourceError(f"{_plain(folder)}: {_reason(error)}") from None
    origins = [Origin(_plain(str(path)), str(path), chosen=False) for path in sorted(paths) if path.is_file() and _seems_capture(path)]
    if not origins:
        raise SourceError(f"{_plain(folder)}: no capture in this folder")
    return origins


def _expand_glob(pattern: str) -> list[Origin]:
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())  # noqa: PTH207 - the pattern may be absolute
    if not paths:
        raise SourceError(f"{_plain(pattern)}: no such file")
    return [Origin(_plain(path), path, chosen=False) for path in paths]


def _seems_capture(path: Path) -> bool:
    """Tell by its suffix or its first bytes whether a file of a folder is worth opening."""
    name = path.name.lower()
    if name.removesuffix(path.suffix.lower() if path.suffix.lower() in _COMPRESSED else "").endswith(_SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except OSError:
        return False
    return head[:4] in MAGICS or head[:4] == SECTION_HEADER or compression_of(head) is not None


def _open_standard_input() -> ByteStream:
    # A test or a notebook may have put an object without a descriptor in its place.
    try:
        return FileStream(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        buffer = getattr(sys.stdin, "buffer", None)
        if buffer is None:
            raise SourceError("-: there is no standard input") from None
        return ObjectStream(buffer, owned=False)


def _fsspec() -> Any:
    import fsspec

    return fsspec


def _expand_url(url: str) -> list[str]:
    if not glob.has_magic(url.split("?", 1)[0]):
        return [url]
    fsspec = _fsspec()
    try:
        system, path = fsspec.core.url_to_fs(url)
        found = [system.unstrip_protocol(each) for each in sorted(system.glob(path))]
    except Exception as error:  # each file system fails in its own way
        raise SourceError(f"{_plain(url)}: {_reason(error)}") from None
    if not found:
        raise SourceError(f"{_plain(url)}: no such file")
    return found


def _open_url(url: str) -> ByteStream:
    if url.lower().startswith(("http://", "https://")):
        return _open_web(url)
    fsspec = _fsspec()
    try:
        return ObjectStream(fsspec.open(url, "rb").open(), owned=True)
    except Exception as error:  # each file system fails in its own way
        raise SourceError(f"{_plain(url)}: {_reason(error)}") from None


def _open_web(url: str) -> ByteStream:
    """A file of the web, read as it comes. fsspec would want another library for it, and pieces of the file that few servers give."""
    from urllib.error import HTTPError
    from urllib.parse import urlsplit
    from urllib.request import ProxyHandler, build_opener

    try:
        here = (urlsplit(url).hostname or "").startswith(("localhost", "127.", "::1"))  # no proxy can reach that
        answer = build_opener(*[ProxyHandler({})] * here).open(url, timeout=_WEB_TIMEOUT)
    except HTTPError as error:
        error.close()
        raise SourceError(f"{_plain(url)}: the server answers {error.code} {_plain(error.reason)}") from None
    except Exception as error:  # what is wrong with a URL, a name, a proxy or TLS comes in many classes
        raise SourceError(f"{_plain(url)}: {_reason(getattr(error, 'reason', None) or error)}") from None
    return ObjectStream(answer, owned=True, size=answer.length)


def _reason(error: object) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    text = getattr(error, "strerror", None) or str(error)
    return _plain(" ".join(str(text).split())) or type(error).__name__


def _plain(text: str) -> str:
    """A name on one line: what a terminal would obey is shown as its escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text)
