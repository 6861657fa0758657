"""ManageSieve: STARTTLS (RFC 5804 section 2.2), listed as a capability in the greeting."""

from __future__ import annotations

import re

from analyzer.dialogues.talk import LineTalk, veil

__all__ = ["SieveTalk"]

_CAPABILITY = re.compile(rb'"([^"]{1,100})"(?: "([^"]*)")?')
_END = re.compile(rb"(OK|NO|BYE)\b", re.IGNORECASE)


class SieveTalk(LineTalk):
    """STARTTLS, OK."""

    via = "sieve-starttls"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._listed: list[str] = []
        self._asked = False  # and the answers to what came before are in
        self._before = 1  # answers due before that of STARTTLS: the greeting, then one a command

    def client_line(self, line: bytes) -> None:
        verb = line.upper().split(None, 1)[0] if line.strip() else b""
        if verb == b"STARTTLS":
            self.ask()
            self._asked = True
            self.say(True, line, decisive=True)
        elif verb == b"AUTHENTICATE":
            self.say(True, veil(line.decode("utf-8", "backslashreplace"), 2))
            self._before += not self._asked
        elif verb in (b"CAPABILITY", b"NOOP"):
            self.say(True, line)
            self._before += not self._asked
        elif verb.isalpha():
            self.say(True, line)
            if self.dialogue.state != "asked":
                self.give_up()
        else:
            self.say(True, "***")  # a literal, or an answer to a challenge

    def server_line(self, line: bytes) -> None:
        end = _END.match(line)
        if not end:
            self.say(False, line)
            match = _CAPABILITY.match(line)
            if match and len(self._listed) < 100:
                self._listed.append(b" ".join(part for part in match.groups() if part).decode("utf-8", "backslashreplace"))
            return
        word = end[1].upper().decode()
        if self._listed:
            self.offer(self._listed, "STARTTLS")
            self._listed = []
        if self._asked and self._before <= 0:
            self.say(False, line, decisive=True)
            self._asked = False
            if word == "OK":
                self.agree(word)
            else:
                self.refuse(word)
            return
        self.say(False, line)
        self._before -= 1
        if word == "BYE":
            self.dialogue.code = word
