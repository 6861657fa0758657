"""More stacks: newer, older and rarer ones, and programs that close in ways of their own.

What is told apart here is what stacks do differently: servers that pack TLS 1.3's flight into one record (rustls, BoringSSL,
Granian, Deno, Bun, gRPC), clients that verify when the handshake is done (wget, Deno, Ruby, w3m, Ncat) or leave without their
alert (Bun, gRPC, Mono), s2n's long wait before it closes, Erlang's and lighttpd's choice of alerts, servers that say nothing.
"""

from __future__ import annotations

from typing import Any

from ..case import Case

CASES: list[Case] = []
HTTP = "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"
GONE = "Notice that TLS is complete: the client closes without a request, as a probe would."


def capped(options: dict[str, Any], version: str) -> dict[str, Any]:
    return {**options, "max": version, "min": version}


def fine(client: str, server: str, version: str, variant: str = "", c: dict[str, Any] | None = None, s: dict[str, Any] | None = None, **more: Any) -> None:
    tag = f"tls{version.replace('.', '')}" + (f"-{variant}" if variant else "")
    CASES.append(Case(None, client, server, tag, c=capped(c or {}, version), s={"max": version, **(s or {})}, **more))


# -- completed -----------------------------------------------------------------------------------------------------------------
for client, server, version in (
    ("deno", "granian", "1.3"), ("curl", "granian", "1.2"), ("go127", "bun", "1.3"), ("java25", "deno", "1.3"),
    ("bouncycastle", "java25", "1.3"), ("curl", "bouncycastle", "1.3"), ("erlang", "haskell", "1.3"), ("haskell", "erlang", "1.3"),
    ("curl", "erlang", "1.2"), ("wget", "lighttpd-gnutls", "1.3"), ("botan", "nginx", "1.2"),
    ("s2n", "granian", "1.3"), ("bun", "nginx", "1.2"), ("curl", "lighttpd-wolfssl", "1.3"), ("curl", "lighttpd-mbedtls", "1.2"),
    ("php", "nginx", "1.2"), ("w3m", "nginx", "1.3"), ("ncat", "ncat", "1.3"),
):  # fmt: skip
    fine(client, server, version)
CASES += [
    Case(None, "grpc", "grpc", "tls13", arranged="A gRPC client asks a gRPC server.", notice="Notice HTTP/2 without a close in good order at the end."),
    Case(None, "firefox", "granian", "tls13", stream=-1, arranged="Firefox opens a page of a server that packs its flight into one record."),
    Case(None, "mosquitto_pub", "mosquitto", "tls13", port=8883, arranged="An MQTT client publishes one message."),
    Case(None, "ldapsearch", "slapd", "ldaps-tls13", port=636, arranged="An LDAP client asks with TLS from the start."),
    Case(None, "ldapsearch", "slapd", "starttls-tls13", c={"dialogue": "ldap"}, s={"dialogue": "ldap"}, port=389, via="ldap-starttls", arranged="An LDAP client asks for TLS by an extended operation."),
    Case(None, "go127", "go127", "tls13-twice", c={"connections": 2}, stream=1, arranged="The client comes back with a ticket."),
    Case(None, "node26", "node26", "tls12-twice", c=capped({"connections": 2}, "1.2"), stream=1, arranged="The client comes back with a ticket."),
    Case(None, "deno", "go127", "tls12-leaves", c=capped({"request": ""}, "1.2"), also=("unclean-close",), arranged="The client closes when the handshake is done, and says nothing.", notice=GONE),
    Case(None, "go127", "erlang", "tls13-leaves", c={"request": ""}, arranged="The client says goodbye when the handshake is done.", notice=GONE),
    Case(None, "curl", "bun", "tls13-no-goodbye", s={"close": "destroy"}, also=("unclean-close",), arranged="The server answers and closes without close_notify.", notice="Notice data in both directions: the handshake is fine."),
    Case(None, "openssl", "node26", "tls13-at-once", c={"request": "", "linger": 0.2}, s={"close": "at-once"}, arranged="The server says goodbye as soon as the handshake is done.", notice="Notice a close by the server before anybody asked for anything."),
    Case(None, "openssl", "deno", "tls12-at-once", c=capped({"request": "", "linger": 0.2}, "1.2"), s={"close": "at-once"}, arranged="The server says goodbye as soon as the handshake is done.", notice="Notice a close by the server before anybody asked for anything."),
    Case(None, "openssl", "grpc", "tls13-no-alpn", also=("unclean-close",), arranged="The client does not offer HTTP/2, without which a gRPC server closes when TLS is done.",
         notice="Notice that the server has the client's Finished and closes without a word: TLS is complete, and the complaint of the client is about the close.", sure="the server closes after a whole handshake"),
    Case(None, "openssl", "grpc", "tls12-no-alpn", c={"version": "1.2"}, also=("unclean-close",), arranged="The client does not offer HTTP/2, without which a gRPC server closes when TLS is done.",
         notice="Notice a close right after a whole handshake.", sure="the server closes after a whole handshake"),
]  # fmt: skip
for client, server, version in (("openssl", "granian", "1.3"), ("go127", "haskell", "1.3"), ("java25", "erlang", "1.2"), ("bouncycastle", "bun", "1.3"), ("pyopenssl", "bouncycastle", "1.2"),
                                ("s2n", "erlang", "1.3"), ("wget", "lighttpd-mbedtls", "1.2"), ("erlang", "granian", "1.3")):  # fmt: skip
    fine(client, server, version, "mutual", c={"cert": "client"}, s={"client_ca": "root"}, arranged="The server insists on a client certificate, and the client has one.")
