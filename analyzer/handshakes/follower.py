"""Follow one connection: bytes of both directions in, the facts of its handshake out.

This is the plain-Python half of the seam: it sees one flow's payload in order and knows nothing of
packets. ``tracker`` feeds it; what it learns goes into a ``Handshake`` that ``assemble`` completes with
the facts of the flow.
"""

from __future__ import annotations

from typing import Any

from analyzer.handshakes.flight import reads_as_hello
from analyzer.handshakes.side import MAX_MESSAGES, Side
from analyzer.model.faults import Fault
from analyzer.model.handshake import Dialogue, Message
from analyzer.model.hello import Alert, CertificateRequest, ClientHello, ServerHello, ServerKeyExchange
from analyzer.tls import messages as tls

__all__ = ["Follower"]

_MESSAGE_BYTES = 131_072
_LONG = frozenset((11, 13, 22, 25))  # messages that may honestly be longer: certificates, names of authorities, staples
_LONGEST = 4_194_304
_FIRST_BYTES = 512
_ENOUGH_RECORDS = 6  # of application data each way: the handshake is long past
_RECORD_HEADER = 5
_DOWNLOAD = 128  # ... of the server's alone, more than any flight of a handshake has: it took what the client sent
_FAULTS = 32
_EARLY = 32  # records of 0-RTT data kept until there are keys

_KINDS = {
    0: "hello_request", 1: "client_hello", 2: "server_hello", 3: "hello_verify_request", 4: "new_session_ticket",
    5: "end_of_early_data", 6: "hello_retry_request", 8: "encrypted_extensions", 11: "certificate", 12: "server_key_exchange",
    13: "certificate_request", 14: "server_hello_done", 15: "certificate_verify", 16: "client_key_exchange", 20: "finished",
    21: "certificate_url", 22: "certificate_status", 23: "supplemental_data", 24: "key_update", 25: "compressed_certificate",
    67: "next_protocol", 254: "message_hash",
}  # fmt: skip

_new_message = tuple.__new__


