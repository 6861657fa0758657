"""A peer that does exactly what a script says: for what is not TLS, for stalls, and for malformed handshakes.

    raw.py server '[["recv"], ["send", "HTTP/1.0 400 Bad Request\\r\\n\\r\\n"], ["fin"]]' [port]
    raw.py client '[["hello", {"suites": [4865]}], ["recv"], ["fin"]]' [port]

Steps:  recv [seconds] · recv-all [seconds] · send TEXT · hex HEX · sleep S · fin · rst · shut (half close) ·
hello {…} (a ClientHello from the words of `client_hello`) · server-hello {…} · alert LEVEL NUMBER · expect TEXT ·
split N (send the next bytes N at a time) · fill N BYTE · wait (until the peer closes) · window (stop reading)
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import threading
import time

SUITES_12 = [0xC02F, 0xC030, 0xC02B, 0xC02C, 0xCCA8, 0x009C, 0x002F, 0x0035]
SUITES_13 = [0x1301, 0x1302, 0x1303]
SIGALGS = [0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601]


def vector(size: int, body: bytes) -> bytes:
    return len(body).to_bytes(size, "big") + body


def shorts(values: list[int]) -> bytes:
    return b"".join(v.to_bytes(2, "big") for v in values)


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, body)


def record(kind: int, body: bytes, version: int = 0x0301) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + vector(2, body)


def x25519_share() -> bytes:
    return os.urandom(31) + b"\x40"


def client_hello(w: dict) -> bytes:
    """Words: version, record_version, versions (supported_versions; [] for none), suites, groups, sigalgs, shares,
    sni, alpn, extra ([number, hex] pairs), leave_out (extension numbers), session_id (hex), padding, compression."""
    versions = w.get("versions", [0x0304, 0x0303])
    suites = w.get("suites", SUITES_13 + SUITES_12)
    groups = w.get("groups", [29, 23, 24])
    shares = w.get("shares", [29] if 0x0304 in versions else [])
    parts: list[tuple[int, bytes]] = []
    if w.get("sni", "server.test"):
        parts.append((0, vector(2, b"\0" + vector(2, w.get("sni", "server.test").encode()))))
    parts += [
        (10, vector(2, shorts(groups))),
        (11, b"\1\0"),
        (13, vector(2, shorts(w.get("sigalgs", SIGALGS)))),
        (23, b""),
        (0xFF01, b"\0"),
    ]
    if "alpn" in w:
        parts.append((16, vector(2, b"".join(vector(1, p.encode()) for p in w["alpn"]))))
    if versions:
        parts.append((43, vector(1, shorts(versions))))
    if 0x0304 in versions:
        sizes = {23: 65, 24: 97, 29: 32, 30: 56, 0x11EC: 1216}
        share = {
            g: (x25519_share() if g == 29 else (b"\x04" if g in (23, 24) else b"") + os.urandom(sizes.get(g, 32) - (g in (23, 24))))
            for g in shares
        }
        parts += [(45, b"\1\1"), (51, vector(2, b"".join(shorts([g]) + vector(2, s) for g, s in share.items())))]
    parts = [p for p in parts if p[0] not in w.get("leave_out", [])]
    parts += [(number, bytes.fromhex(body)) for number, body in w.get("extra", [])]
    if w.get("padding"):
        parts.append((21, bytes(w["padding"])))
    session = bytes.fromhex(w["session_id"]) if "session_id" in w else os.urandom(32)
    body = w.get("version", 0x0303).to_bytes(2, "big") + os.urandom(32) + vector(1, session)
    body += vector(2, shorts(suites)) + vector(1, bytes(w.get("compression", [0])))
    if not w.get("no_extensions"):
        block = b"".join(extension(*p) for p in parts)
        body += (w["lie"].to_bytes(2, "big") + block) if "lie" in w else vector(2, block)
    message = b"\1" + vector(3, body)
    return record(22, message, w.get("record_version", 0x0301))


def server_hello(w: dict, hello: bytes) -> bytes:
    """Words: version, suite, extensions ([number, hex] pairs), random (hex), session_id: "echo" | hex."""
    session = hello[44 : 44 + hello[43]] if len(hello) > 44 else b""
    if w.get("session_id", "echo") != "echo":
        session = bytes.fromhex(w["session_id"])
    random = bytes.fromhex(w["random"]) if "random" in w else os.urandom(32)
    if "tail" in w:
        random = random[:24] + bytes.fromhex(w["tail"])
    body = w.get("version", 0x0303).to_bytes(2, "big") + random + vector(1, session)
    body += w.get("suite", 0xC02F).to_bytes(2, "big") + b"\0"
    block = b"".join(extension(n, bytes.fromhex(v)) for n, v in w.get("extensions", [[0xFF01, "00"]]))
    return record(22, b"\2" + vector(3, body + vector(2, block)), 0x0303)


class Peer:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.hello = b""
        self.split = 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def put(self, data: bytes) -> None:
        step = self.split or len(data) or 1
        for at in range(0, len(data), step):
            self.sock.sendall(data[at : at + step])
            if self.split:
                time.sleep(0.05)

    def take(self, seconds: float, everything: bool = False) -> None:
        self.sock.settimeout(seconds)
        try:
            while True:
                data = self.sock.recv(16384)
                self.hello = self.hello or data
                print("got", len(data), data[:60], flush=True)
                if not data or not everything:
                    return
        except TimeoutError:
            print("got nothing more", flush=True)

    def play(self, script: list) -> None:
        for word, *rest in script:
            if word == "recv":
                self.take(*(rest or [10]))
            elif word == "recv-all":
                self.take(*(rest or [2]), everything=True)
            elif word == "expect":
                self.take(6)
            elif word == "send":
                self.put(rest[0].encode("latin-1"))
            elif word == "hex":
                self.put(bytes.fromhex(rest[0]))
            elif word == "fill":
                self.put(bytes([rest[1]]) * rest[0])
            elif word == "hello":
                data = client_hello(rest[0] if rest else {})
                keep = rest[0].get("cut") if rest else None
                self.put(data[:keep])
            elif word == "server-hello":
                self.put(server_hello(rest[0], self.hello))
            elif word == "alert":
                self.put(record(21, bytes(rest[:2]), 0x0303))
            elif word == "split":
                self.split = rest[0]
            elif word == "sleep":
                time.sleep(rest[0])
            elif word == "shut":
                self.sock.shutdown(socket.SHUT_WR)
            elif word == "wait":
                select.select([self.sock], [], [], rest[0] if rest else 20)
            elif word == "rst":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sock.close()
            elif word == "fin":
                self.sock.close()
            else:
                raise SystemExit(f"no such step: {word}")


def main() -> None:
    role, script, port = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 443
    extra = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    if role == "client":
        if extra.get("parallel"):
            several = [threading.Thread(target=one_client, args=(script, port, extra)) for _ in range(extra["parallel"])]
            for thread in several:
                thread.start()
            for thread in several:
                thread.join()
            return
        for one in extra.get("ports", [port] * extra.get("connections", 1)):
            one_client(script, one, extra)
            time.sleep(extra.get("pause", 0.05))
        return
    serve(script, port, extra)


def one_client(script: list, port: int, extra: dict) -> None:
    sock = socket.socket(socket.AF_INET6 if ":" in extra.get("address", "") else socket.AF_INET)
    if "window" in extra:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, extra["window"])
    if "from" in extra:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", extra["from"]))
    sock.settimeout(extra.get("patience", 6))
    try:
        sock.connect((extra.get("address", "198.51.100.20"), port))
        Peer(sock).play(script)
    except OSError as error:
        print("error:", error, flush=True)
    sock.close()


def serve(script: list, port: int, extra: dict) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if "window" in extra:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, extra["window"])
    listener.bind(("0.0.0.0", port))
    listener.listen(extra.get("backlog", 16))
    if extra.get("never_accept"):
        time.sleep(600)
    scripts = script if script and script[0] and isinstance(script[0][0], list) else [script]
    at = 0
    while True:
        conn, _ = listener.accept()
        try:
            Peer(conn).play(scripts[min(at, len(scripts) - 1)])
        except OSError as error:
            print("error:", error, flush=True)
        conn.close()
        at += 1
        if extra.get("once"):
            return


if __name__ == "__main__":
    main()
