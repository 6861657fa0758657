"""The table of connections: batches of any size give the same columns; reused tuples are other flows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analyzer.flows import FlowTable
from analyzer.model.batches import SegmentBatch, TcpFlag

SYN, ACK, RST, FIN = TcpFlag.SYN, TcpFlag.ACK, TcpFlag.RST, TcpFlag.FIN


def batch(rows: list[dict[str, int]]) -> SegmentBatch:
    """Segments from dicts; 'a' and 'b' number hosts, 'p' and 'q' are ports."""

    def column(name: str, dtype: str, default: int = 0) -> np.ndarray:
        return np.array([row.get(name, default) for row in rows], dtype=dtype)

    n = len(rows)
    zero64 = np.zeros(n, np.uint64)
    mapped = np.uint64(0xFFFF << 32)
    return SegmentBatch(
        data=np.zeros(0, np.uint8), frame=column("frame", "i8"), timestamp=column("time", "i8"), ip_version=np.full(n, 4, np.uint8),
        source_high=zero64, source_low=column("a", "u8") + mapped, destination_high=zero64, destination_low=column("b", "u8") + mapped,
        source_port=column("p", "u2"), destination_port=column("q", "u2"), sequence=column("seq", "u4"),
        acknowledgment=column("ack", "u4"), flags=column("flags", "u1", ACK), window=column("window", "u2"),
        payload_offset=np.zeros(n, np.int64), payload_length=column("len", "i8"), wire_length=column("len", "i8"),
        ttl=column("ttl", "u1", 64), ip_id=column("id", "i4", -1), dont_fragment=np.zeros(n, np.bool_), options=column("options", "u1"),
        mss=column("mss", "u2"), window_scale=np.full(n, -1, np.int8), timestamp_value=column("ts", "u4"),
        vlan=np.full(n, -1, np.int32), tunnel=np.zeros(n, np.uint8), original_length=column("len", "i8"),
        interface=np.zeros(n, np.uint16),
    )  # fmt: skip


def there(frame: int, **more: int) -> dict[str, int]:
    return {"frame": frame, "time": frame * 1000, "a": 1, "b": 2, "p": 40000, "q": 443, **more}


def back(frame: int, **more: int) -> dict[str, int]:
    return {"frame": frame, "time": frame * 1000, "a": 2, "b": 1, "p": 443, "q": 40000, **more}


def test_both_directions_are_one_flow_and_the_syn_tells_the_client() -> None:
    table = FlowTable()
    placed = table.add(batch([there(1, flags=SYN, seq=9), back(2, flags=SYN | ACK, seq=99, ack=10), there(3, seq=10, ack=100)]))
    assert placed.flow.tolist() == [placed.flow[0]] * 3
    assert placed.direction.tolist() == [0, 1, 0]
    row = int(placed.flow[0])
    assert table["client"][row] == 0
    assert (table["syn_frame"][row], table["syn_ack_frame"][row], table["ack_frame"][row]) == (1, 2, 3)


def test_a_copy_of_a_syn_was_not_sent_again() -> None:
    table = FlowTable()
    twice = [there(1, flags=SYN, seq=9, id=7), there(2, flags=SYN, seq=9, id=7), back(3, flags=SYN | ACK, seq=99, ack=10, ts=5)]
    placed = table.add(batch([*twice, {**twice[2], "frame": 4}, there(5_000, flags=SYN, seq=9, id=8)]))
    row = int(placed.flow[0])
    assert (table["syns"][row], table["syn_acks"][row], table["duplicates"][row]) == (2, 1, 2)


def test_a_syn_with_another_number_begins_another_flow_and_a_repeated_one_does_not() -> None:
    table = FlowTable()
    rows = [
        there(1, flags=SYN, seq=9), there(2, flags=SYN, seq=9), back(3, flags=RST | ACK, ack=10),
        there(4, flags=SYN, seq=500), back(5, flags=SYN | ACK, seq=7, ack=501), there(6, seq=501, ack=8),
    ]  # fmt: skip
    placed = table.add(batch(rows))
    assert table["stream"][placed.flow].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["syns"][placed.flow[0]] == 2
    assert table["retransmissions"][placed.flow[0]] == 1


def test_a_flow_is_told_nothing_by_the_batch_in_which_its_addresses_are_used_again() -> None:
    table = FlowTable()
    first = table.add(batch([there(1, flags=SYN, seq=9), back(2, flags=RST | ACK, ack=10)])).flow[0]
    others = [{"frame": n, "time": n * 1000, "a": 3, "b": 4, "p": n, "q": 443, "flags": SYN, "seq": n} for n in range(10, 60)]
    again = table.add(batch([there(3, flags=SYN, seq=500), *others])).flow[0]
    assert [(int(table["first_frame"][row]), int(table["last_frame"][row])) for row in (first, again)] == [(1, 2), (3, 3)]
    assert table["last_seen"][first] == 2_000


def test_as_many_captures_are_told_apart_as_a_source_takes() -> None:
    table = FlowTable()
    for capture in (0, 32_768, 65_535):
        segments = batch([there(1 + capture, flags=SYN, seq=capture)])
        segments.capture = capture
        assert table["capture"][table.add(segments).flow].tolist() == [capture]


def test_a_syn_after_a_flow_seen_from_its_middle_begins_another() -> None:
    table = FlowTable()
    placed = table.add(batch([there(1, seq=1000, len=10), back(2, seq=5, ack=1010), there(3, flags=SYN, seq=77)]))
    assert table["stream"][placed.flow].tolist() == [0, 0, 1]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(1, 3), st.sampled_from([443, 1000, 2000]), st.sampled_from([443, 1000]),
            st.sampled_from([SYN, SYN | ACK, ACK, ACK | FIN, RST]), st.sampled_from([1, 2, 100, 2**32 - 1]), st.integers(0, 3),
        ),
        max_size=40,
    ),
    cuts=st.lists(st.integers(0, 40), max_size=5),
)  # fmt: skip
def test_batches_of_any_size_give_the_same_table(rows, cuts) -> None:
    dicts = [
        {"frame": i, "time": i * 1000, "a": a, "b": b, "p": p, "q": q, "flags": f, "seq": s, "len": n, "id": i}
        for i, (a, b, p, q, f, s, n) in enumerate(rows, start=1)
    ]
    # who sends SYN-ACKs sends no SYNs: what its numbers mean is not defined then
    opened = {flag: {(r["a"], r["p"], r["b"], r["q"]) for r in dicts if r["flags"] == flag} for flag in (SYN, SYN | ACK)}
    assume(not opened[SYN] & opened[SYN | ACK])

    def run(edges: list[int]) -> tuple[list[int], dict[str, list]]:
        table = FlowTable()
        streams: list[int] = []
        for begin, end in zip(edges, edges[1:], strict=False):
            if begin == end:
                continue
            placed = table.add(batch(dicts[begin:end]))
            streams += table["stream"][placed.flow].tolist()
        held = table.held()
        held = held[np.argsort(table["number"][held])]
        names = (
            "stream", "client", "syn_frame", "syn_ack_frame", "frames", "bytes", "fin_frame", "rst_frame", "rsts", "base",
            "first_frame", "last_frame", "first_seen", "last_seen", "ack_frame", "ttl",
        )  # fmt: skip
        return streams, {name: table[name][held].tolist() for name in names}

    whole = run([0, len(dicts)])
    assert run(sorted({0, len(dicts), *(c for c in cuts if c < len(dicts))})) == whole


MS = 1_000_000


def sent(table: FlowTable, *segments: tuple[int, int, int], parts: int = 1) -> tuple[int, int]:
    """(sent again, overtaken) of data (ms, begin, length) behind a connection made in 8 ms."""
    rows = [there(1, flags=SYN, seq=99, time=1), back(2, flags=SYN | ACK, seq=7, ack=100, time=8 * MS)]
    rows += [there(n, seq=100 + at, len=length, id=n, time=ms * MS) for n, (ms, at, length) in enumerate(segments, start=3)]
    step = -(-len(rows) // parts)
    for begin in range(0, len(rows), step):
        placed = table.add(batch(rows[begin : begin + step]))
    row = placed.flow[0]
    return int(table["retransmissions"][row]), int(table["out_of_order"][row])


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 6])
def test_what_a_later_segment_overtook_was_not_sent_again(parts: int) -> None:
    def told(*segments: tuple[int, int, int]) -> tuple[int, int]:
        return sent(FlowTable(), *segments, parts=parts)

    assert told((10, 0, 10), (11, 20, 10), (12, 10, 10), (13, 30, 10)) == (0, 1)
    assert told((10, 0, 10), (11, 30, 10), (12, 10, 10), (13, 20, 10)) == (0, 2)  # two segments in one hole
    assert told((10, 0, 10), (11, 20, 10), (12, 10, 10), (13, 10, 10)) == (1, 1)  # the second copy of it was
    assert told((10, 0, 10), (11, 20, 10), (40, 10, 10)) == (1, 0)  # longer than a round trip after it was missed
    assert told((10, 0, 10), (11, 10, 10), (12, 0, 30)) == (1, 0)  # together with what comes next
    assert told((10, 0, 10), (11, 10, 10), (12, 10, 10)) == (1, 0)


def test_several_holes_at_once_are_told_apart() -> None:
    assert sent(FlowTable(), (10, 0, 10), (11, 20, 10), (12, 40, 10), (13, 10, 10), (14, 30, 10), (15, 30, 10)) == (1, 2)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(1, 4), st.integers(0, 4)), max_size=25))
def test_sent_again_and_overtaken_as_one_tells_them_by_hand(drawn: list[tuple[int, int, int, int]]) -> None:
    """Against the same rule in plain Python, for two connections in one batch."""
    now, rows = 0, []
    tops, holes, counts = [None, None], [[], []], [[0, 0], [0, 0]]
    for frame, (which, at, length, wait) in enumerate(drawn, start=1):
        now += wait * MS
        rows.append(there(frame, a=which + 5, seq=1000 + at, len=length, id=frame, time=now))
        top, end = tops[which], at + length
        if top is None or at > top:
            if top is not None:
                holes[which].append((set(range(top, at)), now))
        elif at < top:
            fresh = next((h for h in holes[which] if at in h[0] and now - h[1] < 3 * MS), None)
            counts[which][fresh is not None] += 1
            if fresh is not None:
                fresh[0].discard(at)
        tops[which] = end if top is None else max(top, end)
    table = FlowTable()
    if rows:
        placed = table.add(batch(rows))
        for row, (which, *_) in zip(placed.flow, drawn, strict=True):
            assert [table["retransmissions"][row], table["out_of_order"][row]] == counts[which]


def test_idle_flows_leave_and_their_rows_are_used_again() -> None:
    table = FlowTable()
    table.add(batch([{"frame": i, "time": i, "a": i, "b": 9, "p": 5, "q": 443, "flags": SYN} for i in range(1, 101)]))
    idle = table.choose_idle(40)
    assert sorted(table["last_seen"][idle].tolist()) == list(range(1, 41))
    size = len(table["stream"])
    table.remove(idle)
    assert len(table) == 60
    placed = table.add(batch([{"frame": i, "time": i, "a": i, "b": 8, "p": 5, "q": 443, "flags": SYN} for i in range(200, 240)]))
    assert len(table) == 100
    assert len(table["stream"]) == size
    assert table["stream"][placed.flow].tolist() == list(range(100, 140))
    assert table["syns"][placed.flow].tolist() == [1] * 40


@pytest.mark.parametrize("count", [1, 70_000])
def test_more_flows_than_sixteen_bits_hold(count: int) -> None:
    table = FlowTable()
    rows = batch([{"frame": i, "time": i, "a": 1 + i // 50_000, "b": 9, "p": i % 50_000 + 1, "q": 443, "flags": SYN} for i in range(count)])
    placed = table.add(rows)
    assert table["stream"][placed.flow].tolist() == list(range(count))
