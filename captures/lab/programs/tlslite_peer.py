"""A peer on tlslite-ng, which can be made to misbehave: ROLE OPTIONS(json) CHAIN KEY.

Options: version, misbehave = "ska" (sign with a wrong key is simply a key that does not fit), ems (false turns the
extended master secret off), require_ems, request.
"""

import json
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.messages import ServerHello

role, text, chain_file, key_file = sys.argv[1:5]
o = json.loads(text)
VERSIONS = {"1.0": (3, 1), "1.1": (3, 2), "1.2": (3, 3), "1.3": (3, 4)}
settings = HandshakeSettings()
settings.minVersion = VERSIONS[o.get("min") or o.get("version") or "1.2"]
settings.maxVersion = VERSIONS[o.get("max") or o.get("version") or "1.3"]
for word in ("useExtendedMasterSecret", "requireExtendedMasterSecret", "useEncryptThenMAC", "sendFallbackSCSV"):
    if word in o:
        setattr(settings, word, o[word])
for word in (
    "eccCurves",
    "rsaSigHashes",
    "rsaSchemes",
    "keyShares",
    "cipherNames",
    "keyExchangeNames",
    "dhGroups",
    "minKeySize",
    "maxKeySize",
    "certificateTypes",
    "ecdsaSigHashes",
    "more_sig_schemes",
    "defaultCurve",
    "certificate_compression_send",
):
    if word in o:
        setattr(settings, word, o[word])

if o.get("no_reneg"):  # a server from before RFC 5746
    create = ServerHello.create

    def without(self, *args, **kwargs):
        create(self, *args, **kwargs)
        self.extensions = [e for e in self.extensions or [] if e.extType != 0xFF01] or None
        return self

    ServerHello.create = without


def serve() -> None:
    chain = X509CertChain()
    with open(chain_file) as f:
        chain.parsePemList(f.read())
    with open(key_file) as f:
        key = parsePEMKey(f.read(), private=True)
    listener = socket.create_server(("0.0.0.0", o["port"]))
    while True:
        sock, _ = listener.accept()
        tls = TLSConnection(sock)
        try:
            tls.handshakeServer(certChain=chain, privateKey=key, settings=settings, reqCert=bool(o.get("client_ca")))
            print("connected", tls.getVersionName(), tls.getCipherName(), flush=True)
            tls.recv(4096)
            tls.send(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
            tls.close()
        except Exception as problem:
            print("error:", type(problem).__name__, problem, flush=True)
        sock.close()


def connect() -> None:
    sock = socket.create_connection((o["address"], o["port"]), timeout=8)
    tls = TLSConnection(sock)
    try:
        chain, key = None, None
        if o.get("cert"):
            chain = X509CertChain()
            with open(chain_file) as f:
                chain.parsePemList(f.read())
            with open(key_file) as f:
                key = parsePEMKey(f.read(), private=True)
        tls.handshakeClientCert(chain, key, settings=settings, serverName=o.get("name") or "server.test")
        print("connected", tls.getVersionName(), tls.getCipherName(), flush=True)
        tls.send(b"GET / HTTP/1.0\r\n\r\n")
        print("answer:", bytes(tls.recv(4096)).split(b"\n")[0], flush=True)
        tls.close()
    except Exception as problem:
        print("error:", type(problem).__name__, problem, flush=True)
    sock.close()


serve() if role == "server" else connect()
