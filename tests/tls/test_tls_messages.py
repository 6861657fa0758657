"""Every message is read whole, cut at every length, and as noise: messages and faults, never another exception."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import tls_samples as samples
from hypothesis import given
from hypothesis import strategies as st
from tls_samples import EVERYTHING, client_hello, extension, numbers, server_hello, server_name, vector

from analyzer.model.hello import ClientHello, ServerHello
from analyzer.tls import client_extensions
from analyzer.tls import client_hello as client_module
from analyzer.tls import messages as tls
from analyzer.tls import server_hello as server_module
from analyzer.tls.messages import Malformed

Reader = Callable[[bytes], object]
READERS: dict[str, tuple[Reader, list[bytes]]] = {
    "client_hello": (tls.read_client_hello, samples.CLIENT_HELLOS),
    "sslv2_client_hello": (tls.read_sslv2_client_hello, [samples.SSLV2_HELLO]),
    "server_hello": (tls.read_server_hello, [*samples.SERVER_HELLOS, samples.DRAFT18_SERVER_HELLO]),
    "draft_hello_retry_request": (
        tls.read_draft_hello_retry_request,
        [numbers(0x7F14, 0x1301) + vector(2, extension(40, numbers(23)))],
    ),
    "certificate12": (lambda data: tls.read_certificate_list(data, tls13=False), [samples.CERTIFICATE12]),
    "certificate13": (lambda data: tls.read_certificate_list(data, tls13=True), [samples.CERTIFICATE13]),
    "compressed_certificate": (tls.read_compressed_certificate, [samples.COMPRESSED]),
    "certificate_status": (tls.read_certificate_status, [samples.STATUS]),
    "ecdhe": (lambda data: tls.read_server_key_exchange(data, 0xC02F, 0x0303), [samples.ECDHE_EXCHANGE]),
    "dhe": (lambda data: tls.read_server_key_exchange(data, 0x0033, 0x0302), [samples.DHE_EXCHANGE]),
    "psk": (lambda data: tls.read_server_key_exchange(data, 0xC035, 0x0303), [vector(2, b"hint") + samples.ECDHE_EXCHANGE[:69]]),
    "request12": (lambda data: tls.read_certificate_request(data, 0x0303), [samples.REQUEST12]),
    "request13": (lambda data: tls.read_certificate_request(data, 0x0304), [samples.REQUEST13]),
    "encrypted_extensions": (tls.read_encrypted_extensions, [samples.ENCRYPTED_EXTENSIONS]),
    "alerts": (tls.read_alerts, [b"\x02\x28"]),
}


def forget() -> None:
    client_module._templates._layouts.clear()
    server_module._templates._layouts.clear()
    client_extensions.known_extensions.clear()


@pytest.fixture(autouse=True)
def cold() -> None:
    forget()


def outcome(read: Reader, message: bytes) -> object:
    try:
        return read(message)
    except Malformed as error:
        return "malformed", error.says, error.partial


def assert_says(result: object) -> None:
    """What did not parse is told in one line."""
    if isinstance(result, tuple) and result[:1] == ("malformed",):
        assert result[1]
        assert "\n" not in result[1]


@pytest.mark.parametrize("name", READERS)
def test_reads_samples_whole(name: str) -> None:
    read, messages = READERS[name]
    for message in messages:
        assert getattr(read(message), "defects", ()) == ()


@pytest.mark.parametrize("name", READERS)
def test_reads_samples_cut_at_every_length(name: str) -> None:
    read, messages = READERS[name]
    for message in messages:
        for end in range(len(message)):
            assert_says(outcome(read, message[:end]))


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_reads_noise(name: str, data: st.DataObject) -> None:
    read, messages = READERS[name]
    message = bytearray(data.draw(st.one_of(st.sampled_from(messages), st.binary(max_size=200))))
    for _ in range(data.draw(st.integers(0, 4))):
        if message:
            at = data.draw(st.integers(0, len(message) - 1))
            change = data.draw(st.sampled_from(["set", "cut", "add", "double"]))
            if change == "set":
                message[at] = data.draw(st.integers(0, 255))
            elif change == "cut":
                del message[at : at + data.draw(st.integers(1, 40))]
            elif change == "add":
                message[at:at] = data.draw(st.binary(min_size=1, max_size=10))
            else:
                message[at:at] = message[at : at + 60]
    assert_says(outcome(read, bytes(message)))


@given(st.sampled_from(samples.CLIENT_HELLOS), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4))
def test_a_client_hello_read_by_template_is_the_same(message: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(message)
    for at, value in changes:
        changed[at % len(changed)] = value
    forget()
    tls.read_client_hello(message)
    warm = outcome(tls.read_client_hello, bytes(changed))
    forget()
    assert outcome(tls.read_client_hello, bytes(changed)) == warm


@given(st.sampled_from(samples.SERVER_HELLOS), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
def test_a_server_hello_read_by_template_is_the_same(message: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(message)
    for at, value in changes:
        changed[at % len(changed)] = value
    forget()
    tls.read_server_hello(message)
    warm = outcome(tls.read_server_hello, bytes(changed))
    forget()
    assert outcome(tls.read_server_hello, bytes(changed)) == warm


def test_templates_fill_in_what_is_new_each_time() -> None:
    first = tls.read_client_hello(client_hello(*EVERYTHING))
    other = [e.replace(b"I" * 100, b"N" * 100).replace(b"K" * 32, b"L" * 32) for e in EVERYTHING]
    second = tls.read_client_hello(client_hello(*other, random=b"Q" * 32, session_id=b"P" * 32), record_version=0x0301)
    assert replace(
        first, random=b"Q" * 32, session_id=b"P" * 32, psk_identity=b"N" * 64, record_version=0x0301
    ) == second  # fmt: skip
    assert first.random == b"R" * 32


def test_reads_all_of_a_client_hello() -> None:
    message = client_hello(*EVERYTHING)
    hello = tls.read_client_hello(message, record_version=0x0301)
    assert hello == ClientHello(
        length=len(message) + 4,
        legacy_version=0x0303,
        random=b"R" * 32,
        session_id=b"S" * 32,
        cipher_suites=(0x0A0A, 0x1301, 0x1302, 0xC02F, 0x00FF, 0x5600),
        extension_types=tuple(int.from_bytes(e[:2], "big") for e in EVERYTHING),
        has_extensions=True,
        server_name="www.example.com",
        alpn=("h2", "http/1.1"),
        supported_versions=(0x3A3A, 0x0304, 0x0303),
        named_groups=(0x2A2A, 0x11EC, 29, 23),
        signature_schemes=(0x0403, 0x0804, 0x0401),
        signature_schemes_cert=(0x0804, 0x0603),
        key_shares=((0x2A2A, 1), (29, 32)),
        ec_point_formats=(0, 1, 2),
        psk_identities=2,
        psk_identity=b"I" * 64,
        psk_binder_length=48,
        psk_modes=(1,),
        session_ticket_length=160,
        early_data=True,
        extended_master_secret=True,
        encrypt_then_mac=True,
        renegotiation_info=True,
        renegotiation_info_length=12,
        fallback_scsv=True,
        status_request=True,
        sct=True,
        post_handshake_auth=True,
        record_size_limit=0x4001,
        max_fragment_length=4,
        cookie_length=20,
        certificate_authorities=(b"\x30\0", b"\x30\x01\0"),
        compress_certificate=(2, 1),
        delegated_credentials=(0x0403, 0x0503),
        encrypted_client_hello=True,
        padding_length=60,
        heartbeat=True,
        grease=True,
        record_version=0x0301,
        first_alpn=hello.first_alpn,
    )
    assert hello.max_version == 0x0304


def test_a_cut_client_hello_still_gives_its_name() -> None:
    message = client_hello(*EVERYTHING)
    with pytest.raises(Malformed) as caught:
        tls.read_client_hello(message[:300])
    partial = caught.value.partial
    assert isinstance(partial, ClientHello)
    assert (partial.server_name, partial.random, partial.alpn) == ("www.example.com", b"R" * 32, ("h2", "http/1.1"))


@pytest.mark.parametrize(
    ("message", "defect"),
    [
        (client_hello(server_name(b"a")) + b"xyz", "3 bytes after the extensions"),
        (client_hello(server_name(b"a"), extension(10, b"\0\x03\0\x17\0")), "extension 10: the groups of 3 bytes, an odd number"),
        (client_hello(server_name(b"a"), extension(43, b"\x02\x03\x04\x00")), "extension 43: 1 bytes after the versions"),
        (client_hello(server_name(b"a"), extension(51, b"\0\x05\0\x1d\0\x20K")),
         "extension 51: the last key share ends after the extension does"),
        (client_hello(server_name(b"a"), extension(41, b"")),
         "extension 41: it ends before the length of the identities"),
    ],
)  # fmt: skip
def test_steps_over_what_does_not_fit(message: bytes, defect: str) -> None:
    hello = tls.read_client_hello(message)
    assert hello.defects == (defect,)
    assert hello.server_name == "a"
    assert tls.read_client_hello(message).defects == (defect,)


def test_keeps_what_came_before_a_defect() -> None:
    hello = tls.read_client_hello(client_hello(extension(43, b"\x02\x03\x04\x00")))
    assert hello.supported_versions == (0x0304,)
    assert tls.read_client_hello(client_hello(extension(0))).server_name == ""
    name = tls.read_client_hello(client_hello(server_name(b"\xff\n\x1b[0m"))).server_name
    assert name == "\\xff\n\x1b[0m"


def test_reads_an_sslv2_hello() -> None:
    hello = tls.read_sslv2_client_hello(samples.SSLV2_HELLO)
    assert hello.sslv2
    assert (hello.legacy_version, hello.cipher_suites) == (0x0301, (0x010080, 0x2F, 0xFF))
    assert hello.renegotiation_info
    assert hello.random == bytes(16) + b"C" * 16
    assert (hello.has_extensions, hello.length) == (False, len(samples.SSLV2_HELLO) - 2)


def test_reads_a_server_hello() -> None:
    hello = tls.read_server_hello(samples.SERVER_HELLOS[-1])
    assert hello == ServerHello(
        length=len(samples.SERVER_HELLOS[-1]) + 4,
        legacy_version=0x0303,
        random=b"R" * 24 + b"DOWNGRD\x01",
        session_id=b"S" * 32,
        cipher_suite=0xC02F,
        extension_types=(0, 5, 16, 22, 23, 35, 0xFF01, 1),
        selected_version=0x0303,
        alpn="h2",
        session_ticket=True,
        extended_master_secret=True,
        encrypt_then_mac=True,
        renegotiation_info=True,
        status_request=True,
        server_name_acknowledged=True,
        max_fragment_length=2,
        downgrade_sentinel=1,
        ja3s=hello.ja3s,
    )


def test_a_template_does_not_carry_the_sentinel_over() -> None:
    assert tls.read_server_hello(server_hello(random=b"R" * 24 + b"DOWNGRD\x00")).downgrade_sentinel == 0
    assert tls.read_server_hello(server_hello(random=b"R" * 32)).downgrade_sentinel is None
    assert not tls.read_server_hello(server_hello(random=b"R" * 32)).hello_retry_request
    assert tls.read_server_hello(server_hello(random=tls.HELLO_RETRY_RANDOM)).hello_retry_request


def test_reads_drafts_of_tls13() -> None:
    hello = tls.read_server_hello(samples.DRAFT18_SERVER_HELLO)
    assert (hello.selected_version, hello.cipher_suite, hello.session_id) == (0x7F12, 0x1301, b"")
    assert (hello.key_share_group, hello.key_share_length) == (29, 32)
    final = tls.read_server_hello(server_hello(extension(43, numbers(0x7F1C)), extension(51, numbers(29) + vector(2, b"K"))))
    assert final.selected_version == 0x7F1C
    retry = tls.read_draft_hello_retry_request(numbers(0x7F12) + vector(2, extension(40, numbers(23))))
    assert (retry.hello_retry_request, retry.key_share_group) == (True, 23)


def test_reads_certificates() -> None:
    assert tls.read_certificate_list(samples.CERTIFICATE12, tls13=False) == ([samples.DER, samples.DER + b"\0"], None, False)
    assert tls.read_certificate_list(samples.CERTIFICATE13, tls13=True) == ([samples.DER] * 2, b"OCSP", False)
    assert tls.read_compressed_certificate(samples.COMPRESSED) == ([samples.DER] * 2, b"OCSP", False)
    many = vector(3, *[vector(3, samples.DER)] * 20)
    assert tls.read_certificate_list(many, tls13=False) == ([samples.DER] * 16, None, True)
    with pytest.raises(Malformed) as caught:
        tls.read_certificate_list(samples.CERTIFICATE12[:-3], tls13=False)
    assert caught.value.partial == ([samples.DER], None, False)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (numbers(1) + b"\0\0\x10" + samples.COMPRESSED[5:], "unpacks to more than 16 bytes"),
        (numbers(1) + b"\0\x10\0" + samples.COMPRESSED[5:], "instead of 4096 bytes"),
        (numbers(1) + b"\xff\xff\xff" + vector(3, b""), "more than 131072"),
        (numbers(1) + b"\0\0\x10" + vector(3, b"nonsense"), "is not zlib"),
        (numbers(9) + b"\0\0\x10" + vector(3, b""), "algorithm 9"),
    ],
)
def test_refuses_to_unpack(message: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        tls.read_compressed_certificate(message)


def test_reads_key_exchanges() -> None:
    ecdhe = tls.read_server_key_exchange(samples.ECDHE_EXCHANGE, 0xC02F, 0x0303)
    assert (ecdhe.named_group, ecdhe.public_length, ecdhe.signature_scheme, len(ecdhe.signature)) == (23, 65, 0x0804, 256)
    assert ecdhe.params == samples.ECDHE_EXCHANGE[:69]
    dhe = tls.read_server_key_exchange(samples.DHE_EXCHANGE, 0x0033, 0x0301)
    assert (dhe.dh_prime_bits, dhe.public_length, dhe.signature_scheme, len(dhe.signature)) == (1024, 128, None, 128)
    anonymous = tls.read_server_key_exchange(samples.ECDHE_EXCHANGE[:69], 0xC018, 0x0303)
    assert (anonymous.named_group, anonymous.signature) == (23, b"")
    assert tls.read_server_key_exchange(b"whatever", 0x9999, 0x0303).params == b"whatever"


def test_reads_requests_and_encrypted_extensions() -> None:
    older = tls.read_certificate_request(samples.REQUEST12, 0x0303)
    assert (older.certificate_types, older.signature_schemes, older.certificate_authorities) == (
        (1, 64), (0x0403, 0x0401), (b"\x30\0",),
    )  # fmt: skip
    newer = tls.read_certificate_request(samples.REQUEST13, 0x0304)
    assert (newer.signature_schemes, newer.certificate_authorities) == ((0x0403,), (b"\x30\0",))
    hidden = tls.read_encrypted_extensions(samples.ENCRYPTED_EXTENSIONS)
    assert (hidden.alpn, hidden.early_data, hidden.server_name_acknowledged) == ("h2", True, True)
    assert tls.read_certificate_status(samples.STATUS) == b"OCSP"
    assert tls.read_certificate_status(b"\x02" + vector(3, vector(3, b"FIRST"), vector(3, b"SECOND"))) == b"FIRST"


@pytest.mark.parametrize(
    "grow",
    [
        lambda n: client_hello(*[extension(0x7777)] * (n // 4)),
        lambda n: client_hello(extension(51, vector(2, *[numbers(29) + vector(2)] * (n // 4)))),
        lambda n: client_hello(extension(16, vector(2, *[vector(1, b"x")] * (n // 2)))),
        lambda n: client_hello(extension(41, vector(2, *[vector(2) + b"AGE!"] * (n // 6)) + vector(2))),
        lambda n: client_hello(extension(0, vector(2, *[b"\1" + vector(2)] * (n // 3)))),
    ],
    ids=["extensions", "key shares", "protocols", "identities", "names"],
)
def test_takes_time_in_proportion(grow: Callable[[int], bytes]) -> None:
    def measure(message: bytes) -> float:
        best = 9.0
        for _ in range(9):
            forget()
            begin = time.process_time()
            outcome(tls.read_client_hello, message)
            best = min(best, time.process_time() - begin)
        return best

    small, large = measure(grow(15_000)), measure(grow(60_000))
    assert large < 12 * small + 0.01  # four times the input; sixteen would be quadratic, and other work goes on beside this
