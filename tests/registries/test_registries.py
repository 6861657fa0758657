"""The registries against the documents they were made from."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer import registries
from analyzer.registries.alerts import ALERT_DESCRIPTIONS, ALERT_LEVELS
from analyzer.registries.cipher_suites import CIPHER_SUITES, SSL2_CIPHER_SPECS
from analyzer.registries.extensions import EXTENSIONS
from analyzer.registries.handshake_types import CONTENT_TYPES, HANDSHAKE_TYPES, SSL2_MESSAGE_TYPES
from analyzer.registries.link_types import LINK_TYPES
from analyzer.registries.named_groups import (
    KEY_SHARE_LENGTHS,
    NAMED_GROUPS,
    OPENSSL_GROUP_NAMES,
    POST_QUANTUM_GROUPS,
)
from analyzer.registries.openssl_names import OPENSSL_NAMES, OPENSSL_RETIRED_NAMES
from analyzer.registries.ports import PLAINTEXT_PORTS, STARTTLS_PORTS, TLS_PORTS
from analyzer.registries.signature_schemes import OPENSSL_SIGALG_NAMES, SIGNATURE_SCHEMES, scheme_key_type
from analyzer.registries.versions import VERSIONS, effective_version

NAMES = {
    "ALERT_DESCRIPTIONS": ALERT_DESCRIPTIONS,
    "ALERT_LEVELS": ALERT_LEVELS,
    "CIPHER_SUITES": CIPHER_SUITES,
    "CONTENT_TYPES": CONTENT_TYPES,
    "EXTENSIONS": EXTENSIONS,
    "HANDSHAKE_TYPES": HANDSHAKE_TYPES,
    "LINK_TYPES": LINK_TYPES,
    "NAMED_GROUPS": NAMED_GROUPS,
    "OPENSSL_GROUP_NAMES": OPENSSL_GROUP_NAMES,
    "OPENSSL_NAMES": OPENSSL_NAMES | OPENSSL_RETIRED_NAMES,
    "OPENSSL_SIGALG_NAMES": OPENSSL_SIGALG_NAMES,
    "SIGNATURE_SCHEMES": SIGNATURE_SCHEMES,
    "SSL2_CIPHER_SPECS": SSL2_CIPHER_SPECS,
    "SSL2_MESSAGE_TYPES": SSL2_MESSAGE_TYPES,
    "VERSIONS": VERSIONS,
}


@pytest.mark.parametrize("table", NAMES)
def test_no_name_stands_for_two_values(table: str) -> None:
    names = list(NAMES[table].values())
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


@pytest.mark.parametrize("table", NAMES)
def test_grease_has_no_entry(table: str) -> None:
    assert not [code for code in NAMES[table] if registries.is_grease(code)]


def test_grease_is_the_list_of_rfc_8701() -> None:
    listed = [int(digit + "A" + digit + "A", 16) for digit in "0123456789ABCDEF"]
    assert [code for code in range(0x10000) if registries.is_grease(code)] == listed


def test_alerts_of_rfc_8446() -> None:
    listed = {
        0: "close_notify",
        10: "unexpected_message",
        20: "bad_record_mac",
        22: "record_overflow",
        40: "handshake_failure",
        42: "bad_certificate",
        43: "unsupported_certificate",
        44: "certificate_revoked",
        45: "certificate_expired",
        46: "certificate_unknown",
        47: "illegal_parameter",
        48: "unknown_ca",
        49: "access_denied",
        50: "decode_error",
        51: "decrypt_error",
        70: "protocol_version",
        71: "insufficient_security",
        80: "internal_error",
        86: "inappropriate_fallback",
        90: "user_canceled",
        109: "missing_extension",
        110: "unsupported_extension",
        112: "unrecognized_name",
        113: "bad_certificate_status_response",
        115: "unknown_psk_identity",
        116: "certificate_required",
        120: "no_application_protocol",
    }
    assert listed.items() <= ALERT_DESCRIPTIONS.items()
    assert ALERT_LEVELS == {1: "warning", 2: "fatal"}


def test_handshake_messages_of_rfc_8446() -> None:
    listed = {
        0: "hello_request",
        1: "client_hello",
        2: "server_hello",
        3: "hello_verify_request",
        4: "new_session_ticket",
        5: "end_of_early_data",
        6: "hello_retry_request",
        8: "encrypted_extensions",
        11: "certificate",
        12: "server_key_exchange",
        13: "certificate_request",
        14: "server_hello_done",
        15: "certificate_verify",
        16: "client_key_exchange",
        20: "finished",
        21: "certificate_url",
        22: "certificate_status",
        23: "supplemental_data",
        24: "key_update",
        254: "message_hash",
    }
    assert listed.items() <= HANDSHAKE_TYPES.items()
    assert 7 not in HANDSHAKE_TYPES
    assert [CONTENT_TYPES[code] for code in (20, 21, 22, 23)] == [
        "change_cipher_spec",
        "alert",
        "handshake",
        "application_data",
    ]


def test_extensions_of_rfc_8446_and_later() -> None:
    listed = {
        0: "server_name",
        5: "status_request",
        10: "supported_groups",
        11: "ec_point_formats",
        13: "signature_algorithms",
        16: "application_layer_protocol_negotiation",
        21: "padding",
        22: "encrypt_then_mac",
        23: "extended_master_secret",
        27: "compress_certificate",
        28: "record_size_limit",
        34: "delegated_credential",
        35: "session_ticket",
        41: "pre_shared_key",
        42: "early_data",
        43: "supported_versions",
        44: "cookie",
        45: "psk_key_exchange_modes",
        47: "certificate_authorities",
        48: "oid_filters",
        49: "post_handshake_auth",
        50: "signature_algorithms_cert",
        51: "key_share",
        57: "quic_transport_parameters",
        0x3374: "next_protocol_negotiation",
        0xFE0D: "encrypted_client_hello",
        0xFF01: "renegotiation_info",
    }
    assert listed.items() <= EXTENSIONS.items()


def test_post_quantum_groups_carry_a_large_share() -> None:
    assert NAMED_GROUPS[0x11EC] == "X25519MLKEM768"
    assert KEY_SHARE_LENGTHS[0x11EC] == (1216, 1120)
    assert KEY_SHARE_LENGTHS.keys() >= POST_QUANTUM_GROUPS
    assert all(min(KEY_SHARE_LENGTHS[code]) > 700 for code in POST_QUANTUM_GROUPS)
    assert KEY_SHARE_LENGTHS.keys() <= NAMED_GROUPS.keys()


@pytest.mark.parametrize(
    ("code", "name", "key_type"),
    [
        (0x0201, "rsa_pkcs1_sha1", "RSA"),
        (0x0202, "dsa_sha1", "DSA"),
        (0x0301, "rsa_pkcs1_sha224", "RSA"),
        (0x0403, "ecdsa_secp256r1_sha256", "ECDSA"),
        (0x0804, "rsa_pss_rsae_sha256", "RSA"),
        (0x0807, "ed25519", "Ed25519"),
        (0x0809, "rsa_pss_pss_sha256", "RSA-PSS"),
        (0x0905, "mldsa65", "ML-DSA-65"),
    ],
)
def test_scheme_needs_key(code: int, name: str, key_type: str) -> None:
    assert SIGNATURE_SCHEMES[code] == name
    assert scheme_key_type(code) == key_type


def test_every_scheme_needs_some_key() -> None:
    assert not [name for code, name in SIGNATURE_SCHEMES.items() if scheme_key_type(code) is None]
    assert scheme_key_type(0x0A0A) is None


@pytest.mark.parametrize(
    ("code", "name", "effective"),
    [
        (0x0002, "SSL 2.0", 0x0002),
        (0x0300, "SSL 3.0", 0x0300),
        (0x0303, "TLS 1.2", 0x0303),
        (0x0304, "TLS 1.3", 0x0304),
        (0x7F1C, "TLS 1.3 draft 28", 0x0304),
        (0x7F40, "TLS 1.3 draft 64", 0x0304),
        (0xFB1A, "TLS 1.3 (Facebook draft 26)", 0x0304),
        (0xFEFD, "DTLS 1.2", 0xFEFD),
        (0x0305, "0x0305", 0x0305),
        (0x3A3A, "GREASE (0x3A3A)", 0x3A3A),
    ],
)
def test_version(code: int, name: str, effective: int) -> None:
    assert registries.name_of_version(code) == name
    assert effective_version(code) == effective


def test_what_has_no_name_keeps_its_number() -> None:
    assert registries.name_of_cipher_suite(0x1301) == "TLS_AES_128_GCM_SHA256"
    assert registries.name_of_cipher_suite(0x0A0A) == "GREASE (0x0A0A)"
    assert registries.name_of_cipher_suite(0xABCD) == "0xABCD"
    assert registries.name_of_cipher_suite(0x010080) == "SSL2_RC4_128_WITH_MD5"
    assert registries.name_of_extension(0xFAFA) == "GREASE (0xFAFA)"
    assert registries.name_of_extension(12345) == "0x3039"
    assert registries.name_of_named_group(0x001D) == "x25519"
    assert registries.name_of_signature_scheme(0x0999) == "0x0999"
    assert registries.name_of_alert(40) == "handshake_failure"
    assert registries.name_of_alert(200) == "0xC8"
    assert registries.name_of_handshake_type(99) == "0x63"
    assert registries.name_of_content_type(22) == "handshake"
    assert registries.name_of_link_type(1) == "ETHERNET"
    assert registries.name_of_link_type(65000) == "65000"


def test_all_names_exist() -> None:
    assert all(callable(getattr(registries, name)) for name in registries.__all__)


def test_tables_load_when_asked_for() -> None:
    script = "import sys; import analyzer.registries; print([name for name in sys.modules if name.startswith('analyzer.registries.')])"
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "[]"


def test_ports_make_sense() -> None:
    assert {443, 465, 636, 853, 993, 995, 8443} <= TLS_PORTS.keys()
    assert not TLS_PORTS.keys() & PLAINTEXT_PORTS.keys()
    assert TLS_PORTS.keys() & STARTTLS_PORTS.keys() == {5269}
    assert {4433, 9092, 22} & TLS_PORTS.keys() == set()


def test_openssl_names_belong_to_known_suites() -> None:
    assert OPENSSL_NAMES.keys() <= CIPHER_SUITES.keys()
    assert OPENSSL_RETIRED_NAMES.keys() <= CIPHER_SUITES.keys()
    assert OPENSSL_GROUP_NAMES.keys() <= NAMED_GROUPS.keys()
    assert OPENSSL_SIGALG_NAMES.keys() <= SIGNATURE_SCHEMES.keys()
    assert OPENSSL_NAMES[0xC02F] == "ECDHE-RSA-AES128-GCM-SHA256"


def test_first_line_tells_how_a_module_was_made() -> None:
    folder = Path(registries.__file__).parent
    by_hand = {"__init__.py", "interception_products.py", "ports.py", "suite_facts.py"}
    for path in folder.glob("*.py"):
        importlib.import_module(f"analyzer.registries.{path.stem}" if path.stem != "__init__" else "analyzer.registries")
        generated = path.read_text().startswith("# Generated by tools/make_registries.py from ")
        assert generated == (path.name not in by_hand), path.name