CASES += [
    Case(None, "grpc", "grpc", "tls13-mutual", c={"cert": "client"}, s={"client_ca": "root"}, arranged="The server insists on a client certificate, and the client has one."),
    Case(None, "mosquitto_pub", "mosquitto", "tls13-mutual", c={"cert": "client"}, s={"client_ca": "root"}, port=8883, arranged="The broker insists on a client certificate, and the client has one."),
    Case(None, "ldapsearch", "slapd", "ldaps-tls13-mutual", c={"cert": "client"}, s={"client_ca": "root"}, port=636, arranged="The directory insists on a client certificate, and the client has one."),
]  # fmt: skip

# -- clients that refuse the server's certificate ----------------------------------------------------------------------------------
HOW = {
    "expired": ("cert-expired", "expired a month ago"), "not-yet": ("cert-not-yet-valid", "is valid only from next month on"), "self-signed": ("cert-self-signed", "is signed by itself"),
    "unknown-ca": ("cert-unknown-ca", "comes from a CA the client does not trust"), "no-intermediate": ("cert-missing-intermediate", "is sent without the intermediate CA's certificate"),
    "wrong-name": ("cert-name-mismatch", "is for wrong.test, not server.test"), "bad-eku": ("cert-bad-purpose", "is for TLS clients only"), "sha1": ("cert-weak-signature", "is signed with SHA-1"),
    "critical": ("cert-critical-extension", "has a critical extension nobody knows"),
}  # fmt: skip
SHOWN = "Notice that the certificate is readable, so that the reason can be seen whatever the client does or does not say."
HIDDEN = "Notice that the certificate is encrypted: without the key log only the alert, or the close, remains."


def refuse(client: str, leaf: str, version: str, server: str = "nginx", s: dict[str, Any] | None = None, **more: Any) -> None:
    cause, how = HOW[leaf]
    more.setdefault("arranged", f"The server's certificate {how}; the client verifies it.")
    more.setdefault("notice", SHOWN if version == "1.2" else HIDDEN)
    c = {} if client in ("firefox", "mono") else {"min": version} if client == "s2n" else capped({}, version)
    CASES.append(Case(cause, client, server, f"tls{version.replace('.', '')}", c=c, s={"cert": leaf, "max": version, **(s or {})}, by="client", **more))


