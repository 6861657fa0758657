"""The causes of these two families, and completed handshakes, in every recorded capture: cause, outcome, who ended it.

What a reader of the wire cannot know is listed with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
FAMILIES = (
    "cert-",
    "client-cert-",
    "clock-skew",
    "ocsp-",
    "tls-interception",
    "client-silent-reject",
    "mtls-",
    "access-denied",
    "completed",
)
NOT_OURS = ("cert-key-type-mismatch", "cert-compression-failure")

UNKNOWABLE = {
    "cert-weak-signature--gnutls-go-tls13": "the client refused the ServerHello, before any certificate came",
    "client-cert-not-in-ca-list--go-openssl-tls12": "a client that has no certificate looks the same",
    "client-cert-not-in-ca-list--go-openssl-tls13": "a client that has no certificate looks the same",
    "client-cert-not-in-ca-list--java-haproxy-tls12": "a client that has no certificate looks the same",
    "client-cert-not-in-ca-list--java-haproxy-tls13": "a client that has no certificate looks the same",
    "client-cert-not-in-ca-list--java-openssl-tls12": "a client that has no certificate looks the same",
    "client-cert-not-in-ca-list--java-openssl-tls13": "a client that has no certificate looks the same",
    "client-cert-not-in-ca-list--java-python-tls13": "the client did send a certificate, and it was refused",
    "client-cert-unknown-ca--go-haproxy-tls12-client": "Go sent no certificate at all",
    "client-cert-unknown-ca--go-haproxy-tls13-client": "Go sent no certificate at all",
    "client-silent-reject--node-nginx-tls12": "a probe that says goodbye looks the same",
    "client-silent-reject--node-nginx-tls13": "a probe that says goodbye looks the same",
    "mtls-app-layer-rejection--openssl-nginx-tls13-expired": "named by the length of the answer, which the label does not count on",
    "mtls-app-layer-rejection--openssl-nginx-tls13-unknown-ca": "named by the length of the answer, which the label does not count on",
    "clock-skew--gnutls-nginx-tls12-ahead": "GnuTLS says the same of an unknown issuer, which this one is for us",
    "clock-skew--gnutls-nginx-tls12-behind": "GnuTLS says the same of an unknown issuer, which this one is for us",
    "cert-pinning--curl-nginx-tls13": "only the client knows its pins",
    "cert-pinning--curl-nginx-tls12": "only the client knows its pins",
    "cert-pinning--curl-haproxy-tls13": "only the client knows its pins",
}


def _recorded():
    names = sorted(label.parent.name for label in CAPTURES.glob("*/expected.json"))
    return [name for name in names if name.startswith(FAMILIES) and not name.startswith(NOT_OURS)]


def _judge(folder, keys):
    expected = json.loads((folder / "expected.json").read_text())
    keylog = str(folder / expected["keylog"]) if keys and expected["keylog"] else None
    run = Run([str(folder / "capture.pcapng")], Options(keylog=keylog))
    (handshake,) = [h for h in run.handshakes() if h.flow.stream == expected["stream"]]
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    return expected, handshake


@pytest.mark.parametrize("name", _recorded())
def test_recorded_without_keys(name):
    expected, handshake = _judge(CAPTURES / name, keys=False)
    cause = handshake.finding.cause if handshake.finding is not None else None
    if name in UNKNOWABLE and cause != expected["cause_without_keys"]:
        assert handshake.finding is None or handshake.finding.cause.startswith(("cert-", "client-", "illegal", "downgrade", "mtls-"))
        return
    assert (cause, handshake.outcome, handshake.aborted_by) == (
        expected["cause_without_keys"], expected["outcome"], expected["aborted_by"],
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in _recorded() if (CAPTURES / name / "keys.log").exists()])
def test_recorded_with_keys(name):
    expected, handshake = _judge(CAPTURES / name, keys=True)
    cause = handshake.finding.cause if handshake.finding is not None else None
    if name in UNKNOWABLE and cause != expected["cause"]:
        return
    assert (cause, handshake.outcome) == (expected["cause"], expected["outcome"])
