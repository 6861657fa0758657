"""MSSQL: the PRELOGIN exchange ([MS-TDS] section 2.2.6.5), after which TLS travels inside TDS packets
until the handshake is over. (TDS 8.0 begins with TLS at once; that is no dialogue.)"""

from __future__ import annotations

from analyzer.dialogues.talk import Side, Talk

__all__ = ["TdsTalk", "TdsUnwrapper"]

PRELOGIN, RESPONSE = 0x12, 0x04
HEADER, RECORD_HEADER = 8, 5
ENCRYPTION = 0x01
OFF, ON, NOT_SUPPORTED, REQUIRED = 0, 1, 2, 3
NAMES = {OFF: "off (login only)", ON: "on", NOT_SUPPORTED: "not supported", REQUIRED: "required"}
PACKET_LENGTH = 4096


def _read_encryption(payload: bytes) -> int | None:
    """The ENCRYPTION option; None when it is not there."""
    for position in range(0, min(len(payload), 5 * 32), 5):
        if payload[position] == 0xFF or position + 5 > len(payload):
            return None
        if payload[position] == ENCRYPTION:
            offset = int.from_bytes(payload[position + 1 : position + 3], "big")
            return payload[offset] & 0x7F if offset < len(payload) else None
    return None


class TdsTalk(Talk):
    """PRELOGIN from both sides; which of them wants what decides."""

    via = "tds"

    def read(self, from_client: bool, side: Side) -> bool:
        head = side.peek(HEADER + 2)
        if len(head) < HEADER:
            return False
        kind, length = head[0], int.from_bytes(head[2:4], "big")
        if kind not in (PRELOGIN, RESPONSE) or not HEADER <= length <= PACKET_LENGTH:
            if from_client:
                self.say(True, f"packet of type 0x{kind:02x}")
            self.give_up()  # a login in clear, or no TDS
            return False
        if length > HEADER + 1 and len(head) < HEADER + 2:
            return False
        if length > HEADER + 1 and head[HEADER] == 0x16 and head[HEADER + 1] == 3:
            self.wrapping = "tds"
            self._tls_begins(from_client)
            return False
        if len(side) < length:
            return False
        encryption = _read_encryption(side.take(length)[HEADER:])
        self.say(from_client, f"PRELOGIN: encryption {NAMES.get(encryption or 0, encryption)}", decisive=True)
        if from_client:
            if encryption not in (None, NOT_SUPPORTED):
                self.ask()
        elif encryption is None or encryption == NOT_SUPPORTED:
            if self.dialogue.state == "asked":
                self.refuse(str(NOT_SUPPORTED))
            else:
                self.dialogue.state = "not-offered"
        elif self.dialogue.state == "asked" or not self.client.total:
            self.wrapping = "tds"
            self.agree(str(encryption))
        else:
            self.dialogue.code = str(encryption)  # the server wants it, the client cannot
            self.give_up()
        return True


class TdsUnwrapper:
    """Takes TLS records out of the TDS packets of one direction.

    After the handshake records come bare and are passed as they are; when only the login was
    encrypted, TDS packets in clear follow, and nothing more is passed (``plain`` is then true).
    """

    __slots__ = ("_head", "_left", "plain")

    def __init__(self) -> None:
        self._head = bytearray()  # of a packet or a record, not whole yet
        self._left = 0  # bytes of the packet or the record begun
        self.plain = False
        """TDS in clear followed: there is no more TLS."""

    def feed(self, data: bytes) -> bytes:
        """The TLS bytes in ``data``, the next bytes of this direction."""
        out = bytearray()
        position = 0
        while position < len(data) and not self.plain:
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                out += piece
                continue
            need = HEADER if (self._head or data[position : position + 1])[0] == PRELOGIN else RECORD_HEADER
            piece = data[position : position + need - len(self._head)]
            position += len(piece)
            self._head += piece
            if len(self._head) == need:
                self._begin(out)
        return bytes(out)

    def _begin(self, out: bytearray) -> None:
        head = bytes(self._head)
        self._head.clear()
        if head[0] == PRELOGIN:
            self._left = max(0, int.from_bytes(head[2:4], "big") - HEADER)
        elif 0x14 <= head[0] <= 0x18 and head[1] == 3:
            self._left = int.from_bytes(head[3:5], "big")
            out += head
        else:
            self.plain = True
