"""What one side sent in a row, taken in one step, reads as it does segment by segment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, flights_of

from analyzer.handshakes.assemble import assemble
from analyzer.handshakes.connection import Connection
from analyzer.model.handshake import Flow

NAMES = available(
    "completed--openssl-openssl-tls12",
    "completed--go-go-tls12",
    "completed--java-java-tls13",
    "completed--boringssl-nginx-tls13-hrr",
    "completed--curl-python-smtp-tls12",
    "completed--curl-nginx-http-connect-tls13",
    "client-cert-missing--openssl-openssl-tls12",
)
STARTS = {True: 1000, False: 4_294_967_000}  # the server's numbers wrap soon

Segment = tuple[bool, int, bytes, int]
"""(from the client, sequence number, payload, frame)"""


def cut(name: str, chance) -> list[Segment]:
    """The connection in segments cut at random, some lost, repeated, changed or late."""
    sent = {True: 0, False: 0}
    pieces: list[tuple[bool, int, bytes]] = []
    lost, late, again, changed = (chance.choice((0, 0, 0.1)) for _ in range(4))
    for from_client, data in flights_of(name):
        cuts = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(chance.randrange(6)))})
        for a, b in zip(cuts, cuts[1:], strict=False):
            piece = from_client, STARTS[from_client] + sent[from_client] + a & 0xFFFFFFFF, data[a:b]
            if chance.random() >= lost:
                place = len(pieces) if chance.random() >= late else chance.randrange(len(pieces) + 1)
                pieces.insert(place, piece)
            if chance.random() < again:
                pieces.insert(chance.randrange(len(pieces) + 1), piece)
            if chance.random() < changed:
                pieces.append((*piece[:2], bytes(byte ^ 1 for byte in piece[2])))
        sent[from_client] += len(data)
    return [(*piece, frame) for frame, piece in enumerate(pieces, 4)]


def finish(connection: Connection) -> object:
    flow = Flow(0, 0, 0, "192.0.2.1", 40_000, "192.0.2.2", 443, 1, 99, 1, 99_000_000, "syn")
    return assemble(flow, connection, [], 0, [], 100)


def by_segment(segments: list[Segment], starts: tuple[int | None, int | None]) -> object:
    connection = Connection(443, starts, None, 1 << 20)
    for from_client, sequence, data, frame in segments:
        connection.segment(from_client, sequence, data, frame, frame, len(data))
        if connection.over:
            break
    return finish(connection)


def by_burst(segments: list[Segment], starts: tuple[int | None, int | None]) -> object:
    connection = Connection(443, starts, None, 1 << 20)
    at = 0
    while at < len(segments) and not connection.over:
        from_client, begin, data, _ = segments[at]
        ends, frames = [len(data)], [segments[at][3]]
        at += 1
        while at < len(segments) and segments[at][:2] == (from_client, begin + len(data) & 0xFFFFFFFF):
            data += segments[at][2]
            ends.append(len(data))
            frames.append(segments[at][3])
            at += 1
        connection.burst(from_client, begin, data, ends, frames, frames)
    return finish(connection)


def test_there_are_recorded_connections() -> None:
    assert len(NAMES) >= 5


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(chance=st.randoms(use_true_random=False))
def test_bursts_read_as_their_segments(name: str, known: bool, chance) -> None:
    segments = cut(name, chance)
    starts = (STARTS[True], STARTS[False]) if known else (None, None)
    assert by_burst(segments, starts) == by_segment(segments, starts)


@pytest.mark.parametrize("known", [True, False])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    chance=st.randoms(use_true_random=False),
    sizes=st.lists(st.sampled_from((0, 1, 19, 40, 1000, 16_401)), min_size=1, max_size=6),
    size=st.sampled_from((3, 100, 1448, 9000, 70_000)),
)
def test_a_long_download_in_bursts_reads_as_its_segments(known: bool, chance, sizes: list[int], size: int) -> None:
    starts = (STARTS[True], STARTS[False]) if known else (None, None)
    segments: list[Segment] = []
    sent = {True: 0, False: 0}
    for from_client, data in flights_of("completed--java-java-tls13"):
        segments.append((from_client, STARTS[from_client] + sent[from_client] & 0xFFFFFFFF, data, len(segments) + 4))
        sent[from_client] += len(data)
    kinds = (23,) * 100 + (20, 21, 22, 24, 99)
    records = [(bytes((chance.choice(kinds), 3, 3)) + n.to_bytes(2, "big") + bytes(n)) for n in sizes * 10]
    stream = b"".join(records) * (2_000_000 // (1 + sum(map(len, records))) if size >= 100 else 1)
    segments += [
        (False, STARTS[False] + sent[False] + at & 0xFFFFFFFF, stream[at : at + size], frame)
        for frame, at in enumerate(range(0, min(len(stream), 900 * size), size), len(segments) + 4)
    ]
    if chance.random() < 0.3:
        segments.insert(chance.randrange(len(segments)), chance.choice(segments))
    assert by_burst(segments, starts) == by_segment(segments, starts)
