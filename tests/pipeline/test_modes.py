"""Whatever is asked of completed handshakes, the answers agree: each of them made, their rows alone, or how many there are."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Literal

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "handshakes"))
from recorded import available, capture_of

from analyzer.model.finding import Finding
from analyzer.model.options import Options
from analyzer.model.tcp import TcpFlag
from analyzer.pipeline import run as run_module
from analyzer.pipeline.run import Run
from analyzer.schema import AlikeRow
from analyzer.tables import handshake_row
from benchmarks.workloads import read_frames

NAMES = available(
    "completed--openssl-openssl-tls13-hrr",
    "completed--openssl-apache-tls12-second-handshake",
    "completed--gnutls-gnutls-tls11",
    "completed--openssl-nginx-tls12",
    "completed--openssl-deno-tls12-at-once",
    "completed--gnutls-haproxy-tls12",
    "completed--go-go-tls13",
    "client-silent-reject--node-nginx-tls12",
    "cert-expired--go-nginx-tls12",
)
COUNT = 12
MILLISECOND = 1_000_000
DAY = 86_400 * 10**9
Frame = tuple[int, bytes]
Told = tuple[dict[object, dict[str, object]], list[object], object, list[object]]


@cache
def frames_of(name: str) -> tuple[Frame, ...]:
    """(ns since the epoch, bytes) of the first connection of a recording."""
    frames = read_frames(capture_of(name))
    ends = {frames[0][1][26:30] + frames[0][1][34:36], frames[0][1][30:34] + frames[0][1][36:38]}
    return tuple((when, frame) for when, frame in frames if {frame[26:30] + frame[34:36], frame[30:34] + frame[36:38]} == ends)


def pcap(frames: Iterable[Frame], snaplen: int = 1 << 18) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen, 1)]
    for when, frame in frames:
        cut = frame[:snaplen]
        out.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(cut), len(frame)) + cut)
    return b"".join(out)


def payload_of(frame: bytes) -> int:
    """Where the payload begins."""
    return 34 + (frame[46] >> 4) * 4


def copies(frames: Sequence[Frame], *, later: int = 0, keeps: Callable[[int, int], bool] = lambda *_: True) -> list[Frame]:
    """The same connection again and again, of clients of their own; ``keeps`` says of (copy, frame) whether it was captured."""
    client = frames[0][1][26:30] + frames[0][1][34:36]
    out = []
    for number in range(COUNT):
        for place, (when, frame) in enumerate(frames):
            if not keeps(number, place):
                continue
            body = bytearray(frame)
            at = 0 if frame[26:30] + frame[34:36] == client else 1
            body[26 + 4 * at : 30 + 4 * at] = (0x0A000063 - number).to_bytes(4, "big")
            body[34 + 2 * at : 36 + 2 * at] = (2_000 + number).to_bytes(2, "big")
            start = payload_of(frame)
            if frame[start : start + 1] == b"\x16" and frame[start + 5] == 1:
                body[start + 11] = number  # of the random: no two are one connection seen twice
            out.append((when + later + number * 20 * MILLISECOND, bytes(body)))
    return sorted(out, key=itemgetter(0))


def told(captures: Sequence[str | bytes], completed: Literal["handshakes", "rows", "counts"]) -> Told:
    """Rows by number, what is said of those that did not complete, totals, what will fail next."""
    sources = [io.BytesIO(capture) if isinstance(capture, bytes) else capture for capture in captures]
    run = Run(sources, Options(completed=completed, keeps_flows=False))
    rows: dict[object, dict[str, object]] = {}
    failures: list[object] = []
    for one in run.found():
        row = dict(one) if isinstance(one, AlikeRow) else handshake_row(one, run.captures)
        rows[row["flow_id"]] = row
        if not isinstance(one, AlikeRow) and one.outcome != "completed":
            failures.append((row, [shown(finding) for finding in one.also]))
    return rows, failures, replace(run.totals, seconds=0), [shown(finding) for finding in run.prevention()]


def shown(finding: Finding) -> object:
    return finding.cause, finding.confidence, finding.kind, finding.summary, finding.evidence, finding.remedy, finding.confirm


def assert_agree(captures: Sequence[str | bytes]) -> Told:
    """``captures``: files, or what comes out of a pipe."""
    each = told(captures, "handshakes")
    rows, counts = told(captures, "rows"), told(captures, "counts")
    assert rows == each
    assert counts[1:] == each[1:]
    return each


@pytest.fixture(autouse=True)
def alike_stay_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few there are; and batches are the same in all modes, for who knows what of whom goes by them."""
    monkeypatch.setattr(run_module, "BUFFERED", 1)
    for name in ("BATCH_BYTES", "LARGE_BATCH_BYTES"):
        monkeypatch.setattr(run_module, name, 1 << 24)


