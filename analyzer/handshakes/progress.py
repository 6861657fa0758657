"""How far the handshake came, told from the messages: who finished, what was inferred.

In TLS 1.2 and below both Finished are visible as the first encrypted handshake record after each
ChangeCipherSpec. In TLS 1.3 they hide in records of type application_data; without keys they are told
from the order and the lengths of those records (RFC 8446 section 5.2: ciphertext = message + 1 + tag).
What is told that way is an inference and is marked as one.
"""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.handshake import Message
from analyzer.model.hello import Alert, ClientHello, ServerHello

__all__ = ["Progress", "tell_progress"]

_JAVA_PADDING = 16  # JSSE pads every TLS 1.3 record
_SHA384_SUITES = frozenset((0x1302,))
_CCM_8 = 0x1305
_SMALLEST_CERTIFICATE = 250  # Certificate and CertificateVerify add no less to a flight


@dataclass(slots=True, eq=False, repr=False)
class Progress:
    """Frames are 0 where the thing was not seen."""

    client_finished_frame: int = 0
    client_finished_time: int = 0
    server_finished_frame: int = 0
    server_finished_time: int = 0
    client_ccs_frame: int = 0
    server_ccs_frame: int = 0
    client_application_bytes: int = 0
    server_application_bytes: int = 0
    client_application_records: int = 0
    server_application_records: int = 0
    early_data_bytes: int = 0
    client_certificate_requested: bool | None = None
    client_certificate_sent: bool | None = None
    certificate_inferred: bool = False
    client_second_flight: bool = False
    inferred: tuple[Alert, ...] = ()


def tell_progress(
    messages: list[Message], client_hello: ClientHello | None, server_hello: ServerHello | None, tls13: bool, psk: bool
) -> Progress:
    """Read the order of messages (capture order) once."""
    if tls13:
        return _tell_tls13(messages, client_hello, server_hello, psk)
    return _tell_tls12(messages, server_hello)


def _tell_tls12(messages: list[Message], server_hello: ServerHello | None) -> Progress:
    p = Progress()
    requested: bool | None = False if server_hello is not None else None
    for m in messages:
        kind = m[3]
        if kind == "application_data":
            if m[2]:
                p.client_application_bytes += m[4]
                p.client_application_records += 1
            else:
                p.server_application_bytes += m[4]
                p.server_application_records += 1
        elif kind == "change_cipher_spec":
            if m[2]:
                p.client_ccs_frame = p.client_ccs_frame or m[0]
                p.client_second_flight = True
            else:
                p.server_ccs_frame = p.server_ccs_frame or m[0]
        elif kind == "encrypted_handshake" or kind == "finished":
            if m[2]:
                # the ChangeCipherSpec itself may be missing from the capture
                if p.client_second_flight and not p.client_finished_frame:
                    p.client_finished_frame, p.client_finished_time = m[0], m[1]
            elif p.server_ccs_frame and not p.server_finished_frame:
                p.server_finished_frame, p.server_finished_time = m[0], m[1]
        elif m[2]:
            if kind == "certificate":
                p.client_certificate_sent = m[4] > 3
                p.client_second_flight = True
            elif kind == "client_key_exchange":
                p.client_second_flight = True
        elif kind == "certificate_request":
            requested = True
    if server_hello is not None and (requested or p.client_certificate_sent is not None):
        p.client_certificate_requested = True
    elif server_hello is not None and (p.client_second_flight or p.server_ccs_frame):
        p.client_certificate_requested = False
    if p.client_certificate_requested is False:
        p.client_certificate_sent = False
    return p


