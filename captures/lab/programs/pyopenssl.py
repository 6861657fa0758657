"""A TLS client or server on pyOpenSSL, whose OpenSSL is the newest, with the options all small programs of the laboratory share."""

from __future__ import annotations

import socket
import sys
import threading

from OpenSSL import SSL

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION, "1.0": SSL.TLS1_VERSION, "1.1": SSL.TLS1_1_VERSION}


def context(o: dict[str, str], server: bool) -> SSL.Context:
    c = SSL.Context(SSL.TLS_METHOD)
    c.set_min_proto_version(VERSIONS[o.get("min", "1.2")])
    c.set_max_proto_version(VERSIONS[o.get("max", "1.3")])
    if "ciphers" in o:
        c.set_cipher_list(o["ciphers"].encode())
    if "cert" in o:
        c.use_certificate_chain_file(o["cert"])
        c.use_privatekey_file(o["key"])
    if "keylog" in o:

        def note(_: SSL.Connection, line: bytes) -> None:
            with open(o["keylog"], "ab") as sink:
                sink.write(line + b"\n")

        c.set_keylog_callback(note)
    roots = o.get("client-ca" if server else "ca")
    if roots and "insecure" not in o:
        c.load_verify_locations(roots)
        must = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if o.get("verify", "require") == "require" else 0
        c.set_verify(SSL.VERIFY_PEER | (must if server else 0))
    if "alpn" in o:
        wanted = [p.encode() for p in o["alpn"].split(",")]
        if server:
            c.set_alpn_select_callback(lambda _, offered: next((p for p in wanted if p in offered), SSL.NO_OVERLAPPING_PROTOCOLS))
        else:
            c.set_alpn_protos(wanted)
    return c


def client(o: dict[str, str]) -> None:
    c = context(o, False)
    for _ in range(int(o.get("connections", "1"))):
        raw = socket.create_connection((o.get("address", "198.51.100.20"), int(o.get("port", "443"))), 6)
        raw.settimeout(None)
        tls = SSL.Connection(c, raw)
        name = o.get("sni", o.get("name", "server.test"))
        if name:
            tls.set_tlsext_host_name(name.encode())
        tls.set_connect_state()
        if "insecure" not in o:
            tls.set_verify(SSL.VERIFY_PEER)
            tls.set1_host(o.get("name", "server.test").encode()) if hasattr(tls, "set1_host") else None
        try:
            tls.do_handshake()
            print("connected", tls.get_protocol_version_name(), flush=True)
            request = o.get("request", "GET / HTTP/1.0\r\n\r\n")
            if request:
                tls.sendall(request.encode())
                while data := tls.recv(4096):
                    print("answer:", data.split(b"\n")[0], flush=True)
        except SSL.ZeroReturnError:
            pass
        except SSL.Error as problem:
            print("error:", problem, flush=True)
        if o.get("close") == "clean":
            tls.shutdown()
        raw.close()


def serve(c: SSL.Context, raw: socket.socket, o: dict[str, str]) -> None:
    tls = SSL.Connection(c, raw)
    tls.set_accept_state()
    try:
        tls.do_handshake()
        tls.recv(4096)
        tls.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
        if o.get("close") != "none":
            tls.shutdown()
    except SSL.Error as problem:
        print("error:", problem, flush=True)
    raw.close()


def server(o: dict[str, str]) -> None:
    c = context(o, True)
    listener = socket.create_server(("0.0.0.0", int(o.get("port", "443"))))
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(c, raw, o), daemon=True).start()


if __name__ == "__main__":
    words = sys.argv[2:]
    given = {words[i][2:]: words[i + 1] for i in range(0, len(words) - 1, 2)}
    (client if sys.argv[1] == "client" else server)(given)
