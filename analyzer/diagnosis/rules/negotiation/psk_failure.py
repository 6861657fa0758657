"""The two ends do not agree on a pre-shared key.

Seen:
    unknown_psk_identity (115); decrypt_error (51) right after a ClientHello with pre_shared_key (its binder does not verify);
    handshake_failure (40) over an offer of PSK suites only; in TLS 1.2 decrypt_error (51) or bad_record_mac (20) after the client's
    Finished of a PSK suite (the keys differ).

Means:
    The identity is not known to the server, the secret behind it differs, the hash it is bound to differs, or the server
    has no pre-shared keys at all. At home in MQTT, IoT and stunnel.

Remedy:
    Put the same identity and secret on both ends, as hexadecimal where the tool wants it, and look for stray white space.
    Mosquitto: use_identity_as_username and psk_file. stunnel: PSKsecrets, PSKidentity. OpenSSL: -psk takes hexadecimal; in
    TLS 1.3 the key is bound to SHA-256 unless a session sets it. mbedTLS: mbedtls_ssl_conf_psk. GnuTLS: psktool makes the file.
    HAProxy, nginx, Apache, Envoy, IIS, Java and Go offer no external keys: a TLS proxy of another kind is needed there.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -psk_identity IDENTITY -psk HEXKEY </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.refusals import refusal_by_server
from analyzer.diagnosis.rule import NO_ALERT, stages_from
from analyzer.diagnosis.rules.negotiation._offer import looks_like_ticket
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import closing_description, refused_answer, refused_hello
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import ClientHello
from analyzer.registries.suite_facts import suite_facts


class PskFailure(OfferRule):
    """An external key that the other end does not share."""

    cause = "psk-failure"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    proves = frozenset({47, 51, 109, 115})
    proves_later = frozenset({NO_ALERT, None, 0, 20, 40, 47, 51, 80, 115})
    explains = (*OFFER_EXPLAINS, "decrypt-error", "bad-record-mac", "illegal-parameter", "missing-extension")

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None:
            return None
        who = words.server_text(handshake)
        if closing_description(handshake, from_client=False) == 115:
            says = hello_evidence(handshake, f"offers {_identity_text(hello)}")
            summary = f"{who} does not know the identity of the client's pre-shared key."
            return self.found("certain", summary, [says, *handshake.closing_evidence])
        external = hello.psk_identities > 0 and not looks_like_ticket(hello.psk_identity)
        refused = refused_hello(handshake)
        if refused is not None and external:
            says = hello_evidence(handshake, f"offers {_identity_text(hello)}")
            if refused.description == 51:
                summary = f"The pre-shared key of {who} is not the client's: the binder does not verify."
                return self.found("certain", summary, [says, *refused.evidence])
            if refused.description in (47, 109):
                summary = f"{who} refused the pre-shared key that the client offers."
                return self.found("likely", summary, [says, *refused.evidence])
        return self._of_suite(handshake, who)

    def _of_suite(self, handshake: Handshake, who: str) -> Finding | None:
        """TLS 1.2: a PSK suite was chosen and then one side could not go on."""
        answer = handshake.server_hello
        facts = suite_facts(answer.cipher_suite) if answer is not None else None
        if facts is None or not facts.is_psk:
            return None
        chosen = message_evidence(handshake, "server_hello", False, f"the server chose {facts.name}")
        refusal = refusal_by_server(handshake)
        if refusal is not None and (refusal.how != "alert" or refusal.description in (20, 40, 47, 51, 80)):
            sure = refusal.description in (20, 51) or refusal.how == "encrypted"
            summary = f"The pre-shared key of {who} is not the client's."
            return self.found("likely" if sure else "possible", summary, [chosen, *refusal.evidence])
        refusal = refused_answer(handshake)
        if refusal is not None and refusal.description in (20, 40, 47, 51, 80):
            summary = f"The client has no pre-shared key for {who}, or another one."
            return self.found("likely", summary, [chosen, *refusal.evidence])
        return None


def _identity_text(hello: ClientHello) -> str:
    if hello.psk_identities and not looks_like_ticket(hello.psk_identity):
        return f"the pre-shared key {words.shown(hello.psk_identity.decode('ascii', 'replace'), 48)!r}"
    return "a pre-shared key"
