"""The key of a TLS 1.3 server, told from the length of its CertificateVerify; measured against recorded certificates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from negotiation_building import answer, attempt, hello, judge, served, verdict

from analyzer.diagnosis.record_lengths import signing_key_type
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.mark.parametrize(
    ("lengths", "kind"),
    [
        ((27, 1500, 281, 69), "RSA"),
        ((27, 1500, 409, 53), "RSA"),
        ((27, 93, 1500, 537, 69), "RSA"),
        ((23, 800, 95, 53), "ECDSA"),
        ((23, 800, 97, 69), "ECDSA"),
        ((23, 800, 128, 69), "ECDSA"),
        ((23, 600, 89, 53), "Ed25519"),
        ((65, 1516, 297, 85), "RSA"),  # Java
        ((23, 53), None),  # resumed
        ((97, 53), None),
        ((1963,), None),  # all in one record
        ((23, 1500, 300, 69), None),
        ((23, 1500), None),
    ],
)
def test_lengths(lengths, kind):
    assert signing_key_type(attempt(hello(), answer(0x0304), encrypted=lengths)) == kind


def test_only_in_tls13_and_not_when_resumed():
    assert signing_key_type(attempt(hello(), answer(), encrypted=(27, 1500, 281, 69))) is None
    assert signing_key_type(attempt(hello(), answer(0x0304), encrypted=(27, 1500, 281, 69), resumption="psk")) is None


def test_neighbours_of_tls13_show_the_key():
    neighbours = [served(hello(), answer(0x0304), encrypted=(27, 1500, 281, 69), stream=n) for n in (90, 91)]
    judged = attempt(hello(signature_schemes=(0x0403,)), alert=40)
    assert verdict(judged, *neighbours) == ("cert-key-type-mismatch", "likely")
    assert any(
        "RSA key" in evidence.says for evidence in judge(attempt(hello(signature_schemes=(0x0403,)), alert=40), *neighbours).evidence
    )


def _keyed():
    for label in sorted(CAPTURES.glob("completed--*tls13*/expected.json")):
        if json.loads(label.read_text())["keylog"]:
            yield label.parent.name


@pytest.mark.parametrize("name", list(_keyed()))
def test_never_another_kind_than_the_certificate_has(name):
    folder = CAPTURES / name
    capture = str(folder / "capture.pcapng")
    opened = {h.flow.stream: h for h in Run([capture], Options(keylog=str(folder / "keys.log"))).handshakes()}
    for handshake in Run([capture], Options()).handshakes():
        told = signing_key_type(handshake)
        chain = opened[handshake.flow.stream].server_certificates
        if told is not None and chain:
            assert told == chain[0].key_type
