"""One TCP segment in every encapsulation, built by scapy."""

from __future__ import annotations

import struct

from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)  # fmt: skip
from scapy.layers.ipsec import AH
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, Dot1AD, Dot1Q, Dot3, Ether, Loopback
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

HELLO = b"\x16\x03\x01\x00\x05hello"
SEGMENT = TCP(
    sport=50123, dport=443, seq=0xFEDC_BA98, ack=0x0102_0304, flags="PA", window=4321,
    options=[("NOP", None), ("NOP", None), ("Timestamp", (0x8765_4321, 99))],
) / Raw(HELLO)  # fmt: skip
FOUR = IP(src="192.0.2.7", dst="198.51.100.9", ttl=57, id=0xBEEF, flags="DF") / SEGMENT
SIX = IPv6(src="2001:db8::7", dst="2001:db8:ffff::9", hlim=61) / SEGMENT
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
OUTER4 = IP(src="203.0.113.1", dst="203.0.113.2", ttl=3, id=1)
GRE_OUTER = IP(src="203.0.113.1", dst="203.0.113.2", proto=47)
OUTER6 = IPv6(src="fe80::1", dst="fe80::2", hlim=3)
SNAP4 = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800) / FOUR
SNAP_IP4 = bytes(SNAP4)
DATA_FRAME = Dot11(type="Data", subtype=0, FCfield=1)
QOS_FRAME = Dot11(type="Data", subtype=8, FCfield=1) / Dot11QoS()


def sll2(protocol: int, packet: Packet) -> bytes:
    return struct.pack(">HHIHBB8s", protocol, 0, 3, 1, 4, 6, b"\2\0\0\0\0\1\0\0") + bytes(packet)


def nflog(packet: Packet) -> bytes:
    prefix = struct.pack("<HH", 4 + 5, 10) + b"log:\0" + b"\0" * 3
    payload = bytes(packet)
    return b"\x02\x00\x00\x01" + prefix + struct.pack("<HH", 4 + len(payload), 9) + payload


def erspan3(platform: bool) -> bytes:
    header = b"\x20\x05\x00\x01" + b"\0" * 4 + b"\0\0" + (b"\0\1" if platform else b"\0\0")
    return header + (b"\0" * 8 if platform else b"")


def pktap(link: int, packet: Packet) -> bytes:
    return struct.pack("<III", 108, 1, link) + b"\0" * 96 + bytes(packet)


def ppi(link: int, packet: Packet) -> bytes:
    return struct.pack("<BBHI", 0, 0, 8, link) + bytes(packet)


def prism() -> bytes:
    items = b"".join(struct.pack("<IHHI", 0x44 | number << 12, 0, 4, 0) for number in range(1, 11))
    return struct.pack("<II16s", 0x44, 144, b"wlan0") + items


def extended_radiotap() -> bytes:
    """Two presence words, TSFT, flags saying that the 802.11 header is padded to 4 bytes."""
    return struct.pack("<BBHII", 0, 0, 28, 0x8000_0003, 1) + b"\0" * 4 + b"\0" * 8 + b"\x20" + b"\0" * 3


def eth(body: Packet | bytes, kind: int) -> bytes:
    return b"\2\0\0\0\0\2\2\0\0\0\0\1" + struct.pack(">H", kind) + bytes(body)


