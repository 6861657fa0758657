"""Recorded connections as flights of bytes, for tests that send them again in other pieces."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from analyzer.decode.decoder import Decoder
from analyzer.flows import FlowTable
from analyzer.model.batches import TcpFlag
from analyzer.sources import open_source

CAPTURES = Path(__file__).resolve().parents[2] / "captures"

Flight = tuple[bool, bytes]
"""(from the client, the bytes it sent before the other side went on)."""


def capture_of(name: str) -> Path:
    return CAPTURES / name / "capture.pcapng"


def available(*names: str) -> list[str]:
    """Those of these recordings that are here."""
    return [name for name in names if capture_of(name).exists()]


@cache
def flights_of(name: str, stream: int = 0) -> tuple[Flight, ...]:
    """The payload of one recorded connection in the order it was sent, retransmissions left out."""
    decoder, table = Decoder(), FlowTable()
    flights: list[Flight] = []
    next_number: dict[int, int] = {}
    with open_source([str(capture_of(name))]) as source:
        for batch in source:
            segments = decoder.decode(batch)
            placed = table.add(segments)
            data = segments.data.tobytes()
            for i in range(len(segments)):
                row = int(placed.flow[i])
                if int(table["stream"][row]) != stream or not segments.payload_length[i]:
                    continue
                side, sequence = int(placed.direction[i]), int(segments.sequence[i])
                sequence += bool(segments.flags[i] & TcpFlag.SYN)
                begin, length = int(segments.payload_offset[i]), int(segments.payload_length[i])
                if side in next_number and sequence != next_number[side]:
                    assert sequence < next_number[side], f"{name} has a hole: choose another capture"
                    continue
                next_number[side] = sequence + length
                from_client = side == int(table["client"][row])
                payload = data[begin : begin + length]
                if flights and flights[-1][0] == from_client:
                    flights[-1] = (from_client, flights[-1][1] + payload)
                else:
                    flights.append((from_client, payload))
    return tuple(flights)
