"""LDAP: the StartTLS extended operation (RFC 4511 section 4.14)."""

from __future__ import annotations

from analyzer.dialogues.talk import Side, Talk

__all__ = ["LdapTalk"]

START_TLS = b"1.3.6.1.4.1.1466.20037"
BIND_REQUEST, BIND_RESPONSE, UNBIND, EXTENDED_REQUEST, EXTENDED_RESPONSE = 0x60, 0x61, 0x42, 0x77, 0x78
ROOT_DSE = b"\x04\x00"
"""How a search for the server's own entry begins: an empty base."""
NAMES = {
    BIND_REQUEST: "bindRequest", BIND_RESPONSE: "bindResponse", UNBIND: "unbindRequest", 0x63: "searchRequest",
    0x64: "searchResEntry", 0x65: "searchResDone", EXTENDED_REQUEST: "extendedReq", EXTENDED_RESPONSE: "extendedResp",
}  # fmt: skip


def _element(data: bytes, position: int) -> tuple[int, int, int] | None:
    """(tag, where its value begins, its length) of the BER element here; None when the header is not whole.
    A length of -1: not one that LDAP allows."""
    if len(data) < position + 2:
        return None
    tag, length = data[position], data[position + 1]
    if length < 0x80:
        return tag, position + 2, length
    size = length & 0x7F
    if not 1 <= size <= 4:
        return tag, position + 2, -1
    if len(data) < position + 2 + size:
        return None
    return tag, position + 2 + size, int.from_bytes(data[position + 2 : position + 2 + size], "big")


class LdapTalk(Talk):
    """extendedReq StartTLS, extendedResp success."""

    via = "ldap-starttls"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._id = b""  # of the StartTLS request
        self._bound = False

    def read(self, from_client: bool, side: Side) -> bool:
        head = side.peek(6)
        outer = _element(head, 0)
        if outer is None:
            return False
        tag, begin, length = outer
        if tag != 0x30 or length < 0:
            self.give_up()
            return False
        needed = begin + min(length, 1024)
        if len(side) < needed:
            return False
        message = side.take(needed)
        self.skip[from_client] = begin + length - needed
        self._message(from_client, message, begin)
        return True

    def _message(self, from_client: bool, message: bytes, begin: int) -> None:
        number = _element(message, begin)
        if number is None or number[0] != 0x02 or not 0 < number[2] <= 8:
            self.give_up()
            return
        identity = message[number[1] : number[1] + number[2]]
        operation = _element(message, number[1] + number[2])
        if operation is None:
            self.give_up()
            return
        kind, start, length = operation
        name = NAMES.get(kind, f"operation 0x{kind:02x}")
        if from_client:
            self._request(kind, name, identity, message[start : start + max(0, length)])
        else:
            self._response(kind, name, identity, message, start)

    def _request(self, kind: int, name: str, identity: bytes, body: bytes) -> None:
        if kind == EXTENDED_REQUEST and body[:2] == bytes([0x80, len(START_TLS)]) and body[2:24] == START_TLS:
            self._id = identity
            self.ask()
            self.say(True, f"{name} {START_TLS.decode()}", decisive=True)
            return
        self.say(True, name)
        if self.dialogue.state == "asked" or kind in (BIND_REQUEST, EXTENDED_REQUEST):
            return
        if kind == UNBIND or (self._bound and body[:2] != ROOT_DSE):
            self.give_up()  # work in clear

    def _response(self, kind: int, name: str, identity: bytes, message: bytes, start: int) -> None:
        result = _element(message, start)
        code = -1
        if result is not None and result[0] == 0x0A and 1 <= result[2] <= 4:
            code = int.from_bytes(message[result[1] : result[1] + result[2]], "big")
        if kind == EXTENDED_RESPONSE and (identity == self._id or not self._id or identity == b"\0"):
            text = f"{name} resultCode {code}"
            if result is not None and code:
                text += _diagnostic(message, result[1] + result[2])
            self.say(False, text, decisive=True)
            if code == 0 and identity != b"\0":
                self.agree("0")
            else:  # message 0 is the notice of disconnection (section 4.4.1)
                self.refuse(str(code))
            return
        self.say(False, name if code < 0 else f"{name} resultCode {code}")
        self._bound |= kind == BIND_RESPONSE and code == 0


def _diagnostic(message: bytes, position: int) -> str:
    """The diagnosticMessage of an LDAPResult, after matchedDN."""
    matched = _element(message, position)
    text = _element(message, matched[1] + max(0, matched[2])) if matched else None
    if text is None or text[0] != 0x04 or text[2] <= 0:
        return ""
    return ": " + message[text[1] : text[1] + text[2]].decode("utf-8", "backslashreplace")
