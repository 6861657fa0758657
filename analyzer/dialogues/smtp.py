"""SMTP and LMTP: STARTTLS (RFC 3207), offered in the answer to EHLO (RFC 5321) or LHLO (RFC 2033)."""

from __future__ import annotations

from analyzer.dialogues.replies import ReplyTalk

__all__ = ["SmtpTalk"]


class SmtpTalk(ReplyTalk):
    """EHLO, 250-STARTTLS, STARTTLS, 220."""

    via = "smtp-starttls"
    asks = frozenset({b"STARTTLS"})
    agrees = frozenset({"220"})
    clear = frozenset({b"MAIL", b"RCPT", b"DATA", b"BDAT", b"VRFY", b"EXPN", b"ETRN", b"TURN", b"QUIT"})
    secret = frozenset({b"AUTH"})
    keep = frozenset({b"AUTH"})

    def client_line(self, line: bytes) -> None:
        if line[:4].upper() == b"LHLO":
            self.dialogue.via = "lmtp-starttls"
        super().client_line(line)

    def greets(self, code: str) -> bool:
        return code in ("220", "421", "554")

    def replied(self, command: bytes, code: str, texts: list[str]) -> None:
        if code == "250" and (command in (b"EHLO", b"LHLO") or (not command and len(texts) > 1)):
            self.offer(texts[1:], "STARTTLS")
