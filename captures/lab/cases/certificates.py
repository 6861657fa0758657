"""Certificates that clients refuse: each fault, client by client, in TLS 1.2 and 1.3."""

from __future__ import annotations

from typing import Any

from ..case import Case

# cause -> (leaf of the server, what is arranged).  The leaves are in pki.LEAVES.
FAULTS: dict[str, tuple[str, str]] = {
    "cert-expired": ("expired", "expired a month ago"),
    "cert-not-yet-valid": ("not-yet", "is valid only from next month on"),
    "cert-self-signed": ("self-signed", "is signed by itself"),
    "cert-unknown-ca": ("unknown-ca", "comes from a CA the client does not trust"),
    "cert-missing-intermediate": ("no-intermediate", "is sent without the intermediate CA's certificate"),
    "cert-name-mismatch": ("wrong-name", "is for wrong.test, not server.test"),
    "cert-no-san": ("no-san", "has the name in its subject only and no subjectAltName"),
    "cert-bad-purpose": ("bad-eku", "is for TLS clients only"),
    "cert-weak-signature": ("sha1", "is signed with SHA-1"),
    "cert-weak-key": ("rsa1024", "has an RSA key of 1024 bits"),
    "cert-critical-extension": ("critical", "has a critical extension nobody knows"),
    "cert-chain-constraint": ("path-length", "hangs below a CA that may not issue CA certificates"),
    "cert-malformed": ("malformed", "has an end of validity that is no time"),
    "ocsp-must-staple-missing": ("must-staple", "demands a stapled OCSP answer, and the server staples none"),
}

# Clients that report their refusal only by closing: no alert is to be expected.
SILENT = {"node", "node24", "boringssl"}
ALL = "openssl curl gnutls nss go java node python mbedtls wolfssl boringssl rustls chromium"
# Who refuses what (the others accept); mbedTLS 2.28 has no TLS 1.3.
REFUSED_BY: dict[str, str] = {
    "cert-expired": ALL, "cert-not-yet-valid": ALL, "cert-self-signed": ALL, "cert-unknown-ca": ALL, "cert-missing-intermediate": ALL,
    "cert-name-mismatch": ALL,
    "cert-no-san": "go rustls chromium",
    "cert-bad-purpose": "openssl gnutls nss go java node python mbedtls wolfssl rustls chromium",
    "cert-weak-signature": "openssl curl gnutls go python mbedtls rustls",
    "cert-weak-key": "openssl curl python mbedtls rustls",
    "cert-critical-extension": "openssl gnutls nss go java mbedtls wolfssl rustls python",
    "cert-chain-constraint": "openssl gnutls go java nss mbedtls rustls",
    "cert-malformed": "openssl gnutls go java nss mbedtls",
    "ocsp-must-staple-missing": "gnutls",
}  # fmt: skip
# Servers that agree to serve such a certificate, and give a key log.
SERVERS = {"cert-weak-signature": "go", "cert-weak-key": "go", "cert-malformed": "raw"}


def row(cause: str, client: str, version: str, server: str = "", leaf: str = "", variant: str = "", how: str = "", **more: Any) -> Case:
    usual, told = FAULTS.get(cause, ("", ""))
    server = server or SERVERS.get(cause) or ("openssl" if client in ("nss", "chromium", "wolfssl") else "nginx")
    s: dict[str, Any] = {"cert": leaf or usual, **more.pop("s", {})}
    c: dict[str, Any] = {**more.pop("c", {})}
    if version == "1.2":
        s["max"] = "1.2"
        if client not in ("chromium", "boringssl", "rustls"):
            c["max"] = "1.2"
    tag = f"tls{version.replace('.', '')}" + (f"-{variant}" if variant else "")
    arranged = f"The server's certificate {how or told}; the client verifies it."
    notice = {
        "1.2": "Notice that the certificate is readable, so that the reason can be seen whatever the alert says.",
        "1.3": "Notice that the certificate is encrypted: without the key log only the alert, or the close, remains.",
    }[version]
    if client == "chromium":
        more["stream"] = -1
    if more.pop("two_names", False):
        return Case(cause, client, server, tag, c=({**c, "name": "other.test"}, c), s=s, by="client", stream=1, also=("cert-name-mismatch",), arranged=arranged, **{"notice": notice, **more})
    return Case(cause, client, server, tag, c=c, s=s, by="client", arranged=arranged, **{"notice": notice, **more})


CASES: list[Case] = []
for cause, clients in REFUSED_BY.items():
    if cause == "cert-malformed":
        continue  # no server reads such a certificate: see below
    for client in clients.split():
        for version in ("1.2", "1.3"):
            if client == "mbedtls" and version == "1.3":
                continue
            CASES.append(row(cause, client, version))

