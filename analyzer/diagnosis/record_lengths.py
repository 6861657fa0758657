"""What lengths of encrypted records tell in TLS 1.3 (RFC 8446 section 5.2: ciphertext is message + 1 + tag)."""

from __future__ import annotations

from analyzer.model.handshake import Handshake, Message

__all__ = ["ALERT_LENGTHS", "is_alert_sized", "signing_key_type"]

ALERT_LENGTHS = frozenset({19, 11, 35})
"""Record lengths of an alert in TLS 1.3: 2 + 1 bytes and a tag of 16 or (CCM_8) 8; 35 with the padding of Java."""

_PADDED = 35

_FINISHED_256, _FINISHED_384 = 53, 69
"""Record lengths of a Finished, by the hash of the suite."""

_PADDING = 16

_WITH_CERTIFICATE = 300
"""Bytes of a record that holds a certificate, at least."""

_SHA384 = 0x1302

_OVERHEAD = 17
_FINISHED = frozenset({53, 69, 53 + 16, 69 + 16})
"""Finished with SHA-256 and SHA-384; Java pads every record by 16."""
_SMALLEST_CERTIFICATE = 250
_HEADERS = 8  # of CertificateVerify: message type and length, scheme, length of the signature
_KINDS: dict[int, str] = {
    **dict.fromkeys((256, 384, 512), "RSA"),
    **dict.fromkeys((70, 71, 72, 102, 103, 104, 137, 138, 139), "ECDSA"),
    64: "Ed25519",
}
"""By length of the signature: RSA of 2048, 3072 and 4096 bits; P-256, P-384 and P-521 (DER); Ed25519."""
_MESSAGES = 12  # more than a server's first flight and what comes before it


def signing_key_type(handshake: Handshake) -> str | None:
    """Kind of the key the server signed with: its CertificateVerify stands between a Certificate and Finished.

    None outside TLS 1.3, in resumed sessions, where the flight was sent as one record, and for lengths of no known kind.
    """
    if not handshake.is_tls13 or handshake.resumption is not None:
        return None
    before = verify = 0
    for message in handshake.messages[:_MESSAGES]:
        if message.from_client or message.kind != "application_data":
            continue
        length = message.length
        if length in _FINISHED and before >= _SMALLEST_CERTIFICATE:
            size = verify - _OVERHEAD - _HEADERS
            return _KINDS.get(size) or _KINDS.get(size - 16)
        before, verify = verify, length
    return None


def is_alert_sized(message: Message, handshake: Handshake | None = None) -> bool:
    """Whether an encrypted TLS 1.3 record, not opened, has the length of an alert: of a padded one, where its sender may pad."""
    if not message.encrypted or message.length not in ALERT_LENGTHS or message.kind not in ("application_data", "alert"):
        return False
    if message.decrypted and message.kind == "application_data":
        return False
    return message.length != _PADDED or handshake is None or _may_pad(handshake, message.from_client)


def _may_pad(handshake: Handshake, from_client: bool) -> bool:
    """Whether one side may pad its records as Java does, whose Finished has a record of its own, 16 bytes longer than it need be.

    The shortest request there is ("GET / HTTP/1.0") is as long as a padded alert.
    """
    answer = handshake.server_hello
    bare = _FINISHED_384 if answer is not None and answer.cipher_suite == _SHA384 else _FINISHED_256
    sent = {m.length for m in handshake.messages if m.from_client == from_client and m.encrypted and m.kind == "application_data"}
    if bare + _PADDING in sent or bare in sent:
        return bare + _PADDING in sent
    if handshake.flow.client_gaps if from_client else handshake.flow.server_gaps:
        return True  # its Finished may be among what is missing
    return max(sent, default=0) < _WITH_CERTIFICATE  # else its flight was one record
