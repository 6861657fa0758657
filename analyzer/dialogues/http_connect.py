"""HTTP CONNECT through a proxy (RFC 9110 sections 9.3.6 and 11.7)."""

from __future__ import annotations

import re

from analyzer.dialogues.talk import LineTalk

__all__ = ["HttpConnectTalk"]

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: (.*))?$", re.DOTALL)
_CONNECT = re.compile(rb"CONNECT\s+(\S{1,300})")
_AUTHENTICATE = re.compile(rb"proxy-authenticate:\s*([\w-]{1,40})", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length:\s*(\d{1,9})\s*$", re.IGNORECASE)


class HttpConnectTalk(LineTalk):
    """CONNECT host:port, 2xx: a tunnel, in which anything may follow. ``offered``: the proxy's ways to authenticate."""

    via = "http-connect"
    server_first = False

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._in_request = False
        self._status = b""
        self._length = 0
        self._schemes: list[str] = []

    def client_line(self, line: bytes) -> None:
        if self._in_request:
            name, colon, _ = line.partition(b":")
            secret = name.strip().lower() in (b"proxy-authorization", b"authorization", b"cookie")
            if line:
                self.say(True, name + colon + b" ***" if secret else line)
            self._in_request = bool(line)
            return
        match = _CONNECT.match(line)
        if match:
            self.dialogue.target = match[1].decode("utf-8", "backslashreplace")
            self.ask()
            self.say(True, line, decisive=True)
            self._in_request = True
        elif line and self.dialogue.state != "asked":
            self.say(True, line)
            self.give_up()  # another request: the proxy is used in clear

    def server_line(self, line: bytes) -> None:
        if not self._status:
            match = _STATUS.match(line)
            if match and (self.dialogue.state == "asked" or not self.client.total):
                self._status = match[1]
                self._length = 0
                self._schemes = []
                self.say(False, line, decisive=True)
            return  # else: the body of the answer before
        if not line:
            self._answered(self._status.decode())
            return
        scheme, length = _AUTHENTICATE.match(line), _LENGTH.match(line)
        self.say(False, line, decisive=scheme is not None)
        if scheme and len(self._schemes) < 16:
            self._schemes.append(scheme[1].decode())
        if length:
            self._length = int(length[1])

    def _answered(self, code: str) -> None:
        self._status = b""
        if code[0] == "1":
            return
        if code[0] == "2":
            self.agree(code, "through")
            return
        self.dialogue.offered = tuple(self._schemes)
        self.skip[False] = self._length
        self.refuse(code)
