"""The PROXY protocol's header, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt)."""

from __future__ import annotations

from ipaddress import ip_address

from analyzer.dialogues.talk import Side, Talk

__all__ = ["SIGNATURE", "ProxyProtocolTalk"]

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1_LENGTH = 107
FAMILIES = {0x11: ("TCP4", 4), 0x12: ("UDP4", 4), 0x21: ("TCP6", 16), 0x22: ("UDP6", 16)}


class ProxyProtocolTalk(Talk):
    """A header before the client's first byte; nobody answers it."""

    via = "proxy-protocol"

    def read(self, from_client: bool, side: Side) -> bool:
        if not from_client:
            return False  # the answer to what follows the header
        if side.peek(1) == b"P":
            return self._read_text(side)
        head = side.peek(16)
        if len(head) < 16 or len(side) < 16 + int.from_bytes(head[14:], "big"):
            return False
        header = side.take(16 + int.from_bytes(head[14:], "big"))
        name, size = FAMILIES.get(header[13], (f"family 0x{header[13]:02x}", 0))
        text = f"PROXY v2 {'LOCAL' if not header[12] & 15 else name}"
        if size and len(header) >= 20 + 2 * size:
            source, destination = ip_address(header[16 : 16 + size]), ip_address(header[16 + size : 16 + 2 * size])
            ports = header[16 + 2 * size : 20 + 2 * size]
            text += f" {source} {destination} {int.from_bytes(ports[:2], 'big')} {int.from_bytes(ports[2:], 'big')}"
        self._end(text)
        return True

    def _read_text(self, side: Side) -> bool:
        if b"\n" not in side.peek(V1_LENGTH):
            if len(side) >= V1_LENGTH:
                self.dialogue.state = "broken"
                self.give_up()
            return False
        line = side.take_through(b"\n") or b""
        self._end(line.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))
        return True

    def _end(self, text: str) -> None:
        self.say(True, text, decisive=True)
        self.dialogue.state = "agreed"
        self.dialogue.ask_frame = self.client.frame
        self.outcome = "through"
