"""What every dialogue shares: two buffers, the rules for when TLS begins, what is written down.

A ``Talk`` reads units (lines, packets, tags) of each direction as they become whole. It never needs to
know how the bytes were cut, and hardly in which order the two directions were captured: each side is read by
itself, and only the answer that decides is matched to the question.
"""

from __future__ import annotations

from typing import Literal

from analyzer.model.handshake import Dialogue

__all__ = ["LineTalk", "Side", "Talk", "looks_like_tls", "veil"]

LINES = 32
"""Lines kept of a dialogue; the last quarter is for those that decide."""
LINE_LENGTH = 200
OFFERED = 64
PATIENCE = 1 << 14
"""A client that sent so much TLS without waiting for the answer will not be answered in what we see."""

Outcome = Literal["", "tls", "none", "through"]


def looks_like_tls(data: bytes, from_client: bool) -> bool | None:
    """Whether a TLS record (RFC 8446 section 5.1), or the hello of SSLv2, begins here; None: too few bytes."""
    if not data:
        return None
    first = data[0]
    if first == 0x16 or (first == 0x15 and not from_client):
        return None if len(data) < 2 else data[1] == 3
    if from_client and first & 0x80:  # SSLv2: 2-byte length, CLIENT-HELLO (1), version 0x0002 or 0x03xx
        if len(data) > 2 and data[2] != 1:
            return False
        if len(data) > 3 and data[3] not in (0, 3):
            return False
        return None if len(data) < 5 else (data[3], data[4]) == (0, 2) or (data[3] == 3 and data[4] <= 4)
    return False


class Side:
    """The bytes of one direction not understood yet. Work is linear in what is fed, however it is cut."""

    __slots__ = ("_data", "_scanned", "_start", "frame", "offset")

    def __init__(self) -> None:
        self._data = bytearray()
        self._start = 0
        self._scanned = 0
        self.offset = 0
        """Bytes understood so far."""
        self.frame = 0
        """Frame of the bytes that came last."""

    def __len__(self) -> int:
        return len(self._data) - self._start

    @property
    def total(self) -> int:
        """Bytes that ever came."""
        return self.offset + len(self)

    def add(self, data: bytes, frame: int) -> None:
        self._data += data
        self.frame = frame

    def peek(self, length: int) -> bytes:
        """The next bytes, fewer when there are fewer."""
        return bytes(self._data[self._start : self._start + length])

    def take(self, length: int) -> bytes:
        """The same, and go on after them."""
        taken = self.peek(length)
        self._start += len(taken)
        self.offset += len(taken)
        self._scanned = max(self._scanned, self._start)
        if self._start > 4096 and 2 * self._start > len(self._data):
            del self._data[: self._start]
            self._scanned -= self._start
            self._start = 0
        return taken

    def take_through(self, mark: bytes) -> bytes | None:
        """What comes before the one-byte ``mark`` and the mark; None while it has not come."""
        found = self._data.find(mark, self._scanned)
        if found < 0:
            self._scanned = len(self._data)
            return None
        return self.take(found + 1 - self._start)


def veil(text: str, keep: int) -> str:
    """The first ``keep`` words; whatever follows (a password, a token) is not for a report."""
    words = text.split(None, keep)
    return " ".join([*words[:keep], "***"]) if len(words) > keep else text


