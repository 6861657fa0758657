"""JA3, JA3S and JA4 against their publishers' own examples, and against tshark on recorded captures."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from analyzer.model.fingerprints import ja3, ja4
from analyzer.tls.messages import Malformed, read_client_hello, read_server_hello


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word, 16) for word in text.split(","))


def test_ja3_of_the_publisher() -> None:
    suites = (47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4)
    assert ja3(769, suites, (0, 10, 11), (23, 24, 25), (0,)) == "ada70206e40642a3e4461f35503241d5"
    assert ja3(769, (4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99), (), (), ()) == "de350869b8c85de67a350c8d186f11e6"


SUITES = numbers("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035")
EXTENSIONS = numbers("001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015")
SCHEMES = numbers("0403,0804,0401,0503,0805,0501,0806,0601")


def test_ja4_of_the_publisher() -> None:
    assert ja4(0x0304, SUITES, EXTENSIONS, SCHEMES, b"h2") == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_grease_and_order_change_nothing_in_ja4() -> None:
    shuffled = ja4(0x0304, (0x1A1A, *reversed(SUITES)), (0xFAFA, *reversed(EXTENSIONS), 0x0A0A), SCHEMES, b"h2")
    assert shuffled == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("name", "letters"),
    [(b"", "00"), (b"h2", "h2"), (b"http/1.1", "h1"), (b"h", "hh"), (b"\xab", "ab"), (b"\xab\xcd", "ad"), (b"0\xab", "3b")],
)
def test_ja4_protocol_letters(name: bytes, letters: str) -> None:
    assert ja4(0x0303, (1,), (), (), name)[:10] == f"t12i0100{letters}"


def test_ja4_of_nothing() -> None:
    assert ja4(0x0300, (), (), (), b"") == "ts3i000000_000000000000_000000000000"


def test_digests_of_huge_offers_are_not_remembered() -> None:
    from analyzer.model import fingerprints

    caches = (fingerprints._short_dash, fingerprints._suites, fingerprints._extensions)
    before = [cache.cache_info().currsize for cache in caches]
    huge = tuple(range(60_000))
    ja3(771, huge, huge, huge, huge)
    ja4(771, huge, huge, huge, b"")
    assert [cache.cache_info().currsize for cache in caches] == before


CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus"))
CAPTURES = sorted(p for p in CORPUS.glob("**/*.pcap*") if p.stat().st_size < 60_000)[::4] if CORPUS.is_dir() else []


@pytest.mark.skipif(not CAPTURES or shutil.which("tshark") is None, reason="no recorded captures, or no tshark")
def test_ja3_as_tshark_says() -> None:
    fields = ["tls.handshake.type", "tls.handshake.ja3", "tls.handshake.ja3s", "tcp.payload"]
    compared = 0
    for capture in CAPTURES:
        command = ["tshark", "-r", str(capture), "-Y", "tls.handshake.ja3 || tls.handshake.ja3s", "-T", "fields"]
        text = subprocess.run(
            command + [word for name in fields for word in ("-e", name)], capture_output=True, text=True, check=False
        ).stdout
        for line in text.splitlines():
            _, client, server, payload = line.split("\t")
            data = bytes.fromhex(payload.split(",")[0])
            size = int.from_bytes(data[6:9], "big")
            if data[:2] != b"\x16\x03" or len(data) < 9 + size or int.from_bytes(data[3:5], "big") < size + 4:
                continue
            try:
                if data[5] == 1 and client:
                    assert read_client_hello(data[9 : 9 + size]).ja3 == client, capture
                    compared += 1
                elif data[5] == 2 and server:
                    assert read_server_hello(data[9 : 9 + size]).ja3s == server, capture
                    compared += 1
            except Malformed:
                continue
    assert compared > 20
