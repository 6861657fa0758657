"""Certificates: ordinary ones, odd ones, and noise. None raises; a fault says why."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from analyzer.tls.x509 import read_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
EDWARDS_KEY = ed25519.Ed25519PrivateKey.generate()
SECOND = 1_000_000_000


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make(
    *extensions: tuple[x509.ExtensionType, bool],
    subject: str = "leaf",
    issuer: str = "leaf",
    key: Any = KEY,
    signer: Any = None,
    serial: int = 77,
    not_after: datetime.datetime = datetime.datetime(2031, 1, 1),
    **signing: Any,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime.datetime(2021, 1, 1))
        .not_valid_after(not_after)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    algorithm = None if (signer or key) is EDWARDS_KEY else hashes.SHA256()
    return builder.sign(signer or key, algorithm, **signing).public_bytes(serialization.Encoding.DER)


def test_reads_an_ordinary_certificate() -> None:
    location = x509.UniformResourceIdentifier
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location("http://ocsp.example")),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location("http://ca.example/ca.der")),
    ]
    usage = dict.fromkeys(("content_commitment", "data_encipherment", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    der = make(
        (
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("www.example.com"),
                    x509.RFC822Name("a@example.com"),
                    x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
                ]
            ),
            False,
        ),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, key_encipherment=True, key_agreement=True, **usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier(b"subject"), False),
        (x509.AuthorityKeyIdentifier(b"issuer", None, None), False),
        (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        (x509.AuthorityInformationAccess(access), False),
        (x509.CRLDistributionPoints([x509.DistributionPoint([location("http://crl.example")], None, None, None)]), False),
        issuer="ca",
        signer=RSA_KEY,
    )
    found = read_certificate(der)
    assert found.fault == ""
    assert (found.subject, found.issuer, found.common_name) == ("CN=leaf,O=Example", "CN=ca,O=Example", "leaf")
    assert (found.not_before, found.not_after) == (1_609_459_200 * SECOND, 1_924_992_000 * SECOND)
    assert (found.names, found.has_san) == (("www.example.com", "2001:db8::1"), True)
    assert (found.key, found.key_type, found.key_bits) == ("ECDSA secp256r1", "ECDSA", 256)
    assert (found.signature, found.signature_hash) == ("sha256WithRSAEncryption", "sha256")
    assert (found.is_ca, found.path_length, found.serial) == (False, None, 77)
    assert found.key_usage == ("digitalSignature", "keyEncipherment", "keyAgreement")
    assert found.extended_key_usage == ("1.3.6.1.5.5.7.3.1",)
    assert (found.subject_key_id, found.authority_key_id) == (b"subject", b"issuer")
    assert found.must_staple
    assert (found.ocsp_urls, found.ca_issuers, found.crl_urls) == (
        ("http://ocsp.example",), ("http://ca.example/ca.der",), ("http://crl.example",),
    )  # fmt: skip
    assert (found.self_issued, found.self_signed, found.unknown_critical) == (False, False, ())
    assert read_certificate(bytes(bytearray(der))) is found


def test_tells_self_signed_from_self_issued() -> None:
    assert read_certificate(make()).self_signed
    other = read_certificate(make(signer=RSA_KEY))
    assert other.self_issued
    assert not other.self_signed


def test_reads_other_keys_and_signatures() -> None:
    edwards = read_certificate(make(key=EDWARDS_KEY))
    assert (edwards.key, edwards.signature, edwards.signature_hash, edwards.self_signed) == ("Ed25519", "ED25519", "", True)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    salted = read_certificate(make(key=RSA_KEY, rsa_padding=pss))
    assert (salted.key, salted.signature, salted.signature_hash) == ("RSA 2048", "rsassaPss", "sha256")
    assert salted.self_signed


def test_reads_a_certificate_without_names_for_hosts() -> None:
    found = read_certificate(make(subject="only.example"))
    assert (found.common_name, found.has_san, found.names) == ("only.example", False, ())
    assert (found.is_ca, found.key_usage, found.extended_key_usage) == (None, None, None)


def test_names_critical_extensions_nobody_knows() -> None:
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\0")
    assert read_certificate(make((value, True))).unknown_critical == ("1.2.3.4.5",)
    assert read_certificate(make((value, False))).unknown_critical == ()


def test_reads_a_negative_serial() -> None:
    der = make(serial=0x11223344)
    at = der.index(bytes.fromhex("020411223344"))
    found = read_certificate(der[:at] + bytes.fromhex("0204f1223344") + der[at + 6 :])
    assert found.serial == 0xF1223344 - 2**32
    assert found.subject == "CN=leaf,O=Example"
    assert not found.self_signed


def test_holds_times_that_never_end_within_64_bits() -> None:
    found = read_certificate(make(not_after=datetime.datetime(9999, 12, 31, 23, 59, 59)))
    assert found.not_after == 2**63 - 1


def test_reads_a_key_of_an_unknown_kind() -> None:
    der = make(key=EDWARDS_KEY).replace(bytes.fromhex("06032b6570"), bytes.fromhex("06032b6501"))
    found = read_certificate(der)
    assert (found.key, found.key_type, found.key_bits, found.signature) == ("1.3.101.1", "", 0, "1.3.101.1")
    assert found.subject == "CN=leaf,O=Example"
    assert not found.self_signed


def test_reads_ml_dsa() -> None:
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    key = mldsa.MLDSA65PrivateKey.generate()
    builder = x509.CertificateBuilder().subject_name(name("pq")).issuer_name(name("pq")).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(datetime.datetime(2021, 1, 1))
    certificate = builder.not_valid_after(datetime.datetime(2031, 1, 1)).sign(key, None)
    found = read_certificate(certificate.public_bytes(serialization.Encoding.DER))
    assert (found.key, found.key_type, found.signature, found.fault) == ("ML-DSA-65", "ML-DSA", "ML-DSA-65", "")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")
def test_reads_a_curve_that_is_written_out(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.der"
    parameters = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit", "-out", str(key)]
    subprocess.run(parameters, check=True, capture_output=True)
    request = ["openssl", "req", "-x509", "-key", str(key), "-subj", "/CN=explicit", "-outform", "DER"]
    subprocess.run([*request, "-out", str(certificate)], check=True, capture_output=True)
    found = read_certificate(certificate.read_bytes())
    assert (found.subject, found.key_type) == ("CN=explicit", "ECDSA")
    assert found.key


def test_an_extension_that_does_not_parse_leaves_the_rest() -> None:
    der = make((x509.BasicConstraints(ca=True, path_length=3), True))
    broken = der.replace(bytes.fromhex("30060101ff020103"), bytes.fromhex("30060101ff020203"))
    assert broken != der
    found = read_certificate(broken)
    assert found.fault.startswith("extensions: ")
    assert (found.common_name, found.key, found.is_ca) == ("leaf", "ECDSA secp256r1", None)


@given(st.binary(max_size=400))
def test_noise_is_a_fault(data: bytes) -> None:
    found = read_certificate(data)
    assert found.fault
    assert "\n" not in found.fault
    assert (found.der, found.subject) == (data, "")


SAMPLES = [make((x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)), make(key=RSA_KEY), make(key=EDWARDS_KEY)]


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_changed_certificate_never_raises(der: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(der)
    for at, value in changes:
        changed[at % len(changed)] = value
    found = read_certificate(bytes(changed))
    assert isinstance(found.fault, str)
    assert -(2**63) < found.not_after < 2**63


@pytest.mark.parametrize("der", SAMPLES, ids=["ecdsa", "rsa", "ed25519"])
def test_a_cut_certificate_is_a_fault(der: bytes) -> None:
    for end in range(len(der)):
        assert read_certificate(der[:end]).fault


def test_repeated_certificates_cost_little() -> None:
    der = make(subject="repeated")
    read_certificate(der)
    copies = [bytes(bytearray(der)) for _ in range(2000)]
    begin = time.perf_counter()
    for copy in copies:
        read_certificate(copy)
    assert time.perf_counter() - begin < 0.05


def test_a_certificate_longer_than_any_message_is_not_read() -> None:
    assert "more than 131072" in read_certificate(bytes(140_000)).fault


def test_a_certificate_for_thousands_of_hosts_is_long_and_sound() -> None:
    names = [x509.DNSName(f"host-{number:05}.of-very-many-hosts.server.test") for number in range(2400)]
    certificate = read_certificate(make((x509.SubjectAlternativeName(names), False)))
    assert len(certificate.der) > 65_536
    assert certificate.fault == ""
    assert certificate.names[-1] == "host-02399.of-very-many-hosts.server.test"