@pytest.mark.parametrize("later", [0, 900 * DAY])
@pytest.mark.parametrize("name", NAMES)
def test_modes_agree_whatever_the_capture_lacks(name: str, later: int, tmp_path: Path) -> None:
    """Of all copies the same frame, or of one copy; out of a pipe, and of a file."""
    frames = frames_of(name)
    path = tmp_path / "some.pcap"
    for lost in range(-1, len(frames)):
        assert_agree([pcap(copies(frames, later=later, keeps=lambda _, place, lost=lost: place != lost))])
        path.write_bytes(pcap(copies(frames, later=later, keeps=lambda number, place, lost=lost: place != lost or number != 1)))
        assert_agree([str(path)])


def leaving(frames: Sequence[Frame], unseen: int) -> list[Frame]:
    """The same connection, closed by the client in place of its first data, after so many bytes more of the server than were captured."""
    data = next(place for place, (_, frame) in enumerate(frames) if frame[payload_of(frame) :][:1] == b"\x17")
    when, closing = frames[data]
    end = payload_of(closing)
    left = bytearray(closing[:end])
    left[16:18] = (end - 14).to_bytes(2, "big")
    left[42:46] = (int.from_bytes(left[42:46], "big") + unseen).to_bytes(4, "big")
    left[47] = TcpFlag.FIN | TcpFlag.ACK
    reset = bytearray(left)
    reset[47] = TcpFlag.RST
    return [*frames[:data], (when, bytes(left)), (when + MILLISECOND, bytes(reset))]


@pytest.mark.parametrize("unseen", [0, 31])
def test_modes_agree_on_clients_that_leave_at_once(unseen: int) -> None:
    """Where bytes are missing nobody knows whether the client left without a word: its segments tell."""
    rows, *_ = assert_agree([pcap(copies(leaving(frames_of("completed--openssl-nginx-tls12"), unseen)))])
    assert {row["outcome"] for row in rows.values()} == {"completed"}
    assert all(("client-silent-reject" in row["also"]) == (not unseen) for row in rows.values())


def test_a_clock_may_be_set_by_months_in_between() -> None:
    """Times of devices that begin in 1970 are told to the nanosecond like any others."""
    frames = frames_of("completed--openssl-nginx-tls12")
    later = 4_494_938_548_899_023 - frames[1][0]
    rows, *_ = assert_agree([pcap(copies([(304_808, frames[0][1]), *((when + later, frame) for when, frame in frames[1:])]))])
    assert {row["connect_ms"] for row in rows.values()} == {4494938548.594215}


def in_two(frames: Sequence[Frame], stop: int) -> list[bytes]:
    """Copies of a connection, every other of which goes on in a second capture."""

    def cut(first: bool) -> bytes:
        return pcap(copies(frames, keeps=lambda number, place: (number % 2 == 0 or place < stop) == first))

    return [cut(True), cut(False)]


@pytest.mark.parametrize(
    "name",
    available(
        "completed--gnutls-gnutls-tls11",
        "completed--go-go-tls13",
        "client-cert-missing--openssl-openssl-tls13",
        "completed--go-go-tls13-mutual",
    ),
)
def test_a_connection_may_go_on_in_another_capture(name: str) -> None:
    """Where frames begin anew they do not say what came first: neither within a connection nor of others like it."""
    frames = frames_of(name)
    (outcome,) = {row["outcome"] for row in assert_agree([pcap(copies(frames))])[0].values()}
    for stop in range(4, len(frames) - 4):
        rows, *_ = assert_agree(in_two(frames, stop))
        assert {row["outcome"] for row in rows.values()} == {outcome}, stop
        assert all(row["cause"] is None for row in rows.values()) == (outcome == "completed"), stop


def test_those_that_go_on_elsewhere_at_the_same_time_are_told_alike() -> None:
    """Not even times say what came first then."""
    frames = [(1_700_000_000 * 10**9, frame) for _, frame in frames_of("completed--gnutls-gnutls-tls11")]
    for stop in range(4, len(frames) - 4):
        assert_agree(in_two(frames, stop))


def test_a_frame_may_be_cut_right_behind_its_headers(tmp_path: Path) -> None:
    """Also the last of a batch, where no byte is left that its payload would begin with."""
    frames = frames_of("completed--openssl-nginx-tls12")
    asked = next(place for place, (_, frame) in enumerate(frames) if payload_of(frame) < len(frame))
    paths = [tmp_path / "even.pcap", tmp_path / "odd.pcap"]
    for rest, path in enumerate(paths):  # two that overlap in time are laid together, and no byte more
        half = copies(frames[: asked + 1], keeps=lambda number, _, rest=rest: number % 2 == rest)
        path.write_bytes(pcap(half, snaplen=payload_of(frames[asked][1])))
    rows, *_ = assert_agree([*map(str, paths)])
    assert len(rows) == COUNT