for client, leaf, version in (
    ("erlang", "expired", "1.2"), ("erlang", "wrong-name", "1.2"), ("erlang", "bad-eku", "1.3"), ("erlang", "unknown-ca", "1.3"),
    ("haskell", "expired", "1.3"), ("haskell", "wrong-name", "1.2"), ("bouncycastle", "expired", "1.2"), ("bouncycastle", "wrong-name", "1.3"),
    ("deno", "unknown-ca", "1.3"), ("deno", "expired", "1.2"), ("go127", "expired", "1.3"),
    ("java25", "expired", "1.2"), ("java25", "no-intermediate", "1.3"), ("pyopenssl", "expired", "1.3"),
    ("node8", "self-signed", "1.2"), ("bun", "expired", "1.2"), ("bun", "unknown-ca", "1.2"), ("bun", "wrong-name", "1.3"),
    ("perl", "wrong-name", "1.2"), ("ldapsearch", "expired", "1.3"),
):  # fmt: skip
    if client == "ldapsearch":
        refuse(client, leaf, version, "slapd", port=636)
    else:
        refuse(client, leaf, version)
for leaf, version in (("expired", "1.2"), ("unknown-ca", "1.2"), ("self-signed", "1.3"), ("wrong-name", "1.3")):
    refuse("s2n", leaf, version, notice="Notice the long silence: s2n waits for 10 to 30 seconds before it closes.")
for leaf, version in (("expired", "1.2"), ("unknown-ca", "1.2"), ("wrong-name", "1.3")):
    refuse("grpc", leaf, version, s={"http2": True}, notice="Notice that no alert is sent: gRPC does not send what BoringSSL made.")
refuse("mono", "expired", "1.2", notice="Notice a close without an alert right after the server's flight.", sure="Mono trusts no root here: it would have refused the issuer too")
for leaf, version in (("expired", "1.2"), ("wrong-name", "1.3"), ("unknown-ca", "1.2"), ("self-signed", "1.3")):
    refuse("wget", leaf, version, sure="the handshake completes; the refusal is the program's", notice="Notice that TLS is complete, and that the client breaks off without close_notify and without a request.")
for leaf, version in (("unknown-ca", "1.2"), ("expired", "1.3"), ("no-intermediate", "1.2"), ("wrong-name", "1.3")):
    refuse("firefox", leaf, version, stream=-1, sure="an alert after both Finished", notice="Notice that the client goes on while it verifies.")
# who is content inside the handshake and looks at the name, or at everything, when it is done
for client, leaf, version in (("deno", "wrong-name", "1.3"), ("ruby", "wrong-name", "1.2"), ("php", "wrong-name", "1.3"), ("w3m", "expired", "1.2")):
    refuse(client, leaf, version, sure="the handshake completes; the refusal is the program's", without_keys="nothing" if version == "1.3" else None, notice=GONE, alert=None)
# and against servers whose flight is one record
for client, leaf, server in (("java", "expired", "granian"), ("gnutls", "unknown-ca", "bun"), ("nss", "wrong-name", "deno"), ("go", "self-signed", "granian"),
                             ("node", "unknown-ca", "erlang"), ("openssl", "expired", "haskell"), ("curl", "unknown-ca", "bouncycastle")):  # fmt: skip
    refuse(client, leaf, "1.3", server, **({"without_keys": "cert-rejected", "sure": "read without keys"} if client in ("java", "nss", "java25") and server in ("granian", "deno") else {}))

# -- servers that refuse ---------------------------------------------------------------------------------------------------------


def server_refuses(cause: str, server: str, variant: str, c: dict[str, Any], s: dict[str, Any], arranged: str, client: str = "openssl", **more: Any) -> None:
    more.setdefault("by", "server")
    more.setdefault("notice", "Notice what this server says, and when; others do otherwise.")
    CASES.append(Case(cause, client, server, variant, c=c, s=s, arranged=arranged, **more))


OLD = {"version": "1.1", "ciphers": "ALL:@SECLEVEL=0"}
for server in ("granian", "erlang", "haskell", "grpc", "lighttpd-gnutls"):
    server_refuses("client-version-too-old", server, "tls11", OLD, {"min": "1.2"}, "The client speaks TLS 1.1 at most, the server TLS 1.2 at least.")
