"""Tunnels: headers that carry IP or Ethernet again. Each counts once on its frame (``Work.enter_tunnel``).

IP in IP RFC 2003, RFC 2473, RFC 4213; GRE RFC 2784, RFC 2890, RFC 2637 (version 1); ERSPAN
draft-foschiano-erspan; EtherIP RFC 3378; MPLS in IP RFC 4023, in UDP RFC 7510; GRE in UDP RFC 8086;
WCCP draft-mclaggan-wccp-v2rev1; VXLAN RFC 7348 and its GPE draft; GENEVE RFC 8926; GTP-U 3GPP TS 29.281; TZSP as Wireshark reads it.
"""

from __future__ import annotations

import numpy as np

from analyzer.decode.packets import Code, Packets, Work, layout

__all__ = [
    "read_erspan", "read_etherip", "read_geneve", "read_gre", "read_gtp", "read_ipip", "read_mpls_tunnel",
    "read_tzsp", "read_udp", "read_vxlan",
]  # fmt: skip

GRE = layout(4, flags=(0, ">u2"), protocol=(2, ">u2"))
ERSPAN = layout(12, version=(0, "u1"), flags=(10, ">u2"))
UDP = layout(8, port=(2, ">u2"), length=(4, ">u2"))
VXLAN = layout(8, flags=(0, "u1"), next=(3, "u1"))
GENEVE = layout(8, version=(0, "u1"), protocol=(2, ">u2"))
TZSP = layout(4, version=(0, "u1"), type=(1, "u1"), protocol=(2, ">u2"))
GTP = layout(12, flags=(0, "u1"), type=(1, "u1"), length=(2, ">u2"), next=(11, "u1"))

ARUBA = 0x8200, 0x83FF
"""GRE protocol types in which Aruba's access points send 802.11 frames to their controller."""
VXLAN_GPE = Code.PORT + 4790
TZSP_CARRIED = {1: Code.ETHERNET, 18: Code.WIFI}
GPE_NEXT = {1: Code.IPV4, 2: Code.IPV6, 3: Code.ETHERNET, 5: Code.MPLS}


def read_ipip(work: Work, packets: Packets) -> Packets:
    """IPv4 or IPv6 inside either: nothing to take off but the outer IP header, which is gone."""
    packets = work.enter_tunnel(packets)
    return packets.past(0, np.where(packets.code == Code.PROTOCOL + 41, Code.IPV6, Code.IPV4))


def read_etherip(work: Work, packets: Packets) -> Packets:
    """Two bytes, then Ethernet."""
    return work.enter_tunnel(packets).past(2, Code.ETHERNET)


def read_mpls_tunnel(work: Work, packets: Packets) -> Packets:
    """A label stack straight in IP or UDP."""
    return work.enter_tunnel(packets).past(0, Code.MPLS)


def read_gre(work: Work, packets: Packets) -> Packets:
    """GRE with checksum, key and sequence number, and PPTP's version 1. The source routes of RFC 1701 are given up."""
    packets = work.need(packets, 4)
    header = work.read(packets, GRE)
    good = (header["flags"] & 0x4006) == 0
    packets, header = work.keep(packets, good, "bad gre header"), header[good]
    flags, protocol = header["flags"].astype(np.int32), header["protocol"].astype(np.int32)
    size = 4 + 4 * ((flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1) + (flags >> 7 & flags & 1))
    # ERSPAN type I has no header of its own and no sequence number to tell it by.
    code = np.where((protocol == 0x88BE) & (flags & 0x1000 == 0), Code.ETHERNET, protocol)
    code[((protocol == 0x88BE) & (flags & 0x1000 != 0)) | (protocol == 0x22EB)] = Code.ERSPAN
    code[protocol == 0x880B] = Code.PPP
    code[(protocol >= ARUBA[0]) & (protocol <= ARUBA[1])] = Code.WIFI
    wccp = protocol == 0x883E
    if wccp.any():
        code[wccp] = Code.IP
        size = size + np.where(wccp & (work.byte(packets.start + size) >> 4 != 4), 4, 0)  # the redirect header
    return work.enter_tunnel(packets.past(size, code))


