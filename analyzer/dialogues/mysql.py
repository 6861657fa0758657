"""MySQL and MariaDB: CLIENT_SSL in the server's greeting, then the client's short SSLRequest
(MySQL internals, "Connection Phase"; no answer follows it: TLS begins)."""

from __future__ import annotations

from analyzer.dialogues.talk import Side, Talk

__all__ = ["MysqlTalk"]

CLIENT_SSL = 0x0800
SSL_REQUEST_LENGTH = 32
PACKET_LENGTH = 1024
"""Bytes of a packet that are looked at."""


class MysqlTalk(Talk):
    """Greeting, SSLRequest."""

    via = "mysql"
    server_first = True

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self._offers = False

    def read(self, from_client: bool, side: Side) -> bool:
        if len(side) < 4:
            return False
        length = int.from_bytes(side.peek(3), "little")
        if len(side) < 4 + min(length, PACKET_LENGTH):
            return False
        packet = side.take(4 + min(length, PACKET_LENGTH))
        self.skip[from_client] = max(0, length - PACKET_LENGTH)
        if from_client:
            self._client_packet(packet[4:], length)
        else:
            self._server_packet(packet[4:])
        return True

    def _server_packet(self, payload: bytes) -> None:
        if payload[:1] == b"\xff":
            code = str(int.from_bytes(payload[1:3], "little"))
            text = payload[9:] if payload[3:4] == b"#" else payload[3:]
            self.say(False, b"ERR " + code.encode() + b" " + text, decisive=True)
            if self.dialogue.state == "asked":
                self.refuse(code)
            else:
                self.dialogue.code = code
            self.give_up()
        elif payload[:1] in (b"\x09", b"\x0a") and not self.dialogue.lines:
            version, _, rest = payload[1:].partition(b"\0")
            self.say(False, b"greeting " + version)
            # thread id 4, scramble 8, filler 1, then the lower half of the capabilities
            capabilities = int.from_bytes(rest[13:15], "little") if payload[0] == 10 else 0
            self._offers = bool(capabilities & CLIENT_SSL)
            if self.dialogue.state == "asked":
                self._settle()
            else:
                self.offer(["CLIENT_SSL"] if self._offers else [], "CLIENT_SSL")

    def _client_packet(self, payload: bytes, length: int) -> None:
        capabilities = int.from_bytes(payload[:2], "little")
        if capabilities & CLIENT_SSL and length <= SSL_REQUEST_LENGTH:
            self.say(True, "SSLRequest", decisive=True)
            self.ask()
            self._settle()
        elif self.dialogue.state != "asked":
            self.say(True, "login in clear")
            self.give_up()

    def _settle(self) -> None:
        if self._offers:
            self.agree()
