"""Handshakes with nothing wrong: a false alarm costs more than a miss."""

from __future__ import annotations

from typing import Any

from ..case import Case

# -- every stack at least once on each side, in each version it has ----------------------------------------------------
PAIRS_13 = [
    ("openssl", "openssl"), ("openssl", "apache"), ("curl", "nginx"), ("gnutls", "gnutls"), ("gnutls", "nginx"), ("nss", "nss"),
    ("nss", "openssl"), ("go", "go"), ("go", "nginx"), ("java", "java"), ("java", "nginx"), ("node", "node"), ("node", "haproxy"),
    ("node24", "node24"), ("node24", "nginx"), ("python", "python"), ("python", "go"), ("curl", "haproxy"), ("curl", "java"),
    ("boringssl", "nginx"), ("boringssl", "nss"), ("chromium", "nginx"), ("chromium", "node24"), ("rustls", "nginx"),
    ("rustls", "gnutls"), ("wolfssl", "wolfssl"), ("wolfssl", "nginx"), ("openssl", "stunnel"), ("gnutls", "java"), ("openssl", "wolfssl"),
    ("openssl", "nss"), ("tlslite", "nginx"),
]  # fmt: skip
PAIRS_12 = [
    ("openssl", "nginx"), ("openssl", "openssl"), ("curl", "apache"), ("gnutls", "gnutls"), ("gnutls", "haproxy"), ("nss", "nss"),
    ("nss", "nginx"), ("go", "go"), ("go", "java"), ("java", "java"), ("java", "haproxy"), ("node", "node"), ("node", "nginx"),
    ("python", "python"), ("python", "gnutls"), ("mbedtls", "mbedtls"), ("mbedtls", "nginx"), ("openssl", "mbedtls"),
    ("wolfssl", "wolfssl"), ("wolfssl", "go"), ("curl", "stunnel"), ("boringssl", "nginx"), ("chromium", "nginx"), ("rustls", "nginx"),
    ("openssl", "java"), ("openssl", "node"), ("openssl", "wolfssl"),
]  # fmt: skip


def pair(client: str, server: str, version: str) -> Case:
    digits = version.replace(".", "")
    capped = {"max": "1.2"} if version == "1.2" else {}
    arranged = f"{client} and {server} with their defaults" + (", the server with TLS 1.2 at most." if capped else ".")
    return Case(None, client, server, f"tls{digits}", stream=-1 if client == "chromium" else 0, s=dict(capped), arranged=arranged[0].upper() + arranged[1:])


# -- older versions ----------------------------------------------------------------------------------------------------
OLD: list[Case] = []
for version in ("1.0", "1.1"):
    weak = {"version": version, "ciphers": "ALL:@SECLEVEL=0"}
    gnutls = {"priority": f"NORMAL:-VERS-ALL:+VERS-TLS{version}:+SHA1:%COMPAT"}
    digits = version.replace(".", "")
    arranged = f"Both ends are made to speak TLS {version} (OpenSSL through its security level 0)."
    OLD += [
        Case(None, "openssl", "openssl", f"tls{digits}", c=weak, s=weak, arranged=arranged),
        Case(None, "openssl", "nginx", f"tls{digits}", c=weak, s=weak, arranged=arranged),
        Case(None, "gnutls", "gnutls", f"tls{digits}", c=gnutls, s=gnutls, arranged=arranged),
        Case(None, "go", "go", f"tls{digits}", c={"version": version}, s={"version": version}, arranged=arranged),
        Case(None, "openssl", "go", f"tls{digits}", c=weak, s={"version": version}, arranged=arranged),
    ]

