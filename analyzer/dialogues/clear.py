"""Whether a client that got no TLS went on without it."""

from __future__ import annotations

from analyzer.model.handshake import Dialogue

__all__ = ["went_on_in_clear"]

_WAITING = frozenset(
    {
        "EHLO", "HELO", "LHLO", "NOOP", "QUIT", "RSET", "STARTTLS", "STLS", "CAPABILITY", "CAPABILITIES", "LOGOUT", "ID", "CAPA", "FEAT",
        "SYST", "OPTS", "HELP", "MODE", "CAP", "SSLREQUEST", "GSSENCREQUEST", "PRELOGIN:", "X.224", "EXTENDEDREQ", "UNBINDREQUEST", "CLNT",
        "LANG",
    }
)  # fmt: skip
"""What clients say before and after TLS was refused to them, when they want nothing in the clear."""


def went_on_in_clear(dialogue: Dialogue) -> bool:
    """Whether the client went on to log in, send mail or query without TLS, as far as the dialogue's lines tell."""
    for _, from_client, text in dialogue.lines:
        parts = text.split()
        if not from_client or not parts or text.startswith(("<stream", "</", "<?xml", "<starttls")):
            continue
        verb = parts[1] if dialogue.via == "imap-starttls" and len(parts) > 1 else parts[0]
        if dialogue.via == "ftp-auth-tls" and verb.upper() == "AUTH":
            continue
        if verb.upper() not in _WAITING:
            return True
    return False
