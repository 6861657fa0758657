"""The client asked for TLS and the server refused.

Seen:
    SMTP 454, 502 or 503 to STARTTLS; IMAP NO or BAD; POP3 -ERR; FTP 534 or 431; LDAP resultCode 2 or 52; PostgreSQL "N" to SSLRequest;
    a MySQL greeting without CLIENT_SSL; SQL Server PRELOGIN with encryption not supported; RDP negotiation failure. Or a close in
    place of an answer.

Means:
    The server knows the command and cannot do it: no certificate, one that fails to load, TLS switched off, or not allowed for
    this client. The client then leaves, goes on in the clear, or begins TLS all the same.

Remedy:
    PostgreSQL: ssl = on with server.crt and server.key, hostssl lines; MySQL: ssl_cert, ssl_key (SHOW VARIABLES LIKE 'ssl%'); SQL
    Server: a certificate in the configuration manager; RDP: fSecurityLayer and the certificate of the listener (code 5: the client must
    use CredSSP); OpenLDAP: TLSCertificateFile; Active Directory: a certificate for the domain controller; Postfix: smtpd_tls_cert_file;
    Exchange: Enable-ExchangeCertificate; Dovecot: ssl_cert; vsftpd: ssl_enable; IIS FTP: SSL policy; pgbouncer: client_tls_sslmode;
    HAProxy, nginx and Envoy in front: pass these ports as plain TCP; Java, Go and OpenSSL based servers: read the start of their log.

Confirm:
    $ curl -v -m 20 --ssl-reqd {resolve} {starttls_url}
    $ timeout 20 openssl s_client -connect {connect} {starttls} </dev/null
    $ psql -w "host={address} port={port} sslmode=require" -c 'select 1'
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import close_text, first_close
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
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Dialogue, Handshake
from analyzer.registries.ports import STARTTLS_PORTS, TLS_PORTS


class StarttlsRefused(Rule):
    """The answer is on the wire; where there is none, the close that came in its place."""

    cause = "starttls-refused"
    stages = DIALOGUE_STAGES
    outcomes = frozenset({"failed", "unfinished"})
    signs = Oddity.DIALOGUE
    explains = AFTER_A_REFUSAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None or dialogue.via not in ASKS_FOR_TLS:
            return None
        state = dialogue.state
        if state == "refused":
            return self._refused(handshake, dialogue)
        if state == "not-offered" and dialogue.via in ("mysql", "tds") and not went_on_in_clear(dialogue):
            spoken = protocol_of(dialogue)
            evidence = [e for e in (answered_line(dialogue),) if e is not None]
            evidence.append(Evidence(None, "its greeting says that it has no TLS, and the client left without logging in"))
            summary = f"The {spoken} server {words.server_text(handshake)} has no TLS, and the client left."
            return self.found("likely", summary, evidence, outcome="failed", aborted_by="server", remedy=remedy_for(self.cause, dialogue))
        if state == "asked":
            return self._unanswered(handshake, dialogue)
        return None

    def _refused(self, handshake: Handshake, dialogue: Dialogue) -> Finding:
        evidence = [e for e in (asked_line(dialogue), answered_line(dialogue)) if e is not None]
        if lists_tls(dialogue):
            evidence.insert(0, Evidence(None, f"the server had offered it: {words.list_text(list(dialogue.offered), 6)}"))
        after = ""
        if handshake.client_hello is not None:
            after = "; the client began TLS all the same"
        elif went_on_in_clear(dialogue):
            after = "; the client went on in the clear"
        code = f" ({words.shown(dialogue.code, 20)})" if dialogue.code else ""
        summary = f"The {protocol_of(dialogue)} server {words.server_text(handshake)} refused TLS{code}{after}."
        return self.found("certain", summary, evidence, outcome="failed", aborted_by="server", remedy=remedy_for(self.cause, dialogue))

    def _unanswered(self, handshake: Handshake, dialogue: Dialogue) -> Finding | None:
        close = first_close(handshake)
        asked = asked_line(dialogue)
        port = handshake.flow.server_port
        if port in TLS_PORTS and port not in STARTTLS_PORTS:
            return None  # it is the wrong port
        if handshake.outcome != "failed" or handshake.flow.one_way or handshake.flow.server_gaps or handshake.client_hello is not None:
            return None
        evidence = [e for e in (asked,) if e is not None]
        if close is not None and not close.from_client:
            evidence.append(close_text(close))
            summary = f"The {protocol_of(dialogue)} server {words.server_text(handshake)} closed when it was asked for TLS."
            return self.found("likely", summary, evidence, remedy=remedy_for(self.cause, dialogue))
        if close is not None:
            evidence.append(close_text(close))
        summary = f"The {protocol_of(dialogue)} server {words.server_text(handshake)} did not answer when it was asked for TLS."
        return self.found("possible", summary, evidence, remedy=remedy_for(self.cause, dialogue))
