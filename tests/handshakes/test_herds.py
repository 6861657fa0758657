"""What is kept of handshakes alike is each of them: made, learned and counted as if it had been read by itself."""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import fields, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, capture_of

from analyzer.diagnosis.context import Attempt, Context
from analyzer.export.writer import open_writer
from analyzer.handshakes import herds
from analyzer.handshakes.alike import Alikes
from analyzer.handshakes.flight import Flight
from analyzer.handshakes.herds import Herds
from analyzer.model.handshake import Flow, Handshake
from analyzer.model.options import Options
from analyzer.model.tcp import IcmpError
from analyzer.pipeline import run as run_module
from analyzer.pipeline.reading import Reading
from analyzer.pipeline.run import Run
from analyzer.schema import HANDSHAKES, AlikeRow
from analyzer.sources import open_source
from analyzer.tables import handshake_row
from benchmarks.workloads import payload_of, read_frames, shuffled

NAMES = available(
    "completed--openssl-nginx-tls12",
    "completed--curl-nginx-tls13",
    "completed--go-go-tls12",
    "completed--go-go-tls13",
    "completed--gnutls-gnutls-tls13",
    "completed--java-java-tls13",
    "completed--nss-nss-tls12",
    "completed--curl-nginx-tls13-certificate-not-sent",
    "completed--openssl-openssl-tls13",
    "completed--openssl-stunnel-tls13",
    "completed--openssl-deno-tls12-at-once",
    "completed--python-python-tls13-server-rst",
    "completed--boringssl-nginx-tls12",
    "completed--boringssl-nginx-tls13",
    "completed--firefox-granian-tls13",
    "mtls-app-layer-rejection--curl-nginx-tls13",
    "client-silent-reject--node-nginx-tls12",
    "cert-expired--go-nginx-tls12",
    "no-common-cipher--openssl-nginx-tls12",
)
ASKED = (
    b"server.test",
    b"server.test",
    b"Shop42.test",
    b"a_b-c.d.tes",
    b"198.51.10.9",
    b"ser\0er.test",
    b"s\xc3\xa9rver.tst",
    b"xn--abc.tst",
)
"""Names of the same length, some of which are none."""
Frame = tuple[int, bytes]
MILLISECOND = 1_000_000
SOON = 1_000 * MILLISECOND


@cache
def frames_of(name: str) -> tuple[Frame, ...]:
    """(ns since the first, bytes) of the TCP frames of a recording over Ethernet and IPv4."""
    found = read_frames(capture_of(name))
    first = found[0][0]
    return tuple((when - first, frame) for when, frame in found)


def moved(frame: bytes, client: bytes, number: int) -> bytes:
    """The same frame of another client."""
    out = bytearray(frame)
    at = 26 if frame[26:30] + frame[34:36] == client else 30
    out[at : at + 4] = (0x0A000001 + number % 5).to_bytes(4, "big")
    out[34 + (at - 26) // 2 : 36 + (at - 26) // 2] = (2_000 + number).to_bytes(2, "big")
    return bytes(out)


def asking(frame: bytes, name: bytes) -> bytes:
    """The same frame, for another name where it holds a ClientHello."""
    start = payload_of(frame)
    return frame.replace(b"server.test", name) if frame[start : start + 1] == b"\x16" and frame[start + 5 : start + 6] == b"\x01" else frame


def going_on(frames: list[bytes]) -> list[Frame]:
    """The last data of each side once more, as more of it, some seconds later."""
    later = []
    for sender in {frame[26:30] for frame in frames}:
        said = [frame for frame in frames if frame[26:30] == sender and payload_of(frame) < len(frame)]
        start = payload_of(said[-1])
        if said[-1][start] == 0x17:
            number = (int.from_bytes(said[-1][38:42], "big") + len(said[-1]) - start) & 0xFFFFFFFF
            later.append((3 * SOON, said[-1][:38] + number.to_bytes(4, "big") + said[-1][42:]))
    return later


def many(chance, count: int, *, spoil: bool) -> bytes:
    """A capture of copies of recorded connections for a few names, interleaved, some of which stay open and go on later, many with some
    bytes changed, frames lost or sent again late."""
    names = chance.sample(NAMES, min(3, len(NAMES)))
    asked = chance.sample(ASKED, 4)
    events: list[tuple[int, int, bytes]] = []
    for number in range(count):
        name = chance.choice(asked)
        recorded = chance.choice(names)
        frames = [(when, asking(frame, name)) for when, frame in frames_of(recorded)]
        if "boringssl" in recorded or "firefox" in recorded:
            frames = shuffled(frames, chance)
        client = frames[0][1][26:30] + frames[0][1][34:36]
        if chance.random() < 0.3:
            frames = [(when, frame) for when, frame in frames if not frame[47] & 5]
            if chance.random() < 0.5:
                frames += going_on([frame for _, frame in frames])
        begin = number * chance.choice((0, MILLISECOND, 700 * MILLISECOND))
        for at, (when, frame) in enumerate(frames):
            body = bytearray(moved(frame, client, number))
            start = payload_of(frame)
            if spoil and start < len(body) and chance.random() < 0.1:
                body[chance.randrange(start, len(body))] ^= 1 << chance.randrange(8)
            if spoil and chance.random() < 0.01:
                continue
            events.append((begin + (min(when, 40 * MILLISECOND) if when < SOON else when) + at, number, bytes(body)))
            if spoil and chance.random() < 0.01:
                events.append((begin + chance.choice((0, 30, 300, 1_000, 5_000)) * MILLISECOND, number, bytes(body)))
        if spoil and chance.random() < 0.1:
            reset = bytearray(moved(chance.choice(frames)[1], client, number))
            reset[47] = 0x14
            events.append((begin + chance.choice((10, 41_000, 9_000_000)) * 1_000, number, bytes(reset)))
    events.sort()
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for when, _, frame in events:
        when += 1_700_000_000 * 10**9
        out.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(frame), len(frame)) + frame)
    return b"".join(out)


