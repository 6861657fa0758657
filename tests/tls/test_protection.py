"""Constructions that no stack at hand talks any more: records sealed here, by the book, and opened again."""

from __future__ import annotations

import hmac
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, aead, modes

from analyzer.registries.suite_facts import suite_facts
from analyzer.tls.key_schedule import expand_label, key_block
from analyzer.tls.keylog import KeyLog
from analyzer.tls.opener import Opener
from analyzer.tls.protection import BadRecord, BlockProtection, StreamProtection, Tls13Protection, protect

decrepit = pytest.importorskip("cryptography.hazmat.decrepit.ciphers.algorithms")
MAC_KEY = b"M" * 20


def mac(sequence: int, version: int, plaintext: bytes) -> bytes:
    header = sequence.to_bytes(8, "big") + b"\x17" + version.to_bytes(2, "big") + len(plaintext).to_bytes(2, "big")
    return hmac.digest(MAC_KEY, header + plaintext, "sha1")


def test_rc4() -> None:
    facts = suite_facts(0x0005)
    assert facts is not None
    sealing = Cipher(decrepit.ARC4(b"K" * 16), None).encryptor()
    opening = StreamProtection(facts, b"K" * 16, MAC_KEY)
    for number in range(4):
        plaintext = b"record %d" % number
        sealed = sealing.update(plaintext + mac(number, 0x0303, plaintext))
        if number == 2:
            opening.pass_over(sealed)
        else:
            assert opening.open_record(23, 0x0303, sealed) == (23, plaintext)


@pytest.mark.parametrize("version", [0x0301, 0x0302])
def test_3des(version: int) -> None:
    facts = suite_facts(0x000A)
    assert facts is not None
    key, iv = bytes(range(24)), b"I" * 8
    opening = BlockProtection(facts, key, MAC_KEY, iv, version=version, encrypt_then_mac=False)
    for number in range(4):
        plaintext = b"record %d" % number
        padded = plaintext + mac(number, version, plaintext)
        count = 8 - len(padded) % 8
        padded += bytes([count - 1]) * count
        if version >= 0x0302:
            iv = bytes([number]) * 8
        sealing = Cipher(decrepit.TripleDES(key), modes.CBC(iv)).encryptor()
        sealed = sealing.update(padded) + sealing.finalize()
        record = iv + sealed if version >= 0x0302 else sealed
        with pytest.raises(BadRecord):
            opening.open_record(21, version, record)
        if number == 2:
            opening.pass_over(record)
        else:
            assert opening.open_record(23, version, record) == (23, plaintext)
        iv = sealed[-8:]


@pytest.mark.parametrize(
    ("draft", "label", "covered"), [(0x7F12, b"TLS 1.3, ", False), (0x7F17, b"tls13 ", False), (0x7F1C, b"tls13 ", True)]
)
def test_drafts_of_tls13(draft: int, label: bytes, covered: bool) -> None:
    """Until draft 24 the header was not authenticated, until draft 19 the labels began otherwise."""
    facts = suite_facts(0x1301)
    assert facts is not None
    secret = b"S" * 32

    def derive(name: bytes, length: int) -> bytes:
        info = length.to_bytes(2, "big") + bytes([len(label + name)]) + label + name + b"\0"
        return hmac.digest(secret, info + b"\x01", "sha256")[:length]

    assert expand_label("sha256", secret, "key", b"", 16, draft) == derive(b"key", 16)
    inner = b"hello\x16" + bytes(9)
    extra = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big") if covered else b""
    sealed = aead.AESGCM(derive(b"key", 16)).encrypt(derive(b"iv", 12), inner, extra)
    assert Tls13Protection(facts, secret, draft).open_record(23, 0x0303, sealed) == (22, b"hello")


@pytest.mark.parametrize("suite", [0x000A, 0x002F, 0x0041, 0x0005, 0xC02F, 0xCCA8, 0xC0AC, 0x003B, 0xC028])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 16, 24, 25, 32, 48, 64, 100])
@pytest.mark.parametrize("encrypt_then_mac", [False, True])
def test_noise_is_a_bad_record(suite: int, size: int, encrypt_then_mac: bool) -> None:
    facts = suite_facts(suite)
    assert facts is not None
    pair = protect(facts, 0x0303, lambda length: bytes(length), encrypt_then_mac=encrypt_then_mac)
    for opening in pair:
        with pytest.raises(BadRecord):
            opening.open_record(23, 0x0303, b"\xa5" * size)


def compressed_session() -> tuple[Opener, bytes]:
    log = KeyLog()
    log.feed(b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n")
    opener = Opener.for_handshake(log, b"\xab" * 32, 0x0303, 0x0002, server_random=bytes(32), compression=1)
    assert opener is not None
    return opener, key_block(0x0303, "sha256", b"\xcd" * 48, b"\xab" * 32, bytes(32), 40)[:20]


def seal(key: bytes, sequence: int, packed: bytes) -> bytes:
    header = sequence.to_bytes(8, "big") + b"\x17\x03\x03" + len(packed).to_bytes(2, "big")
    return packed + hmac.digest(key, header + packed, "sha1")


def test_compressed_records() -> None:
    """RFC 3749: one stream of zlib over all records of a direction."""
    opener, key = compressed_session()
    packer = zlib.compressobj()
    for number in range(3):
        plaintext = b"the same again and again" * (number + 1)
        record = seal(key, number, packer.compress(plaintext) + packer.flush(zlib.Z_SYNC_FLUSH))
        if number == 1:
            opener.pass_over(True, 23, record)
        else:
            assert opener.open(True, 23, record) == [(23, plaintext)]


def test_a_compressed_bomb_is_cut_at_a_record() -> None:
    opener, key = compressed_session()
    opened = opener.open(True, 23, seal(key, 0, zlib.compress(bytes(10_000_000))))
    assert opened == [(23, bytes(16_384))]


def test_compressed_noise_is_told() -> None:
    opener, key = compressed_session()
    assert opener.open(True, 23, seal(key, 0, b"no zlib at all")) is None
    assert opener.note == "the compressed records of the client do not unpack"