def _tell_tls13(messages: list[Message], client_hello: ClientHello | None, server_hello: ServerHello | None, psk: bool) -> Progress:
    p = Progress()
    suite = server_hello.cipher_suite if server_hello is not None else 0x1301
    tag = 8 if suite == _CCM_8 else 16
    overhead = 1 + tag
    finished = 4 + (48 if suite in _SHA384_SUITES else 32) + overhead
    alert = 2 + overhead
    empty_certificate = 8 + overhead  # 4 header, context, 3-byte length of nothing
    early = client_hello is not None and client_hello.early_data
    seen_hello = retried = False
    server_records: list[Message] = []  # of the server's first flight
    client_records: list[Message] = []  # after the ServerHello
    server_after: list[Message] = []  # after the client's first record
    decrypted_finished = [False, False]
    decrypted_any = False
    inferred: list[Alert] = []
    for index, m in enumerate(messages):
        frame, timestamp, from_client, kind, length = m[0], m[1], m[2], m[3], m[4]
        if kind == "server_hello":
            seen_hello = True
        elif kind == "hello_retry_request":
            retried = True
        elif kind == "client_hello":
            seen_hello = seen_hello or retried  # the ServerHello itself may be missing from the capture
        elif kind == "change_cipher_spec":
            if from_client:
                p.client_ccs_frame = p.client_ccs_frame or frame
                if seen_hello:
                    p.client_second_flight = True
            else:
                p.server_ccs_frame = p.server_ccs_frame or frame
        elif m[7]:  # decrypted
            decrypted_any = True
            if kind == "finished":
                decrypted_finished[from_client] = True
                if from_client:
                    p.client_finished_frame, p.client_finished_time = frame, timestamp
                    p.client_second_flight = True
                elif not p.server_finished_frame:
                    p.server_finished_frame, p.server_finished_time = frame, timestamp
            elif kind in ("certificate", "compressed_certificate") and from_client:
                p.client_certificate_sent = length > 4
                p.client_certificate_requested = True
                p.client_second_flight = True
            elif kind == "certificate_request" and not from_client:
                p.client_certificate_requested = True
            elif kind == "application_data":
                if from_client and not p.client_finished_frame:
                    p.early_data_bytes += length
                elif from_client:
                    p.client_application_bytes += length
                    p.client_application_records += 1
                else:
                    p.server_application_bytes += length
                    p.server_application_records += 1
            elif kind == "new_session_ticket" and not from_client:
                p.server_application_records += 1
                p.server_application_bytes += length
        elif kind == "application_data":
            if from_client:
                if not seen_hello:
                    p.early_data_bytes += length
                else:
                    client_records.append(m)
            elif not client_records:
                server_records.append(m)
            else:
                server_after.append(m)
                if length in (alert, alert + _JAVA_PADDING):
                    inferred.append(Alert(frame, timestamp, False, None, None, True, "inferred", index, length))
    if decrypted_any and (decrypted_finished[0] or decrypted_finished[1]):
        _count_opaque(p, client_records, server_after if decrypted_finished[1] else [])
        if p.client_certificate_requested is None and p.server_finished_frame:
            p.client_certificate_requested = False
        if p.client_certificate_requested is False:
            p.client_certificate_sent = False
        return p
    _tell_server_flight(p, server_records, finished, psk)
    if server_records and not p.server_finished_frame and _in_order(messages, server_records):
        # no Finished and at the end the length of an alert, which is shorter than any handshake message (Java pads it)
        last = server_records[-1]
        padded = len(server_records) > 1 and last[4] == alert + _JAVA_PADDING
        if last[4] == alert or padded:
            inferred.append(Alert(last[0], last[1], False, None, None, True, "inferred", messages.index(last), last[4]))
    rest = _tell_client_flight(p, client_records, finished, alert, empty_certificate, early, inferred, messages)
    if p.client_finished_frame:
        _count_opaque(p, rest, server_after)
        if not p.server_finished_frame:
            # the client finishes only after the server did: its flight is missing from the capture, or padded
            p.server_finished_frame, p.server_finished_time = p.client_finished_frame, p.client_finished_time
    p.inferred = tuple(inferred)
    return p


def _in_order(messages: list[Message], records: list[Message]) -> bool:
    """Whether nothing is missing of a server's flight, from its ServerHello to the last of these records."""
    hello = next((m for m in messages if m.kind == "server_hello"), None)
    if hello is None:
        return False
    end = hello.offset + 9 + hello.length
    for record in records:
        if record.offset - end not in (0, 6):  # ChangeCipherSpec is 6 bytes
            return False
        end = record.offset + 5 + record.length
    return True


def _coalesced(first: int, second: int, finished: int) -> bool:
    """Whether a client's first record can hold all of its second flight: the next one is no CertificateVerify (RFC 8446
    section 4.4.3: 8 bytes and a signature of 64 to 512 bytes)."""
    return first >= finished + _SMALLEST_CERTIFICATE and not 80 <= second <= 600


