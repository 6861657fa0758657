"""A small TLS client or server on Python's ssl, with the options all small programs of the laboratory share.

It also speaks the dialogues that ask for TLS (mail, directory, chat, databases), honestly or refusing:
`--dialogue smtp --mood offer|hide|refuse`.  The tables `SERVER_DIALOGUES` and `CLIENT_DIALOGUES` hold the words.
"""

from __future__ import annotations

import ftplib
import imaplib
import os
import poplib
import re
import smtplib
import socket
import ssl
import struct
import sys
import threading
import time

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
LDAP_OID = b"1.3.6.1.4.1.1466.20037"

# Each server dialogue: what it says first, then (pattern of what the client sends, answer by mood).  An answer of
# `TLS` starts TLS after the bytes before it; `BYE` closes after them.
TLS, BYE = object(), object()
XMPP_HEAD = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s1' "
    b"from='server.test' version='1.0'>"
)
SERVER_DIALOGUES = {
    "smtp": (
        b"220 mail.server.test ESMTP ready\r\n",
        [
            (rb"EHLO", {"offer": [b"250-mail.server.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 8BITMIME\r\n"],
                        "hide": [b"250-mail.server.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n"]}),
            (rb"STARTTLS", {"offer": [b"220 2.0.0 Ready to start TLS\r\n", TLS], "hide": [b"502 5.5.1 Command not implemented\r\n"],
                            "refuse": [b"454 4.7.0 TLS not available due to local problem\r\n"]}),
            (rb"QUIT", {"offer": [b"221 2.0.0 Bye\r\n", BYE]}),
            (rb"NOOP|RSET|MAIL", {"offer": [b"250 2.0.0 Ok\r\n"]}),
            (rb"", {"offer": [b"500 5.5.2 Unrecognized command\r\n"]}),
        ],
    ),
    "imap": (
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] server.test ready\r\n",
        [
            (rb"(\S+) CAPABILITY", {"offer": [b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n%s OK done\r\n"],
                                    "hide": [b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%s OK done\r\n"]}),
            (rb"(\S+) STARTTLS", {"offer": [b"%s OK Begin TLS negotiation now\r\n", TLS], "refuse": [b"%s NO TLS is not available\r\n"],
                                  "hide": [b"%s BAD unknown command\r\n"]}),
            (rb"(\S+) LOGOUT", {"offer": [b"* BYE\r\n%s OK done\r\n", BYE]}),
            (rb"(\S+) ", {"offer": [b"%s OK done\r\n"]}),
            (rb"", {"offer": [b"* BAD what\r\n"]}),
        ],
    ),
    "pop3": (
        b"+OK server.test POP3 ready\r\n",
        [
            (rb"CAPA", {"offer": [b"+OK\r\nUSER\r\nSTLS\r\nUIDL\r\n.\r\n"], "hide": [b"+OK\r\nUSER\r\nUIDL\r\n.\r\n"]}),
            (rb"STLS", {"offer": [b"+OK Begin TLS negotiation\r\n", TLS], "refuse": [b"-ERR TLS not available\r\n"], "hide": [b"-ERR unknown command\r\n"]}),
            (rb"QUIT", {"offer": [b"+OK bye\r\n", BYE]}),
            (rb"", {"offer": [b"+OK\r\n"]}),
        ],
    ),
    "ftp": (
        b"220 server.test FTP ready\r\n",
        [
            (rb"FEAT", {"offer": [b"211-Features:\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n211 End\r\n"], "hide": [b"211-Features:\r\n MDTM\r\n SIZE\r\n211 End\r\n"]}),
            (rb"AUTH TLS", {"offer": [b"234 AUTH TLS successful\r\n", TLS], "refuse": [b"534 Request denied for policy reasons\r\n"],
                            "hide": [b"502 Command not implemented\r\n"]}),
            (rb"AUTH", {"offer": [b"504 AUTH type not supported\r\n"]}),
            (rb"USER", {"offer": [b"331 Password please\r\n"]}),
            (rb"PASS", {"offer": [b"230 Logged in\r\n"]}),
            (rb"QUIT", {"offer": [b"221 Goodbye\r\n", BYE]}),
            (rb"", {"offer": [b"200 Ok\r\n"]}),
        ],
    ),
    "nntp": (
        b"200 server.test NNTP ready\r\n",
        [
            (rb"CAPABILITIES", {"offer": [b"101 Capability list:\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.\r\n"], "hide": [b"101 Capability list:\r\nVERSION 2\r\nREADER\r\n.\r\n"]}),
            (rb"STARTTLS", {"offer": [b"382 Continue with TLS negotiation\r\n", TLS], "refuse": [b"580 Can not initiate TLS negotiation\r\n"]}),
            (rb"QUIT", {"offer": [b"205 Bye\r\n", BYE]}),
            (rb"", {"offer": [b"500 What\r\n"]}),
        ],
    ),
    "sieve": (
        b'"IMPLEMENTATION" "lab"\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK "ready"\r\n',
        [
            (rb"STARTTLS", {"offer": [b'OK "Begin TLS negotiation now."\r\n', TLS], "refuse": [b'NO "TLS is not available"\r\n']}),
            (rb"LOGOUT", {"offer": [b"OK\r\n", BYE]}),
            (rb"", {"offer": [b"OK\r\n"]}),
        ],
    ),
    "irc": (
        b"",
        [
            (rb"STARTTLS", {"offer": [b":server.test 670 * :STARTTLS successful, go ahead with TLS handshake\r\n", TLS],
                            "refuse": [b":server.test 691 * :STARTTLS failure\r\n"]}),
            (rb"CAP", {"offer": [b":server.test CAP * LS :tls\r\n"]}),
            (rb"QUIT", {"offer": [BYE]}),
            (rb"", {"offer": [b":server.test NOTICE * :hello\r\n"]}),
        ],
    ),
    "xmpp": (
        b"",
        [
            (rb"<stream:stream", {"offer": [XMPP_HEAD + b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"],
                                  "hide": [XMPP_HEAD + b"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"]}),
            (rb"<starttls", {"offer": [b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", TLS],
                             "refuse": [b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>", BYE]}),
            (rb"", {"offer": [b"</stream:stream>", BYE]}),
        ],
    ),
    "ldap": (
        b"",
        [
            (rb"1\.3\.6\.1\.4\.1\.1466\.20037", {"offer": [b"\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x16" + LDAP_OID, TLS],
                          "refuse": [b"\x30\x25\x02\x01\x01\x78\x20\x0a\x01\x34\x04\x00\x04\x19TLS is not available here", BYE],
                          "hide": [b"\x30\x2a\x02\x01\x01\x78\x25\x0a\x01\x02\x04\x00\x04\x1eunsupported extended operation", BYE]}),
            (rb"", {"offer": [BYE]}),
        ],
    ),
    "postgres": (
        b"",
        [
            (rb"\x00\x00\x00\x08\x04\xd2\x16\x2f", {"offer": [b"S", TLS], "refuse": [b"N"]}),
            (rb"", {"offer": [b"E\x00\x00\x00\x3aSFATAL\x00C28000\x00Mno pg_hba.conf entry for this host, no encryption\x00\x00", BYE]}),
        ],
    ),
}  # fmt: skip


def mysql_greeting(with_tls: bool) -> bytes:
    capabilities = 0x81FFFFFF if with_tls else 0x81FFFFFF & ~0x0800
    body = b"\x0a8.0.36-lab\x00" + struct.pack("<I", 7) + b"saltsalt\x00" + struct.pack("<H", capabilities & 0xFFFF)
    body += b"\x21" + b"\x02\x00" + struct.pack("<H", capabilities >> 16) + b"\x15" + bytes(10) + b"moresaltmore\x00"
    body += b"mysql_native_password\x00"
    return struct.pack("<I", len(body))[:3] + b"\x00" + body


def tds_prelogin(kind: int, encryption: bytes) -> bytes:
    """A PRELOGIN packet: the version, and whether encryption is on (1), off (0) or not supported (2)."""
    body = b"\x00\x00\x0b\x00\x06" + b"\x01\x00\x11\x00\x01" + b"\xff" + b"\x10\x00\x07\xd0\x00\x00" + encryption
    return struct.pack("!BBHHBB", kind, 1, 8 + len(body), 0, 1, 0) + body


class InPackets:
    """TLS whose handshake records travel inside TDS packets, as SQL Server's do."""

    def __init__(self, conn: socket.socket, c: ssl.SSLContext, server: bool, name: str | None) -> None:
        self.conn, self.inbox, self.outbox = conn, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = c.wrap_bio(self.inbox, self.outbox, server_side=server, server_hostname=name)
        while True:
            try:
                self.tls.do_handshake()
                self.flush(True)
                break
            except ssl.SSLWantReadError:
                self.flush(True)
                head = conn.recv(8, socket.MSG_WAITALL)
                if len(head) < 8:
                    raise OSError("closed inside the handshake") from None
                self.inbox.write(conn.recv(struct.unpack("!H", head[2:4])[0] - 8, socket.MSG_WAITALL))
            except ssl.SSLError:
                self.flush(True)
                raise

    def flush(self, wrapped: bool) -> None:
        data = self.outbox.read()
        if data:
            self.conn.sendall(struct.pack("!BBHHBB", 0x12, 1, 8 + len(data), 0, 0, 0) + data if wrapped else data)

    def say(self, data: bytes) -> None:
        self.tls.write(data)
        self.flush(False)

    def hear(self) -> bytes:
        while True:
            try:
                return self.tls.read(4096)
            except ssl.SSLWantReadError:
                data = self.conn.recv(4096)
                if not data:
                    return b""
                self.inbox.write(data)


def options(argv: list[str]) -> dict[str, str]:
    return {argv[i][2:]: argv[i + 1] for i in range(0, len(argv) - 1, 2)}


def context(o: dict[str, str], server: bool) -> ssl.SSLContext:
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    c.minimum_version, c.maximum_version = VERSIONS[o.get("min", "1.2")], VERSIONS[o.get("max", "1.3")]
    if "ciphers" in o:
        c.set_ciphers(o["ciphers"])
    if "cert" in o:
        c.load_cert_chain(o["cert"], o["key"])
    if "alpn" in o:
        c.set_alpn_protocols(o["alpn"].split(","))
    if "groups" in o:
        c.set_ecdh_curve(o["groups"])
    if "keylog" in o:
        c.keylog_filename = o["keylog"]
    if server:
        if "client-ca" in o:
            c.load_verify_locations(o["client-ca"])
            c.verify_mode = ssl.CERT_OPTIONAL if o.get("verify") == "request" else ssl.CERT_REQUIRED
        if "crl" in o:
            c.load_verify_locations(o["crl"])
            c.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if o.get("verify") == "post":
            c.post_handshake_auth = True
            c.verify_mode = ssl.CERT_OPTIONAL
        if "sni-alert" in o:
            c.sni_callback = lambda *_: int(o["sni-alert"])
        if "dies" in o:
            c.sni_callback = lambda *_: die(float(o["dies"]))
    else:
        if o.get("pha"):
            c.post_handshake_auth = True
        if "insecure" in o:
            c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        elif "ca" in o:
            c.load_verify_locations(o["ca"])
        if "crl" in o:
            c.load_verify_locations(o["crl"])
            c.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return c


def die(seconds: float) -> None:
    """End the whole server so long after a ClientHello, with all its connections."""
    time.sleep(seconds)
    os._exit(1)


def linger_zero(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def finish(sock: ssl.SSLSocket, how: str) -> None:
    """Close in one of the ways connections are closed."""
    if how in ("clean", "notify-rst"):
        try:
            if how == "notify-rst":
                sock.setblocking(False)
            sock.unwrap()
        except (OSError, ValueError):
            pass
    if how == "idle-rst":
        time.sleep(3)
    if how in ("rst", "notify-rst", "idle-rst"):
        linger_zero(sock)
    sock.close()


# -- server -----------------------------------------------------------------------------------------------------------
def converse(conn: socket.socket, kind: str, mood: str) -> bool:
    """Speak until TLS should start (True) or the talk is over (False)."""
    if kind == "mysql":
        conn.sendall(mysql_greeting(mood == "offer"))
        head = conn.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return False
        body = conn.recv(int.from_bytes(head[:3], "little"), socket.MSG_WAITALL)
        return len(body) == 32
    if kind == "rdp":
        conn.recv(512)
        refused = b"\x03\x00\x08\x00\x02\x00\x00\x00"  # RDP_NEG_FAILURE: SSL_NOT_ALLOWED_BY_SERVER
        agreed = b"\x02\x00\x08\x00\x01\x00\x00\x00"  # RDP_NEG_RSP: PROTOCOL_SSL
        conn.sendall(b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00" + (agreed if mood == "offer" else refused))
        return mood == "offer"
    if kind == "tds":
        conn.recv(512)
        conn.sendall(tds_prelogin(4, b"\x01" if mood == "offer" else b"\x02"))
        return mood == "offer"
    first, steps = SERVER_DIALOGUES[kind]
    if mood == "hide" and kind == "imap":
        first = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] server.test ready\r\n"
    if first:
        conn.sendall(first)
    while True:
        said = conn.recv(4096)
        if not said:
            return False
        look = re.search if kind in ("ldap", "xmpp") else re.match
        found, answers = next((f, a) for f, a in ((look(pattern, said, re.IGNORECASE), a) for pattern, a in steps) if f)
        for part in answers.get(mood, answers.get("offer", answers.get("refuse"))):
            if part is TLS:
                return True
            if part is BYE:
                return False
            conn.sendall(part.replace(b"%s", found.group(1)) if b"%s" in part else part)


def bearable(conn: socket.socket, what: str) -> bool:
    """Look at the first segment of the ClientHello as a poor implementation would, and end it if it is too modern."""
    conn.recv(1, socket.MSG_PEEK)
    first = conn.recv(16384, socket.MSG_PEEK)
    claimed = int.from_bytes(first[3:5], "big") + 5
    suites = first[46 + first[43] : 46 + first[43] + int.from_bytes(first[44 + first[43] : 46 + first[43]], "big")]
    if what == "large" and claimed > len(first):
        print("error: the hello is not all there", flush=True)
        linger_zero(conn)
        conn.close()
        return False
    if what in ("large-silent", "large-alert") and claimed > len(first):
        print("error: the hello is not all there", flush=True)
        if what == "large-alert":
            conn.sendall(b"\x15\x03\x03\x00\x02\x02\x32")
        else:
            time.sleep(6)
        conn.close()
        return False
    if what == "grease" and any(suites[i] & 15 == 10 and suites[i] == suites[i + 1] for i in range(0, len(suites) - 1, 2)):
        print("error: a suite nobody knows", flush=True)
        conn.recv(16384)
        conn.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
        conn.close()
        return False
    if what == "version" and b"\x00\x2b" in first and b"\x03\x04" in first[first.index(b"\x00\x2b") :]:
        print("error: a version nobody knows", flush=True)
        conn.recv(16384)
        conn.close()
        return False
    return True


def serve_one(conn: socket.socket, c: ssl.SSLContext, o: dict[str, str]) -> None:
    try:
        conn.settimeout(float(o.get("timeout", "20")))
        if "intolerant" in o and not bearable(conn, o["intolerant"]):
            return
        if "dialogue" in o and not converse(conn, o["dialogue"], o.get("mood", "offer")):
            conn.close()
            return
        if o.get("dialogue") == "tds":
            inside = InPackets(conn, c, True, None)
            inside.hear()
            inside.say(b"\x04\x01\x00\x09\x00\x00\x01\x00\xfd")
            time.sleep(0.2)
            conn.close()
            return
        time.sleep(float(o.get("slow", "0")))
        tls = c.wrap_socket(conn, server_side=True)
        print("connected", tls.version(), tls.cipher()[0], flush=True)
        if "dialogue" in o:
            while said := tls.recv(4096):
                tls.sendall(b"* BYE\r\n" if o["dialogue"] == "imap" else b"250 ok\r\n")
                if re.search(rb"quit|logout", said, re.IGNORECASE):
                    break
        else:
            tls.recv(4096)
            if o.get("verify") == "post":
                tls.verify_client_post_handshake()
                tls.sendall(b"please show your certificate\n")
                tls.recv(4096)
                if not tls.getpeercert():
                    tls.sendall(b"HTTP/1.0 403 Forbidden\r\n\r\ncertificate required\n")
                    finish(tls, "clean")
                    return
            tls.sendall(b"X" * int(o["bytes"]) if "bytes" in o else ANSWER)
        finish(tls, o.get("close", "clean"))
    except (OSError, ValueError) as error:
        print("error:", error, flush=True)
        conn.close()


def server(o: dict[str, str]) -> None:
    c = context(o, True)
    with socket.create_server(("0.0.0.0", int(o.get("port", "443")))) as listener:
        while True:
            conn, _ = listener.accept()
            if o.get("threads") == "no":
                serve_one(conn, c, o)
            else:
                threading.Thread(target=serve_one, args=(conn, c, o), daemon=True).start()


# -- client -----------------------------------------------------------------------------------------------------------
def talk(o: dict[str, str], c: ssl.SSLContext) -> None:
    """The standard library's own clients, for the protocols it has."""
    host, port = o.get("name", "server.test"), int(o["port"])
    kind = o["dialogue"]
    if kind == "smtp":
        with smtplib.SMTP(host, port, timeout=6) as mail:
            mail.starttls(context=c)
            mail.ehlo()
    elif kind == "imap":
        with imaplib.IMAP4(host, port, timeout=6) as mail:
            mail.starttls(c)
    elif kind == "pop3":
        pop = poplib.POP3(host, port, timeout=6)
        pop.stls(c)
        pop.quit()
    elif kind in ("rdp", "tds"):
        conn = socket.create_connection((o.get("address", "198.51.100.20"), port), timeout=6)
        if kind == "rdp":
            conn.sendall(b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00")
            answer = conn.recv(512)
            if answer[11:12] != b"\x02":
                raise OSError(f"the server will not use TLS, code {answer[15]}")
            tls = c.wrap_socket(conn, server_hostname=host)
            tls.sendall(b"\x03\x00\x00\x0c\x02\xf0\x80\x7f\x65\x82\x01\x00")
            tls.recv(512)
            tls.close()
        else:
            conn.sendall(tds_prelogin(0x12, b"\x01"))
            answer = conn.recv(512)
            if answer[-1:] != b"\x01":
                raise OSError("the server does not support encryption")
            inside = InPackets(conn, c, False, host)
            inside.say(b"\x10\x01\x00\x0c\x00\x00\x01\x00login")
            inside.hear()
            conn.close()
    elif kind == "ftp":
        with ftplib.FTP_TLS(context=c, timeout=6) as ftp:
            ftp.connect(host, port)
            ftp.auth()
            if "list" in o:  # over a second connection, with a handshake of its own
                ftp.login()
                ftp.prot_p()
                print("files:", ftp.nlst())
    print("connected over", kind)


def client(o: dict[str, str]) -> None:
    c = context(o, False)
    if "dialogue" in o:
        return talk(o, c)
    session = None
    for _ in range(int(o.get("connections", "1"))):
        where, patience = (o.get("address", "198.51.100.20"), int(o.get("port", "443"))), float(o.get("timeout", "6"))
        if "mptcp" in o:
            raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
            raw.settimeout(patience)
            raw.connect(where)
        else:
            raw = socket.create_connection(where, timeout=patience)
        if "before" in o:
            raw.sendall(o["before"].encode("latin-1").decode("unicode_escape").encode("latin-1"))
        name = o.get("sni", o.get("name", "server.test")) or None
        tls = c.wrap_socket(raw, server_hostname=name, session=session)
        print("connected", tls.version(), tls.cipher()[0], "resumed" if tls.session_reused else "", flush=True)
        request = o.get("request", "GET / HTTP/1.0\r\n\r\n")
        if request:
            tls.sendall(request.encode())
            answer = tls.recv(65536)
            print("answer:", answer.split(b"\n")[0].decode("latin-1"), flush=True)
            if o.get("pha"):
                tls.sendall(b"here it is\n")
                print("then:", tls.recv(4096).split(b"\n")[0].decode("latin-1"), flush=True)
            if o.get("again"):
                time.sleep(float(o["again"]))
                tls.sendall(b"GET /again HTTP/1.0\r\n\r\n")
                print("then:", tls.recv(4096).split(b"\n")[0].decode("latin-1"), flush=True)
        session = tls.session
        finish(tls, o.get("close", "clean"))
    return None


if __name__ == "__main__":
    try:
        (server if sys.argv[1] == "server" else client)(options(sys.argv[2:]))
    except (OSError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto, ftplib.Error) as problem:
        print("error:", problem, flush=True)
        sys.exit(1)
