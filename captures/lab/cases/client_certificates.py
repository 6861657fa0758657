"""Client certificates that servers refuse, server by server."""

from __future__ import annotations

from typing import Any

from ..case import Case

CASES: list[Case] = []
HIDDEN = "Notice that the client believes the handshake done when the refusal arrives, encrypted."
CLEAR = "Notice the server's alert right after the client's flight."


def row(cause: str, server: str, version: str, c: dict[str, Any], s: dict[str, Any], arranged: str, client: str = "openssl", variant: str = "", **more: Any) -> Case:
    capped = {"max": "1.2"} if version == "1.2" else {}
    tag = f"tls{version.replace('.', '')}" + (f"-{variant}" if variant else "")
    more.setdefault("by", "server")
    more.setdefault("notice", HIDDEN if version == "1.3" else CLEAR)
    return Case(cause, client, server, tag, c={**c, **(capped if client not in ("boringssl", "rustls") else {})}, s={"client_ca": "root", **capped, **s}, arranged=arranged, **more)


BOTH = ("openssl", "haproxy", "apache", "stunnel", "go", "java", "node", "python")
for version in ("1.2", "1.3"):
    for server in (*BOTH, "gnutls", "nss", "wolfssl") + (("mbedtls",) if version == "1.2" else ()):
        CASES.append(row("client-cert-missing", server, version, {}, {}, "The server insists on a client certificate, and the client has none."))
    CASES.append(row("mtls-app-layer-rejection", "postgres", version, {}, {}, "The server insists on a client certificate after the TLS handshake, and the client has none.", client="psql", port=5432, via="postgresql",
                     sure="the handshake completes; the refusal is PostgreSQL's", alert=None, notice="Notice that TLS completes: the refusal is an error message inside."))  # fmt: skip
    for server in (*BOTH, "nss", "wolfssl") + (("mbedtls",) if version == "1.2" else ()):
        CASES.append(row("client-cert-unknown-ca", server, version, {"cert": "client-unknown-ca"}, {}, "The client's certificate comes from a CA the server does not trust."))
        CASES.append(row("client-cert-expired", server, version, {"cert": "client-expired"}, {}, "The client's certificate expired a month ago."))
    for server in ("openssl", "haproxy", "apache", "go", "python", "stunnel", "node"):
        CASES.append(row("client-cert-bad-purpose", server, version, {"cert": "client-bad-eku"}, {}, "The client's certificate is for TLS servers only."))
    for server, crl in (("openssl", "issuing"), ("haproxy", "all"), ("apache", "all"), ("python", "issuing")):
        CASES.append(row("client-cert-revoked", server, version, {"cert": "client-revoked"}, {"crl": crl}, "The client's certificate is revoked, and the server holds the list that says so."))
    for client in ("gnutls", "curl", "go", "java", "node", "nss", "python", "boringssl", "rustls", "wolfssl") + (("mbedtls",) if version == "1.2" else ()):
        CASES.append(row("client-cert-missing", "haproxy" if client in ("gnutls", "curl", "java") else "openssl", version, {}, {}, "The server insists on a client certificate, and the client has none.", client=client, variant="client"))
    for client in ("gnutls", "curl", "python", "node"):
        CASES.append(row("client-cert-unknown-ca", "haproxy" if client == "node" else "openssl", version, {"cert": "client-unknown-ca"}, {}, "The client's certificate comes from a CA the server does not trust.", client=client, variant="client"))
    CASES.append(row("client-cert-unknown-ca", "openssl", version, {"cert": "client-self-signed"}, {}, "The client's certificate is signed by itself.", variant="self-signed"))
    # nginx lets the handshake complete and refuses in HTTP
    for cert, arranged in (("", "The server insists on a client certificate in HTTP, and the client has none."), ("client-unknown-ca", "The client's certificate comes from a CA the server does not trust, which it says in HTTP."),
                           ("client-expired", "The client's certificate expired a month ago, which the server says in HTTP.")):  # fmt: skip
        for client in ("openssl", "curl") if not cert else ("openssl",):
            CASES.append(row("mtls-app-layer-rejection", "nginx", version, {"cert": cert} if cert else {}, {}, arranged, client=client, variant=cert.removeprefix("client-") or "none",
                             sure="the handshake completes; the refusal is HTTP's", alert=None, facts={"client_certificate_requested": True},
                             notice="Notice that TLS completes: the answer is a short HTTP 400, which the key log shows.", without_keys="nothing" if version == "1.3" and cert else None))  # fmt: skip

# The client has a certificate, and keeps it because the server's list does not name its issuer.
CASES += [
    row("client-cert-not-in-ca-list", server, version, {"cert": "client"}, {"client_ca": "other"}, "The client has a certificate, but not from a CA the server's request names, and so it sends none.", client="java",
        notice="Notice the list of names in the CertificateRequest and the empty Certificate.", without_keys="client-cert-missing", notes="That the client has a certificate is nowhere on the wire: an observer sees a missing one, and a list.")
    for server, version in (("openssl", "1.2"), ("openssl", "1.3"), ("haproxy", "1.2"), ("haproxy", "1.3"))
]  # fmt: skip
CASES += [
    row("client-cert-not-in-ca-list", "openssl", version, {"cert": "client"}, {"client_ca": "other"}, "The client has a certificate, but not from a CA the server's request names, and so it sends none.", client="go",
        notice="Notice the list of names in the CertificateRequest and the empty Certificate.", without_keys="client-cert-missing", notes="That the client has a certificate is nowhere on the wire: an observer sees a missing one, and a list.")
    for version in ("1.2", "1.3")
]  # fmt: skip

# The client signs with another key.
CASES += [
    row("client-cert-key-mismatch", server, version, {"cert": "client", "key": "client-unknown-ca", "min": version}, {}, "The client signs with a key that is not that of its certificate.", client="tlslite",
        notice="Notice that the certificate is in order and the signature is not.")
    for server in ("openssl", "haproxy", "go") for version in ("1.2",)
]  # fmt: skip

# After the handshake.
LATER = {"client_ca": "root", "verify": "none", "lines": ["<Location /private>", "SSLVerifyClient require", "</Location>"]}
GET = "GET /private/index.html HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n"
CASES += [
    Case("post-handshake-auth-unsupported", client, "apache", "tls13", c=c, s=LATER, by="server", outcome="failed",
         arranged="The server wants the client's certificate when it sees the page that is wanted; the client did not say it could give one after the handshake.",
         notice="Notice a completed handshake whose ClientHello lacks post_handshake_auth, and a short refusal in HTTP.", alert=None, sure="the refusal is HTTP's",
         without_keys="nothing")
    for client, c in (("openssl", {"cert": "client", "request": GET}), ("python", {"cert": "client", "request": GET}))
]  # fmt: skip
