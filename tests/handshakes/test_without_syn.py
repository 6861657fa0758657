"""A handshake reads the same whether the beginning of its connection was captured or not."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, capture_of

from analyzer.decode.decoder import Decoder
from analyzer.handshakes.tracker import Tracker
from analyzer.model.batches import SegmentBatch, TcpFlag
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.sources import open_source

NAMES = available(
    "completed--openssl-openssl-tls12",
    "completed--go-go-tls13",
    "completed--java-java-tls13",
    "completed--boringssl-nginx-tls13-hrr",
    "cert-expired--go-nginx-tls12",
    "completed--curl-python-smtp-tls12",
    "completed--curl-nginx-http-connect-tls13",
)


def read(name: str, without: int = 0, *, one_by_one: bool = False) -> Handshake:
    """The first handshake of a capture; bit 0 of ``without``: its SYN was not captured, bit 1: its SYN-ACK."""
    tracker, decoder = Tracker(Options()), Decoder()
    with open_source([str(capture_of(name))]) as source:
        for batch in source:
            s = decoder.decode(batch)
            syn, ack = (s.flags & TcpFlag.SYN) != 0, (s.flags & TcpFlag.ACK) != 0
            lost = (syn & ~ack & bool(without & 1)) | (syn & ack & bool(without & 2))
            kept = take(s, ~lost)
            if one_by_one:  # as if each segment came in a batch of its own
                for at in range(len(kept)):
                    tracker.take(take(kept, np.arange(len(kept)) == at))
            else:
                tracker.take(kept)
    return tracker.finish()[0]


def take(s: SegmentBatch, mask) -> SegmentBatch:
    columns = {
        field.name: value[mask]
        for field in fields(s)
        if field.name != "data" and isinstance(value := getattr(s, field.name), np.ndarray) and len(value) == len(s)
    }
    return replace(s, **columns)


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("without", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_it_reads_the_same_without_the_first_packets(name: str, without: int, one_by_one: bool) -> None:
    expected, again = read(name), read(name, without, one_by_one=one_by_one)
    assert again.messages == expected.messages
    assert again.client_hello == expected.client_hello
    assert again.server_hello == expected.server_hello
    assert again.dialogue == expected.dialogue
    assert again.stage == expected.stage
    assert (again.flow.client_address, again.flow.client_port) == (expected.flow.client_address, expected.flow.client_port)


@pytest.mark.parametrize(("port", "known_by"), [(443, "port"), (8_081, "port"), (45_000, "order")])
def test_of_two_ports_of_clients_either_may_be_the_servers(port: int, known_by: str) -> None:
    """The refusal alone: nothing but the ports says who is who."""
    with open_source([str(capture_of("cert-expired--go-nginx-tls12"))]) as source:
        s = Decoder().decode(next(iter(source)))
    for ports in (s.source_port, s.destination_port):
        ports[ports == 443] = port
    tracker = Tracker(Options())
    tracker.take(take(s, (s.wire_length == 7) | ((s.flags & TcpFlag.FIN) != 0)))
    assert tracker.finish()[0].flow.client_known_by == known_by
