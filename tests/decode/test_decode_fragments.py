"""IP fragments: what is put together, what is refused, and that every frame stays in one counter."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from frame_batches import SECOND, frames_to_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from analyzer.decode import Decoder
from analyzer.decode.fragments import REASSEMBLED, WAITING
from analyzer.model.batches import SegmentBatch
from analyzer.model.options import Limits

BODY = bytes(range(256)) * 12
SEGMENT = TCP(sport=50123, dport=443, seq=7, flags="PA") / Raw(BODY)
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
OVERLAP, DUPLICATE, GIVEN_UP = "ip fragment overlapping another", "ip fragment seen before", "ip fragment never completed"


def four(packet: Packet = SEGMENT, size: int = 600, ip_id: int = 9) -> list[bytes]:
    whole = IP(src="192.0.2.1", dst="192.0.2.2", id=ip_id, ttl=33) / packet
    return [bytes(ETHER / part) for part in fragment(whole, size)]


def six(size: int = 700) -> list[bytes]:
    whole = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrFragment(id=77) / IPv6ExtHdrDestOpt() / SEGMENT
    return [bytes(ETHER / part) for part in fragment6(whole, size)]


def raw_four(offset: int, payload: bytes, more: bool, ip_id: int = 1, protocol: int = 6) -> bytes:
    return bytes(ETHER / IP(src="1.1.1.1", dst="2.2.2.2", id=ip_id, flags=int(more), frag=offset // 8, proto=protocol) / payload)


def body(rows: SegmentBatch, row: int = 0) -> bytes:
    start = int(rows.payload_offset[row])
    return rows.data[start : start + int(rows.payload_length[row])].tobytes()


@pytest.mark.parametrize("make", [four, six])
def test_the_row_is_that_of_the_frame_which_completed_it(make: object) -> None:
    frames = make()
    assert len(frames) > 4
    for order in (frames, frames[::-1], random.Random(1).sample(frames, len(frames))):
        decoder = Decoder()
        rows = decoder.decode(frames_to_batch(order))
        assert rows.frame.tolist() == [len(frames)]
        assert (rows.source_port[0], rows.destination_port[0], rows.sequence[0]) == (50123, 443, 7)
        assert body(rows) == BODY
        assert rows.wire_length[0] == len(BODY)
        assert rows.original_length[0] == len(order[-1])
        assert decoder.counters == {REASSEMBLED: len(frames) - 1, "tcp": 1}


def test_fragments_meet_across_batches_after_the_first_buffer_is_gone() -> None:
    frames = four()
    decoder = Decoder()
    for number, frame in enumerate(frames[:-1]):
        batch = frames_to_batch([frame], first_number=1 + number)
        data = batch.data.copy()
        batch.data = data
        assert len(decoder.decode(batch)) == 0
        data[:] = 0
    rows = decoder.decode(frames_to_batch(frames[-1:], first_number=len(frames)))
    assert rows.frame.tolist() == [len(frames)]
    assert body(rows) == BODY
    assert decoder.counters == {REASSEMBLED: len(frames) - 1, "tcp": 1}


def test_a_fragmented_tunnel_is_followed_and_whole_frames_keep_their_place() -> None:
    inner = ETHER / IP(src="10.0.0.1", dst="10.0.0.2") / SEGMENT
    outer = four(UDP(sport=1, dport=4789) / VXLAN(flags=8) / inner, 1480)
    plain = bytes(ETHER / IP(src="10.0.0.3", dst="10.0.0.4") / TCP(sport=1, dport=2) / Raw(b"plain"))
    rows = Decoder().decode(frames_to_batch([plain, *outer, plain]))
    assert rows.frame.tolist() == [1, 1 + len(outer), 2 + len(outer)]
    assert rows.tunnel.tolist() == [0, 1, 0]
    assert [body(rows, row) for row in range(3)] == [b"plain", BODY, b"plain"]


def test_datagrams_with_different_ids_do_not_mix() -> None:
    one, two = four(ip_id=1), four(TCP(sport=2, dport=3) / Raw(BODY[::-1]), ip_id=2)
    rows = Decoder().decode(frames_to_batch([frame for pair in zip(one, two, strict=True) for frame in pair]))
    assert [body(rows, row) for row in range(2)] == [BODY, BODY[::-1]]


def test_a_copy_is_counted_and_an_overlap_refused() -> None:
    header = bytes(TCP(sport=1, dport=2))
    first, last = header + b"first!" * 2, b"last" * 2
    frames = [
        raw_four(0, first, True), raw_four(0, first, True), raw_four(0, header + b"forged" * 2, True),
        raw_four(24, b"x" * 16, True), raw_four(32, last, False),
    ]  # fmt: skip
    decoder = Decoder()
    rows = decoder.decode(frames_to_batch(frames))
    assert rows.frame.tolist() == [5]
    assert body(rows) == b"first!" * 2 + last
    assert decoder.counters == {DUPLICATE: 1, OVERLAP: 2, REASSEMBLED: 1, "tcp": 1}


def test_nothing_comes_after_the_last_fragment_and_a_second_end_is_refused() -> None:
    header = bytes(TCP(sport=1, dport=2)) + b"1234"
    frames = [
        raw_four(32, b"lastlast", False), raw_four(40, b"beyond!!", True), raw_four(48, b"other", False),
        raw_four(0, header, True), raw_four(24, b"ABCDEFGH", True),
    ]  # fmt: skip
    decoder = Decoder()
    rows = decoder.decode(frames_to_batch(frames))
    assert body(rows) == b"1234ABCDEFGHlastlast"
    assert decoder.counters == {OVERLAP: 2, REASSEMBLED: 2, "tcp": 1}
    decoder = Decoder()
    decoder.decode(frames_to_batch([raw_four(64, b"eight by", True), raw_four(32, b"short", False)]))
    assert decoder.counters == {WAITING: 1, OVERLAP: 1}


def test_fragments_that_cannot_be_are_refused() -> None:
    frames = [raw_four(0, b"odd size", True)[:-3] + b"", raw_four(65528, b"x" * 16, False), raw_four(8, b"", False)]
    frames[0] = bytes(ETHER / IP(src="1.1.1.1", dst="2.2.2.2", flags=1, proto=6) / b"12345")
    decoder = Decoder()
    assert len(decoder.decode(frames_to_batch(frames))) == 0
    assert decoder.counters == {"bad ip fragment": 3}


def test_what_never_completes_is_given_up_after_30_seconds_of_capture() -> None:
    frames = four()
    decoder = Decoder()
    times = [0, *[31 * SECOND] * (len(frames) - 1)]
    assert len(decoder.decode(frames_to_batch(frames, timestamps=times))) == 0
    assert decoder.counters == {GIVEN_UP: 1, WAITING: len(frames) - 1}
    in_time = Decoder()
    assert len(in_time.decode(frames_to_batch(frames, timestamps=[0, *[30 * SECOND] * (len(frames) - 1)]))) == 1


def test_a_flood_of_first_fragments_keeps_within_the_limit() -> None:
    flood = [raw_four(0, b"x" * 1400, True, ip_id=n) for n in range(300)]
    decoder = Decoder(Limits(fragments=20))
    decoder.decode(frames_to_batch(flood, timestamps=[0] * 300))
    assert decoder.counters == {WAITING: 20, GIVEN_UP: 280}


def test_fragments_of_what_carries_no_tcp_are_not_held() -> None:
    decoder = Decoder()
    decoder.decode(frames_to_batch([raw_four(0, b"x" * 64, True, protocol=1)]))
    assert decoder.counters == {"ip fragment of another protocol": 1}


def test_a_first_fragment_cut_by_the_snaplen_still_shows_its_header() -> None:
    frames = four()
    decoder = Decoder()
    cut = [frame[:80] for frame in frames]
    rows = decoder.decode(frames_to_batch(cut, original_lengths=[len(f) for f in frames]))
    assert rows.frame.tolist() == [1]
    assert rows.wire_length[0] == len(frames[0]) - 54
    assert rows.payload_length[0] == 80 - 54
    assert decoder.counters["snaplen cut a fragment"] == len([f for f in frames[1:] if len(f) > 80])


def test_a_short_last_fragment_of_ipv4_is_taken_beside_ipv6() -> None:
    header = bytes(TCP(sport=1, dport=2)) + b"1234"
    rows = Decoder().decode(frames_to_batch([*six(), raw_four(0, header, True), raw_four(24, b"end", False)]))
    assert body(rows, 1) == b"1234end"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_order_duplicates_and_batches_do_not_change_the_datagram(data: st.DataObject) -> None:
    whole = bytes(TCP(sport=5, dport=6)) + bytes(data.draw(st.binary(min_size=1, max_size=200)))
    cuts = sorted(data.draw(st.sets(st.integers(1, max((len(whole) - 1) // 8, 1)), max_size=6)))
    edges = [0, *[8 * cut for cut in cuts if 8 * cut < len(whole)], len(whole)]
    if len(edges) < 3:
        edges = [0, 8, len(whole)]
    pieces = [(a, whole[a:b], b < len(whole)) for a, b in pairwise(edges)]
    order = data.draw(st.permutations(pieces))
    copies = data.draw(st.lists(st.sampled_from(order[:-1]), max_size=3))
    sent = [order[0], *copies, *order[1:]] if all(copy == order[0] for copy in copies) else order
    frames = [raw_four(*piece) for piece in sent]
    split = data.draw(st.integers(0, len(frames)))
    decoder = Decoder()
    early = decoder.decode(frames_to_batch(frames[:split]))
    late = decoder.decode(frames_to_batch(frames[split:], first_number=1 + split))
    rows = [body(batch) for batch in (early, late) if len(batch)]
    assert rows == [whole[20:]]
    assert sum(decoder.counters.values()) == len(frames)
