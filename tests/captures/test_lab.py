"""The recorded captures are what their labels say they are, and the laboratory can record them again."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "captures"
FOLDERS = sorted(p.parent for p in CAPTURES.glob("*/expected.json"))
KEYS = {
    "cause",
    "cause_without_keys",
    "outcome",
    "aborted_by",
    "stream",
    "tls_version",
    "alert",
    "client",
    "server",
    "facts",
    "keylog",
    "also",
    "notes",
}
OUTCOMES = {"completed", "failed", "no-handshake", "unfinished"}
ENDED_BY = {"client", "server", "middlebox", "unknown", "none"}
VERSIONS = {"TLS 1.3", "TLS 1.2", "TLS 1.1", "TLS 1.0", "SSL 3.0", None}
CAUSES = {"tcp-syn-unanswered", "tcp-syn-refused", "tcp-synack-unacked", "tcp-accept-queue-full", "tuple-reuse", "port-scan", "zero-window-stall", "tcp-syn-rst-middlebox", "icmp-unreachable", "tcp-option-intolerance", "ddos-challenge-reset", "client-hello-unacked", "pmtu-blackhole-server-flight", "pmtu-blackhole-client-hello", "large-client-hello-intolerance", "sni-filter-rst", "sni-filter-drop", "middlebox-rst-injection", "middlebox-block-page", "rst-with-text", "idle-timeout-reset", "loss-slow-handshake", "data-corruption", "starttls-stripped", "captive-portal", "tls13-middlebox-intolerance", "client-version-too-old", "client-version-too-new", "version-intolerance", "inappropriate-fallback", "downgrade-sentinel", "legacy-sigalg-seclevel", "no-common-cipher", "cert-key-type-mismatch", "no-common-group", "no-common-sigalg", "hrr-failure", "sni-missing", "sni-unrecognized", "sni-default-cert", "alpn-mismatch", "dh-key-too-small", "server-params-illegal", "unsafe-legacy-renegotiation", "renegotiation-refused", "ems-required", "ticket-rejected", "psk-failure", "early-data-rejected", "record-overflow", "unexpected-message", "decode-error", "illegal-parameter", "missing-extension", "unsupported-extension", "bad-record-mac", "decrypt-error", "internal-error", "insufficient-security", "sslv2-or-v3-hello", "heartbeat-anomaly", "ech-failure", "user-canceled", "grease-intolerance", "large-cert-flight-rejected", "cert-compression-failure", "cert-expired", "cert-not-yet-valid", "clock-skew", "cert-self-signed", "cert-unknown-ca", "cert-missing-intermediate", "cert-chain-disorder", "cert-name-mismatch", "cert-no-san", "cert-revoked", "cert-weak-signature", "cert-weak-key", "cert-bad-purpose", "cert-chain-constraint", "cert-critical-extension", "cert-malformed", "ocsp-must-staple-missing", "ocsp-staple-bad", "ct-policy", "cert-lifetime-policy", "cert-pinning", "tls-interception", "cert-private-key-mismatch", "client-silent-reject", "client-cert-missing", "client-cert-unknown-ca", "client-cert-expired", "client-cert-revoked", "client-cert-bad-purpose", "client-cert-not-in-ca-list", "client-cert-key-mismatch", "mtls-app-layer-rejection", "post-handshake-auth-unsupported", "access-denied", "connect-close-probe", "happy-eyeballs-loser", "client-never-speaks", "client-hello-no-answer", "server-rst-after-hello", "server-fin-after-hello", "lb-no-backend", "server-slow", "client-timeout", "http-on-tls-port", "tls-on-plaintext-port", "non-tls-client-bytes", "proxy-protocol-mismatch", "starttls-not-offered", "starttls-refused", "implicit-vs-starttls", "proxy-connect-refused", "proxy-connect-timeout", "socks-failure", "http2-inadequate-security", "unclean-close", "server-restart-mid-handshake", "rate-limit-close", "cap-one-way", "cap-mid-stream", "cap-ended-early", "cap-drops", "cap-snaplen", "cap-duplicates", "cap-offload", "cap-reordered", "cap-nat-double", "cap-encapsulation", "cap-keylog-mismatch", "cert-rejected", "client-cert-rejected", "refused-encrypted", "client-closed-mid-handshake", "server-closed-mid-handshake"}  # fmt: skip

# A handful to record again: what must come out the same, and how long it may take.
AGAIN = ("completed--openssl-nginx-tls12", "completed--openssl-openssl-tls13", "cert-expired--openssl-nginx-tls13", "cert-expired--curl-nginx-tls12",
         "no-common-cipher--openssl-nginx-tls12", "client-cert-missing--openssl-openssl-tls13", "sni-filter-rst--python-nginx-both-ends",
         "tcp-syn-refused--openssl-nobody", "starttls-refused--openssl-python-smtp")  # fmt: skip
# The client's private knowledge makes these, not the wire; the label-defining facts are the rest.
DEFINING = ("cause", "cause_without_keys", "outcome", "aborted_by", "stream", "tls_version", "alert", "also")


def label(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return read


def frames(capture: Path) -> list[bytes]:
    """The frames of a pcapng file, by our own simple means: walk the blocks, which must tile the file."""
    blob, at, found = capture.read_bytes(), 0, []
    assert blob[:4] == b"\x0a\x0d\x0d\x0a"
    while at < len(blob):
        kind = int.from_bytes(blob[at : at + 4], "little")
        size = int.from_bytes(blob[at + 4 : at + 8], "little")
        assert size >= 12 and blob[at + size - 4 : at + size] == blob[at + 4 : at + 8]
        if kind == 6:
            captured = int.from_bytes(blob[at + 20 : at + 24], "little")
            found.append(blob[at + 28 : at + 28 + captured])
        at += size
    return found


def connections(found: list[bytes]) -> int:
    """How many TCP connections there are, by their ends (tunnels are not looked into)."""
    starts: dict[frozenset[tuple[bytes, bytes]], set[bytes]] = {}
    for frame in found:
        kind, at = frame[12:14], 14
        while kind in (b"\x81\x00", b"\x88\xa8"):
            kind, at = frame[at + 2 : at + 4], at + 4
        if frame[:4] in (b"\x08\x00\x00\x00", b"\x86\xdd\x00\x00"):  # cooked: recorded on all interfaces
            kind, at = frame[:2], 20
        if kind == b"\x08\x00" and frame[at + 9 : at + 10] == b"\x06":
            head = (frame[at] & 15) * 4
            a, b = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
        elif kind == b"\x86\xdd" and frame[at + 6 : at + 7] == b"\x06":
            head, a, b = 40, frame[at + 8 : at + 24], frame[at + 24 : at + 40]
        else:
            continue
        ports = frame[at + head : at + head + 4]
        seen = starts.setdefault(frozenset({(a, ports[:2]), (b, ports[2:])}), set())
        if frame[at + head + 13 : at + head + 14] in (b"\x02", b"\xc2"):
            seen.add(frame[at + head + 4 : at + head + 8])  # another initial sequence number: the ports are used again
    return sum(max(1, len(numbers)) for numbers in starts.values())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_a_folder_holds_a_capture_and_a_sound_label(folder: Path) -> None:
    e = label(folder)
    assert set(e) == KEYS
    assert e["cause"] is None or e["cause"] in CAUSES
    assert e["cause_without_keys"] is None or e["cause_without_keys"] in CAUSES
    assert set(e["also"]) <= CAUSES
    assert e["outcome"] in OUTCOMES and e["aborted_by"] in ENDED_BY and e["tls_version"] in VERSIONS
    assert (e["cause"] is None) == (e["outcome"] == "completed")
    assert folder.name.startswith(f"{e['cause'] or 'completed'}--{e['client']['stack']}-{e['server']['stack']}")
    if e["alert"] is not None:
        assert set(e["alert"]) == {"description", "from", "encrypted"} and e["alert"]["from"] in ("client", "server")
    for role in ("client", "server"):
        assert set(e[role]) == {"stack", "version", "reported"}
    text = (folder / "expected.json").read_text()
    assert "/tmp/" not in text and "/work/" not in text
    capture = folder / "capture.pcapng"
    assert capture.stat().st_size < 300_000
    found = frames(capture)
    assert found
    if "cap-encapsulation" not in e["also"]:
        assert 0 <= e["stream"] < connections(found)
    keylog = folder / "keys.log"
    assert keylog.exists() == (e["keylog"] == "keys.log")
    if keylog.exists() and "cap-keylog-mismatch" not in e["also"]:
        everything = b"".join(found)
        assert all(bytes.fromhex(line.split()[1]) in everything for line in keylog.read_text().splitlines())
    assert len((folder / "README.md").read_text().strip().splitlines()) == 5  # a title and three sentences


def test_there_are_captures_enough_and_they_are_small() -> None:
    assert len(FOLDERS) >= 120
    assert sum(f.stat().st_size for folder in FOLDERS for f in folder.iterdir()) < 20_000_000


def test_no_capture_lacks_its_row() -> None:
    pytest.importorskip("cryptography")
    cases = _laboratory("case").all_cases()
    assert {f.name for f in FOLDERS} <= set(cases)


def test_the_index_is_fresh() -> None:
    index = _laboratory("index")
    assert (CAPTURES / "labels.csv").read_text() == index.labels(CAPTURES)
    assert (CAPTURES / "README.md").read_text() == index.page(CAPTURES)


@pytest.mark.xdist_group("lab")
@pytest.mark.parametrize("name", AGAIN)
def test_the_laboratory_records_it_again_with_the_same_label(name: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("recording needs root")
    if importlib.util.find_spec("cryptography") is None:
        pytest.skip("the laboratory's certificates need the package cryptography")
    if subprocess.run(["ip", "netns", "list"], capture_output=True, check=False).returncode if shutil.which("ip") else True:
        pytest.skip("no network namespaces here")
    done = subprocess.run([sys.executable, "-m", "captures.lab", "record", "--to", str(tmp_path), "--jobs", "1", name],
                          cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    if "skipped" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = label(CAPTURES / name), label(tmp_path / name)
    assert {k: after[k] for k in DEFINING} == {k: before[k] for k in DEFINING}


def _laboratory(module: str) -> Any:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"captures.lab.{module}")
