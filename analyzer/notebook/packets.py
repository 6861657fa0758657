"""A connection's frames as scapy packets. scapy is loaded here and only when asked for."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.decode.decoder import Decoder
from analyzer.errors import SourceError
from analyzer.model.batches import FrameBatch, SegmentBatch
from analyzer.model.handshake import Flow
from analyzer.model.options import Options
from analyzer.sources import open_source

if TYPE_CHECKING:
    from scapy.plist import PacketList

__all__ = ["read_packets"]

_MAPPED = 0xFFFF_0000_0000


def read_packets(capture: str, flow: Flow, options: Options) -> PacketList:
    """Frames of ``flow`` in the order of the capture, times exact. ``number`` of each packet is its frame number.

    Raises SourceError when the capture cannot be read a second time (standard input, an interface).
    """
    if capture in ("-", "stdin", "<stdin>"):
        raise SourceError("standard input cannot be read again: save the capture to a file")
    from scapy.config import conf
    from scapy.packet import Raw
    from scapy.plist import PacketList
    from scapy.utils import EDecimal

    import scapy.layers.all  # noqa: F401  # isort: skip - scapy knows the link types only then

    source = open_source([capture], reader=options.reader, inflate_ratio=options.limits.inflate_ratio)
    decoder = Decoder(options.limits)
    packets = []
    try:
        for batch in source:
            if not len(batch) or int(batch.number[-1]) < flow.first_frame:
                decoder.decode(batch)  # fragments and tunnels go on
                continue
            segments = decoder.decode(batch)
            wanted = segments.frame[_of_flow(segments, flow)]
            wanted = wanted[(wanted >= flow.first_frame) & (wanted <= flow.last_frame)]
            for at in np.flatnonzero(np.isin(batch.number, wanted)).tolist():
                packet = _packet(batch, at, conf, Raw)
                packet.time = EDecimal(int(batch.timestamp[at])) / 1_000_000_000
                packet.wirelen = int(batch.original_length[at])
                packet.number = int(batch.number[at])
                packets.append(packet)
            if int(batch.number[-1]) >= flow.last_frame:
                break
    finally:
        source.close()
    return PacketList(packets, name=f"stream {flow.stream}")


def _packet(batch: FrameBatch, at: int, conf: Any, raw: Any) -> Any:
    begin = int(batch.offset[at])
    data = batch.data[begin : begin + int(batch.captured_length[at])].tobytes()
    kind = conf.l2types.num2layer.get(int(batch.link_type[at]), raw)
    try:
        return kind(data)
    except Exception:  # scapy may stumble over what came off the wire; the bytes are still worth having
        return raw(data)


def _of_flow(s: SegmentBatch, flow: Flow) -> Any:
    client, server = _halves(flow.client_address), _halves(flow.server_address)
    there = _side(s, client, flow.client_port, server, flow.server_port)
    back = _side(s, server, flow.server_port, client, flow.client_port)
    return there | back


def _side(s: SegmentBatch, source: tuple[int, int], port: int, to: tuple[int, int], to_port: int) -> Any:
    return (
        (s.source_port == port) & (s.destination_port == to_port)
        & (s.source_high == np.uint64(source[0])) & (s.source_low == np.uint64(source[1]))
        & (s.destination_high == np.uint64(to[0])) & (s.destination_low == np.uint64(to[1]))
    )  # fmt: skip


def _halves(address: str) -> tuple[int, int]:
    """128 bits as the columns hold them: IPv4 is mapped into ::ffff:0:0/96."""
    if ":" not in address:
        return 0, _MAPPED | int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
    packed = socket.inet_pton(socket.AF_INET6, address)
    return int.from_bytes(packed[:8], "big"), int.from_bytes(packed[8:], "big")
