"""RDP: the negotiation inside the X.224 connection request and confirm ([MS-RDPBCGR] sections 2.2.1.1, 2.2.1.2),
carried in TPKT (RFC 1006)."""

from __future__ import annotations

from analyzer.dialogues.talk import Side, Talk

__all__ = ["RdpTalk"]

PROTOCOLS = {1: "TLS", 2: "CredSSP", 4: "RDSTLS", 8: "CredSSP-EX", 16: "RDS-AAD"}
FAILURES = {
    1: "SSL_REQUIRED_BY_SERVER", 2: "SSL_NOT_ALLOWED_BY_SERVER", 3: "SSL_CERT_NOT_ON_SERVER", 4: "INCONSISTENT_FLAGS",
    5: "HYBRID_REQUIRED_BY_SERVER", 6: "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
}  # fmt: skip
REQUEST, CONFIRM = 0xE0, 0xD0
PACKET_LENGTH = 2048


def _name_protocols(bits: int) -> str:
    return ", ".join(name for bit, name in PROTOCOLS.items() if bits & bit) or "RDP security"


class RdpTalk(Talk):
    """Connection request with the protocols wanted, connection confirm with the one selected."""

    via = "rdp"

    def read(self, from_client: bool, side: Side) -> bool:
        head = side.peek(4)
        if len(head) < 4:
            return False
        length = int.from_bytes(head[2:], "big")
        if head[0] != 3 or not 7 <= length <= PACKET_LENGTH:
            self.give_up()
            return False
        if len(side) < length:
            return False
        packet = side.take(length)
        if from_client and packet[5] == REQUEST:
            self._request(packet[11:])
        elif not from_client and packet[5] == CONFIRM:
            self._confirm(packet[11:])
        elif self.dialogue.state != "asked":
            self.give_up()  # the conference begins in clear
        return True

    def _request(self, body: bytes) -> None:
        if body[:6].lower() == b"cookie" or body[:4].lower() == b"tsto" or b"\r\n" in body[:-8]:
            body = body.partition(b"\r\n")[2]  # cookie or routing token
        wanted = int.from_bytes(body[4:8], "little") if len(body) >= 8 and body[0] == 1 else 0
        self.say(True, f"X.224 connection request: {_name_protocols(wanted)}", decisive=True)
        if wanted:
            self.ask()

    def _confirm(self, body: bytes) -> None:
        kind = body[0] if len(body) >= 8 else 0
        number = int.from_bytes(body[4:8], "little")
        if kind == 3:
            self.say(False, f"X.224 connection confirm: failure {number} {FAILURES.get(number, '')}".rstrip(), decisive=True)
            self.refuse(str(number))
            return
        selected = number if kind == 2 else 0
        self.say(False, f"X.224 connection confirm: {_name_protocols(selected)}", decisive=True)
        if selected:
            self.agree(str(selected))
        elif self.dialogue.state == "asked":
            self.refuse("0")
        else:
            self.give_up()
