"""The router's forwarding plane, in Python: carries IP packets between `left` and `right`, late, and with faults.

    box.py '{"delay": 0.005, "hops": 3, "faults": [{"do": "drop", "sni": "blocked.test"}]}'

A fault is a match and a deed.  Match (all that are given must hold):

    towards   "server" | "client"       which way the packet goes
    flags     "SYN", "SYN-ACK", "FIN", "RST", "ACK" (a bare one), "DATA"
    sni       a name somewhere in the payload (a filter that looks for bytes, as the simple ones do)
    contains  bytes in the payload, as text in latin-1
    larger    IP length greater than this
    nth       only the nth matching packet (1 is the first), or a list of them
    after     nth and all later ones
    stage     "hello": a ClientHello has been seen to pass on this connection
    port      TCP port on either side

Deed:

    drop                     the packet vanishes
    delay        seconds     it comes later, and others overtake it
    duplicate    gap         it comes twice
    corrupt-copy at          a copy with a flipped bit and a good checksum comes first, then the packet itself
    corrupt      at, fix     one bit of the payload at offset `at` flips; `fix` repairs the TCP checksum
    rewrite      old, new    bytes of the same length are replaced in the payload, the checksum is repaired
    icmp         type, code, mtu    the packet vanishes and the router says why
    reset        to, count, step, offset, ttl, ip_id, window, text, kind, forward, spacing
                             RSTs are forged in the name of the other end; `forward`: the packet still goes through
    answer       text, ttl, fin     a data segment is forged in the server's name, the packet vanishes
    once matched, `mute: true` drops everything of that connection from then on
"""

from __future__ import annotations

import heapq
import itertools
import json
import select
import socket
import struct
import sys
import time

CLIENT_MAC, LEFT_MAC = bytes.fromhex("020000000110"), bytes.fromhex("020000000101")
SERVER_MAC, RIGHT_MAC = bytes.fromhex("020000000220"), bytes.fromhex("020000000201")
OWN = {socket.inet_aton("192.0.2.1"), socket.inet_aton("198.51.100.1")}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Packet:
    """One IPv4 or IPv6 packet with a TCP segment in it, or not."""

    def __init__(self, raw: bytes) -> None:
        self.six = raw[0] >> 4 == 6
        self.head = 40 if self.six else (raw[0] & 15) * 4
        size = struct.unpack_from("!H", raw, 4)[0] + 40 if self.six else struct.unpack_from("!H", raw, 2)[0]
        self.raw = bytearray(raw[:size])
        self.protocol = raw[6] if self.six else raw[9]
        self.tcp = self.protocol == 6
        if self.tcp:
            t = self.head
            self.ports = struct.unpack_from("!HH", raw, t)
            self.seq, self.ack = struct.unpack_from("!II", raw, t + 4)
            self.flags, self.offset = raw[t + 13] & 0x3F, (raw[t + 12] >> 4) * 4
            self.payload = bytes(self.raw[t + self.offset :])
        else:
            self.ports, self.flags, self.payload = (0, 0), 0, b""

    @property
    def source(self) -> bytes:
        return bytes(self.raw[8:24] if self.six else self.raw[12:16])

    @property
    def destination(self) -> bytes:
        return bytes(self.raw[24:40] if self.six else self.raw[16:20])

    def flow(self) -> frozenset[tuple[bytes, int]]:
        return frozenset({(self.source, self.ports[0]), (self.destination, self.ports[1])})

    def hop(self, count: int) -> None:
        at = 7 if self.six else 8
        self.raw[at] = max(self.raw[at] - count, 1)
        self.seal_ip()

    def seal_ip(self) -> None:
        if not self.six:
            self.raw[10:12] = b"\0\0"
            struct.pack_into("!H", self.raw, 10, checksum(bytes(self.raw[: self.head])))

    def seal_tcp(self) -> None:
        t = self.head
        self.raw[t + 16 : t + 18] = b"\0\0"
        size = len(self.raw) - t
        if self.six:
            pseudo = self.source + self.destination + struct.pack("!II", size, 6)
        else:
            pseudo = self.source + self.destination + struct.pack("!HH", 6, size)
        struct.pack_into("!H", self.raw, t + 16, checksum(pseudo + bytes(self.raw[t:])))


