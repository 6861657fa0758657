"""The server refused a fallback to an older version.

Seen:
    The cipher suites hold TLS_FALLBACK_SCSV (0x5600), the client's mark of a second try with a lower version, and the
    server answers inappropriate_fallback (86): it speaks a newer version than this hello offers (RFC 7507). Java ignores the mark.

Means:
    The protection against downgrades worked. The real fault is the first attempt, with the newer version, which failed for
    another reason: a broken network, a middlebox, a server that was restarting.

Remedy:
    Look at the attempt before this one (same client, same server, higher version) and mend what broke it.
    Then take the fallback out of the client: no TLS library of today needs it (curl, Java, Go and browsers do not do it;
    OpenSSL only with SSL_MODE_SEND_FALLBACK_SCSV).

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -fallback_scsv </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import alert_evidence, hello_evidence
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.negotiation._refused import GENERAL_ALERTS
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake


class InappropriateFallback(Rule):
    """Alert 86."""

    cause = "inappropriate-fallback"
    alerts = frozenset({86})
    alert_from_client = False
    explains = (*GENERAL_ALERTS, "client-version-too-old")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        marked = hello is not None and hello.fallback_scsv
        evidence = alert_evidence(handshake)
        offers = ""
        if hello is not None:
            offers = f" offering only up to {words.version_text(hello.max_version)}"
            mark = "with" if marked else "without"
            says = f"offers {words.offered_versions_text(hello)}, {mark} the fallback signal (TLS_FALLBACK_SCSV)"
            evidence.insert(0, hello_evidence(handshake, says))
            earlier = [
                attempt
                for attempt in context.attempts(handshake, within=10_000_000_000)
                if attempt.time <= handshake.flow.first_seen and attempt.outcome != "completed"
                and attempt.hello is not None and attempt.hello.max_version > hello.max_version
            ]  # fmt: skip
            if earlier:
                first = earlier[-1]
                better = words.version_text(first.hello.max_version if first.hello is not None else None)
                evidence.append(Evidence(None, f"the attempt that failed first is stream {first.stream}, with {better}: look there"))
        summary = f"The client fell back,{offers}, and {words.server_text(handshake)}, which speaks a newer version, refused that."
        return self.found("certain" if marked else "likely", summary, evidence)
