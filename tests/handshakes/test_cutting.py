"""How a stream was cut, in what order its segments came and how often does not change what was said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from recorded import CAPTURES, available, flights_of

from analyzer.handshakes.connection import Connection
from analyzer.handshakes.progress import tell_progress

NAMES = available(
    "completed--openssl-openssl-tls12",
    "completed--go-go-tls12",
    "completed--go-go-tls13",
    "completed--gnutls-gnutls-tls13",
    "completed--java-java-tls13",
    "completed--nss-nss-tls12",
    "completed--boringssl-nginx-tls13-hrr",
    "completed--curl-python-smtp-tls12",
    "completed--curl-nginx-http-connect-tls13",
    "completed--go-go-tls13-mutual",
    "cert-expired--go-nginx-tls12",
    "client-cert-missing--openssl-openssl-tls12",
)

Story = tuple[tuple[bool, str, int], ...]


def follow(pieces: list[tuple[bool, int, bytes]]) -> Connection:
    """Feed (from client, offset, bytes) as segments of a connection whose SYNs were seen."""
    connection = Connection(443, (1000, 4_294_967_000), None, 1 << 20)  # the server's numbers wrap soon
    for frame, (from_client, offset, data) in enumerate(pieces, start=4):
        sequence = ((1000 if from_client else 4_294_967_000) + offset) & 0xFFFFFFFF
        connection.segment(from_client, sequence, data, frame, frame * 1_000_000, len(data))
        if connection.over:
            break
    connection.close()
    return connection


def story(connection: Connection) -> tuple[Story, Story]:
    """What each side said, in its own order."""
    messages = connection.follower.messages
    return (
        tuple((m.from_client, m.kind, m.length) for m in messages if m.from_client),
        tuple((m.from_client, m.kind, m.length) for m in messages if not m.from_client),
    )


def whole(name: str) -> list[tuple[bool, int, bytes]]:
    offsets = {True: 0, False: 0}
    pieces = []
    for from_client, data in flights_of(name):
        pieces.append((from_client, offsets[from_client], data))
        offsets[from_client] += len(data)
    return pieces


def test_there_are_recorded_connections() -> None:
    assert len(NAMES) >= 8, f"few of the captures named here are in {CAPTURES}"


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(chance=st.randoms(use_true_random=False))
def test_cuts_order_and_copies_change_nothing(name: str, chance) -> None:
    expected = follow(whole(name))
    pieces: list[tuple[bool, int, bytes]] = []
    for from_client, offset, data in whole(name):
        cuts = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(chance.randrange(8)))})
        flight = [(from_client, offset + a, data[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
        chance.shuffle(flight)
        for piece in list(flight):
            if chance.random() < 0.3:
                flight.insert(chance.randrange(len(flight) + 1), piece)
            elif chance.random() < 0.2 and piece[1] > offset:
                # a retransmission that reaches back further than what was lost
                back = min(piece[1] - offset, 7)
                flight.append((from_client, piece[1] - back, data[piece[1] - offset - back : piece[1] - offset] + piece[2]))
        pieces += flight
    again = follow(pieces)
    assert story(again) == story(expected)
    a, b = again.follower, expected.follower
    assert (a.client_hello, a.server_hello, a.hello_retry) == (b.client_hello, b.server_hello, b.hello_retry)
    assert a.server_certificates == b.server_certificates
    assert [(x.from_client, x.level, x.description, x.how) for x in a.alerts] == [
        (x.from_client, x.level, x.description, x.how) for x in b.alerts
    ]


@pytest.mark.parametrize("name", NAMES[:6])
def test_one_byte_a_segment_reads_the_same(name: str) -> None:
    pieces = [(c, o + i, d[i : i + 1]) for c, o, d in whole(name) for i in range(len(d))]
    assert story(follow(pieces)) == story(follow(whole(name)))


@pytest.mark.parametrize("name", NAMES)
def test_every_prefix_is_read_without_an_exception(name: str) -> None:
    pieces = whole(name)
    full = story(follow(pieces))
    for count in range(len(pieces)):
        flight = pieces[count]
        step = max(1, len(flight[2]) // 40)
        for length in range(0, len(flight[2]), step):
            cut = [*pieces[:count], (flight[0], flight[1], flight[2][:length])] if length else pieces[:count]
            connection = follow(cut)
            client, server = story(connection)
            f = connection.follower
            assert client == full[0][: len(client)]
            assert server == full[1][: len(server)]
            tell_progress(f.messages, f.client_hello, f.server_hello, f.tls13, False)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False))
def test_any_bytes_give_messages_and_faults_never_an_exception(name: str, chance) -> None:
    pieces = []
    for from_client, offset, data in whole(name):
        changed = bytearray(data)
        for _ in range(chance.randrange(6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        pieces.append((from_client, offset, bytes(changed)))
    if chance.random() < 0.3:
        pieces.pop(chance.randrange(len(pieces)))
    f = follow(pieces).follower
    tell_progress(f.messages, f.client_hello, f.server_hello, f.tls13, False)
    assert len(f.messages) <= 512


@pytest.mark.parametrize("name", ["completed--go-go-tls12", "completed--openssl-openssl-tls12"])
def test_a_certificate_that_was_begun_says_how_long_it_would_have_been(name: str) -> None:
    (_, hello), (_, answer), *_ = flights_of(name)
    whole = follow([(True, 0, hello), (False, 0, answer)]).follower
    assert whole.server_certificate_bytes > 500
    cuts = {
        cut: follow([(True, 0, hello), (False, 0, answer[:cut])]).follower.server_certificate_bytes for cut in range(60, len(answer), 7)
    }
    assert set(cuts.values()) == {0, whole.server_certificate_bytes}
    assert sorted(cuts.values()) == list(cuts.values()), "known from its header on, and never again unknown"
