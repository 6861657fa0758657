"""Records of which more than one part is missing: what follows them is found again."""

from __future__ import annotations

import pytest

from analyzer.handshakes.side import Side


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("holes", [[(100, 114)], [(100, 114), (300, 314)], [(6, 7), (8, 9), (500, 1004)], [(5, 1005)]])
def test_what_follows_a_record_with_holes_is_read(holes):
    records, faults = [], []
    side = Side(False, lambda *told: records.append(told[1:]), lambda *told: faults.append(told[1:]))
    body = bytes(range(250)) * 4
    stream = _record(22, body) + _record(22, b"\x0e\0\0\0") + _record(20, b"\x01")
    begin = 0
    for frame, (start, end) in enumerate([*holes, (len(stream), len(stream))], 1):
        side.take(begin, stream[begin:start], frame, frame)
        begin = end
    kinds = [record[0] for record in records]
    bodies = [record[2] for record in records]
    unread = [record[-1] for record in records]
    assert kinds == [22, 22, 20]
    assert bodies == [body[: holes[0][0] - 5], b"\x0e\0\0\0", b"\x01"]
    assert [len(one) + rest for one, rest in zip(bodies, unread, strict=True)] == [1000, 4, 1]
    assert faults == []
    assert side.lost is False