def _count_opaque(p: Progress, client: list[Message], server: list[Message]) -> None:
    for m in client:
        p.client_application_bytes += m[4]
        p.client_application_records += 1
    for m in server:
        p.server_application_bytes += m[4]
        p.server_application_records += 1


def _tell_server_flight(p: Progress, records: list[Message], finished: int, psk: bool) -> None:
    """EncryptedExtensions [CertificateRequest Certificate CertificateVerify] Finished: one record each, or all in one."""
    if not records:
        return
    lengths = [m[4] for m in records]
    at = next((i for i, length in enumerate(lengths) if i and length in (finished, finished + _JAVA_PADDING)), None)
    if at is None:
        # all in one record, or several messages in the last one
        total = sum(lengths)
        if total >= finished + (6 if psk else 300):
            p.server_finished_frame, p.server_finished_time = records[-1][0], records[-1][1]
        return
    p.server_finished_frame, p.server_finished_time = records[at][0], records[at][1]
    if not psk and at == 4:
        # one record more than EE, Certificate, CertificateVerify, Finished
        p.client_certificate_requested = True
        p.certificate_inferred = True
    elif not psk and at == 3:
        p.client_certificate_requested = False
        p.certificate_inferred = True


def _tell_client_flight(
    p: Progress,
    records: list[Message],
    finished: int,
    alert: int,
    empty_certificate: int,
    early: bool,
    inferred: list[Alert],
    messages: list[Message],
) -> list[Message]:
    """[EndOfEarlyData] [Certificate [CertificateVerify]] Finished. Returns the records after it."""
    if not records:
        return []
    finishes, alerts = (finished, finished + _JAVA_PADDING), (alert, alert + _JAVA_PADDING)
    is_finished = [m[4] in finishes for m in records]
    start = 0
    if early:
        # early data goes on until EndOfEarlyData (4 + overhead) or, when it was refused, until Finished
        end = next((i for i, m in enumerate(records) if m[4] == alert + 2 or is_finished[i]), None)
        if end is None:
            p.early_data_bytes += sum(m[4] for m in records)
            return []
        p.early_data_bytes += sum(m[4] for m in records[:end])
        start = end if is_finished[end] else end + 1
        if start >= len(records):
            return []
    first = records[start]
    length = first[4]
    if length in alerts:
        inferred.append(Alert(first[0], first[1], True, None, None, True, "inferred", messages.index(first), length))
        return []
    p.client_second_flight = True
    if is_finished[start]:
        at = start
        if p.client_certificate_requested is None:
            p.client_certificate_requested = False
            p.certificate_inferred = True
        if p.client_certificate_requested is False:
            p.client_certificate_sent = False
    elif length == empty_certificate or length == empty_certificate + _JAVA_PADDING:
        p.client_certificate_requested, p.client_certificate_sent, p.certificate_inferred = True, False, True
        if start + 1 >= len(records) or not is_finished[start + 1]:
            return []
        at = start + 1
    elif length - 8 in finishes:
        # empty Certificate and Finished in one record (NSS, rustls, BoringSSL)
        p.client_certificate_requested, p.client_certificate_sent, p.certificate_inferred = True, False, True
        at = start
    elif length >= finished + _SMALLEST_CERTIFICATE or any(is_finished[start + 1 : start + 4]):
        p.client_certificate_requested, p.client_certificate_sent, p.certificate_inferred = True, True, True
        found = next((i for i in range(start + 1, min(start + 5, len(records))) if is_finished[i]), None)
        if found is None and length < 4096 and start + 1 < len(records) and not _coalesced(length, records[start + 1][4], finished):
            return []
        at = start if found is None else found  # in one record when no other can hold it
    else:
        # Finished with something small before it (EncryptedExtensions of application settings), or padded
        at = start
    p.client_finished_frame, p.client_finished_time = records[at][0], records[at][1]
    rest = records[at + 1 :]
    for m in rest[-1:]:
        if m[4] in alerts:
            inferred.append(Alert(m[0], m[1], True, None, None, True, "inferred", messages.index(m), m[4]))
    return rest