def read_erspan(work: Work, packets: Packets) -> Packets:
    """ERSPAN type II (8 bytes) and III (12, with a platform header 20), told apart by their version."""
    packets = work.need(packets, 8)
    header = work.read(packets, ERSPAN)
    version = header["version"] >> 4
    good = (version == 1) | (version == 2)
    packets, header, third = work.keep(packets, good, "bad erspan header"), header[good], version[good] == 2
    size = np.where(third, np.where(header["flags"] & 1, 20, 12), 8)
    carries_ip = third & (header["flags"] >> 10 & 31 == 2)
    return packets.past(size, np.where(carries_ip, Code.IP, Code.ETHERNET))


def read_udp(work: Work, packets: Packets) -> Packets:
    """UDP: its destination port may be a tunnel's; all else is counted."""
    packets = work.need(packets, 8)
    header = work.read(packets, UDP)
    length = header["length"].astype(np.int64)
    packets = packets.bounded(np.where(length < 8, packets.wire_end - packets.start, length))
    return packets.past(8, header["port"].astype(np.int32) + Code.PORT)


def read_vxlan(work: Work, packets: Packets) -> Packets:
    """VXLAN, and VXLAN-GPE on its own port, which names what it carries."""
    packets = work.need(packets, 8)
    header = work.read(packets, VXLAN)
    code = np.full(len(packets), Code.ETHERNET, np.int32)
    generic = (packets.code == VXLAN_GPE) & (header["flags"] & 4 != 0)
    if generic.any():
        code[generic] = -1
        for number, carried in GPE_NEXT.items():
            code[generic & (header["next"] == number)] = carried
    good = (header["flags"] & 8 != 0) & (code >= 0)
    return work.enter_tunnel(work.keep(packets, good, "udp").past(8, code[good]))


def read_geneve(work: Work, packets: Packets) -> Packets:
    """GENEVE with its options."""
    packets = work.need(packets, 8)
    header = work.read(packets, GENEVE)
    good = header["version"] >> 6 == 0
    packets, header = work.keep(packets, good, "udp"), header[good]
    size = 8 + (header["version"] & 63).astype(np.int64) * 4
    return work.enter_tunnel(packets.past(size, header["protocol"]))


def read_gtp(work: Work, packets: Packets) -> Packets:
    """GTP-U version 1 messages that carry a user's packet (G-PDU), with at most 8 extension headers."""
    packets = work.need(packets, 8)
    header = work.read(packets, GTP)
    good = (header["flags"] >> 4 == 3) & (header["type"] == 255)
    packets, header = work.keep(packets, good, "udp"), header[good]
    packets = packets.bounded(8 + header["length"].astype(np.int64))
    size = np.where(header["flags"] & 7, 12, 8).astype(np.int64)
    following = np.where(header["flags"] & 4, header["next"], 0)
    for _ in range(8):
        extended = following != 0
        if not extended.any():
            break
        length = np.where(extended, work.byte(packets.start + size).astype(np.int64) * 4, 0)
        size += length
        following = np.where(extended & (length > 0), work.byte(packets.start + size - 1), np.where(extended, 255, 0))
    done = following == 0
    packets, size = work.keep(packets, done, "bad gtp header"), size[done]
    return work.enter_tunnel(packets.past(size, Code.IP))


def read_tzsp(work: Work, packets: Packets) -> Packets:
    """TaZmen sniffer protocol (MikroTik and others): at most 16 tags, then the mirrored frame."""
    packets = work.need(packets, 5)
    header = work.read(packets, TZSP)
    code = np.full(len(packets), -1, np.int32)
    for number, carried in TZSP_CARRIED.items():
        code[header["protocol"] == number] = carried
    good = (header["version"] == 1) & (header["type"] <= 1) & (code >= 0)
    packets, code = work.keep(packets, good, "udp"), code[good]
    size = np.full(len(packets), 4, np.int64)
    tagged = np.ones(len(packets), np.bool_)
    for _ in range(16):
        at = packets.start + size
        tag = work.byte(at)
        length = np.where(tag < 2, 1, work.byte(at + 1).astype(np.int64) + 2)
        size += np.where(tagged, length, 0)
        tagged &= tag != 1
        if not tagged.any():
            break
    packets = work.keep(packets, ~tagged, "udp")
    return work.enter_tunnel(packets.past(size[~tagged], code[~tagged]))
