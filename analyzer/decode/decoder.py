"""The decoder: rounds of layers over a batch, each taking one header off every packet it reads.

``_READERS`` is the whole map: which layer reads which code. A round sorts the packets in hand by
layer, whatever they were wrapped in, and hands each layer its packets at once; TCP's are set aside
and become the rows. A batch of one kind of frame is never sorted or copied. No packet is read more
than ``ROUNDS`` times, so headers without end cost a bounded amount.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from analyzer.decode import icmp, link, network, tcp, tunnel, wifi
from analyzer.decode.fragments import Fragments
from analyzer.decode.packets import Code, Layer, Packets, Work
from analyzer.model.batches import FrameBatch, SegmentBatch
from analyzer.model.options import Limits

__all__ = ["Decoder"]

ROUNDS = 48

_ROW_COLUMNS = tuple(field.name for field in fields(SegmentBatch) if field.name not in ("data", "capture", "icmp"))

_READERS: tuple[tuple[Layer, tuple[int, ...]], ...] = (
    (link.read_ethernet, (Code.LINK + 1, Code.ETHERNET, Code.BRIDGED)),
    (link.read_vlan, (Code.VLAN, 0x88A8, 0x9100, 0x9200, 0x9300)),
    (link.read_extended_tag, (0x8926, 0x893F, 0x8909)),
    (link.read_llc, (Code.LLC, Code.LINK + 100)),
    (link.read_mpls, (Code.MPLS, 0x8848, Code.LINK + 219)),
    (link.read_pppoe, (Code.PPPOE, Code.LINK + 51)),
    (link.read_ppp, (Code.PPP, Code.LINK + 9, Code.LINK + 50)),
    (link.read_chdlc, (Code.LINK + 104,)),
    (link.read_sll, (Code.LINK + 113,)),
    (link.read_sll2, (Code.LINK + 276,)),
    (link.read_loopback, (Code.LINK + 0, Code.LINK + 108)),
    (link.read_skipped, tuple(link.SKIPPED)),
    (link.read_enclosed, (link.PPI, link.PKTAP)),
    (link.read_nflog, (Code.LINK + 239,)),
    (network.read_ip, (Code.IP, Code.LINK + 12, Code.LINK + 14, Code.LINK + 101)),
    (network.read_ipv4, (Code.IPV4, Code.LINK + 228)),
    (network.read_ipv6, (Code.IPV6, Code.LINK + 229)),
    (network.read_extension, network.EXTENSIONS),
    (wifi.read_radiotap, (Code.LINK + 127,)),
    (wifi.read_prism, (Code.LINK + 119, Code.LINK + 163)),
    (wifi.read_data_frame, (Code.WIFI, Code.WIFI_PADDED, Code.LINK + 105)),
    (wifi.read_aggregate, (Code.AMSDU,)),
    (tunnel.read_ipip, (Code.PROTOCOL + 4, Code.PROTOCOL + 41, Code.PROTOCOL + 94)),
    (tunnel.read_gre, (Code.PROTOCOL + 47, Code.PORT + 4754)),
    (tunnel.read_erspan, (Code.ERSPAN,)),
    (tunnel.read_etherip, (Code.PROTOCOL + 97,)),
    (tunnel.read_mpls_tunnel, (Code.PROTOCOL + 137, Code.PORT + 6635)),
    (tunnel.read_udp, (Code.PROTOCOL + 17,)),
    (tunnel.read_vxlan, (Code.PORT + 4789, Code.PORT + 8472, Code.PORT + 4790)),
    (tunnel.read_geneve, (Code.PORT + 6081,)),
    (tunnel.read_gtp, (Code.PORT + 2152,)),
    (tunnel.read_tzsp, (Code.PORT + 37008,)),
    (icmp.read_icmp, (Code.PROTOCOL + 1, Code.PROTOCOL + 58)),
)

_COUNTED = {
    Code.ARP: "arp",
    0x8863: "pppoe discovery",
    0x88E5: "macsec",
    Code.PROTOCOL + 50: "esp",
    Code.PROTOCOL + 132: "sctp",
}
"""Where decoding ends by design."""

_TCP, _FRAGMENT = len(_READERS) + 1, len(_READERS) + 2
_LAYER_OF = np.zeros(Code.END, np.uint8)
for _index, (_reader, _codes) in enumerate(_READERS, 1):
    _LAYER_OF[list(_codes)] = _index
_LAYER_OF[Code.TCP] = _TCP
_LAYER_OF[[Code.FRAGMENT4, Code.FRAGMENT6]] = _FRAGMENT


class Decoder:
    """Finds the TCP segments in frames. ``counters`` says by reason what became of every frame so far."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008  frozen
        self.limits = limits
        self.counters: dict[str, int] = {}
        self._fragments = Fragments(limits.fragments)

    def decode(self, batch: FrameBatch) -> SegmentBatch:
        """TCP segments of ``batch`` in frame order, or by time where the file is not; any bytes give a SegmentBatch."""
        work = Work(batch, batch.data, self.counters)
        segments: list[Packets] = []
        waiting = [_open_frames(batch)]
        for _ in range(ROUNDS):
            carried: list[Packets] = []
            for layer, packets in _split_by_layer(work, waiting):
                if layer == _TCP:
                    segments.append(packets)
                elif layer == _FRAGMENT:
                    carried.append(self._fragments.read(work, packets))
                else:
                    carried.append(_READERS[layer - 1][0](work, packets))
            waiting = [packets for packets in carried if len(packets)]
            if not waiting:
                break
        work.count("too many headers", sum(len(packets) for packets in waiting))
        work.icmp.sort(key=lambda error: error.frame)
        return _in_time(tcp.read_segments(work, Packets.join(segments)))


