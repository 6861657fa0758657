"""POP3: STLS (RFC 2595 section 4) and CAPA (RFC 2449)."""

from __future__ import annotations

from collections import deque

from analyzer.dialogues.talk import LineTalk, veil

__all__ = ["Pop3Talk"]

_CLEAR = frozenset({b"STAT", b"LIST", b"RETR", b"DELE", b"UIDL", b"TOP", b"LAST", b"RSET", b"QUIT"})
_SECRET = frozenset({b"PASS", b"APOP", b"AUTH"})


class Pop3Talk(LineTalk):
    """STLS, +OK."""

    via = "pop3-stls"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._commands: deque[bytes] = deque()
        self._greeted = False
        self._hush = False
        self._listed: list[str] | None = None

    def client_line(self, line: bytes) -> None:
        verb = line.upper().split(None, 1)[0] if line.strip() else b""
        if verb == b"STLS":
            self.ask()
            self.say(True, line, decisive=True)
            self._commands.append(verb)
            return
        if self._hush:
            self.say(True, "***")
            return
        self.say(True, veil(line.decode("utf-8", "backslashreplace"), 2 if verb == b"AUTH" else 1) if verb in _SECRET else line)
        self._hush = verb == b"AUTH"
        self._commands.append(verb)
        if verb in _CLEAR and self.dialogue.state != "asked":
            self.give_up()

    def server_line(self, line: bytes) -> None:
        good = line.startswith(b"+OK")
        if not good and not line.startswith(b"-ERR"):
            self.say(False, line)
            if self._listed is not None and line == b".":
                self.offer(self._listed, "STLS")
                self._listed = None
            elif self._listed is not None and len(self._listed) < 100:
                self._listed.append(line.decode("utf-8", "backslashreplace"))
            return
        self.say(False, line, self.dialogue.state == "asked")
        self._hush = False
        if not self._greeted:
            self._greeted = True
            self.dialogue.code = "" if good else "-ERR"
            return
        command = self._commands.popleft() if self._commands else b""
        if command == b"STLS":
            if good:
                self.agree("+OK")
            else:
                self.refuse("-ERR")
        elif command == b"CAPA":
            if good:
                self._listed = []
        elif command == b"PASS" and good and self.dialogue.state != "asked":
            self.give_up()  # logged in, in clear
