"""Follows a connection until TLS begins."""

from __future__ import annotations

from typing import Literal

from analyzer.dialogues.choice import choose
from analyzer.dialogues.talk import Talk
from analyzer.model.handshake import Dialogue

__all__ = ["LIMIT", "Follower"]

LIMIT = 1 << 16
"""Bytes of one direction after which nobody waits for TLS any more."""
CHAIN = 4
"""Dialogues that may follow each other: a PROXY header, SOCKS, then STARTTLS."""

Status = Literal["undecided", "tls", "none"]


class Follower:
    """Follows one connection from its first byte until TLS begins, or it is clear that it will not.

    ``status``: 'tls' when the next bytes of each direction, after ``client_offset`` and
    ``server_offset``, are TLS records: TLS from the first byte (``dialogue`` is None), or after a
    dialogue. 'none' when it will not become TLS: another protocol, a refusal the client accepted, a conversation in
    clear, or too long a one. ``dialogue`` is filled as it goes, also when nobody asked or the server refused.
    After a tunnel (CONNECT, SOCKS, a PROXY header) it stays 'undecided', with ``dialogue.state``
    'agreed', until the first bytes inside show whether they are TLS.

    When a client sends its TLS bytes before the answer to its question is seen, this waits for the
    answer: call ``finish`` when no more will come. Never raises, whatever is fed; work is linear in the
    bytes, memory at most ``LIMIT`` a direction.
    """

    __slots__ = (
        "_base", "_chain", "_chunks", "_client", "_fed", "_outer", "_port", "_server", "_talk",
        "client_offset", "dialogue", "server_offset", "status", "wrapping",
    )  # fmt: skip

    def __init__(self, server_port: int) -> None:
        self.status: Status = "undecided"
        self.dialogue: Dialogue | None = None
        self.client_offset = 0
        self.server_offset = 0
        self.wrapping: str | None = None
        """'tds' when the records travel inside TDS packets."""
        self._port = server_port
        self._talk: Talk | None = None
        self._outer: Dialogue | None = None  # of the tunnel we are in
        self._base = (0, 0)  # where the present dialogue began, in each direction
        self._chain = 0
        self._fed = [0, 0]  # bytes of the server, of the client: fed or lost
        # until it is known which dialogue this is:
        self._chunks: list[tuple[bool, bytes, int]] = []
        self._client = bytearray()
        self._server = bytearray()

    def feed(self, from_client: bool, data: bytes, frame: int, offset: int | None = None) -> None:
        """The next bytes of one direction, as they came in the capture; ignored once it is decided.

        ``offset``: where they are in the direction's stream. When that is further than expected the bytes
        between were not captured, and what is understood goes on behind them.
        """
        if self.status != "undecided" or not data:
            return
        if offset is not None and offset > self._fed[from_client]:
            self._lose(from_client, offset - self._fed[from_client])
        self._fed[from_client] += len(data)
        if self._fed[from_client] > LIMIT:
            self._stop()
            return
        if self._talk is None:
            self._wait(from_client, data, frame)
        else:
            self._talk.feed(from_client, data, frame)
            self._look()

    def finish(self) -> None:
        """No more bytes will come. Decides for 'tls' where the client's TLS bytes wait for an answer
        that was not captured; leaves the rest as it is."""
        if self.status == "undecided" and self._talk is not None:
            self._talk.finish()
            self._look()

    def _lose(self, from_client: bool, length: int) -> None:
        self._fed[from_client] += length
        if self._talk is not None:
            self._talk.lose(from_client, length)
            return
        seen = self._client if from_client else self._server
        lost = len(seen) + length
        seen.clear()
        self._chunks = [chunk for chunk in self._chunks if chunk[0] != from_client]
        client, server = self._base
        self._base = (client + lost, server) if from_client else (client, server + lost)

    def _stop(self) -> None:
        self.finish()
        if self.status == "undecided":
            self.status = "none"
            self._forget()

    def _wait(self, from_client: bool, data: bytes, frame: int) -> None:
        self._chunks.append((from_client, data, frame))
        seen = self._client if from_client else self._server
        seen += data
        choice = choose(bytes(self._client[:512]), bytes(self._server[:4096]), self._port)
        if choice is None:
            return
        if choice == "tls":
            self._begin(self._outer, 0, 0)
        elif isinstance(choice, str):
            self.status = "none"
            self._forget()
        else:
            self._enter(choice)

    def _enter(self, kind: type[Talk]) -> None:
        outer = self._outer
        dialogue = Dialogue("", target=outer.target, lines=list(outer.lines)) if outer else Dialogue("")
        self.dialogue = dialogue
        self._talk = kind(dialogue, self._port)
        chunks, self._chunks = self._chunks, []
        self._client.clear()
        self._server.clear()
        for number, chunk in enumerate(chunks):
            self._talk.feed(*chunk)
            if self._talk.outcome:
                self._look(chunks[number + 1 :])
                return

    def _look(self, rest: list[tuple[bool, bytes, int]] | None = None) -> None:
        """See what the dialogue came to; ``rest``: what was fed and it has not seen."""
        talk = self._talk
        if talk is None or not talk.outcome:
            return
        if talk.outcome == "tls":
            self.wrapping = talk.wrapping
            if talk.bare:
                self._begin(self._outer, 0, 0)
            else:
                self._begin(talk.dialogue, talk.client.offset, talk.server.offset)
        elif talk.outcome == "none" or self._chain >= CHAIN:
            self._mark(talk)
            self.status = "none"
            self._forget()
        else:
            self._go_through(talk, rest or [])

    def _go_through(self, talk: Talk, rest: list[tuple[bool, bytes, int]]) -> None:
        """A tunnel is open: what follows begins like a connection of its own."""
        self._mark(talk)
        self._outer = talk.dialogue
        self._chain += 1
        self._base = (self._base[0] + talk.client.offset, self._base[1] + talk.server.offset)
        port = (talk.dialogue.target or "").rpartition(":")[2]
        if port.isascii() and port.isdigit() and len(port) < 6:
            self._port = int(port)
        self._talk = None
        sides = (talk.server, talk.client) if talk.client_spoke_last else (talk.client, talk.server)
        left = [(side is talk.client, side.take(len(side)), side.frame) for side in sides]  # in the order they came
        for from_client, data, frame in [*left, *rest]:
            if not data:
                continue
            if self._talk is not None:
                self._talk.feed(from_client, data, frame)
                self._look()
            elif self.status == "undecided":
                self._wait(from_client, data, frame)

    def _mark(self, talk: Talk) -> None:
        talk.dialogue.client_offset = self._base[0] + talk.client.offset
        talk.dialogue.server_offset = self._base[1] + talk.server.offset

    def _begin(self, dialogue: Dialogue | None, client: int, server: int) -> None:
        self.status = "tls"
        self.dialogue = dialogue
        self.client_offset = self._base[0] + client
        self.server_offset = self._base[1] + server
        if dialogue is not None:
            dialogue.client_offset = self.client_offset
            dialogue.server_offset = self.server_offset
        self._forget()

    def _forget(self) -> None:
        self._talk = None
        self._chunks = []
        self._client.clear()
        self._server.clear()
