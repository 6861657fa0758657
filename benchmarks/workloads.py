"""Workloads, made from handshakes in ``captures/`` so that every byte of TLS was once sent by a real stack.

A   16,000 handshakes in 292,000 frames
B   500 MB of application data in 10 connections
C   handshakes among HTTP, DNS and other UDP, with 5 % of the frames lost and as many reordered
E   12,000 handshakes of browsers' stacks, each with another ClientHello and for another name
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from analyzer.sources import open_source

__all__ = ["CAPTURES", "make_a", "make_b", "make_c", "make_e", "payload_of", "shuffled"]

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
START = 1_795_300_000 * 10**9
"""ns: the days in which the handshakes were recorded, so that their certificates are as valid as they were."""

ORDINARY = (
    "completed--curl-apache-tls12", "completed--curl-haproxy-tls13", "completed--curl-nginx-tls13", "completed--gnutls-gnutls-tls11",
    "completed--gnutls-gnutls-tls12", "completed--gnutls-haproxy-tls12", "completed--go-go-tls13", "completed--node-haproxy-tls13",
    "completed--node-nginx-tls12", "completed--node-node-tls12", "completed--node-node-tls13", "completed--node24-node24-tls13",
    "completed--openssl-node-tls12", "completed--openssl-stunnel-tls13", "completed--openssl-wolfssl-tls12",
    "completed--openssl-wolfssl-tls13", "completed--python-gnutls-tls12", "completed--python-go-tls13", "completed--python-python-tls12",
    "completed--python-python-tls13", "completed--rustls-nginx-tls12", "completed--wolfssl-go-tls12", "completed--wolfssl-wolfssl-tls12",
    "completed--wolfssl-wolfssl-tls13",
)  # fmt: skip
"""Handshakes of many pairs of stacks, named one by one: a new recording must not change what is measured."""

BROWSERS = ("completed--boringssl-nginx-tls13", "completed--boringssl-nss-tls13", "completed--firefox-granian-tls13")

REFUSED = ("cert-expired--openssl-nginx-tls12", "no-common-cipher--openssl-nginx-tls12")

SPECIAL = (
    "completed--boringssl-nginx-tls13-hrr", "completed--curl-haproxy-tls12-mutual", "completed--curl-nginx-http-connect-tls13",
    "completed--curl-nginx-tls13-certificate-not-sent", "completed--curl-python-imap-tls12", "completed--openssl-nginx-tls13-ecdsa",
    "completed--gnutls-python-ldap-tls12", "completed--openssl-openssl-tls13-external-psk", "completed--java-java-tls13",
    "completed--openssl-nginx-tls12-large-certificate", "completed--psql-postgres-tls12", "cert-expired--go-nginx-tls12",
    "cert-unknown-ca--curl-nginx-tls13", "cert-unknown-ca--openssl-nginx-tls12",
)  # fmt: skip
"""What else comes along: dialogues before TLS, client certificates, long chains, refusals."""

Frame = tuple[int, bytes]


def read_frames(path: Path) -> list[Frame]:
    """(time in ns, bytes) of each frame of a recorded Ethernet/IPv4 capture."""
    frames: list[Frame] = []
    with open_source([str(path)]) as source:
        for batch in source:
            data = batch.data.tobytes()
            for offset, length, when in zip(batch.offset.tolist(), batch.captured_length.tolist(), batch.timestamp.tolist(), strict=True):
                frame = data[offset : offset + length]
                if frame[12:14] == b"\x08\x00" and frame[23] == 6:
                    frames.append((when, frame))
    return frames


def templates(names: tuple[str, ...]) -> list[list[Frame]]:
    """The frames of these recordings, each of one connection."""
    found = []
    for name in names:
        frames = read_frames(CAPTURES / name / "capture.pcapng")
        ends = {frozenset((frame[26:30] + frame[34:36], frame[30:34] + frame[36:38])) for _, frame in frames}
        assert len(ends) == 1, f"{name}: more than one connection"
        found.append(frames)
    return found


class Writer:
    """A pcap file with nanosecond times."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        self.frames = 0

    def write(self, when: int, frame: bytes) -> None:
        self.file.write(struct.pack("<IIII", when // 10**9, when % 10**9, len(frame), len(frame)))
        self.file.write(frame)
        self.frames += 1

    def close(self) -> None:
        self.file.close()


def readdress(frame: bytes, client: tuple[bytes, int], number: int) -> bytes:
    """The same frame of another client: its address and port (checksums are left; captures with offload look the same)."""
    out = bytearray(frame)
    address = (0x0A000000 + (number >> 12) + 1).to_bytes(4, "big")
    port = 2_000 + (number & 4095) * 15
    if (frame[26:30], int.from_bytes(frame[34:36], "big")) == client:
        out[26:30] = address
        out[34:36] = port.to_bytes(2, "big")
    else:
        out[30:34] = address
        out[36:38] = port.to_bytes(2, "big")
    return bytes(out)


def _client_of(frames: list[Frame]) -> tuple[bytes, int]:
    first = frames[0][1]
    return first[26:30], int.from_bytes(first[34:36], "big")


def many(recorded: list[list[Frame]], count: int, every: int) -> Iterator[Frame]:
    """``count`` copies of the recorded connections, one begun each ``every`` ns, interleaved in time."""
    events: list[tuple[int, int, int, bytes]] = []
    order = 0
    for number in range(count):
        frames = recorded[number % len(recorded)]
        client, begin = _client_of(frames), START + number * every
        first = frames[0][0]
        for when, frame in frames:
            events.append((begin + min(when - first, 2 * 10**9), order, number, frame))
            order += 1
        if number % 256 == 255 or number == count - 1:
            events.sort()
            horizon = begin if number < count - 1 else 1 << 62
            done = 0
            for when, _, n, frame in events:
                if when > horizon:
                    break
                done += 1
                yield when, readdress(frame, _client_of(recorded[n % len(recorded)]), n)
            del events[:done]
        del client


def make_a(path: Path, handshakes: int = 16_000) -> int:
    """Handshakes, nearly all of which complete, with a word of data after them. Returns frames."""
    recorded = templates(ORDINARY + REFUSED)
    writer = Writer(path)
    for when, frame in many(recorded, handshakes, 1_000_000):
        writer.write(when, frame)
    writer.close()
    return writer.frames


def payload_of(frame: bytes) -> int:
    """Where the payload begins; where the packet ends when there is none."""
    return min(34 + (frame[46] >> 4) * 4, 14 + int.from_bytes(frame[16:18], "big"))


def shuffled(frames: list[Frame], chance: random.Random) -> list[Frame]:
    """The same connection of a client that draws its ClientHello anew (in one segment or two): the random, the order of the extensions,
    GREASE."""
    places = [place for place, (_, frame) in enumerate(frames) if payload_of(frame) < len(frame)][:2]
    parts = [frames[place][1][payload_of(frames[place][1]) :] for place in places]
    hello = b"".join(parts)
    at = 9 + 34  # the session id, behind the headers of record and message, version and random
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at]
    begin, end = at + 2, at + 2 + int.from_bytes(hello[at : at + 2], "big")
    extensions = []
    at = begin
    while at < end:
        stop = at + 4 + int.from_bytes(hello[at + 2 : at + 4], "big")
        extensions.append(hello[at:stop])
        at = stop
    assert at == end <= len(hello)
    drawn = bytes([chance.randrange(16) << 4 | 0x0A] * 2)
    extensions = [drawn + each[2:] if each[0] == each[1] and each[0] & 15 == 10 else each for each in extensions]
    chance.shuffle(extensions)
    hello = hello[:11] + chance.randbytes(32) + hello[43:begin] + b"".join(extensions) + hello[end:]
    result = list(frames)
    for place, payload in zip(places, (hello[: len(parts[0])], hello[len(parts[0]) :]), strict=True):
        when, frame = frames[place]
        result[place] = when, frame[: payload_of(frame)] + payload
    return result


def make_e(path: Path, handshakes: int = 12_000) -> int:
    """Handshakes that all complete, no two of which have the same ClientHello. Returns frames."""
    chance = random.Random(5)
    recorded = templates(BROWSERS)
    drawn = []
    for number in range(handshakes):
        frames = shuffled(recorded[number % len(recorded)], chance)
        drawn.append([(when, frame.replace(b"server.test", b"%06d.test" % number)) for when, frame in frames])
    writer = Writer(path)
    for when, frame in many(drawn, handshakes, 1_000_000):
        writer.write(when, frame)
    writer.close()
    return writer.frames


def _segment(template: bytes, sequence: int, acknowledgment: int, payload: bytes) -> bytes:
    """An Ethernet/IPv4/TCP frame with a header like the template's (options dropped)."""
    ip = bytearray(template[14:34])
    ip[0] = 0x45
    ip[2:4] = (40 + len(payload)).to_bytes(2, "big")
    tcp = bytearray(template[34:54])
    tcp[4:8] = (sequence & 0xFFFFFFFF).to_bytes(4, "big")
    tcp[8:12] = (acknowledgment & 0xFFFFFFFF).to_bytes(4, "big")
    tcp[12], tcp[13] = 0x50, 0x10
    return template[:14] + bytes(ip) + bytes(tcp) + payload


def make_b(path: Path, megabytes: int = 500, connections: int = 10) -> int:
    """Bulk data after real handshakes: 16 KB records in full segments, an acknowledgment for every second one."""
    [recorded] = templates(("completed--curl-nginx-tls13",))
    client = _client_of(recorded)
    # up to the client's first application data: what is after it is ours
    payloads = [(w, f, f[34 + (f[46] >> 4) * 4 : 14 + int.from_bytes(f[16:18], "big")]) for w, f in recorded if not f[47] & 5]
    writer = Writer(path)
    tails = []
    for number in range(connections):
        server_next = client_next = 0
        server_header = client_header = b""
        for when, frame, payload in payloads:
            sequence = int.from_bytes(frame[38:42], "big") + len(payload) + (frame[47] & 2) // 2
            moved = readdress(frame, client, number)
            if (frame[26:30], int.from_bytes(frame[34:36], "big")) == client:
                client_next, client_header = sequence, moved
            else:
                server_next, server_header = sequence, moved
            writer.write(when - recorded[0][0] + START + number * 1000, moved)
        tails.append([server_next, client_next, server_header, client_header])
    record = b"\x17\x03\x03\x40\x11" + bytes(range(256)) * 64 + bytes(17)
    stream = record * 96  # one burst: a whole number of records
    when = START + 2 * 10**9
    size = 1448
    sent = 0
    while sent < megabytes * 1_000_000:
        for tail in tails:
            for begin in range(0, len(stream), size):
                piece = stream[begin : begin + size]
                frame = _segment(tail[2], tail[0], tail[1], piece)
                tail[0] += len(piece)
                when += 1_000
                writer.write(when, frame)
                sent += len(frame)
                if begin // size % 2:
                    writer.write(when + 500, _segment(tail[3], tail[1], tail[0], b""))
    writer.close()
    return writer.frames


def make_c(path: Path, handshakes: int = 6_000, seed: int = 7) -> int:
    """Handshakes among other traffic, with loss and reordering."""
    chance = random.Random(seed)
    recorded = templates(ORDINARY + REFUSED + SPECIAL)
    ethernet = recorded[0][0][1][:14]
    http = b"GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n" + b"x" * 1200
    writer = Writer(path)
    held: list[Frame] = []
    plain = 0
    for when, frame in many(recorded, handshakes, 500_000):
        if chance.random() < 0.05:
            continue
        if chance.random() < 0.05:
            held.append((when, frame))
            continue
        writer.write(when, frame)
        if held and chance.random() < 0.3:
            writer.write(when, held.pop()[1])
        draw = chance.random()
        if draw < 0.2:
            writer.write(when, _udp(ethernet, chance.randrange(1024, 65536), 53, bytes(40)))
        elif draw < 0.3:
            writer.write(when, _udp(ethernet, chance.randrange(1024, 65536), 443, b"\xc0" + bytes(1199)))
        elif draw < 0.33:
            plain += 1
            for piece in _http(ethernet, plain, http, answer):
                writer.write(when, piece)
    writer.close()
    return writer.frames


def _ip(ethernet: bytes, protocol: int, payload: bytes, source: bytes, destination: bytes) -> bytes:
    total = (20 + len(payload)).to_bytes(2, "big")
    return ethernet[:12] + b"\x08\x00\x45\x00" + total + b"\x00\x01\x40\x00\x40" + bytes([protocol, 0, 0]) + source + destination + payload


def _udp(ethernet: bytes, source: int, destination: int, payload: bytes) -> bytes:
    header = struct.pack(">HHHH", source, destination, 8 + len(payload), 0)
    return _ip(ethernet, 17, header + payload, b"\x0a\x09\x00\x01", b"\x0a\x09\x00\x02")


def _http(ethernet: bytes, number: int, request: bytes, answer: bytes) -> Iterator[bytes]:
    client, server = b"\x0a\x08" + (number >> 14).to_bytes(1, "big") + b"\x01", b"\x0a\x08\xff\x02"
    port = 1024 + (number & 16383) * 3
    steps = [(0, 2, b""), (1, 18, b""), (0, 16, b""), (0, 24, request), (1, 24, answer), (0, 17, b""), (1, 17, b""), (0, 16, b"")]
    numbers = [1000, 5000]
    for who, flags, payload in steps:
        ports = (port, 80) if who == 0 else (80, port)
        tcp = struct.pack(">HHIIBBHHH", *ports, numbers[who], numbers[1 - who], 0x50, flags, 65535, 0, 0)
        numbers[who] += len(payload) + (flags & 2) // 2 + (flags & 1)
        yield _ip(ethernet, 6, tcp + payload, client if who == 0 else server, server if who == 0 else client)
