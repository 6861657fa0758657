"""Real TLS sessions for tests, kept in memory: Python's ssl over memory buffers, and the openssl command over loopback."""

from __future__ import annotations

import datetime
import selectors
import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from analyzer.tls.keylog import KeyLog
from analyzer.tls.messages import read_client_hello, read_server_hello
from analyzer.tls.opener import Opener
from analyzer.tls.transcript import Transcript

OPENSSL = shutil.which("openssl")


@dataclass
class Session:
    """Records of both directions in the order they crossed, and the key log."""

    records: list[tuple[bool, bytes]]
    keylog: bytes


def make_certificate(folder: Path, kind: str) -> Path:
    """Write a self-signed certificate with its key into one PEM file; ``kind`` is 'rsa', 'ecdsa' or 'dsa'."""
    path = folder / f"{kind}.pem"
    if path.exists():
        return path
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = dsa.generate_private_key(1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2040, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Wire:
    """Cuts two streams of bytes into records."""

    def __init__(self) -> None:
        self.records: list[tuple[bool, bytes]] = []
        self._held = {True: b"", False: b""}

    def carry(self, from_client: bool, data: bytes) -> None:
        held = self._held[from_client] + data
        while len(held) >= 5 and len(held) >= 5 + int.from_bytes(held[3:5], "big"):
            size = 5 + int.from_bytes(held[3:5], "big")
            self.records.append((from_client, held[:size]))
            held = held[size:]
        self._held[from_client] = held


def talk_in_memory(folder: Path, version: ssl.TLSVersion, ciphers: str, certificate: Path, *, encrypt_then_mac: bool = True) -> Session:
    """Let Python's ssl talk to itself: handshake, a line each way, close_notify each way."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    log = folder / "memory.keys"
    log.unlink(missing_ok=True)
    for context in (server_context, client_context):
        context.minimum_version = context.maximum_version = version
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        if not encrypt_then_mac:
            context.options |= 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC
    server_context.load_cert_chain(certificate)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.keylog_filename = str(log)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname="localhost")
    server = server_context.wrap_bio(up_in := ssl.MemoryBIO(), down_out := ssl.MemoryBIO(), server_side=True)
    wire = Wire()

    def exchange() -> None:
        data = up.read()
        wire.carry(True, data)
        up_in.write(data)
        data = down_out.read()
        wire.carry(False, data)
        down.write(data)

    done: set[ssl.SSLObject] = set()
    for _ in range(20):
        for side in (client, server):
            if side not in done:
                try:
                    side.do_handshake()
                    done.add(side)
                except ssl.SSLWantReadError:
                    pass
            exchange()
        if len(done) == 2:
            break
    assert len(done) == 2
    client.write(b"ping from the client")
    exchange()
    assert server.read() == b"ping from the client"
    server.write(b"pong from the server")
    exchange()
    assert client.read() == b"pong from the server"
    for side in (client, server):
        try:
            side.unwrap()
        except ssl.SSLWantReadError:
            pass
        exchange()
    return Session(wire.records, log.read_bytes())


def talk_over_loopback(
    folder: Path, server_args: list[str], clients: list[list[str]], certificate: Path, lines: bytes = b"hello\nQ\n"
) -> list[Session]:
    """Let ``openssl s_client`` talk to one ``openssl s_server``, once for each of ``clients``.

    A relay keeps what passes. ``lines`` are typed one by one; s_client takes some letters as commands
    (k and K update keys, R renegotiates, Q quits).
    """
    assert OPENSSL
    server = subprocess.Popen(
        [OPENSSL, "s_server", "-accept", "127.0.0.1:0", "-naccept", str(len(clients)),
         "-cert", str(certificate), "-key", str(certificate), *server_args],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert server.stdout is not None and server.stdin is not None
    drain = threading.Thread(target=server.stdout.read)
    try:
        port = next(int(line.rsplit(b":", 1)[1]) for line in server.stdout if line.startswith(b"ACCEPT"))
        drain.start()
        sessions = [_talk_once(folder, port, client_args, lines) for client_args in clients]
    finally:
        server.kill()
        server.wait(20)
        drain.join(20)
        server.stdin.close()
        server.stdout.close()
    return sessions


def _talk_once(folder: Path, port: int, client_args: list[str], lines: bytes) -> Session:
    assert OPENSSL
    log = folder / "loopback.keys"
    log.unlink(missing_ok=True)
    wire = Wire()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = threading.Thread(target=_relay, args=(listener, port, wire))
        relay.start()
        client = subprocess.Popen(
            [OPENSSL, "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", "-keylogfile", str(log),
             "-servername", "localhost", *client_args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert client.stdin is not None and client.stdout is not None
        drain = threading.Thread(target=client.stdout.read)
        drain.start()
        _wait_until_quiet(wire)
        for command in lines.splitlines(keepends=True):
            before = len(wire.records)
            client.stdin.write(command)
            client.stdin.flush()
            _wait_until_quiet(wire, before)
        client.stdin.close()
        client.wait(20)
        drain.join(20)
        client.stdout.close()
        relay.join(20)
    return Session(wire.records, log.read_bytes())


def _wait_until_quiet(wire: Wire, before: int = 0) -> None:
    """Wait until there are more than ``before`` records, and then none came for a tenth of a second: s_client takes for a command
    only what it reads by itself."""
    pause = threading.Event()
    count = -1
    for _ in range(100):
        pause.wait(0.12)
        if count == len(wire.records) > before:
            return
        count = len(wire.records)


def _relay(listener: socket.socket, port: int, wire: Wire) -> None:
    listener.settimeout(20)
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", port))
    with near, far, selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, (True, far))
        selector.register(far, selectors.EVENT_READ, (False, near))
        open_sides = 2
        while open_sides:
            ready = selector.select(20)
            if not ready:
                return
            for key, _ in ready:
                from_client, other = key.data
                source: socket.socket = key.fileobj
                try:
                    data = source.recv(65536)
                    if data:
                        wire.carry(from_client, data)
                        other.sendall(data)
                        continue
                    other.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                selector.unregister(source)
                open_sides -= 1


@dataclass
class Opened:
    """What an observer with the key log sees of a session."""

    opener: Opener
    seen: list[tuple[bool, int, bytes | None]]
    """(from_client, content type, plaintext or None) of each record from the ServerHello on."""
    verified: list[tuple[bool, bool | None]]
    """Finished messages: (from_client, whether right)."""


def observe(session: Session) -> Opened:
    """Follow a session as its records crossed, with its key log."""
    log = KeyLog()
    log.feed(session.keylog)
    log.end()
    assert log.bad_lines == 0
    opener: Opener | None = None
    early: list[bytes] = []
    seen: list[tuple[bool, int, bytes | None]] = []
    verified: list[tuple[bool, bool | None]] = []
    transcript = Transcript()
    client_random = b""
    halves = {True: b"", False: b""}
    switched = {True: False, False: False}

    def take(from_client: bool, kind: int, body: bytes) -> None:
        assert opener is not None
        tls13 = opener.is_tls13
        protected = kind == 23 if tls13 else switched[from_client]
        switched[from_client] |= kind == 20
        opened = opener.open(from_client, kind, body) if protected else [(kind, body)]
        if opened is None:
            seen.append((from_client, kind, None))
            return
        for inner, plaintext in opened:
            seen.append((from_client, inner, plaintext))
            if inner == 22:
                halves[from_client] += plaintext
                while len(halves[from_client]) >= 4:
                    size = 4 + int.from_bytes(halves[from_client][1:4], "big")
                    if len(halves[from_client]) < size:
                        break
                    message, halves[from_client] = halves[from_client][:size], halves[from_client][size:]
                    if message[0] == 20:
                        verified.append((from_client, transcript.verify(opener, from_client, message)))
                    transcript.add(message)

    for from_client, record in session.records:
        kind, body = record[0], record[5:]
        if opener is not None:
            take(from_client, kind, body)
        elif from_client and kind == 22:
            client_random = read_client_hello(body[4:]).random
            transcript.add(body)
        elif from_client and kind == 23:
            early.append(body)
        elif kind == 22 and body[0] == 2:
            size = 4 + int.from_bytes(body[1:4], "big")
            answer = read_server_hello(body[4:size])
            if answer.hello_retry_request:
                transcript.add(body)
                continue
            opener = Opener.for_handshake(
                log, client_random, answer.selected_version, answer.cipher_suite,
                server_random=answer.random, encrypt_then_mac=answer.encrypt_then_mac,
            )  # fmt: skip
            assert opener is not None
            for held in early:
                take(True, 23, held)
            take(from_client, kind, body)
    assert opener is not None
    return Opened(opener, seen, verified)
