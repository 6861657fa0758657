"""What the kept rows call whole has no hole when its segments are read one by one."""

from __future__ import annotations

import random

import numpy as np

from analyzer.diagnosis.losses import read_delivery
from analyzer.handshakes.segments import KEPT, Kept, KeptSegments, read_segments
from analyzer.model.batches import TcpFlag

SYN, ACK, FIN, RST, PUSH = TcpFlag.SYN, TcpFlag.ACK, TcpFlag.FIN, TcpFlag.RST, TcpFlag.PSH


def conversation(rng: random.Random) -> list[dict[str, int]]:
    """Rows of a connection of which nothing is missing."""
    base = [rng.choice((0, 1_000, 2**32 - 700)), rng.choice((5, 2**31 - 300, 2**32 - 1))]
    sent, rows = [0, 0], []

    def row(side: int, flags: int, length: int = 0) -> None:
        sequence = (base[side] + sent[side]) % 2**32
        rows.append(
            {
                "frame": len(rows) + 1, "timestamp": 10**9 + len(rows) * 10**6, "sequence": sequence, "wire_length": length, "flags": flags,
                "acknowledgment": (base[1 - side] + sent[1 - side]) % 2**32 if flags & ACK else 0, "direction": side, "ttl": 64,
            }
        )  # fmt: skip
        sent[side] += length + bool(flags & SYN) + bool(flags & FIN)

    row(0, SYN)
    row(1, SYN | ACK)
    row(0, ACK)
    for _ in range(rng.randint(0, 10)):
        row(rng.randint(0, 1), ACK | rng.choice((0, PUSH)), rng.choice((0, 1, 300, 1_448)))
    for side in rng.sample((0, 1), rng.randint(0, 2)):
        row(side, FIN | ACK, rng.choice((0, 20)))
        row(1 - side, ACK)
    if rng.random() < 0.3:
        row(rng.randint(0, 1), RST | ACK)
    return rows


def kept(rows: list[dict[str, int]], limit: int = 100) -> KeptSegments:
    array = np.zeros(len(rows), KEPT)
    for index, row in enumerate(rows):
        for name, value in row.items():
            array[name][index] = value
    cut = len(rows) // 2
    return KeptSegments(read_segments, Kept([array[:cut], array[cut:]] if cut else [array]), 0, limit)


def unseen(reader: KeptSegments) -> int:
    segments = reader()
    return read_delivery(segments, True).unseen + read_delivery(segments, False).unseen


def test_whole() -> None:
    rng = random.Random(1)
    for _ in range(300):
        reader = kept(conversation(rng))
        assert reader.is_whole()
        assert unseen(reader) == 0


def test_one_distance_is_that_of_the_servers_packets() -> None:
    rng = random.Random(3)
    for _ in range(200):
        rows = conversation(rng)
        at = rng.randrange(len(rows))
        rows[at]["ttl"] = 240
        reader = kept(rows)
        distances = {row["ttl"] for row in rows if row["direction"]}
        assert reader.is_of_one_distance() == (len(distances) < 2)
        assert {segment.ttl for segment in reader() if not segment.from_client} == distances


def test_what_is_called_whole_lacks_nothing() -> None:
    rng = random.Random(2)
    lacking = whole = 0
    for _ in range(6_000):
        rows = conversation(rng)
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(rows))
            change = rng.randint(0, 6)
            if change == 0 and len(rows) > 1:
                del rows[at]
            elif change == 1:
                rows.insert(rng.randrange(len(rows)), dict(rows[at]))
            elif change == 2:
                rows[at]["acknowledgment"] = (rows[at]["acknowledgment"] + rng.choice((-1, 1, 7, 2**31))) % 2**32
            elif change == 3:
                rows[at]["sequence"] = (rows[at]["sequence"] + rng.choice((-1, 1, 300, 2**31))) % 2**32
            elif change == 4:
                rows[at]["flags"] ^= rng.choice((SYN, ACK, FIN, RST))
            elif change == 5:
                rows[at]["wire_length"] = rng.choice((0, 1, 1_448))
            else:
                rows[at]["direction"] ^= 1
        reader = kept(rows, rng.choice((5, 100)))
        missing = unseen(reader)
        lacking += missing > 0
        whole += reader.is_whole()
        assert not (missing and reader.is_whole()), rows
    assert lacking > 500
    assert whole > 500


def test_a_segment_that_was_overtaken_was_not_sent_again() -> None:
    """A connection made in 8 ms; data at (ms, begin): what fills a hole within that time was only late."""

    def again(*segments: tuple[int, int]) -> list[bool]:
        rows = [
            {"frame": 1, "timestamp": 10**9, "sequence": 99, "flags": SYN, "direction": 0},
            {"frame": 2, "timestamp": 10**9 + 8 * 10**6, "sequence": 7, "flags": SYN | ACK, "acknowledgment": 100, "direction": 1},
        ]
        rows += [
            {"frame": n, "timestamp": 10**9 + ms * 10**6, "sequence": 100 + at, "wire_length": 10, "flags": ACK, "direction": 0, "ip_id": n}
            for n, (ms, at) in enumerate(segments, start=3)
        ]
        return [segment.retransmission for segment in kept(rows)()[2:]]

    assert again((10, 0), (11, 20), (15, 10)) == [False, False, False]
    assert again((10, 0), (11, 20), (15, 10), (16, 10)) == [False, False, False, True]
    assert again((10, 0), (11, 20), (40, 10)) == [False, False, True]
    assert again((10, 0), (11, 20), (12, 40), (13, 10), (14, 30)) == [False] * 5
    assert again((10, 0), (11, 10), (12, 0)) == [False, False, True]
