"""The server could not take the session ticket (or session id), and failed over it.

Seen:
    The hello brings a ticket, and the server answers decrypt_error (51) or illegal_parameter (47) (the binder does not verify),
    handshake_failure (40), internal_error (80) or bad_record_mac (20), while the same client without a ticket is served.
    A server that only does a full handshake instead is in order: that costs time and fails nothing.

Means:
    The ticket was made with a key this node does not have (nodes of a pool that do not share keys, a key that was rotated), or for
    other settings, and the server fails where it should start afresh.

Remedy:
    Share and rotate ticket keys over all nodes: nginx ssl_session_ticket_key; Apache SSLSessionTicketKeyFile; HAProxy tls-ticket-keys;
    Envoy session_ticket_keys; Go tls.Config.SetSessionTicketKeys; IIS: Enable-TlsSessionTicketKey; Java: sessions are per JVM, so
    make the balancer sticky. Or switch tickets off (ssl_session_tickets off, no-tls-tickets) to confirm.
    Client: drop its session cache.

Confirm:
    $ sleep 2 | openssl s_client -connect {connect} {servername} {starttls} {version_flag} -sess_out SESSION.pem
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -sess_in SESSION.pem </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 -reconnect </dev/null
    The ticket comes after the handshake of TLS 1.3, hence the pause. "Reused" says that it was taken, "New" that it was not.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.refusals import refusal_by_server
from analyzer.diagnosis.rule import stages_from
from analyzer.diagnosis.rules.negotiation._offer import looks_like_ticket
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import refused_hello
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage

_FITTING = frozenset({20, 47, 50, 51, 80})


class TicketRejected(OfferRule):
    """A ticket in the hello and a refusal that fits it."""

    cause = "ticket-rejected"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    proves = _FITTING
    proves_later = frozenset({20, 51})
    explains = (*OFFER_EXPLAINS, "decrypt-error", "illegal-parameter", "bad-record-mac", "decode-error")

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None:
            return None
        psk = hello.psk_identities > 0 and looks_like_ticket(hello.psk_identity)
        if not psk and not hello.session_ticket_length:
            return None
        refused = refused_hello(handshake)
        description = refused.description if refused is not None else None
        evidence = refused.evidence if refused is not None else []
        if refused is None:
            later = refusal_by_server(handshake)
            if later is None or handshake.resumption is None or later.description not in (20, 51):
                return None
            description, evidence = later.description, later.evidence
        if description not in _FITTING:
            return None
        without = [
            attempt
            for attempt in context.attempts(handshake)
            if attempt.accepted
            and attempt.hello is not None
            and not attempt.hello.psk_identities
            and not attempt.hello.session_ticket_length
        ]
        said = [hello_evidence(handshake, "the hello brings a session ticket"), *evidence]
        if without:
            said.append(Evidence(None, f"without a ticket the same client was served (stream {without[-1].stream})"))
        summary = f"{words.server_text(handshake)} failed over the session ticket that the client brought."
        binder = psk and description in (47, 51)
        if not binder and not without:
            return None if description == 80 else self.found("possible", summary, said)
        return self.found("likely", summary, said)