for server in ("erlang", "haskell", "bouncycastle"):
    server_refuses("client-version-too-new", server, "tls13-only", {"version": "1.3"}, {"max": "1.2"}, "The client speaks TLS 1.3 only, the server TLS 1.2 at most.",
                   **({"alert": {"description": "protocol_version", "from": "server", "encrypted": False}, "sure": "tshark does not read this alert"} if server == "bouncycastle" else {}))  # fmt: skip
for server in ("granian", "erlang", "haskell", "grpc"):
    server_refuses("no-common-cipher", server, "tls12-dhe-ccm", {"version": "1.2", "ciphers": "DHE-RSA-CAMELLIA128-SHA"}, {}, "The client offers Camellia only, which the server does not have.")
for server in ("granian", "erlang", "haskell"):
    server_refuses("no-common-group", server, "tls13", {"version": "1.3", "groups": "X448"}, {"groups": {"erlang": "secp256r1", "haskell": "P256", "bouncycastle": "secp256r1"}.get(server, "P-256")},
                   "The client offers X448 only, which the server does not have.")  # fmt: skip
for server in ("granian", "bun", "erlang", "haskell", "bouncycastle", "grpc"):
    server_refuses("no-common-sigalg", server, "tls13", {"version": "1.3", "sigalgs": "RSA+SHA256"}, {}, "The client takes RSA PKCS#1 signatures only, which TLS 1.3 does not allow in a handshake.")
for server in ("granian", "erlang", "java25"):
    server_refuses("cert-key-type-mismatch", server, "tls13-sigalgs", {"version": "1.3", "sigalgs": "ECDSA+SHA256"}, {}, "The client takes ECDSA signatures only, and the server's certificate is RSA.",
                   **({"without_keys": "refused-encrypted"} if server != "erlang" else {}))  # fmt: skip
for server, version in (("erlang", "1.2"), ("erlang", "1.3"), ("deno", "1.3"), ("bouncycastle", "1.3"), ("go127", "1.3")):
    server_refuses("alpn-mismatch", server, f"tls{version.replace('.', '')}", {"version": version, "alpn": "acme-tls/1"}, {"alpn": "h2"}, "The client offers a protocol the server does not speak.")
server_refuses("server-params-illegal", "botan", "tls12-empty-alpn", {"max": "1.2"}, {}, "The server answers the client's list of protocols with an empty name.", "curl", by="client",
               notice="Notice ALPN in the ServerHello with a protocol of no length at all, to which the client objects.")  # fmt: skip
for server, client, version, port in (("granian", "curl", "1.3", 443), ("bun", "openssl", "1.3", 443), ("erlang", "openssl", "1.2", 443), ("erlang", "go127", "1.3", 443),
                                      ("haskell", "openssl", "1.3", 443), ("bouncycastle", "openssl", "1.3", 443), ("go127", "openssl", "1.3", 443),
                                      ("lighttpd-wolfssl", "openssl", "1.3", 443), ("lighttpd-mbedtls", "openssl", "1.2", 443),
                                      ("lighttpd-gnutls", "openssl", "1.3", 443)):  # fmt: skip
    server_refuses("client-cert-missing", server, f"tls{version.replace('.', '')}" + ("" if client == "openssl" else "-client"), {"max": version}, {"client_ca": "root", "max": version},
                   "The server insists on a client certificate, and the client has none.", client, port=port)  # fmt: skip
