"""What the registries hold and the local tools do not know, or name differently: written by hand, each with its source.

`make_registries.py` starts from the tables of tshark, openssl and libpcap and lets this file add to them,
rename and remove. A value goes away from here once the oldest tool in use knows it.

Names are IANA's, without the `_RESERVED` that IANA hangs on retired values.
"""

from __future__ import annotations

# --- alerts ----------------------------------------------------------------------------------------------------------

ALERT_DESCRIPTIONS = {
    52: "too_many_cids_requested",  # RFC 9147
    117: "general_error",  # RFC 9846
}

# --- handshake messages and records ----------------------------------------------------------------------------------

HANDSHAKE_TYPES = {
    9: "request_connection_id",  # RFC 9147
    10: "new_connection_id",  # RFC 9147
    17: "client_certificate_request",  # RFC 9261
    21: "certificate_url",  # RFC 6066 (tshark: client certificate URL)
    26: "ekt_key",  # RFC 8870
    67: "next_protocol",  # draft-agl-tls-nextprotoneg (tshark: encrypted extensions)
    254: "message_hash",  # RFC 8446
}

# tshark gives SSL 2.0's message types the same field; this number only they have.
HANDSHAKE_TYPES_SSL2_ONLY = (7,)

SSL2_MESSAGE_TYPES = {
    0: "error",
    1: "client_hello",
    2: "client_master_key",
    3: "client_finished",
    4: "server_hello",
    5: "server_verify",
    6: "server_finished",
    7: "request_certificate",
    8: "client_certificate",
}

CONTENT_TYPES = {
    25: "tls12_cid",  # RFC 9146 (tshark: Connection ID)
    26: "ack",  # RFC 9147
    27: "return_routability_check",  # RFC 9853
}

# --- extensions ------------------------------------------------------------------------------------------------------

EXTENSIONS = {
    26: "tls_lts",  # draft-gutmann-tls-lts
    29: "pwd_protect",  # RFC 8492
    30: "pwd_clear",  # RFC 8492
    31: "password_salt",  # RFC 8492
    32: "ticket_pinning",  # RFC 8672
    33: "tls_cert_with_extern_psk",  # RFC 8773
    34: "delegated_credential",  # RFC 9345 (tshark has the plural)
    36: "TLMSP",  # ETSI TS 103 523-2
    37: "TLMSP_proxying",  # ETSI TS 103 523-2
    38: "TLMSP_delegate",  # ETSI TS 103 523-2
    39: "supported_ekt_ciphers",  # RFC 8870
    40: "key_share_draft",  # TLS 1.3 drafts before 23; IANA reserves it
    46: "ticket_early_data_info",  # TLS 1.3 drafts before 20; IANA reserves it
    53: "connection_id_deprecated",  # drafts of RFC 9146
    60: "sequence_number_encryption_algorithms",  # draft-pismenny-tls-dtls-plaintext-sequence-number
    61: "rrc",  # RFC 9853
    62: "tls_flags",  # draft-ietf-tls-tlsflags
    17513: "application_settings_old",  # BoringSSL; Chrome until 132
    17613: "application_settings",  # draft-vvv-tls-alps; BoringSSL, Chrome since 133
    35387: "pake",  # draft-bmw-tls-pake13; BoringSSL
    51764: "trust_anchors",  # draft-ietf-tls-trust-anchor-ids; BoringSSL
    64768: "ech_outer_extensions",  # RFC 9849
    65037: "encrypted_client_hello",  # RFC 9849
    65445: "quic_transport_parameters_draft",  # drafts of RFC 9001
}

# --- named groups ----------------------------------------------------------------------------------------------------

NAMED_GROUPS = {
    0x001F: "brainpoolP256r1tls13",  # RFC 8734
    0x0020: "brainpoolP384r1tls13",
    0x0021: "brainpoolP512r1tls13",
    0x0022: "GC256A",  # RFC 9189, RFC 9367
    0x0023: "GC256B",
    0x0024: "GC256C",
    0x0025: "GC256D",
    0x0026: "GC512A",
    0x0027: "GC512B",
    0x0028: "GC512C",
    0x0200: "MLKEM512",  # draft-ietf-tls-mlkem
    0x0201: "MLKEM768",
    0x0202: "MLKEM1024",
    0x11EB: "SecP256r1MLKEM768",  # draft-ietf-tls-ecdhe-mlkem
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x11EE: "curveSM2MLKEM768",  # draft-yang-tls-hybrid-sm2-mlkem
    0x4138: "CECPQ2",  # BoringSSL's experiment of 2019
    0x6399: "X25519Kyber768Draft00",  # draft-tls-westerbaan-xyber768d00
    0x639A: "SecP256r1Kyber768Draft00",  # draft-kwiatkowski-tls-ecdhe-kyber
    0xFE30: "X25519Kyber512Draft00",  # Cloudflare's experiment of 2022
    0xFE31: "X25519Kyber768Draft00Old",  # the same, private use
    0xFE32: "P256Kyber768Draft00",  # the same, private use
}

