"""Recorded captures with bytes changed: what a hostile or broken network may put into a file."""

from __future__ import annotations

import random
import struct
import sys
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "degradation"))
from damage import CAPTURES, Piece, read_pieces, write_pcap

__all__ = ["CAPTURES", "Piece", "mutate", "read_pieces", "write_pcap"]

_LENGTHS = (0, 1, 2, 3, 4, 5, 0x7F, 0x80, 0xFF)


def mutate(pieces: list[Piece], chance: random.Random) -> list[Piece]:
    """A few frames changed, in ways that reach deep: payload bytes rather than addresses, lengths rather than texts."""
    answer = list(pieces)
    for _ in range(chance.randrange(1, 6)):
        if not answer:
            break
        at = chance.randrange(len(answer))
        piece = answer[at]
        data = bytearray(piece.data)
        begin = piece.payload if piece.payload and piece.length and chance.random() < 0.85 else 0
        if len(data) <= begin:
            continue
        kind = chance.randrange(7)
        spot = begin + min(int(chance.expovariate(0.02)), len(data) - begin - 1)
        if kind == 0:
            data[spot] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[spot] = chance.choice(_LENGTHS)
        elif kind == 2 and len(data) - spot >= 2:
            data[spot : spot + 2] = struct.pack(">H", chance.choice((0, 1, 0xFFFF, 0x4000, len(data), chance.randrange(65536))))
        elif kind == 3:
            data[spot:] = chance.randbytes(len(data) - spot)
        elif kind == 4:
            end = min(len(data), spot + chance.randrange(1, 40))
            data[spot:end] = data[begin : begin + end - spot]
        elif kind == 5:
            other = chance.choice(answer)
            data[spot:] = other.data[other.payload :][: max(1, len(data) - spot)]
        else:
            answer.insert(chance.randrange(len(answer)), piece)
            continue
        answer[at] = replace(piece, data=bytes(data), original=max(len(data), piece.original))
    return answer
