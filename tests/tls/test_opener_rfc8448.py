"""The traces of RFC 8448, opened with their secrets: every record, every Finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from analyzer.tls.key_schedule import transcript_after_retry
from analyzer.tls.keylog import KeyLog
from analyzer.tls.messages import (
    read_certificate,
    read_certificate_list,
    read_client_hello,
    read_encrypted_extensions,
    read_server_hello,
)
from analyzer.tls.opener import Opener
from analyzer.tls.transcript import Transcript


@dataclass
class Trace:
    secrets: dict[str, str] = field(default_factory=dict)
    records: list[tuple[bool, bytes]] = field(default_factory=list)


def read_traces() -> dict[str, Trace]:
    traces: dict[str, Trace] = {}
    for line in (Path(__file__).parent / "rfc8448.txt").read_text().splitlines():
        if line.startswith("["):
            trace = traces[line.strip("[]")] = Trace()
        elif line and not line.startswith("#"):
            word, value = line.split()
            if word in ("client", "server"):
                trace.records.append((word == "client", bytes.fromhex(value)))
            else:
                trace.secrets[word] = value
    return traces


TRACES = read_traces()


def follow(trace: Trace, *, without: str = "") -> tuple[Opener, list[tuple[bool, int, bytes | None]]]:
    """Open a trace as an observer meets it; records before the ServerHello that are encrypted are opened after it."""
    hello = read_client_hello(trace.records[0][1][9:])
    answers = [body for from_client, body in trace.records if not from_client and body[0] == 22 and body[5] == 2]
    answer = read_server_hello(answers[-1][9:])
    log = KeyLog()
    for label, secret in trace.secrets.items():
        if label != without:
            log.feed(f"{label} {hello.random.hex()} {secret}\n".encode())
    opener = Opener.for_handshake(log, hello.random, answer.selected_version, answer.cipher_suite)
    assert opener is not None
    seen: list[tuple[bool, int, bytes | None]] = []
    for from_client, record in trace.records:
        opened = opener.open(from_client, record[0], record[5:]) if record[0] == 23 else [(record[0], record[5:])]
        if opened is None:
            seen.append((from_client, record[0], None))
        else:
            seen += [(from_client, kind, plaintext) for kind, plaintext in opened]
    return opener, seen


def messages(plaintext: bytes) -> list[bytes]:
    found = []
    while plaintext:
        length = int.from_bytes(plaintext[1:4], "big") + 4
        found.append(plaintext[:length])
        plaintext = plaintext[length:]
    return found


@pytest.mark.parametrize("name", TRACES)
def test_opens_every_record(name: str) -> None:
    opener, seen = follow(TRACES[name])
    assert [plaintext for _, _, plaintext in seen if plaintext is None] == []
    assert opener.note == ""
    assert [plaintext for _, kind, plaintext in seen if kind == 21] == [b"\x01\x00", b"\x01\x00"]
    if name == "simple 1-RTT":
        assert [plaintext for _, kind, plaintext in seen if kind == 23] == [bytes(range(50))] * 2
    if name == "resumed 0-RTT":
        assert [plaintext for _, kind, plaintext in seen if kind == 23] == [b"ABCDEF"] + [bytes(range(50))] * 2


@pytest.mark.parametrize("name", TRACES)
def test_verifies_both_finished(name: str) -> None:
    opener, seen = follow(TRACES[name])
    transcript: list[bytes] = []
    verified = []
    for from_client, kind, plaintext in seen:
        if kind != 22 or plaintext is None:
            continue
        for message in messages(plaintext):
            if message[0] == 20:
                verified.append((from_client, opener.verify_finished(from_client, b"".join(transcript), message[4:])))
                wrong = bytes([message[4] ^ 1]) + message[5:]
                assert opener.verify_finished(from_client, b"".join(transcript), wrong) is False
            if message[0] == 2 and read_server_hello(message[4:]).hello_retry_request:
                transcript = [transcript_after_retry(opener.hash_name, transcript[0])]
            transcript.append(message)
    assert verified == [(False, True), (True, True)]


def test_a_transcript_that_lacks_messages_vouches_for_nothing() -> None:
    opener, _ = follow(TRACES["simple 1-RTT"])
    transcript = Transcript()
    finished = b"\x14\0\0\x20" + bytes(32)
    assert transcript.verify(opener, True, finished) is None
    transcript.add(TRACES["simple 1-RTT"].records[0][1][5:])
    assert transcript.verify(opener, True, finished) is False
    transcript.add(b"\x0b" + bytes(600_000))
    assert transcript.broken
    assert transcript.verify(opener, True, finished) is None


def test_reads_what_was_hidden() -> None:
    _, seen = follow(TRACES["simple 1-RTT"])
    hidden = [m for from_client, kind, p in seen if kind == 22 and not from_client and p for m in messages(p)]
    assert [message[0] for message in hidden] == [2, 8, 11, 15, 20, 4]
    extensions = read_encrypted_extensions(hidden[1][4:])
    assert extensions.extension_types == (10, 28, 0)
    assert extensions.server_name_acknowledged
    assert extensions.record_size_limit == 0x4001
    listed = read_certificate_list(hidden[2][4:], tls13=True)
    certificate = read_certificate(listed.certificates[0])
    assert (certificate.subject, certificate.key, certificate.fault) == ("CN=rsa", "RSA 1024", "")
    assert certificate.self_signed


def test_reads_the_retry_and_the_resumption() -> None:
    records = TRACES["HelloRetryRequest"].records
    retry = read_server_hello(records[1][1][9:])
    assert retry.hello_retry_request
    assert (retry.key_share_group, retry.cookie_length, retry.selected_version) == (0x17, 114, 0x0304)
    second = read_client_hello(records[2][1][9:])
    assert (second.key_shares, second.cookie_length) == (((0x17, 65),), 114)
    resumed = read_client_hello(TRACES["resumed 0-RTT"].records[0][1][9:])
    assert resumed.early_data
    assert (resumed.psk_identities, len(resumed.psk_identity), resumed.psk_binder_length) == (1, 64, 32)
    assert read_server_hello(TRACES["resumed 0-RTT"].records[2][1][9:]).pre_shared_key == 0


@pytest.mark.parametrize(
    ("without", "unopened"),
    [
        # how many records of "resumed 0-RTT" stay closed without one of its five secrets
        ("CLIENT_EARLY_TRAFFIC_SECRET", 2),
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 1),
        ("CLIENT_TRAFFIC_SECRET_0", 2),
        ("SERVER_TRAFFIC_SECRET_0", 2),
    ],
)
def test_opens_what_the_other_secrets_fit(without: str, unopened: int) -> None:
    opener, seen = follow(TRACES["resumed 0-RTT"], without=without)
    assert sum(plaintext is None for _, _, plaintext in seen) == unopened
    assert opener.note == (
        "the secrets in the key log do not open the client's records"
        if without.startswith("CLIENT_EARLY")
        else f"no {without} in the key log"
    )


def test_says_that_wrong_secrets_do_not_fit() -> None:
    trace = TRACES["simple 1-RTT"]
    wrong = Trace(dict.fromkeys(trace.secrets, "00" * 32), trace.records)
    opener, seen = follow(wrong)
    assert all(plaintext is None for _, kind, plaintext in seen if kind == 23)
    assert "do not open the server's records" in opener.note


def test_steps_over_records_without_losing_count() -> None:
    trace = TRACES["simple 1-RTT"]
    hello = read_client_hello(trace.records[0][1][9:])
    log = KeyLog()
    for label, secret in trace.secrets.items():
        log.feed(f"{label} {hello.random.hex()} {secret}\n".encode())
    opener = Opener(log, hello.random, 0x0304, 0x1301)
    assert opener.open(True, 22, trace.records[0][1][5:]) is None
    for from_client, record in trace.records[2:-2]:
        opener.pass_over(from_client, record[0], record[5:])
    for from_client, record in trace.records[-2:]:
        assert opener.open(from_client, record[0], record[5:]) == [(21, b"\x01\x00")]


def test_goes_on_after_early_data_that_went_by() -> None:
    trace = TRACES["resumed 0-RTT"]
    hello = read_client_hello(trace.records[0][1][9:])
    log = KeyLog()
    for label, secret in trace.secrets.items():
        log.feed(f"{label} {hello.random.hex()} {secret}\n".encode())
    opener = Opener(log, hello.random, 0x0304, 0x1301)
    assert opener.open(True, 23, trace.records[4][1][5:]) == [(22, b"\x05\0\0\0")]  # EndOfEarlyData
    assert opener.open(True, 23, trace.records[5][1][5:]) is not None
    assert opener.note == ""