# Open Quantum Safe's experiments squat on unassigned numbers, some of which have since been assigned to something else.
NAMED_GROUPS_NOT_IANA = (range(0x0200, 0x0300), range(0x2F00, 0x3000))

# Octets of key_exchange in a KeyShareEntry: client, server (RFC 8446 section 4.2.8, RFC 9367, FIPS 203).
KEY_SHARE_LENGTHS = {
    0x0017: (65, 65),
    0x0018: (97, 97),
    0x0019: (133, 133),
    0x001D: (32, 32),
    0x001E: (56, 56),
    0x001F: (65, 65),
    0x0020: (97, 97),
    0x0021: (129, 129),
    0x0022: (64, 64),
    0x0023: (64, 64),
    0x0024: (64, 64),
    0x0025: (64, 64),
    0x0026: (128, 128),
    0x0027: (128, 128),
    0x0028: (128, 128),
    0x0029: (65, 65),
    0x0100: (256, 256),
    0x0101: (384, 384),
    0x0102: (512, 512),
    0x0103: (768, 768),
    0x0104: (1024, 1024),
    0x0200: (800, 768),
    0x0201: (1184, 1088),
    0x0202: (1568, 1568),
    0x11EB: (65 + 1184, 65 + 1088),
    0x11EC: (1184 + 32, 1088 + 32),
    0x11ED: (97 + 1568, 97 + 1568),
    0x11EE: (65 + 1184, 65 + 1088),
    0x4138: (32 + 1138, 32 + 1138),
    0x6399: (32 + 1184, 32 + 1088),
    0x639A: (65 + 1184, 65 + 1088),
    0xFE30: (32 + 800, 32 + 768),
    0xFE31: (32 + 1184, 32 + 1088),
    0xFE32: (65 + 1184, 65 + 1088),
}

# As `openssl s_client -groups` takes them; the ML-KEM ones since OpenSSL 3.5, brainpool...tls13 since 3.2,
# curveSM2MLKEM768 since 3.6. Binary and small prime curves are for TLS 1.2 and SECLEVEL=0 only.
OPENSSL_GROUP_NAMES = {
    0x0017: "P-256",
    0x0018: "P-384",
    0x0019: "P-521",
    0x001D: "X25519",
    0x001E: "X448",
    0x001F: "brainpoolP256r1tls13",
    0x0020: "brainpoolP384r1tls13",
    0x0021: "brainpoolP512r1tls13",
    0x0200: "MLKEM512",
    0x0201: "MLKEM768",
    0x0202: "MLKEM1024",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x11EE: "curveSM2MLKEM768",
}
# These it calls as IANA does.
OPENSSL_GROUPS_SAME_NAME = (range(0x0001, 0x001D), range(0x0100, 0x0105))

# --- signature schemes -----------------------------------------------------------------------------------------------

SIGNATURE_SCHEMES = {
    0x0420: "rsa_pkcs1_sha256_legacy",  # RFC 9963
    0x0520: "rsa_pkcs1_sha384_legacy",
    0x0620: "rsa_pkcs1_sha512_legacy",
    0x0704: "eccsi_sha256",  # draft-wang-tls-raw-public-key-with-ibc
    0x0705: "iso_ibs1",
    0x0706: "iso_ibs2",
    0x0707: "iso_chinese_ibs",
    0x0709: "gostr34102012_256a",  # RFC 9367
    0x070A: "gostr34102012_256b",
    0x070B: "gostr34102012_256c",
    0x070C: "gostr34102012_256d",
    0x070D: "gostr34102012_512a",
    0x070E: "gostr34102012_512b",
    0x070F: "gostr34102012_512c",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",  # RFC 8734
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0840: "gostr34102012_256",  # RFC 9189
    0x0841: "gostr34102012_512",
    0x0904: "mldsa44",  # draft-ietf-tls-mldsa
    0x0905: "mldsa65",
    0x0906: "mldsa87",
    0x0911: "slhdsa_sha2_128s",  # draft-reddy-tls-slhdsa
    0x0912: "slhdsa_sha2_128f",
    0x0913: "slhdsa_sha2_192s",
    0x0914: "slhdsa_sha2_192f",
    0x0915: "slhdsa_sha2_256s",
    0x0916: "slhdsa_sha2_256f",
    0x0917: "slhdsa_shake_128s",
    0x0918: "slhdsa_shake_128f",
    0x0919: "slhdsa_shake_192s",
    0x091A: "slhdsa_shake_192f",
    0x091B: "slhdsa_shake_256s",
    0x091C: "slhdsa_shake_256f",
}

# 0xFE00 and up is private use; what tshark lists there are Open Quantum Safe's experiments.
SIGNATURE_SCHEMES_NOT_IANA = (range(0xFE00, 0x10000),)

