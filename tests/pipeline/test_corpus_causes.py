"""The hand labels of other projects' captures, compared with our causes by meaning; run with -s to see the agreement."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from analyzer.pipeline.run import Run

CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).resolve().parents[3] / "shared" / "corpus"))

pytestmark = pytest.mark.skipif(not (CORPUS / "failures.csv").exists(), reason="the corpus of other projects' captures is not here")

CLOSED = {"client-closed-mid-handshake", "client-silent-reject"}
REJECTED = {"cert-rejected", "cert-unknown-ca", "cert-missing-intermediate", "cert-self-signed", "cert-expired", "tls-interception"}
NOT_SHOWN = {"cap-ended-early", "cap-drops", "cap-mid-stream", "cap-one-way", "cap-snaplen", None}

# their label -> causes of ours that mean the same, or the honest general one
MEANS: dict[str, set[str | None]] = {
    "attack_probe": {"heartbeat-anomaly"},
    "bad_record_mac": {"bad-record-mac"},
    "client_abandoned": CLOSED | {"refused-encrypted", "cert-rejected", "client-timeout"},
    "client_cert_missing": {"client-cert-missing"},
    "client_closed_after_server_flight": CLOSED | REJECTED | {"large-cert-flight-rejected", "cap-drops"},
    "client_closed_before_hello": {"connect-close-probe"},
    "client_no_usable_protocol": {"internal-error"},
    "client_probe_reset": CLOSED | REJECTED,
    "client_rejects_cert_forged": REJECTED,
    "client_rejects_cert_other": REJECTED,
    "client_rejects_cert_untrusted": REJECTED,
    "decode_error": {"decode-error", "sslv2-or-v3-hello"},
    "encrypted_alert_tls13": {"cert-rejected", "refused-encrypted"},
    "no_shared_cipher": {"no-common-cipher"},
    "protocol_version": {"client-version-too-old", "client-version-too-new", "sslv2-or-v3-hello"},
    "reset_after_clienthello": {"server-rst-after-hello", "sni-filter-rst", "middlebox-rst-injection", "sni-unrecognized"},
    "server_bytes_not_tls": {"tls-on-plaintext-port"},
    "server_not_tls": {"tls-on-plaintext-port", "implicit-vs-starttls"},
    "no_answer_to_clienthello": {"client-hello-unacked", "client-hello-no-answer"},
    "server_flight_never_acked": {"loss-slow-handshake", "pmtu-blackhole-server-flight"},
    "capture_excerpt_or_end": NOT_SHOWN,
    "malformed_server_certificate": NOT_SHOWN,
    "one_direction_capture": NOT_SHOWN,
    "tcp_connection_refused": {"tcp-syn-refused", "port-scan"},
    "rdp_negotiation_failure": {"starttls-refused"},
    "starttls_declined": {"starttls-refused", "starttls-not-offered"},
}
UNNAMED = {"tls_lookalike"}  # bytes that only look like TLS: any verdict on them is about another protocol


def test_causes_agree_by_meaning() -> None:
    with (CORPUS / "failures.csv").open(newline="", encoding="utf-8") as file:
        labels = list(csv.DictReader(file))
    judged = {}
    for path in sorted({label["path"] for label in labels}):
        for h in Run([str(CORPUS / path)]).handshakes():
            judged[path, h.flow.stream] = h
    agree: Counter[str] = Counter()
    differ = []
    for label in labels:
        code = label["cause_code"]
        h = judged.get((label["path"], int(label["tcp_stream"])))
        if code in UNNAMED or h is None:
            agree["no row, or no TLS at all"] += 1
            continue
        said = h.finding.cause if h.finding is not None else None
        if said in MEANS[code]:
            agree["agree"] += 1
        else:
            differ.append((label["path"], label["tcp_stream"], code, said, h.finding and h.finding.confidence))
    print(f"\n{agree['agree']} of {len(labels)} agree by meaning, {agree['no row, or no TLS at all']} have no row or are no TLS")
    for line in differ:
        print("differs:", *line)
    assert not [line for line in differ if line[4] == "certain"]
    assert len(differ) <= len(labels) // 50
