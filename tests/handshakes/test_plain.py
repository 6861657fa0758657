"""What is set aside as plain HTTP is plain to whoever follows it, too."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.handshakes.connection import Connection
from analyzer.handshakes.plain import Plain, asks_for_http

METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "REPORT")


def follow(port: int, *pieces: tuple[bool, bytes]) -> Connection:
    connection = Connection(port, (1, 1), None, 1 << 20)
    numbers = {True: 1, False: 1}
    for frame, (from_client, data) in enumerate(pieces, 1):
        connection.segment(from_client, numbers[from_client], data, frame, frame, len(data))
        numbers[from_client] += len(data)
    return connection


@pytest.mark.parametrize(
    "data", [b"CONNECT example.com:443 HTTP/1.1\r\n", b"GET /", b"GET  HTTP/1.1\r\n", b"EHLO me\r\n", b"\x16\x03\x01\0\x05", b""]
)
def test_what_may_lead_to_tls_is_no_plain_http(data: bytes) -> None:
    assert not asks_for_http(data)


@given(
    method=st.sampled_from(METHODS),
    target=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=480),
    end=st.sampled_from((" HTTP/1.1\r\n", " HTTP/1.0\n")),
    rest=st.binary(max_size=600),
    answer=st.binary(min_size=1, max_size=600),
    port=st.sampled_from((25, 80, 143, 389, 443, 1433, 3306, 5222, 5432, 8080)),
)
@example(method="GET", target="ID", end=" HTTP/1.1\r\n", rest=b"", answer=b"\0", port=25)  # no command of IMAP after its tag
def test_nobody_who_follows_it_takes_it_for_something_else(
    method: str, target: str, end: str, rest: bytes, answer: bytes, port: int
) -> None:
    request = f"{method} {target}{end}".encode() + rest
    assert asks_for_http(request)
    connection = follow(port, (True, request), (False, answer), (True, b"more"), (False, answer), (True, b"more"))
    assert not connection.is_tls
    assert not connection.over
    assert connection.talking is None
    assert connection.follower.dialogue is None


def test_it_is_handed_on_segment_by_segment() -> None:
    request, answer = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"
    plain = Plain(
        (request + b"more", 1, [len(request), len(request) + 4], [1, 3], [1, 3]), (answer, 1, [len(answer)], [2], [2]), bytes((0, 1, 0))
    )
    connection = Connection(443, (1, 1), None, 1 << 20)
    plain.hand(connection)
    expected = follow(443, (True, request), (False, answer), (True, b"more"))
    connection.close()
    expected.close()
    assert connection.plain == expected.plain == [request, b""]
    assert connection.plain_frames == expected.plain_frames
    assert connection.follower.messages == expected.follower.messages
    assert connection.follower.server.first_bytes == expected.follower.server.first_bytes == answer
