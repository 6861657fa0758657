"""Put a ``Handshake`` together: facts of the flow, what the follower read, how far it came."""

from __future__ import annotations

from typing import Any

from analyzer.handshakes.alike import Alikes
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.flight import Flight, read_flight
from analyzer.handshakes.progress import tell_progress
from analyzer.handshakes.segments import Kept, KeptSegments, read_segments
from analyzer.handshakes.stage import stage_of
from analyzer.model.batches import IcmpError, TcpFlag
from analyzer.model.faults import Fault
from analyzer.model.handshake import Flow, Handshake, Segment, Stage
from analyzer.tls.messages import read_certificate

__all__ = ["assemble", "read_whole"]

_LIMIT = 1 << 20  # bytes that may wait for others when a flight is read segment by segment: more than a flight has
_ORDERED = 64  # messages whose order is looked at


def assemble(
    flow: Flow,
    connection: Connection | Flight | None,
    parts: Kept,
    client: int,
    icmp: list[IcmpError],
    limit: int,
    alikes: Alikes | None = None,
) -> Handshake:
    """The handshake of a flow that is over, or as far as it was captured.

    ``parts``: kept segment rows (may be empty); ``client``: direction of the client; ``alikes``: memo of those read before.
    """
    flight = connection if isinstance(connection, Flight) else None
    if flight is not None and alikes is not None:
        flight = _named(flight)
        known = alikes.recall(flow, flight, icmp)
        if known is not None:
            if flight.before is not None:
                known.dialogue = flight.before.dialogue
            _keep_segments(known, parts, client, limit)
            return known
    read = None if flight is None else read_whole(flow, flight)
    h, went_on = read or (Handshake(flow), False)
    h.icmp = icmp
    if flight is not None and read is None:
        connection = Connection(flow.server_port, (None, None), None, _LIMIT)
        connection.take_flight(flight.client, flight.server, flight.before, flight.arrivals)
    if isinstance(connection, Connection):
        connection.close()
        _take_follower(h, connection)
        went_on = _tell(h, connection.follower.tls13)
        if connection.follower.keylog is not None:
            _tell_decryption(h, connection.follower)
    if parts:
        h.read_segments = KeptSegments(read_segments, parts, client, limit)
    h.stage = stage_of(h, went_on, lambda: _hello_acknowledged(h, h.segments) if h.client_hello_end else True)
    if read is not None and alikes is not None and flight is not None:
        alikes.remember(h, flight)
    _keep_segments(h, parts, client, limit)
    return h


def read_whole(flow: Flow, flight: Flight) -> tuple[Handshake, bool] | None:
    """The handshake of a flight but for its stage, and whether the client's second flight began; None where something is not as usual and
    a ``Connection`` has to follow it record by record."""
    h = Handshake(flow)
    if not read_flight(h, flight) or (flight.before is not None and h.client_hello is None):
        return None
    if flight.before is not None:
        h.dialogue = flight.before.dialogue
        h.client_hello_end += len(flight.before.client)
    return h, _tell(h, h.is_tls13)


def _named(flight: Flight) -> Flight:
    """The same with a pattern that also tells how much was said before TLS: two that differ in that are not alike."""
    if flight.before is None or not flight.pattern:
        return flight
    return flight._replace(pattern=b"%d %d " % flight.tls_offsets + flight.pattern)


def _keep_segments(h: Handshake, parts: Kept, client: int, limit: int) -> None:
    """Have the segments ready for whoever asks."""
    if not parts:
        return
    h.flow.segments_capped = sum(map(len, parts)) >= limit
    if h.stage != Stage.ESTABLISHED:
        # they are slices of what was kept of whole batches, and this handshake may be held until the end
        parts = parts.copies()
    h.read_segments = KeptSegments(read_segments, parts, client, limit)


def _take_follower(h: Handshake, connection: Connection) -> None:
    f = connection.follower
    flow = h.flow
    h.messages, h.faults, h.dialogue = f.messages, f.faults, f.dialogue
    h.client_hello, h.second_client_hello = f.client_hello, f.second_client_hello
    h.hello_retry, h.server_hello = f.hello_retry, f.server_hello
    h.client_hello_frame, h.client_hello_time = f.client_hello_frame, f.client_hello_time
    h.client_hello_first_frame, h.client_hello_segments = f.client_hello_first_frame, f.client_hello_segments
    h.client_hello_incomplete = f.client_hello_incomplete
    if f.client_hello is not None or f.client_hello_incomplete:
        h.client_hello_end = 1 + connection.tls_offsets[0] + f.client_hello_offset
    h.server_hello_frame, h.server_hello_time = f.server_hello_frame, f.server_hello_time
    if f.server_certificates:
        h.server_certificates = tuple(read_certificate(der) for der in f.server_certificates)
        h.server_certificates_complete = f.server_certificates_complete
    h.server_certificate_bytes = f.server_certificate_bytes
    if f.client_certificates is not None:
        h.client_certificates = tuple(read_certificate(der) for der in f.client_certificates)
    h.server_key_exchange, h.certificate_request, h.ocsp_response = f.server_key_exchange, f.certificate_request, f.ocsp_response
    h.renegotiations = f.renegotiations
    client_plain, server_plain = connection.plain
    if f.dialogue is None or not connection.is_tls:
        h.client_bytes, h.client_bytes_frame = client_plain, connection.plain_frames[0]
        h.server_bytes, h.server_bytes_frame = server_plain, connection.plain_frames[1]
    for side, from_client in ((f.client, True), (f.server, False)):
        if side.first_bytes and (side.broken or f.opener is not None):
            if from_client and not h.client_bytes:
                h.client_bytes, h.client_bytes_frame = side.first_bytes, side.first_bytes_frame
            elif not from_client and not h.server_bytes:
                h.server_bytes, h.server_bytes_frame = side.first_bytes, side.first_bytes_frame
    flow.client_gaps, flow.server_gaps = connection.gaps
    h.alerts, h.alpn = f.alerts, f.alpn


