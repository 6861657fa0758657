"""Names against certificates, paths through what was sent, and the promise to load nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.diagnosis.chain import build_path, judge_chain
from analyzer.diagnosis.host_names import matches_name, site_of
from analyzer.diagnosis.staple import read_staple
from analyzer.diagnosis.trust import TrustStore
from analyzer.errors import SourceError
from analyzer.model.hello import Certificate

MATCHES = [
    ("a.example", "a.example", True),
    ("A.Example", "a.eXample.", True),
    ("*.example.com", "www.example.com", True),
    ("*.example.com", "a.b.example.com", False),
    ("*.example.com", "example.com", False),
    ("*.com", "example.com", False),
    ("w*.example.com", "www.example.com", False),
    ("*", "example", False),
    ("*.example.com", ".example.com", False),
    ("192.0.2.1", "192.0.2.1", True),
    ("*.2.0.192", "1.2.0.192", False),
    ("2001:db8::1", "[2001:DB8:0:0::1]", True),
    ("192.0.2.1", "a.example", False),
    ("xn--bcher-kva.example", "bücher.example", True),
    ("xn--bcher-kva.example", "XN--BCHER-KVA.example", True),
]


@pytest.mark.parametrize(("pattern", "name", "matches"), MATCHES)
def test_names(pattern, name, matches):
    assert matches_name(pattern, name) is matches


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_names_are_compared_without_a_crash(pattern, name):
    assert isinstance(matches_name(pattern, name), bool)
    site_of(name)


@pytest.mark.parametrize(("name", "site"), [("a.b.example.com", "example.com"), ("shop.example.co.uk", "example.co.uk"), ("x.de", "x.de")])
def test_site_of_a_name(name, site):
    assert site_of(name) == site


def test_path_is_found_whatever_the_order(authority, make_authority):
    middle = make_authority("Middle", authority)
    leaf = middle.make()
    stray = make_authority("Stray").certificate
    assert build_path((leaf, middle.certificate, authority.certificate)) == (0, 1, 2)
    assert build_path((leaf, authority.certificate, stray, middle.certificate)) == (0, 3, 1)
    assert build_path((leaf, authority.certificate)) == (0,)


def test_issuer_of_the_same_name_and_another_key_is_not_taken(authority, make_authority):
    first, second = make_authority("Twin", authority), make_authority("Twin", authority)
    assert build_path((first.make(), second.certificate, first.certificate)) == (0, 2)


def test_circle_of_issuers_ends():
    a = Certificate(b"a", "a", subject_der=b"A", issuer_der=b"B", not_after=1)
    b = Certificate(b"b", "b", subject_der=b"B", issuer_der=b"A", not_after=1)
    assert build_path((a, b)) == (0, 1)


def test_trust_comes_from_the_file_that_is_given(authority, make_authority, ca_file):
    store, stranger = TrustStore(ca_file), make_authority("Stranger")
    now = authority.certificate.not_before + 10**15
    assert judge_chain((authority.make(),), "server.example", now, store).trusted is True
    assert judge_chain((stranger.make(),), "server.example", now, store).trusted is False


def test_trust_file_that_cannot_be_read_is_the_callers_error(tmp_path):
    with pytest.raises(SourceError, match="cannot read the trust store"):
        TrustStore(str(tmp_path / "none.pem"))
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(SourceError, match="holds no PEM certificates"):
        TrustStore(str(tmp_path / "empty.pem"))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.one_of(st.none(), st.text(max_size=20)))
def test_certificates_that_are_none_are_judged_and_not_raised(ders, name):
    chain = tuple(Certificate(der, der.hex(), fault="no certificate") for der in ders)
    judged = judge_chain(chain, name, 10**18, TrustStore())
    assert judged.of("cert-malformed") is not None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_staple_or_not_usable(der):
    assert read_staple(der).status in ("good", "revoked", "unknown", "not usable")


def test_nothing_heavy_is_loaded_before_a_chain_is_judged():
    code = (
        "import sys; from analyzer.diagnosis.engine import Diagnosis; Diagnosis();"
        "print([m for m in ('cryptography', 'pandas', 'scapy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
