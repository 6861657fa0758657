"""The server, or a box before it, cannot cope with a ClientHello of a newer version.

Seen:
    A hello that offers a newer version is answered by a reset, a close, silence or an alert such as decode_error,
    handshake_failure or illegal_parameter, while a hello of the same client with a lower best version gets a ServerHello,
    although the first one offered that version, suite and group too.

Means:
    A server that does not know a version has to answer with the best it has (RFC 8446 section 4.2.1). Old appliances,
    load balancers (F5 with hellos of 256 to 511 bytes), printers and inspection boxes fail instead.

Remedy:
    Update the server's firmware or TLS library, or the inspecting device on the way.
    Until then cap the client for this one server: curl --tls-max 1.2; Java -Djdk.tls.client.protocols=TLSv1.2;
    Go tls.Config.MaxVersion; OpenSSL MaxProtocol; nginx proxy_ssl_protocols TLSv1.2; HAProxy server ... ssl-max-ver TLSv1.2;
    Envoy tls_maximum_protocol_version of the upstream.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_2 </dev/null
    The first must fail and the second go through.
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.negotiation._offer import versions_of
from analyzer.diagnosis.rules.negotiation._refused import GENERAL_ALERTS, SILENT_ENDS, refused_hello
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello
from analyzer.registries.versions import effective_version

_VAGUE = frozenset({10, 20, 22, 40, 47, 50, 70, 80})


class VersionIntolerance(Rule):
    """The same client gets through with a lower version that it had offered all along."""

    cause = "version-intolerance"
    stages = BEFORE_SERVER_HELLO
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = _VAGUE | {NO_ALERT}
    explains = (*GENERAL_ALERTS, *SILENT_ENDS, "client-version-too-new", "no-common-cipher", "sni-unrecognized")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or hello.sslv2 or hello.defects or handshake.aborted_by in ("client", "middlebox"):
            return None
        alert = handshake.closing_alert
        if alert is not None and alert.description not in _VAGUE:
            return None
        if alert is None and handshake.aborted_by == "server" and refused_hello(handshake) is None:
            return None
        if hello.max_version in {effective_version(version) for version in context.server(handshake).versions}:
            return None  # the server speaks it
        for attempt in context.attempts(handshake):
            answer = attempt.server_hello
            if answer is None or attempt.hello is None or attempt.hello.max_version >= hello.max_version:
                continue
            chosen = effective_version(answer.selected_version)
            if chosen not in versions_of(hello) or answer.cipher_suite not in hello.cipher_suites:
                continue
            return self._found(handshake, hello, attempt, attempt.hello)
        return None

    def _found(self, handshake: Handshake, hello: ClientHello, attempt: Attempt, lower: ClientHello) -> Finding:
        later = attempt.time > handshake.flow.first_seen
        split = handshake.client_hello_segments > 1
        evidence = [
            hello_evidence(handshake, f"offers {words.offered_versions_text(hello)} in {words.count_text(hello.length, 'byte')}"),
            *handshake.closing_evidence,
            Evidence(
                None,
                f"{'afterwards' if later else 'before'}, in stream {attempt.stream}, the same client offered "
                f"{words.offered_versions_text(lower)} and got a ServerHello{' (with the fallback signal)' if lower.fallback_scsv else ''}",
            ),
        ]
        summary = (
            f"{words.server_text(handshake)} fails on a hello that offers {words.version_text(hello.max_version)} "
            f"and answers the same client when it offers {words.version_text(lower.max_version)}."
        )
        reset = handshake.closing_alert is None and handshake.flow.server_rst_frame  # a box on the way does that too
        return self.found("likely" if later and not split and not reset else "possible", summary, evidence)
