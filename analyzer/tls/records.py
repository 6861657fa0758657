"""The record layer: headers, and what can be told from lengths alone (RFC 8446 section 5, RFC 5246 section 6.2)."""

from __future__ import annotations

from functools import lru_cache

from analyzer.registries.suite_facts import SuiteFacts, suite_facts

__all__ = [
    "ALERT",
    "APPLICATION_DATA",
    "CHANGE_CIPHER_SPEC",
    "HANDSHAKE",
    "HEADER_BYTES",
    "HEARTBEAT",
    "LONGEST_RECORD",
    "encrypted_alert_length",
    "looks_like_tls",
    "record_header_valid",
]

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
HEADER_BYTES = 5
LONGEST_RECORD = 18_432
"""2^14 and the 2048 bytes that compression and protection may add (RFC 5246 section 6.2.3)."""


def record_header_valid(content_type: int, major: int, minor: int, length: int) -> bool:
    """Tell whether five bytes can be the header of a record of SSL 3.0 to TLS 1.3."""
    return 20 <= content_type <= 24 and major == 3 and minor <= 4 and length <= LONGEST_RECORD


def looks_like_tls(data: bytes) -> bool | None:
    """Tell whether the first bytes of a direction begin TLS; None while there are too few to say.

    True for a hello of either side, an alert in the clear, and an SSLv2-format hello of either side.
    """
    if not data:
        return None
    first = data[0]
    if first in (HANDSHAKE, ALERT):
        if not _begins(data, 1, 3) or (len(data) > 2 and data[2] > 4):
            return False
        if len(data) < 6:
            return None
        length = data[3] << 8 | data[4]
        if first == ALERT:
            return length == 2 and data[5] in (1, 2)
        # hello_request, client_hello, server_hello, the retry request of drafts
        return 0 < length <= LONGEST_RECORD and data[5] in (0, 1, 2, 6)
    if first & 0x80:
        return _looks_like_sslv2(data)
    return False


def _begins(data: bytes, at: int, value: int) -> bool:
    return len(data) <= at or data[at] == value


def _looks_like_sslv2(data: bytes) -> bool | None:
    """RFC 5246 appendix E.2: 2-byte header, message type, version, three lengths that add up."""
    length = (data[0] & 0x7F) << 8 | data[1] if len(data) > 1 else None
    if length is not None and not 12 <= length <= 4096:
        return False
    if len(data) > 2 and data[2] not in (1, 4):
        return False
    if len(data) < 11:
        return None
    if data[2] == 4:  # SERVER-HELLO of SSL 2.0: session id hit, certificate type, version 2
        return data[3] <= 1 and data[4] <= 1 and data[5:7] == b"\0\x02"
    if data[3:5] != b"\0\x02" and (data[3] != 3 or data[4] > 4):
        return False
    specs, session_id, challenge = (data[at] << 8 | data[at + 1] for at in (5, 7, 9))
    return specs >= 3 and 9 + specs + session_id + challenge == length


def encrypted_alert_length(version: int, suite: int | None, length: int) -> bool:
    """Tell whether a record body of ``length`` bytes can be one encrypted alert.

    Up to TLS 1.2 the record says that it is an alert; in TLS 1.3, where only length and place speak,
    35 is Java's, which pads each record with 16 bytes.
    """
    return length in _alert_lengths(version, suite)


@lru_cache(maxsize=512)
def _alert_lengths(version: int, suite: int | None) -> frozenset[int]:
    facts = suite_facts(suite) if suite is not None else None
    if version == 0x0304 or version >> 8 in (0x7F, 0xFB):
        return frozenset({11} if facts and facts.mode == "CCM_8" else {19, 35})
    if facts is None:
        return frozenset({18, 22, 24, 26, 32, 36, 48, 52, 64, 68, 80, 84})
    return frozenset(_older_alert_lengths(version, facts))


_MAC_BYTES = {"MD5": 16, "SHA1": 20, "SHA256": 32, "SHA384": 48, "SM3": 32}


def _older_alert_lengths(version: int, facts: SuiteFacts) -> set[int]:
    if facts.mode in ("GCM", "CCM"):
        return {26}  # nonce 8, alert 2, tag 16
    if facts.mode in ("CCM_8", "POLY1305"):
        return {18}  # nonce 8 and tag 8; no nonce and tag 16
    mac = _MAC_BYTES.get(facts.mac or "", 20)
    if facts.mode != "CBC":
        return {2 + mac}
    block = 8 if facts.cipher in ("3DES", "DES", "IDEA", "RC2") else 16
    vector = block if version >= 0x0302 else 0
    padded = (2 + mac) // block * block + block
    return {vector + padded, vector + block + mac}  # the second with encrypt-then-MAC (RFC 7366)
