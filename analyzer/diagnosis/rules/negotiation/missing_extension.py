"""A hello lacks an extension that it must have.

Seen:
    missing_extension (109) from a TLS 1.3 peer: the hello has no signature_algorithms, supported_groups or key_share, or pre_shared_key
    without psk_key_exchange_modes (RFC 8446 section 9.2). GnuTLS says handshake_failure (40).

Means:
    The client is faulty or built by hand, or a box on the way took the extension out.

Remedy:
    Update the client, or repair its configuration (a list that is empty after filtering leaves the extension out: groups in
    FIPS mode, -sigalgs with nothing usable). Compare the hello at both ends when a proxy is between them.
    OpenSSL: Groups and SignatureAlgorithms in openssl.cnf. Java: -Djdk.tls.namedGroups. Go: CurvePreferences.
    nginx, Apache, HAProxy, Envoy and IIS cannot be told to do without.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -tls1_3 -trace </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule
from analyzer.diagnosis.rules.negotiation._offer import versions_of
from analyzer.diagnosis.rules.negotiation._refused import refused_hello
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_REQUIRED = {13: "signature_algorithms", 10: "supported_groups", 51: "key_share"}


class MissingExtension(AlertRule):
    """Alert 109."""

    cause = "missing-extension"
    alerts = frozenset({40, 47, 109})
    explains = ("client-version-too-new", "no-common-group", "no-common-sigalg", "illegal-parameter")
    meaning = "the hello lacks an extension it must have"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        alert, hello = handshake.closing_alert, handshake.client_hello
        if alert is None or alert.description == 109:
            return super().examine(handshake, context)
        # others than 109: only where the hello can mean nothing but TLS 1.3
        if alert.from_client or hello is None or min(versions_of(hello)) < 0x0304 or refused_hello(handshake) is None:
            return None
        finding = super().examine(handshake, context)
        if finding is None or finding.confidence != "certain":
            return None
        finding.confidence = "likely"
        return finding

    def details(self, handshake: Handshake, context: Context) -> list[Evidence]:
        alert, hello = handshake.closing_alert, handshake.client_hello
        if alert is None or hello is None or (handshake.client_hello_incomplete and not alert.from_client):
            return []
        if alert.from_client:
            answer = handshake.server_hello
            if answer is not None and answer.key_share_group is None and answer.pre_shared_key is None and handshake.is_tls13:
                return [Evidence(handshake.server_hello_frame or None, "the ServerHello has neither key_share nor pre_shared_key")]
            return []
        if 0x0304 not in versions_of(hello):
            return []
        required = {} if hello.psk_identities else _REQUIRED
        lacking = [name for kind, name in required.items() if kind not in hello.extension_types]
        if hello.psk_identities and not hello.psk_modes:
            lacking.append("psk_key_exchange_modes")
        return [Evidence(handshake.client_hello_frame or None, f"the ClientHello has no {name}") for name in lacking]