def _in_time(segments: SegmentBatch) -> SegmentBatch:
    """The rows by time where frames were written out of turn (merged interfaces, several queues): time tells what came first."""
    times = segments.timestamp
    if not (times[1:] < times[:-1]).any():
        return segments
    order = np.argsort(times, kind="stable")
    columns = {name: getattr(segments, name)[order] for name in _ROW_COLUMNS}
    return replace(segments, **columns)


def _open_frames(batch: FrameBatch) -> Packets:
    end = batch.offset + batch.captured_length
    wire_end = np.maximum(end, batch.offset + batch.original_length)
    row = np.arange(len(batch), dtype=np.int64)
    return Packets(row, batch.offset, end, wire_end, np.full(len(batch), -1, np.int64), batch.link_type + np.int32(Code.LINK))


def _split_by_layer(work: Work, waiting: list[Packets]) -> Iterator[tuple[int, Packets]]:
    """The packets of each layer that has some, in one group a layer; the others are counted."""
    groups: dict[int, list[Packets]] = {}
    for packets in waiting:
        if not len(packets):
            continue
        if (packets.code == packets.code[0]).all():
            layer = int(_LAYER_OF[packets.code[0]])
            groups.setdefault(layer, []).append(packets)
            continue
        layers = _LAYER_OF[packets.code]
        for number in np.flatnonzero(np.bincount(layers)).tolist():
            groups.setdefault(number, []).append(packets.select(layers == number))
    for number, parts in groups.items():
        if number:
            yield number, Packets.join(parts)
        else:
            for part in parts:
                _count_unread(work, part.code)


def _count_unread(work: Work, codes: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
    left = np.ones(len(codes), np.bool_)
    for code, reason in _COUNTED.items():
        this = codes == code
        work.count(reason, np.count_nonzero(this))
        left &= ~this
    space = codes >> 16
    work.count("other ethertype", np.count_nonzero(left & (space == 0)))
    work.count("other ip protocol", np.count_nonzero(left & (space == Code.PROTOCOL >> 16)))
    work.count("udp", np.count_nonzero(left & (space == Code.PORT >> 16)))
    unknown = codes[left & (space == Code.LINK >> 16)] - Code.LINK
    for value, times in zip(*np.unique(unknown, return_counts=True), strict=True):
        work.count(f"unknown link type {value}", times)
