"""The parts of a live run that need no interface."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_network import ROOT

from analyzer.cli.sniff import read_seconds, read_size
from analyzer.decode.decoder import Decoder
from analyzer.errors import UsageError
from analyzer.export.pcapng import PcapngWriter
from analyzer.export.rotating import RotatingFile
from analyzer.handshakes.tracker import Tracker
from analyzer.model.batches import FrameBatch
from analyzer.model.options import Options
from analyzer.pipeline.copies import Copies
from analyzer.pipeline.followed_keylog import FollowedKeyLog
from analyzer.pipeline.kept_frames import KeptFrames
from analyzer.pipeline.metrics import read_address
from analyzer.sources import open_source
from analyzer.sources.filters import Program, both, compile_expression, default_program

SYN = bytes.fromhex("0200000000020200000000010800") + bytes.fromhex(
    "4500002812340000400600000a0000010a0000029c4001bb00000001000000005002fff000000000"
)


def frames(*datas: bytes, interfaces: tuple[int, ...] = (), start: int = 1) -> FrameBatch:
    sizes = np.array([len(data) for data in datas], np.int64)
    n = len(datas)
    return FrameBatch(
        np.frombuffer(b"".join(datas) + bytes(64), np.uint8), np.cumsum(sizes) - sizes, sizes, sizes,
        np.arange(n, dtype=np.int64) * 1000 + 10**18, np.arange(start, start + n, dtype=np.int64), np.full(n, 1, np.uint16),
        np.array(interfaces or (0,) * n, np.uint16),
    )  # fmt: skip


def syn(number: int, *, identification: int = 1, ttl: int = 64) -> bytes:
    data = bytearray(SYN)
    data[18:20] = identification.to_bytes(2, "big")
    data[22] = ttl
    data[26:30] = (0x0A010000 + number).to_bytes(4, "big")
    return bytes(data)


def run_filter(program: Program, packet: bytes, protocol: int, network: int = 14) -> int:
    """Classic BPF as Linux runs it (networking/filter.txt), as far as these programs go."""
    a = x = at = 0

    def load(offset: int, size: int) -> int | None:
        if offset >= 0xFFFFF000:
            return protocol
        if offset >= 0xFFF00000:
            offset = offset - 0xFFF00000 + network
        return int.from_bytes(packet[offset : offset + size], "big") if offset + size <= len(packet) else None

    for _ in range(10_000):
        code, jt, jf, k = program[at]
        at += 1
        if code == 0x06:
            return k
        if code == 0x05:
            at += k
        elif code == 0x54:
            a &= k
        elif code in (0x15, 0x25, 0x35, 0x45):
            hit = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: bool(a & k)}[code]
            at += jt if hit else jf
        else:
            size = {0x20: 4, 0x28: 2, 0x30: 1, 0x48: 2, 0x50: 1, 0xB1: 1}.get(code)
            assert size is not None, hex(code)
            value = load(k + x if code in (0x48, 0x50) else k, size)
            if value is None:
                return 0
            if code == 0xB1:
                x = 4 * (value & 15)
            else:
                a = value
    raise AssertionError("a filter without an end")


def ipv4(protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    header = bytearray(SYN[14:34])
    header[6:8] = fragment.to_bytes(2, "big")
    header[9] = protocol
    return SYN[:14] + bytes(header) + payload


def ipv6(following: int, payload: bytes) -> bytes:
    return SYN[:12] + b"\x86\xdd" + b"\x60" + bytes(5) + bytes([following, 64]) + bytes(32) + payload


@pytest.mark.parametrize(
    ("packet", "protocol", "passes"),
    [
        (SYN, 0x0800, True),
        (ipv4(17, bytes(20)), 0x0800, False),
        (ipv4(1, b"\x03\x04" + bytes(40)), 0x0800, True),  # fragmentation needed
        (ipv4(1, b"\x0b\x00" + bytes(40)), 0x0800, True),  # time exceeded
        (ipv4(1, b"\x08\x00" + bytes(40)), 0x0800, False),  # echo
        (ipv4(17, bytes(20), fragment=0x0010), 0x0800, False),
        (ipv4(6, bytes(20), fragment=0x0010), 0x0800, True),
        (ipv6(6, bytes(20)), 0x86DD, True),
        (ipv6(17, bytes(20)), 0x86DD, False),
        (ipv6(44, bytes(20)), 0x86DD, True),  # a fragment
        (ipv6(58, b"\x02" + bytes(20)), 0x86DD, True),  # packet too big
        (ipv6(58, b"\x87" + bytes(20)), 0x86DD, False),  # neighbour solicitation
        (SYN, 0x8100, True),
        (SYN, 0x0806, False),
    ],
)
def test_the_default_filter_lets_through_what_tells_of_tcp(packet: bytes, protocol: int, passes: bool) -> None:
    assert run_filter(default_program(777), packet, protocol) == (777 if passes else 0)


def test_a_frame_must_pass_both_filters() -> None:
    program = both(compile_expression("dst port 443", ethernet=True), default_program(500))
    assert run_filter(program, SYN, 0x0800) == 500
    assert run_filter(program, SYN[:36] + b"\x00\x50" + SYN[38:], 0x0800) == 0
    # what is compiled for bare IP packets looks behind any link header
    bare = both(compile_expression("dst port 443", ethernet=False), default_program(500))
    assert run_filter(bare, bytes(3) + SYN[14:], 0x0800, network=3) == 500
    assert run_filter(bare, bytes(3) + SYN[14:36] + b"\x00\x50" + SYN[38:], 0x0800, network=3) == 0
    with pytest.raises(UsageError, match=r"unknown port|no filter"):
        compile_expression("port of", ethernet=True)


@given(
    st.lists(st.tuples(st.integers(0, 2**63 - 1), st.sampled_from([1, 101]), st.sampled_from(["eth0", "", "é"]), st.binary(max_size=70)))
)
def test_frames_come_out_of_a_written_capture_as_they_went_in(rows: list[tuple[int, int, str, bytes]]) -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    writer.write_secrets(b"CLIENT_RANDOM 00 00\n")
    for when, link, name, data in rows:
        writer.write_frame(when, link, name, data, len(data) + 5)
    assert writer.written == len(stream.getvalue())
    read = []
    with open_source([io.BytesIO(stream.getvalue())]) as source:
        for batch in source:
            view = batch.data.tobytes()
            for index in range(len(batch)):
                begin = int(batch.offset[index])
                data = view[begin : begin + int(batch.captured_length[index])]
                name = source.interfaces[int(batch.interface[index])].name
                read.append((int(batch.timestamp[index]), int(batch.link_type[index]), name, data))
                assert int(batch.original_length[index]) == len(data) + 5
        assert source.secrets == [b"CLIENT_RANDOM 00 00\n"]
    assert read == rows


def test_a_copy_belongs_to_the_interface_that_was_first() -> None:
    copies, decoder = Copies(), Decoder()
    batch = frames(syn(1), syn(1, ttl=63), syn(2), syn(1), syn(1, ttl=63), syn(2, identification=9), interfaces=(1, 2, 2, 1, 2, 2))
    kept = copies.leave_out(decoder.decode(batch))
    # the same on the first interface again is a retransmission
    assert kept.frame.tolist() == [1, 3, 4, 6]
    assert copies.left_out == 2
    later = copies.leave_out(decoder.decode(frames(syn(1), syn(2), interfaces=(2, 2), start=7)))
    assert later.frame.tolist() == [8]


def test_frames_are_kept_within_bounds_and_forgotten() -> None:
    tracker, decoder = Tracker(Options()), Decoder()
    kept = KeptFrames(tracker, most=20_000)
    for begin in range(0, 400, 100):
        batch = frames(*(syn(number) for number in range(begin, begin + 100)), start=begin + 1)
        segments = decoder.decode(batch)
        tracker.take(segments)
        kept.take(batch, segments)
        assert kept.bytes <= 20_000
    assert kept.left_out >= 300
    ended = tracker.finish()
    assert len(ended) == 400
    last = kept.give(ended[-1])
    assert [frame.data for frame in last] == [syn(399)]
    kept.forget_past()
    assert kept.bytes == 0


def test_files_keep_what_was_there_and_follow_logrotate(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("before\n")
    made: list[io.BufferedWriter] = []
    file = RotatingFile(str(path), lambda stream: made.append(stream) or stream, size=10, keep=2)
    assert len(list(tmp_path.iterdir())) == 2
    for text in (b"0123456789", b"second fills", b"third fills it"):
        file.inner.write(text)
        file.flush()
    assert len(made) == 4
    assert len(list(tmp_path.iterdir())) == 3  # the one being written and the two kept
    file.inner.write(b"x")
    path.rename(tmp_path / "moved")
    file.rotate()
    file.inner.write(b"y")
    file.close()
    assert (tmp_path / "moved").read_bytes() == b"x"
    assert path.read_bytes() == b"y"


def test_words_for_sizes_times_and_addresses() -> None:
    assert [read_size(text) for text in ("1", "2k", "1.5M", "3GB", "4MiB")] == [1, 2000, 1_500_000, 3 * 10**9, 4 * 10**6]
    assert [read_seconds(text, "") for text in ("5", "1.5s", "2m", "3h", "1d")] == [5, 1.5, 120, 10_800, 86_400]
    assert [read_address(text) for text in (":1", "9464", "[::1]:2", "a:3")] == [("0.0.0.0", 1), ("0.0.0.0", 9464), ("::1", 2), ("a", 3)]
    for wrong in ("", "x", "-1", "0"):
        with pytest.raises(UsageError):
            read_size(wrong)
        with pytest.raises(UsageError):
            read_seconds(wrong, "--duration")
    for wrong in ("", "x:", ":0", ":65536"):
        with pytest.raises(UsageError):
            read_address(wrong)


def test_a_capture_leaves_with_the_secrets_of_its_connections_only(tmp_path: Path) -> None:
    folder = ROOT / "captures" / "completed--openssl-apache-tls13-mutual"
    out = tmp_path / "open.pcapng"
    keys = tmp_path / "keys.log"
    keys.write_text(f"CLIENT_RANDOM {'ab' * 32} {'cd' * 48}\n" + (folder / "keys.log").read_text())

    def analyze(*arguments: str) -> str:
        command = [
            sys.executable,
            "-m",
            "analyzer",
            "analyze",
            *arguments,
            "--format",
            "jsonl",
            "--fields",
            "first_seen,certificate_subject,history",
        ]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with_keys = analyze(str(folder / "capture.pcapng"), "--keylog", str(keys), "--export-decrypted", str(out))
    assert "server.test" in with_keys
    assert analyze(str(out)) == with_keys
    assert oct(out.stat().st_mode & 0o777) == "0o600"
    assert b"ab" * 32 not in out.read_bytes()
    assert out.stat().st_size < 100_000


def test_a_key_log_that_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    followed = FollowedKeyLog(str(path))  # comes later
    assert len(followed.keylog) == 0

    def line(number: int) -> str:
        return f"CLIENT_RANDOM {number:064x} {'ab' * 48}\n"

    path.write_text(line(1) + line(2)[:30])
    followed.read_on()
    assert len(followed.keylog) == 1
    with path.open("a") as file:
        file.write(line(2)[30:] + "nonsense\n")
    followed.read_on()
    assert len(followed.keylog) == 2
    assert followed.keylog.bad_lines == 1
    path.write_text(line(3))  # cut and begun anew
    followed.read_on()
    path.rename(tmp_path / "old")
    path.write_text(line(4))
    followed.read_on()
    assert len(followed.keylog) == 4
    followed.keylog.forget_oldest(1)
    assert (4).to_bytes(32, "big") in followed.keylog
    assert len(followed.keylog) == 1
