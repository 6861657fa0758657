"""Captures that other projects recorded, against what tshark and hand labels say of them.

Test data that is not part of the project: skipped where it is not there. Each difference is explained here, and
for readers in ``docs/differences.md``.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import pytest

from analyzer.model.handshake import Handshake
from analyzer.pipeline.run import Run

CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).resolve().parents[3] / "shared" / "corpus"))

pytestmark = pytest.mark.skipif(not (CORPUS / "manifest.csv").exists(), reason="the corpus of other projects' captures is not here")

# path -> columns of the manifest that differ, and why
EXPLAINED: dict[str, tuple[set[str], str]] = {
    "mercury/test/afl_data/corner-cases.pcap": (
        {"streams_with_ServerHello"},
        "two of the six are one frame from the middle of a flow whose bytes only look like a ServerHello header: their length does not fit",
    ),
    "ndpi/tests/cfgs/default/pcap/pinterest.pcap": (
        {"completed_streams"},
        "two TLS 1.3 clients finish and the capture ends before the server goes on: not shown, so unfinished",
    ),
    "ndpi/tests/cfgs/default/pcap/pgsql2.pcapng": (
        {"completed_streams"},
        "the capture ends with the client's first data, before the server goes on",
    ),
    "ndpi/tests/cfgs/default/pcap/sites.pcapng": (
        {"completed_streams"},
        "a TLS 1.3 client finishes and the capture ends before the server goes on; another leaves right after the handshake",
    ),
    "testrun/testing/unit/tls/captures/multi_page_monitor.pcap": (
        {"streams_with_ServerHello"},
        "a HelloRetryRequest is an answer of the server too: the manifest counts the streams whose ServerHello was captured",
    ),
    "tls-breaker/Bleichenbacher/src/test/resources/pcap_files/2nd_TLS_RSA_PSK_AES.pcapng": (
        {"completed_streams"},
        "the client closes before the server's Finished, without a byte of data",
    ),
    "tls-breaker/Bleichenbacher/src/test/resources/pcap_files/psk_captured.pcapng": (
        {"completed_streams"},
        "the client waits a second for the server's Finished, closes, and resets the connection when it comes",
    ),
    "ndpi/tests/cfgs/default/pcap/4in6tunnel.pcap": (
        {"streams_with_ServerHello"},
        "only the client's direction is TCP in the tunnel as captured",
    ),
    "pcapplusplus/Tests/Fuzzers/RegressionTests/regression_samples/clusterfuzz-testcase-minimized-FuzzTarget-5700358767902720": (
        {"streams_with_ClientHello"},
        "a fuzzer's bytes: the hello's header claims what is not there",
    ),
}


def manifest() -> list[dict[str, str]]:
    if not (CORPUS / "manifest.csv").exists():
        return []
    with (CORPUS / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def judged(path: str) -> tuple[Run, list[Handshake]]:
    run = Run([str(CORPUS / path)])
    handshakes = list(run.handshakes())
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    return run, handshakes


@pytest.mark.parametrize("row", manifest(), ids=lambda row: row["path"].rsplit("/", 1)[-1])
def test_streams_and_handshakes_as_the_manifest_counts_them(row: dict[str, str]) -> None:
    run, handshakes = judged(row["path"])
    counted = {
        "tcp_streams": run.totals.flows,
        "streams_with_ClientHello": sum(h.client_hello is not None for h in handshakes),
        "streams_with_ServerHello": sum((h.server_hello or h.hello_retry) is not None for h in handshakes),
        "completed_streams": sum(h.outcome == "completed" for h in handshakes),
    }
    known = EXPLAINED.get(row["path"], (set(), ""))[0]
    wrong = {name: (row[name], n) for name, n in counted.items() if int(row[name] or 0) != n and name not in known}
    assert not wrong, f"(manifest, counted): {wrong}"


def labels() -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    if (CORPUS / "failures.csv").exists():
        with (CORPUS / "failures.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows[row["path"]].append(row)
    return rows


NOT_FAILED = {"not_shown", "one_direction", "capture_loss"}


@pytest.mark.parametrize("path", sorted(labels()), ids=lambda path: path.rsplit("/", 1)[-1])
def test_what_was_not_shown_is_not_called_a_failure(path: str) -> None:
    by_stream = {h.flow.stream: h for h in judged(path)[1]}
    wrong = []
    for label in labels()[path]:
        h = by_stream.get(int(label["tcp_stream"]))
        if h is None or label["confidence"] != "high":
            continue
        said = h.finding.confidence if h.finding is not None else None
        if label["outcome"] in NOT_FAILED and h.outcome == "failed" and said in ("certain", None):
            wrong.append((label["tcp_stream"], label["outcome"], h.outcome, h.stage, h.finding and h.finding.cause))
    assert not wrong


@pytest.mark.parametrize("path", sorted(labels()), ids=lambda path: path.rsplit("/", 1)[-1])
def test_who_gave_up_as_labelled_by_hand(path: str) -> None:
    by_stream = {h.flow.stream: h for h in judged(path)[1]}
    wrong = []
    for label in labels()[path]:
        h = by_stream.get(int(label["tcp_stream"]))
        who = label["who_aborted"]
        if h is None or label["outcome"] != "failed" or who not in ("client", "server") or label["confidence"] != "high":
            continue
        if h.aborted_by not in (who, "middlebox", "unknown"):
            wrong.append((label["tcp_stream"], label["cause_code"], who, h.aborted_by, h.outcome, h.stage))
    assert not wrong
