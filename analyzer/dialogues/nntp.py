"""NNTP: STARTTLS (RFC 4642) and CAPABILITIES (RFC 3977 section 5.2)."""

from __future__ import annotations

from analyzer.dialogues.replies import ReplyTalk

__all__ = ["NntpTalk"]


class NntpTalk(ReplyTalk):
    """STARTTLS, 382."""

    via = "nntp-starttls"
    asks = frozenset({b"STARTTLS"})
    agrees = frozenset({"382"})
    clear = frozenset({b"GROUP", b"LIST", b"ARTICLE", b"HEAD", b"BODY", b"STAT", b"POST", b"IHAVE", b"OVER", b"XOVER", b"QUIT",
                       b"CHECK", b"TAKETHIS", b"LISTGROUP", b"NEXT", b"NEWNEWS"})  # fmt: skip
    secret = frozenset({b"AUTHINFO"})

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self._listed: list[str] | None = None  # what CAPABILITIES has listed so far

    def greets(self, code: str) -> bool:
        return code in ("200", "201", "400", "502")

    def replied(self, command: bytes, code: str, texts: list[str]) -> None:
        if code == "101":
            self._listed = []

    def stray(self, line: bytes) -> None:
        if self._listed is None:
            return
        if line == b".":
            self.offer(self._listed, "STARTTLS")
            self._listed = None
        elif len(self._listed) < 100:
            self._listed.append(line.decode("utf-8", "backslashreplace"))
