"""IRC: STARTTLS with numerics 670 and 691, and the capability 'tls' (IRCv3 'tls', deprecated and still served)."""

from __future__ import annotations

from analyzer.dialogues.talk import LineTalk, veil

__all__ = ["IrcTalk"]

_SECRET = frozenset({b"PASS", b"OPER", b"AUTHENTICATE"})
_CLEAR = frozenset({b"JOIN", b"PRIVMSG", b"QUIT", b"WHO", b"LIST", b"SERVER"})


class IrcTalk(LineTalk):
    """STARTTLS, :server 670. Servers mostly keep silent until the client speaks."""

    via = "irc-starttls"
    server_first = False

    def client_line(self, line: bytes) -> None:
        verb = line.upper().split(None, 1)[0] if line.strip() else b""
        if verb == b"STARTTLS":
            self.ask()
            self.say(True, line, decisive=True)
            return
        self.say(True, veil(line.decode("utf-8", "backslashreplace"), 1) if verb in _SECRET else line)
        if verb in _CLEAR and self.dialogue.state != "asked":
            self.give_up()

    def server_line(self, line: bytes) -> None:
        words = line.split(None, 4)
        if words and words[0].startswith(b":"):
            words = words[1:]
        numeric = words[0].upper() if words else b""
        asked = self.dialogue.state == "asked"
        self.say(False, line, asked or numeric in (b"670", b"691"))
        if numeric == b"670":
            self.agree("670")
        elif numeric == b"691" or (asked and (numeric == b"451" or (numeric == b"421" and b"STARTTLS" in line.upper()))):
            self.refuse(numeric.decode())
        elif numeric == b"CAP" and len(words) > 2 and words[2].upper() == b"LS":
            listed = line.rpartition(b" :")[2].decode("utf-8", "backslashreplace").split()
            self.offer([*self.dialogue.offered, *listed], "TLS")
        elif numeric == b"001" and not asked:
            self.give_up()  # registered, in clear
