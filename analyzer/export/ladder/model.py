"""A handshake's story, ready to be drawn: steps between client and server, and the verdict beneath.

Every text in it is printable: what came off the wire has been through ``for_terminal``, and each drawing only escapes what its
own medium needs. The model knows nothing of columns or pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions
    from rich.text import Text

__all__ = ["MARKS", "Kind", "Ladder", "Mark", "Step", "Verdict"]

Kind = Literal["tcp", "tls", "dialogue", "plain", "icmp", "note", "silence", "fold"]
"""What a step is: a segment that matters for itself, a message or record, a line said before TLS, bytes that are not TLS, an error
of a device on the way, a remark without an arrow, time in which nothing happened, or steps folded away."""

Mark = Literal["encrypted", "decrypted", "inferred", "sent again", "lost", "forged"]

MARKS: dict[str, str] = {
    "encrypted": "nobody without the keys can read it",
    "decrypted": "travelled encrypted, the key log opened it",
    "inferred": "encrypted; what it is was told from its length and place",
    "sent again": "the same bytes as before (retransmission)",
    "lost": "sent, and not seen to arrive",
    "forged": "made by a device on the way, in the name of the sender",
}
"""Each mark and what it means, for the legend."""


@dataclass(slots=True)
class Step:
    """One rung. ``at`` is ns after the connection's first frame, ``frame`` 0 where no frame shows it.

    ``from_client`` gives the arrow its direction; None: it has none, the text stands between the lines.
    """

    frame: int
    at: int | None
    from_client: bool | None
    kind: Kind
    title: str
    size: str = ""
    """'517 bytes', '42 + 1,856 + 281 bytes'."""
    details: tuple[str, ...] = ()
    """What it said, a line each."""
    marks: tuple[Mark, ...] = ()
    first_frame: int = 0
    """Frame in which it began, where that is an earlier one."""
    repeats: int = 0
    """Frame that carried the same bytes first, of what was sent again."""
    evidence: bool = False
    """The verdict's evidence names this frame."""
    broke: str = ""
    """Not empty: here it broke, and how."""
    times: int = 1
    """How many alike were drawn as one."""

    @property
    def frames(self) -> str:
        """'12', '10-12', '' without a frame."""
        if not self.frame:
            return ""
        return f"{self.first_frame}-{self.frame}" if 0 < self.first_frame < self.frame else str(self.frame)

    @property
    def label(self) -> str:
        """Title, size and marks in one line, as both drawings write it."""
        marks = f" [{', '.join(self.marks)}]" if self.marks else ""
        return f"{self.title}{f', {self.size}' if self.size else ''}{marks}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands beneath: the cause and what to do."""

    outcome: str
    cause: str = ""
    title: str = ""
    """Of the cause's page: one line."""
    confidence: str = ""
    ended_by: str = ""
    summary: str = ""
    evidence: tuple[tuple[int | None, str], ...] = ()
    remedy: tuple[str, ...] = ()
    """A paragraph each."""
    confirm: tuple[str, ...] = ()
    """Commands, ready to run."""
    also: tuple[str, ...] = ()
    filter: str = ""
    """Wireshark's display filter for the connection."""

    @property
    def head(self) -> str:
        """'failed: cert-expired (likely), ended by the client'."""
        text = self.outcome
        if self.cause:
            text += f": {self.cause} ({self.confidence})"
        return text + (f", ended by {self.ended_by}" if self.ended_by else "")


@dataclass(slots=True)
class Ladder:
    """The whole picture of one attempt."""

    capture: str
    stream: int
    client: str
    """Address and port."""
    server: str
    server_name: str
    """What was asked for; '' when nothing was."""
    began: str
    """ISO 8601, UTC."""
    frames: tuple[int, int]
    facts: tuple[tuple[str, str], ...]
    """(name, value): version, suite, ..."""
    verdict: Verdict
    steps: list[Step] = field(default_factory=list)
    folded: int = 0
    """Steps that are not drawn one by one."""

    @property
    def title(self) -> str:
        """One line that names it."""
        to = f"{self.server_name} ({self.server})" if self.server_name else self.server
        return f"Stream {self.stream}: {self.client} to {to}"

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks that occur, in the order of ``MARKS``."""
        used = {mark for step in self.steps for mark in step.marks}
        return tuple(mark for mark in MARKS if mark in used)

    def __str__(self) -> str:
        from analyzer.export.ladder.text import draw_text, plain

        return "\n".join(map(plain, draw_text(self)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from analyzer.export.ladder.text import draw_text, rich_line

        for line in draw_text(self, min(options.max_width, 100), ascii_only=options.ascii_only):
            yield rich_line(line)

    def _repr_html_(self) -> str:
        from analyzer.export.ladder.html import draw_html

        return draw_html(self)