class Talk:
    """One protocol's way of asking for TLS. Subclasses read units and call what happened.

    ``outcome``: '' go on; 'tls' TLS begins at the sides' offsets; 'through' a tunnel is open there, and
    anything may follow; 'none' this will not become TLS.
    """

    via = ""
    server_first = False
    """The server speaks before the client does."""
    wrapping: str | None = None

    def __init__(self, dialogue: Dialogue, port: int) -> None:
        self.dialogue = dialogue
        self.port = port
        self.client = Side()
        self.server = Side()
        self.outcome: Outcome = ""
        self.bare = False
        """TLS began with the client's first byte, without a word of this dialogue."""
        self.skip = {True: 0, False: 0}
        """Bytes of the unit last read that are still to come and not looked at, by ``from_client``."""
        self.client_spoke_last = False
        self._client_waits = False  # its TLS bytes came before the answer
        dialogue.via = self.via
        dialogue.state = "not-asked"

    def feed(self, from_client: bool, data: bytes, frame: int) -> None:
        side = self.client if from_client else self.server
        side.add(data, frame)
        self.client_spoke_last = from_client
        while not self.outcome and side:
            if self.skip[from_client]:
                self.skip[from_client] -= len(side.take(self.skip[from_client]))
                continue
            begins = looks_like_tls(side.peek(5), from_client)
            if begins:
                self._tls_begins(from_client)
                return
            if begins is None or not self.read(from_client, side):
                return

    def lose(self, from_client: bool, length: int) -> None:
        """So many bytes of one side were not captured: what was begun before them will not become whole."""
        if from_client and self._client_waits:
            return  # inside TLS already
        side = self.client if from_client else self.server
        side.take(len(side))
        side.offset += length
        self.skip[from_client] = max(0, self.skip[from_client] - length)

    def finish(self) -> None:
        """Nothing more will come."""
        if self._client_waits and not self.outcome:
            self.outcome = "tls"

    def read(self, from_client: bool, side: Side) -> bool:
        """Understand one more unit of this side; False when it is not whole yet."""
        raise NotImplementedError

    def _tls_begins(self, from_client: bool) -> None:
        state = self.dialogue.state
        if not from_client:
            alert = self.server.peek(1) == b"\x15"
            if self.client.offset and not self.server.offset and (alert or state != "asked"):
                self.dialogue.state = "broken"  # the client speaks in clear to a server that speaks TLS
                self.outcome = "none"
            else:
                self.dialogue.state = "agreed"  # the answer itself was not captured
                self.outcome = "tls"
        elif state == "asked":
            self._client_waits = True
            if (self.server_first and not self.server.total) or len(self.client) > PATIENCE:
                self.outcome = "tls"  # the server's packets were not captured
        else:
            self.outcome = "tls"
            if state in ("not-asked", "not-offered"):
                self.bare = self.client.offset == 0
                self.dialogue.state = "broken"

    # what happened

    def say(self, from_client: bool, text: bytes | str, decisive: bool = False) -> None:
        """Write a line down, if there is room."""
        lines = self.dialogue.lines
        if len(lines) >= (LINES if decisive else LINES * 3 // 4):
            return
        if isinstance(text, bytes):
            text = text[: 4 * LINE_LENGTH].decode("utf-8", "backslashreplace")
        lines.append(((self.client if from_client else self.server).frame, from_client, text[:LINE_LENGTH]))

    def ask(self) -> None:
        """The client asked for TLS (again)."""
        self.dialogue.state = "asked"
        self.dialogue.ask_frame = self.client.frame

    def agree(self, code: str = "", outcome: Outcome = "tls") -> None:
        """The server agreed: TLS, or the tunnel, begins after what was understood."""
        self.answer("agreed", code)
        self.outcome = outcome

    def refuse(self, code: str) -> None:
        """The server refused; the client may ask in another way or go on without."""
        self.answer("refused", code)
        if self._client_waits:
            self.outcome = "none"

    def answer(self, state: str, code: str) -> None:
        self.dialogue.state = state
        self.dialogue.code = code
        self.dialogue.answer_frame = self.server.frame

    def offer(self, capabilities: list[str], wanted: str) -> None:
        """The server listed what it can; ``wanted`` is the word, in capitals, that stands for TLS."""
        self.dialogue.offered = tuple(text[:LINE_LENGTH] for text in capabilities[:OFFERED])
        if self.dialogue.state in ("not-asked", "not-offered"):
            words = {text.upper().split("=")[0].strip() for text in capabilities}
            words |= {word.split()[0] for word in words if word}
            self.dialogue.state = "not-asked" if wanted in words else "not-offered"

    def give_up(self) -> None:
        """The conversation went on in clear (or ended) without TLS."""
        self.outcome = "none"


class LineTalk(Talk):
    """A dialogue of text lines, each side's read as they end."""

    server_first = True

    def read(self, from_client: bool, side: Side) -> bool:
        line = side.take_through(b"\n")
        if line is None:
            return False
        line = line.rstrip(b"\r\n")
        if from_client:
            self.client_line(line)
        else:
            self.server_line(line)
        return True

    def client_line(self, line: bytes) -> None:
        raise NotImplementedError

    def server_line(self, line: bytes) -> None:
        raise NotImplementedError
