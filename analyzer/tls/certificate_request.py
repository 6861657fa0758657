"""CertificateRequest: RFC 8446 section 4.3.2, RFC 5246 section 7.4.4, RFC 4346 section 7.4.4."""

from __future__ import annotations

from analyzer.model.hello import CertificateRequest
from analyzer.tls.wire import Malformed, Reader, read_u16s

__all__ = ["read_certificate_request"]


def read_certificate_request(message: bytes, version: int) -> CertificateRequest:
    """Read a CertificateRequest as ``version`` says it is built (TLS 1.3 and its drafts: by extensions).

    Raises Malformed; ``partial`` holds what was read.
    """
    found = CertificateRequest()
    reader = Reader(message)
    try:
        if version == 0x0304 or version >> 8 in (0x7F, 0xFB):
            _read_extensions(reader, found)
        else:
            found.certificate_types = tuple(reader.block(1, "the certificate types"))
            if version >= 0x0303:
                found.signature_schemes = read_u16s(reader.block(2, "the signature schemes"), "the signature schemes")
            found.certificate_authorities = _read_authorities(reader)
        if reader:
            raise Malformed(f"{len(reader)} bytes after the request")
    except Malformed as error:
        error.partial = found
        raise
    return found


def _read_authorities(reader: Reader) -> tuple[bytes, ...]:
    return tuple(Reader(reader.block(2, "the authorities")).blocks(2, "authority"))


def _read_extensions(reader: Reader, found: CertificateRequest) -> None:
    reader.block(1, "request context")
    extensions = Reader(reader.block(2, "the extensions"))
    while extensions:
        kind = extensions.number(2, "an extension's type")
        body = Reader(extensions.block(2, "extension"))
        if kind == 0x0D:
            found.signature_schemes = read_u16s(body.block(2, "the signature schemes"), "the signature schemes")
        elif kind == 0x2F:
            found.certificate_authorities = _read_authorities(body)
