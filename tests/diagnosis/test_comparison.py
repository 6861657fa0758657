"""Recorded handshakes side by side: the arranged difference comes first, what always differs never comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.diagnosis.comparison import EXPLAINS, compare
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


def _read(name):
    return next(iter(Run([str(CAPTURES / name / "capture.pcapng")]).handshakes()))


@pytest.mark.parametrize(
    ("good", "bad", "name"),
    [
        ("completed--openssl-nginx-tls12-loss", "alpn-mismatch--openssl-nginx-tls12", "ALPN"),
        ("completed--curl-nginx-tls13", "client-version-too-old--openssl-nginx-tls11", "versions"),
        ("completed--curl-nginx-tls13", "cert-missing-intermediate--curl-nginx-tls13", "certificate flight"),
        ("completed--openssl-nginx-tls12-loss", "cert-expired--openssl-nginx-tls12", "certificate"),
        ("completed--curl-nginx-tls13", "pmtu-blackhole-client-hello--boringssl-nginx", "size of the hello"),
    ],
)
def test_the_arranged_difference_explains(good, bad, name):
    if not (CAPTURES / bad).exists() or not (CAPTURES / good).exists():
        pytest.skip("recorded under another name now")
    comparison = compare(_read(good), _read(bad))
    assert comparison.explanation is not None, str(comparison)
    assert comparison.explanation.name == name, str(comparison)
    assert "because" in comparison.sentence
    assert comparison.sentence.endswith(".")
    assert comparison.sentence.count("\n") == 0


def test_nothing_differs_between_a_handshake_and_itself():
    handshake = _read("cert-expired--curl-nginx-tls12")
    comparison = compare(handshake, handshake)
    assert comparison.differences == []
    assert comparison.same_client
    assert comparison.same_server
    assert "nothing that shows differs" in comparison.sentence


def test_two_runs_of_one_client_differ_in_nothing_of_the_offer():
    """Randoms, session ids, ports, times and key share bytes differ in each; none is a difference."""
    first, second = _read("cert-expired--curl-nginx-tls12"), _read("cert-not-yet-valid--curl-nginx-tls12")
    assert first.client_hello.random != second.client_hello.random
    assert not [d for d in compare(first, second).differences if d.part == "offer"]


def test_ranked_and_within_bounds():
    comparison = compare(_read("completed--curl-nginx-tls13"), _read("client-version-too-old--openssl-nginx-tls11"))
    scores = [d.explains for d in comparison.differences]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert scores[0] >= EXPLAINS


def test_what_completed_is_never_explained():
    comparison = compare(_read("cert-expired--curl-nginx-tls12"), _read("completed--curl-nginx-tls13"))
    assert comparison.explanation is None
    assert "completed" in comparison.sentence