# -- kinds of key exchange and cipher ------------------------------------------------------------------------------------
SUITES = [
    Case(None, "openssl", "openssl", "tls12-rsa-key-exchange", c={"version": "1.2", "ciphers": "AES128-SHA"}, s={"version": "1.2"},
         arranged="The client offers RSA key exchange only.", notice="Notice that there is no ServerKeyExchange and that this is in order."),
    Case(None, "openssl", "openssl", "tls12-dhe", c={"version": "1.2", "ciphers": "DHE-RSA-AES256-GCM-SHA384"}, s={"version": "1.2"},
         arranged="The client offers finite-field Diffie-Hellman only."),
    Case(None, "openssl", "nginx", "tls12-cbc", c={"version": "1.2", "ciphers": "ECDHE-RSA-AES128-SHA256"}, s={"ciphers": "ALL"},
         arranged="The client offers one CBC suite.", notice="Notice the record lengths of the encrypted alerts, which differ from those of AEAD suites."),
    Case(None, "openssl", "openssl", "tls12-chacha20", c={"version": "1.2", "ciphers": "ECDHE-RSA-CHACHA20-POLY1305"},
         arranged="The client offers ChaCha20-Poly1305 only."),
    Case(None, "openssl", "openssl", "tls13-ccm8", c={"version": "1.3", "suites13": "TLS_AES_128_CCM_8_SHA256"},
         s={"suites13": "TLS_AES_128_CCM_8_SHA256", "version": "1.3"}, arranged="Both ends are made to use AES-128-CCM with a tag of 8 octets.",
         notice="Notice that an alert is a record of 11 octets here, not 19."),
    Case(None, "openssl", "nginx", "tls13-ecdsa", s={"cert": "server-ecdsa"}, arranged="The server has a P-256 certificate."),
    Case(None, "openssl", "openssl", "tls13-ed25519", s={"cert": "server-ed25519"}, arranged="The server has an Ed25519 certificate."),
    Case(None, "gnutls", "openssl", "tls13-p384", s={"cert": "server-p384"}, arranged="The server has a P-384 certificate."),
    Case(None, "go", "nginx", "tls12-two-certificates", c={"version": "1.2"}, s={"second_cert": "server-ecdsa"},
         arranged="The server has an RSA and an ECDSA certificate."),
    Case(None, "mbedtls", "openssl", "tls12-psk", c={"ca": "", "psk": "00112233445566778899aabbccddeeff", "psk_identity": "device-1",
         "ciphers": "TLS-PSK-WITH-AES-128-GCM-SHA256", "insecure": True},
         s={"version": "1.2", "ciphers": "PSK", "argv": ["-psk", "00112233445566778899aabbccddeeff", "-psk_identity", "device-1", "-nocert"]},
         arranged="Both ends hold the same external pre-shared key.", notice="Notice that no certificate is sent."),
    Case(None, "openssl", "openssl", "tls13-external-psk", c={"argv": ["-psk", "00112233445566778899aabbccddeeff", "-psk_identity", "device-1"], "version": "1.3", "suites13": "TLS_AES_128_GCM_SHA256"},
         s={"version": "1.3", "suites13": "TLS_AES_128_GCM_SHA256", "argv": ["-psk", "00112233445566778899aabbccddeeff", "-psk_identity", "device-1"]},
         arranged="Both ends hold the same external pre-shared key and speak TLS 1.3."),
]  # fmt: skip

