"""Records of which more than one part is missing: what follows them is found again."""

from __future__ import annotations

import pytest

from analyzer.handshakes.connection import Connection
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


@pytest.mark.parametrize("cut", [56, 58])
def test_what_is_missing_from_a_hello_is_not_read_as_zeros(cut):
    """A snaplen takes the end of both of its segments."""
    lists = b"\0\x02\x13\x01\x01\0"
    extensions = b"\0\x17\0\0" + b"\0\x2b\0\x03\x02\3\4" * 40
    body = b"\3\3" + bytes(range(32)) + b"\0" + lists + len(extensions).to_bytes(2, "big") + extensions
    stream = _record(22, b"\x01" + len(body).to_bytes(3, "big") + body)
    connection = Connection(443, (1, 1), None, 1 << 20)
    connection.segment(True, 1, stream[:cut], 4, 4, 200)
    connection.segment(True, 201, stream[200 : 200 + min(cut, 9)], 5, 5, len(stream) - 200)
    connection.close()
    hello = connection.follower.client_hello
    assert connection.follower.client_hello_incomplete > 0
    assert (hello.random, hello.cipher_suites, hello.extension_types) == (bytes(range(32)), (0x1301,), (0x17,))