# The same again at another server, recorded there, or otherwise.
CASES += [
    row("cert-expired", "openssl", "1.2", "haproxy"),
    row("cert-expired", "go", "1.3", "java"),
    row("cert-expired", "curl", "1.2", "apache", at="server", variant="server-side"),
    row("cert-expired", "psql", "1.3", "postgres", port=5432, via="postgresql"),
    row("cert-expired", "openssl", "1.2", "python", variant="smtp", port=25, via="smtp-starttls", c={"dialogue": "smtp"}, s={"dialogue": "smtp"}),
    row("cert-unknown-ca", "psql", "1.2", "postgres", port=5432, via="postgresql"),
    row("cert-unknown-ca", "gnutls", "1.3", "gnutls"),
    row("cert-unknown-ca", "curl", "1.3", "haproxy"),
    row("cert-unknown-ca", "java", "1.2", "java"),
    row("cert-self-signed", "go", "1.3", "go"),
    row("cert-self-signed", "openssl", "1.2", "gnutls"),
    row("cert-name-mismatch", "go", "1.2", "haproxy"),
    row("cert-name-mismatch", "python", "1.3", "python"),
    row("cert-missing-intermediate", "java", "1.2", "haproxy"),
    row("cert-missing-intermediate", "curl", "1.2", "apache"),
    row("cert-expired", "openssl", "1.2", "openssl", "expired-intermediate", "intermediate", "is good, but its issuing CA expired ten days ago"),
    row("cert-expired", "gnutls", "1.3", "nginx", "expired-intermediate", "intermediate", "is good, but its issuing CA expired ten days ago"),
    row("cert-expired", "go", "1.2", "nginx", "expired-intermediate", "intermediate", "is good, but its issuing CA expired ten days ago"),
    row("cert-chain-constraint", "openssl", "1.2", "nginx", "not-a-ca", "not-a-ca", "is issued by a certificate that is no CA"),
    row("cert-chain-constraint", "go", "1.2", "nginx", "not-a-ca", "not-a-ca", "is issued by a certificate that is no CA"),
    row("cert-chain-constraint", "openssl", "1.2", "nginx", "name-constraint", "names", "has a name its CA may not issue"),
    row("cert-chain-constraint", "go", "1.3", "nginx", "name-constraint", "names", "has a name its CA may not issue"),
    row("cert-chain-constraint", "rustls", "1.2", "nginx", "ca-leaf", "ca-as-leaf", "is marked as a CA's"),
    row("cert-bad-purpose", "curl", "1.2", "nginx", "code-signing", "code-signing", "is for signing code only"),
    row("sni-default-cert", "openssl", "1.2", "nginx", "other-host", "", "is the default one, of another host that the client reached just before, since the server has none for this name", two_names=True),
    row("sni-default-cert", "go", "1.2", "apache", "other-host", "", "is the default one, of another host that the client reached just before, since the server has none for this name", two_names=True),
    row("sni-default-cert", "python", "1.3", "haproxy", "other-host", "", "is the default one, of another host that the client reached just before, since the server has none for this name", two_names=True),
]  # fmt: skip

# Revocation: the client has a list, or gets a stapled answer.
CASES += [
    row("cert-revoked", client, version, leaf="revoked", how="is revoked, and the client holds the list that says so", c={"crl": "issuing"} if client != "curl" else {"crl": "all"})
    for client in ("openssl", "curl", "python") for version in ("1.2", "1.3")
]  # fmt: skip
CASES += [
    row("cert-revoked", "gnutls", "1.2", "openssl", "server", "stapled", "comes with a stapled answer that says it is revoked", s={"staple": "revoked"}),
    row("cert-revoked", "gnutls", "1.3", "openssl", "server", "stapled", "comes with a stapled answer that says it is revoked", s={"staple": "revoked"}),
    row("ocsp-staple-bad", "gnutls", "1.2", "openssl", "server", "stale", "comes with a stapled answer that is weeks out of date", s={"staple": "stale"}),
    row("ocsp-staple-bad", "curl", "1.2", "openssl", "server", "stale", "comes with a stapled answer that is weeks out of date", s={"staple": "stale"}, c={"argv": ["--cert-status"]}),
    row("ocsp-staple-bad", "curl", "1.3", "nginx", "server", "stale", "comes with a stapled answer that is weeks out of date", s={"staple": "stale"}, c={"argv": ["--cert-status"]}),
    row("ocsp-must-staple-missing", "curl", "1.2", "nginx", "must-staple", "cert-status", "is sent without the stapled answer the client insists on", c={"argv": ["--cert-status"]}),
]  # fmt: skip

