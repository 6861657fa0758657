"""Every rule has its page, its id, and a place in an order that is one."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from analyzer.diagnosis import registry
from analyzer.diagnosis.commands import PLACEHOLDERS, fill_commands
from analyzer.diagnosis.rule import ALL_STAGES, Rule
from analyzer.errors import UsageError
from analyzer.model.handshake import Stage

CATALOGUE = {
    "tcp": """tcp-syn-unanswered tcp-syn-refused tcp-synack-unacked tcp-accept-queue-full tuple-reuse port-scan zero-window-stall""",
    "path": """tcp-syn-rst-middlebox icmp-unreachable tcp-option-intolerance ddos-challenge-reset client-hello-unacked
        pmtu-blackhole-server-flight pmtu-blackhole-client-hello large-client-hello-intolerance sni-filter-rst sni-filter-drop
        middlebox-rst-injection middlebox-block-page rst-with-text idle-timeout-reset loss-slow-handshake data-corruption
        starttls-stripped captive-portal tls13-middlebox-intolerance""",
    "negotiation": """client-version-too-old client-version-too-new version-intolerance inappropriate-fallback downgrade-sentinel
        legacy-sigalg-seclevel no-common-cipher cert-key-type-mismatch no-common-group no-common-sigalg hrr-failure sni-missing
        sni-unrecognized sni-default-cert alpn-mismatch dh-key-too-small server-params-illegal unsafe-legacy-renegotiation
        renegotiation-refused ems-required ticket-rejected psk-failure early-data-rejected record-overflow unexpected-message
        decode-error illegal-parameter missing-extension unsupported-extension bad-record-mac decrypt-error internal-error
        insufficient-security sslv2-or-v3-hello heartbeat-anomaly ech-failure user-canceled grease-intolerance
        large-cert-flight-rejected cert-compression-failure refused-encrypted""",
    "certificate": """cert-expired cert-not-yet-valid clock-skew cert-self-signed cert-unknown-ca cert-missing-intermediate
        cert-chain-disorder cert-name-mismatch cert-no-san cert-revoked cert-weak-signature cert-weak-key cert-bad-purpose
        cert-chain-constraint cert-critical-extension cert-malformed ocsp-must-staple-missing ocsp-staple-bad ct-policy
        cert-lifetime-policy cert-pinning tls-interception cert-private-key-mismatch client-silent-reject cert-rejected""",
    "client auth": """client-cert-missing client-cert-unknown-ca client-cert-expired client-cert-revoked client-cert-bad-purpose
        client-cert-not-in-ca-list client-cert-key-mismatch mtls-app-layer-rejection post-handshake-auth-unsupported access-denied
        client-cert-rejected""",
    "application": """connect-close-probe happy-eyeballs-loser client-never-speaks client-hello-no-answer server-rst-after-hello
        server-fin-after-hello lb-no-backend server-slow client-timeout http-on-tls-port tls-on-plaintext-port non-tls-client-bytes
        proxy-protocol-mismatch starttls-not-offered starttls-refused implicit-vs-starttls proxy-connect-refused
        proxy-connect-timeout socks-failure http2-inadequate-security unclean-close server-restart-mid-handshake rate-limit-close
        client-closed-mid-handshake server-closed-mid-handshake""",
    "capture": """cap-one-way cap-mid-stream cap-ended-early cap-drops cap-snaplen cap-duplicates cap-offload cap-reordered
        cap-nat-double cap-encapsulation cap-keylog-mismatch""",
}
"""The public ids, by family. They are never reused; those of QUIC and DTLS are kept free."""

RESERVED = ("quic-", "dtls-")

RULES = registry.load_rules()


@pytest.mark.parametrize("family", CATALOGUE)
def test_every_cause_of_the_catalogue_has_a_rule(family):
    families = {cause: registry.read_page(cause).family for cause in RULES}
    missing = [cause for cause in CATALOGUE[family].split() if cause not in families]
    assert not missing


def test_no_rule_is_outside_the_catalogue():
    known = {cause for causes in CATALOGUE.values() for cause in causes.split()}
    assert not [cause for cause, rule in RULES.items() if rule.kind == "cause" and cause not in known]
    assert not [cause for cause in RULES if cause.startswith(RESERVED)]


@pytest.mark.parametrize("cause", RULES)
def test_page_has_a_title_and_four_sections(cause):
    page = registry.read_page(cause)
    for text in (page.title, page.seen, page.means, page.remedy, page.confirm):
        assert text.strip()
    assert "\n" not in page.title
    assert page.title.endswith(".")


@pytest.mark.parametrize("cause", RULES)
def test_commands_use_known_placeholders_and_are_sound_shell(cause, make_handshake):
    page = registry.read_page(cause)
    for command in page.commands:
        left = re.sub(r"[$%]\{[^}]*\}|%[a-z]*\{[^}]*\}|'[^']*'", "", command)
        unknown = set(re.findall(r"\{([a-z_]+)\}", left)) - set(PLACEHOLDERS)
        assert not unknown, command
    for command in fill_commands(page.commands, make_handshake(Stage.SERVER_HELLO)):
        assert shlex.split(command)


@pytest.mark.parametrize("cause", RULES)
def test_rule_declares_a_sieve_that_exists(cause):
    rule = RULES[cause]
    assert rule.stages <= ALL_STAGES
    assert rule.outcomes <= {"failed", "unfinished", "no-handshake", "completed"}
    assert rule.kind in ("cause", "posture")


def test_explaining_away_is_a_partial_order():
    closed = registry.more_specific()
    assert not [cause for cause, general in closed.items() if cause in general]
    for cause, general in closed.items():
        for other in general:
            assert closed.get(other, frozenset()) <= general, f"{cause} explains {other} but not all that {other} explains"


def test_explained_causes_are_of_the_catalogue():
    known = {cause for causes in CATALOGUE.values() for cause in causes.split()}
    wrong = {cause: set(rule.explains) - known for cause, rule in RULES.items() if set(rule.explains) - known}
    assert not wrong


def test_unknown_and_renamed_ids(monkeypatch):
    with pytest.raises(UsageError, match="no cause is called 'cert-expierd'"):
        registry.find_rule("cert-expierd")
    monkeypatch.setitem(registry.RENAMED, "certificate-expired", "cert-expired")
    assert registry.find_rule("certificate-expired").cause == "cert-expired"
    assert registry.read_page("certificate-expired").cause == "cert-expired"


def test_posture_says_nothing_a_memo_could_get_wrong():
    """Posture findings are shared between handshakes alike: their text must not name an address."""
    for rule in RULES.values():
        assert isinstance(rule, Rule)
        if rule.kind == "posture":
            module = sys.modules[type(rule).__module__]
            assert "server_text" not in Path(module.__file__).read_text()
