"""The server chose something that the client had not offered.

Seen:
    The suite, version, group, signature scheme, application protocol, compression or pre-shared key of the server's answer is
    not in the ClientHello: an exact comparison. The client refuses: illegal_parameter (47), handshake_failure (40) from Go,
    GnuTLS and rustls, or it just closes.

Means:
    A faulty server, or a box on the way that changes one of the two hellos.

Remedy:
    Update the server's TLS library or the inspecting device. Record at both ends: when the hellos differ, it is the device.
    nginx, Apache, HAProxy: update OpenSSL. Envoy: update. IIS: Windows Update. Java: update the JDK or Bouncy Castle.
    Embedded servers (old mbedTLS, wolfSSL, appliances): a firmware update; meanwhile offer what they choose.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} {cipher_flag} {groups_flag} -trace </dev/null
    Compare the lists of the ClientHello with the choices of the ServerHello.
"""

from __future__ import annotations

from analyzer import registries
from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import message_evidence
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, Rule
from analyzer.diagnosis.rules.negotiation._offer import versions_of
from analyzer.diagnosis.rules.negotiation._refused import AFTER_CLOSES, closing_description, refused_answer
from analyzer.diagnosis.rules.negotiation.unsafe_legacy_renegotiation import lacks_renegotiation_info
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import Alert, ClientHello, ServerHello
from analyzer.registries.suite_facts import suite_facts
from analyzer.registries.versions import effective_version

_EXTENSIONS_OF_ITS_OWN = frozenset({0xFF01, 44})
"""renegotiation_info answers the SCSV (RFC 5746), cookie comes unasked in a HelloRetryRequest (RFC 8446 section 4.2.2)."""


class ServerParamsIllegal(Rule):
    """Set membership: the answer against the offer."""

    cause = "server-params-illegal"
    stages = AFTER_SERVER_HELLO
    explains = (*AFTER_CLOSES, "illegal-parameter", "unexpected-message", "hrr-failure", "internal-error", "cert-rejected")

    def hears(self, alert: Alert | None) -> bool:
        return alert is None or (alert.from_client and alert.description not in CERTIFICATE_ALERTS)

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.second_client_hello or handshake.client_hello
        answer = handshake.server_hello or handshake.hello_retry
        if hello is None or answer is None or handshake.aborted_by != "client" or handshake.stage == Stage.ESTABLISHED:
            return None
        if handshake.flow.truncated or handshake.flow.client_gaps:
            return None  # the offer may hold more than was captured
        description = closing_description(handshake, from_client=True)
        wrong = _wrong_answers(handshake, hello, answer)
        if not wrong:
            return self._unexplained(handshake, description)
        if all(says.startswith("the extension") for _, says in wrong):
            return None  # unsupported-extension says it better
        if description in CERTIFICATE_ALERTS:
            return None
        evidence = [message_evidence(handshake, kind, False, says) for kind, says in wrong[:4]]
        summary = f"{words.server_text(handshake)} answered with something the client had not offered: {wrong[0][1]}."
        evidence += handshake.closing_evidence
        sure = description in (10, 40, 47, 50, 70, 80, 110)
        return self.found("certain" if sure else "likely", summary, evidence)

    def _unexplained(self, handshake: Handshake, description: int | None) -> Finding | None:
        """The client's 40 after the server's choice names nothing: the choice is the first suspect."""
        if description != 40 or refused_answer(handshake) is None or handshake.stage != Stage.SERVER_HELLO:
            return None
        exchange = handshake.server_key_exchange
        if lacks_renegotiation_info(handshake) or (exchange is not None and 0 < exchange.dh_prime_bits < 2048):
            return None  # those have causes of their own
        hello, answer = handshake.client_hello, handshake.server_hello
        plain = answer is not None and not handshake.is_tls13 and not answer.extended_master_secret
        if hello is None or (plain and hello.extended_master_secret):
            return None  # ... and this may be one
        suite = registries.name_of_cipher_suite(answer.cipher_suite) if answer is not None else "nothing"
        evidence = [message_evidence(handshake, "server_hello", False, f"the server chose {suite}"), *handshake.closing_evidence]
        summary = f"The client refused what {words.server_text(handshake)} chose or sent, and does not say which part of it."
        return self.found("possible", summary, evidence)


def _wrong_answers(handshake: Handshake, hello: ClientHello, answer: ServerHello) -> list[tuple[str, str]]:
    """(message, what is wrong) of each choice outside the offer."""
    kind = "server_hello" if handshake.server_hello is not None else "hello_retry_request"
    wrong: list[tuple[str, str]] = []
    if not hello.sslv2:
        if answer.cipher_suite not in hello.cipher_suites:
            wrong.append((kind, f"the cipher suite {registries.name_of_cipher_suite(answer.cipher_suite)}"))
        if answer.compression_method and answer.compression_method not in hello.compression_methods:
            wrong.append((kind, f"compression method {answer.compression_method}"))
    version = effective_version(answer.selected_version)
    if version not in versions_of(hello) and version > min(versions_of(hello)):
        wrong.append((kind, f"the version {words.version_text(answer.selected_version)}"))
    facts = suite_facts(answer.cipher_suite)
    if facts is not None and facts.tls13 != (version >= 0x0304):
        wrong.append((kind, f"the suite {facts.name}, which is not one of {words.version_text(answer.selected_version)}"))
    if hello.has_extensions and not hello.defects and not answer.defects:
        offered = set(hello.extension_types)
        if handshake.client_hello is not None:
            offered |= set(handshake.client_hello.extension_types)
        unasked = [e for e in answer.extension_types if e not in offered and e not in _EXTENSIONS_OF_ITS_OWN]
        wrong += [(kind, f"the extension {registries.name_of_extension(extension)}") for extension in unasked]
    if answer.alpn is not None and hello.alpn and answer.alpn not in hello.alpn:
        wrong.append((kind, f"the application protocol {words.shown(answer.alpn, 40)}"))
    wrong += _wrong_exchange(handshake, hello, answer)
    return wrong


def _wrong_exchange(handshake: Handshake, hello: ClientHello, answer: ServerHello) -> list[tuple[str, str]]:
    """The same for keys and signatures."""
    wrong: list[tuple[str, str]] = []
    retry = handshake.hello_retry is not None and handshake.server_hello is None
    group = answer.key_share_group
    if group is not None:
        name = words.groups_text([group])
        if hello.named_groups and group not in hello.named_groups:
            wrong.append(("hello_retry_request" if retry else "server_hello", f"the group {name}"))
        elif not retry and hello.key_shares and group not in [share for share, _ in hello.key_shares]:
            wrong.append(("server_hello", f"a key share of {name}, of which the client had sent none"))
    if answer.pre_shared_key is not None and answer.pre_shared_key >= hello.psk_identities:
        wrong.append(("server_hello", f"pre-shared key number {answer.pre_shared_key} of {hello.psk_identities} offered"))
    exchange = handshake.server_key_exchange
    if exchange is not None:
        if exchange.named_group is not None and hello.named_groups and exchange.named_group not in hello.named_groups:
            wrong.append(("server_key_exchange", f"the group {words.groups_text([exchange.named_group])}"))
        scheme = exchange.signature_scheme
        if scheme is not None and hello.signature_schemes and scheme not in hello.signature_schemes:
            wrong.append(("server_key_exchange", f"a signature with {registries.name_of_signature_scheme(scheme)}"))
    return wrong