CASES += [
    Case("client-cert-missing", "grpc", "grpc", "tls13", s={"client_ca": "root"}, by="server", arranged="The server insists on a client certificate, and the client has none."),
    Case("client-cert-missing", "mosquitto_pub", "mosquitto", "tls13", s={"client_ca": "root"}, by="server", port=8883, arranged="The broker insists on a client certificate, and the client has none."),
    Case("client-cert-missing", "redis", "redis", "tls13", c={"tls": True}, s={"tls": True, "verify": "yes"}, by="server", port=6379, arranged="The server insists on a client certificate, and the client has none."),
    Case("client-cert-missing", "ldapsearch", "slapd", "tls13", s={"client_ca": "root"}, by="server", port=636, arranged="The directory insists on a client certificate, and the client has none.", notice="Notice that the server closes without an alert."),
]  # fmt: skip
for server, leaf, version in (("granian", "client-unknown-ca", "1.3"), ("bun", "client-unknown-ca", "1.3"), ("erlang", "client-bad-eku", "1.2"),
                              ("erlang", "client-expired", "1.3"), ("bouncycastle", "client-expired", "1.3"),
                              ("go127", "client-unknown-ca", "1.3"), ("lighttpd-gnutls", "client-expired", "1.2"), ("lighttpd-gnutls", "client-unknown-ca", "1.2"),
                              ("lighttpd-wolfssl", "client-expired", "1.3")):  # fmt: skip
    told = {"client-unknown-ca": ("client-cert-unknown-ca", "comes from a CA the server does not trust"), "client-expired": ("client-cert-expired", "expired a month ago"),
            "client-bad-eku": ("client-cert-bad-purpose", "is for TLS servers only")}[leaf]  # fmt: skip
    server_refuses(told[0], server, f"tls{version.replace('.', '')}", {"max": version, "cert": leaf}, {"client_ca": "root", "max": version}, f"The client's certificate {told[1]}.")

# Node closes without a word on a certificate it does not trust; the shortest request is as long as a padded alert
for client in ("bun", "deno", "haskell"):
    server_refuses("client-cert-unknown-ca", "node26", "tls13-client", {"cert": "client-unknown-ca"}, {"client_ca": "root"}, "The client's certificate comes from a CA the server does not trust.", client,
                   sure="the server says nothing of it, and the client hears only the close")  # fmt: skip
server_refuses("client-cert-unknown-ca", "granian", "tls13-client", {"cert": "client-unknown-ca"}, {"client_ca": "root"}, "The client's certificate comes from a CA the server does not trust.", "s2n", sure="the client waits before it closes")
server_refuses("client-cert-unknown-ca", "granian", "tls12-client", {"cert": "client-unknown-ca", "max": "1.2"}, {"client_ca": "root"}, "The client's certificate comes from a CA the server does not trust.", "bun")

# -- not TLS ---------------------------------------------------------------------------------------------------------------------
for server in ("granian", "bun", "erlang", "haskell", "bouncycastle", "grpc", "lighttpd-nss", "lighttpd-wolfssl"):
    CASES.append(Case("http-on-tls-port", "raw", server, "", c={"script": [["send", HTTP], ["recv-all", 2], ["fin"]]}, sure="servers differ: alert, page, close, silence",
                      arranged="A client speaks plain HTTP to the TLS port.", notice="Notice what this server does with it; others do otherwise."))  # fmt: skip
CASES += [
    Case("starttls-refused", "ldapsearch", "slapd", "", c={"dialogue": "ldap"}, s={"mood": "hide"}, port=389, via="ldap-starttls", by="server", sure="the client closes what it does not get", arranged="The directory does not know StartTLS."),
    Case("connect-close-probe", "raw", "haskell", "", c={"script": [["fin"]]}, outcome="no-handshake", by="client", alert=None, arranged="A client connects and closes.", notice="Notice that no handshake was tried, and what the server makes of it."),
    Case("connect-close-probe", "raw", "redis", "tls", c={"script": [["fin"]]}, s={"tls": True}, outcome="no-handshake", by="client", alert=None, arranged="A client connects and closes.", notice="Notice an alert of the server's in answer to the close."),
]  # fmt: skip
for server in ("haskell", "grpc"):
    CASES.append(Case("unexpected-message", "raw", server, "hello-done", c={"script": [["hex", "16030300040e000000"], ["recv-all", 2], ["fin"]]}, by="server", sure="servers differ in what they call it, or say nothing",
                      arranged="A client begins with ServerHelloDone.", notice="Notice a first message that only a server may send."))  # fmt: skip
CASES.append(Case(None, "gnutls", "deno", "tls13-at-once", s={"close": "at-once"}, also=("unclean-close",), arranged="The server says goodbye as soon as the handshake is done, and the client closes when it hears it.",
                  notice="Notice that the client's close without a word answers the server's goodbye."))  # fmt: skip
