"""``analyze --export-decrypted``: the capture again with its secrets inside, so that Wireshark opens it decrypted.

Only the secrets of connections in the capture leave the key log. The file can be read by its owner only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analyzer.errors import UsageError
from analyzer.export.files import StagedFile, cannot_write
from analyzer.export.pcapng import PcapngWriter

if TYPE_CHECKING:
    from analyzer.sources import Interface, Source
    from analyzer.tls.keylog import KeyLog

__all__ = ["check_export", "export_decrypted"]


def check_export(is_stream: Iterable[bool]) -> None:
    """Raises UsageError for what cannot be read twice: first its handshakes are found, then it is written with their secrets."""
    if any(is_stream):
        raise UsageError("--export-decrypted reads the capture twice: a pipe cannot be; write it to a file first")


def export_decrypted(captures: Sequence[str], target: str, randoms: Iterable[bytes], keylog: KeyLog | None, reader: str) -> int:
    """Write every frame of ``captures``, and the secrets of the connections with these client randoms, into ``target``.

    Returns how many connections have a secret. Raises SourceError, AnalyzerError when it cannot be written.
    """
    from analyzer.sources import open_source

    lines = []
    found = 0
    for random in sorted(set(randoms)):
        labels = keylog.labels(random) if keylog is not None else ()
        found += bool(labels)
        for label in labels:
            secret = keylog.secret(random, label) if keylog is not None else None
            if secret is not None:
                lines.append(f"{label} {random.hex()} {secret.hex()}\n".encode("ascii"))
    staged = StagedFile(target)
    done = False
    try:
        if staged.staged:
            os.chmod(staged.path, 0o600)  # noqa: PTH101 - a path as text
        with staged.open() as file, open_source(list(captures), reader=reader) as source:
            writer = PcapngWriter(file)
            if lines:
                writer.write_secrets(b"".join(lines))
            try:
                _copy(source, writer)
            except OSError as error:
                raise cannot_write(target, error) from error
        done = True
    finally:
        staged.commit() if done else staged.discard()
    return found


def _copy(source: Source, writer: PcapngWriter) -> None:
    for batch in source:
        view = batch.data.data
        names = {(each.capture, index): each.name for each, index in _numbered(source)}
        captures = batch.captures.tolist() if batch.captures is not None else [batch.capture] * len(batch)
        for capture, interface, when, link, original, begin, size in zip(
            captures, batch.interface.tolist(), batch.timestamp.tolist(), batch.link_type.tolist(), batch.original_length.tolist(),
            batch.offset.tolist(), batch.captured_length.tolist(), strict=True,
        ):  # fmt: skip
            writer.write_frame(when, link, names.get((capture, interface), ""), bytes(view[begin : begin + size]), original)


def _numbered(source: Source) -> Iterable[tuple[Interface, int]]:
    """Each interface with its number within its capture."""
    count: dict[int, int] = {}
    for each in source.interfaces:
        number = count.get(each.capture, 0)
        count[each.capture] = number + 1
        yield each, number
