"""What a dialogue that should have led to TLS came to, as the rules about STARTTLS and proxies need it."""

from __future__ import annotations

import re

from analyzer.diagnosis import registry, words
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Dialogue, Stage

__all__ = ["AFTER_A_REFUSAL", "ASKS_FOR_TLS", "DIALOGUE_STAGES", "answered_line", "asked_line", "lists_tls", "protocol_of", "remedy_for"]

DIALOGUE_STAGES = frozenset({Stage.DIALOGUE, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO, Stage.SERVER_NOT_TLS, Stage.CONNECTED})
"""A client that was refused may begin TLS all the same."""

AFTER_A_REFUSAL = (
    "tls-on-plaintext-port", "implicit-vs-starttls", "client-hello-no-answer", "server-fin-after-hello", "server-rst-after-hello",
    "client-closed-mid-handshake", "server-closed-mid-handshake", "client-timeout", "non-tls-client-bytes", "unexpected-message",
    "client-hello-unacked",
)  # fmt: skip
"""What follows when TLS begins although it was refused."""

_PROTOCOLS = {
    "smtp-starttls": "SMTP", "lmtp-starttls": "LMTP", "imap-starttls": "IMAP", "pop3-stls": "POP3", "ftp-auth-tls": "FTP",
    "ldap-starttls": "LDAP", "xmpp-starttls": "XMPP", "nntp-starttls": "NNTP", "sieve-starttls": "ManageSieve", "irc-starttls": "IRC",
    "postgresql": "PostgreSQL", "mysql": "MySQL", "rdp": "RDP", "tds": "SQL Server (TDS)",
}  # fmt: skip

ASKS_FOR_TLS = frozenset(_PROTOCOLS)
"""Dialogues in which a client asks the server itself for TLS."""

_WORDS = {"ftp-auth-tls": "TLS", "pop3-stls": "STLS", "mysql": "CLIENT_SSL", "irc-starttls": "TLS"}


_SERVERS = {
    "smtp-starttls": ("Postfix", "Exim", "Sendmail", "Exchange"), "lmtp-starttls": ("Postfix", "Dovecot", "Cyrus"),
    "imap-starttls": ("Dovecot", "Cyrus", "Exchange", "nginx mail"), "pop3-stls": ("Dovecot", "Cyrus", "Exchange", "nginx mail"),
    "sieve-starttls": ("Dovecot", "Cyrus"), "ftp-auth-tls": ("vsftpd", "ProFTPD", "IIS FTP"), "xmpp-starttls": ("Prosody and ejabberd",),
    "ldap-starttls": ("OpenLDAP", "Active Directory"), "postgresql": ("PostgreSQL", "pgbouncer"), "mysql": ("MySQL",),
    "tds": ("SQL Server",), "rdp": ("RDP",),
}  # fmt: skip
"""Who speaks it, as the remedies of pages begin their clauses."""


def remedy_for(cause: str, dialogue: Dialogue) -> str:
    """Of the page's remedy what is for servers of this protocol, and what is for all; empty where the page names none of them."""
    clauses = re.split(r";\s+", registry.read_page(cause).remedy.rstrip("."))
    labels = [" ".join(clause.partition(":")[0].split()) for clause in clauses]
    mine = _SERVERS.get(dialogue.via, ())
    others = {name for names in _SERVERS.values() for name in names}
    own = [clause for clause, label in zip(clauses, labels, strict=True) if label in mine]
    rest = [clause for clause, label in zip(clauses, labels, strict=True) if label not in others]
    return "; ".join(own + rest) + "." if own else ""


def protocol_of(dialogue: Dialogue) -> str:
    """'SMTP', 'PostgreSQL' ..."""
    return _PROTOCOLS.get(dialogue.via, dialogue.via)


def lists_tls(dialogue: Dialogue) -> bool | None:
    """Whether the capabilities that the server listed hold TLS; None where it listed none."""
    if not dialogue.offered:
        return None
    return any(_WORDS.get(dialogue.via, "STARTTLS") in text.upper() for text in dialogue.offered)


def asked_line(dialogue: Dialogue) -> Evidence | None:
    """The client's question."""
    line = next((line for line in dialogue.lines if line[1] and line[0] == dialogue.ask_frame), None)
    return Evidence(line[0], f'the client asked: "{words.shown(line[2])}"') if line is not None else None


def answered_line(dialogue: Dialogue) -> Evidence | None:
    """The answer that decided, else the server's last line."""
    said = [line for line in dialogue.lines if not line[1]]
    line = next((line for line in reversed(said) if line[0] == dialogue.answer_frame), said[-1] if said else None)
    return Evidence(line[0], f'the server answered: "{words.shown(line[2])}"') if line is not None else None
