"""The server does not offer STARTTLS, which the client needs.

Seen:
    The list of capabilities (EHLO, CAPABILITY, CAPA, FEAT, stream features) has no STARTTLS, STLS or AUTH TLS; the client leaves without
    logging in, or asks all the same and hears that the command is not known.

Means:
    TLS is not switched on in that server (for this port, this address, this client), its certificate could not be loaded, or a
    firewall on the way takes the word out of the list.

Remedy:
    Postfix: smtpd_tls_security_level = may with smtpd_tls_cert_file; Exim: tls_advertise_hosts = *; Sendmail: confSERVER_CERT;
    Exchange: a certificate with the SMTP service; Dovecot: ssl = yes; Cyrus: tls_server_cert; vsftpd: ssl_enable=YES; ProFTPD:
    TLSEngine on; Prosody and ejabberd: a certificate for the host; nginx mail: starttls on; HAProxy, Envoy, Apache, IIS (FTP: SSL
    policy), Java (James: startTLS="true"), Go and OpenSSL based servers: their TLS option, and read the start of the log: a certificate
    that fails to load switches TLS off quietly.

Confirm:
    $ curl -v -m 20 --ssl-reqd {resolve} {starttls_url}
    $ timeout 20 openssl s_client -connect {connect} {starttls} </dev/null
    From another network too: where the list holds STARTTLS there, a box on the way removes it.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._dialogue import (
    AFTER_A_REFUSAL,
    ASKS_FOR_TLS,
    DIALOGUE_STAGES,
    answered_line,
    asked_line,
    lists_tls,
    protocol_of,
    remedy_for,
)
from analyzer.dialogues import went_on_in_clear
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Dialogue, Handshake

_UNKNOWN_COMMAND = frozenset({"500", "502", "504"})
_BY_PACKET = frozenset({"mysql", "tds", "postgresql", "rdp", "ldap-starttls"})
"""These have no list of words: a server without TLS refuses."""


class StarttlsNotOffered(Rule):
    """A list without the word, and a client that wanted it."""

    cause = "starttls-not-offered"
    stages = DIALOGUE_STAGES
    outcomes = frozenset({"failed", "unfinished"})
    signs = Oddity.DIALOGUE
    explains = (*AFTER_A_REFUSAL, "starttls-refused")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None or dialogue.via not in ASKS_FOR_TLS - _BY_PACKET:
            return None
        if dialogue.state == "refused":
            return self._asked(handshake, dialogue)
        if dialogue.state != "not-offered" or went_on_in_clear(dialogue):
            return None
        spoken = protocol_of(dialogue)
        left = Evidence(None, "the client went no further")
        summary = f"The {spoken} server {words.server_text(handshake)} offers no TLS, and the client left."
        remedy = remedy_for(self.cause, dialogue)
        return self.found("likely", summary, [*_listed(dialogue), left], outcome="failed", aborted_by="server", remedy=remedy)

    def _asked(self, handshake: Handshake, dialogue: Dialogue) -> Finding | None:
        listed = lists_tls(dialogue)
        unknown = listed is None and dialogue.via == "ftp-auth-tls" and dialogue.code in _UNKNOWN_COMMAND
        if listed is not False and not unknown:
            return None
        evidence = [*_listed(dialogue), *(e for e in (asked_line(dialogue), answered_line(dialogue)) if e is not None)]
        mangled = any("XXXX" in text for text in dialogue.offered)  # a firewall's work
        summary = f"The {protocol_of(dialogue)} server {words.server_text(handshake)} offers no TLS; asked all the same, it refused."
        sure: Confidence = "possible" if mangled else "certain"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="server", remedy=remedy_for(self.cause, dialogue))


def _listed(dialogue: Dialogue) -> list[Evidence]:
    if not dialogue.offered:
        return []
    frame = max((line[0] for line in dialogue.lines if not line[1] and any(word in line[2] for word in dialogue.offered)), default=None)
    return [Evidence(frame, f"the server listed {words.list_text(list(dialogue.offered), 8)}")]
