r"""The connection ended without close_notify.

Seen:
    FIN or RST after a whole handshake, without the last alert that says goodbye (26 bytes and more in TLS 1.2, 19 in TLS 1.3). A peer
    with OpenSSL 3 answers with decode_error (50): an effect.

Means:
    Not a failure of the handshake. Many programs just close; a reader cannot tell that from a cut connection, so newer libraries report
    it: "unexpected eof while reading" (OpenSSL 3), "EOF occurred in violation of protocol" (Python).

Remedy:
    The side that closes should send close_notify: OpenSSL: SSL_shutdown; Java: close the SSLSocket, not the one below; Go: tls.Conn.Close;
    IIS and .NET: ShutdownAsync. The side that complains may let it pass where lengths are known otherwise: SSL_OP_IGNORE_UNEXPECTED_EOF
    (nginx, Apache and HAProxy set it or do not care; Envoy does not care).

Confirm:
    $ (sleep 1; printf 'GET / HTTP/1.0\r\n\r\n'; sleep 5) | openssl s_client -connect {connect} {servername} {starttls} -msg 2>&1 | \
        grep -e '<<<.*Alert' -e 'unexpected eof' -e '^closed'
    A server that says goodbye sends an Alert before "closed". Another protocol than HTTP needs its own words to quit.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.record_lengths import is_alert_sized
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import close_text, first_close
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class UncleanClose(Rule):
    """Never a cause: mentioned beside a handshake that completed and ended before it was worth following no more."""

    cause = "unclean-close"
    stages = frozenset({Stage.FINISHED})
    outcomes = frozenset({"completed"})
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        close = first_close(handshake)
        if close is None or handshake.flow.client_gaps or handshake.flow.server_gaps:
            return None
        said_goodbye = any(
            message.from_client == close.from_client
            and message.frame <= close.frame
            and message.frame >= handshake.client_finished_frame
            and (message.kind == "alert" or is_alert_sized(message, handshake))
            for message in handshake.messages
        )
        if said_goodbye:
            return None
        who = words.side(close.from_client).capitalize()
        finding = self.found("likely", f"{who} closed without close_notify after a whole handshake.", [close_text(close)])
        finding.kind = "also"
        return finding