def read(capture: bytes, batch_bytes: int, *, keeps: bool) -> tuple[list[Handshake], int, Run]:
    """Every handshake, settled and not judged; how many of them were kept in herds; the run that learned them."""
    run = Run([str(capture_of(NAMES[0]))], Options(completed="handshakes" if keeps else "counts", keeps_flows=False))
    reading = Reading(open_source([io.BytesIO(capture)], batch_bytes=batch_bytes), run.options, None)
    found, held = [], 0
    for step in reading.steps():
        run._learn_step(step)
        found += [*step.ended, *step.evicted]
        for herd in step.herds:
            held += len(herd)
            found += herd.make(np.arange(len(herd)))
    found.sort(key=lambda h: h.flow.number)
    return found, held, run


def plain(h: Handshake) -> Handshake:
    """Without what only says how it is to be made, or what only ``settle`` fills in."""
    h.messages = h.messages
    h.read_segments, h.known_segments = None, ()
    h.outcome, h.aborted_by, h.closing_alert, h.closing_evidence = "unfinished", "none", None, []
    return h


@pytest.mark.parametrize("spoil", [False, True])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(chance=st.randoms(use_true_random=False))
def test_each_is_made_as_it_would_have_been_read(spoil: bool, chance) -> None:
    capture = many(chance, chance.choice((9, 40)), spoil=spoil)
    size = chance.choice((3_000, 40_000, 100_000, 1 << 24))
    expected, none_held, one_by_one = read(capture, size, keeps=True)
    found, _, together = read(capture, size, keeps=False)
    assert none_held == 0
    assert len(found) == len(expected)
    for made, other in zip(found, expected, strict=True):
        outcome = other.outcome
        assert plain(made) == plain(other)
        assert outcome == "completed" or made.outcome == "unfinished"
    assert_same_memory(one_by_one.diagnosis.context, together.diagnosis.context)


