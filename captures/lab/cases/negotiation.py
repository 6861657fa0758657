"""Client and server that cannot agree, or that break the rules."""

from __future__ import annotations

from typing import Any

from ..case import Case
from ..stacks import PROGRAMS

SERVERS = ("openssl", "nginx", "haproxy", "apache", "stunnel", "gnutls", "nss", "go", "java", "node", "python", "mbedtls", "wolfssl")
CASES: list[Case] = []


def refuse(cause: str, server: str, variant: str, c: dict[str, Any], s: dict[str, Any], arranged: str, client: str = "openssl", by: str = "server", **more: Any) -> Case:
    more.setdefault("notice", "Notice the alert right after the ClientHello, before any ServerHello." if by == "server" else "Notice that it is the client that objects.")
    return Case(cause, client, server, variant, c=c, s=s, by=by, arranged=arranged, **more)


# -- versions ----------------------------------------------------------------------------------------------------------
OLD = {"version": "1.1", "ciphers": "ALL:@SECLEVEL=0"}
for server in SERVERS:
    CASES.append(refuse("client-version-too-old", server, "tls11", OLD, {"min": "1.2"}, "The client speaks TLS 1.1 at most, the server TLS 1.2 at least."))
CASES += [
    refuse("client-version-too-old", "go", "tls10", {"version": "1.0", "ciphers": "ALL:@SECLEVEL=0"}, {"min": "1.2"}, "The client speaks TLS 1.0 only, the server TLS 1.2 at least."),
    refuse("client-version-too-old", "nginx", "tls12-only", {"version": "1.2"}, {"min": "1.3"}, "The client speaks TLS 1.2 at most, the server TLS 1.3 only."),
    refuse("client-version-too-old", "gnutls", "tls12-only", {"version": "1.2"}, {"version": "1.3"}, "The client speaks TLS 1.2 at most, the server TLS 1.3 only.", client="go"),
    refuse("client-version-too-old", "java", "tls12-only", {"max": "1.2"}, {"version": "1.3"}, "The client speaks TLS 1.2 at most, the server TLS 1.3 only.", client="mbedtls"),
    refuse("client-version-too-old", "haproxy", "tls10-gnutls", {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.0"}, {}, "The client speaks TLS 1.0 only, the server TLS 1.2 at least.", client="gnutls"),
]  # fmt: skip
for server in SERVERS:
    CASES.append(refuse("client-version-too-new", server, "tls13-only", {"version": "1.3"}, {"max": "1.2"}, "The client speaks TLS 1.3 only, the server TLS 1.2 at most."))
for client in ("openssl", "curl", "gnutls", "go", "java", "python", "rustls", "wolfssl", "nss", "boringssl", "chromium", "node", "mbedtls"):
    CASES.append(refuse("client-version-too-new", "openssl", "server-tls11", {}, OLD, "The server speaks TLS 1.1 only, the client TLS 1.2 at least.", client=client,
                        by="server" if client in ("x",) else "", notice="Notice who notices: a server may pick the old version, and the client then objects."))  # fmt: skip
for server in ("openssl", "nginx", "haproxy", "apache", "gnutls", "nss", "go", "node", "python", "wolfssl"):
    CASES.append(refuse("inappropriate-fallback", server, "tls12", {"version": "1.2", "argv": ["-fallback_scsv"]}, {}, "The client says it fell back to TLS 1.2, and the server has TLS 1.3."))
STRIP = ({"do": "rewrite", "towards": "server", "old": "\x00\x2b\x00\x05\x04\x03\x04\x03\x03", "new": "\x2a\x2b\x00\x05\x04\x03\x04\x03\x03", "flags": "DATA", "nth": 1},)
CASES += [
    refuse("downgrade-sentinel", "nginx", "stripped", {}, {}, "A box on the way hides the client's list of versions, so that the server answers with TLS 1.2.", by="client", faults=STRIP,
           alert="seen", notice="Notice the end of the server's random, DOWNGRD: the server has TLS 1.3 and the client, which offered it, objects."),
    refuse("downgrade-sentinel", "haproxy", "stripped", {}, {}, "A box on the way hides the client's list of versions, so that the server answers with TLS 1.2.", client="curl", by="client", faults=STRIP,
           notice="Notice the end of the server's random, DOWNGRD: the server has TLS 1.3 and the client, which offered it, objects."),
    refuse("downgrade-sentinel", "go", "order", {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3"}, {}, "The client lists TLS 1.2 before TLS 1.3, and the server takes the first it knows.", client="gnutls", by="client",
           notice="Notice that nobody is in the way: the order of the client's list and the server's habit of following it are enough."),
    refuse("downgrade-sentinel", "java", "fallback", {"version": "1.2", "argv": ["-fallback_scsv"]}, {}, "The client says it fell back to TLS 1.2; the server ignores that and answers with the mark of a server that has TLS 1.3.", by="client"),
]  # fmt: skip
LEGACY = {"version": "1.1", "ciphers": "ALL:@SECLEVEL=0"}
CASES += [
    refuse("legacy-sigalg-seclevel", "openssl", "tls11", LEGACY, {"min": "1.0"}, "The server allows TLS 1.1 but keeps its security level, which forbids the SHA-1 signature that TLS 1.1 needs."),
    refuse("legacy-sigalg-seclevel", "go", "client", {"min": "1.0", "max": "1.1"}, {"version": "1.1"}, "The client allows TLS 1.1 but keeps its security level, which forbids the SHA-1 signature that TLS 1.1 needs.", by="client"),
    refuse("legacy-sigalg-seclevel", "openssl", "tls10-gnutls", {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.0"}, {"min": "1.0"}, "The server allows TLS 1.0 but keeps its security level, which forbids the SHA-1 signature that TLS 1.0 needs.", client="gnutls"),
]  # fmt: skip

# -- cipher suites, certificates, groups, signatures --------------------------------------------------------------------
for server, has in (
    ("openssl", "ECDHE-RSA-AES256-GCM-SHA384"), ("nginx", "ECDHE-RSA-AES256-GCM-SHA384"), ("haproxy", "ECDHE-RSA-AES256-GCM-SHA384"), ("apache", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("stunnel", "ECDHE-RSA-AES256-GCM-SHA384"), ("go", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"), ("java", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    ("node", "ECDHE-RSA-AES256-GCM-SHA384"), ("python", "ECDHE-RSA-AES256-GCM-SHA384"), ("mbedtls", "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"), ("wolfssl", "ECDHE-RSA-AES256-GCM-SHA384"),
):  # fmt: skip
    CASES.append(refuse("no-common-cipher", server, "tls12", {"version": "1.2", "ciphers": "ECDHE-RSA-CHACHA20-POLY1305"}, {"max": "1.2", "ciphers": has}, "The client offers ChaCha20 only, the server has AES only."))
CASES += [
    refuse("no-common-cipher", "gnutls", "tls12", {"version": "1.2", "ciphers": "ECDHE-RSA-CHACHA20-POLY1305"}, {"more": ":-CHACHA20-POLY1305"}, "The client offers ChaCha20 only, the server has AES only."),
    refuse("no-common-cipher", "openssl", "tls13", {"version": "1.3", "suites13": "TLS_CHACHA20_POLY1305_SHA256"}, {"version": "1.3", "suites13": "TLS_AES_128_GCM_SHA256"}, "The client offers ChaCha20 only, the server has AES only."),
    refuse("no-common-cipher", "haproxy", "tls13", {"version": "1.3", "suites13": "TLS_CHACHA20_POLY1305_SHA256"}, {"min": "1.3", "suites13": "TLS_AES_128_GCM_SHA256"}, "The client offers ChaCha20 only, the server has AES only."),
    refuse("no-common-cipher", "gnutls", "tls13", {"version": "1.3", "suites13": "TLS_CHACHA20_POLY1305_SHA256"}, {"version": "1.3", "more": ":-CHACHA20-POLY1305"}, "The client offers ChaCha20 only, the server has AES only."),
    refuse("no-common-cipher", "java", "tls13", {"version": "1.3", "suites13": "TLS_CHACHA20_POLY1305_SHA256"}, {"version": "1.3", "ciphers": "TLS_AES_128_GCM_SHA256"}, "The client offers ChaCha20 only, the server has AES only."),
    refuse("no-common-cipher", "go", "tls13-ccm", {"version": "1.3", "suites13": "TLS_AES_128_CCM_SHA256"}, {}, "The client offers AES-CCM only, which the server does not have."),
    refuse("no-common-cipher", "nginx", "tls12-rsa-only", {"version": "1.2", "ciphers": "AES128-SHA:AES256-SHA"}, {"ciphers": "ECDHE+AESGCM"}, "The client offers RSA key exchange only, the server wants forward secrecy."),
    refuse("no-common-cipher", "go", "tls12-dhe-only", {"version": "1.2", "ciphers": "DHE-RSA-AES128-GCM-SHA256"}, {}, "The client offers finite-field Diffie-Hellman only, which the server does not have."),
    refuse("no-common-cipher", "haproxy", "tls12-java", {"max": "1.2", "ciphers": "TLS_RSA_WITH_AES_128_CBC_SHA"}, {"ciphers": "ECDHE+AESGCM"}, "The client offers RSA key exchange only, the server wants forward secrecy.", client="java"),
    refuse("no-common-cipher", "nginx", "tls12-mbedtls", {"ciphers": "TLS-RSA-WITH-AES-128-CBC-SHA"}, {"ciphers": "ECDHE+AESGCM"}, "The client offers RSA key exchange only, the server wants forward secrecy.", client="mbedtls"),
]  # fmt: skip
for server in ("openssl", "nginx", "haproxy", "apache", "gnutls", "go", "java", "node", "python", "nss"):
    CASES.append(refuse("cert-key-type-mismatch", server, "tls12", {"version": "1.2", "ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}, {}, "The client offers suites for ECDSA certificates only, and the server's certificate is RSA."))
for server in ("nginx", "go", "gnutls", "java"):
    CASES.append(refuse("cert-key-type-mismatch", server, "tls12-ecdsa-server", {"version": "1.2", "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, {"cert": "server-ecdsa"}, "The client offers suites for RSA certificates only, and the server's certificate is ECDSA."))
for server in ("nginx", "haproxy", "go", "gnutls"):
    CASES.append(refuse("cert-key-type-mismatch", server, "tls13-sigalgs", {"version": "1.3", "sigalgs": "ECDSA+SHA256"}, {}, "The client takes ECDSA signatures only, and the server's certificate is RSA."))
for server, option in (("openssl", {"groups": "P-256"}), ("nginx", {"groups": "prime256v1"}), ("haproxy", {"groups": "secp256r1"}), ("go", {"groups": "P-256"}), ("node", {"groups": "P-256"}),
                       ("gnutls", {"more": ":-GROUP-ALL:+GROUP-SECP256R1", "version": "1.3"}), ("java", {"groups": "secp256r1"})):  # fmt: skip
    CASES.append(refuse("no-common-group", server, "tls13", {"version": "1.3", "groups": "X25519"}, option, "The client offers X25519 only, the server has P-256 only."))
for server, option in (("openssl", {"groups": "P-256"}), ("nginx", {"groups": "prime256v1"}), ("go", {"groups": "P-256"}), ("haproxy", {"groups": "secp256r1"})):
    CASES.append(refuse("no-common-group", server, "tls12", {"version": "1.2", "groups": "X448", "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, option, "The client offers X448 only, the server has P-256 only."))
CASES += [
    refuse("no-common-group", "nginx", "tls13-post-quantum-only", {"min": "1.3", "groups": "X25519MLKEM768"}, {}, "The client offers a post-quantum group only, which the server does not have.", client="node24"),
    refuse("no-common-group", "openssl", "tls13-go", {"min": "1.3", "groups": "P-521"}, {"groups": "X25519"}, "The client offers P-521 only, the server has X25519 only.", client="go"),
]  # fmt: skip
for server in ("openssl", "nginx", "haproxy", "gnutls", "go", "java", "node", "nss", "python"):
    CASES.append(refuse("no-common-sigalg", server, "tls13", {"version": "1.3", "sigalgs": "RSA+SHA256"}, {}, "The client takes RSA PKCS#1 signatures only, which TLS 1.3 does not allow in a handshake.",
                        **({"notice": "Notice that this server answers with a ServerHello first and hides its alert."} if server == "java" else {})))  # fmt: skip
CASES += [
    refuse("no-common-sigalg", "openssl", "tls12", {"version": "1.2", "sigalgs": "RSA+SHA512", "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, {"sigalgs": "RSA+SHA256"}, "The client takes SHA-512 signatures only, the server makes SHA-256 only."),
]  # fmt: skip

# -- names and protocols ----------------------------------------------------------------------------------------------
for server in ("nginx", "haproxy", "gnutls", "nss", "openssl"):
    CASES.append(refuse("sni-unrecognized", server, "tls13", {"name": "other.test"}, {"only_name": "server.test"}, "The client asks for other.test, and the server knows server.test only."))
    CASES.append(refuse("sni-unrecognized", server, "tls12", {"version": "1.2", "name": "other.test"}, {"only_name": "server.test", "max": "1.2"}, "The client asks for other.test, and the server knows server.test only."))
for server in ("nginx", "haproxy"):
    for v in ("1.2", "1.3"):
        CASES.append(refuse("sni-missing", server, f"tls{v.replace('.', '')}", {"sni": "", "version": v}, {"only_name": "server.test"}, "The client sends no server name, and the server insists on one it knows."))
CASES += [
    refuse("sni-missing", "go", "tls13", {"sni": ""}, {"only_name": "server.test"}, "The client sends no server name, and the server has no certificate for that.", alert="seen",
           notice="Notice that this server says internal_error."),
    refuse("internal-error", "go", "tls12-no-certificate-for-name", {"version": "1.2", "name": "other.test"}, {"only_name": "server.test"}, "The client asks for other.test, for which the server has no certificate.", also=("sni-unrecognized",)),
    refuse("internal-error", "go", "tls13-no-certificate-for-name", {"name": "other.test"}, {"only_name": "server.test"}, "The client asks for other.test, for which the server has no certificate.", client="curl", also=("sni-unrecognized",)),
]  # fmt: skip
for server, option in (("nginx", {"http2": True}), ("openssl", {"argv": ["-alpn", "h2"]}), ("gnutls", {"alpn": "h2"}), ("go", {"alpn": "h2"}), ("java", {"alpn": "h2"}), ("node", {"alpn": "h2"})):
    for v in ("1.2", "1.3"):
        if server == "openssl":
            continue  # s_server goes on without a protocol
        CASES.append(refuse("alpn-mismatch", server, f"tls{v.replace('.', '')}", {"version": v, "alpn": "acme-tls/1"}, dict(option), "The client offers a protocol the server does not speak.",
                            **({"notice": "Notice that this server answers with a ServerHello first and hides its alert."} if (server, v) == ("go", "1.3") else {})))  # fmt: skip

# -- key exchange -------------------------------------------------------------------------------------------------------
SMALL = {"max": "1.2", "ciphers": "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "lines": [f"ssl_dhparam {PROGRAMS}/dh1024.pem;"]}
for client, option in (("openssl", {"version": "1.2", "ciphers": "DHE"}), ("curl", {"max": "1.2", "ciphers": "DHE"}),
                       ("java", {"max": "1.2", "ciphers": "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "jvm": ["-Djava.security.properties=JVMFILE"]}), ("python", {"max": "1.2", "ciphers": "DHE"})):  # fmt: skip
    CASES.append(refuse("dh-key-too-small", "nginx", "tls12", option, SMALL, "The server's Diffie-Hellman group has 1024 bits, fewer than the client takes.", client=client, by="client"))
for client in ("openssl", "curl", "node", "python"):
    CASES.append(refuse("unsafe-legacy-renegotiation", "tlslite", "tls12", {"max": "1.2"} if client != "openssl" else {"version": "1.2"}, {"max": "1.2", "no_reneg": True}, "The server does not know secure renegotiation (RFC 5746), which the client insists on.", client=client, by="client",
                        notice="Notice that the ServerHello lacks renegotiation_info."))  # fmt: skip
R = {"version": "1.2", "interactive": True, "request": "R\n\x00\x00\x00\x00\x00GET / HTTP/1.0\r\n\r\n", "linger": 2}
for server in ("openssl", "nginx", "haproxy", "go", "apache"):
    CASES.append(refuse("renegotiation-refused", server, "tls12", R, {"max": "1.2"}, "The client asks to renegotiate in an established connection, and the server will not.", by="server",
                        notice="Notice a handshake record inside the established connection, and an encrypted alert in reply.", sure="the first handshake completed"))  # fmt: skip
CASES += [
    refuse("ems-required", "tlslite", "tls12", {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH"}, {"max": "1.2", "requireExtendedMasterSecret": True}, "The server insists on the extended master secret, which the client does not offer.", client="gnutls"),
    refuse("ems-required", "tlslite", "tls12-server", {"max": "1.2", "min": "1.2", "useExtendedMasterSecret": False}, {"max": "1.2", "requireExtendedMasterSecret": True}, "The server insists on the extended master secret, which the client does not offer.", client="tlslite"),
]  # fmt: skip

# -- pre-shared keys --------------------------------------------------------------------------------------------------------
KEY, OTHER = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
PSK12 = {"version": "1.2", "ciphers": "PSK", "argv": ["-psk", KEY, "-psk_identity", "device-1", "-nocert"]}
PSK13 = {"version": "1.3", "suites13": "TLS_AES_128_GCM_SHA256", "argv": ["-psk", KEY, "-psk_identity", "device-1", "-nocert"]}
CASES += [
    refuse("psk-failure", "openssl", "tls12-wrong-key", {"version": "1.2", "ciphers": "PSK", "argv": ["-psk", OTHER, "-psk_identity", "device-1"]}, PSK12, "Client and server hold different keys for the same identity.", notice="Notice that the keys are found different only by the Finished."),
    refuse("psk-failure", "stunnel", "tls12-unknown-identity", {"version": "1.2", "ciphers": "PSK", "argv": ["-psk", KEY, "-psk_identity", "device-9"]}, {"max": "1.2", "psk": f"device-1:{KEY}\n"}, "The server does not know the client's identity.", notice="Notice where it ends: after the client has named its identity."),
    refuse("psk-failure", "openssl", "tls13-wrong-key", {"version": "1.3", "suites13": "TLS_AES_128_GCM_SHA256", "argv": ["-psk", OTHER, "-psk_identity", "device-1"]}, PSK13, "Client and server hold different keys for the same identity.", notice="Notice that the binder does not verify, which the server says in clear."),
    refuse("psk-failure", "openssl", "tls13-unknown-identity", {"version": "1.3", "suites13": "TLS_AES_128_GCM_SHA256", "argv": ["-psk", KEY, "-psk_identity", "device-9"]}, PSK13, "The server does not know the client's identity, and has no certificate to fall back on."),
    refuse("psk-failure", "openssl", "tls12-mbedtls-wrong-key", {"ca": "", "psk": OTHER, "ciphers": "TLS-PSK-WITH-AES-128-GCM-SHA256"}, PSK12, "Client and server hold different keys for the same identity.", client="mbedtls"),
    refuse("psk-failure", "gnutls", "tls12-unknown-identity", {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK", "argv": ["--pskusername", "device-9", "--pskkey", KEY], "insecure": True},
           {"priority": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK", "argv": ["--pskpasswd", "PSKFILE"]}, "The server does not know the client's identity.", client="gnutls", by=""),
]  # fmt: skip

# -- broken hellos, and other people's rules ------------------------------------------------------------------------------------
RAW_SERVERS = ("openssl", "nginx", "haproxy", "gnutls", "nss", "go", "java", "python", "node", "mbedtls", "wolfssl")


def raw(cause: str, server: str, variant: str, script: list[Any], arranged: str, s: dict[str, Any] | None = None, **more: Any) -> Case:
    more.setdefault("by", "server")
    more.setdefault("notice", "Notice the server's answer to bytes no sound client sends.")
    return Case(cause, "raw", server, variant, c={"script": [*script, ["recv-all", 2], ["fin"]], "connections": 1}, s=s or {}, arranged=arranged, **more)


OVERLONG = "16030147d0" + "01000047cc0303" + "00" * 200
V2 = "802e010300002100000010" + "00c02f00c030009c002f0035000a0005ff0000".ljust(66, "0")[:66] + "00112233445566778899aabbccddeeff"
for server in RAW_SERVERS:
    CASES.append(raw("record-overflow", server, "", [["hex", OVERLONG], ["fill", 18200, 0]], "The client's first record claims to be longer than any record may be."))
for server in ("openssl", "nginx", "gnutls", "go", "java", "python", "nss"):
    CASES.append(raw("unexpected-message", server, "finished-first", [["hex", "1603030010" + "1400000c" + "00" * 12]], "The client begins with a Finished."))
    CASES.append(raw("decode-error", server, "lying-length", [["hello", {"lie": 4000}]], "The ClientHello's extensions claim to be longer than the message."))
    CASES.append(raw("missing-extension", server, "no-signature-algorithms", [["hello", {"versions": [0x0304], "leave_out": [13]}]], "The client speaks TLS 1.3 only and sends no signature_algorithms.", s={"min": "1.3"} if server in ("x",) else {}))
    if server != "java":  # which asks for another share instead
        CASES.append(raw("illegal-parameter", server, "short-key-share", [["hello", {"versions": [0x0304], "leave_out": [51], "extra": [[51, "0014001d0010" + "11" * 16]]}]], "The client's key share has half the length of its group's."))
for server in ("openssl", "nginx", "haproxy", "gnutls", "go", "java", "python", "node"):
    CASES.append(raw("sslv2-or-v3-hello", server, "ssl2", [["hex", "802b0100020012000000100100800200800300800400800500800600" + "4007000000" + "00112233445566778899aabbccddeeff"]], "The client's hello is in the format of SSL 2."))
for server in ("openssl", "nginx", "gnutls", "go", "java", "haproxy"):
    CASES.append(raw("sslv2-or-v3-hello", server, "ssl3", [["hello", {"version": 0x0300, "record_version": 0x0300, "versions": [], "no_extensions": True, "suites": [0x002F, 0x0035, 0x000A, 0x00FF]}]], "The client speaks SSL 3 at most."))
SOUND_12 = {"versions": [], "suites": [0xC02F, 0xC030, 0x009C, 0x00FF]}
for server in ("go", "gnutls", "openssl", "java"):
    CASES.append(raw("heartbeat-anomaly", server, "", [["hello", SOUND_12], ["recv", 2], ["sleep", 0.1], ["hex", "1803030003014000"]], "The client sends a heartbeat request that asks for more than it holds, in the middle of the handshake.",
                     s={"max": "1.2"}, notice="Notice a record of type 24, which belongs to no sound handshake.", sure="some servers answer with an alert, some leave", alert="seen"))  # fmt: skip
for server in ("nginx", "openssl", "go"):
    CASES.append(raw("user-canceled", server, "", [["hello", SOUND_12], ["recv", 2], ["sleep", 0.1], ["alert", 1, 90], ["alert", 1, 0], ["fin"]], "The client says in the middle of the handshake that its user wants no more.", s={"max": "1.2"}, by="client",
                     alert={"description": "user_canceled", "from": "client", "encrypted": False}, notice="Notice the warnings user_canceled and close_notify from the client.", sure="a warning, then the end"))  # fmt: skip
for server in ("openssl", "nginx", "go", "gnutls"):
    CASES.append(raw("hrr-failure", server, "same-hello-again", [["hello", {"versions": [0x0304], "groups": [24, 23], "shares": [24]}], ["recv", 3], ["hello", {"versions": [0x0304], "groups": [24, 23], "shares": [24]}]],
                     "The client answers a HelloRetryRequest with the same key share as before.", s={"openssl": {"groups": "P-256"}, "nginx": {"groups": "prime256v1"}, "go": {"groups": "P-256"}, "gnutls": {"more": ":-GROUP-ALL:+GROUP-SECP256R1"}}[server],
                     notice="Notice the ServerHello with the fixed random of a HelloRetryRequest, and a second ClientHello that does not heed it."))  # fmt: skip
CASES += [
    Case("hrr-failure", "openssl", "openssl", "second-hello-lost", c={"groups": "X25519:P-256", "patience": 7}, s={"groups": "P-256"}, by="unknown", faults=({"do": "drop", "towards": "server", "flags": "DATA", "after": 2},),
         arranged="A box on the way lets the first ClientHello through and drops the second.", notice="Notice a HelloRetryRequest and a second ClientHello sent again and again.", alert=None, sure="nobody answers"),
    Case("hrr-failure", "curl", "nginx", "second-hello-lost", c={"groups": "X25519:P-256", "timeout": 5}, s={"groups": "prime256v1"}, by="unknown", faults=({"do": "drop", "towards": "server", "flags": "DATA", "after": 2},),
         arranged="A box on the way lets the first ClientHello through and drops the second.", notice="Notice a HelloRetryRequest and a second ClientHello sent again and again.", alert=None, sure="nobody answers"),
]  # fmt: skip

# -- servers that choose what was not offered ---------------------------------------------------------------------------------
def bad_server(cause: str, client: str, variant: str, words: dict[str, Any], arranged: str, **more: Any) -> Case:
    c: dict[str, Any] = more.pop("c", {})
    return Case(cause, client, "raw", variant, c=c, s={"script": [["recv", 5], ["server-hello", words], ["recv-all", 4], ["fin"]]}, by="client", arranged=arranged,
                notice="Notice that the ServerHello can be checked against the ClientHello, value by value.", **more)  # fmt: skip


for client in ("openssl", "gnutls", "go", "java", "curl", "boringssl", "rustls", "wolfssl", "mbedtls"):
    CASES.append(bad_server("server-params-illegal", client, "suite", {"suite": 0x0005, "session_id": ""}, "The server picks RC4, which the client did not offer.", c={"max": "1.2"} if client not in ("boringssl", "rustls") else {}))
for client in ("openssl", "gnutls", "java", "boringssl", "nss", "mbedtls", "rustls"):
    CASES.append(bad_server("unsupported-extension", client, "", {"session_id": "", "extensions": [[0xFF01, "00"], [0x5555, "00"]] if client in ("nss", "boringssl", "rustls") else [[0xFF01, "00"], [16, "0003026832"]]}, "The server answers an extension the client did not send.", c={"max": "1.2"} if client not in ("boringssl", "rustls") else {}))
for client in ("openssl", "go", "nss", "curl"):
    CASES.append(bad_server("illegal-parameter", client, "session-id-echo", {"suite": 0x1301, "session_id": "0011223344556677", "extensions": [[43, "0304"], [51, "001d0020" + "09" * 32]]}, "The TLS 1.3 server does not echo the client's session id.", c={}))
CASES += [
    Case("insufficient-security", client, "raw", "", c={}, s={"script": [["recv", 5], ["alert", 2, 71], ["fin"]]}, by="server", arranged="The server finds the client's offer too weak and says so.", notice="Notice the alert insufficient_security, which leaves little to guess.")
    for client in ("openssl", "go")
] + [
    Case("access-denied", client, "raw", "", c={}, s={"script": [["recv", 5], ["alert", 2, 49], ["fin"]]}, by="server", arranged="The server refuses this client by a rule of its own.", notice="Notice the alert access_denied.")
    for client in ("curl", "gnutls")
]  # fmt: skip

# -- servers that cannot take a modern hello (imitated: they look at the first segment and give up) -----------------------------
AGAIN = "; a second, simpler try of the same client completes"
SPLIT = ({"do": "delay", "seconds": 0.05, "towards": "server", "flags": "DATA", "nth": 2},)
for cause, client, how, arranged in (
    ("grease-intolerance", "boringssl", "grease", "The server cannot take values it does not know and answers a hello with GREASE by an alert"),
    ("grease-intolerance", "chromium", "grease", "The server cannot take values it does not know and answers a hello with GREASE by an alert"),
    ("large-client-hello-intolerance", "node24", "large", "The server reads one segment only and resets the connection of a client whose hello comes in two"),
    ("large-client-hello-intolerance", "chromium", "large", "The server reads one segment only and resets the connection of a client whose hello comes in two"),
    ("large-client-hello-intolerance", "boringssl", "large", "The server reads one segment only and resets the connection of a client whose hello comes in two"),
    ("large-client-hello-intolerance", "rustls", "large", "The server reads one segment only and resets the connection of a client whose hello comes in two"),
    ("version-intolerance", "openssl", "version", "The server cannot take a hello with supported_versions and closes"),
    ("version-intolerance", "gnutls", "version", "The server cannot take a hello with supported_versions and closes"),
):
    second: dict[str, Any] = {"openssl": {"version": "1.2"}, "node24": {"groups": "X25519"}, "gnutls": {"version": "1.2"}}.get(client, {})
    CASES.append(Case(cause, client, "python", "", c=({}, second) if second else {}, s={"intolerant": how}, by="server", stream=0,
                      faults=SPLIT if how == "large" else (), arranged=arranged + (AGAIN if second else "") + ".",
                      notice="Notice what the failing hello has that a simpler one has not."))  # fmt: skip