# -- hello retry requests -------------------------------------------------------------------------------------------------
HRR = [
    Case(None, "openssl", "openssl", "tls13-hrr", c={"groups": "X25519:P-256"}, s={"groups": "P-256"},
         arranged="The client guesses X25519, the server takes P-256 only, which the client also offers."),
    Case(None, "go", "nginx", "tls13-hrr", c={"groups": "X25519:P-256"}, s={"groups": "prime256v1"},
         arranged="The client guesses X25519, the server takes P-256 only, which the client also offers."),
    Case(None, "gnutls", "haproxy", "tls13-hrr", c={"more": ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP384R1", "argv": ["--single-key-share"]}, s={"groups": "secp384r1"},
         arranged="The client sends one key share, of a group the server does not take."),
    Case(None, "boringssl", "nginx", "tls13-hrr", s={"groups": "secp384r1"}, arranged="A browser's hello meets a server that takes P-384 only."),
    Case(None, "java", "nginx", "tls13-hrr", s={"groups": "secp521r1"}, arranged="The server takes P-521 only, for which the client sent no share."),
    Case(None, "curl", "apache", "tls13-hrr", c={"groups": "X25519:P-256"}, s={"lines": ["SSLOpenSSLConfCmd Groups P-256"]},
         arranged="The client guesses X25519, the server takes P-256 only, which the client also offers."),
]  # fmt: skip
HRR = [Case(**{**h.__dict__, "notice": "Notice two ClientHellos in one connection and a ServerHello with the fixed random of a HelloRetryRequest: this is not an error."}) for h in HRR]

# -- resumption -------------------------------------------------------------------------------------------------------------
AGAIN = "The client connects twice; the second connection, stream 1, resumes the first."
NO_TICKET = {"version": "1.2", "argv": ["-no_ticket"]}
FIRST = {"version": "1.3", "session_out": True, "interactive": True, "request": "hello\n\x00\x00\x00Q\n"}
EARLY = {"version": "1.3", "session_in": True, "early": True, "interactive": True, "request": "hello\n\x00\x00\x00Q\n"}
TAKES_EARLY = {"version": "1.3", "argv": ["-early_data", "-max_early_data", "4096"], "www": False, "says": "hello from the server\n"}
RESUMPTION = [
    Case(None, "openssl", "openssl", "tls12-resumed-session-id", stream=1, c=({**NO_TICKET, "session_out": True}, {**NO_TICKET, "session_in": True}),
         s=NO_TICKET, arranged=AGAIN),
    Case(None, "openssl", "nginx", "tls12-resumed-session-id", stream=1, c=({**NO_TICKET, "session_out": True}, {**NO_TICKET, "session_in": True}),
         s={"max": "1.2", "lines": ["ssl_session_tickets off;", "ssl_session_cache shared:lab:1m;"]}, arranged=AGAIN),
    Case(None, "openssl", "nginx", "tls12-resumed-ticket", stream=1, c=({"version": "1.2", "session_out": True}, {"version": "1.2", "session_in": True}), arranged=AGAIN),
    Case(None, "go", "haproxy", "tls12-resumed-ticket", stream=1, c={"version": "1.2", "connections": 2}, arranged=AGAIN),
    Case(None, "node", "nginx", "tls12-resumed-ticket", stream=1, c={"connections": 2, "max": "1.2"}, arranged=AGAIN),
    Case(None, "gnutls", "gnutls", "tls12-resumed", stream=1, c={"version": "1.2", "resume": True}, arranged=AGAIN),
    Case(None, "mbedtls", "nginx", "tls12-resumed", stream=1, c={"connections": 2}, arranged=AGAIN),
    Case(None, "openssl", "nginx", "tls13-resumed-psk", stream=1, c=({"session_out": True}, {"session_in": True}), arranged=AGAIN),
    Case(None, "openssl", "openssl", "tls13-resumed-psk", stream=1, c=({"session_out": True}, {"session_in": True}), arranged=AGAIN),
    Case(None, "node", "haproxy", "tls13-resumed-psk", stream=1, c={"connections": 2}, arranged=AGAIN),
    Case(None, "go", "go", "tls13-resumed-psk", stream=1, c={"connections": 2}, arranged=AGAIN),
    Case(None, "gnutls", "nginx", "tls13-resumed-psk", stream=1, c={"version": "1.3", "resume": True}, arranged=AGAIN),
    Case(None, "java", "nginx", "tls13-resumed-psk", stream=1, c={"connections": 2}, arranged=AGAIN),
    Case(None, "wolfssl", "nginx", "tls13-resumed-psk", stream=1, c={"connections": 2}, arranged=AGAIN),
    Case(None, "openssl", "openssl", "tls12-ticket-rejected", stream=1, also=("ticket-rejected",),
         c=({"version": "1.2", "session_out": True}, {"version": "1.2", "session_in": True}), s={"version": "1.2", "argv": ["-naccept", "1"], "restart": True},
         arranged="The client comes back with a session ticket to a server that was started anew and has another ticket key.",
         notice="Notice a ticket in the ClientHello and a full handshake all the same: slower, not broken."),
    Case(None, "openssl", "openssl", "tls13-early-data-accepted", stream=1, c=(FIRST, EARLY), s=TAKES_EARLY,
         arranged="The second connection sends its first bytes as early data, and the server takes them.",
         facts={"early_data": True}, notice="Notice application data from the client before the ServerHello."),
    Case(None, "openssl", "nginx", "tls13-early-data-accepted", stream=1,
         c=({"session_out": True, "version": "1.3"}, {"session_in": True, "version": "1.3", "early": True}), s={"early_data": True},
         facts={"early_data": True}, arranged="The second connection sends its first bytes as early data, and the server takes them.",
         notice="Notice application data from the client before the ServerHello."),
    Case(None, "openssl", "openssl", "tls13-early-data-rejected", stream=2, also=("early-data-rejected",),
         c=(FIRST, EARLY, EARLY), s=TAKES_EARLY,
         arranged="The same early data with the same ticket is sent a second time, which the server's replay protection refuses.",
         notice="Notice early data that the server skips; the handshake completes all the same."),
]  # fmt: skip

# -- client certificates ----------------------------------------------------------------------------------------------------
MUTUAL: list[Case] = []
for client, server, versions in (
    ("openssl", "nginx", "12 13"), ("curl", "haproxy", "12 13"), ("go", "go", "12 13"), ("java", "nginx", "13"), ("java", "java", "12 13"),
    ("gnutls", "gnutls", "12 13"), ("nss", "openssl", "12 13"), ("node", "node", "12 13"), ("python", "python", "12 13"),
    ("mbedtls", "nginx", "12"), ("wolfssl", "wolfssl", "12 13"), ("openssl", "apache", "13"), ("openssl", "nss", "12 13"), ("rustls", "nginx", "13"),
    ("openssl", "stunnel", "13"),
):  # fmt: skip
    for digits in versions.split():
        capped = {"max": "1.2"} if digits == "12" else {}
        MUTUAL.append(Case(None, client, server, f"tls{digits}-mutual", c={"cert": "client"}, s={"client_ca": "root", **capped},
                           arranged="The server insists on a client certificate and the client has a good one."))  # fmt: skip
OPTIONAL = [
    Case(None, client, server, f"tls{v}-certificate-not-sent", s={"client_ca": "root", "verify": "request", **({"max": "1.2"} if v == "12" else {})},
         arranged="The server asks for a client certificate without insisting, and the client has none.",
         notice="Notice an empty Certificate from the client that is not an error here.")
    for client, server, v in (("curl", "nginx", "12"), ("curl", "nginx", "13"), ("go", "haproxy", "13"), ("gnutls", "nginx", "13"), ("boringssl", "nginx", "13"), ("java", "java", "13"), ("nss", "openssl", "13"))
]  # fmt: skip
LATER = [
    Case(None, "openssl", "apache", "tls13-post-handshake-auth", c={"cert": "client", "argv": ["-enable_pha"], "request": "GET /private/index.html HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n"},
         s={"client_ca": "root", "verify": "none", "lines": ["<Location /private>", "SSLVerifyClient require", "</Location>"]},
         arranged="The server asks for the client's certificate only when it sees the page that is wanted; the client allows that."),
    Case(None, "python", "python", "tls13-post-handshake-auth", c={"cert": "client", "pha": "1"}, s={"client_ca": "root", "verify": "post"},
         arranged="The server asks for the client's certificate after the first request; the client allows that."),
    Case(None, "openssl", "apache", "tls12-renegotiation-certificate", c={"version": "1.2", "cert": "client", "request": "GET /private/index.html HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n"},
         s={"client_ca": "root", "verify": "none", "lines": ["<Location /private>", "SSLVerifyClient require", "</Location>"]},
         arranged="The server renegotiates to ask for the client's certificate when it sees the page that is wanted."),
    Case(None, "openssl", "openssl", "tls12-renegotiation", c={"version": "1.2", "interactive": True, "request": "R\n\x00\x00\x00\x00\x00GET / HTTP/1.0\r\n\r\n", "linger": 2}, s={"version": "1.2", "argv": ["-client_renegotiation"]},
         arranged="The client renegotiates, and the server allows it.", notice="Notice a second handshake inside the first one's encryption."),
    Case(None, "openssl", "openssl", "tls13-key-update", c={"version": "1.3", "interactive": True, "request": "K\n\x00\x00\x00GET / HTTP/1.0\r\n\r\n", "linger": 2}, s={"version": "1.3"},
         arranged="The client changes its keys after the handshake and asks the server to do the same."),
]  # fmt: skip

# -- names ------------------------------------------------------------------------------------------------------------------
NAMES = [
    Case(None, "openssl", "openssl", "tls12-warning-unrecognized-name", c={"version": "1.2"}, s={"version": "1.2", "argv": ["-servername", "other.test", "-cert2", "CERT", "-key2", "KEY"]},
         also=("sni-unrecognized",), arranged="The server does not know the name, says so with a warning and goes on.",
         notice="Notice an alert unrecognized_name of level warning, after which the handshake completes."),
    Case(None, "openssl", "nginx", "tls13-no-server-name", c={"sni": ""}, arranged="The client sends no server name, and the server's one certificate will do."),
    Case(None, "curl", "nginx", "tls13-wildcard", c={"name": "www.server.test"}, arranged="The name is covered by a wildcard of the certificate."),
    Case(None, "openssl", "nginx", "tls13-ipv6", c={"address": "[2001:db8:2::20]"}, arranged="The connection runs over IPv6."),
    Case(None, "curl", "nginx", "tls13-http2", c={"argv": ["--http2"]}, s={"http2": True}, arranged="Client and server agree on HTTP/2."),
    Case(None, "gnutls", "openssl", "tls12-stapled", c={"version": "1.2"}, s={"staple": "good", "version": "1.2"}, arranged="The server staples a good OCSP answer."),
    Case(None, "openssl", "nginx", "tls13-stapled", c={"argv": ["-status"]}, s={"staple": "good"}, arranged="The server staples a good OCSP answer."),
    Case(None, "openssl", "nginx", "tls12-large-certificate", c={"version": "1.2"}, s={"cert": "large"}, arranged="The certificate has 250 names."),
    Case(None, "go", "haproxy", "tls13-large-certificate", s={"cert": "large"}, arranged="The certificate has 250 names."),
    Case(None, "openssl", "nginx", "tls12-chain-disorder", c={"version": "1.2"}, s={"cert": "disorder"}, also=("cert-chain-disorder",),
         arranged="The server sends its chain in the wrong order, with a root and a stranger in it.",
         notice="Notice that the client sorts it out: an untidiness, not a failure."),
    Case(None, "gnutls", "nginx", "tls13-chain-disorder", s={"cert": "disorder"}, also=("cert-chain-disorder",),
         arranged="The server sends its chain in the wrong order, with a root and a stranger in it.",
         notice="Notice that the client sorts it out: an untidiness, not a failure."),
    Case(None, "curl", "nginx", "tls13-inspected", c={"ca": "proxy"}, middle={"kind": "inspect", "cert": "intercepted"}, also=("tls-interception",),
         arranged="An inspecting box on the way ends TLS with a certificate of its own, whose root the client trusts.",
         notice="Notice the issuer, which is not the server's: the handshake works, and it is not with the server."),
    Case(None, "curl", "nginx", "tls12-inspected", c={"ca": "proxy", "max": "1.2"}, middle={"kind": "inspect", "cert": "intercepted"}, also=("tls-interception",),
         arranged="An inspecting box on the way ends TLS with a certificate of its own, whose root the client trusts.",
         notice="Notice the issuer, which is not the server's: the handshake works, and it is not with the server."),
]  # fmt: skip

# -- ways to close ----------------------------------------------------------------------------------------------------------
CLOSES: list[Case] = []
for how, arranged, also in (
    ("notify-rst", "resets the connection right after its close_notify", ()),
    ("rst", "resets the connection after the answer, without close_notify", ("unclean-close",)),
    ("fin", "closes the connection after the answer, without close_notify", ("unclean-close",)),
    ("idle-rst", "leaves the connection idle for three seconds and then resets it", ("unclean-close",)),
):
    for version in ("1.2", "1.3"):
        digits = version.replace(".", "")
        notice = "Notice that all this comes after application data in both directions: the handshake is fine."
        who: dict[str, Any] = {"arranged": f"The server {arranged}.", "notice": notice, "also": also}
        CLOSES.append(Case(None, "python", "python", f"tls{digits}-server-{how}", c={"version": version}, s={"close": how}, **who))
        who["arranged"] = f"The client {arranged}."
        if how != "idle-rst":
            CLOSES.append(Case(None, "python", "nginx", f"tls{digits}-client-{how}", c={"version": version, "close": how}, s={}, **who))
CLOSES += [
    Case(None, "python", "python", "tls12-much-data", c={"version": "1.2"}, s={"bytes": 40000}, arranged="The server sends 40 kB after the handshake."),
    Case(None, "python", "python", "tls13-idle-timeout-reset", c={"again": "4", "version": "1.3"}, s={"threads": "no", "close": "idle-rst"},
         also=("idle-timeout-reset",), arranged="The connection is idle for three seconds, the server forgets it, and the client speaks again after four.",
         notice="Notice that the reset answers, or forestalls, data sent into a connection that was idle: the handshake was fine."),
]  # fmt: skip

# -- dialogues that ask for TLS ------------------------------------------------------------------------------------------------
VIA = {"smtp": ("smtp-starttls", 25), "imap": ("imap-starttls", 143), "pop3": ("pop3-stls", 110), "ftp": ("ftp-auth-tls", 21),
       "xmpp": ("xmpp-starttls", 5222), "ldap": ("ldap-starttls", 389), "postgres": ("postgresql", 5432), "mysql": ("mysql", 3306)}  # fmt: skip
DIALOGUES: list[Case] = []
for client, kinds in (("openssl", "smtp imap pop3 ftp xmpp ldap postgres mysql"), ("gnutls", "smtp imap pop3 ftp ldap"), ("curl", "smtp imap pop3"), ("python", "smtp imap pop3 ftp")):
    for kind in kinds.split():
        via, port = VIA[kind]
        version = "1.2" if client in ("gnutls", "curl") else "1.3"
        c: dict[str, Any] = {"dialogue": kind, "request": "QUIT\r\n"}
        if client == "curl":
            c["argv"] = {"smtp": ["--mail-from", "a@b.test"], "imap": [], "pop3": []}[kind]
        DIALOGUES.append(Case(None, client, "python", f"{kind}-tls{version.replace('.', '')}", c=c, s={"dialogue": kind, "max": version}, port=port, via=via,
                              arranged=f"A dialogue in {kind} asks for TLS, and gets it.",
                              notice="Notice the plain dialogue before the ClientHello, which belongs to the handshake's story."))  # fmt: skip
DIALOGUES += [
    Case(None, "openssl", "python", "submission-tls13", c={"dialogue": "smtp", "request": "QUIT\r\n"}, s={"dialogue": "smtp"}, port=587, via="smtp-starttls",
         arranged="A dialogue in SMTP on the submission port asks for TLS, and gets it."),
    Case(None, "psql", "postgres", "tls13", s={}, port=5432, via="postgresql", arranged="PostgreSQL's client and server, with certificate verification."),
    Case(None, "psql", "postgres", "tls12", s={"max": "1.2"}, port=5432, via="postgresql", arranged="PostgreSQL's client and server, with TLS 1.2 at most."),
    Case(None, "psql", "postgres", "tls13-mutual", c={"cert": "client"}, s={"client_ca": "root"}, port=5432, via="postgresql",
         arranged="PostgreSQL's server insists on a client certificate, and the client has one."),
    Case(None, "python", "python", "rdp-tls12", c={"dialogue": "rdp"}, s={"dialogue": "rdp", "max": "1.2"}, port=3389, via="rdp",
         arranged="An RDP negotiation asks for TLS, and gets it."),
    Case(None, "python", "python", "tds-tls12", c={"dialogue": "tds"}, s={"dialogue": "tds", "max": "1.2"}, port=1433, via="tds", sure="tshark does not look for TLS inside TDS packets", facts={"selected_version": "TLS 1.2"},
         arranged="A TDS prelogin asks for encryption, and TLS runs inside TDS packets."),
]  # fmt: skip

# -- proxies on the way ----------------------------------------------------------------------------------------------------------
CONNECT = {"kind": "connect", "port": 3128, "explicit": True}
SOCKS = {"kind": "socks", "port": 1080, "explicit": True}
PROXIES = [
    Case(None, "curl", "nginx", "http-connect-tls13", c={"argv": ["-x", "http://192.0.2.1:3128"]}, middle=CONNECT, via="http-connect",
         arranged="The client reaches the server through an HTTP proxy with CONNECT."),
    Case(None, "openssl", "nginx", "http-connect-tls12", c={"version": "1.2", "argv": ["-proxy", "192.0.2.1:3128"], "connect_to": "198.51.100.20:443"}, middle=CONNECT, via="http-connect",
         arranged="The client reaches the server through an HTTP proxy with CONNECT."),
    Case(None, "curl", "nginx", "socks5-tls13", c={"argv": ["-x", "socks5h://192.0.2.1:1080"]}, middle=SOCKS, via="socks5",
         arranged="The client reaches the server through a SOCKS 5 proxy."),
    Case(None, "curl", "haproxy", "socks5-tls12", c={"max": "1.2", "argv": ["-x", "socks5h://192.0.2.1:1080"]}, middle=SOCKS, via="socks5",
         arranged="The client reaches the server through a SOCKS 5 proxy."),
    Case(None, "curl", "nginx", "socks4-tls13", c={"argv": ["-x", "socks4a://192.0.2.1:1080"]}, middle=SOCKS, via="socks4",
         arranged="The client reaches the server through a SOCKS 4a proxy."),
    Case(None, "curl", "nginx", "proxy-protocol-tls13", c={"argv": ["--haproxy-protocol"]}, s={"proxy_protocol": True}, via="proxy-protocol",
         arranged="The client sends a PROXY line first, which the server expects."),
    Case(None, "curl", "haproxy", "proxy-protocol-tls12", c={"max": "1.2", "argv": ["--haproxy-protocol"]}, s={"proxy_protocol": True}, via="proxy-protocol",
         arranged="The client sends a PROXY line first, which the server expects."),
]  # fmt: skip

# -- a bad road that is good enough ---------------------------------------------------------------------------------------------
ROAD = [
    Case(None, "openssl", "nginx", "tls12-loss", c={"version": "1.2"}, faults=({"do": "drop", "towards": "client", "flags": "DATA", "nth": [1, 4]},),
         arranged="The router loses two packets of the server.", notice="Notice retransmissions that only cost time."),
    Case(None, "curl", "nginx", "tls13-hello-lost-once", faults=({"do": "drop", "towards": "server", "flags": "DATA", "nth": 1},),
         arranged="The first copy of the ClientHello is lost.", notice="Notice a ClientHello sent twice: one message, not two."),
    Case(None, "openssl", "nginx", "tls12-reordered", c={"version": "1.2"}, faults=({"do": "delay", "seconds": 0.004, "towards": "client", "flags": "DATA", "nth": [1]},),
         arranged="The router lets a packet of the server's flight overtake the one before it.", notice="Notice segments out of order, put right by sequence numbers."),
    Case(None, "openssl", "nginx", "tls13-reordered", faults=({"do": "delay", "seconds": 0.004, "towards": "client", "flags": "DATA", "nth": [1]},),
         arranged="The router lets a packet of the server's flight overtake the one before it.", notice="Notice segments out of order, put right by sequence numbers."),
    Case(None, "openssl", "nginx", "tls12-duplicated", c={"version": "1.2"}, faults=({"do": "duplicate", "flags": "DATA"},),
         arranged="The router delivers every data packet twice.", notice="Notice that no message happened twice."),
    Case(None, "gnutls", "nginx", "tls13-slow", network={"delay": 0.15}, arranged="The round trip takes 300 ms."),
    Case(None, "curl", "nginx", "tls12-server-side", c={"max": "1.2"}, at="server", arranged="The recording is made at the server."),
    Case(None, "node24", "nginx", "tls13-two-segment-hello-reordered", faults=({"do": "delay", "seconds": 0.004, "towards": "server", "flags": "DATA", "nth": [1]},),
         arranged="The second half of a post-quantum ClientHello arrives before the first.", notice="Notice a ClientHello in two segments, out of order when recorded at the server.", at="server"),
    Case(None, "curl", "nginx", "tls13-small-window", network={"mtu_right": 1280}, arranged="The server's link carries 1280 octets at most, and it says so with its segment size.",
         notice="Notice a certificate in many small segments."),
    Case(None, "raw", "nginx", "tls12-hello-in-pieces", c={"script": [["split", 40], ["hello", {"versions": [], "suites": [0xC02F]}], ["split", 0], ["recv-all", 1], ["alert", 2, 90], ["fin"]]},
         outcome="unfinished", by="client", arranged="A client sends its ClientHello 40 octets at a time and leaves after the server's flight.", notice="Notice a ClientHello in many segments, and a warning of the client's own will.", sure="unfinished on purpose")
]  # fmt: skip

CASES = [
    *(pair(c, s, "1.3") for c, s in PAIRS_13), *(pair(c, s, "1.2") for c, s in PAIRS_12), *OLD, *SUITES, *HRR, *RESUMPTION, *MUTUAL,
    *OPTIONAL, *LATER, *NAMES, *CLOSES, *DIALOGUES, *PROXIES, *ROAD[:-1],
]  # fmt: skip