class Follower:
    """State of one connection while its handshake is followed."""

    __slots__ = (
        "_early", "_renewed", "_transcript", "alerts", "alpn", "certificate_request", "certificate_requested", "client",
        "client_certificates", "client_hello", "client_hello_first_frame", "client_hello_frame", "client_hello_incomplete",
        "client_hello_offset", "client_hello_segments", "client_hello_time", "dialogue", "dropped", "early_data_accepted",
        "early_data_bytes", "faults", "finished_ok", "hello_retry", "keylog", "messages", "not_tls", "ocsp_response", "opener",
        "renegotiations", "reordered", "second_client_hello", "server", "server_certificate_bytes", "server_certificates",
        "server_certificates_complete", "server_hello", "server_hello_frame", "server_hello_time", "server_key_exchange",
        "tls13",
    )  # fmt: skip

    def __init__(self, keylog: Any = None) -> None:
        self.client = Side(True, self._record, self._fault)
        self.server = Side(False, self._record, self._fault)
        self.keylog = keylog
        self.opener: Any = None
        self.not_tls = False  # neither direction is TLS
        self.tls13 = False
        self.dropped = 0
        self.messages: list[Message] = []
        if keylog is None:
            self.client.messages = self.server.messages = self.messages
        self.alerts: list[Alert] = []
        self.faults: list[Fault] = []
        self.dialogue: Dialogue | None = None
        self.client_hello: ClientHello | None = None
        self.second_client_hello: ClientHello | None = None
        self.hello_retry: ServerHello | None = None
        self.server_hello: ServerHello | None = None
        self.client_hello_frame = self.client_hello_time = self.client_hello_first_frame = 0
        self.client_hello_segments = self.client_hello_offset = 0
        self.server_hello_frame = self.server_hello_time = 0
        self.server_certificates: tuple[bytes, ...] = ()
        self.server_certificates_complete = False
        self.server_certificate_bytes = 0
        self.client_certificates: tuple[bytes, ...] | None = None
        self.server_key_exchange: ServerKeyExchange | None = None
        self.certificate_request: CertificateRequest | None = None
        self.certificate_requested: bool | None = None
        self.ocsp_response: bytes | None = None
        self.alpn: str | None = None
        self.renegotiations = 0
        self.early_data_bytes = 0
        self.early_data_accepted: bool | None = None
        self.finished_ok: bool | None = None
        self.client_hello_incomplete = 0
        self.reordered = False
        """Messages were noted later than they came."""
        self._transcript: Any = None
        self._renewed: ClientHello | None = None  # hello of a renegotiation
        self._early: list[tuple[int, bytes, int, int, int, int, int]] = []

    def take_sslv2_hello(self, record: bytes, frame: int, timestamp: int) -> None:
        """A ClientHello in SSLv2 format, with its 2-byte header."""
        try:
            hello = tls.read_sslv2_client_hello(record)
        except tls.Malformed as error:
            self._fault(self.client, "defect", frame, f"SSLv2 client_hello that does not parse: {error}")
            return
        self._keep_client_hello(self.client, hello, frame, timestamp, frame)
        self.client_hello_offset = len(record)
        self._add(frame, timestamp, True, "client_hello", len(record) - 2, frame, False, False, 0)

    def release(self) -> None:
        """Undo the circle between this and its sides, so that they go when nobody holds them."""
        for side in (self.client, self.server):
            side.sink = side.fault = _nowhere
            side.messages = None

    def flush(self) -> None:
        """No more bytes will come: read what a record or message begun and not completed says."""
        if self._early:
            self._take_early()
        if self.server_hello is not None and not self.tls13 and not self.server_certificate_bytes:
            self.server_certificate_bytes = _certificate_begun(self.server)
        if self.client_hello is None and not self.client.broken:
            announced, body, frame = _begun(self.client)
            if announced:
                self.client_hello_incomplete = announced
                self.client_hello_first_frame = frame
                self.client_hello_segments = max(1, self.client.segments)
                self.client_hello_offset = self.client.offset
                if len(body) > 38:
                    self.client.record_end = self.client.offset
                    try:
                        self._keep_client_hello(self.client, tls.read_client_hello(body), frame, 0, frame)
                    except tls.Malformed as error:
                        if isinstance(error.partial, ClientHello):
                            self._keep_client_hello(self.client, error.partial, frame, 0, frame)

    # ------------------------------------------------------------------ records

    def _record(
        self, side: Side, kind: int, version: int, body: bytes, frame: int, timestamp: int, first_frame: int, offset: int, missing: int
    ) -> None:
        from_client = side.from_client
        if kind < 0:
            self._not_tls(side, kind, body, frame, timestamp, first_frame, offset)
            return
        if kind == 23:
            if self.opener is not None and self._open(side, kind, body, frame, timestamp, first_frame, offset, missing):
                return
            if from_client and self.server_hello is None and self.keylog is not None and len(self._early) < _EARLY:
                self._early.append((kind, body, frame, timestamp, first_frame, offset, missing))
                return
            if self.tls13 and side.application_bytes == 0 and side.hs:
                side.hs = b""
            side.application_bytes += len(body)
            side.application_records += 1
            self._add(frame, timestamp, from_client, "application_data", len(body), first_frame, True, False, offset)
            return
        if kind == 22:
            if side.encrypted:
                if self.opener is not None and self._open(side, kind, body, frame, timestamp, first_frame, offset, missing):
                    return
                if not (missing == 0 and reads_as_hello(body, 0, len(body))):
                    self._add(frame, timestamp, from_client, "encrypted_handshake", len(body), first_frame, True, False, offset)
                    return
            side.hs_version = version
            self._handshake_bytes(side, body, frame, timestamp, first_frame, offset, missing)
            return
        if kind == 21:
            self._alert(side, body, frame, timestamp, first_frame, offset, missing)
            return
        if kind == 20:
            if side.encrypted and self.opener is not None:
                if self._open(side, kind, body, frame, timestamp, first_frame, offset, missing):
                    return
            self._add(frame, timestamp, from_client, "change_cipher_spec", len(body), first_frame, False, False, offset)
            hello = self.server_hello or self.hello_retry
            if (hello is None and self.client_hello is None) or (hello is not None and not self.tls13 and not hello.hello_retry_request):
                side.encrypted = True
                side.hs = b""
            return
        self._add(frame, timestamp, from_client, "heartbeat", len(body), first_frame, side.encrypted, False, offset)

    @property
    def done(self) -> bool:
        """The handshake is long past, or what was kept of it is full."""
        if len(self.messages) < 3 * _ENOUGH_RECORDS:
            return self.dropped > 0
        client, server = self.client.application_records, self.server.application_records
        if client >= _ENOUGH_RECORDS and server >= _ENOUGH_RECORDS and client + server >= 3 * _ENOUGH_RECORDS:
            return True
        return (server >= _DOWNLOAD and client > 0) or len(self.messages) >= MAX_MESSAGES

    def almost_done(self, from_client: bool, data: bytes) -> bool:
        """Whether ``data``, which this side sends next, may complete what is wanted of the connection."""
        side, other = (self.client, self.server) if from_client else (self.server, self.client)
        if other.application_records >= _ENOUGH_RECORDS:
            return True
        kept, sent = len(self.messages), side.application_records
        download = not from_client and other.application_records > 0 and sent + len(data) // _RECORD_HEADER + 2 >= _DOWNLOAD
        if not download and kept < MAX_MESSAGES // 2:
            return False
        more = side.records_in(data)
        return (download and sent + more >= _DOWNLOAD) or kept + more >= MAX_MESSAGES

    @property
    def refused(self) -> bool:
        """Someone sent an alert that can end a handshake."""
        return any(alert.level != 1 and alert.description != 0 for alert in self.alerts)

    @property
    def went_on(self) -> bool:
        """Both sides sent application data: whatever comes now, the handshake is past."""
        return self.client.application_records > 1 and self.server.application_records > 1

    def begin_server(self) -> None:
        """The server's TLS begins here; its plain bytes before belong to a dialogue."""
        self.server.begin()
        if not self.alerts:  # they know their places among the messages
            self.messages[:] = [m for m in self.messages if m.from_client or m.kind != "not_tls"]

    def _not_tls(self, side: Side, kind: int, body: bytes, frame: int, timestamp: int, first_frame: int, offset: int) -> None:
        if not side.first_bytes:
            side.first_bytes = body[:_FIRST_BYTES]
            side.first_bytes_frame = first_frame
        if kind == -2 and side.records:
            self._fault(side, "defect", frame, "bytes that are no TLS record after TLS records")
        self._add(frame, timestamp, side.from_client, "not_tls", len(body), first_frame, False, False, offset)

    def _take_early(self) -> None:
        """0-RTT data came before the ServerHello that says how to open it."""
        early, self._early = self._early, []
        side = self.client
        for kind, body, frame, timestamp, first_frame, offset, missing in early:
            self.reordered = True
            if self.opener is None or not self._open(side, kind, body, frame, timestamp, first_frame, offset, missing):
                side.application_bytes += len(body)
                side.application_records += 1
                self._add(frame, timestamp, True, "application_data", len(body), first_frame, True, False, offset)

    def _alert(self, side: Side, body: bytes, frame: int, timestamp: int, first_frame: int, offset: int, missing: int) -> None:
        position = len(self.messages)
        from_client = side.from_client
        if len(body) == 2 and body[0] in (1, 2) and not missing:
            self.alerts.append(Alert(frame, timestamp, from_client, body[0], body[1], False, "plaintext", position, 2))
            self._add(frame, timestamp, from_client, "alert", 2, first_frame, False, False, offset)
            return
        if self.opener is not None and self._open(side, 21, body, frame, timestamp, first_frame, offset, missing):
            return
        if (
            not side.encrypted
            and not self.tls13
            and len(body) % 2 == 0
            and 2 < len(body) <= 16
            and all(level in (1, 2) for level in body[::2])
        ):
            # several alerts in one record: legal until TLS 1.3 (RFC 5246 section 6.2.1)
            for at in range(0, len(body), 2):
                self.alerts.append(Alert(frame, timestamp, from_client, body[at], body[at + 1], False, "plaintext", position, 2))
            self._add(frame, timestamp, from_client, "alert", len(body), first_frame, False, False, offset)
            return
        if not missing and len(body) < 16 and not side.encrypted:
            self._fault(side, "defect", frame, f"alert record of {len(body)} bytes that is no alert")
        self.alerts.append(Alert(frame, timestamp, from_client, None, None, True, "inferred", position, len(body)))
        self._add(frame, timestamp, from_client, "alert", len(body), first_frame, True, False, offset)

    # ------------------------------------------------------------------ decryption

    def _open(self, side: Side, kind: int, body: bytes, frame: int, timestamp: int, first_frame: int, offset: int, missing: int) -> bool:
        """Try the keys; True when the record was opened and handed on."""
        if missing:
            self.opener = None
            self._fault(side, "gap", frame, "bytes are missing from the capture: decryption ends here")
            return False
        inner = self.opener.open(side.from_client, kind, body)
        if inner is None:
            return False
        from_client = side.from_client
        for inner_kind, plain in inner:
            if inner_kind == 22:
                self._handshake_bytes(side, plain, frame, timestamp, first_frame, offset, 0, True)
            elif inner_kind == 21:
                position = len(self.messages)
                for at in range(0, len(plain) - 1, 2):
                    self.alerts.append(
                        Alert(frame, timestamp, from_client, plain[at], plain[at + 1], True, "decrypted", position, len(body))
                    )
                self._add(frame, timestamp, from_client, "alert", len(plain), first_frame, True, True, offset)
            elif inner_kind == 23:
                side.application_bytes += len(plain)
                if plain and not side.first_bytes and side.application_bytes == len(plain):
                    side.first_bytes = plain[:_FIRST_BYTES]
                    side.first_bytes_frame = frame
                self._add(frame, timestamp, from_client, "application_data", len(body), first_frame, True, True, offset)
                side.application_records += 1
            elif inner_kind == 20:
                self._add(frame, timestamp, from_client, "change_cipher_spec", len(plain), first_frame, True, True, offset)
        return True

    # ------------------------------------------------------------------ handshake messages

    def _handshake_bytes(
        self,
        side: Side,
        body: bytes,
        frame: int,
        timestamp: int,
        first_frame: int,
        offset: int,
        missing: int,
        decrypted: bool = False,
    ) -> None:
        if side.hs_skip:
            skipped = min(side.hs_skip, len(body))
            side.hs_skip -= skipped
            body = body[skipped:]
            if not body:
                return
        if side.hs:
            data = side.hs + body
            first_frame = side.hs_first_frame
            if not missing and (len(data) < 4 or len(data) - 4 < int.from_bytes(data[1:4], "big")) and len(data) <= _MESSAGE_BYTES:
                side.hs = data
                return
        else:
            data = body
        position, size = 0, len(data)
        while size - position >= 4:
            kind = data[position]
            length = data[position + 1] << 16 | data[position + 2] << 8 | data[position + 3]
            end = position + 4 + length
            if end > size:
                if kind in _LONG and _MESSAGE_BYTES < length < _LONGEST:
                    # too long to keep: its end is waited for, its bytes are not
                    self._fault(side, "cap", frame, f"{_KINDS[kind]} of {length} bytes, more than the {_MESSAGE_BYTES} that are kept")
                    self._add(frame, timestamp, side.from_client, _KINDS[kind], length, first_frame, decrypted, decrypted, offset)
                    if kind == 11 and not side.from_client and not self.server_certificate_bytes:
                        self.server_certificate_bytes = length
                    side.hs_skip = max(0, end - size - missing)
                    side.hs = b""
                    return
                if length > _MESSAGE_BYTES or kind not in _KINDS:
                    self._fault(side, "defect", frame, f"handshake message of type {kind} that claims {length} bytes")
                    self._add(frame, timestamp, side.from_client, "encrypted_handshake", size - position, first_frame, True, False, offset)
                    side.hs = b""
                    return
                if missing:
                    # never to be completed: read what there is; what follows the missing bytes may be the rest of it
                    self._message(side, kind, data[position + 4 :], frame, timestamp, first_frame, offset, decrypted, True, length)
                    side.hs_skip = max(0, end - size - missing)
                    side.hs = b""
                    return
                break
            if self.keylog is not None:
                self._vouch(side, kind, data[position:end], frame)
            self._message(side, kind, data[position + 4 : end], frame, timestamp, first_frame, offset, decrypted, False, length)
            position = end
            first_frame = frame
        side.hs = b"" if missing else data[position:]
        side.hs_first_frame = first_frame

    def _message(
        self,
        side: Side,
        kind: int,
        body: bytes,
        frame: int,
        timestamp: int,
        first_frame: int,
        offset: int,
        decrypted: bool,
        damaged: bool,
        length: int,
    ) -> None:
        """One message; ``damaged``: only the begin of its ``length`` bytes was captured."""
        from_client = side.from_client
        name = _KINDS.get(kind)
        if name is None:
            self._fault(side, "misbehaviour", frame, f"unknown handshake message of type {kind}")
            name = f"handshake_{kind}"
        try:
            if kind == 1:
                self._client_hello(side, body, frame, timestamp, first_frame, damaged)
            elif kind == 2:
                name = self._server_hello(side, body, frame, timestamp)
            elif kind == 11 or kind == 25:
                self._certificate(side, kind, body, frame, damaged, decrypted)
            elif kind == 12:
                if self.server_hello is not None:
                    hello = self.server_hello
                    self.server_key_exchange = tls.read_server_key_exchange(body, hello.cipher_suite, hello.selected_version)
            elif kind == 13:
                self.certificate_requested = True
                version = self.server_hello.selected_version if self.server_hello else 0x0303
                self.certificate_request = tls.read_certificate_request(body, 0x0304 if self.tls13 else version)
            elif kind == 22:
                self.ocsp_response = tls.read_certificate_status(body)
            elif kind == 8:
                extensions = tls.read_encrypted_extensions(body)
                self.alpn = extensions.alpn
                self.early_data_accepted = extensions.early_data
            elif kind == 24 and decrypted and self.opener is not None:
                self._add(frame, timestamp, from_client, name, length, first_frame, decrypted, decrypted, offset)
                self.opener.update_key(from_client)
                return
        except tls.Malformed as error:
            if not damaged:
                self._fault(side, "defect", frame, f"{name} that does not parse: {error}")
            self._partial(kind, error, frame, timestamp, first_frame, side, damaged)
        self._add(frame, timestamp, from_client, name, length, first_frame, decrypted, decrypted, offset)

    def _vouch(self, side: Side, kind: int, message: bytes, frame: int) -> None:
        """Check a Finished against the messages before it."""
        if self._transcript is None:
            from analyzer.tls.transcript import Transcript

            self._transcript = Transcript()
        if kind == 20 and self.opener is not None and not (self.tls13 and side.vouched):
            side.vouched = True  # a second one of TLS 1.3 answers a request after the handshake, and vouches for other messages
            verified = self._transcript.verify(self.opener, side.from_client, message)
            if verified is not None:
                self.finished_ok = verified and self.finished_ok is not False
                if not verified:
                    self._fault(side, "misbehaviour", frame, "a Finished that does not match the messages before it")
        self._transcript.add(message)

    def _partial(self, kind: int, error: Any, frame: int, timestamp: int, first_frame: int, side: Side, damaged: bool) -> None:
        """A message that does not parse to its end still said something."""
        partial = getattr(error, "partial", None)
        if kind == 1 and isinstance(partial, ClientHello) and self.client_hello is None:
            if damaged:
                self.client_hello_incomplete = partial.length
            self._keep_client_hello(side, partial, frame, timestamp, first_frame)
        elif kind == 2 and isinstance(partial, ServerHello) and self.server_hello is None:
            if damaged and 43 not in partial.extension_types:
                partial.selected_version = 0  # not known: supported_versions may be among the missing bytes
                partial.cipher_suite = partial.cipher_suite or -1
            self.server_hello = partial
            self.tls13 = partial.selected_version == 0x0304
            self.server_hello_frame, self.server_hello_time = frame, timestamp

    def _client_hello(self, side: Side, body: bytes, frame: int, timestamp: int, first_frame: int, damaged: bool) -> None:
        hello = tls.read_client_hello(body, record_version=side.hs_version)
        if damaged:
            self.client_hello_incomplete = max(1, self.client_hello_incomplete)
        else:
            for defect in hello.defects:
                self._fault(side, "defect", frame, f"client_hello: {defect}")
        if self.client_hello is None:
            self._keep_client_hello(side, hello, frame, timestamp, first_frame)
        elif self.second_client_hello is None and (self.server_hello is None or self.hello_retry is not None):
            self.second_client_hello = hello  # the HelloRetryRequest that asked for it may be missing from the capture
        elif self.server_hello is not None:
            self.renegotiations += 1
            self._renewed = hello
            self._transcript = None

    def _keep_client_hello(self, side: Side, hello: ClientHello, frame: int, timestamp: int, first_frame: int) -> None:
        self.client_hello = hello
        self.client_hello_frame, self.client_hello_time = frame, timestamp
        self.client_hello_first_frame = first_frame
        self.client_hello_segments = max(1, side.segments)
        self.client_hello_offset = side.record_end

    def _server_hello(self, side: Side, body: bytes, frame: int, timestamp: int) -> str:
        hello = tls.read_server_hello(body)
        for defect in hello.defects:
            self._fault(side, "defect", frame, f"server_hello: {defect}")
        version = hello.selected_version
        if hello.hello_retry_request:
            if self.hello_retry is None:
                self.hello_retry = hello
                self.tls13 = True
            else:
                self._fault(side, "misbehaviour", frame, "a second HelloRetryRequest (RFC 8446 section 4.1.4 allows one)")
            return "hello_retry_request"
        if self.server_hello is None:
            self.server_hello = hello
            self.server_hello_frame, self.server_hello_time = frame, timestamp
            self.alpn = hello.alpn
            self.tls13 = version == 0x0304 or version >> 8 in (0x7F, 0xFB)
            if self.keylog is not None:
                if self.client_hello is not None:
                    self.opener = self._find_keys(self.client_hello, hello)
                self._take_early()
        elif self.opener is not None and self._renewed is not None:
            successor = self._find_keys(self._renewed, hello)
            if successor is not None:
                self.opener.adopt(successor)
        return "server_hello"

    def _find_keys(self, client: ClientHello, server: ServerHello) -> Any:
        from analyzer.tls.opener import Opener

        return Opener.for_handshake(
            self.keylog,
            client.random,
            server.selected_version,
            server.cipher_suite,
            server_random=server.random,
            encrypt_then_mac=server.encrypt_then_mac,
            compression=server.compression_method,
        )

    def _certificate(self, side: Side, kind: int, body: bytes, frame: int, damaged: bool, decrypted: bool) -> None:
        if self.server_hello is not None and not self.server_hello.selected_version and not decrypted:
            self.server_hello.selected_version = self.server_hello.legacy_version  # TLS 1.3 sends none in the clear
        if kind == 25:
            ders, staple, truncated = tls.read_compressed_certificate(body)
        else:
            ders, staple, truncated = tls.read_certificate_list(body, tls13=self.tls13)
        if truncated:
            self._fault(side, "cap", frame, "a certificate chain longer than what is kept")
        if side.from_client:
            self.client_certificates = tuple(ders)
        else:
            if not self.server_certificates:
                self.server_certificates = tuple(ders)
                self.server_certificates_complete = not damaged and not truncated
                self.server_certificate_bytes = len(body)
            if staple is not None:
                self.ocsp_response = staple

    def put_in_order(self) -> None:
        """Messages of both directions in the order they were sent, each direction in the order of its stream:
        where a hole was given up late, one direction was read after the other."""
        messages = self.messages
        tops = [0, 0]
        keys: list[int] = []
        for m in messages:
            when = m[1] << 32 | m[0]  # time, and the frame where times are equal
            if when > tops[m[2]]:
                tops[m[2]] = when
            keys.append(tops[m[2]])
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self.messages = [messages[old] for old in order]
        if self.client.messages is not None:
            self.client.messages = self.server.messages = self.messages
        if self.alerts:
            place = {old: new for new, old in enumerate(order)}
            for alert in self.alerts:
                alert.position = place.get(alert.position, alert.position)
            self.alerts.sort(key=_position)

    # ------------------------------------------------------------------ notes

    def _add(
        self,
        frame: int,
        timestamp: int,
        from_client: bool,
        kind: str,
        length: int,
        first_frame: int,
        encrypted: bool,
        decrypted: bool,
        offset: int,
    ) -> None:
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(
                _new_message(Message, (frame, timestamp, from_client, kind, length, first_frame, encrypted, decrypted, offset))
            )
        else:
            self.dropped += 1

    def _fault(self, side: Side, kind: str, frame: int, says: str) -> None:
        if len(self.faults) < _FAULTS:
            self.faults.append(Fault(kind, side.from_client, frame, says))


