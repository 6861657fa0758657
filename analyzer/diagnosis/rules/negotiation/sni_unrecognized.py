"""The server does not know the name the client asks for.

Seen:
    unrecognized_name (112), fatal, after a ClientHello with server_name: HAProxy strict-sni, nginx ssl_reject_handshake, GnuTLS, NSS,
    OpenSSL with a strict callback; handshake_failure (40) from large CDNs, internal_error (80) from Go. A warning of the
    same number with a ServerHello after it is harmless, except to old Java clients, which give up on it.

Means:
    The name is not configured on this server (any more, or not yet), or it is misspelt, or DNS leads to the wrong server.

Remedy:
    Add the name, or correct the client or its DNS.
    nginx: server_name and its certificate in a server block. Apache: ServerName or ServerAlias of the virtual host. HAProxy: the pem
    of that name in the crt folder, or drop strict-sni. Envoy: filter_chain_match server_names. IIS: a binding with that host
    name. Go: GetCertificate. Java server: SNIMatcher; old Java client on a warning: -Djsse.enableSNIExtension=false.
    CDN: add the custom domain and wait for its certificate.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ openssl s_client -connect {connect} -noservername {starttls} </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName
    $ dig +short {name}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import stages_from
from analyzer.diagnosis.rules.negotiation._neighbours import names_a_host
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, closing_description, refused_hello
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import Alert


class SniUnrecognized(OfferRule):
    """A name the server refuses."""

    cause = "sni-unrecognized"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_FLIGHT)
    explains = (*OFFER_EXPLAINS, *AFTER_CLOSES)

    def may_prove(self, stage: str, alert: Alert | None) -> bool:
        return alert is None or not alert.from_client or alert.description in (None, 0, 10, 40, 112)

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or not any(alert.description == 112 for alert in handshake.alerts) or not names_a_host(hello):
            return None
        name = words.shown(hello.server_name or "")
        says = hello_evidence(handshake, f"asks for {name}")
        if closing_description(handshake, from_client=False) == 112:
            evidence = [says, *handshake.closing_evidence]
            names = context.server(handshake).names_served
            served = [other for other in names if other.lower() != name.lower()]
            if served:
                evidence.insert(1, Evidence(None, f"the same server serves {words.list_text(served, 3)}"))
            known = len(served) < len(names)  # one node of several, or it says so for a reason of the program's own
            if known:
                evidence.append(Evidence(None, f"it served {name} in other handshakes of this capture"))
            return self.found("likely" if known else "certain", f"{words.server_text(handshake)} does not know the name {name}.", evidence)
        refused = refused_hello(handshake)
        if refused is not None and (warning := _warning(handshake)) is not None:
            evidence = [says, Evidence(warning.frame, f"the server sent {words.alert_text(warning)}"), *handshake.closing_evidence]
            if refused.how == "alert":  # who refuses the name says so with the fatal one; who only warns goes on, and met something else
                summary = f"{words.server_text(handshake)} warned that it does not know {name}, and refused the hello."
                return self.found("possible", summary, evidence)
            return self.found("certain", f"{words.server_text(handshake)} does not know the name {name} and closed.", evidence)
        return self._warned(handshake, context, says, name)

    def _warned(self, handshake: Handshake, context: Context, says: Evidence, name: str) -> Finding | None:
        """A warning 112 that the client took for fatal, as old Java clients do."""
        warning = _warning(handshake)
        refusal = refusal_of(handshake, context)
        if warning is None or refusal is None or refusal.description not in (None, 40, 10, 112):
            return None
        evidence = [says, Evidence(warning.frame, f"the server warned: {words.alert_text(warning)}"), *refusal.evidence]
        summary = f"{words.server_text(handshake)} warned that it does not know {name}, and the client gave up on the warning."
        return self.found("likely" if not handshake.server_certificates else "possible", summary, evidence)


def _warning(handshake: Handshake) -> Alert | None:
    return next((a for a in handshake.alerts if a.description == 112 and a.level == 1 and not a.from_client), None)