def _tell(h: Handshake, tls13: bool) -> bool:
    """What follows from the messages together. True when the client's second flight began."""
    server_hello = h.server_hello
    psk = server_hello is not None and server_hello.pre_shared_key is not None
    p = tell_progress(h.messages, h.client_hello, server_hello, tls13, psk)
    h.client_finished_frame, h.server_finished_frame = p.client_finished_frame, p.server_finished_frame
    h.client_ccs_frame, h.server_ccs_frame = p.client_ccs_frame, p.server_ccs_frame
    h.client_application_bytes, h.server_application_bytes = p.client_application_bytes, p.server_application_bytes
    h.client_application_records, h.server_application_records = p.client_application_records, p.server_application_records
    h.early_data_bytes = p.early_data_bytes
    h.client_certificate_requested, h.client_certificate_sent = p.client_certificate_requested, p.client_certificate_sent
    if tls13 and h.client_certificates is not None:
        h.client_certificate_sent = bool(h.client_certificates)  # one for a request after the handshake repeats that one's context
    h.client_certificate_inferred = p.certificate_inferred
    if p.inferred:
        h.alerts = sorted([*h.alerts, *p.inferred], key=lambda a: (a.frame, a.position))
    if server_hello is not None:
        h.named_group = server_hello.key_share_group
        if h.named_group is None and h.server_key_exchange is not None:
            h.named_group = h.server_key_exchange.named_group
        if psk:
            h.resumption = "psk"
        elif not tls13 and h.client_hello is not None and p.server_ccs_frame and not h.server_certificates:
            hello = h.client_hello
            abbreviated = not any(m.kind in ("server_key_exchange", "server_hello_done", "certificate") for m in h.messages)
            if abbreviated and server_hello.session_id and server_hello.session_id == hello.session_id:
                h.resumption = "ticket" if hello.session_ticket_length else "session-id"
            elif abbreviated and hello.session_ticket_length:
                h.resumption = "ticket"
    elif h.hello_retry is not None:
        h.named_group = h.hello_retry.key_share_group
    if len(h.messages) < _ORDERED and not (p.client_finished_frame and p.server_finished_frame):
        _tell_disorder(h, tls13)
    return p.client_second_flight


def _tell_disorder(h: Handshake, tls13: bool) -> None:
    """Messages out of their legal order become faults. Only looked for where the handshake did not come to its end."""
    if not h.messages or h.flow.client_gaps or h.flow.server_gaps:
        return
    from analyzer.tls.order import find_disorder

    kinds = ((m.from_client, m.kind) for m in h.messages)
    for index, says in find_disorder(kinds, tls13=tls13, from_begin=h.client_hello is not None)[:8]:
        m = h.messages[index]
        h.faults.append(Fault("misbehaviour", m.from_client, m.frame, says))


def _tell_decryption(h: Handshake, f: Any) -> None:
    h.finished_verified = f.finished_ok
    opened = any(m.decrypted for m in f.messages)
    closed = any(m.encrypted and not m.decrypted for m in f.messages)
    if opened:
        h.decryption = "partial" if closed else "full"
    elif closed:
        h.decryption = "failed"
    if f.opener is not None and f.opener.note:
        h.decryption_note = f.opener.note
    elif h.decryption == "failed":
        h.decryption_note = "the key log holds no secret for this handshake"


def _hello_acknowledged(h: Handshake, segments: tuple[Segment, ...]) -> bool | None:
    """Did the server acknowledge the whole ClientHello? None when its segments were not captured."""
    if not (h.client_hello_end and segments) or h.stage == Stage.ESTABLISHED:
        return None
    seen = False
    for s in segments:
        if s.from_client or s.flags & TcpFlag.RST:
            continue
        seen = True
        if s.acknowledgment >= h.client_hello_end:
            return True
    return False if seen else None
