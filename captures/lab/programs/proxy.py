"""Boxes in the middle: an HTTP CONNECT proxy, a SOCKS proxy, an inspecting TLS proxy, a portal.

    proxy.py connect|socks|inspect|portal --port P --mood ok|... --to HOST:PORT [--cert F --key F]

Moods of `connect`: ok, 403, 407, 502, 503, silent, 200-then-close.  Of `socks`: ok, no-auth, refused, unreachable,
ruleset.  `inspect` ends TLS with its own certificate and opens its own to the server.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time

REASONS = {"403": "Forbidden", "407": "Proxy Authentication Required", "502": "Bad Gateway", "503": "Service Unavailable"}


def pump(a: socket.socket, b: socket.socket) -> None:
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_WR if s is b else socket.SHUT_RD)
        except OSError:
            pass


def join(a: socket.socket, b: socket.socket) -> None:
    other = threading.Thread(target=pump, args=(b, a), daemon=True)
    other.start()
    pump(a, b)
    other.join(20)
    a.close()
    b.close()


def upstream(o: dict[str, str]) -> socket.socket:
    host, port = o["to"].rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=6)


def connect(conn: socket.socket, o: dict[str, str]) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = conn.recv(4096)
        if not data:
            return conn.close()
        head += data
    mood = o.get("mood", "ok")
    if mood == "silent":
        time.sleep(20)
    elif mood in REASONS:
        extra = 'Proxy-Authenticate: Basic realm="lab"\r\n' if mood == "407" else ""
        body = f"<html><h1>{mood} {REASONS[mood]}</h1></html>\n"
        conn.sendall(f"HTTP/1.1 {mood} {REASONS[mood]}\r\n{extra}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
    elif mood == "200-then-close":
        conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        conn.recv(4096)
    else:
        other = upstream(o)
        conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return join(conn, other)
    conn.close()
    return None


def socks(conn: socket.socket, o: dict[str, str]) -> None:
    mood = o.get("mood", "ok")
    first = conn.recv(512)
    if first[:1] == b"\x04":
        conn.sendall(b"\x00" + (b"\x5a" if mood == "ok" else b"\x5b") + bytes(6))
    else:
        if mood == "no-auth":
            conn.sendall(b"\x05\xff")
            return conn.close()
        conn.sendall(b"\x05\x00")
        conn.recv(512)
        reply = {"ok": 0, "ruleset": 2, "unreachable": 4, "refused": 5}[mood]
        conn.sendall(bytes([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]))
    if mood != "ok":
        return conn.close()
    return join(conn, upstream(o))


def inspect(conn: socket.socket, o: dict[str, str]) -> None:
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(o["cert"], o["key"])
    if "keylog" in o:
        c.keylog_filename = o["keylog"]
    out = ssl.create_default_context()
    out.check_hostname, out.verify_mode = False, ssl.CERT_NONE
    try:
        near = c.wrap_socket(conn, server_side=True)
        far = out.wrap_socket(upstream(o), server_hostname="server.test")
        far.sendall(near.recv(65536))
        near.sendall(far.recv(65536))
        near.unwrap()
        near.close()
        far.close()
    except OSError as error:
        print("error:", error, flush=True)
        conn.close()


def portal(conn: socket.socket, o: dict[str, str]) -> None:
    conn.recv(4096)
    conn.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://portal.hotel.example/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    conn.close()


def main() -> None:
    kind, argv = sys.argv[1], sys.argv[2:]
    o = {argv[i][2:]: argv[i + 1] for i in range(0, len(argv) - 1, 2)}
    deed = {"connect": connect, "socks": socks, "inspect": inspect, "portal": portal}[kind]
    with socket.create_server(("0.0.0.0", int(o["port"]))) as listener:
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=deed, args=(conn, o), daemon=True).start()


if __name__ == "__main__":
    main()
