"""What is read in one go is what is read record by record, or is not read in one go at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import capture_of, flights_of

from analyzer.handshakes.assemble import assemble
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.flight import Flight, Run, read_flight
from analyzer.model.handshake import Flow, Handshake

ORDINARY = [
    name
    for name in (
        "completed--openssl-openssl-tls12",
        "completed--go-go-tls12",
        "completed--go-go-tls13",
        "completed--gnutls-gnutls-tls13",
        "completed--java-java-tls13",
        "completed--nss-nss-tls12",
        "cert-expired--go-nginx-tls12",
        "client-cert-missing--openssl-openssl-tls12",
    )
    if capture_of(name).exists()
]
OTHERS = [name for name in ("completed--boringssl-nginx-tls13-hrr", "completed--go-go-tls13-mutual") if capture_of(name).exists()]


def flow() -> Flow:
    return Flow(0, 0, 0, "192.0.2.1", 40_000, "192.0.2.2", 443, 1, 99, 1, 99_000_000, "syn")


def runs(name: str, chance=None, spoil: bool = False) -> tuple[Run, Run]:
    """Both directions of a recorded connection as (data, sequence, ends, frames, times), cut at random into segments."""
    sides: dict[bool, tuple[bytearray, list[int], list[int], list[int]]] = {w: (bytearray(), [], [], []) for w in (True, False)}
    frame = 3
    for from_client, data in flights_of(name):
        whole, ends, frames, times = sides[from_client]
        cuts = {len(data)} if chance is None else {len(data), *(chance.randrange(1, len(data) + 1) for _ in range(chance.randrange(4)))}
        for cut in sorted(cuts):
            frame += 1
            ends.append(len(whole) + cut)
            frames.append(frame)
            times.append(frame // 2)  # some share a time
        whole += data
    for whole, ends, *_ in sides.values():
        if spoil and whole:
            for _ in range(chance.randrange(3)):
                whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            if chance.random() < 0.3:
                keep = chance.randrange(1, len(whole) + 1)
                del whole[keep:]
                ends[:] = [min(end, keep) for end in ends]
    (a, *client), (b, *server) = sides[True], sides[False]
    return (bytes(a), 1, *client), (bytes(b), 1, *server)


def by_record(client: Run, server: Run) -> Handshake | None:
    connection = Connection(443, (1, 1), None, 1 << 20)
    if not connection.take_flight(client, server):
        return None
    return assemble(flow(), connection, [], 0, [], 100)


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_handshakes_are_read_in_one_go(name: str) -> None:
    assert read_flight(Handshake(flow()), Flight(*runs(name)))


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_read_all_the_same(name: str) -> None:
    client, server = runs(name)
    assert assemble(flow(), Flight(client, server), [], 0, [], 100) == by_record(client, server)


@pytest.mark.parametrize("spoil", [False, True])
@pytest.mark.parametrize("name", ORDINARY)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(chance=st.randoms(use_true_random=False))
def test_both_ways_read_the_same(name: str, spoil: bool, chance) -> None:
    client, server = runs(name, chance, spoil)
    expected = by_record(client, server)
    if expected is not None:  # else it does not begin as TLS and is never set aside
        assert assemble(flow(), Flight(client, server), [], 0, [], 100) == expected
