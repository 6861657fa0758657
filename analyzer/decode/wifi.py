"""802.11 data frames (IEEE 802.11 section 9.3.2) and the headers that capturing puts before them."""

from __future__ import annotations

import numpy as np

from analyzer.decode.packets import Code, Packets, Work, layout

__all__ = ["read_aggregate", "read_data_frame", "read_prism", "read_radiotap"]

RADIOTAP = layout(8, length=(2, "<u2"))
WORD = layout(4, little=(0, "<u4"))
PRISM = layout(8, magic=(0, ">u4"), avs_length=(4, ">u4"))
WIFI = layout(24, control=(0, "<u2"), sequence=(22, "<u2"))
QOS = layout(2, control=(0, "<u2"))
SUBFRAME = layout(14, length=(12, ">u2"))

TO_DS_AND_FROM_DS, MORE_FRAGMENTS, PROTECTED, ORDER = 0x0300, 0x0400, 0x4000, 0x8000
AVS_MAGIC = 0x80211001 >> 12
PRISM_SIZE = 144


def read_radiotap(work: Work, packets: Packets) -> Packets:
    """Radiotap (radiotap.org): of its fields only the flag that the 802.11 header was padded to 4 bytes matters."""
    packets = work.need(packets, 8)
    length = work.read(packets, RADIOTAP)["length"].astype(np.int64)
    good = length >= 8
    packets, length = work.keep(packets, good, "bad capture header"), length[good]
    first = work.read(packets.past(4, 0), WORD)["little"]
    flags_at = np.full(len(packets), 8, np.int64)
    chained = first >> 31 != 0
    for _ in range(8):
        if not chained.any():
            break
        word = work.read(packets.past(flags_at, 0), WORD)["little"]
        flags_at += np.where(chained, 4, 0)
        chained &= word >> 31 != 0
    stamped = first & 1 != 0
    flags_at = np.where(stamped, ((flags_at + 7) & ~7) + 8, flags_at)
    padded = (first & 2 != 0) & (flags_at < length) & (work.byte(packets.start + flags_at) & 0x20 != 0)
    return packets.past(length, np.where(padded, Code.WIFI_PADDED, Code.WIFI))


def read_prism(work: Work, packets: Packets) -> Packets:
    """Prism's header of fixed length, or AVS's, which says how long it is."""
    packets = work.need(packets, 8)
    header = work.read(packets, PRISM)
    avs = header["magic"] >> 12 == AVS_MAGIC
    length = np.where(avs, header["avs_length"], PRISM_SIZE).astype(np.int64)
    return packets.past(length, Code.WIFI)


def read_data_frame(work: Work, packets: Packets) -> Packets:
    """A data frame's payload is LLC, or with QoS perhaps an aggregate. Encrypted and fragmented ones are counted."""
    packets = work.need(packets, 2)
    control = work.read(packets, WIFI)["control"].astype(np.int32)
    data = (control & 0x000F == 0x0008) & (control & 0x0040 == 0)
    packets, control = work.keep(packets, data, "802.11 without data"), control[data]
    clear = control & PROTECTED == 0
    packets = work.need(work.keep(packets, clear, "802.11 encrypted"), 24)
    header = work.read(packets, WIFI)
    whole = (header["control"] & MORE_FRAGMENTS == 0) & (header["sequence"] & 15 == 0)
    packets, control = work.keep(packets, whole, "802.11 fragment"), header["control"][whole].astype(np.int32)
    size = np.where(control & TO_DS_AND_FROM_DS == TO_DS_AND_FROM_DS, 30, 24)
    qos = control & 0x0080 != 0
    aggregate = qos & (work.read(packets.past(size, 0), QOS)["control"] & 0x80 != 0)
    size = size + np.where(qos, np.where(control & ORDER, 6, 2), 0)
    size = np.where(packets.code == Code.WIFI_PADDED, (size + 3) & ~3, size)
    return packets.past(size, np.where(aggregate, Code.AMSDU, Code.LLC))


def read_aggregate(work: Work, packets: Packets) -> Packets:
    """The first frame of an A-MSDU, and the rest of it, which comes back here in the next round."""
    packets = work.need(packets, 14)
    length = work.read(packets, SUBFRAME)["length"].astype(np.int64)
    first = packets.bounded(14 + length).past(14, Code.LLC)
    rest = packets.past((14 + length + 3) & ~3, Code.AMSDU)
    return Packets.join([first, rest.select(rest.end - rest.start >= 14)])
