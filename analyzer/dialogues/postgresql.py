"""PostgreSQL: SSLRequest and its one-byte answer (PostgreSQL documentation, "Message Flow: SSL Session Encryption")."""

from __future__ import annotations

from analyzer.dialogues.talk import Side, Talk

__all__ = ["PostgresqlTalk"]

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
ERROR_LENGTH = 2048
"""Bytes of an ErrorResponse that are looked at."""


class PostgresqlTalk(Talk):
    """SSLRequest, 'S'. Since version 17 clients may begin with TLS at once; that is no dialogue."""

    via = "postgresql"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._asked: list[int] = []  # requests not answered yet
        self._plain = False  # the StartupMessage came in clear

    def read(self, from_client: bool, side: Side) -> bool:
        return self._request(side) if from_client else self._answer(side)

    def _request(self, side: Side) -> bool:
        if len(side) < 8:
            return False
        head = side.peek(8)
        length, code = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        if length == 8 and code in (SSL_REQUEST, GSS_REQUEST) and len(self._asked) < 8:
            side.take(8)
            self._asked.append(code)
            self.say(True, "SSLRequest" if code == SSL_REQUEST else "GSSENCRequest", decisive=True)
            if code == SSL_REQUEST:
                self.ask()
            return True
        if not self._plain:
            self._plain = True
            self.say(True, f"StartupMessage {code >> 16}.{code & 0xFFFF}" if code != CANCEL_REQUEST else "CancelRequest")
        if not self._asked:
            self.give_up()
        return False  # not read: the answers to come say what it meant

    def _answer(self, side: Side) -> bool:
        answer = side.peek(1)
        asked = self._asked[0] if self._asked else 0
        if answer == b"E":
            return self._error(side)
        if answer not in (b"S", b"N", b"G") or (not asked and self.client.total):
            self.give_up()
            return False
        side.take(1)
        self._asked = self._asked[1:]
        self.say(False, answer, decisive=True)
        if answer == b"S":
            self.agree("S")
        elif answer == b"G":
            self.give_up()  # GSSAPI encryption instead
        elif asked != GSS_REQUEST:
            self.refuse("N")
        if self._plain and not self._asked and not self.outcome:
            self.give_up()
        return True

    def _error(self, side: Side) -> bool:
        if len(side) < 5:
            return False
        length = int.from_bytes(side.peek(5)[1:], "big") + 1
        if len(side) < min(length, ERROR_LENGTH):
            return False
        message = side.take(min(length, ERROR_LENGTH))
        self.skip[False] = max(0, length - len(message))
        fields = {field[:1]: field[1:] for field in message[5:].split(b"\0") if field}
        self.say(False, b"E " + fields.get(b"C", b"") + b" " + fields.get(b"M", b""), decisive=True)
        if self.dialogue.state == "asked":
            self.refuse("E")
        else:
            self.dialogue.code = "E"
        self.give_up()
        return False
