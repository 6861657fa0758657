"""What suites are made of, against the RFCs that define them."""

from __future__ import annotations

import pytest

from analyzer.registries.cipher_suites import CIPHER_SUITES
from analyzer.registries.suite_facts import SIGNALLING_SUITES, SuiteFacts, suite_facts


def facts_of(name: str) -> SuiteFacts:
    code = next(code for code, known in CIPHER_SUITES.items() if known == name)
    facts = suite_facts(code)
    assert facts is not None
    return facts


@pytest.mark.parametrize("code", sorted(CIPHER_SUITES.keys() - SIGNALLING_SUITES), ids=CIPHER_SUITES.get)
def test_every_suite_has_facts(code: int) -> None:
    facts = suite_facts(code)
    assert facts is not None
    assert facts.name == CIPHER_SUITES[code]
    assert facts.cipher
    assert facts.mode
    assert facts.is_null or facts.key_bits >= 40
    assert facts.tls13 == (facts.key_exchange is None) == (facts.authentication is None)
    assert facts.is_aead == (facts.mac is None)


@pytest.mark.parametrize("code", [0x00FF, 0x5600, 0x0A0A, 0xABCD])
def test_what_is_no_suite_has_no_facts(code: int) -> None:
    assert suite_facts(code) is None


@pytest.mark.parametrize(
    ("name", "key_exchange", "authentication", "cipher", "mode", "key_bits", "mac", "prf_hash"),
    [
        ("TLS_AES_128_GCM_SHA256", None, None, "AES", "GCM", 128, None, "SHA256"),
        ("TLS_AES_128_CCM_8_SHA256", None, None, "AES", "CCM_8", 128, None, "SHA256"),
        ("TLS_CHACHA20_POLY1305_SHA256", None, None, "CHACHA20", "POLY1305", 256, None, "SHA256"),
        ("TLS_SHA256_SHA256", None, None, "NULL", "NULL", 0, "HMAC-SHA256", "SHA256"),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "RSA", "RSA", "AES", "CBC", 128, "SHA1", None),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", "RSA", "RSA", "RC4", "stream", 40, "MD5", None),
        ("TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA", "DHE", "DSS", "3DES", "CBC", 168, "SHA1", None),
        ("TLS_DH_anon_WITH_AES_128_GCM_SHA256", "DHE", "anon", "AES", "GCM", 128, None, "SHA256"),
        ("TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", "ECDH", "RSA", "AES", "GCM", 128, None, "SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE", "ECDSA", "AES", "CBC", 256, "SHA384", "SHA384"),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "ECDHE", "ECDSA", "AES", "CCM_8", 128, None, "SHA256"),
        ("TLS_PSK_DHE_WITH_AES_256_CCM_8", "DHE", "PSK", "AES", "CCM_8", 256, None, "SHA256"),
        ("TLS_RSA_PSK_WITH_AES_256_GCM_SHA384", "RSA", "PSK", "AES", "GCM", 256, None, "SHA384"),
        ("TLS_PSK_WITH_NULL_SHA256", "PSK", "PSK", "NULL", "NULL", 0, "SHA256", "SHA256"),
        ("TLS_SRP_SHA_RSA_WITH_AES_128_CBC_SHA", "SRP", "RSA", "AES", "CBC", 128, "SHA1", None),
        ("TLS_SM4_GCM_SM3", None, None, "SM4", "GCM", 128, None, "SM3"),
        ("ECC_SM4_CBC_SM3", "SM2", "SM2", "SM4", "CBC", 128, "SM3", "SM3"),
    ],
)
def test_facts(
    name: str,
    key_exchange: str | None,
    authentication: str | None,
    cipher: str,
    mode: str,
    key_bits: int,
    mac: str | None,
    prf_hash: str | None,
) -> None:
    facts = facts_of(name)
    assert (facts.key_exchange, facts.authentication) == (key_exchange, authentication)
    assert (facts.cipher, facts.mode, facts.key_bits) == (cipher, mode, key_bits)
    assert (facts.mac, facts.prf_hash) == (mac, prf_hash)


@pytest.mark.parametrize(
    ("name", "certificate_key"),
    [
        ("TLS_AES_128_GCM_SHA256", None),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "RSA"),
        ("TLS_RSA_PSK_WITH_AES_256_GCM_SHA384", "RSA"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "RSA"),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDSA"),
        ("TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", "ECDH"),
        ("TLS_DH_anon_WITH_AES_128_CBC_SHA", None),
        ("TLS_DHE_PSK_WITH_AES_128_CBC_SHA", None),
    ],
)
def test_certificate_key(name: str, certificate_key: str | None) -> None:
    assert facts_of(name).certificate_key == certificate_key


@pytest.mark.parametrize(
    ("name", "weakness"),
    [
        ("TLS_RSA_WITH_NULL_SHA256", "no encryption"),
        ("TLS_SHA384_SHA384", "no encryption"),
        ("TLS_DH_anon_WITH_AES_256_GCM_SHA384", "no authentication: anyone can stand in the middle"),
        ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", "a key of 40 bits can be searched by brute force"),
        ("TLS_RSA_WITH_DES_CBC_SHA", "a key of 56 bits can be searched by brute force"),
        ("TLS_RSA_WITH_RC4_128_SHA", "RC4 is prohibited (RFC 7465)"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES has 64-bit blocks (Sweet32)"),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", None),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", None),
    ],
)
def test_weakness(name: str, weakness: str | None) -> None:
    assert facts_of(name).weakness == weakness
    assert facts_of(name).is_weak == (weakness is not None)


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("TLS_AES_128_GCM_SHA256", False),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", False),
        ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", False),
        ("TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", False),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", False),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", False),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", True),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", True),
        ("TLS_RSA_PSK_WITH_AES_128_GCM_SHA256", True),
        ("TLS_PSK_WITH_AES_128_CCM", True),
        ("TLS_DH_anon_WITH_AES_128_GCM_SHA256", True),
        ("TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", True),
        ("TLS_NULL_WITH_NULL_NULL", True),
    ],
)
def test_http2_bars_what_rfc_9113_lists(name: str, forbidden: bool) -> None:
    assert facts_of(name).http2_forbidden == forbidden


def test_http2_bars_as_many_as_rfc_9113_lists() -> None:
    """Its appendix A has 276 lines, of the suites there were in 2015; one is a signalling value."""
    blocks = (range(0x1C), range(0x1E, 0x47), range(0x67, 0x6E), range(0x84, 0xC6), range(0xC001, 0xC0B0))
    barred = [code for block in blocks for code in block if (facts := suite_facts(code)) and facts.http2_forbidden]
    assert len(barred) == 276 - 1


def test_export_null_anon_rc4_3des() -> None:
    assert facts_of("TLS_RSA_EXPORT_WITH_RC4_40_MD5").is_export
    assert facts_of("TLS_RSA_EXPORT1024_WITH_RC4_56_SHA").is_export
    assert facts_of("TLS_RSA_WITH_NULL_MD5").is_null
    assert facts_of("TLS_ECDH_anon_WITH_RC4_128_SHA").is_anonymous
    assert facts_of("TLS_ECDH_anon_WITH_RC4_128_SHA").is_rc4
    assert facts_of("TLS_RSA_WITH_3DES_EDE_CBC_SHA").is_3des
    assert facts_of("TLS_RSA_WITH_3DES_EDE_CBC_SHA").is_cbc
    assert facts_of("TLS_DHE_PSK_WITH_AES_128_CBC_SHA").is_psk
