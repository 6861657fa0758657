"""Every encapsulation, built and dissected by scapy, decoded by us to the same columns."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

import numpy as np
import pytest
from encapsulations import CASES, ETHER, FOUR, HELLO, OUTER4, QOS_FRAME, SEGMENT, SIX, SNAP_IP4, eth
from frame_batches import frames_to_batch
from scapy.layers.dot11 import Dot11
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from analyzer.decode import Decoder
from analyzer.model.batches import SegmentBatch, TcpOption


def inner_header(frame: bytes) -> IP | IPv6:
    """The innermost IP header by scapy: the bytes of our segment are looked for, then what carries them."""
    segment = bytes(SEGMENT)[:16]
    at = frame.index(segment)
    for header in (FOUR, SIX):
        size = len(header) - len(header[TCP])
        if frame[at - size : at - size + 4] == bytes(header)[:4] and frame[at - 8 : at] == bytes(header)[size - 8 : size]:
            return header.__class__(bytes(header))
    return Ether(frame).getlayer(IPv6) or Ether(frame)[IP]


def halves(header: IP | IPv6, address: str) -> tuple[int, int]:
    text = ("::ffff:" if header.version == 4 else "") + address
    high, low = struct.unpack(">QQ", IPv6Address(text).packed)
    return high, low


@pytest.mark.parametrize("name", CASES)
def test_columns_are_those_scapy_reads(name: str) -> None:
    link, packet, tunnels, vlan = CASES[name]
    frame = bytes(packet)
    decoder = Decoder()
    rows = decoder.decode(frames_to_batch([frame], link, timestamps=[1_234_567_890], first_number=42))
    assert decoder.counters == {"tcp": 1}
    header = inner_header(frame)
    assert (rows.frame[0], rows.timestamp[0], rows.original_length[0]) == (42, 1_234_567_890, len(frame))
    assert rows.ip_version[0] == header.version
    assert (rows.source_high[0], rows.source_low[0]) == halves(header, header.src)
    assert (rows.destination_high[0], rows.destination_low[0]) == halves(header, header.dst)
    if header.version == 4:
        assert (rows.ttl[0], rows.ip_id[0], rows.dont_fragment[0]) == (header.ttl, header.id, "DF" in header.flags)
    else:
        assert (rows.ttl[0], rows.ip_id[0]) == (header.hlim, -1)
    assert (rows.source_port[0], rows.destination_port[0]) == (SEGMENT.sport, SEGMENT.dport)
    assert (rows.sequence[0], rows.acknowledgment[0]) == (SEGMENT.seq, SEGMENT.ack)
    assert (rows.flags[0], rows.window[0]) == (int(SEGMENT.flags), SEGMENT.window)
    assert payload_of(rows, 0) == HELLO
    assert rows.wire_length[0] == len(HELLO)
    assert (rows.options[0], rows.timestamp_value[0]) == (TcpOption.TIMESTAMPS, 0x8765_4321)
    assert (rows.mss[0], rows.window_scale[0]) == (0, -1)
    assert (rows.tunnel[0], rows.vlan[0]) == (tunnels, vlan)


def payload_of(rows: SegmentBatch, row: int) -> bytes:
    start = int(rows.payload_offset[row])
    return rows.data[start : start + int(rows.payload_length[row])].tobytes()


def test_a_mixed_batch_gives_the_rows_of_its_frames_in_order() -> None:
    cases = list(CASES.values())
    batch = frames_to_batch([bytes(packet) for _, packet, _, _ in cases], [link for link, *_ in cases])
    decoder = Decoder()
    rows = decoder.decode(batch)
    assert rows.frame.tolist() == list(range(1, len(cases) + 1))
    assert rows.tunnel.tolist() == [tunnels for *_, tunnels, _ in cases]
    assert rows.vlan.tolist() == [vlan for *_, vlan in cases]
    assert [payload_of(rows, row) for row in range(len(rows))] == [HELLO] * len(cases)
    assert decoder.counters == {"tcp": len(cases)}
    for row, (link, packet, _, _) in enumerate(cases):
        alone = Decoder().decode(frames_to_batch([bytes(packet)], link))
        for column in ("ip_version", "source_low", "destination_high", "ttl", "ip_id", "dont_fragment", "options", "sequence"):
            assert getattr(rows, column)[row] == getattr(alone, column)[0], (row, column)


@pytest.mark.parametrize("name", CASES)
def test_no_cut_raises_and_every_cut_is_counted_or_a_row(name: str) -> None:
    """Cut at every length: one reason or one row each, never a payload beyond the cut."""
    link, packet, _, _ = CASES[name]
    frame = bytes(packet)
    frames = [frame[:size] for size in range(len(frame) + 1)]
    batch = frames_to_batch(frames, link, [len(frame)] * len(frames))
    decoder = Decoder()
    rows = decoder.decode(batch)
    assert sum(decoder.counters.values()) == len(frames)
    assert decoder.counters["tcp"] == len(rows)
    ends = (batch.offset + batch.captured_length)[rows.frame - 1]
    assert np.all(rows.payload_offset + rows.payload_length <= ends)
    assert np.all(rows.payload_length >= 0)
    assert set(rows.wire_length.tolist()) == {len(HELLO)}, "what was sent does not depend on the snaplen"
    assert len(rows) >= len(HELLO) + 12 + 6, "a cut after the flags still gives a row"


def test_nine_tunnels_are_too_many() -> None:
    frame = FOUR
    for _ in range(9):
        frame = OUTER4 / frame
    decoder = Decoder()
    assert len(decoder.decode(frames_to_batch([bytes(ETHER / frame)]))) == 0
    assert decoder.counters == {"more than 8 tunnels": 1}


def test_headers_without_end_are_given_up() -> None:
    decoder = Decoder()
    assert len(decoder.decode(frames_to_batch([eth(b"\0\1\x81\x00" * 3000, 0x8100)]))) == 0
    assert decoder.counters == {"too many headers": 1}


def test_an_aggregate_gives_each_of_its_segments() -> None:
    part = b"\2" * 6 + b"\4" * 6 + struct.pack(">H", len(SNAP_IP4)) + SNAP_IP4
    body = part + b"\0" * (-len(part) % 4) + part
    frame = bytes(Dot11(type="Data", subtype=8, FCfield=1)) + b"\x80\0" + body
    rows = Decoder().decode(frames_to_batch([frame, bytes(QOS_FRAME) + SNAP_IP4], 105))
    assert rows.frame.tolist() == [1, 1, 2]
    assert [payload_of(rows, row) for row in range(3)] == [HELLO] * 3


def test_what_is_no_tcp_is_counted_by_reason() -> None:
    frames = {
        "arp": ETHER / Raw(b"\0" * 28),
        "udp": ETHER / OUTER4 / UDP(sport=53, dport=53) / Raw(b"x"),
        "icmp": ETHER / IP(proto=1) / Raw(b"\x08\0\0\0\0\0\0\0"),
        "other ip protocol": ETHER / IP(proto=89) / Raw(b"x" * 20),
        "esp": ETHER / IP(proto=50) / Raw(b"x" * 20),
        "other ethertype": ETHER / Raw(b"x" * 40),
        "bad ip version": eth(b"\x15" + b"\0" * 30, 0x0800),
        "bad ip header length": eth(b"\x42" + b"\0" * 30, 0x0800),
        "bad ip total length": eth(b"\x45\0\0\x10" + b"\0" * 30, 0x0800),
        "frame shorter than its headers": b"short",
        "bad tcp header length": ETHER / OUTER4 / TCP(dataofs=4),
        "llc": eth(b"\x42\x42\x03" + b"\0" * 40, 43),
    }
    frames["arp"].type = 0x0806
    frames["other ethertype"].type = 0x88CC
    decoder = Decoder()
    assert len(decoder.decode(frames_to_batch([bytes(f) for f in frames.values()]))) == 0
    assert decoder.counters == dict.fromkeys(frames, 1)
    assert len(decoder.decode(frames_to_batch([b"x" * 60] * 3, 147))) == 0
    assert decoder.counters["unknown link type 147"] == 3


def test_a_data_offset_beyond_the_packet_is_malformed() -> None:
    decoder = Decoder()
    frame = bytes(ETHER / OUTER4 / TCP(dataofs=15)) + b"\0" * 60
    assert len(decoder.decode(frames_to_batch([frame]))) == 0
    assert decoder.counters == {"bad tcp header length": 1}


@pytest.mark.parametrize("packet", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_zero_length_of_an_offloaded_packet_reaches_to_the_end_of_the_frame(packet: Packet) -> None:
    frame = bytearray(bytes(ETHER / packet / Raw(b"y" * 3000)))
    frame[16 if packet is FOUR else 18 : (16 if packet is FOUR else 18) + 2] = b"\0\0"
    rows = Decoder().decode(frames_to_batch([bytes(frame), bytes(frame[:200])], 1, [len(frame)] * 2))
    assert rows.wire_length.tolist() == [len(HELLO) + 3000] * 2
    assert payload_of(rows, 0) == HELLO + b"y" * 3000
    assert rows.payload_length[1] == 200 - 14 - len(packet) + len(HELLO)


def test_options_of_syn_and_others() -> None:
    def frame(flags: str, options: list[tuple[object, object]] | bytes) -> bytes:
        segment = TCP(sport=1, dport=2, flags=flags)
        if isinstance(options, bytes):
            segment = TCP(bytes(TCP(sport=1, dport=2, flags=flags, dataofs=5 + len(options) // 4)) + options)
        else:
            segment.options = options
        return bytes(ETHER / IP(src="1.1.1.1", dst="2.2.2.2") / segment)

    linux = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (77, 0)), ("NOP", None), ("WScale", 7)]
    fast_open = b"\x22\x02\x01\x01"
    old_fast_open = b"\xfe\x04\xf9\x89"
    mptcp = b"\x1e\x04\x00\x81"
    sack = b"\x01\x01\x08\x0a\x00\x00\x00\x09\x00\x00\x00\x00\x01\x01\x05\x0a" + b"\1" * 8
    signature = b"\x13\x12" + b"s" * 16 + b"\x01\x01"
    broken = [b"\x02\x00\x00\x00", b"\x08\x0a\x00\x00", b"\x02\x01\x01\x01", b"\x00\x02\x04\x05"]
    rows = Decoder().decode(
        frames_to_batch([
            frame("S", linux), frame("A", [("MSS", 9), ("WScale", 3)]), frame("S", fast_open), frame("S", old_fast_open),
            frame("S", mptcp), frame("A", sack), frame("A", signature), frame("S", b"\x03\x03\xff\x00"),
            *(frame("S", options) for options in broken), frame("A", b""), frame("S", b"\x01" * 40),
        ])
    )  # fmt: skip
    every = TcpOption.MSS | TcpOption.SACK_PERMITTED | TcpOption.TIMESTAMPS | TcpOption.WINDOW_SCALE
    assert rows.options.tolist() == [
        every, TcpOption.MSS | TcpOption.WINDOW_SCALE, TcpOption.FAST_OPEN, TcpOption.OTHER | TcpOption.FAST_OPEN,
        TcpOption.MPTCP, TcpOption.TIMESTAMPS | TcpOption.SACK, TcpOption.OTHER, TcpOption.WINDOW_SCALE,
        0, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    assert rows.mss.tolist() == [1460] + [0] * 13
    assert rows.window_scale.tolist() == [7, -1, -1, -1, -1, -1, -1, 127] + [-1] * 6
    assert rows.timestamp_value.tolist() == [77, 0, 0, 0, 0, 9] + [0] * 8


def test_an_empty_batch_gives_an_empty_one() -> None:
    rows = Decoder().decode(frames_to_batch([]))
    assert len(rows) == 0
    assert rows.icmp == []
