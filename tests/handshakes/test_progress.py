"""What follows from the order and the lengths of messages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recorded import available, capture_of

from analyzer.handshakes.progress import tell_progress
from analyzer.model.handshake import Message
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

PHA = "client-cert-missing--curl-apache-tls13-after-the-handshake"


@pytest.mark.parametrize(
    ("kind", "length", "sent"), [("certificate", 4, False), ("certificate", 900, True), ("compressed_certificate", 700, True)]
)
def test_client_certificates_of_a_decrypted_flight(kind: str, length: int, sent: bool) -> None:
    """Compressed or not (RFC 8879): there is nothing to compress in an empty one."""
    kinds = [(False, "certificate_request", 90), (False, "finished", 32), (True, kind, length), (True, "finished", 32)]
    messages = [Message(frame, frame, by_client, name, size, frame, True, True) for frame, (by_client, name, size) in enumerate(kinds, 6)]
    progress = tell_progress(messages, None, None, True, False)
    assert (progress.client_certificate_requested, progress.client_certificate_sent) == (True, sent)


@pytest.mark.skipif(not available(PHA), reason="not recorded here")
def test_a_certificate_after_the_handshake_is_empty_beside_its_context_and_breaks_no_rule() -> None:
    """Its Finished vouches for other messages than the handshake's (RFC 8446 section 4.4.4)."""
    path = capture_of(PHA)
    (handshake,) = Run([str(path)], Options(keylog=str(path.with_name("keys.log")))).handshakes()
    assert [message.length for message in handshake.messages if message.kind == "certificate" and message.from_client] == [36]
    assert handshake.client_certificate_sent is False
    assert handshake.faults == []
