"""Link layers: from what a LINKTYPE_ value promises to the EtherType of what was carried.

Formats as the tcpdump project's list of link-layer header types has them; Ethernet and its tags
IEEE 802.3, 802.1Q, 802.1ah, 802.1BR; PPP RFC 1661/1662, PPPoE RFC 2516; MPLS RFC 3032, RFC 4385.
802.11 is in ``wifi``.
"""

from __future__ import annotations

import numpy as np

from analyzer.decode.packets import Code, Column, Packets, Work, layout

__all__ = [
    "read_chdlc", "read_enclosed", "read_ethernet", "read_extended_tag", "read_llc", "read_loopback",
    "read_mpls", "read_nflog", "read_ppp", "read_pppoe", "read_skipped", "read_sll", "read_sll2", "read_vlan",
]  # fmt: skip

ETHERTYPE = layout(2, type=(0, ">u2"))
TAG = layout(4, tag=(0, ">u2"), type=(2, ">u2"))
LLC = layout(8, sap=(0, ">u2"), control=(2, "u1"), oui=(3, ">u2"), oui_last=(5, "u1"), type=(6, ">u2"))
LABEL = layout(4, label=(0, ">u4"))
PPPOE = layout(6, code=(1, "u1"), length=(4, ">u2"))
PPP = layout(4, first=(0, "u1"), second=(1, "u1"), framing=(0, ">u2"), framed_first=(2, "u1"), framed_second=(3, "u1"))
SLL = layout(16, protocol=(14, ">u2"))
SLL2 = layout(20, protocol=(0, ">u2"))
FAMILY = layout(4, little=(0, "<u4"), big=(0, ">u4"))
ENCLOSED = layout(12, ppi_length=(2, "<u2"), ppi_link=(4, "<u4"), pktap_length=(0, "<u4"), pktap_link=(8, "<u4"))
TLV = layout(4, length=(0, "<u2"), type=(2, "<u2"))

AF_INET6 = (10, 23, 24, 26, 28, 30)
"""Linux, Windows, NetBSD and OpenBSD, Solaris, FreeBSD, macOS."""
PPP_PROTOCOLS = ((0x0021, Code.IPV4), (0x0057, Code.IPV6), (0x0281, Code.MPLS), (0x0283, Code.MPLS))
WIRED = (Code.IPV4, Code.IPV6, Code.ARP, Code.VLAN, 0x88A8)
"""EtherTypes that tell where a pseudowire's Ethernet begins."""
SKIPPED = {
    0x88E7: (4, Code.ETHERNET),  # I-TAG of provider backbone bridging (802.1ah)
    Code.LINK + 8: (16, Code.IP),  # SLIP
    Code.LINK + 109: (12, Code.IP),  # OpenBSD ENC
    Code.LINK + 204: (1, Code.PPP),  # PPP with direction
    Code.LINK + 226: (24, Code.IP),  # Solaris IPNET
    Code.LINK + 240: (4, Code.ETHERNET),  # netANALYZER
    Code.LINK + 241: (12, Code.ETHERNET),  # the same with preamble
}
"""Headers of a fixed length that say nothing we need: bytes to skip, what follows."""
PPI, PKTAP = Code.LINK + 192, Code.LINK + 258


def read_ethernet(work: Work, packets: Packets) -> Packets:
    """Ethernet II, or 802.3 with a length, whose padding is cut off."""
    packets = work.need(packets, 14)
    kind = work.read(packets.past(12, 0), ETHERTYPE)["type"]
    return _carry(packets.past(14, 0), kind)


def _carry(packets: Packets, kind: Column) -> Packets:
    """Go on by EtherType, or by LLC where the number is a length (802.3 section 3.2.6)."""
    code = kind.astype(np.int32)
    if len(code) and code.min() <= 1500:
        length = np.where(code <= 1500, code, 0xFFFF)
        packets = packets.bounded(np.where(code <= 1500, length, packets.wire_end - packets.start))
        code[code <= 1500] = Code.LLC
    return packets.past(0, code)


