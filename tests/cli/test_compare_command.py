"""``handshake compare``: which handshakes it takes, and that it ends in one sentence."""

from __future__ import annotations

import pytest

from analyzer.cli.compare import split_stream


def test_ends_in_one_sentence(handshake, completed, expired):
    done = handshake("compare", completed, f"{expired}:0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("GOOD  stream 0, ")
    last = " ".join(done.stdout.split("\n\n")[-1].split())
    assert last.startswith("The second handshake failed of cert-expired")
    assert last.endswith(".")


def test_a_stream_that_is_none_is_exit_1(handshake, completed):
    done = handshake("compare", f"{completed}:99", completed)
    assert (done.returncode, done.stdout) == (1, "")
    assert "stream 99" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trace.pcap", ("trace.pcap", None)),
        ("trace.pcap:17", ("trace.pcap", 17)),
        ("a:b.pcap", ("a:b.pcap", None)),
        ("C:/trace.pcap:3", ("C:/trace.pcap", 3)),
        ("http://host:8080", ("http://host:8080", None)),
        ("http://host:8080/trace.pcap:5", ("http://host:8080/trace.pcap", 5)),
        (":5", (":5", None)),
    ],
)
def test_reads_the_stream_at_the_end(text, expected):
    assert split_stream(text) == expected


def test_a_file_of_that_very_name_comes_first(tmp_path):
    odd = tmp_path / "trace:17"
    odd.write_bytes(b"")
    assert split_stream(str(odd)) == (str(odd), None)