def forge(source: bytes, destination: bytes, ports: tuple[int, int], seq: int, ack: int, flags: int, *, ttl: int = 64,
          ip_id: int = 0, window: int = 0, payload: bytes = b"", df: bool = False) -> Packet:  # fmt: skip
    tcp = struct.pack("!HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, 5 << 4, flags, window, 0, 0) + payload
    if len(source) == 16:
        ip = struct.pack("!IHBB", 6 << 28, len(tcp), 6, ttl) + source + destination
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), ip_id, 0x4000 if df else 0, ttl, 6, 0) + source + destination
    packet = Packet(ip + tcp)
    packet.seal_ip()
    packet.seal_tcp()
    return packet


class Box:
    def __init__(self, config: dict) -> None:
        self.delay: float = config.get("delay", 0.005)
        self.hops: int = config.get("hops", 3)
        self.faults: list[dict] = config.get("faults", [])
        self.counts = [0] * len(self.faults)
        self.muted: set = set()
        self.greeted: set = set()
        self.seen: dict = {}  # (flow, sender) -> what the sender says next: (seq, ack, ttl)
        self.queue: list = []
        self.order = itertools.count()
        self.sockets = {}
        for side in ("left", "right"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind((side, 0))
            self.sockets[side] = s

    def run(self) -> None:
        print("forwarding", flush=True)
        fds = {s.fileno(): side for side, s in self.sockets.items()}
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        while True:
            wait = max(0.0, self.queue[0][0] - time.monotonic()) * 1000 if self.queue else 1000
            for fd, _ in poll.poll(wait):
                frame, address = self.sockets[fds[fd]].recvfrom(70000)
                if address[2] != 4 and frame[12:14] in (b"\x08\x00", b"\x86\xdd"):  # not what we sent ourselves
                    self.take(fds[fd], frame[14:])
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, side, raw = heapq.heappop(self.queue)
                self.emit(side, raw)

    def emit(self, side: str, raw: bytes) -> None:
        macs = CLIENT_MAC + LEFT_MAC if side == "left" else SERVER_MAC + RIGHT_MAC
        kind = b"\x86\xdd" if raw[0] >> 4 == 6 else b"\x08\x00"
        try:
            self.sockets[side].send(macs + kind + raw)
        except OSError as error:  # larger than the link: vanishes, as in a black hole
            print("lost:", error, flush=True)

    def send(self, side: str, packet: Packet, after: float) -> None:
        heapq.heappush(self.queue, (time.monotonic() + after, next(self.order), side, bytes(packet.raw)))

    def take(self, side: str, raw: bytes) -> None:
        packet = Packet(raw)
        if packet.destination in OWN or packet.destination[:1] == b"\xff" or packet.destination[:2] == b"\xfe\x80":
            return
        if packet.six and packet.protocol == 58 and packet.raw[40] >= 133:
            return
        towards = "server" if side == "left" else "client"
        other = "right" if side == "left" else "left"
        ttl = packet.raw[7 if packet.six else 8] - self.hops
        packet.hop(self.hops)
        flow = packet.flow()
        if flow in self.muted:
            return
        if packet.tcp:
            length = len(packet.payload) + bool(packet.flags & SYN) + bool(packet.flags & FIN)
            self.seen[flow, packet.source] = (packet.seq + length, packet.ack, ttl)
        if packet.payload[:1] == b"\x16" and packet.payload[5:6] == b"\x01":
            self.greeted.add(flow)
        after, copies = self.delay, [packet]
        for index, fault in enumerate(self.faults):
            if not self.matches(index, fault, packet, towards, flow):
                continue
            deed = fault["do"]
            if fault.get("mute"):
                self.muted.add(flow)
            if deed == "drop":
                return
            if deed == "delay":
                after += fault["seconds"]
            elif deed == "duplicate":
                self.send(other, packet, after + fault.get("gap", 0.001))
            elif deed == "corrupt-copy":
                copy = Packet(bytes(packet.raw))
                copy.raw[copy.head + copy.offset + fault.get("at", 0)] ^= 1
                copy.seal_tcp()
                self.send(other, copy, after)
                after += 0.001
            elif deed == "corrupt":
                where = fault.get("at", 0)  # negative: from the end of the payload
                at = packet.head + packet.offset + where if where >= 0 else len(packet.raw) + where
                packet.raw[min(at, len(packet.raw) - 1)] ^= fault.get("bit", 1)
                if fault.get("fix", True):
                    packet.seal_tcp()
            elif deed == "rewrite":
                old, new = fault["old"].encode("latin-1"), fault["new"].encode("latin-1")
                packet.raw = bytearray(bytes(packet.raw).replace(old, new))
                packet.seal_tcp()
            elif deed == "icmp":
                self.icmp(side, packet, fault)
                return
            elif deed == "reset":
                self.reset(packet, fault)
                if not fault.get("forward"):
                    return
            elif deed == "answer":
                self.answer(packet, fault)
                return
        for copy in copies:
            self.send(other, copy, after)

    def matches(self, index: int, fault: dict, packet: Packet, towards: str, flow: frozenset) -> bool:
        if fault.get("towards", towards) != towards:
            return False
        if "port" in fault and fault["port"] not in packet.ports:
            return False
        if "flags" in fault:
            f, kind = packet.flags, fault["flags"]
            if kind == "DATA" and not packet.payload:
                return False
            if kind == "ACK" and (packet.payload or f & (SYN | FIN | RST) or not f & ACK):
                return False
            bits = {"SYN": (SYN | ACK, SYN), "SYN-ACK": (SYN | ACK, SYN | ACK), "FIN": (FIN, FIN), "RST": (RST, RST)}
            if kind in bits and f & bits[kind][0] != bits[kind][1]:
                return False
        text = fault.get("sni") or fault.get("contains")
        if text and text.encode("latin-1") not in packet.payload:
            return False
        if "larger" in fault and len(packet.raw) <= fault["larger"]:
            return False
        if fault.get("stage") == "hello" and flow not in self.greeted:
            return False
        self.counts[index] += 1
        nth = fault.get("nth")
        if nth is not None and self.counts[index] not in (nth if isinstance(nth, list) else [nth]):
            return False
        return self.counts[index] >= fault.get("after", 1)

    def icmp(self, side: str, packet: Packet, fault: dict) -> None:
        kind, code = fault.get("type", 3), fault.get("code", 13)
        quote = bytes(packet.raw[: packet.head + 8])
        body = struct.pack("!BBHHH", kind, code, 0, 0, fault.get("mtu", 0)) + quote
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        own = socket.inet_aton("192.0.2.1" if side == "left" else "198.51.100.1")
        ip = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(body), 7, 0, 64, 1, 0) + own + packet.source
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        heapq.heappush(self.queue, (time.monotonic() + 0.0005, next(self.order), side, ip + body))

    def reset(self, packet: Packet, fault: dict) -> None:
        to_sender = "left" if packet.ports[1] < packet.ports[0] else "right"
        payload = fault.get("text", "").encode("latin-1")
        flags = {"RST": RST, "RST-ACK": RST | ACK}[fault.get("kind", "RST-ACK")]
        after = len(packet.payload) + bool(packet.flags & (SYN | FIN))
        for n in range(fault.get("count", 1)):
            shift = fault.get("offset", 0) + n * fault.get("step", 0)
            common = {
                "ttl": fault.get("ttl", 118),
                "ip_id": fault.get("ip_id", 0x3039) + n,
                "window": fault.get("window", 0),
                "payload": payload,
            }
            late = fault.get("spacing", 0.0008) * (n + 1)
            to = fault.get("to", "both")
            back = forge(packet.destination, packet.source, packet.ports[::-1], packet.ack + shift, packet.seq + after, flags, **common)
            forth = forge(packet.source, packet.destination, packet.ports, packet.seq + after * bool(fault.get("forward")) + shift,
                          packet.ack, flags, **common)  # fmt: skip
            sides = {"left": back, "right": forth} if to_sender == "left" else {"right": back, "left": forth}
            if to in ("client", "both"):
                self.send("left", sides["left"], late)
            if to in ("server", "both"):
                self.send("right", sides["right"], late)

    def answer(self, packet: Packet, fault: dict) -> None:
        text = fault["text"].encode("latin-1")
        back = forge(packet.destination, packet.source, packet.ports[::-1], packet.ack, packet.seq + len(packet.payload),
                     PSH | ACK | (FIN if fault.get("fin", True) else 0), ttl=fault.get("ttl", 128), ip_id=0x5151,
                     window=4096, payload=text)  # fmt: skip
        self.send("left", back, fault.get("seconds", 0.001))
        kill = forge(packet.source, packet.destination, packet.ports, packet.seq, packet.ack, RST | ACK, ttl=fault.get("ttl", 128))
        self.send("right", kill, 0.001)


if __name__ == "__main__":
    Box(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}).run()
