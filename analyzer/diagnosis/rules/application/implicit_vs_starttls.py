"""One side begins with TLS, the other wants to be asked for it first (or the other way round).

Seen:
    A ClientHello as the first bytes to a port where SMTP, IMAP, POP3, FTP, XMPP, LDAP or a database begins in the clear: the
    server answers with its banner, an error in its own protocol, or closes. Or a client that waits for a greeting on a port where TLS
    begins at once (465, 993, 995, 990), or speaks its protocol there in the clear.

Means:
    The client's "SSL/TLS" and "STARTTLS" settings are mixed up, or its port.

Remedy:
    Match port and mode: 465, 993, 995, 636, 990 with TLS from the first byte; 587, 143, 110, 389, 21 with STARTTLS.
    Postfix: smtpd_tls_wrappermode only for 465, smtp_tls_wrappermode for clients of it; Dovecot: inet_listener imaps ssl = yes;
    OpenSSL: s_client -starttls; Java Mail: mail.smtp.ssl.enable against mail.smtp.starttls.enable; Go: tls.Dial against
    smtp.StartTLS; Python: SMTP_SSL against starttls(); HAProxy, nginx (mail: listen ... ssl against starttls on) and Envoy (starttls
    transport socket) in front: leave these ports as plain TCP. Apache and IIS (except its FTP: implicit only on 990) do not serve them.
    PostgreSQL clients before 17 must ask first: sslnegotiation=postgres.

Confirm:
    $ nc -w 5 {address} {port} </dev/null | head -c 100
    $ openssl s_client -connect {connect} {servername} </dev/null
    The first must show a greeting, or the second a certificate: that is the mode of this port.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._answers import answer_of, first_words
from analyzer.diagnosis.rules.application._closes import LONG_SILENCE, close_text, first_close, nothing_from_server, saw_connect
from analyzer.diagnosis.rules.application._plain import BANNER_FIRST, HAS_STARTTLS, IMPLICIT, first_line, greeting_text, spoken_by
from analyzer.model.finding import AbortedBy, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.registries.ports import GREETS

_CLIENT_FIRST = {389: "LDAP", 3268: "LDAP", 5432: "PostgreSQL", 1433: "TDS (SQL Server)", 3389: "RDP", 5222: "XMPP"}
"""Ports of protocols that ask for TLS and whose server closes on a ClientHello without a word."""


class ImplicitVsStarttls(Rule):
    """Banners prove it; silence on both sides, on such a port, makes it likely."""

    cause = "implicit-vs-starttls"
    stages = frozenset(
        {Stage.CONNECTED, Stage.DIALOGUE, Stage.CLIENT_NOT_TLS, Stage.SERVER_NOT_TLS, Stage.CLIENT_HELLO, Stage.CLIENT_HELLO_UNACKED}
    )
    explains = (
        "tls-on-plaintext-port", "client-never-speaks", "connect-close-probe", "non-tls-client-bytes", "server-fin-after-hello",
        "server-rst-after-hello", "server-closed-mid-handshake", "client-closed-mid-handshake", "lb-no-backend",
    )  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        stage = handshake.stage
        if stage == Stage.SERVER_NOT_TLS:
            return self._banner(handshake)
        if stage == Stage.CONNECTED:
            return self._both_wait(handshake, context)
        if stage in (Stage.DIALOGUE, Stage.CLIENT_NOT_TLS):
            return self._in_clear(handshake)
        return self._client_first(handshake, context)

    def _banner(self, handshake: Handshake) -> Finding | None:
        flow = handshake.flow
        if handshake.dialogue is not None or flow.server_gaps or not (flow.syn_frame or flow.syn_ack_frame):
            return None  # the first words captured may be the consent to TLS
        protocol = spoken_by(handshake.server_bytes, False)
        if protocol not in HAS_STARTTLS:
            return None
        says = f"the server sent {first_line(handshake.server_bytes)}"
        evidence = [hello_evidence(handshake, "the ClientHello"), Evidence(handshake.server_bytes_frame, says)]
        spoken = greeting_text(handshake.server_bytes, handshake.flow.server_port)
        summary = f"The client began with TLS, and {words.server_text(handshake)} speaks {spoken} in the clear until it is asked for TLS."
        alone = handshake.aborted_by == "client" and not flow.server_fin_frame and not flow.server_rst_frame
        by: AbortedBy = "client" if alone else "server"
        return self.found("certain", summary, evidence, outcome="failed", aborted_by=by)

    def _both_wait(self, handshake: Handshake, context: Context) -> Finding | None:
        flow = handshake.flow
        spoken = BANNER_FIRST.get(flow.server_port)
        if spoken is None and any(attempt.via is None for attempt in context.server(handshake).accepted):
            spoken = GREETS.get(flow.server_port)  # where it should greet, this server takes TLS at once
        if spoken is None or flow.client_bytes or not saw_connect(handshake) or not flow.ack_frame:
            return None
        close = first_close(handshake)
        end = close.time if close is not None else context.capture(handshake).last_seen
        if flow.server_bytes and any(s.length and not s.from_client and s.timestamp <= end for s in handshake.segments):
            return None  # else it only spoke to who had gone
        quiet = end - flow.syn_ack_time
        if quiet < (LONG_SILENCE if close is not None else context.options.timeout * 1e9):
            return None
        evidence = [Evidence(flow.ack_frame, f"connected to port {flow.server_port}, and both sides silent for {words.span_text(quiet)}")]
        if close is not None:
            evidence.append(close_text(close))
        by: AbortedBy = "unknown" if close is None else "client" if close.from_client else "server"
        where = words.server_text(handshake)
        summary = f"The client and {where} both waited: the one for a greeting in {spoken}, the other for a ClientHello."
        return self.found("likely", summary, evidence, outcome="failed", aborted_by=by)

    def _in_clear(self, handshake: Handshake) -> Finding | None:
        """The client speaks its protocol in the clear on a port where TLS begins at once."""
        spoken = IMPLICIT.get(handshake.flow.server_port)
        dialogue = handshake.dialogue
        if spoken is None or (dialogue is not None and dialogue.state not in ("broken", "not-asked", "not-offered")):
            return None
        protocol = spoken_by(handshake.client_bytes, True)
        if dialogue is None and protocol not in HAS_STARTTLS:
            return None
        if handshake.server_bytes and not any(not alert.from_client for alert in handshake.alerts):
            where = words.server_text(handshake)
            evidence = [Evidence(handshake.server_bytes_frame, f"the server said {first_line(handshake.server_bytes)}")]
            summary = f"{where} speaks {spoken} in the clear on a port where TLS begins at once, and nobody asked it for TLS."
            return self.found("likely", summary, evidence, outcome="no-handshake", aborted_by="none")
        said = first_words(handshake)
        summary = f"The client spoke {spoken} in the clear to {words.server_text(handshake)}, where TLS begins at once."
        answer = answer_of(handshake)
        proved = any(not alert.from_client for alert in handshake.alerts)
        by = "server" if answer else handshake.aborted_by
        return self.found("certain" if proved else "likely", summary, [said, *answer], outcome="failed", aborted_by=by)

    def _client_first(self, handshake: Handshake, context: Context) -> Finding | None:
        """A ClientHello to a port whose protocol asks for TLS, and the server closed without a word."""
        spoken = _CLIENT_FIRST.get(handshake.flow.server_port)
        close = first_close(handshake)
        if spoken is None or close is None or close.from_client or handshake.dialogue is not None or handshake.closing_alert is not None:
            return None
        if context.server(handshake).answered or not nothing_from_server(handshake):
            return None
        evidence = [hello_evidence(handshake, f"a ClientHello as the first bytes to port {handshake.flow.server_port}"), close_text(close)]
        where = words.server_text(handshake)
        summary = f"The client began with TLS on the port of {spoken}, and {where} closed: it wants to be asked for TLS first."
        return self.found("likely", summary, evidence)
