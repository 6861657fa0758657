"""Readers of handshake messages, one a message: from the body without its 4-byte header to what it says.

Each raises ``Malformed`` where the bytes are not that message, with what it had read in ``partial``.
"""

from __future__ import annotations

from analyzer.tls.alert import read_alerts
from analyzer.tls.certificate_list import (
    CertificateList,
    read_certificate_list,
    read_certificate_status,
    read_compressed_certificate,
)
from analyzer.tls.certificate_request import read_certificate_request
from analyzer.tls.client_hello import read_client_hello, read_sslv2_client_hello, trace_client_hello
from analyzer.tls.encrypted_extensions import EncryptedExtensions, read_encrypted_extensions
from analyzer.tls.key_exchange import read_server_key_exchange
from analyzer.tls.server_hello import (
    HELLO_RETRY_RANDOM,
    note_downgrade,
    read_draft_hello_retry_request,
    read_server_hello,
    trace_server_hello,
)
from analyzer.tls.wire import Malformed
from analyzer.tls.x509 import read_certificate

__all__ = [
    "HELLO_RETRY_RANDOM",
    "CertificateList",
    "EncryptedExtensions",
    "Malformed",
    "note_downgrade",
    "read_alerts",
    "read_certificate",
    "read_certificate_list",
    "read_certificate_request",
    "read_certificate_status",
    "read_client_hello",
    "read_compressed_certificate",
    "read_draft_hello_retry_request",
    "read_encrypted_extensions",
    "read_server_hello",
    "read_server_key_exchange",
    "read_sslv2_client_hello",
    "trace_client_hello",
    "trace_server_hello",
]
