"""What is said before TLS, where it came whole and in order: read once, and what follows is set aside as any other flight."""

from __future__ import annotations

import numpy as np

from analyzer.handshakes.connection import begins_otherwise
from analyzer.handshakes.flight import Before, Flight, Run, looks_like_tls

__all__ = ["read_opening"]


def read_opening(asked: Run, answered: Run, senders: bytes, port: int) -> Flight | None:
    """The flight behind a dialogue; None where it is not TLS on both sides that follows, or is not known to be.

    ``senders``: who sent each segment (0 the client), in the order they came; ``port``: the server's.
    """
    from analyzer.dialogues import Follower  # not loaded where every connection begins as TLS

    runs = asked, answered
    first = runs[senders[0]]
    if not begins_otherwise(senders[0] == 0, first[0][: first[2][0]]):
        return None
    talk = Follower(port)
    places, begins = [0, 0], [0, 0]
    for sender in senders:
        data, _, ends, frames, _ = runs[sender]
        place, begin = places[sender], begins[sender]
        talk.feed(sender == 0, data[begin : ends[place]], frames[place], begin)
        if talk.status != "undecided":
            break
        places[sender], begins[sender] = place + 1, ends[place]
    if talk.status != "tls" or talk.dialogue is None or talk.wrapping is not None:
        return None
    client, before_client = _cut(asked, talk.client_offset)
    server, before_server = _cut(answered, talk.server_offset)
    if not (client[0] and server[0] and looks_like_tls(client[0]) and looks_like_tls(server[0])):
        return None
    skipped = [len(asked[2]) - len(client[2]), len(answered[2]) - len(server[2])]
    kept = bytearray()
    for sender in senders:
        if skipped[sender]:
            skipped[sender] -= 1
        else:
            kept.append(sender)
    pattern = bytes(kept) + np.array(client[2] + server[2], np.uint32).tobytes()
    return Flight(client, server, pattern, Before(talk.dialogue, before_client, before_server))


def _cut(run: Run, begin: int) -> tuple[Run, bytes]:
    """(what comes after ``begin``, the bytes before it)."""
    data, sequence, ends, frames, times = run
    first = next((place for place, end in enumerate(ends) if end > begin), len(ends))
    rest = data[begin:], (sequence + begin) & 0xFFFFFFFF, [end - begin for end in ends[first:]], frames[first:], times[first:]
    return rest, data[:begin]