def assert_same_memory(one: Context, other: Context) -> None:
    """Both know the same of servers, names, clients, captures."""

    def shown(attempt: Attempt) -> tuple[object, ...]:
        hello = attempt.hello
        offer = None if hello is None else tuple(getattr(hello, f.name) for f in fields(hello) if f.name not in ("random", "session_id"))
        answer = attempt.server_hello
        return (*attempt[:10], offer, None if answer is None else (answer.cipher_suite, answer.ja3s), *attempt[12:])

    for name in ("servers", "names"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.keys() == theirs.keys()
        for key, profile in ours.items():
            same = theirs[key]
            for field in fields(profile):
                if field.name in ("serial", "_counters", "recent", "_shapes"):
                    continue
                assert getattr(profile, field.name) == getattr(same, field.name), field.name
            for part in ("versions", "cipher_suites", "key_types", "leaves", "ttls", "addresses", "names_served", "names_failed", "alpn"):
                assert getattr(profile, part) == getattr(same, part), part
            assert [*map(shown, profile.accepted)] == [*map(shown, same.accepted)]
            assert [*map(shown, profile.refused)] == [*map(shown, same.refused)]
    for part in ("recent", "_starts"):
        kept, known = getattr(one, part), getattr(other, part)
        assert len(kept) == len(known)
        for key, attempts in kept._kept.items():
            if isinstance(key, int):  # a profile's: compared with the profile
                continue
            assert [*map(shown, attempts)] == [*map(shown, known.get(key))]
    assert one._randoms.keys() == other._randoms.keys()
    for random in one._randoms:
        assert [*map(shown, one._alike_in_random(random))] == [*map(shown, other._alike_in_random(random))]
    for table in ("_seen", "_latest", "_sites", "_several", "_client_issuers", "_authorities"):
        assert getattr(one.chains, table).keys() == getattr(other.chains, table).keys(), table
    assert one.captures == other.captures
    assert one.old_clients == other.old_clients


def test_handshakes_alike_are_kept_together() -> None:
    capture = many(Random(7), 60, spoil=False)
    _, held, _ = read(capture, 1 << 24, keeps=False)
    assert held > 10


@pytest.mark.parametrize("seed", range(12))
def test_what_is_told_does_not_depend_on_it(seed: int, tmp_path: Path) -> None:
    """The same failures, the same counts, the same warnings of what will fail next."""
    path = tmp_path / "many.pcap"
    path.write_bytes(many(Random(seed), 150, spoil=seed % 2 == 1))
    told = []
    for keeps in (True, False):
        run = Run([str(path)], Options(completed="handshakes" if keeps else "counts", keeps_flows=False))
        handshakes = [h for h in run.handshakes() if h.outcome != "completed"]
        verdicts = [
            (
                h.flow.stream,
                h.outcome,
                h.aborted_by,
                h.finding and (h.finding.cause, h.finding.confidence, h.finding.summary, h.finding.evidence),
            )
            for h in handshakes
        ]
        totals = run.totals
        counted = (totals.handshakes, totals.completed, totals.failed, totals.unfinished, totals.no_handshake)
        told.append((verdicts, counted, run.prevention(), run.warnings))
    assert told[0] == told[1]


def overtaken(name: str, count: int) -> bytes:
    """A capture of copies of a recorded connection in which a segment was overtaken, and one came again."""
    frames = frames_of(name)
    client = frames[0][1][26:30] + frames[0][1][34:36]
    filled = [place for place, (_, frame) in enumerate(frames) if payload_of(frame) < len(frame)]
    one, other = next(pair for pair in pairwise(filled) if frames[pair[0]][1][26:30] == frames[pair[1]][1][26:30])
    order = list(range(len(frames)))
    order[one], order[other] = other, one
    order.insert(order.index(filled[-1]) + 1, filled[-1])
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for number in range(count):
        for at, place in enumerate(order):
            when, body = 1_700_000_000 * 10**9 + number * MILLISECOND + at, moved(frames[place][1], client, number)
            out.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(body), len(body)) + body)
    return b"".join(out)


def ever_another(name: str, count: int) -> bytes:
    """A capture of copies of a recorded connection whose client offers another suite each time."""
    frames = frames_of(name)
    client = frames[0][1][26:30] + frames[0][1][34:36]
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for number in range(count):
        for at, (_, frame) in enumerate(frames):
            body = bytearray(moved(frame, client, number))
            start = payload_of(frame)
            if body[start : start + 1] == b"\x16" and body[start + 5] == 1:
                suites = start + 9 + 35 + body[start + 9 + 34] + 2
                body[suites + 1] = number
            when = 1_700_000_000 * 10**9 + number * MILLISECOND + at
            out.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(body), len(body)) + bytes(body))
    return b"".join(out)