CASES += [
    row("cert-malformed", client, version, "openssl")
    for client in ("openssl", "gnutls", "go", "java", "nss", "curl", "rustls", "mbedtls") for version in ("1.2", "1.3") if (client, version) != ("mbedtls", "1.3")
]  # fmt: skip

# The client's clock.
CASES += [
    row("clock-skew", client, version, leaf="fresh", variant="behind", how="is valid since yesterday, and the client's clock is a year behind", clock="-365d")
    for client, version in (("openssl", "1.2"), ("openssl", "1.3"), ("curl", "1.2"), ("gnutls", "1.2"))
]  # fmt: skip
CASES += [
    row("clock-skew", client, version, leaf="fresh", variant="ahead", how="is valid for three months, and the client's clock is a year ahead", clock="+365d")
    for client, version in (("openssl", "1.2"), ("python", "1.3"), ("gnutls", "1.2"))
]  # fmt: skip

# A box on the way that ends TLS itself.
for client, version in (("curl", "1.2"), ("curl", "1.3"), ("go", "1.2"), ("go", "1.3"), ("java", "1.3"), ("openssl", "1.2"), ("node", "1.2"), ("python", "1.3"), ("gnutls", "1.2")):
    capped = {"max": "1.2"} if version == "1.2" else {}
    CASES.append(Case("tls-interception", client, "nginx", f"tls{version.replace('.', '')}", c=capped, by="client", middle={"kind": "inspect", "cert": "intercepted"},
                      arranged="An inspecting box on the way ends TLS with a certificate of its own, whose root the client does not have.",
                      notice="Notice the issuer, a maker of such boxes: the server has nothing to do with this certificate."))  # fmt: skip

# Too much certificate.
CASES += [
    Case("large-cert-flight-rejected", client, server, f"tls{v.replace('.', '')}", c={"max": v}, s={"cert": "huge", "max": v}, by="client",
         arranged="The server's certificate has 2400 names and is over 100 kB long.", notice="Notice that the client ends it before the certificate is through, for its length alone.")
    for client, server, v in (("openssl", "nginx", "1.2"), ("openssl", "nginx", "1.3"), ("go", "openssl", "1.2"), ("java", "openssl", "1.2"), ("gnutls", "openssl", "1.2"), ("mbedtls", "openssl", "1.2"))
]  # fmt: skip

CASES.append(Case("large-cert-flight-rejected", "openssl", "openssl", "client-certificate-tls12", c={"version": "1.2", "cert": "client-huge"}, s={"client_ca": "root", "version": "1.2"}, by="server",
                  arranged="The client's certificate has 2400 names and is over 100 kB long.", notice="Notice that the server ends it before the certificate is through, for its length alone."))

# A key that does not fit the certificate, and pins that do not.
CASES += [
    Case("cert-private-key-mismatch", client, "tlslite", f"tls{v.replace('.', '')}", c={"max": v}, s={"key": "client", "max": v, "min": v}, by="client",
         arranged="The server signs with a key that is not that of its certificate.", notice="Notice that the certificate itself is in order; the signature is not.")
    for client, v in (("openssl", "1.2"), ("openssl", "1.3"), ("go", "1.2"), ("gnutls", "1.2"), ("java", "1.2"), ("nss", "1.2"), ("mbedtls", "1.2"), ("curl", "1.2"))
]  # fmt: skip
PIN = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
CASES += [
    Case("cert-pinning", "curl", server, f"tls{v.replace('.', '')}", c={"max": v, "argv": ["--pinnedpubkey", PIN]}, by="client",
         arranged="The certificate is good, and the client has been told to accept only another key.",
         notice="Notice that the handshake completes and the client leaves without a request: nothing on the wire names the reason.",
         without_keys="client-silent-reject", notes="An observer sees a good certificate and a silent client; only the client knows of its pin.")
    for server, v in (("nginx", "1.2"), ("nginx", "1.3"), ("haproxy", "1.3"))
]  # fmt: skip
CASES += [
    Case("client-silent-reject", client, server, f"tls{v.replace('.', '')}", c={"max": v, "request": "", "linger": 0.1}, by="client",
         arranged="The client completes the handshake, dislikes something it does not name, and closes without a request.",
         notice="Notice no application data from the client and a close right after the handshake.", sure="the client has nothing to report")
    for client, server, v in (("node", "nginx", "1.2"), ("node", "nginx", "1.3"))
]  # fmt: skip