# name: (link type, frame, tunnels, vlan)
CASES: dict[str, tuple[int, Packet | bytes, int, int]] = {
    "ethernet": (1, ETHER / FOUR, 0, -1),
    "ethernet ipv6": (1, ETHER / SIX, 0, -1),
    "ethernet with padding and fcs": (1, bytes(ETHER / FOUR) + b"\xaa" * 20, 0, -1),
    "vlan": (1, ETHER / Dot1Q(vlan=77) / FOUR, 0, 77),
    "qinq": (1, ETHER / Dot1AD(vlan=4000) / Dot1Q(vlan=77) / SIX, 0, 4000),
    "four tags": (1, ETHER / Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / Dot1Q(vlan=4) / FOUR, 0, 1),
    "802.3 snap": (1, Dot3() / SNAP4, 0, -1),
    "802.3 snap with padding": (1, bytes(Dot3() / SNAP4) + b"\xaa" * 9, 0, -1),
    "802.3 ip sap": (1, Dot3() / LLC(dsap=6, ssap=6, ctrl=3) / FOUR, 0, -1),
    "802.3 in a vlan": (1, eth(struct.pack(">HH", 9, len(SNAP_IP4)) + SNAP_IP4, 0x8100), 0, 9),
    "vn-tag": (1, eth(b"\0\1\0\2\x08\x00" + bytes(FOUR), 0x8926), 0, -1),
    "e-tag": (1, eth(b"\0\1\0\2\0\0\x08\x00" + bytes(FOUR), 0x893F), 0, -1),
    "cisco metadata": (1, eth(b"\1\1\0\1\0\5\x08\x00" + bytes(FOUR), 0x8909), 0, -1),
    "provider backbone": (1, eth(b"\0\0\0\1" + bytes(ETHER / FOUR), 0x88E7), 0, -1),
    "mpls": (1, ETHER / MPLS(label=16, s=0) / MPLS(label=17, s=1) / FOUR, 0, -1),
    "mpls ipv6": (1, eth(bytes(MPLS(label=17, s=1)) + bytes(SIX), 0x8847), 0, -1),
    "mpls pseudowire": (1, eth(bytes(MPLS(label=17, s=1)) + bytes(ETHER / FOUR), 0x8847), 0, -1),
    "mpls control word": (1, eth(bytes(MPLS(label=17, s=1)) + b"\0\0\0\1" + bytes(ETHER / FOUR), 0x8847), 0, -1),
    "pppoe": (1, ETHER / PPPoE(sessionid=3) / PPP() / FOUR, 0, -1),
    "pppoe ipv6 with padding": (1, bytes(ETHER / PPPoE(sessionid=3) / PPP(proto=0x57) / SIX) + b"\xaa" * 5, 0, -1),
    "sll": (113, CookedLinux(proto=0x0800) / FOUR, 0, -1),
    "sll vlan": (113, CookedLinux(proto=0x8100) / Dot1Q(vlan=8) / SIX, 0, 8),
    "sll2": (276, sll2(0x86DD, SIX), 0, -1),
    "raw 12": (12, FOUR, 0, -1),
    "raw 14": (14, SIX, 0, -1),
    "raw 101": (101, SIX, 0, -1),
    "raw ipv4": (228, FOUR, 0, -1),
    "raw ipv6": (229, SIX, 0, -1),
    "null little-endian": (0, struct.pack("<I", 2) + bytes(FOUR), 0, -1),
    "null big-endian": (0, struct.pack(">I", 2) + bytes(FOUR), 0, -1),
    **{f"null af {af}": (0, struct.pack("<I", af) + bytes(SIX), 0, -1) for af in (10, 23, 24, 28, 30)},
    "loop": (108, struct.pack(">I", 24) + bytes(SIX), 0, -1),
    "scapy loopback": (0, Loopback(type=2) / FOUR, 0, -1),
    "ppp": (9, PPP() / FOUR, 0, -1),
    "ppp framed": (50, b"\xff\x03\x00\x57" + bytes(SIX), 0, -1),
    "ppp short protocol": (9, b"\xff\x03\x21" + bytes(FOUR), 0, -1),
    "ppp cisco": (50, b"\x0f\x00\x08\x00" + bytes(FOUR), 0, -1),
    "ppp ether": (51, PPPoE(sessionid=3) / PPP() / FOUR, 0, -1),
    "cisco hdlc": (104, b"\x0f\x00\x86\xdd" + bytes(SIX), 0, -1),
    "ppp with direction": (204, b"\x01\xff\x03\x00\x21" + bytes(FOUR), 0, -1),
    "802.11": (105, bytes(DATA_FRAME) + SNAP_IP4, 0, -1),
    "802.11 qos": (105, bytes(QOS_FRAME) + SNAP_IP4 + b"FCS!", 0, -1),
    "802.11 wds": (105, bytes(Dot11(type="Data", subtype=0, FCfield=3)) + SNAP_IP4, 0, -1),
    "radiotap": (127, bytes(RadioTap()) + bytes(DATA_FRAME) + SNAP_IP4, 0, -1),
    "radiotap padded": (127, extended_radiotap() + bytes(QOS_FRAME) + b"\0\0" + SNAP_IP4, 0, -1),
    "avs": (163, struct.pack(">II", 0x8021_1001, 64) + b"\0" * 56 + bytes(DATA_FRAME) + SNAP_IP4, 0, -1),
    "prism": (119, prism() + bytes(DATA_FRAME) + SNAP_IP4, 0, -1),
    "ppi": (192, ppi(105, DATA_FRAME / Raw(SNAP_IP4)), 0, -1),
    "nflog": (239, nflog(FOUR), 0, -1),
    "pktap": (258, pktap(1, ETHER / FOUR), 0, -1),
    "ipnet": (226, struct.pack(">BBHI16x", 2, 2, 0, len(FOUR)) + bytes(FOUR), 0, -1),
    "ip options": (1, ETHER / IP(src="192.0.2.7", dst="198.51.100.9", options=b"\x94\x04\x00\x00" * 3) / SEGMENT, 0, -1),
    "ipv6 extensions": (
        1,
        ETHER / OUTER6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(addresses=["2001:db8::1"]) / IPv6ExtHdrDestOpt() / SEGMENT,
        0,
        -1,
    ),
    "ipv6 atomic fragment": (1, ETHER / OUTER6 / IPv6ExtHdrFragment(id=5) / SEGMENT, 0, -1),
    "ipv6 mobility": (1, eth(bytes(OUTER6.__class__(src="::1", dst="::2", nh=135, plen=8 + len(SEGMENT)))
                             + b"\x06\0\0\0\0\0\0\0" + bytes(SEGMENT), 0x86DD), 0, -1),
    "ah in ipv4": (1, ETHER / IP(src="192.0.2.7", dst="198.51.100.9") / AH(nh=6, payloadlen=4, icv=b"\0" * 12) / SEGMENT, 0, -1),
    "6in4": (1, ETHER / OUTER4 / SIX, 1, -1),
    "4in6": (1, ETHER / OUTER6 / FOUR, 1, -1),
    "ipip": (1, ETHER / OUTER4 / FOUR, 1, -1),
    "6in6": (1, ETHER / OUTER6 / SIX, 1, -1),
    "gre": (1, ETHER / OUTER4 / GRE() / FOUR, 1, -1),
    "gre key seq checksum": (
        1, ETHER / OUTER4 / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=7, sequence_number=9) / SIX, 1, -1,
    ),
    "gre in ipv6": (1, ETHER / OUTER6 / GRE(key_present=1, key=7) / FOUR, 1, -1),
    "gre ethernet": (1, ETHER / OUTER4 / GRE(proto=0x6558) / ETHER / Dot1Q(vlan=5) / FOUR, 1, 5),
    "gre mpls": (1, ETHER / OUTER4 / GRE(proto=0x8847) / MPLS(label=3, s=1) / FOUR, 1, -1),
    "pptp": (1, ETHER / GRE_OUTER / Raw(b"\x30\x81\x88\x0b\0\0\0\0" + b"\0" * 8 + b"\xff\x03\0\x21" + bytes(FOUR)), 1, -1),
    "gre aruba": (1, ETHER / GRE_OUTER / Raw(b"\0\0\x82\x40" + bytes(DATA_FRAME) + SNAP_IP4), 1, -1),
    "gre wccp": (1, ETHER / GRE_OUTER / Raw(b"\0\0\x88\x3e" + b"\0\1\2\3" + bytes(FOUR)), 1, -1),
    "gre wccp without redirect header": (1, ETHER / GRE_OUTER / Raw(b"\0\0\x88\x3e" + bytes(FOUR)), 1, -1),
    "erspan i": (1, ETHER / GRE_OUTER / Raw(b"\x00\x00\x88\xbe" + bytes(ETHER / FOUR)), 1, -1),
    "erspan ii": (1, ETHER / OUTER4 / GRE(seqnum_present=1, proto=0x88BE) / ERSPAN_II() / ETHER / FOUR, 1, -1),
    "erspan iii": (1, ETHER / GRE_OUTER / Raw(b"\x10\x00\x22\xeb\0\0\0\1" + erspan3(False) + bytes(ETHER / FOUR)), 1, -1),
    "erspan iii platform": (
        1, ETHER / GRE_OUTER / Raw(b"\x10\x00\x22\xeb\0\0\0\1" + erspan3(True) + bytes(ETHER / FOUR)), 1, -1,
    ),
    "etherip": (1, ETHER / IP(src="1.2.3.4", dst="5.6.7.8", proto=97) / Raw(b"\x30\x00" + bytes(ETHER / FOUR)), 1, -1),
    "mpls in ip": (1, ETHER / IP(src="1.2.3.4", dst="5.6.7.8", proto=137) / MPLS(label=3, s=1) / FOUR, 1, -1),
    "mpls in udp": (1, ETHER / OUTER4 / UDP(sport=999, dport=6635) / Raw(bytes(MPLS(label=3, s=1)) + bytes(FOUR)), 1, -1),
    "gre in udp": (1, ETHER / OUTER4 / UDP(sport=999, dport=4754) / Raw(bytes(GRE() / FOUR)), 1, -1),
    "vxlan": (1, ETHER / OUTER4 / UDP(sport=999, dport=4789) / VXLAN(vni=5, flags=8) / ETHER / FOUR, 1, -1),
    "vxlan 8472": (1, ETHER / OUTER6 / UDP(sport=999, dport=8472) / VXLAN(vni=5, flags=8) / ETHER / SIX, 1, -1),
    "vxlan gpe": (1, ETHER / OUTER4 / UDP(sport=999, dport=4790) / Raw(b"\x0c\0\0\1\0\0\5\0" + bytes(FOUR)), 1, -1),
    "geneve": (1, ETHER / OUTER4 / UDP(sport=999, dport=6081) / GENEVE(vni=5, proto=0x6558) / ETHER / FOUR, 1, -1),
    "geneve options": (
        1, ETHER / OUTER4 / UDP(sport=999, dport=6081) / Raw(b"\x02\0\x08\x00\0\0\5\0" + b"\1\2\3\1\0\0\0\0" + bytes(FOUR)), 1, -1,
    ),
    "gtp-u": (1, ETHER / OUTER4 / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7, gtp_type=255) / FOUR, 1, -1),
    "gtp-u extension": (
        1,
        ETHER / OUTER4 / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7, gtp_type=255, E=1, next_ex=0x85)
        / GTPPDUSessionContainer(type=0, QFI=5) / SIX,
        1,
        -1,
    ),
    "tzsp": (1, ETHER / OUTER4 / UDP(sport=999, dport=37008) / Raw(b"\1\0\0\1\x0a\1\x20\0\1" + bytes(ETHER / FOUR)), 1, -1),
    "tzsp 802.11": (1, ETHER / OUTER4 / UDP(sport=999, dport=37008) / Raw(b"\1\0\0\x12\1" + bytes(DATA_FRAME) + SNAP_IP4), 1, -1),
    "vxlan in gre in ipip": (
        1,
        ETHER / OUTER4 / OUTER4 / GRE(key_present=1) / OUTER6 / UDP(dport=4789) / VXLAN(flags=8) / ETHER / Dot1Q(vlan=3) / SIX,
        3,
        3,
    ),
    "eight tunnels": (1, ETHER / OUTER4 / OUTER4 / OUTER4 / OUTER4 / OUTER4 / OUTER4 / OUTER4 / OUTER4 / FOUR, 8, -1),
}  # fmt: skip
