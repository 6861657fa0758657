"""Dialogues whose server answers with three digits: what SMTP, FTP and NNTP have in common."""

from __future__ import annotations

import re
from collections import deque

from analyzer.dialogues.talk import LineTalk, veil

__all__ = ["ReplyTalk"]

_REPLY = re.compile(rb"(\d{3})(?:([ -])(.*))?$", re.DOTALL)
REPLY_LINES = 100
"""Lines of one reply that are looked at."""


class ReplyTalk(LineTalk):
    """Commands and replies, paired in order; a reply without a command still counts for what it is."""

    asks: frozenset[bytes]
    """Commands that ask for TLS, in capitals."""
    agrees: frozenset[str]
    """Codes that agree, and mean nothing else once the server has greeted."""
    clear: frozenset[bytes]
    """Commands after which it is settled that the conversation stays in clear."""
    secret: frozenset[bytes]
    """Commands whose arguments are nobody's business."""
    keep: frozenset[bytes] = frozenset()
    """Secret commands whose first argument (a mechanism) may be shown."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._commands: deque[bytes] = deque()
        self._code = ""  # of a reply of several lines that is not over
        self._texts: list[str] = []
        self._greeted = False
        self._hush = False  # lines of an authentication follow

    def client_line(self, line: bytes) -> None:
        command = b" ".join(line.upper().split(None, 2)[:2])
        verb = command.split(b" ")[0]
        if command in self.asks or verb in self.asks:
            self.ask()
            self._commands.append(command if command in self.asks else verb)
            self.say(True, line, decisive=True)
            return
        if self._hush:
            self.say(True, "***")
        elif verb in self.secret:
            self.say(True, veil(line.decode("utf-8", "backslashreplace"), 2 if verb in self.keep else 1))
            self._hush = verb in self.keep
        else:
            self.say(True, line)
        self._commands.append(verb)
        if verb in self.clear and self.dialogue.state != "asked":
            self.give_up()

    def server_line(self, line: bytes) -> None:
        match = _REPLY.match(line)
        code = match[1].decode() if match else ""
        text = (match[3] or b"" if match else line)[:1000].decode("utf-8", "backslashreplace")
        more = match is not None and match[2] == b"-"
        if self._code:  # RFC 5321 section 4.2.1, RFC 959 section 4.2: until the same code and a space
            if len(self._texts) < REPLY_LINES:
                self._texts.append(text if code == self._code else line[:1000].decode("utf-8", "backslashreplace"))
            over = code == self._code and not more
        elif match:
            self._code, self._texts, over = code, [text], not more
        else:
            self.say(False, line)
            self.stray(line)
            return
        decisive = self.dialogue.state == "asked" or code in self.agrees
        self.say(False, line, decisive)
        if over:
            reply, texts = self._code, self._texts
            self._code, self._texts = "", []
            self._reply(reply, texts)

    def _reply(self, code: str, texts: list[str]) -> None:
        first = self._commands[0] if self._commands else b""
        greeting = not self._greeted and self.greets(code) and first not in self.asks
        command = b"" if greeting or not self._commands else self._commands.popleft()
        if self._hush and not code.startswith("3"):
            self._hush = False
        unasked = self._greeted and not command  # by a client that was not captured
        self._greeted = not (greeting and code.startswith("1"))  # FTP's 120: the greeting proper follows
        if greeting:
            if code[0] in "45":
                self.dialogue.code = code
        elif code in self.agrees and (command in self.asks or unasked or self.dialogue.state == "asked"):
            self.agree(code)
        elif command in self.asks:
            self.refuse(code)
        else:
            self.replied(command, code, texts)

    def greets(self, code: str) -> bool:
        """Whether a first reply with this code is the greeting."""
        raise NotImplementedError

    def replied(self, command: bytes, code: str, texts: list[str]) -> None:
        """An ordinary reply; ``command`` is empty when it was not seen."""

    def stray(self, line: bytes) -> None:
        """A line that belongs to no reply."""
