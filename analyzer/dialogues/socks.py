"""SOCKS 5 (RFC 1928, RFC 1929), 4 and 4a: a tunnel opened by a few bytes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from analyzer.dialogues.talk import Side, Talk

__all__ = ["Socks4Talk", "Socks5Talk"]

COMMANDS = {1: "CONNECT", 2: "BIND", 3: "UDP ASSOCIATE"}
REPLIES = {
    0: "succeeded", 1: "general failure", 2: "not allowed by ruleset", 3: "network unreachable", 4: "host unreachable",
    5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported",
}  # fmt: skip
REPLIES_4 = {0x5A: "granted", 0x5B: "rejected or failed", 0x5C: "no identd at the client", 0x5D: "identd names another user"}


def _read_address(data: bytes, position: int) -> tuple[str, int] | None:
    """(host:port, where it ends) of the address whose type stands at ``position``; None: not whole;
    ('', -1): no such type."""
    if len(data) < position + 2:
        return None
    kind = data[position]
    position += 1
    if kind == 3:
        position += 1
        length = data[position - 1]
    elif kind in (1, 4):
        length = 4 if kind == 1 else 16
    else:
        return "", -1
    if len(data) < position + length + 2:
        return None
    raw = data[position : position + length]
    port = int.from_bytes(data[position + length : position + length + 2], "big")
    if kind == 3:
        host = raw.decode("utf-8", "backslashreplace")
    else:
        host = str(IPv4Address(raw)) if kind == 1 else f"[{IPv6Address(raw)}]"
    return f"{host}:{port}", position + length + 2


class Socks5Talk(Talk):
    """Methods, perhaps a password, the request; each answered. Clients may send all of it at once."""

    via = "socks5"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._requested = False
        self._method: int | None = None

    def read(self, from_client: bool, side: Side) -> bool:
        head = side.peek(600)
        if not from_client:
            return self._answer(side, head)
        if self._requested or len(head) < 2:
            return False  # what follows belongs to the tunnel
        if not side.offset:
            if len(head) < 2 + head[1]:
                return False
            self.ask()
            self.say(True, "SOCKS5 methods " + side.take(2 + head[1])[2:].hex(" "), decisive=True)
            return True
        if head[0] == 1:
            user = head[1]
            if len(head) < 3 + user or len(head) < 3 + user + head[2 + user]:
                return False
            side.take(3 + user + head[2 + user])
            self.say(True, "SOCKS5 username and password ***")
            return True
        return self._request(side, head)

    def _request(self, side: Side, head: bytes) -> bool:
        address = _read_address(head, 3)
        if address is None and head[0] == 5:
            return False
        if head[0] != 5 or address is None or address[1] < 0:
            self.dialogue.state = "broken"
            self.give_up()
            return False
        side.take(address[1])
        self._requested = True
        self.dialogue.target = address[0]
        self.dialogue.ask_frame = side.frame
        self.say(True, f"SOCKS5 {COMMANDS.get(head[1], head[1])} {address[0]}", decisive=True)
        return True

    def _answer(self, side: Side, head: bytes) -> bool:
        if len(head) < 2:
            return False
        if self._method is None and head[0] != 5:  # RFC 1928 section 3: the version comes first
            self.say(False, f"not SOCKS: {head[:2].hex(' ')}", decisive=True)  # what follows may not have come yet
            self.dialogue.state = "broken"
            self.give_up()
            return False
        if self._method is None:
            side.take(2)
            self._method = head[1]
            self.say(False, f"SOCKS5 method {self._method:02x}", decisive=True)
            if self._method == 0xFF:
                self.refuse("FF")
            elif self._method == 1:
                self.give_up()  # GSSAPI: what follows may be sealed
        elif head[0] == 1:
            side.take(2)
            self.say(False, f"SOCKS5 authentication {'succeeded' if not head[1] else f'failed ({head[1]})'}", decisive=True)
            if head[1]:
                self.refuse(f"AUTH {head[1]}")
        elif head[1]:
            self.say(False, f"SOCKS5 reply {head[1]} {REPLIES.get(head[1], '')}".rstrip(), decisive=True)
            self.refuse(f"REP {head[1]}")
            self.give_up()
        else:
            address = _read_address(head, 3)
            if address is None:
                return False
            if head[0] != 5 or address[1] < 0:
                self.dialogue.state = "broken"
                self.give_up()
                return False
            side.take(address[1])
            self.say(False, "SOCKS5 reply 0 succeeded", decisive=True)
            self.agree("REP 0", "through")
        return True


class Socks4Talk(Talk):
    """The request, and eight bytes."""

    via = "socks4"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._requested = False

    def read(self, from_client: bool, side: Side) -> bool:
        if not from_client:
            head = side.peek(8)
            if len(head) < 8:
                return False
            side.take(8)
            code = head[1]
            self.say(False, f"SOCKS4 reply {code:02X} {REPLIES_4.get(code, '')}".rstrip(), decisive=True)
            if code == 0x5A:
                self.agree("5A", "through")
            else:
                self.refuse(f"{code:02X}")
                self.give_up()
            return True
        head = side.peek(1024)
        if self._requested:
            return False
        user = head.find(b"\0", 8)
        if user < 0:
            if len(head) == 1024:
                self.dialogue.state = "broken"
                self.give_up()
            return False
        end, host = user + 1, ""
        if head[4:7] == b"\0\0\0" and head[7]:  # 4a: the name follows
            found = head.find(b"\0", end)
            if found < 0:
                return False
            host, end = head[end:found].decode("utf-8", "backslashreplace"), found + 1
        side.take(end)
        self._requested = True
        self.ask()
        self.dialogue.target = f"{host or IPv4Address(head[4:8])}:{int.from_bytes(head[2:4], 'big')}"
        self.say(True, f"SOCKS4 {COMMANDS.get(head[1], head[1])} {self.dialogue.target}", decisive=True)
        return True
