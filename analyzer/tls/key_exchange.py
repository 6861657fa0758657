"""ServerKeyExchange of TLS 1.2 and below: RFC 5246 section 7.4.3, RFC 8422 section 5.4, RFC 4279, RFC 5489."""

from __future__ import annotations

from analyzer.model.hello import ServerKeyExchange
from analyzer.registries.suite_facts import suite_facts
from analyzer.tls.wire import Malformed, Reader

__all__ = ["read_server_key_exchange"]


def read_server_key_exchange(message: bytes, cipher_suite: int, version: int) -> ServerKeyExchange:
    """Read a ServerKeyExchange as the chosen suite and version say it is built.

    What a suite of another kind sends (SRP, GOST ...) is kept whole in ``params``. Raises Malformed;
    ``partial`` holds what was read.
    """
    found = ServerKeyExchange()
    facts = suite_facts(cipher_suite)
    exchange = facts.key_exchange if facts else None
    reader = Reader(message)
    try:
        if facts and facts.is_psk:
            reader.block(2, "the identity hint")
        start = reader.at
        if exchange == "ECDHE":
            _read_curve(reader, found)
        elif exchange == "DHE" or (exchange == "RSA" and facts and facts.is_export):
            _read_finite_field(reader, found, exchange == "DHE")
        else:
            found.params = message
            return found
        found.params = message[start : reader.at]
        if facts and not facts.is_anonymous and not facts.is_psk:
            if version >= 0x0303:
                found.signature_scheme = reader.number(2, "the signature scheme")
            found.signature = reader.block(2, "signature")
        if reader:
            raise Malformed(f"{len(reader)} bytes after the signature")
    except Malformed as error:
        error.partial = found
        raise
    return found


def _read_curve(reader: Reader, found: ServerKeyExchange) -> None:
    kind = reader.number(1, "the kind of curve")
    if kind != 3:
        raise Malformed(f"a curve of kind {kind}, where a named one is 3")
    found.named_group = reader.number(2, "the named curve")
    found.public_length = len(reader.block(1, "public key"))


def _read_finite_field(reader: Reader, found: ServerKeyExchange, has_public: bool) -> None:
    """Prime, generator and public value; modulus and exponent of an RSA_EXPORT suite are read alike."""
    found.dh_prime_bits = int.from_bytes(reader.block(2, "prime"), "big").bit_length()
    reader.block(2, "generator")
    if has_public:
        found.public_length = len(reader.block(2, "public key"))
