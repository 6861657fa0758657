"""The messages that a Finished vouches for (RFC 8446 section 4.4.1, RFC 5246 section 7.4.9)."""

from __future__ import annotations

from analyzer.tls.key_schedule import transcript_after_retry
from analyzer.tls.opener import Opener
from analyzer.tls.server_hello import HELLO_RETRY_RANDOM

__all__ = ["Transcript"]

_BYTES = 524_288
_HELLO_REQUEST, _CLIENT_HELLO, _SERVER_HELLO = 0, 1, 2


class Transcript:
    """Handshake messages of both sides as they crossed. Past half a MB, or after a message was missed, it vouches for nothing."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._size = 0
        self._retried = False
        self.broken = False
        """A message is missing: nothing can be verified any more."""

    def add(self, message: bytes) -> None:
        """Add the next message, whole, its 4-byte header included (HelloRequests are left out by themselves)."""
        if self.broken or len(message) < 4 or message[0] == _HELLO_REQUEST:
            return
        self._size += len(message)
        if self._size > _BYTES:
            self.broken = True
            self._messages.clear()
            return
        if message[0] == _SERVER_HELLO and message[6:38] == HELLO_RETRY_RANDOM:
            self._retried = True
        self._messages.append(message)

    def verify(self, opener: Opener, from_client: bool, finished: bytes) -> bool | None:
        """Tell whether a Finished (whole message, not added yet) is right; None where it cannot be told."""
        if self.broken or len(finished) < 5 or not self._messages or self._messages[0][0] != _CLIENT_HELLO:
            return None
        messages = self._messages
        if self._retried:
            messages = [transcript_after_retry(opener.hash_name, messages[0]), *messages[1:]]
        return opener.verify_finished(from_client, b"".join(messages), finished[4:])
