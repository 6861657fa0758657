"""ICMP and ICMPv6 errors: which are kept, and what they say."""

from __future__ import annotations

import struct

import pytest
from frame_batches import frames_to_batch
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)  # fmt: skip
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Packet, Raw

from analyzer.decode import Decoder
from analyzer.decode.icmp import MAX_ERRORS
from analyzer.model.batches import IcmpError, SegmentBatch

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
SEGMENT = TCP(sport=50123, dport=443, seq=0x8000_0001, flags="S")
QUOTE4 = bytes(IP(src="192.0.2.7", dst="198.51.100.9", options=b"\x94\x04\x00\x00") / SEGMENT)
QUOTE6 = bytes(IPv6(src="2001:db8::7", dst="2001:db8:1::9") / SEGMENT)
ROUTER4 = IP(src="203.0.113.5", dst="192.0.2.7")
ROUTER6 = IPv6(src="2001:db8:5::5", dst="2001:db8::7")
ADDRESS4 = {
    "source": (0, 0xFFFF_C000_0207), "destination": (0, 0xFFFF_C633_6409),
    "source_port": 50123, "destination_port": 443, "sequence": 0x8000_0001,
}  # fmt: skip
ADDRESS6 = ADDRESS4 | {"source": (0x2001_0DB8_0000_0000, 7), "destination": (0x2001_0DB8_0001_0000, 9)}


def decode(*packets: Packet) -> tuple[SegmentBatch, dict[str, int]]:
    decoder = Decoder()
    frames = [bytes(ETHER / packet) for packet in packets]
    return decoder.decode(frames_to_batch(frames, timestamps=list(range(len(frames))), first_number=10)), decoder.counters


@pytest.mark.parametrize(("kind", "code", "mtu"), [(3, 1, 0), (3, 13, 0), (3, 4, 1400), (11, 0, 0), (4, 0, 0), (12, 0, 0)])
def test_errors_of_ipv4_tell_reporter_and_quoted_packet(kind: int, code: int, mtu: int) -> None:
    message = struct.pack(">BBHHH", kind, code, 0, 0, mtu)
    rows, counters = decode(ROUTER4 / Raw(b""), IP(src="203.0.113.5", dst="192.0.2.7", proto=1) / Raw(message + QUOTE4))
    assert rows.icmp == [IcmpError(frame=11, timestamp=1, reporter="203.0.113.5", version=4, type=kind, code=code, mtu=mtu, **ADDRESS4)]
    assert counters["icmp"] == 1
    assert len(rows) == 0


@pytest.mark.parametrize(
    ("message", "kind", "mtu"),
    [(ICMPv6DestUnreach(code=4), 1, 0), (ICMPv6PacketTooBig(mtu=1280), 2, 1280), (ICMPv6TimeExceeded(), 3, 0)],
)
def test_errors_of_ipv6_tell_reporter_and_quoted_packet(message: Packet, kind: int, mtu: int) -> None:
    rows, _ = decode(ROUTER6 / message / Raw(QUOTE6))
    code = 4 if kind == 1 else 0
    assert rows.icmp == [IcmpError(frame=10, timestamp=0, reporter="2001:db8:5::5", version=6, type=kind, code=code, mtu=mtu, **ADDRESS6)]


def test_extension_headers_in_the_quote_are_passed_over() -> None:
    quote = IPv6(src="2001:db8::7", dst="2001:db8:1::9") / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(m=1) / SEGMENT
    later = IPv6(src="2001:db8::7", dst="2001:db8:1::9") / IPv6ExtHdrFragment(offset=9) / SEGMENT
    rows, _ = decode(ROUTER6 / ICMPv6PacketTooBig() / Raw(bytes(quote)), ROUTER6 / ICMPv6PacketTooBig() / Raw(bytes(later)))
    assert [error.source_port for error in rows.icmp] == [50123]


def test_the_quote_of_a_tunnel_end_is_read_inside_the_tunnel() -> None:
    rows, _ = decode(IP(src="1.1.1.1", dst="2.2.2.2") / GRE() / ROUTER4 / ICMP(type=3, code=10) / Raw(QUOTE4))
    assert [(error.reporter, error.code) for error in rows.icmp] == [("203.0.113.5", 10)]


def test_what_quotes_no_tcp_is_only_counted() -> None:
    udp = bytes(IP(src="192.0.2.7", dst="198.51.100.9") / UDP(sport=1, dport=53) / Raw(b"12345678"))
    packets = [
        ROUTER4 / ICMP() / Raw(QUOTE4),
        ROUTER4 / ICMP(type=3, code=3) / Raw(udp),
        ROUTER4 / ICMP(type=3, code=3) / Raw(QUOTE4[:24]),
        ROUTER4 / ICMP(type=3, code=3) / Raw(bytes(IP(src="1.1.1.1", dst="2.2.2.2", frag=5, proto=6) / Raw(b"x" * 20))),
        ROUTER6 / ICMPv6EchoRequest(data=QUOTE6),
        ROUTER6 / ICMPv6DestUnreach() / Raw(QUOTE6[:44]),
    ]
    rows, counters = decode(*packets)
    assert rows.icmp == []
    assert counters == {"icmp": len(packets)}


def test_a_storm_of_errors_is_capped_and_counted() -> None:
    frame = bytes(ETHER / ROUTER4 / ICMP(type=3, code=1) / Raw(QUOTE4))
    decoder = Decoder()
    rows = decoder.decode(frames_to_batch([frame] * (MAX_ERRORS + 5)))
    assert len(rows.icmp) == MAX_ERRORS
    assert decoder.counters == {"icmp": MAX_ERRORS, "icmp beyond the cap": 5}
