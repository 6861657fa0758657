"""The local OpenSSL takes the names we would have people type."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from analyzer.registries.named_groups import OPENSSL_GROUP_NAMES
from analyzer.registries.openssl_names import OPENSSL_NAMES
from analyzer.registries.signature_schemes import OPENSSL_SIGALG_NAMES
from analyzer.registries.suite_facts import suite_facts

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

# Names the table holds for versions of OpenSSL from the one on.
NEWER = {
    "brainpoolP256r1tls13": (3, 2),
    "brainpoolP384r1tls13": (3, 2),
    "brainpoolP512r1tls13": (3, 2),
    "ecdsa_brainpoolP256r1tls13_sha256": (3, 2),
    "ecdsa_brainpoolP384r1tls13_sha384": (3, 2),
    "ecdsa_brainpoolP512r1tls13_sha512": (3, 2),
    "MLKEM512": (3, 5),
    "MLKEM768": (3, 5),
    "MLKEM1024": (3, 5),
    "SecP256r1MLKEM768": (3, 5),
    "X25519MLKEM768": (3, 5),
    "SecP384r1MLKEM1024": (3, 5),
    "curveSM2MLKEM768": (3, 6),
    "mldsa44": (3, 5),
    "mldsa65": (3, 5),
    "mldsa87": (3, 5),
}


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def openssl_version() -> tuple[int, int]:
    found = re.match(r"OpenSSL (\d+)\.(\d+)", openssl("version").stdout)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def is_taken(option: str, name: str) -> bool:
    """Give the option to a client that has nowhere to go: a bad name fails before it tries."""
    shown = openssl("s_client", "-connect", "127.0.0.1:0", option, name)
    return "SSL_CONF_cmd" not in shown.stderr


def skip_when_too_new(name: str) -> None:
    if openssl_version() < NEWER.get(name, (3, 0)):
        pytest.skip("needs a newer OpenSSL")


def test_local_openssl_takes_every_suite() -> None:
    newer = ":".join(name for name in OPENSSL_NAMES.values() if name.startswith("TLS_"))
    listed = set(openssl("ciphers", "-ciphersuites", newer, "ALL:COMPLEMENTOFALL:@SECLEVEL=0").stdout.strip().split(":"))
    if openssl_version() >= (3, 0):
        taken = {code: name for code, name in OPENSSL_NAMES.items() if name not in listed}
        left_out = [name for name in taken.values() if not re.search(r"ARIA|CAMELLIA|SEED|IDEA|SRP|NULL|GOST", name)]
        assert left_out == []


KEY_EXCHANGES = {
    ("any", "any"): (None, None),
    ("ECDH", "None"): ("ECDHE", "anon"),
    ("DH", "None"): ("DHE", "anon"),
    ("PSK", "PSK"): ("PSK", "PSK"),
    ("RSAPSK", "RSA"): ("RSA", "PSK"),
    ("DHEPSK", "PSK"): ("DHE", "PSK"),
    ("ECDHEPSK", "PSK"): ("ECDHE", "PSK"),
}


def test_openssl_takes_suites_apart_the_same_way() -> None:
    """`ECDH` in OpenSSL's table is ECDHE: it has no static one any more. An AEAD has no MAC of its own."""
    listing = openssl("ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").stdout
    pattern = r"0x(..),0x(..) - \S+ +\S+ +Kx=(\S+) +Au=(\S+) +Enc=(\w+)(?:/POLY1305)?(?:\((\d+)\))? +Mac=(\S+)"
    rows = re.findall(pattern, listing)
    assert len(rows) == len(listing.splitlines())
    for high, low, exchange, authentication, cipher, bits, mac in rows:
        facts = suite_facts(int(high + low, 16))
        assert facts is not None
        if exchange == "SRP":
            expected = ("SRP", "SRP" if authentication == "SRP" else authentication)
        else:
            usual = ({"ECDH": "ECDHE", "DH": "DHE"}.get(exchange, exchange), authentication)
            expected = KEY_EXCHANGES.get((exchange, authentication), usual)
        assert (facts.key_exchange, facts.authentication) == expected, facts.name
        assert cipher.upper().startswith(("NONE" if facts.is_null else facts.cipher).upper()), facts.name
        assert facts.is_null or facts.key_bits == int(bits), facts.name
        assert (facts.mac or "AEAD") == mac, facts.name


def test_suites_of_tls_1_3_have_one_name() -> None:
    for code, name in OPENSSL_NAMES.items():
        facts = suite_facts(code)
        assert facts is not None
        assert facts.tls13 == (name == facts.name)


@pytest.mark.parametrize("name", OPENSSL_GROUP_NAMES.values())
def test_local_openssl_takes_group(name: str) -> None:
    skip_when_too_new(name)
    assert is_taken("-groups", name)


@pytest.mark.parametrize("name", OPENSSL_SIGALG_NAMES.values())
def test_local_openssl_takes_signature_scheme(name: str) -> None:
    skip_when_too_new(name)
    assert is_taken("-sigalgs", name)


def test_bad_name_is_noticed() -> None:
    assert not is_taken("-groups", "no-such-group")
    assert not is_taken("-sigalgs", "no-such-scheme")