# TLS 1.2 writes hash and signature as one octet each (RFC 5246 section 7.4.1.4.1); the pairs TLS 1.3 has no name for
# get one made the same way.
TLS12_HASHES = {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}
TLS12_SIGNATURES = {1: "rsa_pkcs1", 2: "dsa", 3: "ecdsa"}

# As `openssl s_client -sigalgs` takes them. OpenSSL spells the TLS 1.3 names as IANA does; the older pairs are
# written algorithm+hash.
OPENSSL_SIGALG_NAMES = {
    0x0201: "RSA+SHA1",
    0x0202: "DSA+SHA1",
    0x0203: "ECDSA+SHA1",
    0x0301: "RSA+SHA224",
    0x0302: "DSA+SHA224",
    0x0303: "ECDSA+SHA224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "DSA+SHA256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "DSA+SHA384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "DSA+SHA512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",  # since 3.2
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",  # since 3.5
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}

# --- versions --------------------------------------------------------------------------------------------------------

VERSIONS = {
    0x0101: "GMTLS 1.1",  # GM/T 0024-2014, GB/T 38636-2020
    0xFEFC: "DTLS 1.3",  # RFC 9147
}
TLS13_DRAFTS = range(1, 29)  # RFC 8446 was draft 28

# --- cipher suites ---------------------------------------------------------------------------------------------------

CIPHER_SUITES = {
    0x1306: "TLS_AEGIS_256_SHA512",  # draft-irtf-cfrg-aegis-aead
    0x1307: "TLS_AEGIS_128L_SHA256",
    # Numbers used before the suite was given its own: two numbers, one suite.
    0xCC13: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256_OLD",  # draft-agl-tls-chacha20poly1305
    0xCC14: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256_OLD",
    0xCC15: "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256_OLD",
    0xFF85: "TLS_GOSTR341112_256_WITH_28147_CNT_IMIT_OLD",  # OpenSSL's GOST engine
    0xFF87: "TLS_GOSTR341112_256_WITH_NULL_GOSTR3411",
    0xFFE0: "SSL_RSA_OLDFIPS_WITH_3DES_EDE_CBC_SHA",  # NSS
    0xFFE1: "SSL_RSA_OLDFIPS_WITH_DES_CBC_SHA",
}

# What `openssl ciphers -ciphersuites` knows; by itself it lists the first three.
OPENSSL_TLS13_SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)

# Names that builds of OpenSSL still take where the suites were not left out (most distributions leave them out).
OPENSSL_RETIRED_NAMES = {
    0x0004: "RC4-MD5",
    0x0005: "RC4-SHA",
    0x0007: "IDEA-CBC-SHA",
    0x0009: "DES-CBC-SHA",
    0x000A: "DES-CBC3-SHA",
    0x0012: "DHE-DSS-DES-CBC-SHA",
    0x0013: "DHE-DSS-DES-CBC3-SHA",
    0x0015: "DHE-RSA-DES-CBC-SHA",
    0x0016: "DHE-RSA-DES-CBC3-SHA",
    0x0018: "ADH-RC4-MD5",
    0x001A: "ADH-DES-CBC-SHA",
    0x001B: "ADH-DES-CBC3-SHA",
    0x008A: "PSK-RC4-SHA",
    0x008B: "PSK-3DES-EDE-CBC-SHA",
    0xC007: "ECDHE-ECDSA-RC4-SHA",
    0xC008: "ECDHE-ECDSA-DES-CBC3-SHA",
    0xC011: "ECDHE-RSA-RC4-SHA",
    0xC012: "ECDHE-RSA-DES-CBC3-SHA",
    0xC016: "AECDH-RC4-SHA",
    0xC017: "AECDH-DES-CBC3-SHA",
}

# --- link types ------------------------------------------------------------------------------------------------------

# libpcap's header names the numbers its own API uses (DLT_); files use LINKTYPE_ numbers, which differ for these.
LINK_TYPES = {
    1: "ETHERNET",  # DLT_EN10MB
    6: "IEEE802_5",
    7: "ARCNET_BSD",
    9: "PPP",
    12: "RAW_DLT12",  # DLT_RAW almost everywhere: files written with the API's number
    14: "RAW_DLT14",  # DLT_RAW of OpenBSD
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    101: "RAW",
    102: "SLIP_BSDOS",
    103: "PPP_BSDOS",
    104: "C_HDLC",
    107: "FRELAY",
    108: "LOOP",
    109: "ENC",
    112: "CISCO_HDLC",
    119: "IEEE802_11_PRISM",
    121: "HHDLC",
    127: "IEEE802_11_RADIOTAP",
    163: "IEEE802_11_AVS",
    228: "IPV4",
    229: "IPV6",
    276: "LINUX_SLL2",
}
LINK_TYPES_NOT_IN_FILES = (11, 13, 15, 16, 17, 18)
