"""What first bytes and lengths tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.tls.messages import read_alerts
from analyzer.tls.records import encrypted_alert_length, looks_like_tls, record_header_valid

SSLV2_BODY = b"\x01\x03\x01\x00\x06\x00\x00\x00\x10\x00\x00\x2f\x01\x00\x80" + bytes(16)
SSLV2 = (0x8000 | len(SSLV2_BODY)).to_bytes(2, "big") + SSLV2_BODY


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (bytes.fromhex("160301020001000001fc"), True),
        (bytes.fromhex("160303007a0200"), True),
        (bytes.fromhex("15030100020228"), True),
        (bytes.fromhex("1503030002"), None),
        (SSLV2, True),
        (SSLV2[:10], None),
        (b"\x80" + b"\x2e\x01\xff", None),
        (b"", None),
        (b"\x16", None),
        (b"\x16\x03\x01\x02\x00", None),
        (b"\x16\x03\x09", False),
        (b"\x16\x02", False),
        (b"\x16\x03\x01\xff\xff\x01", False),
        (b"\x15\x03\x01\x00\x03\x01", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"SSH-2.0-OpenSSH", False),
        (b"\x80\x00\x00\x28\x72\xfe\x1d\x13\x00\x00\x00", False),  # ONC RPC over TCP
        (bytes(300), False),
    ],
)
def test_tells_tls_by_its_first_bytes(data: bytes, verdict: bool | None) -> None:
    assert looks_like_tls(data) is verdict


@given(st.binary(max_size=40))
def test_a_verdict_never_changes_with_more_bytes(data: bytes) -> None:
    verdict = None
    for end in range(len(data) + 1):
        now = looks_like_tls(data[:end])
        assert verdict is None or now is verdict
        verdict = now


@pytest.mark.parametrize("data", [bytes.fromhex("160301020001000001fc"), SSLV2, bytes.fromhex("15030100020228")])
def test_too_few_bytes_are_no_verdict_against(data: bytes) -> None:
    assert [looks_like_tls(data[:end]) for end in range(5)] == [None] * 5


def test_headers() -> None:
    assert record_header_valid(22, 3, 1, 512)
    assert not record_header_valid(22, 3, 1, 18_433)
    assert not record_header_valid(0x48, 0x54, 0x54, 0x5020)
    assert not record_header_valid(25, 3, 3, 10)


@pytest.mark.parametrize(
    ("version", "suite", "lengths"),
    [
        (0x0304, 0x1301, {19, 35}),
        (0x0304, 0x1305, {11}),
        (0x7F1C, 0x1301, {19, 35}),
        (0x0303, 0xC02F, {26}),
        (0x0303, 0xC0AC, {26}),
        (0x0303, 0xC0AE, {18}),
        (0x0303, 0xCCA8, {18}),
        (0x0303, 0x002F, {48, 52}),
        (0x0301, 0x002F, {32, 36}),
        (0x0303, 0x003C, {64}),
        (0x0303, 0xC028, {80}),
        (0x0303, 0x000A, {32, 36}),
        (0x0303, 0x0005, {22}),
    ],
)
def test_lengths_of_encrypted_alerts(version: int, suite: int, lengths: set[int]) -> None:
    found = {length for length in range(1, 300) if encrypted_alert_length(version, suite, length)}
    assert lengths <= found
    assert len(found) <= 2


def test_lengths_without_a_suite() -> None:
    assert encrypted_alert_length(0x0303, None, 26)
    assert not encrypted_alert_length(0x0303, None, 2)
    assert not encrypted_alert_length(0x0303, 0xFAFA, 40)


@pytest.mark.parametrize(
    ("body", "alerts"),
    [
        (b"\x02\x28", ((2, 40),)),
        (b"\x01\x00", ((1, 0),)),
        (b"\x01\x5a\x01\x00", ((1, 90), (1, 0))),
        (b"\x02\xfb", ()),
        (b"\x03\x28", ()),
        (b"\x02", ()),
        (b"", ()),
        (bytes(26), ()),
    ],
)
def test_reads_alerts_in_the_clear(body: bytes, alerts: tuple[tuple[int, int], ...]) -> None:
    assert read_alerts(body) == alerts
