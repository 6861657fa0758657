"""FTP: AUTH TLS (RFC 4217), the older AUTH SSL, and FEAT (RFC 2389)."""

from __future__ import annotations

from analyzer.dialogues.replies import ReplyTalk

__all__ = ["FtpTalk"]


class FtpTalk(ReplyTalk):
    """AUTH TLS, 234; where that is refused, clients try AUTH SSL (answered 334 by some)."""

    via = "ftp-auth-tls"
    asks = frozenset({b"AUTH TLS", b"AUTH SSL", b"AUTH TLS-C", b"AUTH TLS-P"})
    agrees = frozenset({"234", "334"})
    clear = frozenset({b"PASV", b"EPSV", b"PORT", b"EPRT", b"LIST", b"NLST", b"MLSD", b"RETR", b"STOR", b"CWD", b"PWD", b"QUIT"})
    secret = frozenset({b"PASS", b"ACCT", b"ADAT"})

    def greets(self, code: str) -> bool:
        return code in ("120", "220", "421", "500", "530")

    def replied(self, command: bytes, code: str, texts: list[str]) -> None:
        if code == "211" and (command == b"FEAT" or (not command and len(texts) > 2)):
            self.offer([text.strip() for text in texts[1:-1]], "AUTH TLS")
            if self.dialogue.state == "not-offered" and any("TLS" in text.upper() for text in texts[1:-1]):
                self.dialogue.state = "not-asked"  # 'AUTH SSL;TLS', 'AUTH TLS;TLS-C;SSL;'
        elif code == "230" and self.dialogue.state != "asked":
            self.give_up()  # logged in, in clear
