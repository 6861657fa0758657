"""Several clients at once: each connects, does its handshake, stays a while and leaves.

    several.py PORT ADDRESS CA COUNT PAUSE STAY

PAUSE seconds lie between one's beginning and the next one's.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time


def one(number: int, port: int, address: str, trust: ssl.SSLContext, stay: float) -> None:
    try:
        with socket.create_connection((address, port), timeout=4) as plain, trust.wrap_socket(plain, server_hostname="server.test") as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n")
            s.recv(4096)
            time.sleep(stay)
        print(number, "is well", flush=True)
    except OSError as error:
        print(number, "error:", error, flush=True)


def main() -> None:
    port, address, ca, count, pause, stay = sys.argv[1:7]
    trust = ssl.create_default_context(cafile=ca)
    threads = []
    for number in range(int(count)):
        threads.append(threading.Thread(target=one, args=(number, int(port), address, trust, float(stay))))
        threads[-1].start()
        time.sleep(float(pause))
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
