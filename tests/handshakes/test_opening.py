"""A dialogue and the TLS behind it, read at once, say what they say segment by segment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import capture_of, flights_of

from analyzer.handshakes.alike import Alikes
from analyzer.handshakes.assemble import assemble
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.flight import Flight, Run
from analyzer.handshakes.opening import read_opening
from analyzer.model.handshake import Flow, Handshake

NAMES = {
    name: port
    for name, port in (
        ("completed--curl-python-smtp-tls12", 25),
        ("completed--curl-python-imap-tls12", 143),
        ("completed--curl-python-pop3-tls12", 110),
        ("completed--curl-nginx-http-connect-tls13", 3128),
        ("completed--curl-nginx-socks4-tls13", 1080),
        ("completed--curl-haproxy-socks5-tls12", 1080),
        ("completed--curl-nginx-proxy-protocol-tls13", 443),
    )
    if capture_of(name).exists()
}
STARTS = (1000, 4_294_967_000)  # of the client, of the server, whose numbers wrap soon

Pieces = list[tuple[int, bytes]]
"""(0 client or 1 server, payload of a segment)"""


def pieces(name: str, chance=None) -> Pieces:
    result = []
    for from_client, data in flights_of(name):
        cuts = {0, len(data)} if chance is None else {0, len(data), *(chance.randrange(len(data)) for _ in range(chance.randrange(3)))}
        ordered = sorted({*cuts, data.index(b"\n") + 1} if data.startswith(b"PROXY ") else cuts)
        result += [(0 if from_client else 1, data[a:b]) for a, b in zip(ordered, ordered[1:], strict=False)]
    return result


def runs(sent: Pieces) -> tuple[Run, Run, bytes]:
    sides: tuple[tuple[list[bytes], list[int], list[int]], ...] = (([], [], []), ([], [], []))
    for frame, (sender, data) in enumerate(sent, 4):
        payloads, ends, frames = sides[sender]
        payloads.append(data)
        ends.append(sum(map(len, payloads)))
        frames.append(frame)
    client, server = ((b"".join(p), start, ends, frames, frames) for start, (p, ends, frames) in zip(STARTS, sides, strict=True))
    return client, server, bytes(sender for sender, _ in sent)


def flow(port: int) -> Flow:
    return Flow(0, 0, 0, "192.0.2.1", 40_000, "192.0.2.2", port, 1, 99, 1, 99_000_000, "syn")


def by_segment(sent: Pieces, port: int) -> Handshake:
    connection = Connection(port, STARTS, None, 1 << 20)
    numbers = list(STARTS)
    for frame, (sender, data) in enumerate(sent, 4):
        connection.segment(sender == 0, numbers[sender], data, frame, frame, len(data))
        numbers[sender] = numbers[sender] + len(data) & 0xFFFFFFFF
    return assemble(flow(port), connection, [], 0, [], 100)


@pytest.mark.parametrize("name", NAMES)
def test_dialogues_are_read_at_once(name: str) -> None:
    sent = pieces(name)
    flight = read_opening(*runs(sent), NAMES[name])
    assert flight is not None
    expected = by_segment(sent, NAMES[name])
    assert expected.dialogue is not None
    assert expected.client_hello is not None
    alikes = Alikes()
    for _ in range(3):  # the third is recalled
        read = assemble(flow(NAMES[name]), flight, [], 0, [], 100, alikes)
        assert read.messages == expected.messages
        assert read == expected


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(chance=st.randoms(use_true_random=False))
def test_what_is_said_does_not_depend_on_the_way(name: str, chance) -> None:
    sent = pieces(name, chance)
    if chance.random() < 0.3:
        del sent[chance.randrange(len(sent)) :]
    flight = read_opening(*runs(sent), NAMES[name]) if sent else None
    if flight is not None:  # else it is followed segment by segment
        assert assemble(flow(NAMES[name]), flight, [], 0, [], 100) == by_segment(sent, NAMES[name])


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_followed_from_any_place_on(name: str) -> None:
    """What comes in a later batch, out of order perhaps, is taken up where the flight ends."""
    sent = pieces(name)
    whole = by_segment(sent, NAMES[name])
    hello = next(at for at, (sender, data) in enumerate(sent) if sender == 0 and data[:2] == b"\x16\x03")
    for stop in range(hello + 2, len(sent)):
        client, server, senders = runs(sent[:stop])
        flight = read_opening(client, server, senders, NAMES[name])
        assert isinstance(flight, Flight)
        connection = Connection(NAMES[name], STARTS, None, 1 << 20)
        connection.take_flight(flight.client, flight.server, flight.before)
        numbers = [STARTS[0] + len(client[0]), STARTS[1] + len(server[0])]
        rest = []
        for frame, (sender, data) in enumerate(sent[stop:], 4 + stop):
            rest.append((sender, numbers[sender] & 0xFFFFFFFF, data, frame))
            numbers[sender] += len(data)
        for sender, number, data, frame in rest[:1] + rest[:1] + rest[1:]:
            connection.segment(sender == 0, number, data, frame, frame, len(data))
        assert assemble(flow(NAMES[name]), connection, [], 0, [], 100) == whole
