"""Two lengths of cable with faults of their own: client - wire - router, router - wire - server.

Where the router forwards with its kernel (firewall, address translation, a proxy) nothing delays a packet; this does,
frame by frame, without a hop of its own.  Words of a length: delay, jitter (seconds, one way), loss, duplicate,
corrupt, reorder (chances), rate (bits a second), queue (frames).  The same seed makes the same faults.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import select
import socket
import sys
import time


class Length:
    """One direction of one cable."""

    def __init__(self, config: dict, out: socket.socket, dice: random.Random) -> None:
        self.config, self.out, self.dice = config, out, dice
        self.free = 0.0  # when the line has sent what it was given
        self.last = 0.0  # when the latest frame arrives: frames do not overtake each other unless told to

    def take(self, frame: bytes, now: float) -> list[tuple[float, bytes]]:
        c, chance = self.config, self.dice.random
        tcp = (frame[12:14] == b"\x08\x00" and frame[23] == 6) or (frame[12:14] == b"\x86\xdd" and frame[20] == 6)
        if tcp and chance() < c.get("loss", 0):
            return []
        if c.get("rate"):
            if self.free > now + c.get("queue", 50) * len(frame) * 8 / c["rate"]:
                return []
            self.free = max(self.free, now) + len(frame) * 8 / c["rate"]
            now = self.free
        at = now + c.get("delay", 0) + c.get("jitter", 0) * chance()
        if tcp and chance() < c.get("reorder", 0):
            return [(at + c.get("late", 0.004), frame)]
        at = self.last = max(at, self.last)
        if tcp and chance() < c.get("corrupt", 0) and len(frame) > 70:
            spoilt = bytearray(frame)
            spoilt[self.dice.randrange(66, len(frame))] ^= 1 << self.dice.randrange(8)
            frame = bytes(spoilt)
        copies = 2 if tcp and chance() < c.get("duplicate", 0) else 1
        return [(at + n * c.get("gap", 0.0002), frame) for n in range(copies)]


def main() -> None:
    config = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    dice = random.Random(config.get("seed", 1))
    ends = {}
    for name in ("a1", "b1", "a2", "b2"):
        ends[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        ends[name].bind((name, 0))
    ways: dict[int, tuple[socket.socket, Length]] = {}
    for near, far, side in (("a1", "b1", "left"), ("b1", "a1", "left"), ("a2", "b2", "right"), ("b2", "a2", "right")):
        towards = "to-server" if near.startswith("a") else "to-client"
        words = {**config.get(side, {}), **config.get(f"{side}-{towards}", {})}
        ways[ends[near].fileno()] = (ends[near], Length(words, ends[far], dice))
    poll = select.poll()
    for fd in ways:
        poll.register(fd, select.POLLIN)
    queue: list[tuple[float, int, Length, bytes]] = []
    order = itertools.count()
    print("forwarding", flush=True)
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) * 1000 if queue else 1000
        for fd, _ in poll.poll(wait):
            near, way = ways[fd]
            frame, address = near.recvfrom(70000)
            if address[2] != socket.PACKET_OUTGOING:
                for at, copy in way.take(frame, time.monotonic()):
                    heapq.heappush(queue, (at, next(order), way, copy))
        while queue and queue[0][0] <= time.monotonic():
            _, _, way, frame = heapq.heappop(queue)
            try:
                way.out.send(frame)
            except OSError as error:
                print("lost:", error, flush=True)


if __name__ == "__main__":
    main()
