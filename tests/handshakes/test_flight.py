"""What is read in one go is what is read record by record, or is not read in one go at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, flights_of

from analyzer.handshakes.alike import Alikes
from analyzer.handshakes.assemble import assemble
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.flight import Flight, Run, read_flight
from analyzer.model.handshake import Flow, Handshake
from analyzer.tls.messages import HELLO_RETRY_RANDOM

ORDINARY = available(
    "completed--openssl-openssl-tls12",
    "completed--go-go-tls12",
    "completed--go-go-tls13",
    "completed--gnutls-gnutls-tls13",
    "completed--java-java-tls13",
    "completed--nss-nss-tls12",
    "cert-expired--go-nginx-tls12",
    "client-cert-missing--openssl-openssl-tls12",
)
OTHERS = available("completed--boringssl-nginx-tls13-hrr", "completed--go-go-tls13-mutual")


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


def pattern_of(client: Run, server: Run) -> bytes:
    """Sender and end of each segment, in order: what the tracker knows from its columns."""
    segments = sorted(
        (time, frame, side, end) for side, run in enumerate((client, server)) for end, frame, time in zip(*run[2:], strict=True)
    )
    return repr([(side, end) for *_, side, end in segments]).encode()


def later(run: Run) -> Run:
    """The same in other frames, at other times."""
    data, sequence, ends, frames, times = run
    return data, sequence, ends, [frame + 1_000 for frame in frames], [time + 5_000 for time in times]


def scrambled(data: bytes, chance, count: int) -> bytes:
    """Some bytes changed, lengths kept."""
    changed = bytearray(data)
    for _ in range(count):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("name", ORDINARY + OTHERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(chance=st.randoms(use_true_random=False))
def test_another_like_it_is_made_as_it_would_be_read(name: str, chance) -> None:
    """Whatever bytes are changed: either it is recalled as it would be read, or it is read."""
    client, server = runs(name, chance)
    alikes = Alikes()
    pattern = pattern_of(client, server)
    for _ in range(3):
        assemble(flow(), Flight(client, server, pattern), [], 0, [], 100, alikes)
    for count in (0, 1, 1, 40):
        other = tuple((scrambled(run[0], chance, count), *later(run)[1:]) for run in (client, server))
        read = assemble(flow(), Flight(*other), [], 0, [], 100)
        again = assemble(flow(), Flight(*other, pattern), [], 0, [], 100, alikes)
        assert again.messages == read.messages
        assert again == read


@pytest.mark.parametrize("name", [name for name in ORDINARY if name.startswith("completed")])
def test_an_ordinary_handshake_is_recalled_whatever_its_random_bytes(name: str) -> None:
    client, server = runs(name)
    alikes = Alikes()
    for _ in range(2):
        assemble(flow(), Flight(client, server, b"seen"), [], 0, [], 100, alikes)
    randoms = [bytearray(run[0]) for run in (client, server)]
    for changed in randoms:
        changed[15] ^= 0xFF  # within the random of the hello
        changed[-1] ^= 0xFF  # the end of the last record, which is encrypted
    others = Flight((bytes(randoms[0]), *later(client)[1:]), (bytes(randoms[1]), *later(server)[1:]), b"seen")
    known = alikes.recall(flow(), others, [])
    assert known is not None
    assert known.client_hello.random == bytes(randoms[0][11:43])
    assert known.client_hello_frame == client[3][0] + 1_000


def test_a_server_hello_that_turns_into_a_retry_is_not_recalled() -> None:
    client, server = runs("completed--go-go-tls13")
    alikes = Alikes()
    for _ in range(2):
        assemble(flow(), Flight(client, server, b"seen"), [], 0, [], 100, alikes)
    retry = bytearray(server[0])
    retry[11:43] = HELLO_RETRY_RANDOM
    other = (bytes(retry), *server[1:])
    assert alikes.recall(flow(), Flight(client, server, b"seen"), []) is not None
    assert alikes.recall(flow(), Flight(client, other, b"seen"), []) is None


def test_a_pattern_whose_hellos_never_come_again_is_left_alone() -> None:
    client, server = runs("completed--go-go-tls12")
    alikes = Alikes()
    at = client[0].index(b"server.test")
    for number in range(100):
        name = f"{number:06}.test".encode()
        assemble(flow(), Flight((client[0].replace(client[0][at : at + 11], name), *client[1:]), server, b"seen"), [], 0, [], 100, alikes)
    assert sum(len(layout.models) for layouts in alikes._layouts.values() for layout in layouts) <= 16
