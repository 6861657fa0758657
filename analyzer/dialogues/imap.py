"""IMAP: STARTTLS (RFC 9051 section 6.2.1), offered by CAPABILITY."""

from __future__ import annotations

import re

from analyzer.dialogues.talk import LineTalk

__all__ = ["ImapTalk"]

_CAPABILITY = re.compile(rb"(?:^\* CAPABILITY |\[CAPABILITY )([^\]\r\n]*)", re.IGNORECASE)
_BEFORE = frozenset({b"CAPABILITY", b"NOOP", b"ID", b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"ENABLE", b"COMPRESS"})


class ImapTalk(LineTalk):
    """a1 STARTTLS, a1 OK."""

    via = "imap-starttls"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._tag = b""  # of STARTTLS
        self._secret_tag = b""  # of a LOGIN or AUTHENTICATE not answered yet

    def client_line(self, line: bytes) -> None:
        words = line.split(None, 2)
        verb = words[1].upper() if len(words) > 1 else b""
        if verb == b"STARTTLS":
            self._tag = words[0]
            self.ask()
            self.say(True, line, decisive=True)
        elif verb in (b"LOGIN", b"AUTHENTICATE"):
            self._secret_tag = words[0]
            self.say(True, b" ".join([*words[:2], b"***"]))
        elif self._secret_tag:
            self.say(True, "***")  # a literal, or an answer to a challenge
        else:
            self.say(True, line)
            if verb and verb not in _BEFORE and self.dialogue.state != "asked":
                self.give_up()  # LOGOUT, or work in clear

    def server_line(self, line: bytes) -> None:
        match = _CAPABILITY.search(line)
        if match:
            self.offer(match[1].decode("utf-8", "backslashreplace").split(), "STARTTLS")
        tag, _, rest = line.partition(b" ")
        word = rest.split(None, 1)[0].upper() if rest.strip() else b""
        answers = bool(self._tag) and tag == self._tag
        self.say(False, line, answers)
        if tag == self._secret_tag and tag:
            self._secret_tag = b""
            if word == b"OK" and self.dialogue.state != "asked":
                self.give_up()
        if answers:
            self._tag = b""
            if word == b"OK":
                self.agree("OK")
            else:
                self.refuse(word[:20].decode("utf-8", "backslashreplace"))
        elif tag == b"*" and word == b"BYE":
            self.dialogue.code = "BYE"
