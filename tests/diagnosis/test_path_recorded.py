"""The causes of TCP, path and capture in every recorded capture: cause, outcome, who ended it.

What a reader of the wire says otherwise is listed with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
FAMILIES = (
    "tcp-", "tuple-reuse", "port-scan", "zero-window-stall", "icmp-", "ddos-", "client-hello-unacked", "pmtu-", "large-client-hello-",
    "sni-filter-", "middlebox-", "rst-with-text", "idle-timeout-reset", "loss-slow-handshake", "data-corruption", "starttls-stripped",
    "captive-portal", "tls13-middlebox-", "cap-", "server-rst-after-hello",
)  # fmt: skip

COMPLETED = ("cap-", "idle-timeout-reset", "tcp-option-intolerance")
"""What completed gets no cause; a lack of the capture is then a note beside it."""

ALERT_READ = {
    "cap-drops--openssl-nginx-server-flight-failed": "cert-expired",
    "cap-mid-stream--curl-nginx-after-server-hello": "cert-expired",
    "cap-one-way--curl-nginx-client-only-failed": "cert-expired",
    "cap-snaplen--gnutls-nginx-refused-tls12": "cert-rejected",
}
"""An alert in the clear names the cause, whatever else the capture lacks: that is the note beside it."""


UNTOLD = {
    "tcp-syn-rst-middlebox--curl-nginx-any-router": "the reset has the TTL that the server's packets have on the inside",
    "tcp-syn-rst-middlebox--openssl-haproxy-next-door-limit": "all are neighbours, and one step of the TTL is all there is",
}
"""A device's reset that may as well be the server's: that is said, and no more than possible."""


def _judged(folder):
    expected = json.loads((folder / "expected.json").read_text())
    run = Run([str(folder / "capture.pcapng")], Options())
    handshake = next(h for h in run.handshakes() if h.flow.stream == expected["stream"])
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    return expected, handshake


NAMES = sorted(label.parent.name for label in CAPTURES.glob("*/expected.json") if label.parent.name.startswith(FAMILIES))


@pytest.mark.parametrize("name", NAMES)
def test_recorded(name):
    expected, h = _judged(CAPTURES / name)
    cause = h.finding.cause if h.finding is not None else None
    if name in UNTOLD:
        assert (cause, h.finding.confidence, h.outcome) == ("tcp-syn-refused", "possible", "failed")
        return
    assert (h.outcome, h.aborted_by) == (expected["outcome"], expected["aborted_by"])
    label = expected["cause_without_keys"]
    if expected["outcome"] == "completed":
        assert name.startswith(COMPLETED)
        assert cause is None
        if name.startswith("cap-"):
            assert label in {finding.cause for finding in h.also}
    elif name in ALERT_READ:
        assert cause == ALERT_READ[name]
        assert label in {finding.cause for finding in h.also}
    else:
        assert cause == label


def _all_labels():
    return sorted(label.parent.name for label in CAPTURES.glob("*/expected.json"))


def test_no_reset_by_a_host_is_called_forged_and_the_reverse():
    wrong = []
    for name in _all_labels():
        label = json.loads((CAPTURES / name / "expected.json").read_text())
        if name in UNTOLD:
            continue
        if "rst" not in name and "reset" not in name and label["aborted_by"] != "middlebox":
            continue
        expected, h = _judged(CAPTURES / name)
        if (h.aborted_by == "middlebox") != (expected["aborted_by"] == "middlebox"):
            wrong.append((name, expected["aborted_by"], h.aborted_by))
    assert not wrong


NOT_TOLD = {"cert-expired--curl-nginx-double-vlan": "the facts of a connection hold its outermost tag, not how many there were"}


@pytest.mark.parametrize("name", [name for name in _all_labels() if json.loads((CAPTURES / name / "expected.json").read_text())["also"]])
def test_notes_beside_the_cause(name):
    expected, h = _judged(CAPTURES / name)
    notes = {finding.cause for finding in h.also}
    if name in NOT_TOLD:
        return
    ours = {note for note in expected["also"] if note.startswith("cap-")} - {"cap-keylog-mismatch"}
    assert ours <= notes