def read_vlan(work: Work, packets: Packets) -> Packets:
    """One 802.1Q, 802.1ad or older stacked tag; the outermost id is kept."""
    packets = work.need(packets, 4)
    header = work.read(packets, TAG)
    outermost = work.vlan[packets.row] < 0
    work.vlan[packets.row[outermost]] = header["tag"][outermost] & 0xFFF
    return _carry(packets.past(4, 0), header["type"])


def read_extended_tag(work: Work, packets: Packets) -> Packets:
    """VN-Tag (0x8926), E-Tag (802.1BR) and Cisco's metadata, each before an EtherType."""
    packets = work.need(packets, 8)
    size = np.where(packets.code == 0x8926, 4, 6)
    return _carry(packets.past(size + 2, 0), work.read(packets.past(size, 0), ETHERTYPE)["type"])


def read_llc(work: Work, packets: Packets) -> Packets:
    """802.2 LLC: SNAP with an EtherType (RFC 1042, and 802.1H's OUI), or IP's own SAP."""
    packets = work.keep(packets, packets.end - packets.start >= 3, "llc")
    header = work.read(packets, LLC)
    unnumbered = header["control"] == 3
    oui = header["oui"].astype(np.int32) << 8 | header["oui_last"]
    snap = unnumbered & (header["sap"] == 0xAAAA) & ((oui == 0) | (oui == 0xF8)) & (packets.end - packets.start >= 8)
    ip = unnumbered & (header["sap"] == 0x0606)
    good = snap | ip
    packets = work.keep(packets, good, "llc")
    snap, kind = snap[good], header["type"][good].astype(np.int32)
    return packets.past(np.where(snap, 8, 3), np.where(snap, kind, Code.IPV4))


def read_mpls(work: Work, packets: Packets) -> Packets:
    """One label. Under the last, IP tells itself by its version; all else is taken for a pseudowire's Ethernet."""
    packets = work.need(packets, 5)
    last = work.read(packets, LABEL)["label"] & 0x100 != 0
    nibble = work.byte(packets.start + 4) >> 4
    code = np.where(nibble == 4, Code.IPV4, np.where(nibble == 6, Code.IPV6, Code.ETHERNET))
    control = last & (nibble == 0)
    if control.any():
        # A control word begins with 0 (RFC 4385 section 3), and so do most MAC addresses: ask the EtherType.
        without = np.isin(work.read(packets.past(16, 0), ETHERTYPE)["type"], WIRED)
        control &= ~without | np.isin(work.read(packets.past(20, 0), ETHERTYPE)["type"], WIRED)
    return packets.past(np.where(control, 8, 4), np.where(last, code, Code.MPLS))


def read_pppoe(work: Work, packets: Packets) -> Packets:
    """A PPPoE session packet; its length cuts Ethernet's padding off."""
    packets = work.need(packets, 6)
    header = work.read(packets, PPPOE)
    session = header["code"] == 0
    packets = work.keep(packets, session, "pppoe discovery")
    return packets.past(6, Code.PPP).bounded(header["length"][session].astype(np.int64))


def read_ppp(work: Work, packets: Packets) -> Packets:
    """PPP, with HDLC's address and control or without, the protocol in one byte or two; or Cisco's HDLC."""
    packets = work.need(packets, 4)
    header = work.read(packets, PPP)
    framed = header["framing"] == 0xFF03
    cisco = (header["framing"] == 0x0F00) | (header["framing"] == 0x8F00)
    first = np.where(framed, header["framed_first"], header["first"]).astype(np.int32)
    second = np.where(framed, header["framed_second"], header["second"]).astype(np.int32)
    short = first & 1 == 1
    protocol = np.where(short, first, first << 8 | second)
    code = np.full(len(packets), -1, np.int32)
    for number, known in PPP_PROTOCOLS:
        code[protocol == number] = known
    ethertype = header["framed_first"].astype(np.int32) << 8 | header["framed_second"]
    code[cisco] = ethertype[cisco]
    size = np.where(cisco, 4, np.where(framed, 2, 0) + np.where(short, 1, 2))
    good = code >= 0
    return work.keep(packets, good, "ppp").past(size[good], code[good])