def _nowhere(*_: Any) -> None:
    """Where records and faults of a closed connection go."""


def _position(alert: Alert) -> int:
    return alert.position


def _begun(side: Side) -> tuple[int, bytes, int]:
    """(bytes announced by a ClientHello that was begun and not completed, body so far, frame), else zeros."""
    if side.hs and side.hs[0] == 1:
        data, frame = side.hs, side.hs_first_frame
        rest = side.rest
        if len(rest) > 5 and rest[0] == 22:
            data += rest[5:]
    else:
        rest, frame = side.rest, side.rest_frame
        if len(rest) < 9 or rest[0] != 22 or rest[5] != 1:
            return (5 + (rest[3] << 8 | rest[4]), b"", frame) if len(rest) >= 5 and rest[0] == 22 else (0, b"", 0)
        data = rest[5:]
    if len(data) < 4:
        return 0, b"", 0
    return 4 + int.from_bytes(data[1:4], "big"), data[4:], frame


def _certificate_begun(side: Side) -> int:
    """Bytes announced by a Certificate message that was begun in the clear and not completed, else 0."""
    if side.encrypted:
        return 0
    data = bytes(side.hs) + bytes(side.rest[5:] if side.rest and side.rest[0] == 22 else b"")
    return int.from_bytes(data[1:4], "big") if len(data) >= 4 and data[0] == 11 else 0