@pytest.mark.parametrize("seed", [*range(6), *NAMES[:3], "ever another"])
def test_those_recalled_are_those_read(seed: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where segments came out of order or twice, and where ClientHellos are others each time."""
    if seed == "ever another":
        capture = ever_another(NAMES[0], 60)
    else:
        capture = overtaken(seed, 12) if isinstance(seed, str) else many(Random(seed), 150, spoil=True)
    recalled = []
    recall = Alikes.recall

    def count(self: Alikes, flow: Flow, flight: Flight, icmp: list[IcmpError]) -> Handshake | None:
        found = recall(self, flow, flight, icmp)
        if found is not None:
            recalled.append(flight.arrivals is not None)
        return found

    monkeypatch.setattr(Alikes, "recall", count)
    found, _, _ = read(capture, 1 << 24, keeps=True)
    monkeypatch.setattr(Alikes, "recall", lambda *_: None)
    expected, _, _ = read(capture, 1 << 24, keeps=True)
    assert [plain(h) for h in found] == [plain(h) for h in expected]
    assert len(recalled) >= 10
    assert any(recalled) or seed not in NAMES


def rows_of(path: Path, completed: Literal["handshakes", "rows"]) -> tuple[list[dict[str, object]], int, Run]:
    """Every row, in the order of flows; how many of them stayed columns; the run."""
    run = Run([str(path)], Options(completed=completed, keeps_flows=False))
    found = list(run.found())
    rows = [dict(one) if isinstance(one, AlikeRow) else handshake_row(one, run.captures) for one in found]
    rows.sort(key=lambda row: row["flow_id"])
    return rows, sum(isinstance(one, AlikeRow) for one in found), run


@pytest.mark.parametrize("seed", range(16))
def test_rows_of_those_alike_are_those_of_each(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was changed, lost, delayed or reset, and whatever notes there are; many captures wait for their neighbours, one does not."""
    monkeypatch.setattr(run_module, "BUFFERED", 1)
    for name in ("BATCH_BYTES", "LARGE_BATCH_BYTES"):  # who knows what of whom goes by batches
        monkeypatch.setattr(run_module, name, 1 << 24 if seed % 3 else 100_000)
    path = tmp_path / "many.pcap"
    path.write_bytes(many(Random(seed), 150, spoil=seed % 2 == 1))
    expected, none, one_by_one = rows_of(path, "handshakes")
    rows, alike, together = rows_of(path, "rows")
    assert none == 0
    assert rows == expected
    assert together.totals == replace(one_by_one.totals, seconds=together.totals.seconds)
    assert alike or seed % 2


def test_a_few_wait_for_their_neighbours_and_are_made() -> None:
    rows, alike, run = rows_of(capture_of(NAMES[0]), "rows")
    assert (len(rows), alike) == (run.totals.handshakes, 0)


def test_every_format_writes_rows_alike_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "BUFFERED", 1)
    path = tmp_path / "100%s.pcap"
    path.write_bytes(many(Random(3), 200, spoil=False))
    rows = [one for one in Run([str(path)], Options(completed="rows", keeps_flows=False)).found() if isinstance(one, AlikeRow)]
    assert len(rows) > 10
    for kind in ("jsonl", "csv", "parquet", "ecs"):
        written = []
        for several in (rows, [dict(row) for row in rows]):
            stream = io.BytesIO()
            for columns in (None, ["messages", "connect_ms", "server_name"], ["cause"]):
                writer = open_writer(stream, kind, HANDSHAKES, fields=None if kind == "ecs" else columns)
                writer.write_all(several)
                writer.close()
                if kind == "parquet":
                    break
            written.append(stream.getvalue())
        assert written[0] == written[1], kind


def test_who_is_not_asked_for_is_made_all_the_same_when_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data after a close, in a later batch: what was kept of the connection is followed on."""
    restored = []
    restore = Herds.restore
    monkeypatch.setattr(Herds, "restore", lambda self, columns, row: restored.append(row) or restore(self, columns, row))
    for seed in range(30):
        read(many(Random(seed), 80, spoil=True), 100_000, keeps=False)
    assert restored


def test_clients_that_shuffle_are_kept_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each row has the order and the GREASE of its own ClientHello."""
    monkeypatch.setattr(sys.modules[__name__], "NAMES", available("completed--boringssl-nginx-tls13", "completed--firefox-granian-tls13"))
    monkeypatch.setattr(run_module, "BUFFERED", 1)
    path = tmp_path / "many.pcap"
    path.write_bytes(many(Random(5), 150, spoil=False))
    rows, alike, _ = rows_of(path, "rows")
    assert rows == rows_of(path, "handshakes")[0]
    assert alike > 20
    assert len({row["ja3"] for row in rows}) > 100
    assert len({row["ja4"] for row in rows}) == 2


def test_where_no_two_are_alike_few_are_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asks for another name of the same length: reading one finds no other."""
    frames = frames_of("completed--openssl-nginx-tls12") if "completed--openssl-nginx-tls12" in NAMES else frames_of(NAMES[0])
    client = frames[0][1][26:30] + frames[0][1][34:36]
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for number in range(400):
        for at, (_, frame) in enumerate(frames):
            body = moved(frame, client, number).replace(b"server.test", b"%06d.test" % number)
            when = 1_700_000_000 * 10**9 + number * MILLISECOND + at
            out.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(body), len(body)) + body)
    readings = []
    once = Herds._read
    monkeypatch.setattr(Herds, "_read", lambda self, *given: readings.append(1) or once(self, *given))
    monkeypatch.setattr(herds, "_CREDIT", 16)
    _, held, _ = read(b"".join(out), 100_000, keeps=False)
    assert held == 0
    assert 0 < len(readings) <= 3