def read_chdlc(work: Work, packets: Packets) -> Packets:
    """Cisco HDLC: address, control, EtherType."""
    packets = work.need(packets, 4)
    return packets.past(4, work.read(packets, TAG)["type"])


def read_sll(work: Work, packets: Packets) -> Packets:
    """Linux cooked capture, version 1."""
    packets = work.need(packets, 16)
    return _carry_cooked(packets.past(16, 0), work.read(packets, SLL)["protocol"])


def read_sll2(work: Work, packets: Packets) -> Packets:
    """Linux cooked capture, version 2."""
    packets = work.need(packets, 20)
    return _carry_cooked(packets.past(20, 0), work.read(packets, SLL2)["protocol"])


def _carry_cooked(packets: Packets, protocol: Column) -> Packets:
    """Go on by EtherType; 4 is Linux's own number for 802.2 LLC."""
    # NumPy 2.5 takes no plain number that has no room in the 16 bits of the others
    return packets.past(0, np.where(protocol == 4, np.int32(Code.LLC), protocol))


def read_loopback(work: Work, packets: Packets) -> Packets:
    """BSD null and loopback: an address family in the byte order of whoever captured."""
    packets = work.need(packets, 4)
    header = work.read(packets, FAMILY)
    code = np.zeros(len(packets), np.int32)
    for family in (header["little"], header["big"]):
        code[family == 2] = Code.IPV4
        code[np.isin(family, AF_INET6)] = Code.IPV6
    good = code != 0
    return work.keep(packets, good, "loopback of another family").past(4, code[good])


def read_skipped(work: Work, packets: Packets) -> Packets:
    """Headers of ``SKIPPED``."""
    packets = work.need(packets, 1)
    size, code = np.zeros(len(packets), np.int64), np.zeros(len(packets), np.int32)
    for skipped, (length, carried) in SKIPPED.items():
        this = packets.code == skipped
        size[this], code[this] = length, carried
    return packets.past(size, code)


def read_enclosed(work: Work, packets: Packets) -> Packets:
    """PPI and Apple's PKTAP: a header that gives its own length and the link type of what follows."""
    packets = work.need(packets, 12)
    header = work.read(packets, ENCLOSED)
    ppi = packets.code == PPI
    size = np.where(ppi, header["ppi_length"], header["pktap_length"]).astype(np.int64)
    link = np.where(ppi, header["ppi_link"], header["pktap_link"]).astype(np.int64)
    good = (size >= np.where(ppi, 8, 12)) & (link < 0x10000) & (size <= packets.wire_end - packets.start)
    return work.keep(packets, good, "bad capture header").past(size[good], link[good] + Code.LINK)


def read_nflog(work: Work, packets: Packets) -> Packets:
    """Netfilter's log: type-length-values in the host's order (little-endian here) up to the payload, at most 16."""
    packets = work.need(packets, 8).past(4, Code.IP)
    found: list[Packets] = []
    for _ in range(16):
        packets = work.need(packets, 4)
        header = work.read(packets, TLV)
        length = header["length"].astype(np.int64)
        good = length >= 4
        packets = work.keep(packets, good, "bad capture header")
        length, payload = length[good], header["type"][good] == 9
        found.append(packets.bounded(length).select(payload).past(4, Code.IP))
        packets = packets.past((length + 3) & ~3, Code.IP).select(~payload)
        if not len(packets):
            break
    work.count("bad capture header", len(packets))
    return Packets.join(found)
