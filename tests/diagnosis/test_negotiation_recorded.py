"""The negotiation causes in every recorded capture that has one, without keys and with them.

What a reader of the wire cannot know is listed with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from negotiation_building import hello

from analyzer.diagnosis.registry import load_rules
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
OWN = {cause for cause, rule in load_rules().items() if ".negotiation." in type(rule).__module__}

UNKNOWABLE = {
    "bad-record-mac--curl-openssl-flipped-tls12": "the record that was spoiled came after the handshake was complete",
    "bad-record-mac--gnutls-openssl-flipped-tls13": "an encrypted alert after the server's flight is most often about the certificate",
    "bad-record-mac--go-openssl-flipped-tls13": "an encrypted alert after the server's flight is most often about the certificate",
    "grease-intolerance--boringssl-python": "one refused hello, and no other to compare it with",
    "sni-default-cert--go-apache-tls12": "a certificate for another name, and nothing that shows it to be the default one",
    "sni-default-cert--openssl-nginx-tls12": "a certificate for another name, and nothing that shows it to be the default one",
    "sni-default-cert--python-haproxy-tls13": "a certificate for another name, and nothing that shows it to be the default one",
}


def _recorded():
    names = []
    for label in sorted(CAPTURES.glob("*/expected.json")):
        expected = json.loads(label.read_text())
        if {expected["cause"], expected["cause_without_keys"]} & OWN and (label.parent / "capture.pcapng").exists():
            names.append(label.parent.name)
    return names


def _judge(name, keys):
    folder = CAPTURES / name
    expected = json.loads((folder / "expected.json").read_text())
    run = Run([str(folder / "capture.pcapng")], Options(keylog=str(folder / expected["keylog"]) if keys else None))
    (handshake,) = [h for h in run.handshakes() if h.flow.stream == expected["stream"]]
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    return expected, handshake


@pytest.mark.parametrize("name", _recorded())
@pytest.mark.parametrize("keys", [False, True], ids=["without keys", "with keys"])
def test_recorded(name, keys):
    if keys and not json.loads((CAPTURES / name / "expected.json").read_text())["keylog"]:
        pytest.skip("no keys were recorded")
    expected, handshake = _judge(name, keys)
    cause = handshake.finding.cause if handshake.finding is not None else None
    wanted = expected["cause" if keys else "cause_without_keys"]
    if name in UNKNOWABLE and cause != wanted:
        assert handshake.finding is None or handshake.finding.confidence != "certain" or cause == "cert-name-mismatch"
        return
    assert cause == wanted
    ended_by = expected["alert"]["from"] if expected["alert"] else expected["aborted_by"]
    assert (handshake.outcome, handshake.aborted_by) == (expected["outcome"], ended_by)


def test_what_is_called_certain_is_right():
    wrong = []
    for name in _recorded():
        expected, handshake = _judge(name, False)
        found = handshake.finding
        if found is not None and found.confidence == "certain" and found.cause in OWN and found.cause != expected["cause_without_keys"]:
            wrong.append((name, found.cause))
    assert not wrong


def test_a_hello_of_today_has_nothing_narrow():
    """The builder of the other tests must not be refused for a reason of its own."""
    assert hello().max_version == 0x0304
    assert len(hello().cipher_suites) > 10
