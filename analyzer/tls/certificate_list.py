"""Certificate, CompressedCertificate and CertificateStatus: RFC 8446 section 4.4.2, RFC 5246 section 7.4.2, RFC 8879."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any, NamedTuple

from analyzer.tls.wire import Malformed, Reader

__all__ = ["CertificateList", "read_certificate_list", "read_certificate_status", "read_compressed_certificate"]

_INFLATED_BYTES = 131_072
"""Longest Certificate message that is unpacked."""


class CertificateList(NamedTuple):
    """The certificates of one message, as DER, leaf first."""

    certificates: list[bytes]
    ocsp_response: bytes | None = None
    """OCSPResponse (DER) stapled to the leaf, in TLS 1.3."""
    truncated: bool = False
    """There were more than the limit."""


def read_certificate_list(message: bytes, *, tls13: bool, limit: int = 16) -> CertificateList:
    """Read a Certificate from the body of its handshake message; raises Malformed with the list so far."""
    reader = Reader(message)
    found: list[bytes] = []
    ocsp_response: bytes | None = None
    try:
        if tls13:
            reader.block(1, "request context")
        announced = reader.number(3, "the length of the list")
        if announced > len(reader):
            # what is there is read all the same: the leaf comes first
            says = f"certificates of {announced} bytes, where {len(reader)} are left"
        else:
            says = f"{len(reader) - announced} bytes after the certificates" if announced < len(reader) else ""
            reader.end = reader.at + announced
        while reader:
            if len(found) == limit:
                return CertificateList(found, ocsp_response, True)
            found.append(reader.block(3, "certificate"))
            if tls13:
                extensions = reader.block(2, "certificate's extensions")
                if len(found) == 1 and extensions:
                    ocsp_response = _find_ocsp_response(extensions)
        if says:
            raise Malformed(says)
    except Malformed as error:
        error.partial = CertificateList(found, ocsp_response)
        raise
    return CertificateList(found, ocsp_response)


def _find_ocsp_response(extensions: bytes) -> bytes | None:
    """RFC 8446 section 4.4.2.1: status_request beside a certificate is a CertificateStatus."""
    reader = Reader(extensions)
    while reader:
        kind = reader.number(2, "an extension's type")
        body = reader.block(2, "certificate's extension")
        if kind == 5 and body[:1] == b"\x01":
            return Reader(body[1:]).block(3, "OCSP response")
    return None


def read_compressed_certificate(message: bytes, *, limit: int = 16) -> CertificateList:
    """Read a CompressedCertificate (zlib; brotli and zstd where their modules are installed); raises Malformed.

    Nothing longer than what the message announces, or than 128 KiB, is unpacked.
    """
    reader = Reader(message)
    algorithm = reader.number(2, "the algorithm")
    announced = reader.number(3, "the uncompressed length")
    packed = reader.block(3, "compressed certificate")
    if announced > _INFLATED_BYTES:
        raise Malformed(f"a compressed certificate of {announced} bytes, more than {_INFLATED_BYTES}")
    inflate = {1: _inflate_zlib, 2: _inflate_brotli, 3: _inflate_zstd}.get(algorithm)
    if inflate is None:
        raise Malformed(f"a certificate compressed with algorithm {algorithm}, which is not known")
    unpacked = inflate(packed, announced)
    if len(unpacked) != announced:
        more = "more than " if len(unpacked) > announced else f"{len(unpacked)} instead of "
        raise Malformed(f"the compressed certificate unpacks to {more}{announced} bytes")
    return read_certificate_list(unpacked, tls13=True, limit=limit)


def _inflate_zlib(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise Malformed("the compressed certificate is not zlib") from error


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Malformed(f"a certificate compressed with {name}, which is not installed") from error


def _inflate_brotli(packed: bytes, size: int) -> bytes:
    brotli = _optional("brotli")
    try:
        return bytes(brotli.Decompressor().process(packed, output_buffer_limit=size + 1))
    except TypeError as error:
        raise Malformed("a certificate compressed with brotli, whose module is too old to unpack within bounds") from error
    except brotli.error as error:
        raise Malformed("the compressed certificate is not brotli") from error


def _inflate_zstd(packed: bytes, size: int) -> bytes:
    zstandard = _optional("zstandard")
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(packed) as stream:
            return bytes(stream.read(size + 1))
    except zstandard.ZstdError as error:
        raise Malformed("the compressed certificate is not zstd") from error


def read_certificate_status(message: bytes) -> bytes:
    """Read the OCSPResponse (DER) of a CertificateStatus (RFC 6066 section 8; the first one of RFC 6961's list)."""
    reader = Reader(message)
    kind = reader.number(1, "the kind of status")
    if kind == 2:
        reader = Reader(reader.block(3, "the list of responses"))
    elif kind != 1:
        raise Malformed(f"a certificate status of kind {kind}, where OCSP is 1")
    return reader.block(3, "OCSP response")
