"""XMPP: <starttls/>, <proceed/> or <failure/> (RFC 6120 section 5)."""

from __future__ import annotations

import re

from analyzer.dialogues.talk import Side, Talk

__all__ = ["XmppTalk"]

_TAG = re.compile(rb"<(/?)(?:[A-Za-z0-9_.-]+:)?([A-Za-z0-9_.-]+)")


class XmppTalk(Talk):
    """Reads tags, not XML: no entity, no depth, nothing to expand."""

    via = "xmpp-starttls"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._features: list[str] | None = None
        self._secret = False

    def read(self, from_client: bool, side: Side) -> bool:
        token = side.take_through(b">")
        if token is None:
            return False
        match = _TAG.search(token)
        if not match:
            return True  # <?xml ... ?>, text
        token = token[match.start() :]  # the text before a tag may be a password
        name = match[2].lower()
        closing = bool(match[1])
        alone = token.rstrip(b"> \r\n\t").endswith(b"/") or closing
        if from_client:
            self._client_tag(name, closing, alone, token)
        else:
            self._server_tag(name, closing, alone, token)
        return True

    def _client_tag(self, name: bytes, closing: bool, alone: bool, token: bytes) -> None:
        if name in (b"auth", b"response"):
            self.say(True, f"</{name.decode()}>" if closing else f"<{name.decode()} ***>")
            return
        if name == b"starttls":
            self.say(True, token, decisive=True)
            if alone:
                self.ask()
            return
        self.say(True, token)
        if (name == b"stream" and closing) or (name in (b"iq", b"message", b"presence") and self.dialogue.state != "asked"):
            self.give_up()

    def _server_tag(self, name: bytes, closing: bool, alone: bool, token: bytes) -> None:
        decisive = name in (b"proceed", b"failure", b"starttls")
        self.say(False, token, decisive)
        if name == b"features":
            if not closing:
                self._features = []
            if alone and self._features is not None:
                self.offer(self._features, "STARTTLS")
                self._features = None
        elif self._features is not None:
            if not closing and len(self._features) < 100:
                self._features.append(name.decode())
        elif name == b"proceed" and alone:
            self.agree("proceed")
        elif name == b"failure" and alone and self.dialogue.state == "asked":
            self.refuse("failure")
        elif name == b"success" and self.dialogue.state != "asked":
            self.give_up()  # authenticated, in clear
