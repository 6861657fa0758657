"""Sessions of a real OpenSSL, opened with their key logs: every version and family of suites."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tls_sessions import OPENSSL, Session, make_certificate, observe, talk_in_memory, talk_over_loopback

from analyzer.tls.keylog import KeyLog
from analyzer.tls.messages import read_client_hello, read_server_hello
from analyzer.tls.opener import Opener
from analyzer.tls.records import encrypted_alert_length

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
TLS10, TLS11, TLS12 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


OLDER = [
    (TLS10, "AES128-SHA", "rsa", True),
    (TLS10, "AES256-SHA", "rsa", False),
    (TLS10, "ECDHE-RSA-AES128-SHA", "rsa", False),
    (TLS10, "CAMELLIA128-SHA", "rsa", False),
    (TLS11, "AES128-SHA", "rsa", True),
    (TLS11, "ECDHE-ECDSA-AES256-SHA", "ecdsa", False),
    (TLS12, "AES128-SHA", "rsa", True),
    (TLS12, "AES128-SHA", "rsa", False),
    (TLS12, "AES128-SHA256", "rsa", True),
    (TLS12, "AES256-SHA256", "rsa", False),
    (TLS12, "ECDHE-RSA-AES256-SHA384", "rsa", True),
    (TLS12, "ECDHE-RSA-AES256-SHA384", "rsa", False),
    (TLS12, "ECDHE-ECDSA-CAMELLIA256-SHA384", "ecdsa", True),
    (TLS12, "AES128-GCM-SHA256", "rsa", True),
    (TLS12, "ECDHE-RSA-AES256-GCM-SHA384", "rsa", True),
    (TLS12, "ECDHE-ECDSA-AES128-CCM", "ecdsa", True),
    (TLS12, "ECDHE-ECDSA-AES256-CCM8", "ecdsa", True),
    (TLS12, "AES256-CCM", "rsa", True),
    (TLS12, "ECDHE-RSA-CHACHA20-POLY1305", "rsa", True),
    (TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305", "ecdsa", True),
    (TLS12, "ECDHE-RSA-NULL-SHA", "rsa", True),
    (TLS12, "NULL-SHA256", "rsa", True),
]


def check(session: Session) -> None:
    opened = observe(session)
    assert opened.opener.note == ""
    assert None not in [plaintext for _, _, plaintext in opened.seen]
    assert sorted(opened.verified) == [(False, True), (True, True)]
    data = {side: b"".join(p for from_client, kind, p in opened.seen if kind == 23 and from_client is side and p) for side in (True, False)}
    assert data == {True: b"ping from the client", False: b"pong from the server"}
    assert [(side, p) for side, kind, p in opened.seen if kind == 21] == [(True, b"\x01\0"), (False, b"\x01\0")]


@pytest.mark.parametrize(("version", "ciphers", "certificate", "encrypt_then_mac"), OLDER)
def test_opens_up_to_tls12(version: ssl.TLSVersion, ciphers: str, certificate: str, encrypt_then_mac: bool, keys: Path) -> None:
    path = make_certificate(keys, certificate)
    try:
        session = talk_in_memory(keys, version, ciphers, path, encrypt_then_mac=encrypt_then_mac)
    except ssl.SSLError as error:
        pytest.skip(f"this OpenSSL does not talk {ciphers}: {error}")
    check(session)
    alerts = [len(record) - 5 for _, record in session.records if record[0] == 21]
    answer = read_server_hello(hello_body(session, 2))
    assert [encrypted_alert_length(answer.selected_version, answer.cipher_suite, size) for size in alerts] == [True, True]


def hello_body(session: Session, kind: int) -> bytes:
    for _, record in session.records:
        if record[0] == 22 and record[5] == kind:
            return record[9 : 9 + int.from_bytes(record[6:9], "big")]
    raise AssertionError("no hello")


def test_opens_tls13(keys: Path) -> None:
    session = talk_in_memory(keys, ssl.TLSVersion.TLSv1_3, "ALL", make_certificate(keys, "rsa"))
    check(session)


def test_opens_part_of_a_session_with_one_bit_wrong(keys: Path) -> None:
    session = talk_in_memory(keys, TLS12, "ECDHE-RSA-AES128-SHA256", make_certificate(keys, "rsa"), encrypt_then_mac=False)
    last = max(index for index, (side, record) in enumerate(session.records) if record[0] == 23)
    side, record = session.records[last]
    session.records[last] = side, record[:-1] + bytes([record[-1] ^ 1])
    opened = observe(session)
    assert [p is None for _, kind, p in opened.seen if kind == 23] == [False, True]
    assert "does not open the server's records" in opened.opener.note


needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl command")


@needs_openssl
@pytest.mark.parametrize(
    "suite",
    [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    ],
)
def test_opens_tls13_suites_and_key_updates(suite: str, keys: Path) -> None:
    args = ["-ciphersuites", suite, "-tls1_3"]
    lines = b"one\nk\ntwo\nK\nthree\nQ\n"
    [session] = talk_over_loopback(keys, [*args, "-rev"], [args], make_certificate(keys, "rsa"), lines)
    opened = observe(session)
    assert opened.opener.note == ""
    assert None not in [plaintext for _, _, plaintext in opened.seen]
    assert sorted(opened.verified) == [(False, True), (True, True)]
    for from_client, text in ((True, b"one\ntwo\nthree\n"), (False, b"eno\nowt\neerht\n")):
        assert b"".join(p for side, kind, p in opened.seen if kind == 23 and side is from_client and p) == text
    updates = [side for side, kind, p in opened.seen if kind == 22 and p and p[0] == 24]
    assert updates.count(True) == 2
    assert updates.count(False) == 1
    suite_code = read_server_hello(hello_body(session, 2)).cipher_suite
    assert [p for side, kind, p in opened.seen if kind == 21 and side] == [b"\x01\0"]
    last = [len(record) - 5 for side, record in session.records if side][-1]
    assert encrypted_alert_length(0x0304, suite_code, last)


@needs_openssl
def test_opens_after_a_retry(keys: Path) -> None:
    [session] = talk_over_loopback(keys, ["-groups", "P-384"], [["-groups", "X25519:P-384", "-tls1_3"]], make_certificate(keys, "ecdsa"))
    assert sum(record[0] == 22 for _, record in session.records) == 4
    opened = observe(session)
    assert opened.opener.note == ""
    assert sorted(opened.verified) == [(False, True), (True, True)]


@needs_openssl
def test_opens_early_data(keys: Path) -> None:
    ticket, early = keys / "session.pem", keys / "early.txt"
    early.write_bytes(b"sent before any answer")
    _, session = talk_over_loopback(
        keys,
        ["-early_data", "-max_early_data", "16384"],
        [["-tls1_3", "-sess_out", str(ticket)], ["-tls1_3", "-sess_in", str(ticket), "-early_data", str(early)]],
        make_certificate(keys, "rsa"),
    )
    opened = observe(session)
    assert opened.opener.note == ""
    assert None not in [plaintext for _, _, plaintext in opened.seen]
    assert b"sent before any answer" in [p for side, kind, p in opened.seen if kind == 23 and side]
    assert sorted(opened.verified) == [(False, True), (True, True)]


@needs_openssl
def test_steps_over_rejected_early_data(keys: Path) -> None:
    ticket, early = keys / "session.pem", keys / "early.txt"
    early.write_bytes(b"sent before any answer")
    certificate = make_certificate(keys, "rsa")
    talk_over_loopback(keys, ["-early_data"], [["-tls1_3", "-sess_out", str(ticket)]], certificate)
    # another server process has other ticket keys: it cannot read the ticket
    [session] = talk_over_loopback(keys, ["-early_data"], [["-tls1_3", "-sess_in", str(ticket), "-early_data", str(early)]], certificate)
    opened = observe(session)
    assert b"sent before any answer" in [p for side, kind, p in opened.seen if kind == 23 and side]
    assert sorted(opened.verified) == [(False, True), (True, True)]


@needs_openssl
def test_follows_a_renegotiation(keys: Path) -> None:
    args = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]
    [session] = talk_over_loopback(keys, [*args, "-client_renegotiation"], [args], make_certificate(keys, "rsa"), b"one\nR\ntwo\nQ\n")
    log = KeyLog()
    log.feed(session.keylog)
    opener: Opener | None = None
    client_random = b""
    switched = {True: False, False: False}
    data, unopened = b"", 0
    for from_client, record in session.records:
        protected = opener is not None and switched[from_client]
        switched[from_client] |= record[0] == 20
        opened = opener.open(from_client, record[0], record[5:]) if opener and protected else [(record[0], record[5:])]
        if opened is None:
            unopened += 1
            continue
        for kind, plaintext in opened:
            if kind == 23 and from_client:
                data += plaintext
            if kind == 22 and plaintext[0] == 1:
                client_random = read_client_hello(plaintext[4:]).random
            if kind == 22 and plaintext[0] == 2 and len(plaintext) >= 4 + int.from_bytes(plaintext[1:4], "big"):
                answer = read_server_hello(plaintext[4 : 4 + int.from_bytes(plaintext[1:4], "big")])
                made = Opener.for_handshake(log, client_random, answer.selected_version, answer.cipher_suite, server_random=answer.random)
                assert made is not None
                if opener is None:
                    opener = made
                else:
                    opener.adopt(made)
    assert opener is not None
    assert (data, unopened, opener.note) == (b"one\ntwo\n", 0, "")


def test_gives_nothing_without_a_line_for_the_connection() -> None:
    assert Opener.for_handshake(KeyLog(), bytes(32), 0x0304, 0x1301) is None


@pytest.mark.parametrize(
    ("version", "suite", "note"),
    [
        (0x0303, 0xC05D, "ARIA GCM is not supported"),
        (0x0303, 0x1301, "TLS_AES_128_GCM_SHA256 does not belong to the chosen version"),
        (0x0303, 0x9999, "cipher suite 0x9999 is not known"),
        (0x0300, 0x002F, "decryption of SSL 3.0 is not supported"),
        (0x0301, 0x0008, "export ciphers are not supported"),
    ],
)
def test_names_what_it_does_not_support(version: int, suite: int, note: str) -> None:
    log = KeyLog()
    log.feed(b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n")
    opener = Opener.for_handshake(log, b"\xab" * 32, version, suite, server_random=bytes(32))
    assert opener is not None
    assert opener.open(True, 22, bytes(64)) is None
    assert opener.note == note
