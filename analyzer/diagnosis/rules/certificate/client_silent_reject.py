"""The client closed without a word right after the server's flight: it checks certificates after the handshake.

Seen:
    FIN or reset by the client, at once, without an alert: right after the server's flight and before its own Finished (Node),
    or after a whole handshake without one byte of data (Node and curl with BoringSSL in TLS 1.2, .NET, WinHTTP, gRPC).

Means:
    Most often the client refused the server's certificate in its own code, where no alert is sent any more. It may
    also be a scanner or a check that wanted the certificate only.

Remedy:
    Read the client's own error: it knows the reason. Node: the error's code (CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID ...),
    NODE_DEBUG=tls; .NET: the inner exception; gRPC: GRPC_TRACE=handshaker; curl: -v.
    Judge the server's certificate as the client does, with the client's own trust store.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -verify_return_error -verify_hostname {name} </dev/null
    $ curl -v {resolve} {url}
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.departures import AT_ONCE, departure_of, scans
from analyzer.diagnosis.evidence import first_message, quiet_before_close
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import judges_halfway
from analyzer.diagnosis.rule import NO_ALERT, Rule
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class ClientSilentReject(Rule):
    """A close where a verdict on the certificate falls. What may as well be a probe is only mentioned."""

    cause = "client-silent-reject"
    stages = frozenset({Stage.SERVER_HELLO, Stage.FINISHED})
    outcomes = frozenset({"failed", "completed"})
    alerts = frozenset({NO_ALERT, 0})
    alert_from_client = True
    needs = Oddity.DEPARTED
    overturns = Oddity.REFUSED
    explains = ("client-closed-mid-handshake",)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        where = words.server_text(handshake)
        refusal = refusal_of(handshake, context)
        if handshake.outcome == "completed":
            left = f"The client left {where} right after the handshake, without a byte of data"
            if refusal is not None:
                says = f"{left}: most likely it refused the certificate."
                return self.found("possible", says, refusal.evidence, outcome="failed", aborted_by="client")
            departure = departure_of(handshake, context)
            if departure is None:
                return None
            judged = context.chain(handshake)
            faults = [problem.says for problem in judged.problems if problem.hard] if judged is not None else []
            seen = [(departure.frame, "the client closed"), *((None, fault) for fault in faults)]
            finding = self.found("possible", f"{left}: a probe, or a refusal.", seen)
            finding.kind = "also"
            return finding
        if refusal is None or refusal.how != "close" or handshake.resumption is not None or not _flight_is_whole(handshake):
            return None
        if quiet_before_close(handshake) > AT_ONCE:
            return None
        if scans(handshake, context):
            return None
        if not handshake.is_tls13 and not judges_halfway(handshake.client_hello):
            return None  # in TLS 1.2 those who judge on their own finish the handshake first
        summary = f"The client closed without a word right after the flight of {where}: most likely it refused the certificate."
        return self.found("likely", summary, refusal.evidence)


def _flight_is_whole(handshake: Handshake) -> bool:
    """Whether the client had all it needed to judge."""
    if handshake.is_tls13:
        return handshake.server_finished_frame > 0
    return first_message(handshake, "server_hello_done", False) is not None
