"""Encrypted Client Hello was not accepted.

Seen:
    The ClientHello has encrypted_client_hello (0xFE0D), the server answers for the public name in it, and the client ends with ech_required
    (121), readable with keys only. Without keys: an encrypted alert from a client whose outer name is one that only serves ECH. Browsers
    also send random bytes of this kind (GREASE) to everyone: that is no failure.

Means:
    The keys the client found in DNS (HTTPS record) are not those of the server, or a box on the way answers or strips the extension.

Remedy:
    Publish the ECH configuration that the servers hold, with a short TTL, and keep the old keys while it is cached.
    nginx: ssl_ech_file (with a library that has it). HAProxy and Apache: builds with OpenSSL's ECH branch. Cloudflare: the zone's
    setting. Go: tls.Config.EncryptedClientHelloKeys. OpenSSL, Envoy, IIS and Java of today: none, so publish no record. Client: switch
    it off to get through (Firefox network.dns.echconfig.enabled), and check what inspects TLS on the way.

Confirm:
    $ dig +short HTTPS {name}
    $ openssl s_client -connect {connect} {servername} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES
from analyzer.diagnosis.weighing import refusal_of
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

_PUBLIC_NAMES = ("cloudflare-ech.com",)
"""Outer names that stand for nothing but ECH."""


class EchFailure(Rule):
    """Alert 121, or a refusal under an outer name."""

    cause = "ech-failure"
    stages = AFTER_SERVER_HELLO
    alerts = frozenset({None, 121})
    alert_from_client = True
    explains = (*AFTER_CLOSES, "cert-rejected", "client-silent-reject", "refused-encrypted")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello, alert = handshake.client_hello, handshake.closing_alert
        if hello is None or not handshake.is_tls13:
            return None
        name = words.shown(hello.server_name or "")
        says = hello_evidence(handshake, f"offers encrypted_client_hello under the public name {name or '(none)'}")
        if alert is not None and alert.description == 121 and alert.from_client:
            summary = f"{words.server_text(handshake)} did not accept the Encrypted Client Hello, and the client insists on it."
            return self.found("certain", summary, [says, *handshake.closing_evidence])
        refusal = refusal_of(handshake, context)
        if refusal is None or not hello.encrypted_client_hello or refusal.how != "encrypted":
            return None
        if not (hello.server_name or "").lower().endswith(_PUBLIC_NAMES):
            return None
        summary = f"The client refused the answer under the public name {name}: most likely its Encrypted Client Hello was not accepted."
        return self.found("likely", summary, [says, *refusal.evidence])
